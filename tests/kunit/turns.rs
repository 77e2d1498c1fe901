// SPDX-License-Identifier: GPL-2.0

//! Who gets an engine when, beside a model of what i915 does with what it is given.

use kernel::prelude::*;

#[kunit_tests(gvt_turns)]
mod gvt_turns {
    use super::*;
    use crate::fakes::ids;
    use gvt_model::{
        cap::Cap,
        sched::{
            step::{
                Standing,
                Step,
                IN_FLIGHT, //
            },
            Queue,
            Timing, //
        },
        types::VgpuId,
        weight::Weight,
    };

    const MS: u64 = 1_000_000;
    const TICK: u64 = MS / 10;

    /// A guest with batches of one length, always or one in each period.
    struct Guest {
        id: VgpuId,
        batch: u64,
        period: Option<u64>,
        due: u64,
        /// When it has submitted what is not done.
        since: Option<u64>,
        /// For how long each that i915 has is yet to run.
        jobs: KVec<u64>,
        longest: u64,
        done: u64,
        /// When i915 last had it on the engine.
        turn: u64,
    }

    impl Guest {
        fn wants(&self) -> bool {
            self.period.is_none() || self.since.is_some() && self.jobs.is_empty()
        }
    }

    struct Engine {
        queue: Queue,
        guests: KVec<Guest>,
        now: u64,
        alarm: Option<u64>,
        /// For how long the one on the engine has had it.
        slice: u64,
        on: Option<VgpuId>,
    }

    impl Engine {
        /// Guests of these weights, lengths of batches and periods.
        fn new(guests: &[(u16, u64, Option<u64>)]) -> Result<Self> {
            let mut this = Self {
                queue: Queue::new(Timing::new(1000, 50)?),
                guests: KVec::new(),
                now: 0,
                alarm: None,
                slice: 0,
                on: None,
            };
            let ids = ids()?;
            assert!(guests.len() <= ids.len());
            for ((weight, batch, period), id) in guests.iter().zip(ids) {
                this.queue.join(id, Weight::new(*weight)?, Cap::NONE);
                let guest = Guest {
                    id,
                    batch: *batch,
                    period: *period,
                    due: 0,
                    since: None,
                    jobs: KVec::new(),
                    longest: 0,
                    done: 0,
                    turn: 0,
                };
                this.guests.push(guest, GFP_KERNEL)?;
            }
            Ok(this)
        }

        fn guest(&mut self, id: VgpuId) -> Result<&mut Guest> {
            let mut guests = self.guests.iter_mut();
            guests.find(|guest| guest.id == id).ok_or(EINVAL)
        }

        /// What a dispatcher does when there is news.
        fn dispatch(&mut self) -> Result {
            for _ in 0..100 {
                let mut all = KVec::new();
                for guest in self.guests.iter() {
                    let standing = Standing {
                        id: guest.id,
                        flights: guest.jobs.len(),
                        wants: guest.wants(),
                    };
                    all.push(standing, GFP_KERNEL)?;
                }
                match self.queue.step(self.now, &all) {
                    Step::Launch(id) => {
                        let guest = self.guest(id)?;
                        assert!(guest.wants());
                        assert!(guest.jobs.len() < IN_FLIGHT);
                        guest.jobs.push(guest.batch, GFP_KERNEL)?;
                    }
                    Step::Wait(left) => {
                        self.alarm = left.map(|left| self.now.saturating_add(left));
                        return Ok(());
                    }
                }
            }
            // It goes on and on.
            Err(EINVAL)
        }

        /// Who has the engine: each for a slice in its turn.
        fn elect(&mut self) {
            let candidates = self.guests.iter().filter(|guest| !guest.jobs.is_empty());
            let stays = |guest: &Guest| Some(guest.id) == self.on && self.slice < MS;
            let next = candidates.min_by_key(|guest| (!stays(guest), guest.turn));
            let next = next.map(|guest| guest.id);
            if next != self.on || self.slice >= MS {
                self.slice = 0;
            }
            self.on = next;
        }

        /// The time goes on a little.
        fn tick(&mut self) -> Result {
            let mut news = self.alarm.is_some_and(|alarm| alarm <= self.now);
            let now = self.now;
            for guest in self.guests.iter_mut() {
                if let Some(period) = guest.period {
                    if guest.due <= now && guest.since.is_none() {
                        guest.since = Some(now);
                        news = true;
                    }
                    while guest.due <= now {
                        guest.due = guest.due.saturating_add(period);
                    }
                }
            }
            if news || now == 0 {
                self.alarm = None;
                self.dispatch()?;
            }
            self.elect();
            self.now = self.now.saturating_add(TICK);
            let Some(on) = self.on else {
                return Ok(());
            };
            self.slice = self.slice.saturating_add(TICK);
            self.queue.ran(on, TICK);
            let now = self.now;
            let guest = self.guest(on)?;
            guest.turn = now;
            let first = guest.jobs.first_mut().ok_or(EINVAL)?;
            *first = first.saturating_sub(TICK);
            if *first == 0 {
                guest.jobs.remove(0).map_err(|_| EINVAL)?;
                guest.done = guest.done.saturating_add(1);
                if let Some(since) = guest.since.take() {
                    guest.longest = guest.longest.max(now.saturating_sub(since));
                }
                if guest.jobs.is_empty() {
                    let wants = guest.wants();
                    self.queue.set_active(on, wants);
                }
                self.dispatch()?;
            }
            Ok(())
        }

        fn run(&mut self, time: u64) -> Result {
            let end = self.now.saturating_add(time);
            while self.now < end {
                self.tick()?;
            }
            Ok(())
        }
    }

    #[test]
    fn a_hog_does_not_make_a_client_late() -> Result {
        let frame = 16_700_000;
        for (hog, client) in [(4, 4), (2, 16), (16, 16), (8, 4)] {
            for batch in [5 * MS, 50 * MS, 500 * MS] {
                let mut engine = Engine::new(&[(hog, batch, None), (client, 3 * MS, Some(frame))])?;
                engine.run(20_000 * MS)?;
                let [_, client] = &engine.guests[..] else {
                    return Err(EINVAL);
                };
                assert!(client.longest <= 9 * MS);
                assert!(client.done >= 1195);
            }
        }
        Ok(())
    }

    #[test]
    fn a_hog_that_begins_later_does_neither() -> Result {
        // When the client comes there is nothing else, and then the hog is a little behind it.
        let mut engine = Engine::new(&[
            (4, 1000 * MS, Some(1030 * MS)),
            (4, 30 * MS, Some(167 * MS)),
        ])?;
        engine.run(60_000 * MS)?;
        let [_, client] = &engine.guests[..] else {
            return Err(EINVAL);
        };
        assert!(client.longest <= 65 * MS);
        Ok(())
    }

    #[test]
    fn long_batches_have_shares_by_weight() -> Result {
        let time = 60_000 * MS;
        for batches in [[50, 50, 50, 50], [2, 50, 20, 5], [500, 3, 1, 50]] {
            let [a, b, c, d] = batches.map(|batch| batch * MS);
            let guests = [(2, a, None), (4, b, None), (8, c, None), (16, d, None)];
            let mut engine = Engine::new(&guests)?;
            engine.run(time)?;
            for (guest, (weight, ..)) in engine.guests.iter().zip(guests) {
                let part = engine.queue.total(guest.id) * 1000 / time;
                let due = u64::from(weight) * 1000 / 30;
                assert!(part.abs_diff(due) <= 20);
            }
        }
        Ok(())
    }

    #[test]
    fn a_cap_is_no_way_to_save_time_up() -> Result {
        let minute = 60_000 * MS;
        let mut engine = Engine::new(&[
            (4, 5 * MS, None),
            (4, 5 * MS, None),
            (4, 5 * MS, Some(minute)),
        ])?;
        let [capped, other, late] = &engine.guests[..] else {
            return Err(EINVAL);
        };
        let (capped, other, late) = (capped.id, other.id, late.id);
        engine.queue.set_cap(capped, Cap::parse(b"10\n")?);
        engine.run(minute)?;
        let part = engine.queue.total(capped) * 100 / minute;
        assert!((9..=11).contains(&part));
        // Without the cap, and with one more that always has work: each has a third.
        engine.queue.set_cap(capped, Cap::NONE);
        engine.guest(late)?.period = None;
        let before = [capped, other, late].map(|id| engine.queue.total(id));
        engine.run(6_000 * MS)?;
        for (id, before) in [capped, other, late].into_iter().zip(before) {
            assert!((engine.queue.total(id) - before).abs_diff(2_000 * MS) <= 100 * MS);
        }
        Ok(())
    }

    #[test]
    fn the_engine_is_never_idle() -> Result {
        let time = 5_000 * MS;
        let mut engine = Engine::new(&[(1, MS, None), (1000, 30 * MS, Some(40 * MS))])?;
        engine.run(time)?;
        let total: u64 = engine
            .guests
            .iter()
            .map(|guest| engine.queue.total(guest.id))
            .sum();
        assert_eq!(total, time);
        Ok(())
    }

    #[test]
    fn nobody_waits_with_a_timer_who_is_alone() -> Result {
        let mut engine = Engine::new(&[(4, 5 * MS, None)])?;
        engine.run(100 * MS)?;
        assert_eq!(engine.alarm, None);
        Ok(())
    }
}
