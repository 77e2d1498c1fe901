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

    const PER_CONTEXT: usize = 25;
    const INDIRECT: usize = 27;
    const PER_CONTEXT_VALID: u32 = 1;
    const LINE_WORDS: usize = 16;
    const LINE_BYTES: u32 = 64;

    /// What the GPU finds in the image of a context: where its workaround batches are, and they.
    struct Found {
        indirect: u32,
        per_context: u32,
        words: KVVec<u32>,
    }

    /// Runs a context with workaround batches: so many lines of words, and others that run later.
    fn run(lines: u32, first: &[u32], second: Option<&[u32]>) -> Result<Found> {
        let mut worker = Worker::on(registers()?, EngineId::Rcs0)?;
        worker.put(BATCH, first);
        worker.set_state(CONTEXT_A, 27, if lines > 0 { BATCH | lines } else { 0 });
        if let Some(second) = second {
            worker.put(BATCH + 0x1000, second);
            let valid = BATCH + 0x1000 | PER_CONTEXT_VALID;
            worker.set_state(CONTEXT_A, 25, valid);
        }
        worker.ring(CONTEXT_A, &[ARB_CHECK, NOOP]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        let place = |place: usize| worker.image.words.get(place).copied().unwrap_or(0);
        Ok(Found {
            indirect: place(INDIRECT),
            per_context: place(PER_CONTEXT),
            words: core::mem::take(&mut worker.image.workarounds),
        })
    }

    #[test]
    fn workaround_batches_that_end_as_they_began_run_as_they_are() -> Result {
        let found = run(1, &[ARB_OFF, STORE, 1, 2, 3, ARB_ON], None)?;
        assert_eq!(found.indirect, WORKAROUNDS | 1);
        assert_eq!(found.per_context, 0);
        assert_eq!(found.words.len(), LINE_WORDS);
        assert!(found.words.get(..6) == Some(&[ARB_OFF, STORE, 1, 2, 3, ARB_ON]));
        // Off in the one and on in the other, as i915 had it once.
        let both = run(1, &[ARB_OFF], Some(&[ARB_ON, END]))?;
        assert_eq!(both.indirect, WORKAROUNDS | 1);
        assert_eq!(both.per_context, (WORKAROUNDS + LINE_BYTES) | 1);
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
        let mut full = KVec::<u32>::zeroed(63 * LINE_WORDS, GFP_KERNEL)?;
        if let Some(last) = full.last_mut() {
            *last = ARB_OFF;
        }
        for (lines, first, second) in [
            (1, &[ARB_OFF][..], None),
            (1, &[ARB_ON, ARB_OFF][..], None),
            (63, &full[..], None),
            (0, &[][..], Some(&[ARB_OFF, END][..])),
            (1, &[ARB_ON][..], Some(&[ARB_OFF, END][..])),
        ] {
            let found = run(lines, first, second)?;
            let start = WORKAROUNDS + lines * LINE_BYTES;
            assert_eq!(found.per_context, start | PER_CONTEXT_VALID);
            assert!(found.words.ends_with(&[ARB_ON, END]));
            assert!(found.words.len() * 4 <= 4096);
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
