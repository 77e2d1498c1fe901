// SPDX-License-Identifier: GPL-2.0

//! Clocks, refresh rates and vertical blanks.

use kernel::prelude::*;

#[kunit_tests(gvt_timing)]
mod gvt_timing {
    use gvt_model::{
        display::{
            timing::{
                frames_after,
                link_clock,
                refresh,
                Refresh,
                Timing,
                Vblank, //
            },
            Ddi,
            Pipe,
            Transcoder, //
        },
        platform::Platform, //
    };

    /// Registers that hold these values, and 0 else.
    fn file(values: &'static [(u32, u32)]) -> impl Fn(u32) -> u32 {
        move |offset| {
            let found = values.iter().find(|(place, _)| *place == offset);
            found.map_or(0, |(_, value)| *value)
        }
    }

    const BIG_CORES: [Platform; 4] = [
        Platform::Skylake,
        Platform::KabyLake,
        Platform::CoffeeLake,
        Platform::CometLake,
    ];

    #[test]
    fn broadwell_has_fixed_clocks_and_two_free_ones() {
        const LCPLL: u64 = 3;
        const SSC: u64 = 1;
        let wrpll = |reference: u64, n: u64, p: u64, r: u64| {
            u32::try_from(reference << 28 | n << 16 | p << 8 | r).unwrap_or(0)
        };
        for (select, spll, wrpll, clock) in [
            (0, 0, 0, Some(540_000)),
            (1 << 29, 0, 0, Some(270_000)),
            (2 << 29, 0, 0, Some(162_000)),
            (3 << 29, 0, 0, Some(162_000)),
            (3 << 29, 1 << 26, 0, Some(270_000)),
            (3 << 29, 2 << 26, 0, Some(540_000)),
            (3 << 29, 3 << 26, 0, None),
            // 2700 MHz * 44 / (4 * 11), twice, a tenth.
            (4 << 29, 0, wrpll(LCPLL, 44, 4, 11), Some(540_000)),
            (4 << 29, 0, wrpll(SSC, 40, 4, 10), Some(27_000)),
            (4 << 29, 0, wrpll(2, 40, 4, 10), Some(27_000)),
            // The C driver divides by 0 here.
            (4 << 29, 0, wrpll(LCPLL, 44, 0, 11), None),
            (4 << 29, 0, wrpll(LCPLL, 44, 4, 0), None),
            (4 << 29, 0, wrpll(LCPLL, 0, 4, 11), None),
            (4 << 29, 0, wrpll(0, 44, 4, 11), None),
            (4 << 29, 0, u32::MAX, Some(8570)),
            (6 << 29, 0, 0, None),
            (7 << 29, 0, 0, None),
        ] {
            let registers = |offset| match offset {
                0x46104 => select,
                0x46020 => spll,
                0x46040 => wrpll,
                _ => 0,
            };
            let got = link_clock(Platform::Broadwell, Ddi::B, &registers);
            assert_eq!(got, clock);
            // The second one, of another port.
            let registers = |offset| match offset {
                0x4610c => 5 << 29,
                0x46060 => wrpll,
                _ => 0,
            };
            if select >> 29 == 4 {
                let got = link_clock(Platform::Broadwell, Ddi::D, &registers);
                assert_eq!(got, clock);
            }
        }
    }

    #[test]
    fn skylake_names_a_pll_for_each_port() {
        let rates = [540_000, 270_000, 162_000, 324_000, 216_000, 432_000];
        for platform in BIG_CORES {
            for port in Ddi::ALL {
                for pll in 0..4 {
                    for rate in 0..8 {
                        let shift = port.index() * 3;
                        let select = 1 << shift | pll << (shift + 1);
                        let control = rate << (pll * 6 + 1);
                        let clock = |select: u32, control: u32| {
                            let registers = |offset| match offset {
                                0x6c058 => control,
                                0x6c05c => select,
                                _ => 0,
                            };
                            link_clock(platform, port, &registers)
                        };
                        let place = usize::try_from(rate).unwrap_or(usize::MAX);
                        assert_eq!(clock(select, control), rates.get(place).copied());
                        let off = 1 << (port.index() + 15);
                        assert_eq!(clock(select | off, control), None);
                        assert_eq!(clock(select & !(1 << shift), control), None);
                        let hdmi = 1 << (pll * 6 + 5);
                        assert_eq!(clock(select, control | hdmi), None);
                    }
                }
            }
        }
    }

    #[test]
    fn broxton_has_a_pll_for_each_port() {
        // 100 MHz * 2 * 32.4 / 1 / 4 / 2 / 5 = 162 MHz, as i915 sets it up for 1.62 Gbit/s.
        let rate = |enable: u32, fraction: u32, n: u32, p1: u32, p2: u32| {
            move |offset| match offset {
                0x46078 => enable,
                0x6c100 => 0xffff_ff00 | 32,
                0x6c104 => 0xffff_f0ff | n << 8,
                0x6c108 => 0xffc0_0000 | 1_677_722,
                0x6c10c => fraction << 16,
                0x6c034 => 0xffff_00ff | p1 << 13 | p2 << 8,
                _ => 0,
            }
        };
        for (registers, clock) in [
            (rate(3 << 30, 1, 1, 4, 2), Some(162_000)),
            (rate(3 << 30, 0, 1, 4, 2), Some(160_000)),
            (rate(3 << 30, 1, 2, 4, 2), Some(81_000)),
            (rate(1 << 31, 1, 1, 4, 2), None),
            (rate(1 << 30, 1, 1, 4, 2), None),
            (rate(3 << 30, 1, 0, 4, 2), None),
            (rate(3 << 30, 1, 1, 0, 2), None),
            (rate(3 << 30, 1, 1, 4, 0), None),
        ] {
            let got = link_clock(Platform::Broxton, Ddi::B, &registers);
            assert_eq!(got, clock);
        }
        for port in [Ddi::D, Ddi::E] {
            let got = link_clock(Platform::Broxton, port, &|_| u32::MAX);
            assert_eq!(got, None);
        }
        let a = file(&[
            (0x46074, 3 << 30),
            (0x16_2100, 27),
            (0x16_2104, 1 << 8),
            (0x16_2034, 4 << 13 | 1 << 8),
        ]);
        assert_eq!(link_clock(Platform::Broxton, Ddi::A, &a), Some(270_000));
        let c = file(&[
            (0x4607c, 3 << 30),
            (0x6_c380, 27),
            (0x6_c384, 1 << 8),
            (0x6_c340, 2 << 13 | 1 << 8),
        ]);
        assert_eq!(link_clock(Platform::Broxton, Ddi::C, &c), Some(540_000));
    }

    #[test]
    fn any_registers_have_a_clock_or_none() {
        let platforms = [Platform::Broadwell, Platform::Broxton, Platform::Skylake];
        let mut seed: u32 = 7;
        for _ in 0..2000 {
            seed = seed.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            let registers = |offset: u32| seed.rotate_left(offset >> 2) ^ offset;
            for platform in platforms {
                for port in Ddi::ALL {
                    assert!(link_clock(platform, port, &registers) != Some(0));
                    assert!(link_clock(platform, port, &|_| seed) != Some(0));
                    assert!(link_clock(platform, port, &|_| u32::MAX) != Some(0));
                }
                for pipe in Pipe::ALL {
                    let rate = refresh(platform, Transcoder::Own(pipe), &registers);
                    let rate = rate.unwrap_or(Refresh::DEFAULT);
                    assert!(rate >= Refresh::MIN && rate <= Refresh::MAX);
                }
            }
        }
    }

    /// 1920x1200 with reduced blanking, and the link values of gvt-spec 10.1.
    const NATIVE: Timing = Timing {
        link_m: 0x3cd6e,
        link_n: 0x80000,
        htotal: 2079 << 16 | 1919,
        vtotal: 1234 << 16 | 1199,
    };

    #[test]
    fn a_rate_follows_from_link_and_timing() {
        for (timing, clock, millihertz) in [
            (NATIVE, 324_000, Some(59_950)),
            // Bits that mean something else.
            (
                Timing {
                    link_m: 0xff03_cd6e,
                    htotal: NATIVE.htotal | 0xe000_e000,
                    ..NATIVE
                },
                324_000,
                Some(59_950),
            ),
            (NATIVE, 162_000, Some(29_975)),
            // Slower and faster than can be.
            (NATIVE, 1, Some(24_000)),
            (NATIVE, u32::MAX, Some(240_000)),
            (
                Timing {
                    link_m: 0xff_ffff,
                    link_n: 1,
                    htotal: 1 << 16,
                    vtotal: 1 << 16,
                },
                u32::MAX,
                Some(240_000),
            ),
            // Where the C driver has a rate of 0, and divides by it.
            (
                Timing {
                    link_m: 0,
                    ..NATIVE
                },
                324_000,
                None,
            ),
            (
                Timing {
                    link_n: 0,
                    ..NATIVE
                },
                324_000,
                None,
            ),
            (
                Timing {
                    link_n: 0x0100_0000,
                    ..NATIVE
                },
                324_000,
                None,
            ),
            (
                Timing {
                    htotal: 1919,
                    ..NATIVE
                },
                324_000,
                None,
            ),
            (
                Timing {
                    vtotal: 1199,
                    ..NATIVE
                },
                324_000,
                None,
            ),
        ] {
            let rate = timing.refresh(clock).map(Refresh::millihertz);
            assert_eq!(rate, millihertz);
        }
        assert_eq!(NATIVE.lines(), (1200, 1235));
    }

    #[test]
    fn a_rate_is_found_through_the_port() {
        // Skylake as after a reset, with a guest's timing.
        const SKYLAKE: [(u32, u32); 8] = [
            (0x60400, 0xb200_0000),
            (0x6c058, 7),
            (0x6c05c, 1 << 9),
            (0x60040, 0x3cd6e),
            (0x60044, 0x80000),
            (0x60000, 2079 << 16 | 1919),
            (0x6000c, 1234 << 16 | 1199),
            (0x70008, 3 << 30),
        ];
        let registers = file(&SKYLAKE);
        let own = Transcoder::Own(Pipe::A);
        let rate = refresh(Platform::Skylake, own, &registers);
        assert_eq!(rate.map(Refresh::millihertz), Some(59_950));
        assert_eq!(Pipe::A.transcoder(&registers), Some(own));
        assert_eq!(Pipe::B.transcoder(&registers), None);
        assert_eq!(own.port(&registers), Some(Ddi::D));
        // Off, HDMI, and a port that there is not.
        for function in [
            0x3200_0000,
            0xb000_0000,
            0xb100_0000,
            0xb400_0000,
            0xd200_0000,
        ] {
            let registers = |offset| match offset {
                0x60400 => function,
                _ => 0,
            };
            assert_eq!(own.port(&registers), None);
        }
    }

    #[test]
    fn an_embedded_panel_has_a_pipe_as_its_input() {
        for (input, pipe) in [
            (0, Some(Pipe::A)),
            (4, Some(Pipe::A)),
            (5, Some(Pipe::B)),
            (6, Some(Pipe::C)),
            (1, None),
            (7, None),
        ] {
            let on = |function: u32, configuration: u32| {
                move |offset| match offset {
                    0x6f400 => function | 2 << 24 | input << 12,
                    0x7f008 => configuration,
                    _ => 0,
                }
            };
            for other in Pipe::ALL {
                let expected = (Some(other) == pipe).then_some(Transcoder::Embedded);
                let registers = on(1 << 31, 1 << 31);
                assert_eq!(other.transcoder(&registers), expected);
                assert_eq!(other.transcoder(&on(0, 1 << 31)), None);
                assert_eq!(other.transcoder(&on(1 << 31, 1 << 30)), None);
            }
            assert_eq!(Transcoder::Embedded.port(&on(1 << 31, 0)), Some(Ddi::A));
        }
    }

    #[test]
    fn rates_are_limited() {
        for (millihertz, limited, period) in [
            (0, 24_000, 41_666_667),
            (23_999, 24_000, 41_666_667),
            (24_000, 24_000, 41_666_667),
            (59_950, 59_950, 16_680_567),
            (60_000, 60_000, 16_666_667),
            (240_000, 240_000, 4_166_667),
            (240_001, 240_000, 4_166_667),
            (u64::MAX, 240_000, 4_166_667),
        ] {
            let rate = Refresh::new(millihertz);
            assert_eq!(rate.millihertz(), limited);
            assert_eq!(rate.period_ns(), period);
        }
    }

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn no_blank_is_lost() {
        let mut vblank = Vblank::new(SECOND, Refresh::new(100_000));
        let period = SECOND / 100;
        assert_eq!(vblank.deadline(), SECOND + period);
        assert_eq!(vblank.pass(0), 0);
        assert_eq!(vblank.pass(SECOND + period - 1), 0);
        assert_eq!(vblank.pass(SECOND + period), 1);
        assert_eq!(vblank.pass(SECOND + period), 0);
        // Three periods late, and a bit; the next one is at its time all the same.
        assert_eq!(vblank.pass(SECOND + 5 * period + 17), 4);
        assert_eq!(vblank.deadline(), SECOND + 6 * period);
        // A rate that is the same does not move the frame, another one does.
        vblank.set_refresh(2 * SECOND, Refresh::new(100_000));
        assert_eq!(vblank.deadline(), SECOND + 6 * period);
        vblank.set_refresh(2 * SECOND, Refresh::new(50_000));
        assert_eq!(vblank.deadline(), 2 * SECOND + 2 * period);
        assert_eq!(vblank.refresh(), Refresh::new(50_000));
    }

    #[test]
    fn the_end_of_time_is_no_danger() {
        let mut vblank = Vblank::new(u64::MAX, Refresh::MAX);
        assert_eq!(vblank.deadline(), u64::MAX);
        assert_eq!(vblank.pass(u64::MAX), 1);
        let mut vblank = Vblank::new(0, Refresh::MIN);
        assert!(vblank.pass(u64::MAX) > 1 << 38);
        assert!(vblank.scan_line(0, (u32::MAX, u32::MAX)) < u32::MAX);
        assert_eq!(vblank.scan_line(u64::MAX, (0, 0)), 0);
    }

    #[test]
    fn lines_are_scanned_from_blank_to_blank() {
        let vblank = Vblank::new(0, Refresh::new(100_000));
        let line = |part: u64| vblank.scan_line(part * (SECOND / 100) / 1000, (900, 1000));
        for (part, expected) in [
            (0, 900),
            (50, 950),
            (99, 999),
            (100, 0),
            (500, 400),
            (999, 899),
        ] {
            assert_eq!(line(part), expected);
        }
        // Late: the last line still.
        assert_eq!(line(1500), 900);
    }

    #[test]
    fn the_frame_counter_wraps() {
        for (before, passed, after) in [
            (0, 0, 0),
            (0, 1, 1),
            (u32::MAX, 1, 0),
            (u32::MAX, 3, 2),
            (5, 1 << 32, 5),
            (5, (1 << 32) + 2, 7),
            (5, u64::MAX, 4),
        ] {
            assert_eq!(frames_after(before, passed), after);
        }
    }
}
