// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is on an engine.

use kernel::prelude::*;

#[kunit_tests(gvt_sched)]
mod gvt_sched {
    use super::*;
    use crate::fakes::ids;
    use gvt_model::{
        cap::Cap,
        sched::{
            Queue,
            Timing, //
        },
        types::VgpuId,
        weight::Weight,
    };

    const MS: u64 = 1_000_000;

    fn timing() -> Result<Timing> {
        Timing::new(1000, 50)
    }

    /// All of them, with these weights.
    fn queue(ids: &[VgpuId; 4], weights: [u16; 4]) -> Result<Queue> {
        let mut queue = Queue::new(timing()?);
        for (id, weight) in ids.iter().zip(weights) {
            queue.join(*id, Weight::new(weight)?, Cap::NONE);
        }
        Ok(queue)
    }

    /// So many turns of all that are busy, each of the length that `length` says.
    fn run(queue: &mut Queue, busy: &[VgpuId], turns: u64, length: impl Fn(VgpuId) -> u64) {
        for id in busy {
            queue.set_active(*id, true);
        }
        for _ in 0..turns {
            if let Some(next) = queue.next(|id| busy.contains(&id)) {
                queue.ran(next, length(next));
            }
        }
    }

    #[test]
    fn shares_follow_weights_whatever_the_length_of_a_turn() -> Result {
        let ids = ids()?;
        let [first, ..] = ids;
        let weights = [2u16, 4, 8, 16];
        let mut queue = queue(&ids, weights)?;
        // The one with the least weight has the longest batches.
        let length = |id| if id == first { 50 * MS } else { 2 * MS };
        run(&mut queue, &ids, 20_000, length);
        let total: u64 = ids.iter().map(|id| queue.total(*id)).sum();
        for (id, weight) in ids.iter().zip(weights) {
            let part = queue.total(*id) * 1000 / total;
            let due = u64::from(weight) * 1000 / 30;
            assert!(part.abs_diff(due) <= 2);
        }
        Ok(())
    }

    #[test]
    fn who_wants_nothing_leaves_it_to_the_others() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        let mut queue = queue(&ids, [1, 1000, 1000, 1000])?;
        run(&mut queue, &[first], 100, |_| MS);
        assert_eq!(queue.total(first), 100 * MS);
        assert_eq!(queue.total(second), 0);
        assert!(queue.next(|_| false).is_none());
        Ok(())
    }

    #[test]
    fn time_is_not_saved_up() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        run(&mut queue, &[first], 1000, |_| MS);
        // The other one comes: it is first, and not the only one from now on.
        queue.set_active(second, true);
        let busy = |id| id == first || id == second;
        assert_eq!(queue.next(busy), Some(second));
        run(&mut queue, &[first, second], 1000, |_| MS);
        assert!(queue.total(second).abs_diff(500 * MS) <= 3 * MS);
        Ok(())
    }

    #[test]
    fn who_is_behind_takes_the_engine() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        queue.set_active(first, true);
        queue.ran(first, 50 * MS);
        queue.set_active(second, true);
        assert_eq!(queue.overtakes_in(second, first), 0);
        // Not for a little.
        queue.ran(second, 50 * MS);
        assert!(queue.overtakes_in(second, first) > 0);
        Ok(())
    }

    #[test]
    fn it_is_known_when_who_waits_takes_the_engine() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        for weights in [[1, 1], [2, 16], [16, 2], [1000, 1], [1, 1000]] {
            let [one, other] = weights;
            let mut queue = queue(&ids, [one, other, 1, 1])?;
            queue.set_active(first, true);
            queue.set_active(second, true);
            queue.ran(second, 3 * MS);
            let left = queue.overtakes_in(second, first);
            assert!(left > 0);
            queue.ran(first, left / 2);
            // A clock of much weight does not count single nanoseconds.
            let rest = queue.overtakes_in(second, first);
            assert!(rest > 0 && rest <= left - left / 2 + 16);
            queue.ran(first, rest);
            assert_eq!(queue.overtakes_in(second, first), 0);
        }
        Ok(())
    }

    #[test]
    fn who_comes_takes_the_engine_whatever_the_slice() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        for slice_us in [100, 1000, 100_000] {
            let mut queue = Queue::new(Timing::new(slice_us, 50)?);
            for id in [first, second] {
                queue.join(id, Weight::new(4)?, Cap::NONE);
            }
            queue.set_active(first, true);
            queue.ran(first, 500 * MS);
            queue.set_active(second, true);
            assert_eq!(queue.overtakes_in(second, first), 0);
        }
        Ok(())
    }

    #[test]
    fn slices_and_periods_have_limits() {
        for (slice_us, period_ms) in [(99, 50), (100_001, 50), (1000, 9), (1000, 1001), (0, 0)] {
            assert_eq!(Timing::new(slice_us, period_ms), Err(EINVAL));
        }
        for (slice_us, period_ms) in [(100, 10), (100_000, 1000)] {
            assert!(Timing::new(slice_us, period_ms).is_ok());
        }
    }

    #[test]
    fn a_weight_counts_from_when_it_is_set() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        run(&mut queue, &[first, second], 1000, |_| MS);
        let before = queue.total(first);
        queue.set_weight(first, Weight::new(3)?);
        run(&mut queue, &[first, second], 1000, |_| MS);
        let had = queue.total(first) - before;
        assert!(had.abs_diff(750 * MS) <= 3 * MS);
        Ok(())
    }

    #[test]
    fn a_cap_is_kept_though_nobody_else_wants_it() -> Result {
        let ids = ids()?;
        let [first, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        queue.set_cap(first, Cap::parse(b"20\n")?);
        let period = queue.timing().period();
        let mut now = 0;
        // Batches of 3 ms, as often as it may.
        while now < 100 * period {
            queue.advance(now);
            if queue.is_capped(first) {
                now = queue.period_end();
            } else {
                queue.ran(first, 3 * MS);
                now += 3 * MS;
            }
        }
        let part = queue.total(first) * 100 / now;
        assert!((19..=21).contains(&part));
        queue.set_cap(first, Cap::NONE);
        assert!(!queue.is_capped(first));
        Ok(())
    }

    #[test]
    fn a_cap_is_a_percentage() {
        for text in ["0", "101", "-1", "", "x", "20x", "65636"] {
            assert!(Cap::parse(text.as_bytes()).is_err());
        }
        assert!(Cap::parse(b"100") == Ok(Cap::NONE));
        assert!(Cap::parse(b"25").is_ok_and(|cap| cap.of(400) == 100));
    }

    #[test]
    fn who_comes_again_has_paid_nothing_back() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        let cap = Cap::parse(b"20\n")?;
        queue.set_cap(first, cap);
        run(&mut queue, &[first, second], 100, |_| MS);
        assert!(queue.is_capped(first));
        queue.ran(first, 100 * MS);
        queue.leave(first);
        queue.join(first, Weight::new(1)?, cap);
        assert_eq!(queue.total(first), 0);
        assert!(queue.is_capped(first));
        queue.set_active(first, true);
        assert_eq!(queue.next(|id| id == first || id == second), Some(second));
        Ok(())
    }

    #[test]
    fn who_gets_a_number_anew_owes_nothing() -> Result {
        let ids = ids()?;
        let [first, second, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        run(&mut queue, &[first, second], 100, |_| MS);
        queue.ran(first, 100 * MS);
        queue.leave(first);
        queue.forget(first);
        assert!(queue.next(|id| id == first).is_none());
        queue.join(first, Weight::new(1)?, Cap::parse(b"20\n")?);
        assert!(!queue.is_capped(first));
        queue.set_active(first, true);
        assert_eq!(queue.next(|id| id == first || id == second), Some(first));
        Ok(())
    }

    #[test]
    fn who_uses_little_does_not_save_it_up() -> Result {
        let ids = ids()?;
        let [first, second, third, ..] = ids;
        let mut queue = queue(&ids, [1, 1, 1, 1])?;
        for id in [first, second] {
            queue.set_active(id, true);
        }
        // For an hour one has the engine, though the other one always has a little to do.
        for _ in 0..3600 {
            queue.ran(first, 999 * MS);
            queue.ran(second, MS);
            queue.set_active(second, true);
        }
        let mut before = queue.total(second);
        run(&mut queue, &[first, second], 3000, |_| MS);
        // It makes up for a second, no more.
        assert!((queue.total(second) - before).abs_diff(2000 * MS) <= 5 * MS);
        // Nor does one that comes now.
        before = queue.total(third);
        run(&mut queue, &[first, second, third], 3000, |_| MS);
        assert!((queue.total(third) - before).abs_diff(1000 * MS) <= 5 * MS);
        Ok(())
    }
}
