// SPDX-License-Identifier: GPL-2.0

//! Planes and cursors.

use kernel::prelude::*;

#[kunit_tests(gvt_plane)]
mod gvt_plane {
    use super::*;
    use crate::fakes::Text;
    use gvt_model::{
        addr::GmRange,
        display::{
            plane::{
                pipes,
                query,
                CursorRegisters,
                Format,
                Layer,
                Memory,
                Plane,
                PlaneFault,
                PlaneRegisters,
                Tiling, //
            },
            Pipe, //
        },
        platform::Platform, //
    };

    const MB: u64 = 1 << 20;
    const LOW: u32 = 64 << 20;
    const ON: u32 = 1 << 31;

    fn memory() -> Result<Memory> {
        Ok(Memory {
            low: GmRange::new(64 * MB, 64 * MB)?,
            high: GmRange::new(1024 * MB, 384 * MB)?,
        })
    }

    /// A plane of 100x50 pixels at 10, 20.
    fn registers(control: u32, stride: u32) -> PlaneRegisters {
        PlaneRegisters {
            control: ON | control,
            stride,
            position: 20 << 16 | 10,
            size: 49 << 16 | 99,
            surface: LOW,
            offset: 0,
        }
    }

    #[test]
    fn planes_of_gen9_have_twelve_formats() -> Result {
        let memory = memory()?;
        let swapped = 1 << 20;
        for (control, format, fourcc) in [
            (0, Format::Yuyv, b"YUYV"),
            (1 << 16, Format::Uyvy, b"UYVY"),
            (2 << 16, Format::Yvyu, b"YVYU"),
            (3 << 16, Format::Vyuy, b"VYUY"),
            (12 << 24, Format::C8, b"C8  "),
            (14 << 24, Format::Rgb565, b"RG16"),
            (4 << 24, Format::Xrgb8888, b"XR24"),
            (4 << 24 | swapped, Format::Xbgr8888, b"XB24"),
            (4 << 24 | 2 << 4, Format::Argb8888, b"AR24"),
            (4 << 24 | 3 << 4 | swapped, Format::Abgr8888, b"AB24"),
            (2 << 24, Format::Xrgb2101010, b"XR30"),
            (2 << 24 | swapped, Format::Xbgr2101010, b"XB30"),
        ] {
            for platform in [Platform::Skylake, Platform::Broxton, Platform::CometLake] {
                let plane = registers(control, 16).primary(platform, 0, &memory);
                assert_eq!(plane.map(|plane| plane.map(|p| p.format)), Ok(Some(format)));
                let plane = registers(control, 16).sprite(platform, &memory);
                assert_eq!(plane.map(|plane| plane.map(|p| p.format)), Ok(Some(format)));
            }
            assert_eq!(format.fourcc(), u32::from_le_bytes(*fourcc));
        }
        for number in [1, 3, 5, 6, 7, 8, 9, 10, 11, 13, 15] {
            let control = number << 24;
            let plane = registers(control, 16).primary(Platform::KabyLake, 0, &memory);
            assert_eq!(plane, Err(PlaneFault::Format(ON | control)));
        }
        Ok(())
    }

    #[test]
    fn planes_of_gen8_have_formats_of_their_own() -> Result {
        let memory = memory()?;
        let primary = [
            (2, Format::C8),
            (5, Format::Rgb565),
            (6, Format::Xrgb8888),
            (8, Format::Xbgr2101010),
            (10, Format::Xrgb2101010),
            (14, Format::Xbgr8888),
        ];
        for number in 0..16 {
            let control = number << 26;
            let plane = registers(control, 512).primary(Platform::Broadwell, 0, &memory);
            let known = primary.iter().find(|(place, _)| *place == number);
            let expected = known.ok_or(PlaneFault::Format(ON | control));
            let expected = expected.map(|(_, format)| Some(*format));
            assert_eq!(plane.map(|plane| plane.map(|p| p.format)), expected);
        }
        let swapped = 1 << 20;
        let sprite = [
            (0, Format::Yuyv),
            (3 << 16, Format::Vyuy),
            (1 << 25, Format::Xrgb2101010),
            (1 << 25 | swapped, Format::Xbgr2101010),
            (2 << 25, Format::Xrgb8888),
            (2 << 25 | swapped, Format::Xbgr8888),
        ];
        for (control, format) in sprite {
            let plane = registers(control, 512).sprite(Platform::Broadwell, &memory);
            assert_eq!(plane.map(|plane| plane.map(|p| p.format)), Ok(Some(format)));
        }
        for number in 3..8 {
            let control = number << 25;
            let plane = registers(control, 512).sprite(Platform::Broadwell, &memory);
            assert_eq!(plane, Err(PlaneFault::Format(ON | control)));
        }
        Ok(())
    }

    const XRGB: u32 = 4 << 24;
    const INDEXED: u32 = 12 << 24;

    #[test]
    fn a_stride_has_the_unit_of_its_tiling() -> Result {
        let memory = memory()?;
        for (control, units, tiling, stride, lines, modifier) in [
            (XRGB, 7, Tiling::Linear, 448, 50, 0),
            (XRGB | 1 << 10, 1, Tiling::X, 512, 56, 1 << 56 | 1),
            (XRGB | 4 << 10, 4, Tiling::Y, 512, 64, 1 << 56 | 2),
            (XRGB | 5 << 10, 4, Tiling::Yf, 512, 64, 1 << 56 | 3),
            (INDEXED | 5 << 10, 2, Tiling::Yf, 128, 64, 1 << 56 | 3),
            // Bits above the field.
            (XRGB | 1 << 10, 0xffff_fc01, Tiling::X, 512, 56, 1 << 56 | 1),
        ] {
            let plane = registers(control, units).primary(Platform::Skylake, 0, &memory);
            assert!(matches!(plane, Ok(Some(_))));
            let Ok(Some(plane)) = plane else { continue };
            assert_eq!(plane.tiling, tiling);
            assert_eq!(plane.tiling.modifier(), modifier);
            assert_eq!(plane.stride, stride);
            let bytes = u64::from(stride) * lines;
            assert_eq!(plane.size, bytes.next_multiple_of(4096));
        }
        for tiling in [2, 3, 6, 7] {
            let control = XRGB | tiling << 10;
            let plane = registers(control, 16).sprite(Platform::Skylake, &memory);
            assert_eq!(plane, Err(PlaneFault::Tiling(ON | control)));
        }
        // Gen8 counts bytes.
        for (control, tiling) in [(6 << 26, Tiling::Linear), (6 << 26 | 1 << 10, Tiling::X)] {
            let plane = registers(control, 0xffff_0fff).primary(Platform::Broadwell, 0, &memory);
            let found = plane.map(|plane| plane.map(|p| (p.tiling, p.stride)));
            assert_eq!(found, Ok(Some((tiling, 0x0fc0))));
        }
        Ok(())
    }

    #[test]
    fn a_plane_is_where_its_registers_say() -> Result {
        let memory = memory()?;
        let mut plane = registers(XRGB | 2, 16);
        plane.surface |= 0xfff;
        plane.offset = 4 << 16 | 3;
        let expected = Plane {
            format: Format::Xrgb8888,
            tiling: Tiling::Linear,
            width: 100,
            height: 50,
            stride: 1024,
            start: 64 * MB,
            size: 56 * 1024,
            source: (3, 4),
            position: (10, 20),
            turned: true,
            hot_spot: None,
        };
        assert_eq!(
            plane.primary(Platform::Skylake, 0, &memory),
            Ok(Some(expected))
        );
        assert_eq!(plane.sprite(Platform::Skylake, &memory), Ok(Some(expected)));
        // The primary plane of Gen8 fills the pipe.
        let mut plane = registers(6 << 26 | 1 << 15, 7680);
        plane.offset = 4 << 16 | 3;
        let source = 1279 << 16 | 719;
        let expected = Plane {
            width: 1280,
            height: 720,
            stride: 7680,
            size: (7680 * 724u64).next_multiple_of(4096),
            position: (0, 0),
            ..expected
        };
        assert_eq!(
            plane.primary(Platform::Broadwell, source, &memory),
            Ok(Some(expected))
        );
        Ok(())
    }

    #[test]
    fn what_cannot_be_told_is_refused() -> Result {
        let memory = memory()?;
        for (control, expected) in [
            (XRGB | 1, PlaneFault::Rotated),
            (XRGB | 3, PlaneFault::Rotated),
            (XRGB | 1 << 15, PlaneFault::Compressed),
        ] {
            let plane = registers(control, 16).primary(Platform::Skylake, 0, &memory);
            assert_eq!(plane, Err(expected));
        }
        // What is off is not looked at.
        let mut off = registers(XRGB | 1, 0);
        off.control &= !ON;
        assert_eq!(off.primary(Platform::Skylake, 0, &memory), Ok(None));
        assert_eq!(off.sprite(Platform::Broadwell, &memory), Ok(None));
        Ok(())
    }

    #[test]
    fn a_line_ends_before_the_next_one() -> Result {
        let memory = memory()?;
        // 100 pixels are 400 bytes, of which 448 hold 112.
        for (units, x, fits) in [
            (7, 0, true),
            (7, 12, true),
            (7, 13, false),
            (6, 0, false),
            (0, 0, false),
        ] {
            let mut plane = registers(XRGB, units);
            plane.offset = x;
            let plane = plane.primary(Platform::Skylake, 0, &memory);
            let stride = units * 64;
            let line = u64::from(100 + x) * 4;
            if fits {
                assert!(plane.is_ok());
            } else {
                assert_eq!(plane, Err(PlaneFault::Stride { stride, line }));
            }
        }
        Ok(())
    }

    #[test]
    fn a_plane_is_in_the_memory_of_the_vgpu() -> Result {
        let memory = memory()?;
        // 50 lines of 448 bytes are 6 pages, and 56 of 512 are 7.
        for (control, units, pages) in [(XRGB, 7, 6), (XRGB | 1 << 10, 1, 7)] {
            let size = pages * 4096;
            for (start, inside) in [
                (4096, false),
                (64 * MB - 4096, false),
                (64 * MB, true),
                (128 * MB - size, true),
                (128 * MB - size + 4096, false),
                (128 * MB, false),
                (1024 * MB - 4096, false),
                (1024 * MB, true),
                (1408 * MB - size, true),
                (1408 * MB - size + 4096, false),
                (0xffff_f000, false),
            ] {
                let mut plane = registers(control, units);
                plane.surface = u32::try_from(start).map_err(|_| EINVAL)?;
                let plane = plane.primary(Platform::Skylake, 0, &memory);
                let refused = PlaneFault::Memory {
                    start,
                    size: if units == 7 { 50 * 448 } else { size },
                };
                let expected = if inside { Ok(Some(size)) } else { Err(refused) };
                assert_eq!(plane.map(|plane| plane.map(|p| p.size)), expected);
            }
        }
        Ok(())
    }

    #[test]
    fn a_plane_that_has_no_address_yet_is_off() -> Result {
        let memory = memory()?;
        for platform in [Platform::Broadwell, Platform::Skylake] {
            let mut plane = registers(0, 0);
            plane.surface = 0xfff;
            assert_eq!(plane.primary(platform, 0, &memory), Ok(None));
            assert_eq!(plane.sprite(platform, &memory), Ok(None));
        }
        let mut cursor = cursor_at(0x27, 0);
        cursor.base = 0;
        assert_eq!(cursor.cursor(&memory), Ok(None));

        // To the vGPU that has the first page 0 is an address like any other.
        let first = Memory {
            low: GmRange::new(0, 64 * MB)?,
            ..memory
        };
        let mut plane = registers(XRGB, 7);
        plane.surface = 0;
        let start = plane.primary(Platform::Skylake, 0, &first);
        assert_eq!(start.map(|plane| plane.map(|p| p.start)), Ok(Some(0)));
        let start = cursor.cursor(&first);
        assert_eq!(start.map(|plane| plane.map(|p| p.start)), Ok(Some(0)));
        Ok(())
    }

    #[test]
    fn the_biggest_numbers_do_no_harm() -> Result {
        let memory = memory()?;
        for control in [
            XRGB | 1 << 10,
            XRGB,
            XRGB | 4 << 10,
            INDEXED | 5 << 10,
            14 << 24,
        ] {
            let mut plane = registers(control, u32::MAX);
            plane.size = u32::MAX;
            plane.offset = u32::MAX;
            plane.position = u32::MAX;
            for surface in [LOW, 0x1000, u32::MAX] {
                plane.surface = surface;
                assert!(plane.primary(Platform::Skylake, u32::MAX, &memory).is_err());
                assert!(plane
                    .primary(Platform::Broadwell, u32::MAX, &memory)
                    .is_err());
            }
        }
        Ok(())
    }

    fn cursor_at(control: u32, position: u32) -> CursorRegisters {
        CursorRegisters {
            control,
            base: LOW | 0x1000,
            position,
            height: 0,
            hot_spot: (u32::MAX, u32::MAX),
        }
    }

    #[test]
    fn a_cursor_has_the_size_of_its_mode() -> Result {
        let memory = memory()?;
        for (mode, size) in [
            (0x00, Ok(None)),
            (0x07, Ok(Some(64))),
            (0x27, Ok(Some(64))),
            (0x22, Ok(Some(128))),
            (0x23, Ok(Some(256))),
            (0x20, Err(0x20)),
            (0x02, Err(0x02)),
            (0x03, Err(0x03)),
            (0x04, Err(0x04)),
            (0x25, Err(0x25)),
        ] {
            let plane = cursor_at(mode, 0).cursor(&memory);
            let size = size.map_err(PlaneFault::CursorMode);
            assert_eq!(plane.map(|plane| plane.map(|p| p.width)), size);
            assert_eq!(plane.map(|plane| plane.map(|p| p.height)), size);
            let Ok(Some(plane)) = plane else { continue };
            assert_eq!(plane.format, Format::Argb8888);
            assert_eq!(plane.tiling, Tiling::Linear);
            assert_eq!(plane.stride, plane.width * 4);
            assert_eq!(plane.start, 64 * MB + 4096);
            assert_eq!(plane.size, u64::from(plane.width * plane.width * 4));
        }
        // A height of its own, which is not above that of the mode.
        for (height, lines) in [
            (0, 64),
            (ON | 9, 10),
            (ON | 63, 64),
            (ON | 255, 64),
            (9, 64),
        ] {
            let mut cursor = cursor_at(0x27, 0);
            cursor.height = height;
            let plane = cursor.cursor(&memory);
            assert_eq!(plane.map(|plane| plane.map(|p| p.height)), Ok(Some(lines)));
        }
        Ok(())
    }

    #[test]
    fn a_cursor_can_be_at_the_edge() -> Result {
        let memory = memory()?;
        for (position, place) in [
            (0, (0, 0)),
            (20 << 16 | 10, (10, 20)),
            (0x8001, (-1, 0)),
            (0x8001_0000, (0, -1)),
            (0x803f_803f, (-63, -63)),
            (0x8000_8000, (0, 0)),
            (0x7fff_7fff, (32767, 32767)),
            (0xffff_ffff, (-32767, -32767)),
        ] {
            let plane = cursor_at(0x27, position).cursor(&memory);
            assert_eq!(
                plane.map(|plane| plane.map(|p| p.position)),
                Ok(Some(place))
            );
        }
        Ok(())
    }

    #[test]
    fn a_hot_spot_is_on_its_cursor() -> Result {
        let memory = memory()?;
        for (hot_spot, expected) in [
            ((0, 0), Some((0, 0))),
            ((63, 63), Some((63, 63))),
            ((64, 0), None),
            ((0, 64), None),
            ((u32::MAX, 0), None),
            ((u32::MAX, u32::MAX), None),
        ] {
            let mut cursor = cursor_at(0x27, 0);
            cursor.hot_spot = hot_spot;
            let plane = cursor.cursor(&memory);
            assert_eq!(
                plane.map(|plane| plane.map(|p| p.hot_spot)),
                Ok(Some(expected))
            );
        }
        // And a cursor is in the memory of the vGPU.
        let mut cursor = cursor_at(0x23, 0);
        cursor.base = u32::try_from(128 * MB - 0x3f000).map_err(|_| EINVAL)?;
        assert!(matches!(
            cursor.cursor(&memory),
            Err(PlaneFault::Memory { .. })
        ));
        Ok(())
    }

    /// Pipes A and C are on, each with a primary plane, sprites and a cursor.
    fn screen(offset: u32) -> u32 {
        match offset {
            0x70008 | 0x72008 => ON,
            0x6001c => 1023 << 16 | 767,
            0x6201c => 799 << 16 | 599,
            0x70180 | 0x70280 | 0x71180 | 0x72380 => ON | XRGB,
            0x70188 | 0x70288 | 0x71188 | 0x72388 => 64,
            0x70190 => 767 << 16 | 1023,
            0x70290 => 9 << 16 | 19,
            0x72390 => 29 << 16 | 39,
            0x7019c | 0x7029c | 0x7119c | 0x7239c => LOW,
            0x7038c => 1,
            0x72080 => 0x27,
            0x72084 => LOW,
            0x72088 => 5 << 16 | 6,
            0x78830 => 3,
            0x78834 => 4,
            _ => 0,
        }
    }

    #[test]
    fn every_pipe_can_be_asked_for() -> Result {
        let memory = memory()?;
        assert!(pipes(&screen).eq([Pipe::A, Pipe::C]));
        assert!(pipes(&|_| 0).next().is_none());
        let size = |pipe, layer| {
            let plane = query(Platform::Skylake, pipe, layer, &screen, &memory);
            plane.map(|plane| plane.map(|p| (p.width, p.height)))
        };
        for (pipe, layer, expected) in [
            (Pipe::A, Layer::Primary, Some((1024, 768))),
            (Pipe::A, Layer::Sprite(0), Some((20, 10))),
            (Pipe::A, Layer::Sprite(1), None),
            (Pipe::A, Layer::Cursor, None),
            // It has a plane, but the pipe is off.
            (Pipe::B, Layer::Primary, None),
            (Pipe::C, Layer::Primary, None),
            (Pipe::C, Layer::Sprite(1), Some((40, 30))),
            (Pipe::C, Layer::Sprite(2), None),
            (Pipe::C, Layer::Sprite(255), None),
            (Pipe::C, Layer::Cursor, Some((64, 64))),
        ] {
            assert_eq!(size(pipe, layer), Ok(expected));
        }
        let cursor = query(Platform::Skylake, Pipe::C, Layer::Cursor, &screen, &memory);
        let cursor = cursor.map(|plane| plane.map(|p| (p.position, p.hot_spot)));
        assert_eq!(cursor, Ok(Some(((6, 5), Some((3, 4))))));
        // Gen8 has one sprite, and its primary plane is as big as the pipe.
        let gen8 = |offset| match offset {
            0x70180 => ON | 6 << 26,
            0x70188 => 4096,
            _ => screen(offset),
        };
        let plane = query(Platform::Broadwell, Pipe::A, Layer::Primary, &gen8, &memory);
        let plane = plane.map(|plane| plane.map(|p| (p.width, p.height)));
        assert_eq!(plane, Ok(Some((1024, 768))));
        let plane = query(
            Platform::Broadwell,
            Pipe::C,
            Layer::Sprite(1),
            &gen8,
            &memory,
        );
        assert_eq!(plane, Ok(None));
        Ok(())
    }

    #[test]
    fn any_registers_show_memory_of_the_vgpu_or_none() -> Result {
        let memory = memory()?;
        let mut seed: u32 = 3;
        let mut shown = 0;
        for round in 0..4000u32 {
            seed = seed.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            let registers = |offset: u32| match offset & 0xff {
                // Likely values of controls, surfaces and strides, and any other.
                0x80 if round & 1 != 0 => ON | (seed & 0x0f10_1c30),
                0x9c | 0x84 if round & 2 != 0 => LOW + (seed & 0x0fff_f000),
                0x90 if round & 4 != 0 => seed & 0x00ff_00ff,
                0x08 => ON,
                _ => seed.rotate_left(offset >> 2) ^ offset,
            };
            for platform in [Platform::Broadwell, Platform::Skylake] {
                for pipe in Pipe::ALL {
                    for layer in [
                        Layer::Primary,
                        Layer::Sprite(0),
                        Layer::Sprite(1),
                        Layer::Cursor,
                    ] {
                        let plane = query(platform, pipe, layer, &registers, &memory);
                        let Ok(Some(plane)) = plane else { continue };
                        let (start, size) = (plane.start, plane.size);
                        assert!(start % 4096 == 0 && size % 4096 == 0 && size > 0);
                        assert!(
                            memory.low.contains(start, size) || memory.high.contains(start, size)
                        );
                        assert!(plane.width > 0 && plane.height > 0);
                        shown += 1;
                    }
                }
            }
        }
        // The test is about something.
        assert!(shown > 100);
        Ok(())
    }

    #[test]
    fn a_fault_says_what_is_wrong() {
        for (fault, text) in [
            (
                PlaneFault::Format(0x8300_0000),
                "a plane has an unknown format: 0x83000000",
            ),
            (
                PlaneFault::Tiling(0x8400_0800),
                "a plane has an unknown tiling: 0x84000800",
            ),
            (PlaneFault::Rotated, "a plane is rotated"),
            (PlaneFault::Compressed, "a plane is compressed"),
            (
                PlaneFault::CursorMode(4),
                "a cursor has an unknown mode: 0x4",
            ),
            (
                PlaneFault::Stride {
                    stride: 64,
                    line: 400,
                },
                "a plane has lines of 400 bytes, of which one is 64 bytes after the other",
            ),
            (
                PlaneFault::Memory {
                    start: 0x1000,
                    size: 8192,
                },
                "a plane of 8192 bytes at 0x1000 is outside the memory of the vGPU",
            ),
        ] {
            assert!(Text::of(&fault).is(text));
        }
    }
}
