// SPDX-License-Identifier: GPL-2.0

//! PCI configuration space in use.

use kernel::prelude::*;

#[kunit_tests(gvt_cfg)]
mod gvt_cfg {
    use super::*;
    use crate::fakes::{
        setup,
        HostConfig,
        Machine,
        BAR0_SIZE,
        CONFIG,
        MB,
        MSI_CAP,
        POWER_CAP, //
    };
    use gvt_model::{
        cfg::MsiState,
        fault::{
            Fault,
            GuestFault, //
        },
        region::Position,
        vgpu::Vgpu, //
    };

    /// Offset, width, value written, value read.
    const WRITES: [(u64, usize, u64, u64); 22] = [
        // Command: IO, memory, master and the other bits of its first 11.
        (0x04, 2, 0xffff, 0x07ff),
        // Command and status together; the C driver refuses.
        (0x04, 4, 0x0000_0406, 0x0010_0406),
        (0x04, 1, 0x06, 0x06),
        (0x05, 1, 0xff, 0x07),
        // Identity.
        (0x00, 4, 0xffff_ffff, 0x1912_8086),
        (0x08, 4, 0, 0x0300_0006),
        (0x0c, 4, 0xffff_ffff, 0x0000_00ff),
        (0x2c, 4, 0, 0x061b_1028),
        (0x34, 1, 0xff, 0x40),
        (0x3c, 4, 0xffff_ffff, 0x0000_01ff),
        // Sizing, as the kernel does it.
        (0x10, 4, 0xffff_ffff, 0xff00_0004),
        (0x14, 4, 0xffff_ffff, 0xffff_ffff),
        (0x18, 4, 0xffff_ffff, 0xf000_000c),
        (0x1c, 4, 0xffff_ffff, 0xffff_ffff),
        // There is no BAR4, no BAR5 and no ROM. The C driver stores all but ones.
        (0x20, 4, 0xffff_ffff, 0),
        (0x20, 4, 0x0000_f001, 0),
        (0x24, 4, 0x1234_5678, 0),
        (0x30, 4, 0xffff_ffff, 0),
        (0x30, 4, 0xffff_f800, 0),
        (0x30, 4, 0x000c_0001, 0),
        // Behind the header everything is memory.
        (0x80, 4, 0x1234_5678, 0x1234_5678),
        (0xffc, 4, 0x89ab_cdef, 0x89ab_cdef),
    ];

    #[test]
    fn writes_change_what_can_be_written() -> Result {
        for (offset, width, value, expected) in WRITES {
            let mut machine = Machine::new()?;
            machine.put(CONFIG, offset, width, value)?;
            assert_eq!(machine.get(CONFIG, offset, width)?, expected);
        }
        Ok(())
    }

    #[test]
    fn a_bar_takes_an_address_of_any_width() -> Result {
        // The C driver reads four bytes of a shorter write, and refuses one in the middle.
        for width in [1, 2, 4] {
            let mut machine = Machine::new()?;
            let bar: u64 = 0x0000_0012_fe00_0000;
            for at in (0..8).step_by(width) {
                let part = bar >> (8 * at as u32);
                machine.put(CONFIG, 0x10 + at as u64, width, part)?;
            }
            assert_eq!(machine.get(CONFIG, 0x10, 4)?, 0xfe00_0004);
            assert_eq!(machine.get(CONFIG, 0x14, 4)?, 0x12);
        }
        Ok(())
    }

    #[test]
    fn a_bar_has_no_bits_below_its_size() -> Result {
        let mut machine = Machine::new()?;
        machine.put(CONFIG, 0x10, 4, 0xfe12_3457)?;
        assert_eq!(machine.get(CONFIG, 0x10, 4)?, 0xfe00_0004);
        machine.put(CONFIG, 0x18, 4, 0xdeff_ffff)?;
        assert_eq!(machine.get(CONFIG, 0x18, 4)?, 0xd000_000c);
        Ok(())
    }

    #[test]
    fn a_bar_of_4_gb_and_more_is_sized_in_its_upper_half() -> Result {
        for (size, lower, upper) in [
            (2048 * MB, 0x8000_000c, 0xffff_ffff),
            (4096 * MB, 0x0000_000c, 0xffff_ffff),
            (8192 * MB, 0x0000_000c, 0xffff_fffe),
        ] {
            let host = HostConfig::new(3)?;
            let mut setup = setup(&host)?;
            setup.bar2_size = size;
            let mut machine = Machine::with(&setup)?;
            machine.put(CONFIG, 0x18, 4, 0xffff_ffff)?;
            machine.put(CONFIG, 0x1c, 4, 0xffff_ffff)?;
            assert_eq!(machine.get(CONFIG, 0x18, 4)?, lower);
            assert_eq!(machine.get(CONFIG, 0x1c, 4)?, upper);
        }
        Ok(())
    }

    #[test]
    fn a_bar_size_is_a_power_of_two() -> Result {
        let host = HostConfig::new(3)?;
        let good = setup(&host)?;
        for (bar0, bar2) in [
            (0, good.bar2_size),
            (15 * MB, good.bar2_size),
            (BAR0_SIZE + 1, good.bar2_size),
            (BAR0_SIZE, 192 * MB),
            (BAR0_SIZE, u64::MAX),
        ] {
            let mut setup = good;
            setup.bar0_size = bar0;
            setup.bar2_size = bar2;
            assert_eq!(Vgpu::new(&setup).err(), Some(EINVAL));
        }
        Ok(())
    }

    #[test]
    fn accesses_end_at_4096() -> Result {
        let mut machine = Machine::new()?;
        for (offset, width) in [
            (4096, 1),
            (4096, 2),
            (4096, 4),
            (1 << 32, 4),
            (0xffff_fffc, 4),
        ] {
            let at = Position::new(CONFIG, offset)?;
            let outside = Fault::Guest(GuestFault::OutOfRange { at, width });
            assert_eq!(machine.get(CONFIG, offset, width), Err(outside));
            assert_eq!(machine.put(CONFIG, offset, width, 0), Err(outside));
        }
        assert!(machine.get(CONFIG, 4095, 1).is_ok());
        assert!(machine.put(CONFIG, 4094, 2, 0).is_ok());
        Ok(())
    }

    #[test]
    fn a_long_or_crooked_access_is_refused() -> Result {
        let mut machine = Machine::new()?;
        for (offset, width) in [(0, 8), (1, 2), (2, 4), (0x41, 4), (0, 3), (0, 0)] {
            let at = Position::new(CONFIG, offset)?;
            let wrong = Fault::Guest(GuestFault::Width { at, width });
            assert_eq!(machine.get(CONFIG, offset, width), Err(wrong));
            assert_eq!(machine.put(CONFIG, offset, width, 0), Err(wrong));
        }
        Ok(())
    }

    #[test]
    fn writes_elsewhere_leave_the_rest_alone() -> Result {
        let mut machine = Machine::new()?;
        machine.put(CONFIG, 0x80, 4, 0x1122_3344)?;
        machine.put(CONFIG, 0x81, 1, 0xff)?;
        assert_eq!(machine.get(CONFIG, 0x80, 4)?, 0x1122_ff44);
        machine.put(CONFIG, 0x82, 2, 0xabcd)?;
        assert_eq!(machine.get(CONFIG, 0x80, 4)?, 0xabcd_ff44);
        assert_eq!(machine.get(CONFIG, 0x7c, 4)?, 0);
        assert_eq!(machine.get(CONFIG, 0x84, 4)?, 0);
        Ok(())
    }

    #[test]
    fn messages_are_off_until_the_guest_turns_them_on() -> Result {
        let mut machine = Machine::new()?;
        let control = u64::from(MSI_CAP) + 2;
        assert_eq!(machine.vgpu.msi(), MsiState::Off);
        machine.put(CONFIG, control, 2, 1)?;
        assert_eq!(machine.vgpu.msi(), MsiState::On);
        // Several messages, 64-bit addresses, masks: no interrupt, and no warning as in C.
        for form in [0x0002, 0x0010, 0x0080, 0x0100, 0x8000, 0xfffe] {
            machine.put(CONFIG, control, 2, form | 1)?;
            let word = u16::try_from(form | 1).map_err(|_| EINVAL)?;
            assert_eq!(machine.vgpu.msi(), MsiState::Unsupported(word));
            machine.put(CONFIG, control, 2, form)?;
            assert_eq!(machine.vgpu.msi(), MsiState::Off);
        }
        machine.put(CONFIG, control, 2, 1)?;
        machine.reset();
        assert_eq!(machine.vgpu.msi(), MsiState::Off);
        Ok(())
    }

    #[test]
    fn without_the_capability_there_are_no_messages() -> Result {
        let host = HostConfig::new(3)?;
        let mut setup = setup(&host)?;
        setup.msi_cap = 0;
        let mut machine = Machine::with(&setup)?;
        machine.put(CONFIG, 2, 2, 0xffff)?;
        assert_eq!(machine.vgpu.msi(), MsiState::Off);
        setup.msi_cap = 0xff;
        let mut machine = Machine::with(&setup)?;
        machine.put(CONFIG, 0x101, 1, 1)?;
        machine.put(CONFIG, 0x102, 1, 0)?;
        assert_eq!(machine.vgpu.msi(), MsiState::On);
        Ok(())
    }

    #[test]
    fn entering_d3hot_is_remembered_until_reset() -> Result {
        for (offset, width, value, entered) in [
            (4, 2, 3, true),
            (4, 4, 3, true),
            (4, 1, 3, true),
            (4, 1, 0xff, true),
            (4, 1, 2, false),
            (4, 1, 0, false),
            (5, 1, 3, false),
            (6, 2, 3, false),
        ] {
            let mut machine = Machine::new()?;
            machine.put(CONFIG, POWER_CAP + offset, width, value)?;
            assert_eq!(machine.vgpu.d3_entered(), entered);
            machine.put(CONFIG, POWER_CAP + 4, 2, 0)?;
            assert_eq!(machine.vgpu.d3_entered(), entered);
            machine.reset();
            assert!(!machine.vgpu.d3_entered());
        }
        Ok(())
    }

    #[test]
    fn a_reset_brings_back_all_of_it() -> Result {
        let mut machine = Machine::new()?;
        let mut fresh = Machine::new()?;
        for offset in (0..4096).step_by(4) {
            // Not where it would ask for a service.
            if offset != 0xe8 {
                machine.put(CONFIG, offset, 4, 0xffff_ffff)?;
            }
        }
        machine.reset();
        for offset in (0..4096).step_by(4) {
            let word = machine.get(CONFIG, offset, 4)?;
            assert_eq!(word, fresh.get(CONFIG, offset, 4)?);
        }
        Ok(())
    }
}
