// SPDX-License-Identifier: GPL-2.0

//! What registers do besides keeping their value; those of the display have suites of their own.

use kernel::prelude::*;

#[kunit_tests(gvt_handlers)]
mod gvt_handlers {
    use super::*;
    use crate::fakes::{
        engines,
        setup,
        HostConfig,
        Machine,
        Text,
        BAR0,
        MB, //
    };
    use gvt_model::{
        counters::Counters,
        effect::{
            Failsafe,
            Note, //
        },
        engine::EngineId,
        interrupt::Event,
        mmio::map::RegisterMap,
        platform::Platform,
    };

    use Platform::{
        Broadwell,
        Broxton,
        CoffeeLake,
        CometLake,
        KabyLake,
        Skylake, //
    };

    const PVINFO: u64 = 0x7_8000;
    const DATA: u32 = 0x13_8128;
    const MAILBOX: u32 = 0x13_8124;
    const RING_MODE: u32 = 0x229c;
    const PPGTT: u32 = 1 << 9;
    const EXECLISTS: u32 = 1 << 15;

    fn on(platform: Platform) -> Result<Machine> {
        let config = HostConfig::new(7)?;
        let map = RegisterMap::new(platform, engines().with(EngineId::Vcs1), &[])?;
        Machine::on(map, &setup(&config)?)
    }

    /// With a mask that selects the bits.
    fn masked(bits: u32) -> u32 {
        bits << 16 | bits
    }

    #[test]
    fn what_is_asked_for_is_done_at_once() -> Result {
        // Register, what is written, what is then read.
        let all = [
            (0xc_2004, 0x1000, 0x3000),
            (0xc_2004, 0x2000, 0),
            (0x4_2300, u32::MAX, 0x7fff_ffff),
        ];
        let broadwell = [
            (0x4_5400, 0x8000_0000, 0xc000_0000),
            (0x4_5414, 0x4000_0001, 1),
            (0x13_0040, 0, 0x4000_0000),
            (0x13_0040, 0x8020_0000, 0x8028_0000),
            (0x13_0040, 0x4008_0000, 0x4000_0000),
        ];
        let gen9 = [
            (0x4_5008, 0x8000_0000, 0xc000_0000),
            (0x4_5008, 0x4000_0000, 0),
            (0x4_6010, 0xbfff_ffff, 0xc000_0000),
            (0x4_6014, 0x7fff_ffff, 0),
        ];
        for platform in [Broadwell, Skylake, KabyLake, Broxton, CoffeeLake, CometLake] {
            check(platform, &all)?;
            check(
                platform,
                if platform == Broadwell {
                    &broadwell
                } else {
                    &gen9
                },
            )?;
        }
        for platform in [Skylake, KabyLake, CoffeeLake, CometLake] {
            let wells = [
                (0x4_5404, 0xaaaa_aaaa, 0xf000_03ff),
                (0x4_5404, 0x2000_0008, 0x3000_000c),
            ];
            check(platform, &wells)?;
        }
        check(
            Broxton,
            &[
                (0x4_5404, 0xaaaa_aaaa, 0xf000_0000),
                (0x4_6070, 0x8000_0000, 0xc000_0000),
                (0x4_607c, 0x8000_0003, 0xc000_0003),
                (0x0_40e0, 0x1234_5678, 0x4000_0040),
            ],
        )
    }

    fn check(platform: Platform, writes: &[(u32, u32, u32)]) -> Result {
        let mut machine = on(platform)?;
        for (offset, written, read) in writes {
            machine.set(*offset, *written)?;
            assert_eq!(machine.register(*offset)?, *read);
        }
        Ok(())
    }

    #[test]
    fn forcewake_is_acknowledged() -> Result {
        for (platform, request, ack) in [
            (Broadwell, 0xa188, 0x13_0044),
            (Skylake, 0xa188, 0x13_0044),
            (Skylake, 0xa270, 0x0_0d88),
            (Broxton, 0xa278, 0x0_0d84),
        ] {
            let mut machine = on(platform)?;
            for (written, awake) in [
                (masked(1), 1),
                (masked(0x8000), 0x8001),
                (0x0001_0000, 0x8000),
                (0xffff_0000, 0),
                (0xffff, 0),
            ] {
                machine.set(request, written)?;
                assert_eq!(machine.register(ack)?, awake);
                assert_eq!(machine.register(request)?, awake);
            }
        }
        Ok(())
    }

    #[test]
    fn the_power_control_unit_answers() -> Result {
        for (platform, command, data, answer) in [
            (Skylake, 0x06, 0, 0x1e1a_1100),
            (CometLake, 0x06, 1, 0x6151_4b3d),
            (Broxton, 0x06, 0, 0x1608_0707),
            (Broxton, 0x06, 1, 0x1616_1616),
            (Broadwell, 0x06, 5, 5),
            (KabyLake, 0x07, 3, 1),
            (Broxton, 0x07, 3, 3),
            (Broadwell, 0x05, 8, 9),
            // SAGV off: done. The C driver does not answer, and every guest waits until it gives up.
            (Skylake, 0x21, 0, 1),
            (Skylake, 0x21, 3, 3),
            (Skylake, 0xff, 7, 7),
        ] {
            let mut machine = on(platform)?;
            machine.set(DATA, data)?;
            machine.set(MAILBOX, 0x8000_0100 | command)?;
            // Not busy, no error.
            assert_eq!(machine.register(MAILBOX)?, 0x100);
            assert_eq!(machine.register(DATA)?, answer);
        }
        Ok(())
    }

    #[test]
    fn fences_are_inside() -> Result {
        let low = 64 * MB;
        let end = 128 * MB - 4096;
        // Tiles in columns, and in rows.
        let fence = |first: u64, last: u64| last << 32 | first | 3;
        let across = |first: u64, last: u64| last << 32 | first | 1;
        // A value, and what the hardware gets.
        for (value, hardware) in [
            (fence(low, low), Some(fence(low, low))),
            (
                fence(low, 128 * MB - 4096),
                Some(fence(low, 128 * MB - 4096)),
            ),
            // In a row of tiles what comes next to it in the picture is elsewhere in memory: whole rows have to be inside.
            (
                fence(low, low) | 0x7ff << 32,
                Some(fence(low, low) | 0x7ff << 32),
            ),
            (fence(end, end), Some(fence(end, end))),
            (fence(end, end) | 1 << 32, None),
            (fence(end, end) | 0x7ff << 32, None),
            (across(end, end) | 3 << 32, Some(across(end, end) | 3 << 32)),
            (across(end, end) | 4 << 32, None),
            (across(end, end) | 0xfff << 32, None),
            // 511 rows of 128 KiB, and one more of which a page is behind the end.
            (across(low + 4096, end) | 0x7f << 32, None),
            // Off: nothing of it matters.
            (0, Some(0)),
            (fence(0, 128 * MB) & !1, Some(0)),
            (fence(low - 4096, low), None),
            (fence(low, 128 * MB), None),
            (fence(low + 4096, low), None),
            (fence(0, 0), None),
            (fence(0, 0xffff_f000), None),
            (u64::MAX, None),
        ] {
            for number in [0, 3] {
                let mut machine = Machine::new()?;
                let at = 0x10_0000 + 8 * number;
                machine.put(BAR0, at, 8, value)?;
                let number = usize::try_from(number).map_err(|_| EINVAL)?;
                assert_eq!(machine.env.fence, hardware.map(|value| (number, value)));
                let kept = if hardware.is_some() { value } else { 0 };
                assert_eq!(machine.get(BAR0, at, 8)?, kept);
                let refused = u64::from(hardware.is_none());
                assert_eq!(machine.vgpu.counters().refused, refused);
            }
        }
        Ok(())
    }

    #[test]
    fn fences_are_written_in_halves() -> Result {
        let mut machine = Machine::new()?;
        // As i915 does it: off, upper half, lower half.
        machine.set(0x10_0008, 0)?;
        machine.set(0x10_000c, 0x0400_1003)?;
        assert_eq!(machine.env.fence, Some((1, 0)));
        machine.set(0x10_0008, 0x0400_0001)?;
        assert_eq!(machine.env.fence, Some((1, 0x0400_1003_0400_0001)));
        // Now half of it cannot be moved outside.
        machine.set(0x10_000c, 0x0800_0000)?;
        assert_eq!(machine.register(0x10_000c)?, 0x0400_1003);
        machine.set(0x10_0008, 0x0000_0001)?;
        assert_eq!(machine.register(0x10_0008)?, 0x0400_0001);
        assert_eq!(machine.env.fence, Some((1, 0x0400_1003_0400_0001)));
        machine.put(BAR0, 0x10_0008, 1, 0)?;
        assert_eq!(machine.env.fence, Some((1, 0)));
        Ok(())
    }

    #[test]
    fn a_guest_has_its_fences_only() -> Result {
        let mut machine = Machine::new()?;
        machine.get(BAR0, PVINFO, 8)?;
        for offset in (0x10_0020..0x10_0080).step_by(8) {
            machine.put(BAR0, offset, 8, 0x0400_0000_0400_0001)?;
            assert_eq!(machine.get(BAR0, offset, 8)?, 0);
            machine.put(BAR0, offset, 4, 1)?;
            assert_eq!(machine.get(BAR0, offset, 4)?, 0);
        }
        assert_eq!(machine.env.fence, None);
        assert_eq!(machine.vgpu.failsafe(), None);
        // A guest that uses them without having asked how many it has is not made for vGPUs.
        let mut machine = Machine::new()?;
        machine.put(BAR0, 0x10_0020, 4, 1)?;
        assert_eq!(machine.vgpu.failsafe(), Some(Failsafe::UnsupportedGuest));
        assert_eq!(machine.env.fence, None);
        Ok(())
    }

    #[test]
    fn status_pages_are_the_guests() -> Result {
        for base in [0x2080, 0x1_2080, 0x1_a080, 0x2_2080] {
            let mut machine = Machine::new()?;
            for (page, good) in [
                (64 * MB, true),
                (128 * MB - 4096, true),
                (1024 * MB, true),
                (1408 * MB - 4096, true),
                (0, true),
                (64 * MB - 4096, false),
                (128 * MB, false),
                (1408 * MB, false),
                (64 * MB + 8, false),
                (0xffff_f000, false),
            ] {
                let before = machine.get(BAR0, base, 4)?;
                machine.put(BAR0, base, 4, page)?;
                assert_eq!(
                    machine.get(BAR0, base, 4)?,
                    if good { page } else { before }
                );
            }
        }
        Ok(())
    }

    #[test]
    fn user_batches_get_at_some_registers() -> Result {
        const NONE: u32 = 0x2094;
        for slot in (0x24d0..=0x24fc).step_by(4) {
            let mut machine = Machine::new()?;
            for (value, good) in [
                (NONE, true),
                (0x7014, true),
                (0xf000_2580, true),
                (0x7015, false),
                (0x229c, false),
                (0x2080, false),
                (0x2_2094, false),
                (0x10_0000, false),
                (u32::MAX, false),
            ] {
                let before = machine.register(slot)?;
                machine.set(slot, value)?;
                assert_eq!(machine.register(slot)?, if good { value } else { before });
            }
        }
        Ok(())
    }

    #[test]
    fn user_batches_get_at_no_register_that_is_not_the_guests_own() -> Result {
        const NONE: u32 = 0x2094;
        const SLOT: u32 = 0x24d0;
        for (platform, value, kept) in [
            (Skylake, 0x2580, 0x2580),
            // Its place in the image is Gen9's.
            (Broadwell, 0x2580, NONE),
            (Skylake, 0x28a0, NONE),
            (Skylake, 0x7700, NONE),
            (CometLake, 0xe5f4, NONE),
            (Skylake, 0x1006_4844, NONE),
        ] {
            let mut machine = on(platform)?;
            machine.set(SLOT, 0x7014)?;
            machine.set(SLOT, value)?;
            assert_eq!(machine.register(SLOT)?, kept);
        }
        Ok(())
    }

    #[test]
    fn a_guest_that_knows_vgpus_drives_engines() -> Result {
        let mut machine = Machine::new()?;
        machine.get(BAR0, PVINFO + 0x40, 4)?;
        machine.set(RING_MODE, masked(PPGTT | EXECLISTS))?;
        assert_eq!(machine.register(RING_MODE)?, PPGTT | EXECLISTS);
        assert_eq!(machine.vgpu.failsafe(), None);
        Ok(())
    }

    #[test]
    fn a_guest_that_cannot_work_gets_memory() -> Result {
        // Platform, whether PVINFO was looked at, register, written, value that is accepted.
        for (platform, aware, offset, written, accepted) in [
            (Skylake, false, RING_MODE, masked(PPGTT), PPGTT),
            (Skylake, false, 0x2_229c, masked(EXECLISTS), EXECLISTS),
            (Skylake, true, RING_MODE, masked(1), 0),
            (CoffeeLake, true, RING_MODE, masked(2), 0),
            (CometLake, true, RING_MODE, masked(3), 0),
            (Skylake, true, 0x20d4, masked(8), 0),
            (Broxton, true, 0x20d4, masked(0x11), 1),
        ] {
            let mut machine = on(platform)?;
            if aware {
                machine.get(BAR0, PVINFO, 4)?;
            }
            machine.set(offset, written)?;
            let reason = Failsafe::UnsupportedGuest;
            let note = Note::Failsafe(reason);
            assert_eq!(machine.effects.notes().next(), Some(&note));
            assert_eq!(machine.vgpu.failsafe(), Some(reason));
            assert_eq!(machine.register(offset)?, accepted);
            is_memory(&mut machine)?;
            machine.reset();
            assert_eq!(machine.vgpu.failsafe(), None);
            assert_eq!(machine.register(offset)?, 0);
        }
        // On others this bit is as any other.
        let mut machine = on(Skylake)?;
        machine.set(RING_MODE, masked(2))?;
        assert_eq!(machine.vgpu.failsafe(), None);
        Ok(())
    }

    #[test]
    fn a_guest_that_gives_up_gets_memory() -> Result {
        for offset in (0x808..0x818).step_by(4) {
            let mut machine = Machine::new()?;
            machine.put(BAR0, PVINFO + offset, 4, 0)?;
            assert_eq!(
                machine.vgpu.failsafe(),
                Some(Failsafe::InsufficientResources)
            );
            let text = "out of order until it is reset: ";
            assert!(machine
                .effects
                .notes()
                .all(|note| Text::of(note).starts_with(text)));
            is_memory(&mut machine)?;
        }
        Ok(())
    }

    /// Nothing of the registers does anything.
    fn is_memory(machine: &mut Machine) -> Result {
        let counters = machine.vgpu.counters();
        for offset in [
            0x9418, 0x2080, 0x24d0, 0x4_4308, 0x10_0000, 0x10_0078, 0x7_8000, 0x2_8000,
        ] {
            machine.put(BAR0, offset, 8, 0x0123_4567_89ab_cdef)?;
            assert_eq!(machine.get(BAR0, offset, 8)?, 0x0123_4567_89ab_cdef);
            machine.put(BAR0, offset + 1, 1, 0)?;
            assert_eq!(machine.get(BAR0, offset, 8)?, 0x0123_4567_89ab_00ef);
        }
        machine.raise(Event::Gse);
        assert!(!machine.effects.injects_msi());
        assert_eq!(machine.env.fence, None);
        let after = Counters {
            reads: counters.reads,
            writes: counters.writes,
            ..machine.vgpu.counters()
        };
        assert_eq!(after, counters);
        Ok(())
    }

    #[test]
    fn engines_are_reset_at_once() -> Result {
        const PLAIN: u32 = 0x7_0008;
        const BASES: [u32; 5] = [0x2000, 0x1_2000, 0x2_2000, 0x1_a000, 0x1_c000];
        for (bits, reset) in [
            (1 << 1, 0b00001),
            (1 << 2, 0b00010),
            (1 << 3, 0b00100),
            (1 << 4, 0b01000),
            (1 << 7, 0b10000),
            (1 << 1 | 1 << 3, 0b00101),
            (1, 0b11111),
            (0, 0),
        ] {
            let mut machine = on(Skylake)?;
            machine.get(BAR0, PVINFO, 8)?;
            for base in BASES {
                machine.set(base + 0x30, 0x88)?;
                machine.set(base + 0x29c, masked(EXECLISTS))?;
                machine.set(base + 0xa8, 0)?;
            }
            machine.set(PLAIN, 5)?;
            machine.set(0x7004, masked(4))?;
            machine.set(0x941c, bits)?;
            assert_eq!(machine.register(0x941c)?, 0);
            for (number, base) in BASES.into_iter().enumerate() {
                let was_reset = reset >> number & 1 == 1;
                let expected = if was_reset {
                    (0, 0, u32::MAX)
                } else {
                    (0x88, EXECLISTS, 0)
                };
                let tail = machine.register(base + 0x30)?;
                let mode = machine.register(base + 0x29c)?;
                let mask = machine.register(base + 0xa8)?;
                assert_eq!((tail, mode, mask), expected);
            }
            assert_eq!(machine.register(0x7004)?, if bits == 1 { 0 } else { 4 });
            // The display, and who the vGPU is, are not part of it.
            assert_eq!(machine.register(PLAIN)?, 5);
            assert_eq!(machine.get(BAR0, PVINFO + 0x50, 4)?, 4);
            assert_eq!(machine.vgpu.failsafe(), None);
        }
        Ok(())
    }

    #[test]
    fn the_guc_is_in_reset() -> Result {
        let mut machine = Machine::new()?;
        for _ in 0..2 {
            assert_eq!(machine.register(0xc000)?, 1);
            assert_eq!(machine.register(0xc000)?, 0);
            machine.set(0x941c, 1 << 5)?;
        }
        // It starts no transfer.
        machine.set(0xc314, 0x11)?;
        assert_eq!(machine.register(0xc314)?, 0x10);
        Ok(())
    }

    #[test]
    fn an_engine_is_ready_for_its_reset() -> Result {
        let mut machine = Machine::new()?;
        for offset in [0x20d0, 0x1_20d0, 0x2_20d0] {
            machine.set(offset, masked(1))?;
            assert_eq!(machine.register(offset)?, 3);
            machine.set(offset, 0xffff_0002)?;
            assert_eq!(machine.register(offset)?, 0);
        }
        Ok(())
    }

    #[test]
    fn translations_are_forgotten_at_once() -> Result {
        let mut machine = Machine::new()?;
        for offset in [0x4260, 0x4264, 0x4268, 0x426c, 0x4270, 0x6_4834, 0x6_4838] {
            machine.set(offset, u32::MAX)?;
            assert_eq!(machine.register(offset)?, 0);
        }
        Ok(())
    }

    #[test]
    fn page_sizes_and_tiled_resources_are_checked() -> Result {
        let mut machine = Machine::new()?;
        for (offset, value, good) in [
            (0x4080, 0xf, true),
            (0x4080, 0xf0, true),
            (0x4080, 0x1, false),
            (0x4080, 0xfe, false),
            (0x4df4, 0x3, true),
            (0x4df4, 0x0, true),
            (0x4df4, 0x1, false),
            (0x4df4, 0xfffd, false),
        ] {
            let before = machine.register(offset)?;
            machine.set(offset, value)?;
            assert_eq!(machine.register(offset)?, if good { value } else { before });
        }
        // MBCTL: one bit of it stays 0.
        machine.set(0x907c, u32::MAX)?;
        assert_eq!(machine.register(0x907c)?, 0xffff_ffef);
        Ok(())
    }

    #[test]
    fn locks_of_plls_are_seen_together() -> Result {
        let mut machine = Machine::new()?;
        for (pll, status) in [
            (0x4_6010, 0x0000_0001),
            (0x4_6014, 0x0000_0101),
            (0x4_6040, 0x0001_0101),
            (0x4_6060, 0x0101_0101),
        ] {
            machine.set(pll, 0x8000_0000)?;
            assert_eq!(machine.register(0x6_c060)?, status);
        }
        machine.set(0x4_6010, 0)?;
        assert_eq!(machine.register(0x6_c060)?, 0x0101_0100);
        Ok(())
    }

    #[test]
    fn engines_have_the_time_of_the_hardware() -> Result {
        let mut machine = Machine::new()?;
        for (time, offset) in (1..).zip([0x2358, 0x235c, 0x1_2358, 0x2_235c]) {
            machine.set(offset, 0x77)?;
            assert_eq!(machine.register(offset)?, time);
            assert_eq!(machine.env.hardware, Some(offset));
        }
        Ok(())
    }

    /// A request to the sideband interface of the PCH.
    fn sideband(machine: &mut Machine, address: u32, control: u32) -> Result {
        machine.set(0xc_6000, address << 16)?;
        machine.set(0xc_6008, control | 1)?;
        assert_eq!(machine.register(0xc_6008)?, control & !7);
        Ok(())
    }

    #[test]
    fn the_sideband_keeps_values() -> Result {
        const READ: u32 = 0x600;
        const WRITE: u32 = 0x700;
        let mut machine = Machine::new()?;
        for address in 0..30 {
            machine.set(0xc_6004, 100 + address)?;
            sideband(&mut machine, address, WRITE)?;
        }
        machine.set(0xc_6004, 7)?;
        sideband(&mut machine, 3, WRITE | 6)?;
        for (address, value) in [(0, 100), (3, 7), (19, 119), (20, 0), (29, 0)] {
            sideband(&mut machine, address, READ)?;
            assert_eq!(machine.register(0xc_6004)?, value);
        }
        // The other destination has registers of its own.
        sideband(&mut machine, 3, READ | 1 << 16)?;
        assert_eq!(machine.register(0xc_6004)?, 0);
        machine.reset();
        sideband(&mut machine, 3, READ)?;
        assert_eq!(machine.register(0xc_6004)?, 0);
        Ok(())
    }

    #[test]
    fn notifications_are_counted() -> Result {
        let mut machine = Machine::new()?;
        for notification in [4, 5, 0, 99] {
            machine.put(BAR0, PVINFO + 0x838, 8, 0x1_2345_6000)?;
            machine.put(BAR0, PVINFO + 0x818, 4, notification)?;
            assert_eq!(machine.get(BAR0, PVINFO + 0x818, 4)?, notification);
        }
        assert_eq!(machine.vgpu.counters().notifications, 4);
        Ok(())
    }
}
