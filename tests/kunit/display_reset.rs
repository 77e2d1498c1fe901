// SPDX-License-Identifier: GPL-2.0

//! What the display's registers hold after a reset, and hotplug.

use kernel::prelude::*;

#[kunit_tests(gvt_display_reset)]
mod gvt_display_reset {
    use gvt_model::{
        display::{
            plane::pipes,
            reset::{
                hotplug,
                presets,
                Preset, //
            },
            timing::{
                link_clock,
                refresh,
                Refresh,
                Timing, //
            },
            Ddi,
            Pipe,
            Transcoder, //
        },
        platform::Platform, //
    };

    fn monitor(platform: Platform) -> Ddi {
        match platform {
            Platform::Broadwell | Platform::Broxton => Ddi::B,
            _ => Ddi::D,
        }
    }

    /// A register after a reset, in a file that was full of `before`.
    fn after(platform: Platform, plugged: bool, before: u32) -> impl Fn(u32) -> u32 {
        move |offset| {
            presets(platform, plugged)
                .filter(|preset| preset.offset == offset)
                .fold(before, |old, preset| preset.apply(old))
        }
    }

    #[test]
    fn every_register_is_there_once() {
        for platform in Platform::ALL {
            for plugged in [false, true] {
                let mut count = 0;
                for (place, preset) in presets(platform, plugged).enumerate() {
                    assert_eq!(preset.offset % 4, 0);
                    assert!(preset.offset < 2 << 20);
                    assert!(preset.mask != 0);
                    assert_eq!(preset.value & !preset.mask, 0);
                    let same = |other: Preset| other.offset == preset.offset;
                    assert!(!presets(platform, plugged).skip(place + 1).any(same));
                    count += 1;
                }
                assert!(count > 20);
            }
        }
    }

    #[test]
    fn the_monitor_is_on_the_port_of_the_platform() {
        for platform in Platform::ALL {
            // Nothing depends on what the host had there.
            for before in [0, u32::MAX, 0xb420_1234] {
                let registers = after(platform, true, before);
                let port = monitor(platform);
                let own = Transcoder::Own(Pipe::A);
                assert_eq!(own.port(&registers), Some(port));
                assert!(pipes(&registers).eq([Pipe::A]));
                assert_eq!(Pipe::A.transcoder(&registers), Some(own));
                assert_eq!(registers(0x7_0008) >> 30, 3);
                for transcoder in [
                    Transcoder::Own(Pipe::B),
                    Transcoder::Own(Pipe::C),
                    Transcoder::Embedded,
                ] {
                    assert_eq!(transcoder.port(&registers), None);
                }
                // Its buffer is on, and not idle.
                let buffer = registers(0x6_4000 + 0x100 * port.index());
                assert_eq!(buffer & (1 << 31 | 1 << 7), 1 << 31);
                // There is no embedded panel.
                assert_eq!(registers(0x6_4000) & 1, 0);
                for pipe in Pipe::ALL {
                    let base = pipe.offset();
                    assert_eq!(registers(0x7_0180 + base) >> 31, 0);
                    assert_eq!(registers(0x7_0280 + base) >> 31, 0);
                    assert_eq!(registers(0x7_0080 + base) & 0x27, 0);
                }
            }
        }
    }

    #[test]
    fn the_link_has_a_clock() {
        let own = Transcoder::Own(Pipe::A);
        for (platform, clock) in [
            (Platform::Broadwell, Some(162_000)),
            (Platform::Skylake, Some(324_000)),
            (Platform::KabyLake, Some(324_000)),
            (Platform::CoffeeLake, Some(324_000)),
            (Platform::CometLake, Some(324_000)),
        ] {
            for before in [0, u32::MAX] {
                let registers = after(platform, true, before);
                assert_eq!(link_clock(platform, monitor(platform), &registers), clock);
                // 154 MHz by 2080 pixels by 1235 lines; there are lines to count.
                let rate = refresh(platform, own, &registers).map(Refresh::millihertz);
                assert_eq!(rate, Some(59_950));
                assert_eq!(Timing::read(own, &registers).lines(), (1200, 1235));
            }
        }
        // Gvt-spec 10.1.
        for platform in [Platform::Skylake, Platform::Broxton] {
            let registers = after(platform, true, 0);
            assert_eq!(registers(0x6_0030), 0x7e5b_425e);
            assert_eq!(registers(0x6_0034), 0x80_0000);
            assert_eq!(registers(0x6_0040), 0x3_cd6e);
            assert_eq!(registers(0x6_0044), 0x8_0000);
        }
    }

    /// Of each platform: the registers with the straps and with the live state.
    const STRAP: u32 = 0xc2014;

    fn live(platform: Platform) -> (u32, u32, u32) {
        match platform {
            Platform::Broadwell => (0xc4000, 7 << 21, 1 << 21),
            Platform::Broxton => (0x4_4440, 7 << 3, 1 << 4),
            _ => (0xc4000, 0x1f << 21, 1 << 23),
        }
    }

    #[test]
    fn only_the_monitor_is_detected() {
        for platform in Platform::ALL {
            let (offset, ports, own) = live(platform);
            let strap = match monitor(platform) {
                Ddi::B => 4,
                _ => 1,
            };
            for before in [0, u32::MAX] {
                let registers = after(platform, true, before);
                assert_eq!(registers(STRAP), before & !7 | strap);
                assert_eq!(registers(offset), before & !ports | own);
                let registers = after(platform, false, before);
                assert_eq!(registers(STRAP), before & !7);
                assert_eq!(registers(offset), before & !ports);
            }
        }
    }

    #[test]
    fn broxton_has_one_port_on() {
        for before in [0, u32::MAX] {
            let registers = after(Platform::Broxton, true, before);
            for (offset, mask, value) in [
                (0x13_8090, 3, 1),
                (0x6_c000, 1 << 16, 1 << 16),
                (0x16_2000, 1 << 16, 0),
                (0x6_4c90, 1 << 30, 1 << 30),
                (0x6_4c80, 1 << 30, 0),
                (0x6_4c00, 7 << 8, 6 << 8),
                (0x6_4c10, 7 << 8, 1 << 8),
                (0x6_4c20, 7 << 8, 6 << 8),
                (0x4_6074, 0xce00_0000, 0),
                (0x4_6078, 0xce00_0000, 0xce00_0000),
                (0x4_607c, 0xce00_0000, 0),
                (0x6_4000, 1 << 31 | 0x81, 0x80),
                (0x6_4200, 1 << 31 | 0x81, 0x80),
                (0xc4030, 0x1b00_1b1b, 0x10),
                (0x4_2000, 0x8e00_0000, 0x8e00_0000),
                // The C driver has a wrong port here when it means C.
                (0x6_0400, 0xf770_0000, 0x9200_0000),
            ] {
                assert_eq!(registers(offset) & mask, value);
                // Other bits are left alone.
                assert_eq!(registers(offset) & !mask, before & !mask);
            }
        }
    }

    #[test]
    fn a_plug_changes_what_is_detected() {
        for platform in Platform::ALL {
            let (offset, ports, own) = live(platform);
            let pulse = match monitor(platform) {
                Ddi::B => 2,
                _ => 2 << 16,
            };
            for plugged in [false, true] {
                let (changes, port) = hotplug(platform, plugged);
                assert_eq!(port, monitor(platform));
                let mut seen = [false; 3];
                let [strap, state, happened] = &mut seen;
                for change in changes {
                    let full = change.apply(u32::MAX);
                    match change.offset {
                        STRAP => *strap = (full & 7 != 0) == plugged,
                        0xc4030 => {
                            *happened = change.value == pulse && change.mask == pulse / 2 * 3
                        }
                        at if at == offset => {
                            *state = full & ports == if plugged { own } else { 0 };
                        }
                        _ => {}
                    }
                }
                assert_eq!(seen, [true; 3]);
            }
        }
    }
}
