// SPDX-License-Identifier: GPL-2.0

//! Batches without privilege on the blitter of Gen9, which obeys them all the same.

use kernel::prelude::*;

#[kunit_tests(gvt_cmd_user)]
mod gvt_cmd_user {
    use super::*;
    use crate::ring::{
        Run,
        ABOVE,
        ARB_ON,
        ATOMIC,
        BATCH,
        END,
        FLUSH,
        GLOBAL,
        IMMEDIATE,
        LOAD,
        LRM,
        LRR,
        MOVABLE,
        NOOP,
        OWN,
        SECOND,
        SEMAPHORE_WAIT,
        SRM,
        START,
        START_PPGTT,
        STORE,
        STORE_INDEX, //
    };
    use gvt_model::{
        cmd::Flaw,
        engine::EngineId,
        platform::Platform, //
    };

    #[test]
    fn the_blitter_of_gen9_runs_no_batch_that_nobody_looked_at() -> Result {
        let blit = [0x5080_0001, 1, 2];
        let mut batch = KVec::new();
        batch.extend_from_slice(&blit, GFP_KERNEL)?;
        batch.push(END, GFP_KERNEL)?;
        let run = by_users(&batch)?;
        assert!(*run.output == blit);
        // Whatever else looks by itself.
        for (engine, platform) in [
            (EngineId::Bcs0, Platform::Broadwell),
            (EngineId::Rcs0, Platform::Skylake),
            (EngineId::Vecs0, Platform::CoffeeLake),
        ] {
            let mut run = Run::on(engine)?;
            run.platform = platform;
            let start = [START_PPGTT, BATCH, ABOVE];
            assert_eq!(run.ring(&start), Ok(()));
            assert!(*run.output == start);
        }
        let mut run = Run::on(EngineId::Bcs0)?;
        let address = OWN.into();
        assert_eq!(
            run.ring(&[START_PPGTT, OWN, 0]),
            Err(Flaw::OutOfReach { address })
        );
        Ok(())
    }

    /// A batch of the context's on the blitter of Skylake, and what comes of it.
    fn by_users(words: &[u32]) -> Result<Run> {
        let mut run = Run::on(EngineId::Bcs0)?;
        run.guest.put(BATCH, words);
        assert_eq!(run.ring(&[START_PPGTT, BATCH, ABOVE, ARB_ON]), Ok(()));
        assert_eq!(run.output.pop(), Some(ARB_ON));
        Ok(run)
    }

    #[test]
    fn batches_of_users_nest_and_chain_and_end() -> Result {
        let mut run = Run::on(EngineId::Bcs0)?;
        let (second, third) = (BATCH + 0x100, BATCH + 0x1000);
        // Without the bit it is one of the context's all the same.
        run.guest.put(
            BATCH,
            &[
                START | SECOND,
                second,
                ABOVE,
                0x5400_0000,
                1,
                START_PPGTT,
                third,
                ABOVE,
            ],
        );
        run.guest.put(second, &[0x5440_0000, 2, END]);
        run.guest.put(third, &[0x54c0_0000, 3, END]);
        assert_eq!(run.ring(&[START_PPGTT, BATCH, ABOVE, NOOP]), Ok(()));
        assert!(*run.output == [0x5440_0000, 2, 0x5400_0000, 1, 0x54c0_0000, 3, NOOP]);
        // One that goes on and on.
        run.guest.put(BATCH, &[NOOP, START_PPGTT, BATCH, ABOVE]);
        assert_eq!(run.ring(&[START_PPGTT, BATCH, ABOVE]), Err(Flaw::Budget));
        Ok(())
    }

    #[test]
    fn users_have_few_registers() -> Result {
        let (gpr, tiling, clock) = (0x2_2600, 0x2_2200, 0x2358);
        let nothing = 0x2_2094;
        let run = by_users(&[
            LOAD + 4,
            gpr,
            1,
            0x2230,
            2,
            tiling,
            3,
            LOAD,
            0x2_2270,
            4,
            END,
        ])?;
        assert!(matches!(
            *run.output,
            [_, 0x2_2600, 1, 0x2_2094, 0, 0x2_2200, 3, _, 0x2_2094, 0]
        ));
        assert_eq!(run.guest.root_parts, 0);
        // Registers of an engine that is another one's on later GPUs.
        let run = by_users(&[LOAD | 1 << 19, gpr, 1, END])?;
        assert_eq!(run.output.first().map(|header| header >> 19 & 1), Some(0));
        for (command, is_kept) in [
            ([SRM, gpr, 0, 0], true),
            ([SRM, clock, 0, 0], true),
            ([SRM, tiling, 0, 0], true),
            ([SRM, MOVABLE, 0, 0], false),
            ([SRM, 0x2_2230, 0, 0], false),
            ([SRM | GLOBAL, gpr, BATCH, 0], false),
            ([LRM, gpr, 0, 0], true),
            ([LRM, clock, 0, 0], false),
            ([LRM | GLOBAL, gpr, BATCH, 0], false),
        ] {
            let [header, register, low, high] = command;
            let run = by_users(&[header, register, low, high, END])?;
            assert_eq!(!run.output.is_empty(), is_kept);
        }
        for (from, to, is_kept) in [
            (clock, gpr, true),
            (gpr, tiling, true),
            (gpr, clock, false),
            (MOVABLE, gpr, false),
            (gpr, nothing, false),
        ] {
            let run = by_users(&[LRR, from, to, END])?;
            assert_eq!(!run.output.is_empty(), is_kept);
        }
        Ok(())
    }

    #[test]
    fn the_ggtt_is_not_for_users() -> Result {
        // Their own kernel's is there.
        for command in [
            &[STORE | GLOBAL, BATCH, 0, 1][..],
            &[STORE_INDEX, 0x40, 1],
            &[ATOMIC | GLOBAL, BATCH, 0],
            &[SEMAPHORE_WAIT | GLOBAL, 0, BATCH, 0],
            &[0x2e << 23 | 3 | 1 << 21, BATCH, 0, 0, 0],
            &[0x2e << 23 | 3 | GLOBAL, 0, 0, BATCH, 0],
            &[0x14 << 23 | 1, 0, BATCH],
        ] {
            let mut batch = KVec::new();
            batch.extend_from_slice(command, GFP_KERNEL)?;
            batch.push(END, GFP_KERNEL)?;
            let run = by_users(&batch)?;
            assert!(run.output.is_empty());
            assert!(run.guest.flip.is_none());
        }
        let run = by_users(&[STORE, BATCH, 0, 1, ATOMIC, BATCH, 0, END])?;
        assert!(*run.output == [STORE, BATCH, 0, 1, ATOMIC, BATCH, 0]);
        for (flags, low) in [(0, BATCH | 4), (1 << 21, 0x40)] {
            let run = by_users(&[FLUSH | IMMEDIATE | flags, low, 0, 1, END])?;
            assert!(*run.output == [FLUSH, low, 0, 1]);
        }
        let run = by_users(&[FLUSH | IMMEDIATE, BATCH, 0, 1, END])?;
        assert!(*run.output == [FLUSH | IMMEDIATE, BATCH, 0, 1]);
        Ok(())
    }
}
