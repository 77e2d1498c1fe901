// SPDX-License-Identifier: GPL-2.0

//! The way through a ring, the batches that it starts, and workaround batches.

use kernel::prelude::*;

#[kunit_tests(gvt_cmd_scan)]
mod gvt_cmd_scan {
    use super::*;
    use crate::ring::{
        bad_address,
        Run,
        ABOVE,
        ARB_OFF,
        ARB_ON,
        BATCH,
        END,
        GLOBAL,
        LOAD,
        LRM,
        MOVABLE,
        NOOP,
        OWN,
        OWN_END,
        PIPE_CONTROL,
        RING,
        RING_SIZE,
        SECOND,
        SEMAPHORE_WAIT,
        SRM,
        START,
        START_PPGTT,
        STORE,
        STORE_INDEX,
        TAKEN,
        USER_INTERRUPT, //
    };
    use gvt_model::{
        cmd::{
            Flaw,
            MAX_WORDS, //
        },
        engine::EngineId, //
    };

    #[test]
    fn a_ring_goes_on_at_its_start() -> Result {
        let mut run = Run::new()?;
        // The command lies across the end.
        run.guest.put(RING + 0xff8, &[STORE, 1]);
        run.guest.put(RING, &[2, 3, NOOP]);
        assert_eq!(run.between(0xff8, 12), Ok(()));
        assert!(*run.output == [STORE, 1, 2, 3, NOOP]);
        assert_eq!(run.between(0x20, 0x20), Ok(()));
        assert!(run.output.is_empty());
        Ok(())
    }

    #[test]
    fn commands_lie_across_pages() -> Result {
        // One in which nothing is looked at, and one that is looked at.
        for command in [[0x7900_0002, 1, 2, 3], [STORE, 1, 2, 3]] {
            let mut run = Run::new()?;
            run.guest.put(BATCH + 0xff8, &command);
            run.guest.put(BATCH + 0x1008, &[NOOP, STORE, 4, 5, 6, END]);
            assert_eq!(run.ring(&[START, BATCH, 0, ARB_ON]), Ok(()));
            let (before, behind) = run.output.split_at_checked(0x3fe).ok_or(EINVAL)?;
            assert!(before.iter().all(|word| *word == NOOP));
            let (across, behind) = behind.split_at_checked(4).ok_or(EINVAL)?;
            assert!(*across == command);
            assert!(*behind == [NOOP, STORE, 4, 5, 6, ARB_ON]);
        }
        Ok(())
    }

    #[test]
    fn a_ring_is_where_it_says() -> Result {
        let mut run = Run::new()?;
        let out = Err(Flaw::OutOfReach {
            address: RING.into(),
        });
        assert_eq!(run.between(0, RING_SIZE), out);
        assert_eq!(run.between(RING_SIZE, 0), out);
        assert_eq!(run.between(2, 8), out);
        Ok(())
    }

    #[test]
    fn a_command_does_not_go_on_behind_the_tail() -> Result {
        let mut run = Run::new()?;
        assert_eq!(
            run.ring(&[NOOP, STORE, 1, 2]),
            Err(Flaw::Length { header: STORE })
        );
        Ok(())
    }

    #[test]
    fn a_batch_in_the_ggtt_stands_in_the_ring() -> Result {
        let mut run = Run::new()?;
        run.guest.put(BATCH, &[STORE, 1, 2, 3, USER_INTERRUPT, END]);
        assert_eq!(run.ring(&[NOOP, START, BATCH, 0, ARB_ON]), Ok(()));
        assert!(*run.output == [NOOP, STORE, 1, 2, 3, ARB_ON]);
        assert_eq!(run.guest.users, 1);
        assert_eq!(run.ring(&[START - 1, BATCH, ARB_ON]), Ok(()));
        assert!(*run.output == [STORE, 1, 2, 3, ARB_ON]);
        Ok(())
    }

    #[test]
    fn batches_nest_and_chain() -> Result {
        let mut run = Run::new()?;
        let (second, chained) = (BATCH + 0x1000, BATCH + 0x2000);
        let first = [START | SECOND, second, 0, START, chained, 0, STORE];
        run.guest.put(BATCH, &first);
        run.guest.put(second, &[STORE, 2, 2, 2, END]);
        run.guest.put(chained, &[STORE, 3, 3, 3, END]);
        assert_eq!(run.ring(&[START, BATCH, 0, ARB_ON]), Ok(()));
        assert!(*run.output == [STORE, 2, 2, 2, STORE, 3, 3, 3, ARB_ON]);
        // Neither a third level, nor a second one from the ring.
        run.guest.put(second, &[START | SECOND, chained, 0, END]);
        assert_eq!(run.ring(&[START, BATCH, 0]), Err(Flaw::Nesting));
        assert_eq!(run.ring(&[START | SECOND, BATCH, 0]), Err(Flaw::Nesting));
        assert_eq!(run.ring(&[END]), Err(Flaw::Command { header: END }));
        Ok(())
    }

    #[test]
    fn a_batch_of_the_ppgtt_is_started_from_the_ring() -> Result {
        let mut run = Run::new()?;
        let short = START_PPGTT - 1;
        assert_eq!(
            run.ring(&[short, OWN_END, NOOP]),
            Err(Flaw::Length { header: short })
        );
        assert_eq!(run.ring(&[START_PPGTT, OWN_END, 7, NOOP]), Ok(()));
        assert!(*run.output == [START_PPGTT, OWN_END, 7, NOOP]);
        let first = [START_PPGTT | SECOND, 1, 2, START_PPGTT, 3, 4, STORE];
        run.guest.put(BATCH, &first);
        assert_eq!(run.ring(&[START, BATCH, 0, ARB_ON]), Ok(()));
        assert!(*run.output == [START_PPGTT, 1, 2, START_PPGTT, 3, 4, ARB_ON]);
        Ok(())
    }

    #[test]
    fn a_batch_is_the_guests() -> Result {
        let mut run = Run::new()?;
        assert_eq!(
            run.ring(&[START, OWN_END, 0]),
            bad_address(OWN_END.into(), START)
        );
        // It goes on behind the end.
        run.guest.put(OWN_END - 8, &[NOOP, NOOP]);
        assert_eq!(
            run.ring(&[START, OWN_END - 8, 0]),
            Err(Flaw::OutOfReach {
                address: OWN_END.into()
            })
        );
        // What runs only if a predicate says so cannot be copied.
        assert!(run.ring(&[START | 1 << 15, BATCH, 0]).is_err());
        Ok(())
    }

    #[test]
    fn a_submission_has_an_end() -> Result {
        let mut run = Run::new()?;
        // A batch that goes on with itself.
        run.guest.put(BATCH, &[START, BATCH, 0]);
        assert_eq!(run.ring(&[START, BATCH, 0]), Err(Flaw::Budget));
        // One that does so with as many commands as there is room for.
        for word in run.guest.words.iter_mut().skip(0x800) {
            *word = NOOP;
        }
        run.guest.put(OWN_END - 12, &[START, BATCH, 0]);
        assert_eq!(run.ring(&[START, BATCH, 0]), Err(Flaw::Budget));
        assert!(run.output.len() <= MAX_WORDS);
        Ok(())
    }

    /// What is put in the place of a command is longer than it, and counts.
    #[test]
    fn what_has_no_room_is_for_another_time() -> Result {
        let mut run = Run::on(EngineId::Bcs0)?;
        for word in run.guest.words.iter_mut().skip(0x800) {
            *word = NOOP;
        }
        run.guest.put(OWN_END - 4, &[END]);
        // Each has somewhat more than a tenth of what there is room for.
        for number in 0..30 {
            let start = [START_PPGTT, BATCH, ABOVE, ARB_ON];
            run.guest.put(RING + 16 * number, &start);
        }
        let (mut at, mut parts) = (0, 0);
        while at < 480 {
            let end = run.up_to(at, 480);
            assert!(run.output.len() <= MAX_WORDS);
            assert!(end.is_ok_and(|end| end > at && end <= 480));
            at = end.unwrap_or(480);
            parts += 1;
        }
        assert_eq!(parts, 4);
        // On other engines, or when the root has changed, something of what was may be meant for what comes.
        run.guest.put(RING, &[LOAD, 0x2_2270, 1]);
        assert_eq!(run.up_to(0, 480), Err(Flaw::Budget));
        Ok(())
    }

    #[test]
    fn a_submission_has_room_for_what_is_put_in() -> Result {
        for command in [[STORE_INDEX, 0x80, 5], [LOAD, 0x2270, 1]] {
            let mut run = Run::new()?;
            let mut at = BATCH;
            while at < OWN_END - 24 {
                run.guest.put(at, &command);
                at += 12;
            }
            run.guest.put(at, &[START, BATCH, 0]);
            assert_eq!(run.ring(&[START, BATCH, 0]), Err(Flaw::Budget));
            assert!(run.output.len() <= MAX_WORDS);
        }
        Ok(())
    }

    #[test]
    fn workarounds_are_looked_at_alike() -> Result {
        let mut run = Run::new()?;
        let words = [ARB_OFF, SRM | GLOBAL, MOVABLE, OWN, 0, ARB_ON];
        assert_eq!(run.workarounds(&words, 24), Ok(false));
        assert!(*run.output == words);
        assert_eq!(run.workarounds(&[NOOP, END, STORE], 24), Ok(false));
        assert!(*run.output == [NOOP]);
        assert_eq!(run.workarounds(&[ARB_OFF, END], 24), Ok(true));
        assert!(run
            .workarounds(&[STORE | GLOBAL, OWN_END, 0, 0], 16)
            .is_err());
        assert!(run.workarounds(&[STORE, 1, 2], 12).is_err());
        Ok(())
    }

    /// A context that never gets loaded is loaded again for ever.
    #[test]
    fn workarounds_have_nothing_that_waits_or_draws() -> Result {
        let mut run = Run::new()?;
        // Those of i915: the L3 flushed and the shared memory cleared, registers, MEDIA_POOL_STATE.
        let words = [
            ARB_OFF,
            SRM,
            MOVABLE,
            OWN,
            0,
            LOAD,
            TAKEN,
            2,
            PIPE_CONTROL,
            0x20,
            0,
            0,
            0,
            0,
            LRM,
            MOVABLE,
            OWN,
            0,
            0x7005_0004,
            0x80,
            0x77_7000,
            0,
            0,
            0,
            ARB_ON,
            NOOP,
        ];
        assert_eq!(run.workarounds(&words, 104), Ok(false));
        assert!(*run.output == words);
        // What waits, or can hang: MI_SEMAPHORE_WAIT, batches, 3DPRIMITIVE, MEDIA_OBJECT and its walker,
        // GPGPU_WALKER, and state that makes the next of them hang.
        for header in [
            SEMAPHORE_WAIT,
            0x1b << 23,
            0x03 << 23,
            0x0c << 23,
            START,
            0x7b00_0005,
            0x7100_0004,
            0x7103_0004,
            0x7105_0004,
            0x7000_0004,
            0x7900_0002,
            0x6904_0000,
        ] {
            let words = [header, 0, OWN, 0, 0, 0, 0, 0];
            assert_eq!(run.workarounds(&words, 32), Err(Flaw::Command { header }));
        }
        Ok(())
    }
}
