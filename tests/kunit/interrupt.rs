// SPDX-License-Identifier: GPL-2.0

//! The interrupt tree: from an event to one message.

use kernel::prelude::*;

#[kunit_tests(gvt_interrupt)]
mod gvt_interrupt {
    use super::*;
    use crate::fakes::{
        engines,
        setup,
        HostConfig,
        Machine,
        CONFIG,
        MSI_CAP, //
    };
    use gvt_model::{
        display::{
            flip::FlipPlane,
            Ddi,
            Pipe, //
        },
        engine::EngineId,
        interrupt::{
            EngineEvent,
            Event, //
        },
        mmio::map::RegisterMap,
        platform::Platform,
    };

    const MASTER: u32 = 0x4_4200;
    const ENABLE: u32 = 1 << 31;
    const IMR: u32 = 4;
    const IIR: u32 = 8;
    const IER: u32 = 0xc;
    const GT0: u32 = 0x4_4300;
    const PIPE_A: u32 = 0x4_4400;
    const RCS_IMR: u32 = 0x20a8;

    const USER: Event = Event::Engine(EngineId::Rcs0, EngineEvent::User);
    const VBLANK: Event = Event::Vblank(Pipe::A);

    /// All groups.
    const GROUPS: [u32; 11] = [
        0x4_4300, 0x4_4310, 0x4_4320, 0x4_4330, 0x4_4400, 0x4_4410, 0x4_4420, 0x4_4440, 0x4_4460,
        0x4_44e0, 0xc_4000,
    ];

    fn on(platform: Platform) -> Result<Machine> {
        let config = HostConfig::new(7)?;
        let map = RegisterMap::new(platform, engines().with(EngineId::Vcs1), &[])?;
        Machine::on(map, &setup(&config)?)
    }

    fn enable_msi(machine: &mut Machine, enable: bool) -> Result {
        Ok(machine.put(CONFIG, u64::from(MSI_CAP) + 2, 2, enable.into())?)
    }

    /// A machine whose guest wants all interrupts.
    fn listening(platform: Platform) -> Result<Machine> {
        let mut machine = on(platform)?;
        enable_msi(&mut machine, true)?;
        for base in GROUPS {
            machine.set(base + IMR, 0)?;
            machine.set(base + IER, u32::MAX)?;
        }
        for id in EngineId::ALL {
            machine.set(id.mmio_base() + 0xa8, 0)?;
        }
        machine.set(MASTER, ENABLE)?;
        Ok(machine)
    }

    #[test]
    fn events_have_their_bits() -> Result {
        use EngineEvent::*;
        use EngineId::*;
        use Platform::*;

        // Event, base of its group, its bit, bit of the master register.
        let engines = [
            (Event::Engine(Rcs0, User), GT0, 0, 0),
            (Event::Engine(Rcs0, Flush), GT0, 4, 0),
            (Event::Engine(Rcs0, ContextSwitch), GT0, 8, 0),
            (Event::Engine(Bcs0, User), GT0, 16, 1),
            (Event::Engine(Bcs0, ContextSwitch), GT0, 24, 1),
            (Event::Engine(Vcs0, Flush), 0x4_4310, 4, 2),
            (Event::Engine(Vcs1, User), 0x4_4310, 16, 3),
            (Event::Engine(Vecs0, ContextSwitch), 0x4_4330, 8, 6),
            (Event::Vblank(Pipe::A), 0x4_4400, 0, 16),
            (Event::Vblank(Pipe::B), 0x4_4410, 0, 17),
            (Event::Vblank(Pipe::C), 0x4_4420, 0, 18),
            (Event::Gse, 0x4_4460, 27, 22),
        ];
        for platform in [Broadwell, Skylake, KabyLake, Broxton, CoffeeLake, CometLake] {
            for (event, base, bit, master) in engines {
                check(platform, event, Some((base, bit, master)))?;
            }
        }
        let de_port = |bit| Some((0x4_4440, bit, 20));
        let pch = |bit| Some((0xc_4000, bit, 23));
        for (platform, event, place) in [
            (
                Broadwell,
                Event::FlipDone(Pipe::B, FlipPlane::Primary),
                Some((0x4_4410, 4, 17)),
            ),
            (
                Broadwell,
                Event::FlipDone(Pipe::B, FlipPlane::Sprite),
                Some((0x4_4410, 5, 17)),
            ),
            (
                Skylake,
                Event::FlipDone(Pipe::C, FlipPlane::Primary),
                Some((0x4_4420, 3, 18)),
            ),
            (
                Broxton,
                Event::FlipDone(Pipe::A, FlipPlane::Sprite),
                Some((0x4_4400, 4, 16)),
            ),
            (Broadwell, Event::Aux(Ddi::A), de_port(0)),
            (Broadwell, Event::Aux(Ddi::D), pch(27)),
            (KabyLake, Event::Aux(Ddi::B), de_port(25)),
            (CometLake, Event::Aux(Ddi::D), de_port(27)),
            (Broxton, Event::Aux(Ddi::D), None),
            (Broadwell, Event::Hotplug(Ddi::A), de_port(3)),
            (Broadwell, Event::Hotplug(Ddi::B), pch(21)),
            (Skylake, Event::Hotplug(Ddi::A), pch(24)),
            (CoffeeLake, Event::Hotplug(Ddi::D), pch(23)),
            (Broxton, Event::Hotplug(Ddi::B), de_port(4)),
            (Broxton, Event::Hotplug(Ddi::D), None),
            (Skylake, Event::Gmbus, pch(17)),
            (Broxton, Event::Gmbus, de_port(1)),
        ] {
            check(platform, event, place)?;
        }
        Ok(())
    }

    fn check(platform: Platform, event: Event, place: Option<(u32, u32, u32)>) -> Result {
        let mut machine = listening(platform)?;
        machine.raise(event);
        assert_eq!(machine.effects.injects_msi(), place.is_some());
        let master = place.map_or(0, |(_, _, bit)| 1 << bit);
        assert_eq!(machine.register(MASTER)?, ENABLE | master);
        for base in GROUPS {
            let bits = match place {
                Some((group, bit, _)) if group == base => 1 << bit,
                _ => 0,
            };
            assert_eq!(machine.register(base + IIR)?, bits);
        }
        Ok(())
    }

    #[test]
    fn masked_events_are_forgotten() -> Result {
        for (offset, bits) in [(GT0 + IMR, 1), (RCS_IMR, 1)] {
            let mut machine = listening(Platform::Skylake)?;
            machine.set(offset, bits)?;
            machine.raise(USER);
            assert!(!machine.effects.injects_msi());
            machine.set(offset, 0)?;
            assert!(!machine.effects.injects_msi());
            assert_eq!(machine.register(GT0 + IIR)?, 0);
            machine.raise(USER);
            assert!(machine.effects.injects_msi());
        }
        Ok(())
    }

    #[test]
    fn after_a_reset_all_is_masked() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        machine.raise(USER);
        machine.reset();
        enable_msi(&mut machine, true)?;
        machine.set(MASTER, ENABLE)?;
        for base in GROUPS {
            machine.set(base + IER, u32::MAX)?;
        }
        for event in [
            USER,
            VBLANK,
            Event::Gse,
            Event::Aux(Ddi::B),
            Event::Hotplug(Ddi::B),
        ] {
            machine.raise(event);
            assert!(!machine.effects.injects_msi());
        }
        assert_eq!(machine.register(MASTER)?, ENABLE);
        Ok(())
    }

    #[test]
    fn the_guest_lets_pass_what_it_wants() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        machine.set(PIPE_A + IER, 0)?;
        machine.raise(VBLANK);
        assert!(!machine.effects.injects_msi());
        assert_eq!(machine.register(PIPE_A + IIR)?, 1);
        assert_eq!(machine.register(MASTER)?, ENABLE);
        // What is there already passes as soon as it may.
        machine.set(PIPE_A + IER, 1)?;
        assert!(machine.effects.injects_msi());
        assert_eq!(machine.register(MASTER)?, ENABLE | 1 << 16);
        Ok(())
    }

    #[test]
    fn a_written_1_clears() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        machine.raise(Event::Engine(EngineId::Rcs0, EngineEvent::Flush));
        machine.raise(Event::Engine(EngineId::Bcs0, EngineEvent::User));
        assert_eq!(machine.register(GT0 + IIR)?, 0x1_0010);
        machine.set(GT0 + IIR, 0x1_0001)?;
        assert_eq!(machine.register(GT0 + IIR)?, 0x10);
        assert_eq!(machine.register(MASTER)?, ENABLE | 1);
        // A byte clears what is in it.
        machine.put(crate::fakes::BAR0, u64::from(GT0 + IIR), 1, 0xff)?;
        assert_eq!(machine.register(GT0 + IIR)?, 0);
        assert_eq!(machine.register(MASTER)?, ENABLE);
        Ok(())
    }

    #[test]
    fn an_event_during_another_is_not_lost() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        machine.raise(USER);
        machine.set(MASTER, 0)?;
        // The guest handles the first; two more come before it clears the bit, and count as one.
        machine.raise(USER);
        machine.raise(USER);
        assert!(!machine.effects.injects_msi());
        machine.set(GT0 + IIR, 1)?;
        assert_eq!(machine.register(GT0 + IIR)?, 1);
        machine.set(MASTER, ENABLE)?;
        assert!(machine.effects.injects_msi());
        machine.set(GT0 + IIR, 1)?;
        assert_eq!(machine.register(GT0 + IIR)?, 0);
        Ok(())
    }

    #[test]
    fn only_one_bit_of_the_master_can_be_written() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        machine.set(MASTER, u32::MAX)?;
        assert_eq!(machine.register(MASTER)?, ENABLE);
        machine.raise(VBLANK);
        machine.set(MASTER, 0)?;
        assert_eq!(machine.register(MASTER)?, 1 << 16);
        Ok(())
    }

    #[test]
    fn one_message_for_each_edge() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        let mut sent = 0;
        for event in [USER, VBLANK, Event::Gse] {
            machine.raise(event);
            sent += u32::from(machine.effects.injects_msi());
        }
        assert_eq!(sent, 1);
        // As i915 does it: master off, handle, master on.
        machine.set(MASTER, 0)?;
        assert!(!machine.effects.injects_msi());
        machine.set(GT0 + IIR, 1)?;
        machine.set(MASTER, ENABLE)?;
        assert!(machine.effects.injects_msi());
        machine.set(MASTER, ENABLE)?;
        assert!(!machine.effects.injects_msi());
        machine.set(PIPE_A + IIR, 1)?;
        machine.set(0x4_4460 + IIR, u32::MAX)?;
        machine.raise(VBLANK);
        assert!(machine.effects.injects_msi());
        Ok(())
    }

    #[test]
    fn there_can_be_no_storm() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        let mut sent = 0;
        for _ in 0..10_000 {
            for event in [USER, VBLANK, Event::Gmbus] {
                machine.raise(event);
                sent += u32::from(machine.effects.injects_msi());
            }
        }
        assert_eq!(sent, 1);
        Ok(())
    }

    #[test]
    fn without_msi_there_is_no_message() -> Result {
        let mut machine = listening(Platform::Skylake)?;
        enable_msi(&mut machine, false)?;
        machine.raise(USER);
        assert!(!machine.effects.injects_msi());
        assert_eq!(machine.register(MASTER)?, ENABLE | 1);
        // What waits is sent as soon as it can be.
        enable_msi(&mut machine, true)?;
        assert!(machine.effects.injects_msi());
        enable_msi(&mut machine, true)?;
        assert!(!machine.effects.injects_msi());
        // Several vectors: not supported, so nothing is sent.
        machine.put(CONFIG, u64::from(MSI_CAP) + 2, 2, 0x11)?;
        machine.set(GT0 + IIR, 1)?;
        machine.raise(USER);
        assert!(!machine.effects.injects_msi());
        Ok(())
    }
}
