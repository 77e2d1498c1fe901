// SPDX-License-Identifier: GPL-2.0

//! Computed modes, and EDIDs of monitors of any size.

use kernel::prelude::*;

#[kunit_tests(gvt_edid_modes)]
mod gvt_edid_modes {
    use crate::fakes::Text;
    use gvt_model::{
        edid::{
            mode::{
                Limits,
                Mode,
                ModeDefect, //
            },
            monitor,
            validate,
            Blocks,
            Defect,
            MAX_SIZE, //
        },
        types::{
            Resolution,
            TYPES, //
        },
    };

    const ROOMY: Limits = Limits::new(1 << 40);

    fn sum(block: &[u8]) -> u8 {
        block.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
    }

    #[test]
    fn modes_are_those_of_the_standard() {
        // From the spreadsheet that comes with the standard.
        for (width, height, refresh, clock_khz, total, lines, sync) in [
            (1024, 768, 60, 56_000, 1184, 790, 4),
            (1280, 1024, 60, 91_000, 1440, 1054, 7),
            (1920, 1080, 60, 138_500, 2080, 1111, 5),
            (1920, 1200, 60, 154_000, 2080, 1235, 6),
            (2560, 1440, 60, 241_500, 2720, 1481, 5),
            (2560, 1600, 60, 268_500, 2720, 1646, 6),
            (3840, 2160, 60, 533_250, 4000, 2222, 5),
            (1920, 1080, 120, 285_500, 2080, 1144, 5),
        ] {
            let mode = Mode::reduced(width, height, refresh);
            assert!(mode.is_ok());
            let Ok(mode) = mode else { continue };
            assert_eq!(mode.clock_khz, clock_khz);
            assert_eq!(mode.horizontal.total(), total);
            assert_eq!(mode.vertical.total(), lines);
            assert_eq!(mode.vertical.sync, sync);
        }
    }

    #[test]
    fn every_mode_holds_together() {
        for width in (320..=4095).step_by(151) {
            for height in (200..=4095).step_by(97) {
                for refresh in [24, 30, 60, 144, 240] {
                    let Ok(mode) = Mode::reduced(width, height, refresh) else {
                        continue;
                    };
                    for sweep in [mode.horizontal, mode.vertical] {
                        assert!(sweep.front + sweep.sync < sweep.blank);
                    }
                    let wanted = u64::from(refresh) * 1000;
                    let got = mode.refresh_millihertz();
                    // A step of the clock is at most this much of the frequency.
                    assert!(got <= wanted && got + 3000 > wanted);
                    assert!(mode.clock_khz <= 655_350);
                    let blocks = Blocks::monitor(&mode, ROOMY);
                    assert!(blocks.is_ok());
                    let Ok(blocks) = blocks else { continue };
                    assert_eq!(Blocks::parse(blocks.as_bytes()), Ok(blocks));
                    let native = blocks.native();
                    assert_eq!(
                        native.map(|native| (native.horizontal, native.vertical)),
                        Some((mode.horizontal, mode.vertical))
                    );
                    assert_eq!(native.map(|native| native.clock_khz), Some(mode.clock_khz));
                }
            }
        }
    }

    #[test]
    fn what_an_edid_cannot_say_is_refused() {
        for (width, height, refresh, defect) in [
            (319, 200, 60, Some(ModeDefect::Width(319))),
            (320, 200, 60, None),
            (4095, 1000, 60, None),
            (4096, 1000, 60, Some(ModeDefect::Width(4096))),
            (320, 199, 60, Some(ModeDefect::Height(199))),
            (320, 4095, 60, None),
            (320, 4096, 60, Some(ModeDefect::Height(4096))),
            (640, 480, 23, Some(ModeDefect::Refresh(23))),
            (640, 480, 24, None),
            (640, 480, 240, None),
            (640, 480, 241, Some(ModeDefect::Refresh(241))),
            (0, 0, 0, Some(ModeDefect::Width(0))),
            (4095, 4095, 240, Some(ModeDefect::Clock(4_701_500))),
        ] {
            let mode = Mode::reduced(width, height, refresh);
            assert_eq!(mode.err(), defect);
        }
    }

    #[test]
    fn a_defect_says_how_to_do_better() {
        for (defect, text) in [
            (ModeDefect::Width(5), "5 pixels in a line: take 320 to 4095"),
            (ModeDefect::Height(5), "5 lines: take 200 to 4095"),
            (
                ModeDefect::Refresh(5),
                "5 frames in a second: take 24 to 240",
            ),
            (
                ModeDefect::Clock(700_000),
                "a pixel clock of 700000 kHz is beyond 655350: take a smaller mode",
            ),
            (
                ModeDefect::Memory {
                    needed: 9,
                    limit: 8,
                },
                "a picture of 9 bytes where there is room for 8: \
                 take a smaller mode or a bigger mdev type",
            ),
        ] {
            assert!(Text::of(&defect).is(text));
        }
    }

    #[test]
    fn memory_limits_the_picture() {
        // 1000 pixels are 4000 bytes, and a line has 4096; 100 lines are 128.
        let size = 4096 * 128;
        assert_eq!(Limits::new(size).check(1000, 100), Ok(()));
        assert_eq!(
            Limits::new(size - 1).check(1000, 100),
            Err(ModeDefect::Memory {
                needed: size,
                limit: size - 1
            })
        );
        // Every type has room for its own resolution, and the biggest ones for more.
        for (conf, huge) in TYPES.iter().zip([false, true, true, true]) {
            let limits = Limits::for_aperture(conf.low);
            assert_eq!(limits.check(1920, 1200), Ok(()));
            assert_eq!(limits.check(3840, 2160), Ok(()));
            assert_eq!(limits.check(3840, 2400).is_ok(), huge);
        }
        assert!(Limits::new(u64::MAX).check(u16::MAX, u16::MAX).is_ok());
        assert!(Limits::new(0).check(1, 1).is_err());
    }

    /// Width, height and clock of a detailed timing.
    fn timing(bytes: &[u8]) -> Option<(u32, u32, u32)> {
        let [c0, c1, x, _, xh, y, _, yh, ..] = *bytes else {
            return None;
        };
        let high = |byte: u8| u32::from(byte & 0xf0) << 4;
        let clock = u32::from(c0) | u32::from(c1) << 8;
        (clock != 0).then_some((u32::from(x) | high(xh), u32::from(y) | high(yh), clock * 10))
    }

    #[test]
    fn a_big_monitor_offers_the_smaller_modes() {
        let mode = Mode::reduced(2560, 1440, 60);
        assert!(mode.is_ok());
        let Ok(mode) = mode else { return };
        let blocks = Blocks::monitor(&mode, ROOMY);
        assert!(blocks.is_ok());
        let Ok(blocks) = blocks else { return };
        let bytes = blocks.as_bytes();
        assert_eq!(bytes.len(), MAX_SIZE);
        for block in bytes.chunks(128) {
            assert_eq!(sum(block), 0);
        }
        // The same make and model as the classic one.
        let classic = monitor(Resolution::Wuxga);
        assert_eq!(bytes.get(..21), classic.get(..21));
        assert_eq!(bytes.get(38..52), classic.get(38..52));
        assert_eq!(bytes.get(126), Some(&1));
        let native = bytes.get(54..72).and_then(timing);
        assert_eq!(native, Some((2560, 1440, 241_500)));
        assert_eq!(bytes.get(128..132), Some(&[2, 3, 4, 0][..]));
        let mut others = bytes.get(132..).unwrap_or_default().chunks(18).map(timing);
        for (width, height, clock) in [
            (1920, 1200, 154_000),
            (1920, 1080, 138_500),
            (1600, 900, 97_750),
            (1366, 768, 72_250),
            (1280, 800, 71_000),
        ] {
            assert_eq!(others.next(), Some(Some((width, height, clock))));
        }
        assert_eq!(others.next(), Some(None));
        // 60 Hz, 24 to 89 kHz, 250 MHz, nothing else.
        let range = bytes.get(72..83);
        assert_eq!(range, Some(&[0, 0, 0, 0xfd, 0, 24, 60, 24, 89, 25, 1][..]));
    }

    #[test]
    fn a_fast_monitor_has_a_higher_range() {
        let Ok(mode) = Mode::reduced(1024, 1024, 240) else {
            return;
        };
        let Ok(blocks) = Blocks::monitor(&mode, ROOMY) else {
            return;
        };
        // 276 kHz are 255 and 21.
        let range = blocks.as_bytes().get(72..83);
        assert_eq!(range, Some(&[0, 0, 0, 0xfd, 8, 24, 240, 24, 22, 33, 1][..]));
    }

    #[test]
    fn a_small_monitor_offers_nothing_bigger() {
        let Ok(mode) = Mode::reduced(800, 600, 60) else {
            return;
        };
        let blocks = Blocks::monitor(&mode, ROOMY);
        assert!(blocks.is_ok());
        let Ok(blocks) = blocks else { return };
        let bytes = blocks.as_bytes();
        assert_eq!(bytes.get(35..38), Some(&[0, 0, 0][..]));
        assert!(bytes
            .get(38..54)
            .is_some_and(|rest| rest.iter().all(|byte| *byte == 1)));
        assert!(bytes
            .get(132..255)
            .is_some_and(|rest| rest.iter().all(|byte| *byte == 0)));
        let tight = Blocks::monitor(&mode, Limits::new(1));
        assert!(matches!(tight, Err(ModeDefect::Memory { limit: 1, .. })));
    }

    #[test]
    fn the_classic_monitor_is_one_block() {
        for resolution in [Resolution::Xga, Resolution::Wuxga] {
            let blocks = Blocks::classic(resolution);
            assert_eq!(blocks.as_bytes(), monitor(resolution));
            assert_eq!(Blocks::parse(blocks.as_bytes()), Ok(blocks));
        }
        let native = Blocks::classic(Resolution::Wuxga).native();
        assert_eq!(native.map(|mode| mode.refresh_millihertz()), Some(59_950));
        assert_eq!(native, Mode::reduced(1920, 1200, 60).ok());
        assert_eq!(Blocks::classic(Resolution::Xga).native(), None);
    }

    /// The EDID of a big monitor, with these bytes changed, and its two checksums made right.
    fn changed(changes: &[(usize, u8)]) -> [u8; MAX_SIZE] {
        let mut bytes = [0; MAX_SIZE];
        if let Ok(blocks) = Mode::reduced(2560, 1440, 60).and_then(|m| Blocks::monitor(&m, ROOMY)) {
            bytes.copy_from_slice(blocks.as_bytes());
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            for (place, value) in changes {
                if *place == at {
                    *byte = *value;
                }
            }
        }
        for block in bytes.chunks_mut(128) {
            if let [rest @ .., checksum] = block {
                *checksum = sum(rest).wrapping_neg();
            }
        }
        bytes
    }

    #[test]
    fn what_a_vmm_gives_is_checked() {
        let good = changed(&[]);
        assert!(Blocks::parse(&good).is_ok());
        // What is behind the last block does not count.
        let mut long = [0xff; 300];
        for (to, from) in long.iter_mut().zip(good) {
            *to = from;
        }
        assert_eq!(Blocks::parse(&long), Blocks::parse(&good));
        // An extension of another kind is for the guest to know.
        assert!(Blocks::parse(&changed(&[(128, 0x70)])).is_ok());

        for (at, defect) in [(3, Defect::Header), (200, Defect::Extension)] {
            let mut bad = good;
            if let Some(byte) = bad.get_mut(at) {
                *byte ^= 1;
            }
            assert_eq!(Blocks::parse(&bad), Err(defect));
        }
        for length in [0, 1, 127, 128, 129, 255] {
            let short = good.get(..length).unwrap_or_default();
            assert_eq!(Blocks::parse(short), Err(Defect::Length(length)));
        }
        for count in [2, 255] {
            let many = changed(&[(126, count)]);
            assert_eq!(Blocks::parse(&many), Err(Defect::TooMany(count)));
        }
        assert_eq!(Blocks::parse(&changed(&[(18, 2)])), Err(Defect::Version(2)));
        assert_eq!(Blocks::parse(&[0; 256]), Err(Defect::Blank));
        // One block alone, and one that says nothing of the other.
        let alone = changed(&[(126, 0)]);
        let size = Blocks::parse(&alone).map(|blocks| blocks.as_bytes().len());
        assert_eq!(size, Ok(128));
        assert!(alone
            .first_chunk()
            .is_some_and(|base| validate(base).is_ok()));
    }

    #[test]
    fn a_wrong_extension_is_named() {
        for (defect, text) in [
            (
                Defect::Length(3),
                "3 bytes are not all its blocks, which have 128 each",
            ),
            (
                Defect::Extension,
                "the bytes of its extension do not add up to 0",
            ),
            (
                Defect::TooMany(9),
                "it counts 9 extension blocks, and there is room for one",
            ),
        ] {
            assert!(Text::of(&defect).is(text));
        }
    }

    #[test]
    fn a_mode_is_written_as_people_do() {
        for (text, width, height, refresh, shown) in [
            (&b"1920x1080"[..], 1920, 1080, 60, "1920x1080@60"),
            (b"2560x1440@75\n", 2560, 1440, 75, "2560x1440@75"),
            (b"1366x0768@060", 1366, 768, 60, "1366x768@60"),
        ] {
            let mode = Mode::parse(text);
            assert_eq!(mode, Mode::reduced(width, height, refresh));
            assert!(mode.is_ok_and(|mode| Text::of(&mode).is(shown)));
        }
        for text in [
            &b""[..],
            b"\n",
            b"x",
            b"1920",
            b"1920x",
            b"x1080",
            b"1920x1080@",
            b"1920x1080@60Hz",
            b"1920x1080\n\n",
            b" 1920x1080",
            b"1920X1080",
            b"-1x1080",
            b"1920x1080x60",
            b"1920x1080@60@60",
            b"1920@60x1080",
            b"99999x1080",
            b"1920x70000",
        ] {
            assert_eq!(Mode::parse(text), Err(ModeDefect::Text));
        }
        for (text, defect) in [
            (&b"319x200"[..], ModeDefect::Width(319)),
            (b"320x199", ModeDefect::Height(199)),
            (b"320x200@23", ModeDefect::Refresh(23)),
        ] {
            assert_eq!(Mode::parse(text), Err(defect));
        }
        assert!(matches!(
            Mode::parse(b"4095x4095@240"),
            Err(ModeDefect::Clock(_))
        ));
        assert!(
            Text::of(&ModeDefect::Text).is("not a mode: write WIDTHxHEIGHT or WIDTHxHEIGHT@HERTZ")
        );
    }
}
