// SPDX-License-Identifier: GPL-2.0

//! BAR0: registers, PVINFO and the window to the GGTT.

use kernel::prelude::*;

#[kunit_tests(gvt_mmio)]
mod gvt_mmio {
    use super::*;
    use crate::fakes::{
        setup,
        HostConfig,
        Machine,
        BAR0,
        BAR0_SIZE,
        MB, //
    };
    use gvt_model::{
        addr::GmRange,
        fault::GuestFault,
        region::Position,
        vgpu::Vgpu, //
    };

    #[test]
    fn registers_start_at_0_and_keep_their_value() -> Result {
        let mut machine = Machine::new()?;
        for offset in [0, 8, 0x2030, 0x7_7ff8, 0x7_9000, 0x10_2000, 2 * MB - 8] {
            for (width, value) in [
                (8, 0x0123_4567_89ab_cdef),
                (4, 0x89ab_cdef),
                (2, 0xcdef),
                (1, 0xef),
            ] {
                assert_eq!(machine.get(BAR0, offset, width)?, 0);
                machine.put(BAR0, offset, width, value)?;
                assert_eq!(machine.get(BAR0, offset, width)?, value);
                machine.put(BAR0, offset, 8, 0)?;
            }
        }
        Ok(())
    }

    #[test]
    fn parts_of_a_register_are_parts_of_it() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, 0x2000, 8, 0x0807_0605_0403_0201)?;
        assert_eq!(machine.get(BAR0, 0x2004, 4)?, 0x0807_0605);
        assert_eq!(machine.get(BAR0, 0x2002, 2)?, 0x0403);
        assert_eq!(machine.get(BAR0, 0x2007, 1)?, 0x08);
        machine.put(BAR0, 0x2005, 1, 0xff)?;
        machine.put(BAR0, 0x2002, 2, 0xaabb)?;
        assert_eq!(machine.get(BAR0, 0x2000, 8)?, 0x0807_ff05_aabb_0201);
        assert_eq!(machine.get(BAR0, 0x2008, 8)?, 0);
        assert_eq!(machine.get(BAR0, 0x1ff8, 8)?, 0);
        Ok(())
    }

    #[test]
    fn accesses_are_aligned_and_at_most_8_bytes() -> Result {
        // The C driver does not look at the alignment of writes.
        let mut machine = Machine::new()?;
        for (offset, width) in [(1, 2), (2, 4), (4, 8), (0x2001, 8), (0, 3), (0, 0), (7, 4)] {
            let at = Position::new(BAR0, offset)?;
            let wrong = GuestFault::Width { at, width };
            assert_eq!(machine.get(BAR0, offset, width), Err(wrong.into()));
            assert_eq!(machine.put(BAR0, offset, width, 0), Err(wrong.into()));
        }
        Ok(())
    }

    #[test]
    fn the_bar_ends_where_it_does() -> Result {
        let mut machine = Machine::new()?;
        for (offset, width) in [
            (BAR0_SIZE, 1),
            (BAR0_SIZE, 8),
            (1 << 32, 4),
            ((1 << 40) - 8, 8),
        ] {
            let at = Position::new(BAR0, offset)?;
            let outside = GuestFault::OutOfRange { at, width };
            assert_eq!(machine.get(BAR0, offset, width), Err(outside.into()));
            assert_eq!(machine.put(BAR0, offset, width, 0), Err(outside.into()));
        }
        assert_eq!(machine.get(BAR0, BAR0_SIZE - 8, 8)?, 0);
        Ok(())
    }

    #[test]
    fn the_hole_reads_0() -> Result {
        // The C driver takes guest memory at the address of the BAR for it.
        let mut machine = Machine::new()?;
        for offset in [2 * MB, 5 * MB, 8 * MB - 8] {
            for width in [1, 2, 4, 8] {
                machine.put(BAR0, offset, width, u64::MAX)?;
                assert_eq!(machine.get(BAR0, offset, width)?, 0);
            }
        }
        assert_eq!(machine.env.accesses, 0);
        Ok(())
    }

    const PVINFO: u64 = 0x7_8000;

    /// What the page says of the vGPU that [`setup`] describes.
    const IDENTITY: [(u64, u64); 13] = [
        (0x00, 0x4477_6544),
        (0x04, 0x4776_5447),
        (0x08, 0x0000_0001),
        (0x0c, 1),
        (0x10, 0x1c),
        (0x40, 64 << 20),
        (0x44, 64 << 20),
        (0x48, 1024 << 20),
        (0x4c, 384 << 20),
        (0x50, 4),
        (0x54, 0),
        (0x830, 0xffff_ffff),
        (0x834, 0xffff_ffff),
    ];

    #[test]
    fn pvinfo_tells_what_the_guest_has() -> Result {
        let mut machine = Machine::new()?;
        assert_eq!(machine.get(BAR0, PVINFO, 8)?, 0x4776_5447_7654_4776);
        for offset in (0..4096).step_by(4) {
            if offset < 8 {
                continue;
            }
            let word = IDENTITY.iter().find(|(at, _)| *at == offset);
            let expected = word.map_or(0, |(_, word)| *word);
            assert_eq!(machine.get(BAR0, PVINFO + offset, 4)?, expected);
        }
        // The version is two numbers.
        assert_eq!(machine.get(BAR0, PVINFO + 8, 2)?, 1);
        assert_eq!(machine.get(BAR0, PVINFO + 10, 2)?, 0);
        Ok(())
    }

    fn is_writable(offset: u64) -> bool {
        matches!(offset, 0x804..=0x807 | 0x818..=0x81b | 0x830..=0x85f)
    }

    #[test]
    fn the_guest_can_write_its_part_of_pvinfo() -> Result {
        for width in [1, 2, 4, 8] {
            let mut machine = Machine::new()?;
            let mut fresh = Machine::new()?;
            for offset in (0..4096).step_by(width) {
                // Who writes there gives up: see `a_guest_that_gives_up_gets_memory`.
                if (0x808..0x818).contains(&offset) {
                    continue;
                }
                machine.put(BAR0, PVINFO + offset, width, 0x5555_5555_5555_5555)?;
            }
            for offset in 0..4096 {
                let at = PVINFO + offset;
                let expected = if is_writable(offset) {
                    0x55
                } else {
                    fresh.get(BAR0, at, 1)?
                };
                assert_eq!(machine.get(BAR0, at, 1)?, expected);
            }
        }
        Ok(())
    }

    /// Where the entry for an address is in BAR0.
    const fn pte(address: u64) -> u64 {
        8 * MB + address / 4096 * 8
    }

    /// First and last page of both ranges.
    const INSIDE: [u64; 4] = [64 * MB, 128 * MB - 4096, 1024 * MB, 1408 * MB - 4096];
    const OUTSIDE: [u64; 6] = [
        0,
        64 * MB - 4096,
        128 * MB,
        1024 * MB - 4096,
        1408 * MB,
        4096 * MB - 4096,
    ];

    #[test]
    fn entries_of_the_guest_are_memory() -> Result {
        let mut machine = Machine::new()?;
        for (value, address) in (0x1122_3344_5566_7701..).zip(INSIDE) {
            assert_eq!(machine.get(BAR0, pte(address), 8)?, 0);
            machine.put(BAR0, pte(address), 8, value)?;
        }
        for (value, address) in (0x1122_3344_5566_7701..).zip(INSIDE) {
            assert_eq!(machine.get(BAR0, pte(address), 8)?, value);
            assert_eq!(machine.get(BAR0, pte(address), 4)?, value & 0xffff_ffff);
            assert_eq!(machine.get(BAR0, pte(address) + 4, 4)?, value >> 32);
        }
        Ok(())
    }

    #[test]
    fn entries_can_be_written_in_halves() -> Result {
        let mut machine = Machine::new()?;
        for address in INSIDE {
            machine.put(BAR0, pte(address), 4, 0x1234_5003)?;
            assert_eq!(machine.get(BAR0, pte(address), 8)?, 0x1234_5003);
            machine.put(BAR0, pte(address) + 4, 4, 0x0000_0001)?;
            assert_eq!(machine.get(BAR0, pte(address), 8)?, 0x0000_0001_1234_5003);
        }
        Ok(())
    }

    #[test]
    fn entries_of_others_read_0() -> Result {
        let mut machine = Machine::new()?;
        for address in OUTSIDE {
            for width in [4, 8] {
                machine.put(BAR0, pte(address), width, u64::MAX)?;
                assert_eq!(machine.get(BAR0, pte(address), width)?, 0);
            }
        }
        for address in INSIDE {
            assert_eq!(machine.get(BAR0, pte(address), 8)?, 0);
        }
        Ok(())
    }

    #[test]
    fn entries_take_4_or_8_bytes() -> Result {
        let mut machine = Machine::new()?;
        for address in [INSIDE.as_slice(), &OUTSIDE].into_iter().flatten() {
            for width in [1, 2] {
                let at = Position::new(BAR0, pte(*address))?;
                let wrong = GuestFault::Width { at, width };
                assert_eq!(machine.get(BAR0, at.offset(), width), Err(wrong.into()));
                assert_eq!(machine.put(BAR0, at.offset(), width, 0), Err(wrong.into()));
            }
        }
        Ok(())
    }

    #[test]
    fn a_reset_clears_registers_and_entries() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, 0x2030, 4, 1)?;
        machine.put(BAR0, PVINFO + 0x830, 8, 0)?;
        machine.put(BAR0, PVINFO + 0x818, 4, 4)?;
        for address in INSIDE {
            machine.put(BAR0, pte(address), 8, u64::MAX)?;
        }
        machine.reset();
        assert_eq!(machine.get(BAR0, 0x2030, 4)?, 0);
        assert_eq!(machine.get(BAR0, PVINFO, 8)?, 0x4776_5447_7654_4776);
        assert_eq!(machine.get(BAR0, PVINFO + 0x830, 8)?, u64::MAX);
        assert_eq!(machine.get(BAR0, PVINFO + 0x818, 4)?, 0);
        for address in INSIDE {
            assert_eq!(machine.get(BAR0, pte(address), 8)?, 0);
        }
        Ok(())
    }

    #[test]
    fn the_window_covers_the_ranges() -> Result {
        let host = HostConfig::new(1)?;
        let good = setup(&host)?;
        // A window of 8 MB covers 4 GB.
        for (start, size, fits) in [
            (3712 * MB, 384 * MB, true),
            (3712 * MB, 384 * MB + 4096, false),
            (4096 * MB, 4096, false),
            (1 << 50, 4096, false),
            (64 * MB, 4096, false),
            (127 * MB, 2 * MB, false),
        ] {
            let mut setup = good;
            setup.high = GmRange::new(start, size)?;
            assert_eq!(Vgpu::new(&setup).err(), (!fits).then_some(EINVAL));
        }
        let mut setup = good;
        setup.bar0_size = 8 * MB;
        assert_eq!(Vgpu::new(&setup).err(), Some(EINVAL));
        Ok(())
    }
}
