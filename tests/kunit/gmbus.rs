// SPDX-License-Identifier: GPL-2.0

//! The I2C controller of the south display.

use kernel::prelude::*;

#[kunit_tests(gvt_gmbus)]
mod gvt_gmbus {
    use super::*;
    use gvt_model::{
        display::{
            ddc::Ddc,
            gmbus::{
                Answer,
                Gmbus,
                Register, //
            },
            Ddi, //
        },
        edid::{
            mode::{
                Limits,
                Mode, //
            },
            Blocks, //
        },
        platform::Platform,
        types::Resolution, //
    };

    const CLEAR: u32 = 1 << 31;
    const GO: u32 = 1 << 30;
    const STOP: u32 = 4 << 25;
    const INDEX: u32 = 2 << 25;
    const WAIT: u32 = 1 << 25;
    const READ: u32 = 1;
    const EDID: u32 = 0x50 << 1;
    const SEGMENT: u32 = 0x30 << 1;

    const IN_USE: u32 = 1 << 15;
    const WAITING: u32 = 1 << 14;
    const INTERRUPT: u32 = 1 << 12;
    const READY: u32 = 1 << 11;
    const NACK: u32 = 1 << 10;
    const ACTIVE: u32 = 1 << 9;

    fn big() -> Blocks {
        Mode::reduced(2560, 1440, 60)
            .and_then(|mode| Blocks::monitor(&mode, Limits::new(1 << 30)))
            .unwrap_or(Blocks::classic(Resolution::Xga))
    }

    /// A controller with a monitor on the bus, or without.
    struct Rig {
        gmbus: Gmbus,
        bus: Option<Ddc>,
    }

    impl Rig {
        fn new(edid: Option<Blocks>) -> Self {
            Self {
                gmbus: Gmbus::new(),
                bus: edid.map(Ddc::new),
            }
        }

        fn write(&mut self, register: Register, value: u32) -> bool {
            self.gmbus.write(register, value, self.bus.as_mut())
        }

        fn read(&mut self, register: Register) -> u32 {
            self.gmbus.read(register, self.bus.as_mut()).value
        }

        /// The status without the bit that reading sets.
        fn status(&mut self) -> u32 {
            self.read(Register::Status) & !IN_USE
        }

        /// Waits as `gmbus_wait` of i915 does: `EIO` is a NACK, any other falls back to pins.
        fn wait(&mut self, bit: u32) -> Result {
            match self.status() {
                status if status & NACK != 0 => Err(EIO),
                status if status & bit != 0 => Ok(()),
                _ => Err(ENOSPC),
            }
        }

        /// Reads as i915 does.
        fn fetch(&mut self, command: u32, buffer: &mut [u8]) -> Result {
            let length = u32::try_from(buffer.len()).map_err(|_| EINVAL)?;
            self.write(
                Register::Command,
                command | WAIT | GO | EDID | READ | length << 16,
            );
            for chunk in buffer.chunks_mut(4) {
                self.wait(READY)?;
                let word = self.read(Register::Data).to_le_bytes();
                for (to, from) in chunk.iter_mut().zip(word) {
                    *to = from;
                }
            }
            self.wait(WAITING)
        }

        fn end(&mut self) -> u32 {
            self.write(Register::Command, STOP | GO);
            let status = self.status();
            self.write(Register::Select, 0);
            status
        }
    }

    #[test]
    fn registers_have_their_offsets() {
        for (offset, register) in [
            (0xc5100, Some(Register::Select)),
            (0xc5104, Some(Register::Command)),
            (0xc5108, Some(Register::Status)),
            (0xc510c, Some(Register::Data)),
            (0xc5110, Some(Register::Interrupts)),
            (0xc5114, None),
            (0xc5120, Some(Register::Index)),
            (0xc5101, None),
            (0, None),
        ] {
            assert_eq!(Register::at(offset), register);
        }
    }

    #[test]
    fn pins_lead_to_ports() {
        use Platform::*;
        let old = [
            None,
            None,
            Some(Ddi::E),
            None,
            Some(Ddi::C),
            Some(Ddi::B),
            Some(Ddi::D),
            None,
        ];
        let (b, c, d) = (Some(Ddi::B), Some(Ddi::C), Some(Ddi::D));
        let new = [None, b, c, d, Some(Ddi::E), None, None, None];
        let low_power = [None, b, c, d, None, None, None, None];
        for (platform, ports) in [
            (Broadwell, old),
            (Skylake, old),
            (KabyLake, old),
            (CoffeeLake, new),
            (CometLake, new),
            (Broxton, low_power),
        ] {
            for (pins, port) in (0..).zip(ports) {
                let mut gmbus = Gmbus::new();
                // Only the lowest three bits name pins.
                gmbus.write(Register::Select, 0xffff_fff8 | pins, None);
                assert_eq!(gmbus.selected(platform), port);
                assert_eq!(gmbus.read(Register::Select, None).value, 0xffff_fff8 | pins);
            }
        }
    }

    #[test]
    fn the_edid_is_read_by_index() -> Result {
        let edid = big();
        let mut rig = Rig::new(Some(edid));
        for (index, length) in [
            (0, 128),
            (128, 128),
            (0, 256),
            (1, 1),
            (2, 3),
            (126, 7),
            (0, 255),
        ] {
            let mut buffer = [0; 256];
            let buffer = buffer.get_mut(..length).unwrap_or_default();
            rig.write(Register::Select, 6);
            rig.fetch(INDEX | index << 8, buffer)?;
            let start = usize::try_from(index).map_err(|_| EINVAL)?;
            assert!(edid
                .as_bytes()
                .get(start..)
                .is_some_and(|rest| rest.starts_with(buffer)));
            assert_eq!(rig.end() & (ACTIVE | NACK | WAITING), 0);
        }
        Ok(())
    }

    #[test]
    fn an_offset_can_be_written_first() -> Result {
        let edid = big();
        let mut rig = Rig::new(Some(edid));
        rig.write(Register::Select, 6);
        rig.write(Register::Data, 0x77_0008);
        rig.write(Register::Command, WAIT | GO | 1 << 16 | EDID);
        rig.wait(WAITING)?;
        let mut buffer = [0; 2];
        rig.fetch(0, &mut buffer)?;
        assert_eq!(buffer, [0x22, 0xf0]);
        rig.end();
        // Six bytes, in two words: the last one counts.
        rig.write(Register::Data, 0);
        rig.write(Register::Command, WAIT | GO | 6 << 16 | EDID);
        rig.wait(READY)?;
        assert!(rig.status() & WAITING == 0);
        rig.write(Register::Data, 0x09_00);
        rig.wait(WAITING)?;
        rig.fetch(0, &mut buffer)?;
        assert_eq!(buffer, [0xf0, 0x54]);
        // An index of two bytes.
        rig.write(Register::Index, 1 << 31 | 0x55_08);
        rig.fetch(0, &mut buffer)?;
        assert_eq!(buffer, [0x22, 0xf0]);
        assert_eq!(rig.read(Register::Index), 1 << 31 | 0x55_08);
        Ok(())
    }

    #[test]
    fn a_segment_lasts_until_the_stop() -> Result {
        let mut rig = Rig::new(Some(big()));
        let mut buffer = [0; 4];
        rig.write(Register::Select, 6);
        rig.write(Register::Data, 1);
        rig.write(Register::Command, WAIT | GO | 1 << 16 | SEGMENT);
        rig.wait(WAITING)?;
        rig.fetch(INDEX, &mut buffer)?;
        assert_eq!(buffer, [0xff; 4]);
        rig.end();
        rig.fetch(INDEX, &mut buffer)?;
        assert_eq!(buffer, [0, 0xff, 0xff, 0xff]);
        // The stop can be a part of the transfer.
        rig.write(Register::Data, 1);
        rig.write(Register::Command, STOP | WAIT | GO | 1 << 16 | SEGMENT);
        assert_eq!(rig.status() & (ACTIVE | WAITING | NACK), 0);
        rig.fetch(INDEX, &mut buffer)?;
        assert_eq!(buffer, [0, 0xff, 0xff, 0xff]);
        Ok(())
    }

    #[test]
    fn nobody_acknowledges_without_a_bus() {
        // This is what every DisplayPort monitor looks like from here.
        let mut buffer = [0; 4];
        let mut rig = Rig::new(None);
        rig.write(Register::Select, 6);
        assert_eq!(rig.fetch(INDEX, &mut buffer), Err(EIO));
        assert_eq!(rig.status() & (ACTIVE | NACK | READY), NACK);
        // i915 clears that, and tries again.
        rig.write(Register::Command, CLEAR);
        rig.write(Register::Command, 0);
        assert_eq!(rig.status(), READY);
        // Other addresses, and a read of the segment pointer.
        let mut rig = Rig::new(Some(big()));
        for command in [0x37 << 1, 0x37 << 1 | READ, SEGMENT | READ, 0, 0x7f << 1] {
            rig.write(Register::Command, WAIT | GO | 1 << 16 | command);
            assert_eq!(rig.status() & NACK, NACK);
        }
        // It goes away in the middle.
        rig.write(Register::Command, WAIT | GO | 8 << 16 | EDID | READ);
        rig.bus = None;
        rig.read(Register::Data);
        assert_eq!(rig.status() & (ACTIVE | NACK | READY), NACK);
    }

    #[test]
    fn the_first_reader_has_the_controller() {
        let mut rig = Rig::new(None);
        assert_eq!(rig.read(Register::Status) & IN_USE, 0);
        assert_eq!(rig.read(Register::Status) & IN_USE, IN_USE);
        // Nothing but its owner gives it back.
        rig.write(Register::Command, CLEAR);
        rig.write(Register::Select, 5);
        rig.write(Register::Status, !IN_USE);
        assert_eq!(rig.read(Register::Status) & IN_USE, IN_USE);
        rig.write(Register::Status, IN_USE);
        assert_eq!(rig.read(Register::Status) & IN_USE, 0);
    }

    #[test]
    fn a_command_waits_for_its_go() {
        let mut rig = Rig::new(Some(big()));
        rig.write(Register::Command, WAIT | 4 << 16 | EDID | READ);
        assert_eq!(rig.status(), READY);
        assert_eq!(rig.read(Register::Command), WAIT | 4 << 16 | EDID | READ);
        rig.write(Register::Command, GO);
        assert_eq!(rig.status(), READY);
        // Nothing is transferred, and the bus is held all the same.
        rig.write(Register::Command, GO | WAIT | EDID | READ);
        assert_eq!(rig.status(), READY | ACTIVE | WAITING);
        assert_eq!(rig.read(Register::Data), 0);
    }

    #[test]
    fn what_is_asked_for_interrupts() {
        let transfer = GO | WAIT | 8 << 16 | EDID | READ;
        for (enable, command, raised) in [
            (1 << 0, transfer, true),
            (1 << 1, transfer, false),
            (1 << 2, transfer, false),
            (1 << 3, transfer, false),
            (1 << 1, GO | WAIT | 4 << 16 | EDID | READ, true),
            (1 << 2, GO | STOP, true),
            (1 << 3, GO | WAIT | 4 << 16 | 0x37 << 1, true),
            (1 << 4, GO | WAIT | 4 << 16 | 0x37 << 1, false),
            (0, transfer, false),
        ] {
            // As i915 does it, first the command, and the other way round.
            let mut rig = Rig::new(Some(big()));
            assert!(!rig.write(Register::Command, command));
            assert_eq!(rig.write(Register::Interrupts, enable), raised);
            let noted = rig.status() & INTERRUPT != 0;
            assert_eq!(noted, raised);
            let mut rig = Rig::new(Some(big()));
            rig.write(Register::Interrupts, enable);
            assert_eq!(rig.write(Register::Command, command), raised);
            assert_eq!(rig.read(Register::Interrupts), enable);
            rig.write(Register::Interrupts, 0);
            assert!(!rig.write(Register::Command, CLEAR));
            assert_eq!(rig.status() & INTERRUPT, 0);
        }
        // A read that brings the next bytes.
        let mut rig = Rig::new(Some(big()));
        rig.write(Register::Interrupts, 1);
        rig.write(Register::Command, transfer);
        let answer = rig.gmbus.read(Register::Data, rig.bus.as_mut());
        assert_eq!(
            answer,
            Answer {
                value: 0xffff_ff00,
                interrupt: true
            }
        );
    }

    #[test]
    fn any_sequence_of_accesses_ends() {
        let registers = [
            Register::Select,
            Register::Command,
            Register::Status,
            Register::Data,
            Register::Interrupts,
            Register::Index,
        ];
        let mut rig = Rig::new(Some(big()));
        let mut seed: u32 = 1;
        for _ in 0..4000 {
            seed = seed.wrapping_mul(0x0019_660d).wrapping_add(0x3c6e_f35f);
            let place = usize::try_from(seed >> 28).unwrap_or(0) % registers.len();
            let Some(register) = registers.get(place) else {
                continue;
            };
            if seed & 0x80_0000 != 0 {
                rig.write(*register, seed.rotate_left(11) | GO);
            } else {
                rig.read(*register);
            }
            let status = rig.status();
            assert_eq!(status & !(WAITING | INTERRUPT | READY | NACK | ACTIVE), 0);
            assert!(status & NACK == 0 || status & (READY | ACTIVE) == 0);
        }
    }
}
