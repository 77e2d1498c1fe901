// SPDX-License-Identifier: GPL-2.0

//! The work of a guest: what it submits, what the GPU is given, and what the guest is told.

use kernel::prelude::*;

#[kunit_tests(gvt_work)]
mod gvt_work {
    use super::*;
    use crate::fakes::{
        engines,
        Text, //
    };
    use crate::worker::{
        Worker,
        BATCH,
        CONTEXT_A,
        CONTEXT_B,
        RING,
        STATUS, //
    };
    use gvt_model::{
        cmd::Flaw,
        effect::{
            Note,
            Refusal, //
        },
        engine::EngineId,
        interrupt::{
            EngineEvent,
            Event, //
        },
        mmio::map::RegisterMap,
        platform::Platform, //
    };

    const BCS: u32 = 0x2_2000;
    const GDRST: u32 = 0x941c;
    const GAMW_ECO_DEV_RW_IA: u32 = 0x4080;
    const NOOP: u32 = 0;
    const ARB_CHECK: u32 = 0x05 << 23;
    const USER_INTERRUPT: u32 = 0x02 << 23;
    const LOAD: u32 = 0x22 << 23 | 1;
    const START: u32 = 0x31 << 23 | 1;
    const END: u32 = 0x0a << 23;
    /// MI_STORE_DATA_IMM to the GGTT.
    const STORE: u32 = 0x20 << 23 | 1 << 22 | 2;

    const IDLE_TO_ACTIVE: u32 = 1 << 0;
    const ELEMENT_SWITCH: u32 = 1 << 2 | 1 << 4;
    const COMPLETE: u32 = 1 << 3 | 1 << 4;

    const HEAD: u32 = 5;
    const INHIBIT: u32 = 1;

    #[test]
    fn a_context_runs_and_the_guest_is_told() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, USER_INTERRUPT]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.effects.kicks().contains(EngineId::Bcs0));
        assert!(worker.effects.injects_msi());
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);
        assert!(worker.is_ready());

        let commands = worker.launch().ok_or(EINVAL)?;
        // An even number, and the interrupt is the host's business.
        assert!(*commands == [ARB_CHECK, NOOP]);
        assert!(!worker.is_ready());
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);

        worker.complete(true);
        assert_eq!(worker.told(), [COMPLETE, 7]);
        let switched = worker
            .effects
            .raised()
            .any(|(event, _)| *event == Event::Engine(EngineId::Bcs0, EngineEvent::ContextSwitch));
        let interrupted = worker
            .effects
            .raised()
            .any(|(event, _)| *event == Event::Engine(EngineId::Bcs0, EngineEvent::User));
        assert!(switched && interrupted);
        assert_eq!(worker.register(BCS | 0x34)?, 8);
        assert_eq!(worker.register(BCS | 0x30)?, 8);
        assert_eq!(worker.state(CONTEXT_A, HEAD), 8);
        assert_eq!(worker.register(BCS | 0x234)?, 0);
        assert!(!worker.is_ready());
        Ok(())
    }

    #[test]
    fn what_is_told_is_in_registers_and_in_the_status_page() -> Result {
        let mut worker = Worker::new()?;
        for round in 0..9u32 {
            worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
            worker.submit(&[(CONTEXT_A, round)])?;
            assert!(worker.launch().is_some());
            worker.complete(true);
            // Two entries in each round, six in all.
            let number = (2 * round + 1) % 6;
            assert_eq!(worker.register(BCS | 0x3a0)? & 7, number);
            assert_eq!(worker.word(STATUS + 0x7c), number);
            let entry = 8 * number;
            for (register, page) in [(0x370, 0x40), (0x374, 0x44)] {
                let value = worker.register((BCS | register) + entry)?;
                assert_eq!(worker.word(STATUS + page + entry), value);
            }
            assert_eq!(worker.told(), [COMPLETE, round]);
        }
        Ok(())
    }

    #[test]
    fn a_context_that_is_submitted_again_goes_on() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        worker.ring(CONTEXT_A, &[NOOP, NOOP, LOAD, 0x2_2028, 5, ARB_CHECK]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        // The guest is told later, so that it submits the next ones together.
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);
        // The GPU gets only what is new, while it has the rest.
        let commands = worker.launch();
        assert!(commands.is_none_or(|commands| commands.len() == 4));
        worker.complete(true);
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);
        assert_eq!(worker.told_before(), [COMPLETE, 7]);
        worker.complete(true);
        assert_eq!(worker.told(), [COMPLETE, 7]);
        assert_eq!(worker.state(CONTEXT_A, HEAD), 24);
        Ok(())
    }

    #[test]
    fn two_contexts_run_in_turn() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.ring(CONTEXT_B, &[NOOP, NOOP, ARB_CHECK, ARB_CHECK]);
        worker.submit(&[(CONTEXT_A, 7), (CONTEXT_B, 8)])?;
        assert!(worker.launch().is_some());
        // The other one has another image.
        assert!(worker.launch().is_none());
        worker.complete(true);
        assert_eq!(worker.told(), [ELEMENT_SWITCH, 7]);
        let commands = worker.launch().ok_or(EINVAL)?;
        assert!(*commands == [NOOP, NOOP, ARB_CHECK, ARB_CHECK]);
        worker.complete(true);
        assert_eq!(worker.told(), [COMPLETE, 8]);
        Ok(())
    }

    #[test]
    fn another_submission_waits() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.ring(CONTEXT_B, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        worker.submit(&[(CONTEXT_B, 8)])?;
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);
        // There is no room for a third.
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.refused(Refusal::QueueFull));
        assert!(worker.launch().is_some());
        worker.complete(true);
        // The end of the one and the beginning of the other.
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);
        assert_eq!(worker.told_before(), [COMPLETE, 7]);
        assert!(worker.launch().is_some());
        worker.complete(true);
        assert_eq!(worker.told(), [COMPLETE, 8]);
        Ok(())
    }

    #[test]
    fn what_cannot_run_hangs_until_the_engine_is_reset() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[STORE, 0x1000, 0, 1]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        let flaw = Flaw::Address {
            header: STORE,
            address: 0x1000,
        };
        let hang = Note::Hang {
            engine: EngineId::Bcs0,
            flaw,
        };
        assert!(Text::of(&hang).starts_with("bcs0 does no more until the guest resets it: "));
        assert!(worker.effects.notes().eq(&[hang]));
        assert!(!worker.is_ready());
        // Nothing more happens, and the guest is told nothing.
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(!worker.is_ready());
        assert_eq!(worker.register(BCS | 0x3a0)? & 7, 7);
        assert!(worker.machine.vgpu.failsafe().is_none());

        worker.reset_engine()?;
        worker.enable()?;
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        worker.complete(true);
        assert_eq!(worker.told(), [COMPLETE, 7]);
        Ok(())
    }

    #[test]
    fn what_the_gpu_gave_up_hangs_too() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        worker.submit(&[(CONTEXT_B, 8)])?;
        assert!(worker.launch().is_some());
        worker.complete(false);
        assert_eq!(worker.told(), [IDLE_TO_ACTIVE, 0]);
        assert!(!worker.is_ready());
        Ok(())
    }

    #[test]
    fn an_engine_that_is_reset_forgets_its_work() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        worker.reset_engine()?;
        worker.enable()?;
        // What the GPU has is nobody's any more, and what comes next waits for it.
        worker.submit(&[(CONTEXT_A, 9)])?;
        assert!(worker.launch().is_none());
        let told = worker.told();
        worker.complete(true);
        assert_eq!(worker.told(), told);
        assert!(worker.launch().is_some());
        worker.complete(true);
        assert_eq!(worker.told(), [COMPLETE, 9]);
        Ok(())
    }

    #[test]
    fn nothing_runs_where_execution_lists_are_off() -> Result {
        let mut worker = Worker::disabled()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.refused(Refusal::NotEnabled));
        assert!(!worker.is_ready());
        worker.enable()?;
        // Neither does what is no context, or has no page tables.
        worker.submit_raw(0, 0)?;
        assert!(worker.refused(Refusal::NoContext));
        worker.submit_raw(u64::from(CONTEXT_A) | 0x19, 0)?;
        assert!(worker.refused(Refusal::NoContext));
        Ok(())
    }

    #[test]
    fn a_context_is_all_in_own_memory() -> Result {
        let mut worker = Worker::new()?;
        worker.submit(&[(0x10_0000, 7)])?;
        let flaw = Flaw::Context {
            engine: EngineId::Bcs0,
            lrca: 0x10_0000,
        };
        let hang = Note::Hang {
            engine: EngineId::Bcs0,
            flaw,
        };
        assert!(worker.effects.notes().eq(&[hang]));
        worker.reset_engine()?;
        worker.enable()?;
        // A ring that goes on behind the end.
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.set_state(CONTEXT_A, 11, 0x1f_f001);
        worker.set_state(CONTEXT_A, 9, 0x7f0_0000);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(!worker.is_ready());
        Ok(())
    }

    #[test]
    fn an_image_takes_values_and_nothing_else() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        // The host's fresh image loads two registers, and has a command.
        worker.set_state(CONTEXT_A, 0x50, LOAD + 2);
        worker.set_state(CONTEXT_A, 0x51, 0x2_2600);
        worker.set_state(CONTEXT_A, 0x52, 0x1234);
        // The guest wants another register here.
        worker.set_state(CONTEXT_A, 0x53, 0x2_2080);
        worker.set_state(CONTEXT_A, 0x54, 0xbad);
        // And another command there.
        worker.set_state(CONTEXT_A, 0x55, LOAD);
        worker.set_state(CONTEXT_A, 0x56, 0x2_2080);
        worker.set_state(CONTEXT_A, 0x57, 0xbad);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        let image = worker.image.words.get(0x50..0x5a).unwrap_or_default();
        assert!(
            *image
                == [
                    LOAD + 2,
                    0x2_2600,
                    0x1234,
                    0x2_2028,
                    0xffff_0002,
                    ARB_CHECK,
                    NOOP,
                    NOOP,
                    END,
                    0,
                ]
        );
        Ok(())
    }

    #[test]
    fn a_context_that_is_new_to_the_guest_is_fresh() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.set_state(CONTEXT_A, 3, INHIBIT | INHIBIT << 16);
        worker.set_state(CONTEXT_A, 0x50, LOAD + 2);
        worker.set_state(CONTEXT_A, 0x51, 0x2_2600);
        worker.set_state(CONTEXT_A, 0x52, 0xbad);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        assert_eq!(worker.image.words.get(0x52).copied(), Some(1));
        // It is restored, by the hardware.
        assert_eq!(worker.image.words.get(3).copied(), Some(0xf_0008));
        worker.complete(true);
        assert_eq!(worker.state(CONTEXT_A, 3) & INHIBIT, 0);
        assert_eq!(worker.state(CONTEXT_A, 0x52), 1);
        Ok(())
    }

    #[test]
    fn an_image_is_loaded_when_it_may_have_changed() -> Result {
        let mut worker = Worker::new()?;
        worker.set_state(CONTEXT_A, 0x50, LOAD + 2);
        worker.set_state(CONTEXT_A, 0x51, 0x2_2600);
        let run = |worker: &mut Worker, value: u32| -> Result<u32> {
            worker.set_state(CONTEXT_A, 0x52, value);
            worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
            worker.submit(&[(CONTEXT_A, 7)])?;
            assert!(worker.launch().is_some());
            let loaded = worker.image.words.get(0x52).copied().ok_or(EINVAL)?;
            worker.complete(true);
            Ok(loaded)
        };
        assert_eq!(run(&mut worker, 10)?, 10);
        // The GPU has saved it, and nobody else has it.
        assert_eq!(run(&mut worker, 11)?, 10);
        // It may be another one at the same place.
        worker.remap(CONTEXT_A)?;
        assert_eq!(run(&mut worker, 12)?, 12);
        Ok(())
    }

    #[test]
    fn commands_write_registers_as_the_processor_does() -> Result {
        let mut worker = Worker::new()?;
        let mut load = |register: u32, value: u32| -> Result<Option<u32>> {
            worker.ring(CONTEXT_A, &[LOAD, register, value, NOOP]);
            worker.submit(&[(CONTEXT_A, 7)])?;
            let Some(commands) = worker.launch() else {
                worker.reset_engine()?;
                worker.enable()?;
                return Ok(None);
            };
            worker.complete(true);
            let same = commands.get(1) == Some(&register);
            let loaded = commands.get(2).copied().filter(|_| same);
            Ok(Some(loaded.unwrap_or(u32::MAX)))
        };
        // A scratch register.
        assert_eq!(load(BCS | 0x28, 0x0005_0005)?, Some(0x0005_0005));
        // MI_MODE, without the bit that stops the engine, nor that which says that it is idle.
        assert_eq!(load(BCS | 0x9c, 0x0f00_0f00)?, Some(0x0c00_0c00));
        // How it is driven is the host's business (gvt-spec 12.1-6); its clock is everyone's.
        assert_eq!(load(BCS | 0x29c, 0x8000_0000)?, Some(u32::MAX));
        assert_eq!(load(BCS | 0x29c, 0x0001_0001)?, None);
        assert_eq!(load(BCS | 0x358, 0)?, Some(u32::MAX));
        // DERRMR, which drivers write.
        assert_eq!(load(0x4_4050, 0)?, Some(u32::MAX));
        // Registers of other engines (gvt-spec 12.1-23), and what no command may write.
        for register in [
            0x2028,
            0x1_2028,
            0xc800,
            BCS | 0x80,
            BCS | 0x230,
            0x2_4080,
            0x10_1008,
        ] {
            assert_eq!(load(register, 0)?, None);
        }
        Ok(())
    }

    #[test]
    fn commands_change_the_page_tables() -> Result {
        let mut worker = Worker::new()?;
        // One half of one register alone (gvt-spec 12.1-2), which then names another table.
        let other = worker.other_root();
        worker.ring(CONTEXT_A, &[LOAD, BCS | 0x270, other, ARB_CHECK]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        let commands = worker.launch().ok_or(EINVAL)?;
        assert!(!commands.contains(&other));
        // All eight registers, of which the first has a table of the host's.
        let root = commands.get(3..20).unwrap_or_default();
        assert_eq!(root.get(1).copied(), Some(BCS | 0x270));
        assert_ne!(root.get(2).copied(), Some(0));
        assert_eq!(worker.machine.vgpu.shadows().0, 2);
        worker.complete(true);
        // The guest finds what it wrote.
        assert_eq!(worker.state(CONTEXT_A, 51), other);
        Ok(())
    }

    #[test]
    fn what_waits_while_shadows_are_taken_away_gets_others() -> Result {
        let mut worker = Worker::new()?;
        let other = worker.other_root();
        worker.ring(CONTEXT_A, &[LOAD, BCS | 0x270, other, ARB_CHECK]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        worker.withdraw();
        let commands = worker.launch().ok_or(EINVAL)?;
        // At the start, and after the command.
        let start = worker.image.words.get(51).copied().unwrap_or(0);
        let later = commands.get(5).copied().unwrap_or(0);
        assert!(worker.guest.has_table(start) && worker.guest.has_table(later));
        assert_ne!(start, later);
        assert_eq!(worker.machine.vgpu.shadows().0, 2);
        worker.complete(true);
        assert_eq!(worker.state(CONTEXT_A, HEAD), 16);
        worker.reset();
        assert!(worker.guest.is_empty());
        Ok(())
    }

    #[test]
    fn a_context_does_not_go_on_without_its_shadows() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP, ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.is_ready());
        worker.withdraw();
        // It would run in the tables that the context has on the hardware, which nobody keeps for it.
        assert!(!worker.is_ready());
        assert!(worker.launch().is_none());
        Ok(())
    }

    #[test]
    fn what_cannot_get_others_hangs_and_gives_back_once() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK]);
        worker.ring(CONTEXT_B, &[ARB_CHECK]);
        worker.submit(&[(CONTEXT_A, 7), (CONTEXT_B, 8)])?;
        assert!(worker.launch().is_some());
        let running = worker.image.words.get(51).copied().unwrap_or(0);
        worker.withdraw();
        worker.complete(true);
        // The guest's root is none any more, so that the other one cannot be looked at.
        worker.set_state(CONTEXT_B, 51, 0);
        assert!(worker.launch().is_none());
        assert_eq!(worker.machine.vgpu.shadows().0, 0);
        assert!(!worker.guest.has_table(running));
        worker.reset();
        assert!(worker.guest.is_empty());
        Ok(())
    }

    #[test]
    fn a_submission_that_is_too_long_runs_in_parts() -> Result {
        const TIMES: usize = 70;
        let mut worker = Worker::new()?;
        let mut batch = KVec::from_elem(NOOP, 2047, GFP_KERNEL)?;
        batch.push(END, GFP_KERNEL)?;
        worker.put(BATCH, &batch);
        let mut ring = KVec::new();
        for _ in 0..TIMES {
            ring.extend_from_slice(&[START, BATCH, 0, USER_INTERRUPT], GFP_KERNEL)?;
        }
        worker.ring(CONTEXT_A, &ring);
        worker.submit(&[(CONTEXT_A, 7)])?;
        let before = worker.told();
        let first = worker.launch().ok_or(EINVAL)?;
        assert!(first.len() > 100_000);
        // More of the context waits until all of the submission is there.
        worker.ring(CONTEXT_A, &ring);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(!worker.is_ready());
        worker.complete(true);
        assert_eq!(worker.told()[0] & COMPLETE, before[0] & COMPLETE);
        assert!(worker.is_ready());
        // Its page tables may go in between.
        worker.withdraw();
        let second = worker.launch().ok_or(EINVAL)?;
        assert!(first.len() + second.len() >= 2047 * TIMES);
        worker.complete(true);
        let counted = worker.machine.vgpu.counters().commands;
        assert_eq!(usize::try_from(counted), Ok(first.len() + second.len()));
        worker.launch().ok_or(EINVAL)?;
        worker.complete(true);
        assert_eq!(
            worker.state(CONTEXT_A, HEAD),
            u32::try_from(16 * TIMES).unwrap_or(0)
        );
        assert_eq!(worker.told()[0] & COMPLETE, COMPLETE);
        worker.reset();
        assert!(worker.guest.is_empty());
        Ok(())
    }

    #[test]
    fn the_host_says_whether_there_are_pages_of_64_kib() -> Result {
        for gamw in [0, 0xf] {
            let mut host = KVec::zeroed(0x4084, GFP_KERNEL)?;
            *host.get_mut(0x4080).ok_or(EINVAL)? = gamw;
            let map = RegisterMap::new(Platform::Skylake, engines(), &host)?;
            let mut worker = Worker::on(map, EngineId::Bcs0)?;
            assert_eq!(worker.register(GAMW_ECO_DEV_RW_IA)?, gamw.into());
            let frame = worker.one_64k_page();
            worker.ring(CONTEXT_A, &[ARB_CHECK]);
            worker.submit(&[(CONTEXT_A, 7)])?;
            assert!(worker.launch().is_some());
            assert_eq!(worker.guest.uses(frame), 1);
            assert_eq!(worker.guest.uses(frame + 15), u64::from(gamw != 0));
            worker.complete(true);
        }
        Ok(())
    }

    #[test]
    fn a_reset_ends_pages_of_64_kib() -> Result {
        let mut worker = Worker::new()?;
        let frame = worker.one_64k_page();
        worker.ring(CONTEXT_A, &[ARB_CHECK]);
        let has_64k = |worker: &mut Worker| -> Result<bool> {
            worker.enable()?;
            worker.submit(&[(CONTEXT_A, 7)])?;
            assert!(worker.launch().is_some());
            worker.complete(true);
            assert_eq!(worker.guest.uses(frame), 1);
            Ok(worker.guest.uses(frame + 15) == 1)
        };
        assert!(!has_64k(&mut worker)?);
        for whole in [true, false] {
            worker.set(GAMW_ECO_DEV_RW_IA, 0xf)?;
            assert!(has_64k(&mut worker)?);
            if whole {
                worker.reset();
                worker.reach()?;
            } else {
                worker.set(GDRST, 1)?;
            }
            assert_eq!(worker.register(GAMW_ECO_DEV_RW_IA)?, 0);
            assert!(!has_64k(&mut worker)?);
        }
        Ok(())
    }

    #[test]
    fn batches_in_the_ggtt_run_too() -> Result {
        let mut worker = Worker::new()?;
        worker.put(BATCH, &[STORE, RING, 0, 3, END]);
        worker.ring(CONTEXT_A, &[START, BATCH, 0, ARB_CHECK]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        let commands = worker.launch().ok_or(EINVAL)?;
        assert!(*commands == [STORE, RING, 0, 3, ARB_CHECK, NOOP]);
        Ok(())
    }

    #[test]
    fn a_device_that_is_reset_has_nothing_to_do() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        worker.reset();
        assert!(!worker.is_ready());
        worker.complete(true);
        assert!(worker.guest.is_empty());
        Ok(())
    }
}
