// SPDX-License-Identifier: GPL-2.0

//! The work of a guest on the render engine: what is its alone, workaround batches and copies.

use kernel::prelude::*;

#[kunit_tests(gvt_render)]
mod gvt_render {
    use super::*;
    use crate::{
        fakes::{
            engines,
            registers, //
        },
        worker::{
            Worker,
            BATCH,
            CONTEXT_A,
            WORKAROUNDS, //
        },
    };
    use gvt_model::{
        cmd::Flaw,
        effect::Note,
        engine::EngineId,
        mmio::map::RegisterMap,
        platform::Platform, //
    };

    const NOOP: u32 = 0;
    const ARB_CHECK: u32 = 0x05 << 23;
    const ARB_OFF: u32 = 0x08 << 23;
    const ARB_ON: u32 = ARB_OFF | 1;
    const END: u32 = 0x0a << 23;
    const STORE: u32 = 0x20 << 23 | 2;
    const COPY: u32 = 0x2a << 23 | 1;

    const PER_CONTEXT: u32 = 25;
    const INDIRECT: u32 = 27;
    const INDIRECT_OFFSET: u32 = 29;
    const PER_CONTEXT_VALID: u32 = 1;
    const LINE_WORDS: usize = 16;
    const LINE_BYTES: u32 = 64;

    /// The host's line in front of a guest's, which clears shared local memory: PIPE_CONTROL flushes L3, stalls, and
    /// writes a quadword to the status page of the context.
    const CLEAR: [u32; LINE_WORDS] = [
        ARB_OFF,
        0x7a00_0004,
        1 << 27 | 1 << 21 | 1 << 20 | 1 << 14,
        0xd0,
        0,
        0,
        0,
        ARB_ON,
        NOOP,
        NOOP,
        NOOP,
        NOOP,
        NOOP,
        NOOP,
        NOOP,
        NOOP,
    ];

    /// What the GPU finds in the image of a context: where its workaround batches are, and they.
    struct Found {
        indirect: u32,
        offset: u32,
        per_context: u32,
        /// Behind the host's line.
        words: KVVec<u32>,
    }

    impl Found {
        fn in_image(worker: &mut Worker) -> Result<Self> {
            let place = |place: u32| {
                let word = usize::try_from(place)
                    .ok()
                    .and_then(|at| worker.image.words.get(at));
                word.copied().ok_or(EINVAL)
            };
            let all = &worker.image.workarounds;
            assert_eq!(all.get(..LINE_WORDS), Some(&CLEAR[..]));
            let mut words = KVVec::new();
            words.extend_from_slice(all.get(LINE_WORDS..).unwrap_or_default(), GFP_KERNEL)?;
            Ok(Self {
                indirect: place(INDIRECT)?,
                offset: place(INDIRECT_OFFSET)?,
                per_context: place(PER_CONTEXT)?,
                words,
            })
        }
    }

    /// Submits a context with workaround batches: so many lines of words, and others that run later.
    fn submit(lines: u32, first: &[u32], second: Option<&[u32]>) -> Result<Worker> {
        let mut worker = Worker::on(registers()?, EngineId::Rcs0)?;
        worker.put(BATCH, first);
        let indirect = if lines > 0 { BATCH | lines } else { 0 };
        worker.set_state(CONTEXT_A, INDIRECT, indirect);
        if let Some(second) = second {
            worker.put(BATCH + 0x1000, second);
            let valid = BATCH + 0x1000 | PER_CONTEXT_VALID;
            worker.set_state(CONTEXT_A, PER_CONTEXT, valid);
        }
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        Ok(worker)
    }

    /// Runs it.
    fn run(lines: u32, first: &[u32], second: Option<&[u32]>) -> Result<Found> {
        let mut worker = submit(lines, first, second)?;
        assert!(worker.launch().is_some());
        Found::in_image(&mut worker)
    }

    /// Whether it has more than there is room for.
    fn is_too_much(lines: u32, first: &[u32], second: Option<&[u32]>) -> Result<bool> {
        let mut worker = submit(lines, first, second)?;
        let hang = Note::Hang {
            engine: EngineId::Rcs0,
            flaw: Flaw::Budget,
        };
        let told = worker.effects.notes().any(|note| *note == hang);
        Ok(told && worker.launch().is_none())
    }

    /// Or it could read what another context has left in shared local memory (CVE-2019-14615).
    #[test]
    fn every_context_is_loaded_with_the_host_s_batch() -> Result {
        let none = run(0, &[], None)?;
        assert_eq!(none.indirect, WORKAROUNDS | 1);
        assert_eq!(none.per_context, 0);
        assert!(none.words.is_empty());
        let later = run(0, &[], Some(&[STORE, 1, 2, 3, END]))?;
        assert_eq!(later.indirect, WORKAROUNDS | 1);
        assert_eq!(later.per_context, (WORKAROUNDS + LINE_BYTES) | 1);
        assert!(*later.words == [STORE, 1, 2, 3, ARB_ON, END]);
        // What a guest's batch has ends with it.
        let mut worker = submit(1, &[STORE, 1, 2, 3], None)?;
        assert!(worker.launch().is_some());
        assert_eq!(worker.image.workarounds.len(), 2 * LINE_WORDS);
        worker.complete(true);
        worker.set_state(CONTEXT_A, INDIRECT, 0);
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        let found = Found::in_image(&mut worker)?;
        assert_eq!(found.indirect, WORKAROUNDS | 1);
        assert!(found.words.is_empty());
        Ok(())
    }

    /// The others have no such memory, and no such register.
    #[test]
    fn other_engines_have_no_batch() -> Result {
        for engine in [EngineId::Bcs0, EngineId::Vcs0, EngineId::Vecs0] {
            let mut worker = Worker::on(registers()?, engine)?;
            worker.set_state(CONTEXT_A, INDIRECT, BATCH | 1);
            worker.set_state(CONTEXT_A, INDIRECT_OFFSET, 0x40);
            worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
            worker.submit(&[(CONTEXT_A, 7)])?;
            assert!(worker.launch().is_some());
            assert!(worker.image.workarounds.is_empty());
            assert_eq!(worker.image.words.get(25..31), Some(&[0; 6][..]));
        }
        Ok(())
    }

    /// With another one it would run before the root of the page tables is there: in those of whoever was before.
    #[test]
    fn where_a_batch_runs_is_the_host_s_to_say() -> Result {
        const HOST: u32 = 0x2a << 6;
        for (platform, fresh, wanted) in [
            (Platform::Broadwell, HOST, HOST),
            (Platform::Skylake, HOST, HOST),
            // A host that has no such batch itself does not say it.
            (Platform::Broadwell, 0, 0x17 << 6),
            (Platform::Skylake, 0, 0x26 << 6),
        ] {
            for guest in [0, 1 << 6, 0x3ff << 6, u32::MAX] {
                for lines in [0, 1] {
                    let map = RegisterMap::new(platform, engines(), &[])?;
                    let mut worker = Worker::on(map, EngineId::Rcs0)?;
                    if let Some(word) = worker.fresh.get_mut(29) {
                        *word = fresh;
                    }
                    worker.put(BATCH, &[STORE, 1, 2, 3]);
                    worker.set_state(CONTEXT_A, INDIRECT, BATCH | lines);
                    worker.set_state(CONTEXT_A, INDIRECT_OFFSET, guest);
                    worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
                    worker.submit(&[(CONTEXT_A, 7)])?;
                    assert!(worker.launch().is_some());
                    let found = Found::in_image(&mut worker)?;
                    assert_eq!(found.offset, wanted);
                    assert_eq!(found.indirect, WORKAROUNDS | (1 + lines));
                    // The guest finds what it has written.
                    worker.complete(true);
                    let state = |worker: &mut Worker, place| worker.state(CONTEXT_A, place);
                    assert_eq!(state(&mut worker, INDIRECT), BATCH | lines);
                    assert_eq!(state(&mut worker, INDIRECT_OFFSET), guest);
                    assert_eq!(state(&mut worker, PER_CONTEXT), 0);
                }
            }
        }
        Ok(())
    }

    /// The register counts to 63, and one line is the host's.
    #[test]
    fn a_guest_has_62_lines() -> Result {
        let full = KVec::<u32>::zeroed(63 * LINE_WORDS, GFP_KERNEL)?;
        let found = run(62, &full, None)?;
        assert_eq!(found.indirect, WORKAROUNDS | 63);
        assert_eq!(found.words.len(), 62 * LINE_WORDS);
        assert!(is_too_much(63, &full, None)?);
        assert!(is_too_much(63, &[END], None)?);
        // What runs at the end has the rest of the page, less what makes an end.
        let mut later = [NOOP; LINE_WORDS];
        for (room, words) in [(true, LINE_WORDS - 2), (false, LINE_WORDS - 1)] {
            later.fill(NOOP);
            if let Some(end) = later.get_mut(words) {
                *end = END;
            }
            assert_eq!(is_too_much(62, &full, Some(&later))?, !room);
        }
        Ok(())
    }

    #[test]
    fn workaround_batches_that_end_as_they_began_run_as_they_are() -> Result {
        let found = run(1, &[ARB_OFF, STORE, 1, 2, 3, ARB_ON], None)?;
        assert_eq!(found.indirect, WORKAROUNDS | 2);
        assert_eq!(found.per_context, 0);
        assert_eq!(found.words.len(), LINE_WORDS);
        assert!(found.words.get(..6) == Some(&[ARB_OFF, STORE, 1, 2, 3, ARB_ON]));
        // Off in the one and on in the other, as i915 had it once.
        let both = run(1, &[ARB_OFF], Some(&[ARB_ON, END]))?;
        assert_eq!(both.indirect, WORKAROUNDS | 2);
        assert_eq!(both.per_context, (WORKAROUNDS + 2 * LINE_BYTES) | 1);
        assert_eq!(both.words.first(), Some(&ARB_OFF));
        assert!(both
            .words
            .iter()
            .skip(1)
            .take(LINE_WORDS - 1)
            .all(|word| *word == NOOP));
        assert!(both.words.get(LINE_WORDS..) == Some(&[ARB_ON, ARB_ON, END]));
        Ok(())
    }

    /// The engine could not be taken away from the guest then.
    #[test]
    fn workaround_batches_never_leave_arbitration_off() -> Result {
        let mut full = KVec::<u32>::zeroed(62 * LINE_WORDS, GFP_KERNEL)?;
        if let Some(last) = full.last_mut() {
            *last = ARB_OFF;
        }
        for (lines, first, second) in [
            (1, &[ARB_OFF][..], None),
            (1, &[ARB_ON, ARB_OFF][..], None),
            (62, &full[..], None),
            (0, &[][..], Some(&[ARB_OFF, END][..])),
            (1, &[ARB_ON][..], Some(&[ARB_OFF, END][..])),
        ] {
            let found = run(lines, first, second)?;
            let start = WORKAROUNDS + (1 + lines) * LINE_BYTES;
            assert_eq!(found.per_context, start | PER_CONTEXT_VALID);
            assert!(found.words.ends_with(&[ARB_ON, END]));
            assert!((LINE_WORDS + found.words.len()) * 4 <= 4096);
        }
        Ok(())
    }

    /// The value of a copy is one that nobody has looked at.
    #[test]
    fn a_register_is_copied_to_itself() -> Result {
        let copies = |platform, from, to| -> Result<bool> {
            let map = RegisterMap::new(platform, engines(), &[])?;
            let mut worker = Worker::on(map, EngineId::Rcs0)?;
            let words = [COPY, from, to, NOOP];
            worker.ring(CONTEXT_A, &words);
            worker.submit(&[(CONTEXT_A, 7)])?;
            let commands = worker.launch();
            Ok(commands.is_some_and(|commands| *commands == words))
        };
        assert!(copies(Platform::Broadwell, 0x215c, 0x215c)?);
        for other in [0x2270, 0x24d0, 0x229c, 0x2244, 0x2028, 0x7004, 0xb118] {
            assert!(!copies(Platform::Broadwell, 0x215c, other)?);
            assert!(!copies(Platform::Broadwell, other, 0x215c)?);
        }
        assert!(!copies(Platform::Skylake, 0x215c, 0x215c)?);
        Ok(())
    }

    /// A value at the start of a page of the image is none of the commands, whatever it looks like.
    #[test]
    fn a_command_of_an_image_goes_on_in_the_next_page() -> Result {
        const LOAD_TWO: u32 = 0x22 << 23 | 3;
        // As a value: 3DSTATE_DRAWING_RECTANGLE with three words.
        const LOOKS_FREE: u32 = 0x7900_0002;
        let mut worker = Worker::on(registers()?, EngineId::Rcs0)?;
        let host = [
            LOAD_TWO,
            0x2600,
            LOOKS_FREE,
            0x2604,
            1,
            0x7900_0002,
            2,
            2,
            2,
            END,
        ];
        // The guest has another register, and values.
        let guest = [
            LOAD_TWO,
            0x2600,
            LOOKS_FREE,
            0x2230,
            5,
            0x7900_0002,
            6,
            6,
            6,
            END,
        ];
        let start = 1024 - 2;
        worker.fresh = KVVec::zeroed(2 * 1024, GFP_KERNEL)?;
        worker.image.words = KVVec::zeroed(2 * 1024, GFP_KERNEL)?;
        for (to, from) in worker.fresh.iter_mut().skip(start).zip(host) {
            *to = from;
        }
        worker.put(CONTEXT_A + 0x1000 + 4 * 1022, &guest);
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        let loaded = worker.image.words.get(start..start + host.len());
        let wanted = [
            LOAD_TWO,
            0x2600,
            LOOKS_FREE,
            0x2604,
            1,
            0x7900_0002,
            6,
            6,
            6,
            END,
        ];
        assert!(loaded == Some(&wanted));
        Ok(())
    }
}
