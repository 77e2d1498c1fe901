// SPDX-License-Identifier: GPL-2.0

//! What may be in a command, and what becomes of it.

use kernel::prelude::*;

#[kunit_tests(gvt_cmd)]
mod gvt_cmd {
    use super::*;
    use crate::ring::{
        bad_address,
        Run,
        ARB_OFF,
        ARB_ON,
        ATOMIC,
        CONTEXT,
        FLIP,
        FLUSH,
        GLOBAL,
        IMMEDIATE,
        LOAD,
        LRM,
        LRR,
        MOVABLE,
        NOOP,
        OWN,
        OWN_END,
        PIPE_CONTROL,
        SEMAPHORE_WAIT,
        SRM,
        START,
        STATUS,
        STORE,
        STORE_INDEX,
        TAKEN,
        TAKEN_BUT,
        TIMESTAMP,
        USER_INTERRUPT, //
    };
    use gvt_model::{
        cmd::{
            Flaw,
            Flip, //
        },
        display::{
            flip::FlipPlane,
            Pipe, //
        },
        engine::EngineId,
        platform::Platform, //
    };

    #[test]
    fn harmless_commands_run_as_they_are() -> Result {
        let mut run = Run::new()?;
        let words = [
            NOOP,
            STORE,
            0x1234_5678,
            0x9a,
            7,
            0x7901_0002,
            1,
            2,
            3,
            ARB_ON,
            NOOP,
        ];
        // 3DSTATE_DRAWING_RECTANGLE is 0x7900.
        assert_eq!(
            run.ring(&words),
            Err(Flaw::Command {
                header: 0x7901_0002
            })
        );
        let mut words = words;
        if let Some(header) = words.get_mut(5) {
            *header = 0x7900_0002;
        }
        assert_eq!(run.ring(&words), Ok(()));
        assert!(*run.output == words);
        Ok(())
    }

    #[test]
    fn what_an_engine_does_not_have_is_refused() -> Result {
        let blit = 0x54c0_0003;
        let words = [blit, 1, 2, 3, 4];
        assert_eq!(
            Run::new()?.ring(&words),
            Err(Flaw::Command { header: blit })
        );
        let mut copy = Run::on(EngineId::Bcs0)?;
        assert_eq!(copy.ring(&[0x5400_0003, 1, 2, 3, 4]), Ok(()));
        let media = 0x7000_0000;
        assert_eq!(copy.ring(&[media, 1]), Err(Flaw::Command { header: media }));
        assert_eq!(Run::on(EngineId::Vcs0)?.ring(&[media, 1]), Ok(()));
        // 3DSTATE_COMPONENT_PACKING came with Gen9.
        let packing = [0x7855_0000, 1];
        let mut run = Run::new()?;
        assert_eq!(run.ring(&packing), Ok(()));
        run.platform = Platform::Broadwell;
        assert!(run.ring(&packing).is_err());
        Ok(())
    }

    #[test]
    fn no_command_hides_another_one() -> Result {
        // MFX_WAIT is one word, whatever its header says: what follows is a batch of the GGTT.
        let mut video = Run::on(EngineId::Vcs0)?;
        for wait in [0x6800_0000, 0x6800_0005] {
            assert_eq!(
                video.ring(&[wait, START, OWN_END, 0]),
                bad_address(OWN_END.into(), START)
            );
        }
        let mut run = Run::new()?;
        // Longer than any GPU takes them for, or some: MI_MATH, MI_FLUSH_DW, PIPE_CONTROL, OP_SWTESS_BASE_ADDRESS.
        for header in [
            0x1a << 23 | 0x40,
            0x26 << 23 | 4,
            PIPE_CONTROL | 5,
            0x6103_0008,
        ] {
            let mut words = [NOOP; 80];
            words[0] = header;
            assert_eq!(run.ring(&words), Err(Flaw::Length { header }));
        }
        // MI_ATOMIC, without its operands and with them.
        let (atomic, inline) = (0x2f << 23, 1 << 18);
        for (header, fits) in [
            (atomic | 1, true),
            (atomic | 9, false),
            (atomic | inline | 9, true),
            (atomic | inline | 1, false),
        ] {
            let mut words = [NOOP; 11];
            words[0] = header;
            let length = if fits {
                Ok(())
            } else {
                Err(Flaw::Length { header })
            };
            assert_eq!(run.ring(&words), length);
        }
        // What other engines and other GPUs have.
        for header in [0x780b_0000, 0x0b << 24 | 3 << 21 | 1] {
            assert_eq!(
                run.ring(&[header, OWN, OWN, 0]),
                Err(Flaw::Command { header })
            );
        }
        let statistics = 0x680b_0000;
        assert_eq!(run.ring(&[statistics, NOOP]), Ok(()));
        let refused = Err(Flaw::Command { header: statistics });
        assert_eq!(video.ring(&[statistics, NOOP]), refused);
        Ok(())
    }

    #[test]
    fn a_flush_that_writes_a_register_writes_nothing_of_others() -> Result {
        let mut run = Run::new()?;
        // Through the GGTT, or at a place of the status page.
        let wide = 1 << 24 | 1 << 21;
        for write in [0, IMMEDIATE, TIMESTAMP] {
            let flags = 1 << 23 | write;
            let words = [
                PIPE_CONTROL,
                flags | wide,
                TAKEN | 0xff80_0003,
                0x1234,
                7,
                0,
            ];
            assert_eq!(run.ring(&words), Ok(()));
            assert!(*run.output == [PIPE_CONTROL, flags, TAKEN, 0, 7 & !TAKEN_BUT, 0]);
        }
        Ok(())
    }

    #[test]
    fn what_reaches_beyond_the_guest_is_refused() -> Result {
        let mut run = Run::new()?;
        // MI_UPDATE_GTT, MI_REPORT_PERF_COUNT, MI_CONDITIONAL_BATCH_BUFFER_END, MI_CLFLUSH of the GGTT.
        for words in [
            [0x23 << 23, 0, 0, 0],
            [0x28 << 23 | 2, 0, 0, 0],
            [0x36 << 23 | 2, 0, 0, 0],
            [0x27 << 23 | GLOBAL | 2, 0, 0, 0],
        ] {
            let header = words.first().copied().unwrap_or(0);
            assert_eq!(run.ring(&words), Err(Flaw::Command { header }));
        }
        assert_eq!(run.ring(&[0x27 << 23 | 2, 0, 0, 0]), Ok(()));
        Ok(())
    }

    #[test]
    fn what_concerns_the_display_or_the_host_is_left_out() -> Result {
        let mut run = Run::new()?;
        // MI_WAIT_FOR_EVENT, MI_LOAD_SCAN_LINES_INCL, MI_REPORT_HEAD, MI_SUSPEND_FLUSH.
        let words = [
            0x03 << 23 | 8,
            0x12 << 23,
            99,
            0x07 << 23,
            0x0b << 23,
            ARB_OFF,
            USER_INTERRUPT,
        ];
        assert_eq!(run.ring(&words), Ok(()));
        assert!(run.output.is_empty());
        assert_eq!(run.guest.users, 1);
        Ok(())
    }

    #[test]
    fn only_broadwells_renderer_may_keep_the_engine() -> Result {
        let mut run = Run::new()?;
        run.platform = Platform::Broadwell;
        assert_eq!(run.ring(&[ARB_OFF, ARB_ON]), Ok(()));
        assert!(*run.output == [ARB_OFF, ARB_ON]);
        run.engine = EngineId::Bcs0;
        assert_eq!(run.ring(&[ARB_OFF, ARB_ON]), Ok(()));
        assert!(*run.output == [ARB_ON]);
        Ok(())
    }

    #[test]
    fn a_store_to_the_ggtt_stays_in_own_memory() -> Result {
        let mut run = Run::new()?;
        let store = STORE | GLOBAL;
        assert_eq!(run.ring(&[store, OWN_END - 4, 0, 1]), Ok(()));
        assert_eq!(
            run.ring(&[store, OWN_END - 2, 0, 1]),
            bad_address(u64::from(OWN_END - 2), store)
        );
        assert_eq!(
            run.ring(&[store, OWN, 1, 1]),
            bad_address(1 << 32 | u64::from(OWN), store)
        );
        let wide = store + 1 | 1 << 21;
        assert_eq!(run.ring(&[wide, OWN_END - 8, 0, 1, 2]), Ok(()));
        assert_eq!(
            run.ring(&[wide, OWN_END - 4, 0, 1, 2]),
            bad_address(u64::from(OWN_END - 4), wide)
        );
        // More words than there is anything to store.
        let long = STORE + 2;
        assert_eq!(
            run.ring(&[long, 0, 0, 1, 2, 3]),
            Err(Flaw::Length { header: long })
        );
        Ok(())
    }

    #[test]
    fn an_index_is_one_of_the_guests_status_page() -> Result {
        let mut run = Run::new()?;
        assert_eq!(run.ring(&[STORE_INDEX, 0x80, 5]), Ok(()));
        let status = u32::try_from(STATUS).unwrap_or(0);
        assert!(*run.output == [STORE | GLOBAL, status + 0x80, 0, 5]);
        assert_eq!(run.ring(&[STORE_INDEX + 1, 0x88, 5, 6]), Ok(()));
        let wide = 0x20 << 23 | GLOBAL | 1 << 21 | 3;
        assert!(*run.output == [wide, status + 0x88, 0, 5, 6]);
        let of_context = STORE_INDEX | 1 << 21;
        assert_eq!(run.ring(&[of_context, 0x80, 5]), Ok(()));
        let context = u32::try_from(CONTEXT).unwrap_or(0);
        assert!(*run.output == [STORE | GLOBAL, context + 0x80, 0, 5]);
        run.guest.has_status = false;
        assert!(run.ring(&[STORE_INDEX, 0x80, 5]).is_err());
        Ok(())
    }

    #[test]
    fn every_flush_that_writes_is_proved() -> Result {
        let mut run = Run::on(EngineId::Bcs0)?;
        for length in [0, 1] {
            for kind in [IMMEDIATE, TIMESTAMP] {
                let flush = FLUSH + length | kind;
                let bad = [flush, OWN_END | 4, 0, 1, 2];
                let words = bad
                    .get(..if length == 0 { 4 } else { 5 })
                    .unwrap_or_default();
                assert_eq!(run.ring(words), bad_address(OWN_END.into(), flush));
                let own = [flush, OWN | 4, 0, 1, 2];
                let words = own.get(..words.len()).unwrap_or_default();
                assert_eq!(run.ring(words), Ok(()));
                assert!(*run.output == *words);
            }
        }
        // One that writes nothing has no address, and one of the PPGTT is the guest's own business.
        assert_eq!(run.ring(&[FLUSH, OWN_END | 4, 0, 1]), Ok(()));
        assert_eq!(run.ring(&[FLUSH | IMMEDIATE, OWN_END, 0, 1]), Ok(()));
        Ok(())
    }

    #[test]
    fn a_flush_writes_to_the_guests_status_page() -> Result {
        let mut run = Run::on(EngineId::Bcs0)?;
        let flush = FLUSH | IMMEDIATE | 1 << 8;
        assert_eq!(run.ring(&[flush | 1 << 21, 0x30 | 4, 0, 1]), Ok(()));
        let status = u32::try_from(STATUS).unwrap_or(0);
        assert!(*run.output == [FLUSH | IMMEDIATE, status + 0x30 | 4, 0, 1]);
        assert_eq!(run.guest.flushes, 1);
        assert_eq!(
            run.ring(&[FLUSH | IMMEDIATE | 1 << 21, 0x1000 | 4, 0, 1]),
            bad_address(0x1000, FLUSH | IMMEDIATE | 1 << 21)
        );
        // In the status page of the context, which is the shadow's.
        let own = [FLUSH | IMMEDIATE | 1 << 21, 0x100, 0, 1];
        assert_eq!(run.ring(&own), Ok(()));
        assert!(*run.output == own);
        Ok(())
    }

    #[test]
    fn every_pipe_control_that_writes_is_proved() -> Result {
        let mut run = Run::new()?;
        let global = 1 << 24;
        for kind in [IMMEDIATE, 2 << 14, TIMESTAMP] {
            assert_eq!(
                run.ring(&[PIPE_CONTROL, kind | global, OWN_END, 0, 1, 2]),
                bad_address(OWN_END.into(), PIPE_CONTROL)
            );
            // Two words at an odd one end behind the guest's.
            let last = OWN_END - 4;
            assert_eq!(
                run.ring(&[PIPE_CONTROL, kind | global, last, 0, 1, 2]),
                bad_address(last.into(), PIPE_CONTROL)
            );
            let own = [PIPE_CONTROL, kind | global, OWN, 0, 1, 2];
            assert_eq!(run.ring(&own), Ok(()));
            assert_eq!(run.ring(&[PIPE_CONTROL, kind, OWN_END, 0, 1, 2]), Ok(()));
        }
        let notified = [PIPE_CONTROL, 1 << 8, 0, 0, 0, 0];
        assert_eq!(run.ring(&notified), Ok(()));
        assert!(*run.output == [PIPE_CONTROL, 0, 0, 0, 0, 0]);
        assert_eq!(run.guest.flushes, 1);
        Ok(())
    }

    #[test]
    fn a_pipe_control_writes_a_register_as_a_load_does() -> Result {
        let mut run = Run::new()?;
        let flags = IMMEDIATE | 1 << 23;
        assert_eq!(run.ring(&[PIPE_CONTROL, flags, TAKEN, 0, 0xff, 0]), Ok(()));
        assert!(*run.output == [PIPE_CONTROL, flags, TAKEN, 0, 0xff & !TAKEN_BUT, 0]);
        assert_eq!(
            run.ring(&[PIPE_CONTROL, flags, 0x2080, 0, 0xff, 0]),
            Err(Flaw::Register { offset: 0x2080 })
        );
        assert_eq!(
            run.ring(&[PIPE_CONTROL, flags, 0x2270, 0, 0xff, 0]),
            Err(Flaw::Register { offset: 0x2270 })
        );
        Ok(())
    }

    #[test]
    fn a_load_gets_the_value_that_is_accepted() -> Result {
        let mut run = Run::new()?;
        assert_eq!(run.ring(&[LOAD + 2, TAKEN, 0xff, 0xa188, 3]), Ok(()));
        assert!(*run.output == [LOAD + 2, TAKEN, 0xff & !TAKEN_BUT, 0x2094, 0]);
        assert_eq!(
            run.ring(&[LOAD, 0x2080, 3]),
            Err(Flaw::Register { offset: 0x2080 })
        );
        // Bits around the offset, bytes left out, half a pair.
        assert!(run.ring(&[LOAD, TAKEN | 1 << 23, 3]).is_err());
        assert!(run.ring(&[LOAD | 1 << 8, TAKEN, 3]).is_err());
        assert!(run.ring(&[LOAD | 1 << 19, TAKEN, 3]).is_err());
        assert!(run.ring(&[LOAD + 1, TAKEN, 3, TAKEN]).is_err());
        Ok(())
    }

    #[test]
    fn any_part_of_a_root_loads_the_shadows() -> Result {
        // One alone, of any of the eight registers, as well as all of them.
        for register in (0x2270..0x2290).step_by(4) {
            let mut run = Run::new()?;
            assert_eq!(run.ring(&[LOAD + 2, TAKEN, 2, register, 0xbad]), Ok(()));
            assert_eq!(run.guest.root_parts, 1);
            assert_eq!(run.output.len(), 5 + 17);
            let [start @ .., _, _] = [LOAD + 2, TAKEN, 2, 0x2094, 0, 0, 0];
            assert!(run.output.get(..5) == Some(&start));
            let root = run.output.get(6..).unwrap_or_default();
            assert!(root.iter().skip(1).step_by(2).copied().eq(1..=8));
            assert!(!run.output.contains(&0xbad));
        }
        Ok(())
    }

    #[test]
    fn memory_and_registers_move_as_they_may() -> Result {
        let mut run = Run::new()?;
        for header in [SRM, LRM] {
            assert_eq!(run.ring(&[header, MOVABLE, 0, 0]), Ok(()));
            assert_eq!(run.ring(&[header | GLOBAL, MOVABLE, OWN, 0]), Ok(()));
            assert_eq!(
                run.ring(&[header | GLOBAL, MOVABLE, OWN_END, 0]),
                bad_address(OWN_END.into(), header | GLOBAL)
            );
            assert_eq!(
                run.ring(&[header, TAKEN, 0, 0]),
                Err(Flaw::Register { offset: TAKEN })
            );
        }
        assert_eq!(run.ring(&[LRR, MOVABLE, TAKEN]), Ok(()));
        assert_eq!(
            run.ring(&[LRR, TAKEN, MOVABLE]),
            Err(Flaw::Register { offset: MOVABLE })
        );
        Ok(())
    }

    #[test]
    fn atomics_waits_and_copies_stay_in_own_memory() -> Result {
        let mut run = Run::new()?;
        let atomic = ATOMIC | GLOBAL;
        assert_eq!(run.ring(&[atomic, OWN_END - 16, 0]), Ok(()));
        assert_eq!(
            run.ring(&[atomic, OWN_END - 8, 0]),
            bad_address(u64::from(OWN_END - 8), atomic)
        );
        let wait = SEMAPHORE_WAIT | GLOBAL;
        assert_eq!(run.ring(&[wait, 1, OWN, 0]), Ok(()));
        assert!(*run.output == [wait | 1 << 15, 1, OWN, 0]);
        assert!(run.ring(&[wait, 1, OWN_END, 0]).is_err());
        let copy = 0x2e << 23 | 3;
        assert_eq!(run.ring(&[copy, OWN_END, 0, OWN_END, 0]), Ok(()));
        assert_eq!(run.ring(&[copy | GLOBAL | 1 << 21, OWN, 0, OWN, 0]), Ok(()));
        assert!(run.ring(&[copy | 1 << 21, OWN_END, 0, OWN, 0]).is_err());
        assert!(run.ring(&[copy | GLOBAL, OWN, 0, OWN_END, 0]).is_err());
        Ok(())
    }

    #[test]
    fn a_flip_is_one_of_any_plane() -> Result {
        let mut run = Run::on(EngineId::Bcs0)?;
        let planes = [
            (0, Pipe::A, FlipPlane::Primary),
            (1, Pipe::B, FlipPlane::Primary),
            (2, Pipe::C, FlipPlane::Primary),
            (4, Pipe::A, FlipPlane::Sprite),
            (5, Pipe::B, FlipPlane::Sprite),
            (6, Pipe::C, FlipPlane::Sprite),
        ];
        for (code, pipe, plane) in planes {
            let words = [FLIP | code << 8, 80 << 6 | 1, OWN | 1];
            assert_eq!(run.ring(&words), Ok(()));
            assert!(run.output.is_empty());
            assert!(
                run.guest.flip
                    == Some(Flip {
                        pipe,
                        plane,
                        stride: 80,
                        tiling: 1,
                        surface: OWN,
                        immediate: true,
                    })
            );
        }
        assert!(run.ring(&[FLIP | 3 << 8, 0, 0]).is_err());
        run.platform = Platform::Broadwell;
        for (code, pipe, plane) in [
            (2, Pipe::A, FlipPlane::Sprite),
            (4, Pipe::C, FlipPlane::Primary),
        ] {
            assert_eq!(run.ring(&[FLIP | code << 19, 0x1400, OWN]), Ok(()));
            let flip = run.guest.flip;
            assert!(flip.is_some_and(|flip| flip.pipe == pipe && flip.plane == plane));
            assert!(flip.is_some_and(|flip| flip.stride == 0x1400 && !flip.immediate));
        }
        Ok(())
    }
}
