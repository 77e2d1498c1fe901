// SPDX-License-Identifier: GPL-2.0

//! Frames of a guest that the GPU can use, or may still remember.

use kernel::prelude::*;

#[kunit_tests(gvt_frames)]
mod gvt_frames {
    use super::*;
    use core::cell::Cell;
    use gvt_model::{
        addr::Gfn,
        frames::{
            Frames,
            Pages,
            Touched,
            BLOCK,
            MAX_STALE, //
        },
    };
    /// What a frame of this number is at for the GPU.
    const BASE: u64 = 1 << 40;
    /// The number of a frame that is no memory.
    const HOLE: u64 = 21;

    /// How often pins were made, ended, and ended for ever.
    #[derive(Default)]
    struct Log {
        made: Cell<u64>,
        ended: Cell<u64>,
        lost: Cell<u64>,
        /// How many blocks went.
        gone: Cell<u64>,
    }

    impl Log {
        fn counts(&self) -> [u64; 3] {
            [&self.made, &self.ended, &self.lost].map(Cell::get)
        }
    }

    fn count(counter: &Cell<u64>) {
        counter.set(counter.get() + 1);
    }

    struct Fake<'a> {
        first: u64,
        pinned: [bool; BLOCK],
        log: &'a Log,
    }

    impl Pages for Fake<'_> {
        fn pin(&mut self, index: usize) -> Result<u64> {
            let frame = self.first + index as u64;
            let pinned = self.pinned.get_mut(index).ok_or(EFAULT)?;
            if *pinned {
                return Err(EFAULT);
            }
            if frame == HOLE {
                return Err(EINVAL);
            }
            *pinned = true;
            count(&self.log.made);
            Ok(BASE + frame)
        }

        fn address(&self, index: usize) -> Option<u64> {
            let pinned = self.pinned.get(index).copied().unwrap_or(false);
            pinned.then_some(BASE + self.first + index as u64)
        }

        fn unpin(&mut self, index: usize) {
            if self.take(index) {
                count(&self.log.ended);
            }
        }

        fn lose(&mut self, index: usize) {
            if self.take(index) {
                count(&self.log.lost);
            }
        }
    }

    impl Fake<'_> {
        fn take(&mut self, index: usize) -> bool {
            let pinned = self.pinned.get_mut(index);
            pinned.is_some_and(core::mem::take)
        }
    }

    impl Drop for Fake<'_> {
        fn drop(&mut self) {
            for index in 0..BLOCK {
                self.unpin(index);
            }
            count(&self.log.gone);
        }
    }

    struct Guest<'a> {
        frames: Frames<Fake<'a>>,
        log: &'a Log,
    }

    impl<'a> Guest<'a> {
        fn new(log: &'a Log) -> Self {
            Self {
                frames: Frames::new(),
                log,
            }
        }

        fn take(&mut self, gfn: u64) -> Result<u64> {
            let gfn = Gfn::new(gfn);
            if let Some(taken) = self.frames.reuse(gfn) {
                return taken;
            }
            self.frames.pin(gfn, |first| {
                Ok(Fake {
                    first: first / 4096,
                    pinned: [false; BLOCK],
                    log: self.log,
                })
            })
        }

        fn release(&mut self, gfn: u64) -> bool {
            self.frames.release(Gfn::new(gfn))
        }

        fn is_pinned(&self, gfn: u64) -> bool {
            self.frames.find(Gfn::new(gfn)).is_some()
        }
    }

    #[test]
    fn a_frame_is_pinned_once() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        assert_eq!(guest.take(7)?, BASE + 7);
        assert_eq!(guest.take(7)?, BASE + 7);
        assert_eq!(guest.take(8)?, BASE + 8);
        assert_eq!(log.counts(), [2, 0, 0]);
        assert_eq!(guest.frames.count(), 2);
        let _ = guest.release(7);
        assert_eq!((guest.frames.count(), guest.frames.wait()), (2, false));
        let _ = guest.release(7);
        assert_eq!((guest.frames.count(), guest.frames.wait()), (1, true));
        Ok(())
    }

    #[test]
    fn without_uses_it_stays_until_it_is_forgotten() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        for gfn in [3, 4, 100] {
            guest.take(gfn)?;
        }
        let _ = guest.release(3);
        let _ = guest.release(100);
        assert!(guest.is_pinned(3) && guest.is_pinned(100));
        let is_used = |gfn: u64| guest.frames.find_used(Gfn::new(gfn)).is_some();
        assert!(!is_used(3) && is_used(4) && !is_used(5) && !is_used(100));
        guest.frames.forget();
        assert!(!guest.is_pinned(3) && guest.is_pinned(4) && !guest.is_pinned(100));
        assert_eq!(log.counts(), [3, 2, 0]);
        // Nothing is kept of a block without frames.
        assert_eq!(log.gone.get(), 1);
        assert!(!guest.frames.wait());
        // Once more, and nobody else's.
        guest.frames.forget();
        assert!(guest.is_pinned(4));
        Ok(())
    }

    #[test]
    fn what_comes_back_before_is_not_pinned_again() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        guest.take(3)?;
        let _ = guest.release(3);
        assert_eq!(guest.take(3)?, BASE + 3);
        assert_eq!((guest.frames.count(), guest.frames.wait()), (1, false));
        guest.frames.forget();
        assert!(guest.is_pinned(3));
        assert_eq!(log.counts(), [1, 0, 0]);
        // And then it waits again.
        let _ = guest.release(3);
        guest.frames.forget();
        assert!(!guest.is_pinned(3));
        Ok(())
    }

    #[test]
    fn what_is_given_back_too_often_counts_once() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        guest.take(3)?;
        for gfn in [3, 3, 3, 4, 1000] {
            assert!(!guest.release(gfn));
        }
        assert_eq!((guest.frames.count(), guest.frames.wait()), (0, true));
        guest.frames.forget();
        assert_eq!(log.counts(), [1, 1, 0]);
        assert_eq!((guest.frames.count(), guest.frames.wait()), (0, false));
        Ok(())
    }

    #[test]
    fn what_is_not_forgotten_is_lost() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        for gfn in [3, 4, 50] {
            guest.take(gfn)?;
        }
        let _ = guest.release(3);
        guest.frames.abandon();
        assert_eq!(log.counts(), [3, 0, 1]);
        let _ = guest.release(4);
        guest.frames.clear(false);
        assert_eq!(log.counts(), [3, 0, 3]);
        guest.take(4)?;
        guest.frames.clear(true);
        assert_eq!(log.counts(), [4, 1, 3]);
        assert_eq!((guest.frames.count(), guest.frames.wait()), (0, false));
        Ok(())
    }

    #[test]
    fn what_is_no_memory_leaves_nothing_behind() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        assert_eq!(guest.take(HOLE).err(), Some(EINVAL));
        guest.take(HOLE + 1)?;
        assert_eq!(guest.take(HOLE).err(), Some(EINVAL));
        assert_eq!(guest.frames.count(), 1);
        assert!(!guest.release(HOLE));
        assert!(!guest.is_pinned(HOLE) && guest.is_pinned(HOLE + 1));
        // Beyond all addresses that there are.
        assert_eq!(guest.take(u64::MAX).err(), Some(EFAULT));
        Ok(())
    }

    #[test]
    fn many_are_forgotten_at_once() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        let most = MAX_STALE as u64;
        for gfn in 1000..1000 + 2 * most {
            guest.take(gfn)?;
        }
        for gfn in 1000..1000 + 2 * most {
            // The GPU does not forget the first ones.
            let many = guest.release(gfn);
            assert_eq!(many, (gfn - 999) % most == 0);
        }
        guest.frames.forget();
        assert_eq!(log.counts(), [2 * most, 2 * most, 0]);
        Ok(())
    }

    #[test]
    fn what_is_taken_away_is_found() -> Result {
        let log = Log::default();
        let mut guest = Guest::new(&log);
        for gfn in [40, 41, 90] {
            guest.take(gfn)?;
        }
        let _ = guest.release(40);
        let touched = |guest: &Guest<'_>, gone| guest.frames.touch(&gone);
        assert_eq!(touched(&guest, 0..40), Touched::Nowhere);
        assert_eq!(touched(&guest, 40..41), Touched::Remembered);
        assert_eq!(touched(&guest, 41..42), Touched::InUse);
        assert_eq!(touched(&guest, 0..u64::MAX), Touched::InUse);
        assert_eq!(touched(&guest, 42..90), Touched::Nowhere);
        assert_eq!(touched(&guest, 42..91), Touched::InUse);
        assert_eq!(touched(&guest, 91..u64::MAX), Touched::Nowhere);
        let _ = guest.release(90);
        let _ = guest.release(41);
        assert_eq!(touched(&guest, 0..u64::MAX), Touched::Remembered);
        guest.frames.forget();
        assert_eq!(touched(&guest, 0..u64::MAX), Touched::Nowhere);
        Ok(())
    }

    /// Whatever happens, frames with uses are pinned, and those without until they are forgotten.
    #[test]
    fn it_is_so_after_whatever_happens() -> Result {
        const FRAMES: u64 = 64;
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 16) % below
        };
        let log = Log::default();
        let mut guest = Guest::new(&log);
        // What is so, told in the simplest way: uses of a frame, if it is pinned.
        let mut truth = [None::<u32>; FRAMES as usize];
        let mut made = 0;
        for _ in 0..50_000 {
            let gfn = random(FRAMES);
            let known = truth.get_mut(gfn as usize).ok_or(EINVAL)?;
            match random(64) {
                0 => {
                    guest.frames.forget();
                    truth = truth.map(|uses| uses.filter(|uses| *uses > 0));
                }
                1 => {
                    guest.frames.abandon();
                    truth = truth.map(|uses| uses.filter(|uses| *uses > 0));
                }
                2 if random(20) == 0 => {
                    guest.frames.clear(random(2) == 0);
                    truth = [None; FRAMES as usize];
                }
                number if number % 2 == 0 => match guest.take(gfn) {
                    Ok(address) => {
                        assert_eq!(address, BASE + gfn);
                        made += u64::from(known.is_none());
                        *known = Some(known.unwrap_or(0) + 1);
                    }
                    Err(reason) => assert_eq!((gfn, reason), (HOLE, EINVAL)),
                },
                _ => {
                    let _ = guest.release(gfn);
                    *known = known.map(|uses| uses.saturating_sub(1));
                }
            }
            let mut used = 0;
            let mut wait = false;
            for (gfn, uses) in (0..).zip(truth) {
                assert_eq!(guest.is_pinned(gfn), uses.is_some());
                used += usize::from(uses.is_some_and(|uses| uses > 0));
                wait |= uses == Some(0);
            }
            assert_eq!((guest.frames.count(), guest.frames.wait()), (used, wait));
        }
        let pinned = truth.iter().flatten().count() as u64;
        let [all, ended, lost] = log.counts();
        assert_eq!((all, all - ended - lost), (made, pinned));
        assert!(made > 1000 && lost > 100 && ended > 100);
        drop(guest);
        let [all, ended, lost] = log.counts();
        assert_eq!(all, ended + lost);
        Ok(())
    }
}
