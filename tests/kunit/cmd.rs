// SPDX-License-Identifier: GPL-2.0

//! The audit of commands: what runs of what a guest wants to run.

use kernel::prelude::*;

#[kunit_tests(gvt_cmd)]
mod gvt_cmd {
    use super::*;
    use gvt_model::{
        cmd::{
            Flaw,
            Flip,
            Load,
            Page,
            Policy,
            Scanner,
            Space,
            MAX_WORDS, //
        },
        display::{
            flip::FlipPlane,
            Pipe, //
        },
        engine::EngineId,
        interrupt::EngineEvent,
        platform::Platform, //
    };

    /// The guest's graphics memory.
    const OWN: u32 = 0x10_0000;
    const OWN_WORDS: usize = 0x4000;
    const OWN_END: u32 = 0x11_0000;
    const STATUS: u64 = 0x10_f000;
    const CONTEXT: u64 = 0x10_e000;
    /// Where the ring is.
    const RING: u32 = OWN;
    const RING_SIZE: u64 = 0x1000;
    /// Where batches are.
    const BATCH: u32 = OWN + 0x2000;

    /// Where the page tables of the context have the same as the GGTT has from 0 on.
    const ELSEWHERE: u64 = 3 << 32;
    const ABOVE: u32 = 3;

    const NOOP: u32 = 0;
    const USER_INTERRUPT: u32 = 0x02 << 23;
    const ARB_OFF: u32 = 0x08 << 23;
    const ARB_ON: u32 = ARB_OFF | 1;
    const END: u32 = 0x0a << 23;
    const FLIP: u32 = 0x14 << 23 | 1;
    const SEMAPHORE_WAIT: u32 = 0x1c << 23 | 2;
    const STORE: u32 = 0x20 << 23 | 2;
    const STORE_INDEX: u32 = 0x21 << 23 | 1;
    const LOAD: u32 = 0x22 << 23 | 1;
    const SRM: u32 = 0x24 << 23 | 2;
    const FLUSH: u32 = 0x26 << 23 | 2;
    const LRM: u32 = 0x29 << 23 | 2;
    const LRR: u32 = 0x2a << 23 | 1;
    const ATOMIC: u32 = 0x2f << 23 | 1;
    const START: u32 = 0x31 << 23 | 1;
    const START_PPGTT: u32 = START | 1 << 8;
    const SECOND: u32 = 1 << 22;
    const GLOBAL: u32 = 1 << 22;
    const PIPE_CONTROL: u32 = 0x7a00_0004;
    const IMMEDIATE: u32 = 1 << 14;
    const TIMESTAMP: u32 = 3 << 14;

    /// A register that takes what is written with bit 0 cleared, and one that is not there.
    const TAKEN: u32 = 0x2358;
    const TAKEN_BUT: u32 = 1;
    const MOVABLE: u32 = 0xb118;

    struct Guest {
        words: KVVec<u32>,
        has_status: bool,
        users: u32,
        flushes: u32,
        flip: Option<Flip>,
        root_parts: u32,
    }

    impl Guest {
        fn put(&mut self, address: u32, words: &[u32]) {
            let start = usize::try_from(address.wrapping_sub(OWN) / 4).unwrap_or(0);
            for (to, from) in self.words.iter_mut().skip(start).zip(words) {
                *to = *from;
            }
        }
    }

    impl Policy for Guest {
        fn read_page(&mut self, space: Space, address: u64, words: &mut [u32]) -> Result<(), Flaw> {
            let out = Flaw::OutOfReach { address };
            let address = match space {
                Space::Global => address,
                // The same memory, somewhere else.
                Space::Context => address.checked_sub(ELSEWHERE).ok_or(out)?,
            };
            let start = address.checked_sub(OWN.into()).ok_or(out)? / 4;
            let start = usize::try_from(start).map_err(|_| out)?;
            let end = start.wrapping_add(words.len());
            words.copy_from_slice(self.words.get(start..end).ok_or(out)?);
            Ok(())
        }

        fn owns(&self, address: u64, length: u64) -> bool {
            address >= OWN.into() && address.saturating_add(length) <= OWN_END.into()
        }

        fn status_page(&self) -> Option<u64> {
            self.has_status.then_some(STATUS)
        }

        fn context_page(&self) -> u64 {
            CONTEXT
        }

        fn load(&mut self, register: u32, value: u32) -> Result<Load, Flaw> {
            match register {
                TAKEN => Ok(Load::Value(value & !TAKEN_BUT)),
                0xa188 => Ok(Load::Nothing),
                0x2270..=0x228f | 0x2_2270..=0x2_228f => {
                    self.root_parts = self.root_parts.wrapping_add(1);
                    Ok(Load::Root)
                }
                offset => Err(Flaw::Register { offset }),
            }
        }

        fn switch_root(&mut self) -> Result<[u32; 8], Flaw> {
            Ok([1, 2, 3, 4, 5, 6, 7, 8])
        }

        fn moves(&mut self, register: u32) -> bool {
            register == MOVABLE
        }

        fn copies(&mut self, from: u32, to: u32) -> bool {
            from == MOVABLE && to == TAKEN
        }

        fn event(&mut self, event: EngineEvent) {
            match event {
                EngineEvent::User => self.users = self.users.wrapping_add(1),
                EngineEvent::Flush => self.flushes = self.flushes.wrapping_add(1),
                EngineEvent::ContextSwitch => {}
            }
        }

        fn flip(&mut self, flip: Flip) -> Result<(), Flaw> {
            self.flip = Some(flip);
            Ok(())
        }
    }

    /// A guest with something to run.
    struct Run {
        guest: Guest,
        page: Page,
        output: KVVec<u32>,
        engine: EngineId,
        platform: Platform,
    }

    impl Run {
        fn new() -> Result<Self> {
            Ok(Self {
                guest: Guest {
                    words: KVVec::zeroed(OWN_WORDS, GFP_KERNEL)?,
                    has_status: true,
                    users: 0,
                    flushes: 0,
                    flip: None,
                    root_parts: 0,
                },
                page: Page::new()?,
                output: KVVec::new(),
                engine: EngineId::Rcs0,
                platform: Platform::Skylake,
            })
        }

        fn on(engine: EngineId) -> Result<Self> {
            Ok(Self {
                engine,
                ..Self::new()?
            })
        }

        /// Runs these words from the start of the ring on.
        fn ring(&mut self, words: &[u32]) -> Result<(), Flaw> {
            self.guest.put(RING, words);
            let tail = u64::try_from(words.len()).unwrap_or(0).wrapping_mul(4);
            let end = self.up_to(0, tail)?;
            assert_eq!(end, tail);
            Ok(())
        }

        fn between(&mut self, head: u64, tail: u64) -> Result<(), Flaw> {
            self.up_to(head, tail).map(|_| ())
        }

        /// Where that ends.
        fn up_to(&mut self, head: u64, tail: u64) -> Result<u64, Flaw> {
            self.output.clear();
            let mut scanner = Scanner::new(
                &mut self.guest,
                self.engine,
                self.platform,
                &mut self.page,
                &mut self.output,
            );
            scanner.ring(RING.into(), RING_SIZE, head, tail)
        }

        fn workarounds(&mut self, words: &[u32], size: u64) -> Result<bool, Flaw> {
            self.guest.put(BATCH, words);
            self.output.clear();
            let mut scanner = Scanner::new(
                &mut self.guest,
                self.engine,
                self.platform,
                &mut self.page,
                &mut self.output,
            );
            scanner.workarounds(BATCH.into(), size)
        }
    }

    fn bad_address(address: u64, header: u32) -> Result<(), Flaw> {
        Err(Flaw::Address { header, address })
    }

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

    /// A batch of the context's on the blitter of Skylake, and what comes of it.
    fn by_users(words: &[u32]) -> Result<Run> {
        let mut run = Run::on(EngineId::Bcs0)?;
        run.guest.put(BATCH, words);
        assert_eq!(run.ring(&[START_PPGTT, BATCH, ABOVE, ARB_ON]), Ok(()));
        assert_eq!(run.output.pop(), Some(ARB_ON));
        Ok(run)
    }

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
