// SPDX-License-Identifier: GPL-2.0

//! The vGPU as a whole: its regions, the aperture, and faults.

use kernel::prelude::*;

#[kunit_tests(gvt_vgpu)]
mod gvt_vgpu {
    use super::*;
    use crate::fakes::{
        setup,
        HostConfig,
        Machine,
        Text,
        APERTURE,
        BAR2_SIZE,
        CONFIG,
        MB, //
    };
    use gvt_model::{
        addr::{
            GmRange,
            Gpa, //
        },
        edid::Defect,
        fault::{
            Fault,
            GuestFault, //
        },
        region::{
            Position,
            RegionInfo,
            RegionKind, //
        },
        vgpu::{
            mmap_range,
            Vgpu, //
        },
    };

    #[test]
    fn regions_are_those_of_the_c_driver() -> Result {
        let machine = Machine::new()?;
        let empty = RegionInfo::EMPTY;
        for (index, info) in (0..).zip([
            RegionInfo {
                size: 16 * MB,
                flags: 3,
                ..empty
            },
            empty,
            RegionInfo {
                size: BAR2_SIZE,
                flags: 15,
                sparse: Some(GmRange::new(64 * MB, 64 * MB)?),
                kind: None,
            },
            empty,
            empty,
            empty,
            empty,
            RegionInfo {
                size: 4096,
                flags: 3,
                ..empty
            },
            empty,
            RegionInfo {
                size: 8192,
                flags: 1,
                sparse: None,
                kind: Some(RegionKind {
                    id: 0x8000_8086,
                    subtype: 1,
                }),
            },
            RegionInfo {
                size: 128,
                flags: 11,
                sparse: None,
                kind: Some(RegionKind { id: 1, subtype: 1 }),
            },
        ]) {
            assert_eq!(machine.vgpu.region_info(index), Some(info));
        }
        for index in [11, 12, u32::MAX] {
            assert_eq!(machine.vgpu.region_info(index), None);
        }
        Ok(())
    }

    #[test]
    fn empty_regions_cannot_be_used() -> Result {
        let mut machine = Machine::new()?;
        for index in [1, 3, 4, 5, 6, 8, 11, 12, 1 << 20, u32::MAX] {
            let fault = Fault::Guest(GuestFault::NoRegion { index });
            for width in [1, 2, 4, 8] {
                assert_eq!(machine.get(index, 0, width), Err(fault));
                assert_eq!(machine.put(index, 0, width, 0), Err(fault));
            }
        }
        Ok(())
    }

    #[test]
    fn the_aperture_is_open_from_its_first_to_its_last_byte() -> Result {
        let mut machine = Machine::new()?;
        assert_eq!(
            machine.vgpu.aperture_slice(),
            GmRange::new(64 * MB, 64 * MB)?
        );
        // The C driver refuses the last access.
        for (offset, width) in [
            (64 * MB, 8),
            (64 * MB, 1),
            (128 * MB - 8, 8),
            (128 * MB - 4, 4),
            (128 * MB - 1, 1),
        ] {
            machine.env.aperture = None;
            machine.get(APERTURE, offset, width)?;
            assert_eq!(machine.env.aperture, Some((offset, width)));
            machine.env.aperture = None;
            machine.put(APERTURE, offset, width, 0)?;
            assert_eq!(machine.env.aperture, Some((offset, width)));
        }
        assert_eq!(machine.get(APERTURE, 64 * MB, 2)?, 0x5a5a);
        Ok(())
    }

    #[test]
    fn the_aperture_of_others_is_closed() -> Result {
        let mut machine = Machine::new()?;
        for (offset, width) in [
            (0, 8),
            (64 * MB - 8, 8),
            (64 * MB - 1, 1),
            (128 * MB, 1),
            (128 * MB, 8),
            (BAR2_SIZE - 4, 4),
            (BAR2_SIZE, 4),
            ((1 << 32) + 64 * MB, 4),
            ((1 << 40) - 8, 8),
        ] {
            let at = Position::new(APERTURE, offset)?;
            let outside = GuestFault::OutOfRange { at, width };
            assert_eq!(machine.get(APERTURE, offset, width), Err(outside.into()));
            assert_eq!(machine.put(APERTURE, offset, width, 0), Err(outside.into()));
            assert_eq!(machine.env.aperture, None);
        }
        Ok(())
    }

    #[test]
    fn a_failure_of_the_host_is_passed_on() -> Result {
        let mut machine = Machine::new()?;
        machine.env.aperture_result = Err(EIO);
        let fault = Fault::Host(EIO);
        assert_eq!(machine.get(APERTURE, 64 * MB, 4), Err(fault));
        assert_eq!(machine.put(APERTURE, 64 * MB, 4, 0), Err(fault));
        assert_eq!(Error::from(fault), EIO);
        Ok(())
    }

    /// `vm_pgoff` of a page of the aperture.
    const fn page(offset: u64) -> u64 {
        (2 << 28) | offset / 4096
    }

    #[test]
    fn the_own_part_of_the_aperture_can_be_mapped() -> Result {
        let machine = Machine::new()?;
        for (pgoff, length, offset) in [
            (page(64 * MB), 64 * MB, 64 * MB),
            (page(64 * MB), 4096, 64 * MB),
            (page(128 * MB - 4096), 4096, 128 * MB - 4096),
            (page(96 * MB), 32 * MB, 96 * MB),
        ] {
            assert_eq!(
                mmap_range(machine.vgpu.aperture_slice(), pgoff, length),
                Ok(offset)
            );
        }
        Ok(())
    }

    #[test]
    fn nothing_else_can_be_mapped() -> Result {
        let machine = Machine::new()?;
        let pages = page(64 * MB) & 0xfff_ffff;
        for (pgoff, length) in [
            (page(64 * MB), 0),
            (page(64 * MB), 64 * MB + 4096),
            (page(64 * MB), u64::MAX),
            (page(64 * MB), u64::MAX - 64 * MB + 1),
            (page(64 * MB - 4096), 4096),
            (page(64 * MB - 4096), 8192),
            (page(128 * MB - 4096), 8192),
            (page(128 * MB), 4096),
            (page(0), 256 * MB),
            (page((1 << 40) - 4096), 4096),
            (page((1 << 40) - 4096), u64::MAX),
            // Other regions, and indices that end in that of BAR2.
            (pages, 4096),
            ((1 << 28) | pages, 4096),
            ((7 << 28) | pages, 4096),
            ((9 << 28) | pages, 4096),
            ((2 << 28 | 1 << 52) | pages, 4096),
            ((2 << 28 | 1 << 60) | pages, 4096),
            (u64::MAX, 4096),
        ] {
            assert_eq!(
                mmap_range(machine.vgpu.aperture_slice(), pgoff, length),
                Err(EINVAL)
            );
        }
        Ok(())
    }

    #[test]
    fn the_aperture_covers_the_low_range() -> Result {
        let host = HostConfig::new(1)?;
        let good = setup(&host)?;
        for (start, size, fits) in [
            (192 * MB, 64 * MB, true),
            (192 * MB, 64 * MB + 4096, false),
            (256 * MB, 64 * MB, false),
            (1024 * MB, 64 * MB, false),
        ] {
            let mut setup = good;
            setup.low = GmRange::new(start, size)?;
            assert_eq!(Vgpu::new(&setup).err(), (!fits).then_some(EINVAL));
        }
        Ok(())
    }

    #[test]
    fn a_position_that_the_c_driver_wraps_is_refused() -> Result {
        // Offset plus width is 0 in 32 bits: the C driver reads and writes kernel memory.
        let mut machine = Machine::new()?;
        let at = Position::decode((7 << 40) | 0xffff_fffc)?;
        let fault = Fault::Guest(GuestFault::OutOfRange { at, width: 4 });
        let mut data = [0x77; 4];
        assert_eq!(machine.read(at, &mut data), Err(fault));
        assert_eq!(data, [0x77; 4]);
        assert_eq!(machine.write(at, &data), Err(fault));
        assert_eq!(Error::from(fault), EFAULT);
        Ok(())
    }

    #[test]
    fn a_fault_says_what_was_asked() -> Result {
        let at = Position::new(CONFIG, 0x1000)?;
        let width = 4;
        for (fault, text) in [
            (
                GuestFault::NoRegion { index: 6 },
                "there is nothing in region 6",
            ),
            (
                GuestFault::Width { at, width },
                "region 7 does not take 4 bytes at offset 0x1000",
            ),
            (
                GuestFault::OutOfRange { at, width },
                "4 bytes at offset 0x1000 are outside what the vGPU has of region 7",
            ),
            (
                GuestFault::ReadOnly { at },
                "region 7 cannot be written at offset 0x1000",
            ),
            (
                GuestFault::EdidSize { size: 256 },
                "an EDID of 256 bytes is too big for this monitor",
            ),
            (
                GuestFault::LinkState { state: 3 },
                "3 is not a link state: 1 is up, 2 is down",
            ),
            (
                GuestFault::Edid(Defect::Checksum),
                "the monitor stays off, its EDID is bad: its bytes do not add up to 0",
            ),
        ] {
            assert!(Text::of(&Fault::Guest(fault)).is(text));
            assert!(Text::of(&fault).is(text));
            assert_eq!(Fault::from(fault).errno(), EFAULT);
        }
        // How an error number looks depends on the configuration of the kernel.
        let gpa = Gpa::new(0x2200);
        let lost = GuestFault::OpRegion { gpa, error: EFAULT };
        assert!(Text::of(&lost)
            .starts_with("the OpRegion that ASLS points to, at guest address 0x2200, is out of"));
        assert!(Text::of(&Fault::Host(EIO)).starts_with("the host failed: "));
        Ok(())
    }
}
