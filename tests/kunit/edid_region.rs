// SPDX-License-Identifier: GPL-2.0

//! The EDID region of a vGPU whose monitor can have any size.

use kernel::prelude::*;

#[kunit_tests(gvt_edid_region)]
mod gvt_edid_region {
    use super::*;
    use crate::fakes::{
        Text,
        EDID, //
    };
    use gvt_model::{
        edid::{
            mode::{
                Limits,
                Mode,
                ModeDefect, //
            },
            Blocks,
            Defect, //
        },
        edid_region::{
            EdidRegion,
            Link, //
        },
        fault::{
            Fault,
            GuestFault, //
        },
        region::Position,
        types::Resolution, //
    };

    const SIZE: u64 = 8;
    const LINK: u64 = 20;
    const BLOB: u64 = 2048;
    const UP: u32 = 1;
    const DOWN: u32 = 2;
    /// Enough for 2560x1600 and not for 3840x2160.
    const LIMITS: Limits = Limits::new(20 << 20);

    fn region() -> Result<KBox<EdidRegion>, Fault> {
        EdidRegion::new(Resolution::Xga, LIMITS).map_err(Fault::Host)
    }

    fn at(offset: u64) -> Result<Position, Fault> {
        Position::new(EDID, offset).map_err(Fault::Host)
    }

    fn put(region: &mut EdidRegion, offset: u64, value: u32) -> Result<(), Fault> {
        region.write(at(offset)?, &value.to_le_bytes()).map(|_| ())
    }

    fn get(region: &EdidRegion, offset: u64) -> Result<u32, Fault> {
        let mut data = [0; 4];
        region.read(at(offset)?, &mut data)?;
        Ok(u32::from_le_bytes(data))
    }

    fn put_edid(region: &mut EdidRegion, blocks: &Blocks) -> Result<(), Fault> {
        for (offset, byte) in (BLOB..).zip(blocks.as_bytes()) {
            region.write(at(offset)?, &[*byte])?;
        }
        Ok(())
    }

    fn monitor(width: u16, height: u16) -> Blocks {
        Mode::reduced(width, height, 60)
            .and_then(|mode| Blocks::monitor(&mode, Limits::new(1 << 40)))
            .unwrap_or(Blocks::classic(Resolution::Xga))
    }

    #[test]
    fn the_limits_are_told() -> Result<(), Fault> {
        let region = region()?;
        for (offset, value) in [
            (0, 2048),
            (4, 256),
            (8, 256),
            (12, 2560),
            (16, 1600),
            (20, 0),
        ] {
            assert_eq!(get(&region, offset)?, value);
        }
        assert_eq!(*region.monitor(), Blocks::classic(Resolution::Xga));
        for (memory, largest) in [
            (0, (320, 200)),
            (2 << 20, (640, 480)),
            (4 << 20, (1024, 768)),
            (32 << 20, (3840, 2160)),
            (63 << 20, (3840, 2400)),
            (64 << 20, (4095, 4095)),
        ] {
            assert_eq!(Limits::new(memory).largest(), largest);
        }
        Ok(())
    }

    #[test]
    fn an_edid_with_an_extension_comes_up() -> Result<(), Fault> {
        let mut region = region()?;
        let big = monitor(2560, 1440);
        put_edid(&mut region, &big)?;
        // Written is not plugged in.
        assert_eq!(*region.monitor(), Blocks::classic(Resolution::Xga));
        put(&mut region, LINK, UP)?;
        assert_eq!(region.link(), Link::Up);
        assert_eq!(*region.monitor(), big);
        // The next one is being written while this one is shown.
        put(&mut region, LINK, DOWN)?;
        put(&mut region, BLOB, 0)?;
        assert_eq!(*region.monitor(), big);
        assert_eq!(
            put(&mut region, LINK, UP),
            Err(GuestFault::Edid(Defect::Header).into())
        );
        assert_eq!(region.link(), Link::Down);
        assert_eq!(*region.monitor(), big);
        Ok(())
    }

    #[test]
    fn the_size_cuts_the_extension_off() -> Result<(), Fault> {
        let mut region = region()?;
        put_edid(&mut region, &monitor(2560, 1440))?;
        for (size, expected) in [
            (255, Err(GuestFault::Edid(Defect::Length(255)).into())),
            (128, Err(GuestFault::Edid(Defect::Length(128)).into())),
            (0, Err(GuestFault::Edid(Defect::Length(0)).into())),
            (256, Ok(())),
        ] {
            put(&mut region, SIZE, size)?;
            assert_eq!(put(&mut region, LINK, UP), expected);
        }
        let size = 257;
        assert_eq!(
            put(&mut region, SIZE, size),
            Err(GuestFault::EdidSize { size }.into())
        );
        // One block is enough where it counts no other.
        put_edid(&mut region, &Blocks::classic(Resolution::Wuxga))?;
        put(&mut region, SIZE, 128)?;
        put(&mut region, LINK, UP)?;
        assert_eq!(*region.monitor(), Blocks::classic(Resolution::Wuxga));
        Ok(())
    }

    #[test]
    fn a_monitor_that_is_too_big_stays_off() -> Result<(), Fault> {
        let mut region = region()?;
        put_edid(&mut region, &monitor(3840, 2160))?;
        let defect = ModeDefect::Memory {
            needed: 15360 * 2176,
            limit: 20 << 20,
        };
        assert_eq!(
            put(&mut region, LINK, UP),
            Err(GuestFault::Mode(defect).into())
        );
        assert_eq!(region.link(), Link::Unset);
        assert!(Text::of(&GuestFault::Mode(defect)).is(
            "the monitor stays off, its mode is too big: a picture of 33423360 bytes where there \
             is room for 20971520: take a smaller mode or a bigger mdev type"
        ));
        Ok(())
    }
}
