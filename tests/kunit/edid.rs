// SPDX-License-Identifier: GPL-2.0

//! The EDID of the monitor and the region by which a VMM sets it.

use kernel::prelude::*;

#[kunit_tests(gvt_edid)]
mod gvt_edid {
    use super::*;
    use crate::fakes::{
        setup,
        HostConfig,
        Machine,
        Text,
        EDID, //
    };
    use gvt_model::{
        edid::{
            monitor,
            validate,
            Defect,
            Edid, //
        },
        fault::{
            Fault,
            GuestFault, //
        },
        region::Position,
        types::Resolution, //
    };

    /// The two EDIDs of the C driver have these bytes but for the standard timings and the clock.
    const START: [u8; 38] =
        *b"\x00\xff\xff\xff\xff\xff\xff\x00\x22\xf0\x54\x29\x00\x00\x00\x00\x04\x17\
        \x01\x04\xa5\x34\x20\x78\x23\xfc\x81\xa4\x55\x4d\x9d\x25\x12\x50\x54\x21\x08\x00";
    const DETAILED: [u8; 16] = *b"\x80\xa0\x70\xb0\x23\x40\x30\x20\x36\x00\x06\x44\x21\x00\x00\x1a";
    const REST: [u8; 55] =
        *b"\x00\x00\x00\xfd\x00\x18\x3c\x18\x50\x11\x00\x0a\x20\x20\x20\x20\x20\x20\
        \x00\x00\x00\xfc\x00\x48\x50\x20\x5a\x52\x32\x34\x34\x30\x77\x0a\x20\x20\
        \x00\x00\x00\xff\x00\x43\x4e\x34\x33\x30\x34\x30\x44\x58\x51\x0a\x20\x20\x00";

    #[test]
    fn monitors_are_those_of_the_c_driver() {
        let timings = [
            (
                Resolution::Xga,
                *b"\x00\xc0\x00\xc0\x00\x40\x00\x80\x00\x00\x00\x40\x00\x00\x00\x01",
                [0x00, 0x00],
                0xef,
            ),
            (
                Resolution::Wuxga,
                *b"\xd1\xc0\x81\xc0\x81\x40\x81\x80\x95\x00\xa9\x40\xb3\x00\x01\x01",
                [0x28, 0x3c],
                0x45,
            ),
        ];
        for (resolution, standard, clock, checksum) in timings {
            let edid = monitor(resolution);
            let expected: [&[u8]; 6] = [&START, &standard, &clock, &DETAILED, &REST, &[checksum]];
            assert!(edid.iter().eq(expected.into_iter().flatten()));
            assert_eq!(validate(&edid), Ok(()));
        }
    }

    /// The EDID with one byte changed, and with the checksum made right if `fixed`.
    fn changed(at: usize, byte: u8, fixed: bool) -> Edid {
        let mut edid = monitor(Resolution::Wuxga);
        for (offset, target) in edid.iter_mut().enumerate() {
            if offset == at {
                *target = byte;
            }
        }
        let [rest @ .., checksum] = &mut edid;
        if fixed {
            let sum = rest.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
            *checksum = sum.wrapping_neg();
        }
        edid
    }

    #[test]
    fn an_edid_is_checked_as_by_drm() {
        for at in 0..8 {
            assert_eq!(validate(&changed(at, 0x55, true)), Err(Defect::Header));
        }
        for (at, byte, defect) in [(18, 0, Defect::Version(0)), (18, 2, Defect::Version(2))] {
            assert_eq!(validate(&changed(at, byte, true)), Err(defect));
        }
        for (at, byte) in [(8, 0), (19, 9), (54, 1), (127, 0x46)] {
            let wrong = changed(at, byte, false);
            assert_eq!(validate(&wrong), Err(Defect::Checksum));
        }
        // All 0 adds up too.
        assert_eq!(validate(&[0; 128]), Err(Defect::Blank));
        assert_eq!(validate(&changed(8, 0x12, true)), Ok(()));
        assert_eq!(validate(&changed(19, 3, true)), Ok(()));
    }

    #[test]
    fn a_defect_says_what_is_wrong() {
        for (defect, text) in [
            (Defect::Blank, "all bytes are 0"),
            (
                Defect::Header,
                "it does not start with 00 ff ff ff ff ff ff 00",
            ),
            (Defect::Version(2), "its version is 2, not 1"),
            (Defect::Checksum, "its bytes do not add up to 0"),
        ] {
            assert!(Text::of(&defect).is(text));
        }
    }

    const SIZE: u64 = 8;
    const LINK: u64 = 20;
    const BLOB: u64 = 2048;

    /// The fault for an access to the region.
    fn fault(make: impl Fn(Position) -> GuestFault, offset: u64) -> Result<Fault> {
        Ok(Fault::Guest(make(Position::new(EDID, offset)?)))
    }

    #[test]
    fn registers_tell_the_monitor() -> Result {
        // The part of the aperture is the same: 64 MB, room for two pictures of 3840x2160.
        let (width, height) = (3840, 2160);
        for resolution in [Resolution::Xga, Resolution::Wuxga] {
            let host = HostConfig::new(1)?;
            let mut setup = setup(&host)?;
            setup.resolution = resolution;
            let mut machine = Machine::with(&setup)?;
            for (offset, value) in [
                (0, 2048),
                (4, 256),
                (8, 256),
                (12, width),
                (16, height),
                (20, 0),
            ] {
                assert_eq!(machine.get(EDID, offset, 4)?, value);
            }
            for (offset, byte) in (BLOB..).zip(monitor(resolution)) {
                assert_eq!(machine.get(EDID, offset, 1)?, u64::from(byte));
            }
        }
        Ok(())
    }

    #[test]
    fn registers_are_four_bytes() -> Result {
        let mut machine = Machine::new()?;
        for (offset, width) in [(0, 1), (0, 2), (2, 2), (23, 1), (24, 2), (2047, 1)] {
            let wrong = fault(|at| GuestFault::Width { at, width }, offset)?;
            assert_eq!(machine.get(EDID, offset, width), Err(wrong));
            assert_eq!(machine.put(EDID, offset, width, 0), Err(wrong));
        }
        for offset in [24, 28, 128, 2044] {
            let width = 4;
            let wrong = fault(|at| GuestFault::OutOfRange { at, width }, offset)?;
            assert_eq!(machine.get(EDID, offset, width), Err(wrong));
            assert_eq!(machine.put(EDID, offset, width, 0), Err(wrong));
        }
        Ok(())
    }

    #[test]
    fn only_size_and_link_can_be_written() -> Result {
        let mut machine = Machine::new()?;
        for offset in [0, 4, 12, 16] {
            let before = machine.get(EDID, offset, 4)?;
            let wrong = fault(|at| GuestFault::ReadOnly { at }, offset)?;
            assert_eq!(machine.put(EDID, offset, 4, 1), Err(wrong));
            assert_eq!(machine.get(EDID, offset, 4)?, before);
        }
        Ok(())
    }

    #[test]
    fn the_size_is_what_can_be_reached() -> Result {
        let mut machine = Machine::new()?;
        for size in [257, 512, 0xffff_ffff] {
            let wrong = GuestFault::EdidSize { size };
            assert_eq!(machine.put(EDID, SIZE, 4, size.into()), Err(wrong.into()));
            assert_eq!(machine.get(EDID, SIZE, 4)?, 256);
        }
        for size in [0, 1, 4, 100, 128, 255, 256] {
            machine.put(EDID, SIZE, 4, size)?;
            assert_eq!(machine.get(EDID, SIZE, 4)?, size);
            for offset in [0, 1, 3, 99, 100, 127, 128, 254, 255, 256, 4096] {
                let reachable = offset < size;
                let at = BLOB + offset;
                assert_eq!(machine.get(EDID, at, 1).is_ok(), reachable);
                assert_eq!(machine.put(EDID, at, 1, 0).is_ok(), reachable);
            }
            assert_eq!(machine.get(EDID, BLOB, 4).is_ok(), size >= 4);
        }
        Ok(())
    }

    #[test]
    fn an_offset_is_not_cut() -> Result {
        // The C driver keeps 16 bits, so that 0x10000 on it is the EDID again.
        let mut machine = Machine::new()?;
        for offset in [BLOB + 0x1_0000, (1 << 32) + BLOB, (1 << 40) - 4] {
            assert!(machine.get(EDID, offset, 4).is_err());
            assert!(machine.put(EDID, offset, 4, 0).is_err());
        }
        Ok(())
    }

    fn put_edid(machine: &mut Machine, edid: &Edid) -> Result {
        for (at, byte) in (BLOB..).zip(edid) {
            machine.put(EDID, at, 1, (*byte).into())?;
        }
        Ok(())
    }

    #[test]
    fn the_link_comes_up_with_a_good_edid() -> Result {
        let mut machine = Machine::new()?;
        let other = changed(8, 0x12, true);
        put_edid(&mut machine, &other)?;
        for (at, byte) in (BLOB..).zip(other) {
            assert_eq!(machine.get(EDID, at, 1)?, u64::from(byte));
        }
        machine.put(EDID, LINK, 4, 1)?;
        assert_eq!(machine.get(EDID, LINK, 4)?, 1);
        machine.put(EDID, LINK, 4, 2)?;
        assert_eq!(machine.get(EDID, LINK, 4)?, 2);
        Ok(())
    }

    #[test]
    fn the_link_stays_with_a_bad_edid() -> Result {
        let mut machine = Machine::new()?;
        machine.put(EDID, LINK, 4, 2)?;
        put_edid(&mut machine, &changed(8, 0x12, false))?;
        let wrong = Fault::Guest(GuestFault::Edid(Defect::Checksum));
        assert_eq!(machine.put(EDID, LINK, 4, 1), Err(wrong));
        assert_eq!(machine.get(EDID, LINK, 4)?, 2);
        // It can go down all the same.
        machine.put(EDID, LINK, 4, 2)?;
        for state in [0, 3, 0x0101, 0xffff_ffff] {
            let wrong = GuestFault::LinkState { state };
            assert_eq!(machine.put(EDID, LINK, 4, state.into()), Err(wrong.into()));
            assert_eq!(machine.get(EDID, LINK, 4)?, 2);
        }
        Ok(())
    }

    #[test]
    fn a_reset_leaves_the_monitor_alone() -> Result {
        let mut machine = Machine::new()?;
        put_edid(&mut machine, &changed(8, 0x12, true))?;
        machine.put(EDID, LINK, 4, 1)?;
        machine.reset();
        assert_eq!(machine.get(EDID, BLOB + 8, 1)?, 0x12);
        assert_eq!(machine.get(EDID, LINK, 4)?, 1);
        Ok(())
    }
}
