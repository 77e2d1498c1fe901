// SPDX-License-Identifier: GPL-2.0

//! The virtual display behind its registers: as the driver of a guest uses it.

use kernel::prelude::*;

#[kunit_tests(gvt_display)]
mod gvt_display {
    use super::*;
    use crate::fakes::{
        engines,
        setup,
        HostConfig,
        Machine,
        CONFIG,
        EDID,
        MSI_CAP, //
    };
    use gvt_model::{
        edid::{
            mode::{
                Limits,
                Mode,
                ModeDefect, //
            },
            Blocks, //
        },
        effect::Effects,
        mmio::map::RegisterMap,
        platform::Platform,
        types::Resolution,
        vgpu::Host, //
    };

    const MASTER: u32 = 0x4_4200;
    const ON: u32 = 1 << 31;
    const IMR: u32 = 0x4;
    const IIR: u32 = 0x8;
    const IER: u32 = 0xc;
    const PIPE_A: u32 = 0x4_4400;
    const PIPE_B: u32 = 0x4_4410;
    const DE_PORT: u32 = 0x4_4440;
    const PCH: u32 = 0xc_4000;
    const VBLANK: u32 = 1 << 0;
    const FLIP: u32 = 1 << 3;
    const TRANSCONF: u32 = 0x7_0008;
    const FRAMES: u32 = 0x7_0040;
    const SCAN_LINE: u32 = 0x7_0000;
    const SURFACE: u32 = 0x7_019c;
    const SURFACE_LIVE: u32 = 0x7_01ac;
    const PLANE: u32 = 0x7_0180;
    const ASYNC: u32 = 1 << 9;
    /// The AUX channel of port D.
    const AUX: u32 = 0x6_4310;
    /// Send, and interrupt when it is over.
    const SEND: u32 = 1 << 31 | 1 << 29;
    const DONE: u32 = 1 << 30;

    const MS: u64 = 1_000_000;
    /// One frame of the mode after a reset, in nanoseconds.
    const FRAME: u64 = 16_680_567;

    fn machine(platform: Platform) -> Result<Machine> {
        let host = HostConfig::new(7)?;
        let map = RegisterMap::new(platform, engines(), &[])?;
        let mut machine = Machine::on(map, &setup(&host)?)?;
        machine.put(CONFIG, u64::from(MSI_CAP) + 2, 2, 1)?;
        machine.set(MASTER, ON)?;
        Ok(machine)
    }

    fn skylake() -> Result<Machine> {
        machine(Platform::Skylake)
    }

    /// Interrupts for these bits of a group.
    fn enable(machine: &mut Machine, group: u32, bits: u32) -> Result {
        machine.set(group | IMR, !bits)?;
        machine.set(group | IER, bits)
    }

    /// The timer of the driver: runs the display if something is due, at that time.
    fn ring(machine: &mut Machine) -> Option<u64> {
        let next = machine.vgpu.next_blank()?;
        machine.env.now = machine.env.now.max(next);
        run(machine);
        Some(next)
    }

    fn run(machine: &mut Machine) {
        machine.effects = Effects::new();
        let mut host = Host {
            registers: &machine.registers,
            env: &mut machine.env,
            effects: &mut machine.effects,
        };
        machine.vgpu.run_display(&mut host);
    }

    #[test]
    fn nothing_is_due_while_nobody_waits() -> Result {
        let mut machine = skylake()?;
        assert_eq!(machine.vgpu.next_blank(), None);
        enable(&mut machine, PIPE_B, VBLANK)?;
        // That pipe is off.
        assert_eq!(machine.vgpu.next_blank(), None);
        // Without a timer frames are counted all the same.
        let before = machine.register(FRAMES)?;
        machine.env.now = 10 * FRAME + MS;
        assert_eq!(machine.register(FRAMES)?, before + 10);
        assert!(!machine.effects.retimes());
        Ok(())
    }

    #[test]
    fn a_guest_that_waits_is_told_of_each_blank() -> Result {
        let mut machine = skylake()?;
        machine.env.now = 5 * MS;
        enable(&mut machine, PIPE_A, VBLANK)?;
        assert!(machine.effects.retimes());
        let first = machine.vgpu.next_blank();
        assert_eq!(first, Some(5 * MS + FRAME));
        for number in 1..4u32 {
            assert!(ring(&mut machine).is_some());
            assert!(machine.effects.injects_msi());
            assert_eq!(machine.register(FRAMES)?, number);
            assert_eq!(machine.register(PIPE_A | IIR)?, VBLANK);
            machine.set(PIPE_A | IIR, VBLANK)?;
        }
        // A timer that is late by some frames interrupts once.
        machine.env.now += 5 * FRAME;
        run(&mut machine);
        assert!(machine.effects.injects_msi());
        assert_eq!(machine.register(FRAMES)?, 8);
        machine.set(PIPE_A | IIR, VBLANK)?;
        assert_eq!(machine.register(PIPE_A | IIR)?, 0);
        // And one that is early does nothing, but will be asked again.
        run(&mut machine);
        assert!(!machine.effects.injects_msi());
        assert!(machine.effects.retimes());
        Ok(())
    }

    #[test]
    fn a_blank_of_before_is_not_for_who_asks_now() -> Result {
        let mut machine = skylake()?;
        machine.register(FRAMES)?;
        machine.env.now = 20 * FRAME;
        enable(&mut machine, PIPE_A, VBLANK)?;
        assert!(!machine.effects.injects_msi());
        assert_eq!(machine.register(PIPE_A | IIR)?, 0);
        // Who polls needs no timer.
        machine.env.now += FRAME;
        assert_eq!(machine.register(PIPE_A | IIR)?, VBLANK);
        // Nor is anything due for who has masked it again.
        machine.set(PIPE_A | IMR, u32::MAX)?;
        assert!(machine.effects.retimes());
        assert_eq!(machine.vgpu.next_blank(), None);
        Ok(())
    }

    #[test]
    fn a_flip_is_done_at_the_next_blank() -> Result {
        let mut machine = skylake()?;
        enable(&mut machine, PIPE_A, FLIP)?;
        machine.register(FRAMES)?;
        machine.env.now = 3 * FRAME + MS;
        machine.set(SURFACE, 0x400_0000)?;
        assert!(machine.effects.retimes());
        assert_eq!(machine.register(SURFACE_LIVE)?, 0x400_0000);
        assert_eq!(machine.register(0x7_0044)?, 1);
        // The blanks that nobody counted were before.
        assert_eq!(machine.register(PIPE_A | IIR)?, 0);
        assert_eq!(ring(&mut machine), Some(4 * FRAME));
        assert!(machine.effects.injects_msi());
        assert_eq!(machine.register(PIPE_A | IIR)?, FLIP);
        machine.set(PIPE_A | IIR, FLIP)?;
        assert_eq!(machine.vgpu.next_blank(), None);
        // One that does not wait is done at once.
        machine.set(PLANE, ASYNC)?;
        machine.set(SURFACE, 0x400_1000)?;
        assert!(machine.effects.injects_msi());
        assert_eq!(machine.vgpu.next_blank(), None);
        Ok(())
    }

    #[test]
    fn a_pipe_that_is_off_has_no_blanks() -> Result {
        let mut machine = skylake()?;
        enable(&mut machine, PIPE_A, VBLANK)?;
        machine.env.now = MS;
        machine.set(TRANSCONF, 0)?;
        assert!(machine.effects.retimes());
        assert_eq!(machine.register(TRANSCONF)?, 0);
        assert_eq!(machine.vgpu.next_blank(), None);
        machine.env.now = 100 * FRAME;
        assert_eq!(machine.register(FRAMES)?, 0);
        // It starts with a frame.
        machine.set(TRANSCONF, ON)?;
        assert_eq!(machine.register(TRANSCONF)?, 3 << 30);
        assert_eq!(machine.vgpu.next_blank(), Some(101 * FRAME));
        Ok(())
    }

    #[test]
    fn no_rate_is_too_fast_for_the_host() -> Result {
        // gvt-spec 12.1-14 and 15: a divisor of 0, and a period of nothing.
        let mut machine = skylake()?;
        enable(&mut machine, PIPE_A, VBLANK)?;
        for (total, link_m, link_n) in [
            (0, 0, 0),
            (u32::MAX, 0, u32::MAX),
            (1 << 16, u32::MAX, 1),
            (1 << 16 | 1, u32::MAX, 0),
            (u32::MAX, 1, u32::MAX),
        ] {
            for (offset, value) in [
                (0x6_0000, total),
                (0x6_000c, total),
                (0x6_0040, link_m),
                (0x6_0044, link_n),
                (TRANSCONF, 0),
                (TRANSCONF, ON),
            ] {
                machine.set(offset, value)?;
            }
            let now = machine.env.now;
            let next = machine.vgpu.next_blank().ok_or(EINVAL)?;
            // 24 to 240 Hz.
            assert!((4_166_666..=41_666_667).contains(&(next - now)));
            ring(&mut machine);
        }
        Ok(())
    }

    #[test]
    fn a_line_goes_down_the_screen() -> Result {
        let mut machine = skylake()?;
        // 1200 of 1235 lines are seen.
        machine.set(0x6_000c, 1234 << 16 | 1199)?;
        assert_eq!(machine.register(SCAN_LINE)?, 1200);
        let mut last = 0;
        for part in 1..10 {
            machine.env.now = FRAME * part / 10;
            let line = machine.register(SCAN_LINE)?;
            assert!(line > last && line < 1235);
            last = line;
        }
        machine.env.now = FRAME;
        assert_eq!(machine.register(SCAN_LINE)?, 1200);
        // Of a pipe that is off it stands.
        assert_eq!(machine.register(SCAN_LINE + 0x1000)?, 0);
        Ok(())
    }

    /// Sends a message of four bytes and asks for a reply.
    fn send(machine: &mut Machine, channel: u32, message: u32, size: u32) -> Result<u32> {
        machine.set(channel + 4, message)?;
        machine.set(channel, SEND | size << 20)?;
        machine.register(channel)
    }

    #[test]
    fn the_monitor_answers_on_its_port_alone() -> Result {
        for (platform, port, other, group, bit) in [
            (Platform::Skylake, AUX, 0x6_4110, DE_PORT, 27),
            (Platform::CometLake, AUX, 0x6_4210, DE_PORT, 27),
            (Platform::Broxton, 0x6_4110, AUX, DE_PORT, 25),
            (Platform::Broadwell, 0xe_4110, 0xe_4310, PCH, 25),
        ] {
            let mut machine = machine(platform)?;
            enable(&mut machine, group, u32::MAX)?;
            // Four bytes of capabilities.
            let control = send(&mut machine, port, 0x9000_0003, 4)?;
            assert_eq!(control, DONE | 1 << 29 | 5 << 20);
            assert_eq!(machine.register(port + 4)?, 0x0012_1484);
            assert_eq!(machine.register(group | IIR)?, 1 << bit);
            // Nobody there.
            let control = send(&mut machine, other, 0x9000_0003, 4)?;
            assert_eq!(control & (DONE | 1 << 28), DONE | 1 << 28);
        }
        Ok(())
    }

    /// The EDID, read by I2C over AUX as i915 does.
    fn read_edid(machine: &mut Machine, bytes: &mut [u8]) -> Result {
        // Write the offset 0, and go on.
        machine.set(AUX + 8, 0)?;
        send(machine, AUX, 0x4000_5000, 5)?;
        for chunk in bytes.chunks_mut(16) {
            let control = send(machine, AUX, 0x5000_500f, 4)?;
            assert_eq!(control >> 20 & 0x1f, 17);
            let mut reply = [0; 20];
            for (offset, four) in (4..).step_by(4).zip(reply.chunks_mut(4)) {
                four.copy_from_slice(&machine.register(AUX + offset)?.to_be_bytes());
            }
            for (to, from) in chunk.iter_mut().zip(reply.iter().skip(1)) {
                *to = *from;
            }
        }
        Ok(())
    }

    #[test]
    fn a_guest_finds_the_monitor_that_the_vmm_gives_it() -> Result {
        const LINK: u64 = 20;
        const HOTPLUG: u32 = 1 << 23;
        let mut machine = skylake()?;
        enable(&mut machine, PCH, HOTPLUG)?;
        let mut bytes = [0; 128];
        read_edid(&mut machine, &mut bytes)?;
        assert!(bytes == *Blocks::classic(Resolution::Xga).as_bytes());
        assert_eq!(machine.register(0xc_4000)?, HOTPLUG);

        machine.put(EDID, LINK, 4, 2)?;
        assert!(machine.effects.injects_msi());
        assert_eq!(machine.register(PCH | IIR)?, HOTPLUG);
        assert_eq!(machine.register(0xc_4000)?, 0);
        // A long pulse on port D, which the guest clears.
        assert_eq!(machine.register(0xc_4030)? >> 16 & 3, 2);
        machine.set(0xc_4030, 2 << 16)?;
        assert_eq!(machine.register(0xc_4030)? >> 16 & 3, 0);
        machine.set(PCH | IIR, HOTPLUG)?;
        let control = send(&mut machine, AUX, 0x9000_0003, 4)?;
        assert_eq!(control & 1 << 28, 1 << 28);

        let other = Blocks::classic(Resolution::Wuxga);
        for (offset, byte) in (2048..).zip(other.as_bytes()) {
            machine.put(EDID, offset, 1, (*byte).into())?;
        }
        machine.put(EDID, LINK, 4, 1)?;
        assert!(machine.effects.injects_msi());
        // A reset takes neither the monitor nor the plug.
        for _ in 0..2 {
            assert_eq!(machine.register(0xc_4000)?, HOTPLUG);
            read_edid(&mut machine, &mut bytes)?;
            assert!(bytes == *other.as_bytes());
            machine.reset();
        }
        Ok(())
    }

    #[test]
    fn an_administrator_can_change_the_monitor() -> Result {
        let mut machine = skylake()?;
        enable(&mut machine, PCH, 1 << 23)?;
        let mode = Mode::parse(b"2560x1440").map_err(|_| EINVAL)?;
        assert!(machine.vgpu.mode().is_none());
        let mut effects = Effects::new();
        let set = machine
            .vgpu
            .set_mode(&mode, &machine.registers, &mut effects);
        assert_eq!(set, Ok(()));
        assert!(effects.injects_msi());
        assert_eq!(machine.vgpu.mode(), Some(mode));
        // It is what the guest reads, both blocks of it, and what the VMM does.
        let limits = Limits::for_aperture(64 << 20);
        let expected = Blocks::monitor(&mode, limits).map_err(|_| EINVAL)?;
        let mut bytes = [0; 256];
        read_edid(&mut machine, &mut bytes)?;
        assert!(bytes == *expected.as_bytes());
        for (offset, byte) in (2048..).zip(expected.as_bytes()) {
            assert_eq!(machine.get(EDID, offset, 1)?, u64::from(*byte));
        }
        // One that is too big changes nothing.
        let mode = Mode::parse(b"4095x4095@30").map_err(|_| EINVAL)?;
        let set = machine
            .vgpu
            .set_mode(&mode, &machine.registers, &mut effects);
        assert!(matches!(set, Err(ModeDefect::Memory { .. })));
        assert!(machine.vgpu.mode() != Some(mode));
        Ok(())
    }

    #[test]
    fn a_reset_of_the_engines_leaves_the_display_ready() -> Result {
        let mut machine = skylake()?;
        let fuses = machine.register(0x4_2000)?;
        assert_eq!(fuses, 0x8e00_0000);
        // All engines; and what is on its way is not lost.
        machine.set(0x941c, 1)?;
        assert_eq!(machine.register(0x4_2000)?, fuses);
        assert_eq!(machine.register(TRANSCONF)?, 3 << 30);
        Ok(())
    }

    #[test]
    fn gmbus_has_no_monitor() -> Result {
        let mut machine = skylake()?;
        machine.set(0xc_5100, 6)?;
        // Read a byte of the EDID: nobody acknowledges.
        machine.set(0xc_5104, 1 << 30 | 1 << 25 | 1 << 16 | 0x50 << 1 | 1)?;
        assert_eq!(machine.register(0xc_5108)? & 1 << 10, 1 << 10);
        // Written is read.
        assert_eq!(machine.register(0xc_5100)?, 6);
        Ok(())
    }
}
