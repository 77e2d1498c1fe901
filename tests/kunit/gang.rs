// SPDX-License-Identifier: GPL-2.0

//! Who gets the engines when none of them can be taken from what runs on it.

use kernel::prelude::*;

#[kunit_tests(gvt_gang)]
mod gvt_gang {
    use super::*;
    use crate::fakes::ids;
    use gvt_model::{
        engine::{
            EngineId,
            EngineMap, //
        },
        sched::{
            gang::Gang,
            step::{
                Standing,
                IN_FLIGHT, //
            },
            Timing, //
        },
        types::VgpuId,
        weight::Weight,
    };

    const MS: u64 = 1_000_000;
    const TICK: u64 = MS / 10;
    const ENGINES: [EngineId; 3] = [EngineId::Rcs0, EngineId::Bcs0, EngineId::Vcs0];

    /// A batch.
    #[derive(Clone, Copy)]
    struct Job {
        engine: EngineId,
        /// How long it takes.
        length: u64,
        /// It does not end before so many of the guest's have ended on another engine.
        after: Option<(EngineId, u64)>,
    }

    /// A guest that submits the same over and over, each time when all that it had is through.
    struct Guest {
        id: VgpuId,
        round: KVec<Job>,
        /// How long after what it submitted before comes the next one of a round.
        pause: u64,
        /// How many of the round it has submitted, and when.
        submitted: usize,
        at: u64,
        /// What i915 does not have yet, and what it has; the front of that runs.
        waiting: EngineMap<KVec<Job>>,
        flying: EngineMap<KVec<Job>>,
        /// How many have ended since the round began.
        ended: EngineMap<u64>,
        rounds: u64,
        began: u64,
        longest: u64,
        /// How long it has had an engine.
        time: u64,
        capped: bool,
    }

    impl Guest {
        /// One that submits this over and over.
        #[inline(never)]
        fn new(id: VgpuId, jobs: &[Job]) -> Result<KBox<Self>> {
            let mut round = KVec::new();
            round.extend_from_slice(jobs, GFP_KERNEL)?;
            let guest = Self {
                id,
                submitted: round.len(),
                round,
                pause: MS,
                at: 0,
                waiting: EngineMap::new(|_| KVec::new()),
                flying: EngineMap::new(|_| KVec::new()),
                ended: EngineMap::default(),
                rounds: 0,
                began: 0,
                longest: 0,
                time: 0,
                capped: false,
            };
            Ok(KBox::new(guest, GFP_KERNEL)?)
        }

        fn is_through(&self) -> bool {
            let count = |jobs: &EngineMap<KVec<Job>>| -> usize {
                jobs.iter().map(|(_, jobs)| jobs.len()).sum()
            };
            self.submitted == self.round.len() && count(&self.waiting) + count(&self.flying) == 0
        }

        /// Submits what it is time for. Tells the engine if there is something.
        fn submit(&mut self, now: u64) -> Result<Option<EngineId>> {
            if self.is_through() {
                self.longest = self.longest.max(now - self.began);
                self.rounds += 1;
                self.submitted = 0;
                self.ended = EngineMap::default();
                self.began = now;
            }
            if self.submitted > 0 && now < self.at + self.pause {
                return Ok(None);
            }
            let Some(job) = self.round.get(self.submitted).copied() else {
                return Ok(None);
            };
            self.submitted += 1;
            self.at = now;
            let waiting = self.waiting.get_mut(job.engine);
            waiting.push(job, GFP_KERNEL)?;
            Ok(Some(job.engine))
        }
    }

    /// A GPU whose engines run one batch after the other.
    ///
    /// It is big, as are the gang and a guest: where they are made must not be inlined, or whoever makes them has more on
    /// its stack than the kernel lets a function have.
    struct Host {
        gang: Option<KBox<Gang>>,
        guests: KVec<KBox<Guest>>,
        /// Whose batches each engine has, in the order in which it runs them.
        order: EngineMap<KVec<VgpuId>>,
        alarms: EngineMap<Option<u64>>,
        now: u64,
    }

    #[inline(never)]
    fn a_gang() -> Result<KBox<Gang>> {
        Ok(KBox::new(Gang::new(Timing::new(1000, 50)?), GFP_KERNEL)?)
    }

    impl Host {
        /// Guests of these weights, with what each submits in a round. Without a gang each engine has whoever comes.
        #[inline(never)]
        fn new(gang: bool, guests: &[(u16, &[Job])]) -> Result<KBox<Self>> {
            let mut gang = if gang { Some(a_gang()?) } else { None };
            let ids = ids()?;
            assert!(guests.len() <= ids.len());
            let mut all = KVec::new();
            for ((weight, jobs), id) in guests.iter().zip(ids) {
                if let Some(gang) = &mut gang {
                    gang.join(id, Weight::new(*weight)?);
                }
                all.push(Guest::new(id, jobs)?, GFP_KERNEL)?;
            }
            let host = Self {
                gang,
                guests: all,
                order: EngineMap::new(|_| KVec::new()),
                alarms: EngineMap::default(),
                now: 0,
            };
            Ok(KBox::new(host, GFP_KERNEL)?)
        }

        /// An engine looks what it can have.
        fn ask(&mut self, engine: EngineId) -> Result {
            for _ in 0..100 {
                let mut all = KVec::new();
                for guest in self.guests.iter() {
                    let standing = Standing {
                        id: guest.id,
                        flights: guest.flying.get(engine).len(),
                        wants: !guest.waiting.get(engine).is_empty(),
                    };
                    all.push(standing, GFP_KERNEL)?;
                }
                let Self { gang, guests, .. } = self;
                let is_capped = |id| {
                    let mut guests = guests.iter();
                    guests.any(|guest| guest.id == id && guest.capped)
                };
                let mut others = None;
                if let Some(gang) = gang {
                    let verdict = gang.review(self.now, engine, &mut all, is_capped);
                    let at = verdict.again.map(|left| self.now + left);
                    *self.alarms.get_mut(engine) = at;
                    others = Some(verdict.others);
                }
                let ready = |standing: &&Standing| {
                    standing.wants && standing.flights < IN_FLIGHT && !is_capped(standing.id)
                };
                let next = all.iter().find(ready).map(|standing| standing.id);
                // The others ask first: what this one was told may not hold any more.
                for other in others.iter().flat_map(|others| others.iter()) {
                    if other != engine {
                        self.ask(other)?;
                    }
                }
                let Some(next) = next else {
                    return Ok(());
                };
                let gang = self.gang.as_mut();
                if gang.is_none_or(|gang| gang.enter(self.now, engine, next)) {
                    let mut guests = self.guests.iter_mut();
                    let guest = guests.find(|guest| guest.id == next).ok_or(EINVAL)?;
                    let waiting = guest.waiting.get_mut(engine);
                    let job = waiting.remove(0).map_err(|_| EINVAL)?;
                    guest.flying.get_mut(engine).push(job, GFP_KERNEL)?;
                    self.order.get_mut(engine).push(next, GFP_KERNEL)?;
                    if self.gang.is_some() {
                        self.assert_one_at_a_time();
                    }
                }
            }
            // It goes on and on.
            Err(EINVAL)
        }

        /// Nobody's batch is on an engine while somebody else's is on another one.
        fn assert_one_at_a_time(&self) {
            let flies =
                |guest: &&KBox<Guest>| guest.flying.iter().any(|(_, jobs)| !jobs.is_empty());
            assert!(self.guests.iter().filter(flies).count() <= 1);
        }

        fn tick(&mut self) -> Result {
            for at in 0..self.guests.len() {
                let guest = self.guests.get_mut(at).ok_or(EINVAL)?;
                if let Some(engine) = guest.submit(self.now)? {
                    self.ask(engine)?;
                }
            }
            for engine in ENGINES {
                if self.alarms.get(engine).is_some_and(|at| at <= self.now) {
                    self.ask(engine)?;
                }
            }
            self.now += TICK;
            for engine in ENGINES {
                let Some(on) = self.order.get(engine).first().copied() else {
                    continue;
                };
                let mut guests = self.guests.iter_mut();
                let guest = guests.find(|guest| guest.id == on).ok_or(EINVAL)?;
                guest.time += TICK;
                let Guest { flying, ended, .. } = &mut **guest;
                let jobs = flying.get_mut(engine);
                let job = jobs.first_mut().ok_or(EINVAL)?;
                if (job.after).is_some_and(|(other, number)| *ended.get(other) < number) {
                    continue;
                }
                job.length = job.length.saturating_sub(TICK);
                if job.length == 0 {
                    jobs.remove(0).map_err(|_| EINVAL)?;
                    *ended.get_mut(engine) += 1;
                    let order = self.order.get_mut(engine);
                    order.remove(0).map_err(|_| EINVAL)?;
                    self.ask(engine)?;
                }
            }
            Ok(())
        }

        fn run(&mut self, time: u64) -> Result {
            let end = self.now + time;
            while self.now < end {
                self.tick()?;
            }
            Ok(())
        }
    }

    fn job(engine: EngineId, length: u64) -> Job {
        Job {
            engine,
            length,
            after: None,
        }
    }

    fn waits(engine: EngineId, after: EngineId) -> Job {
        Job {
            engine,
            length: MS / 10,
            after: Some((after, 1)),
        }
    }

    /// Two guests whose engines wait for each other, the other way round.
    fn crossing() -> [[Job; 2]; 2] {
        let [_, bcs, vcs] = ENGINES;
        let one = [waits(bcs, vcs), job(vcs, MS / 10)];
        let other = [waits(vcs, bcs), job(bcs, MS / 10)];
        [one, other]
    }

    #[test]
    fn who_waits_between_engines_comes_to_an_end() -> Result {
        let [one, other] = crossing();
        let mut host = Host::new(true, &[(4, &one), (4, &other)])?;
        host.run(2000 * MS)?;
        for guest in host.guests.iter() {
            assert!(guest.rounds > 100);
            assert!(guest.longest < 30 * MS);
        }
        Ok(())
    }

    #[test]
    fn without_a_gang_they_would_not() -> Result {
        let [one, other] = crossing();
        let mut host = Host::new(false, &[(4, &one), (4, &other)])?;
        host.run(2000 * MS)?;
        assert!(host.guests.iter().all(|guest| guest.rounds <= 1));
        Ok(())
    }

    #[test]
    fn what_ends_a_wait_may_come_after_the_turn() -> Result {
        let [rcs, bcs, vcs] = ENGINES;
        let one = [waits(rcs, bcs), job(bcs, MS)];
        let other = [job(vcs, MS)];
        let mut host = Host::new(true, &[(4, &one), (4, &other)])?;
        for guest in host.guests.iter_mut() {
            guest.pause = 40 * MS;
        }
        host.run(4000 * MS)?;
        let [one, other] = &host.guests[..] else {
            return Err(EINVAL);
        };
        assert!(one.rounds > 50);
        assert!(one.longest < 60 * MS);
        assert!(other.longest < 60 * MS);
        Ok(())
    }

    #[test]
    fn what_came_after_the_turn_may_wait_too() -> Result {
        let [rcs, bcs, vcs] = ENGINES;
        // While the first runs the second gets its engine, and then the first is through.
        let one = [job(rcs, 30 * MS), waits(bcs, vcs), job(vcs, MS)];
        let other = [job(rcs, MS)];
        let mut host = Host::new(true, &[(4, &one), (4, &other)])?;
        for guest in host.guests.iter_mut() {
            guest.pause = 15 * MS;
        }
        host.run(4000 * MS)?;
        for guest in host.guests.iter() {
            assert!(guest.rounds > 40);
            assert!(guest.longest < 100 * MS);
        }
        Ok(())
    }

    #[test]
    fn the_time_is_shared_by_weight() -> Result {
        let [rcs, ..] = ENGINES;
        let mut round = KVec::new();
        for _ in 0..500 {
            round.push(job(rcs, 2 * MS), GFP_KERNEL)?;
        }
        let mut host = Host::new(true, &[(4, &round), (8, &round), (16, &round)])?;
        for guest in host.guests.iter_mut() {
            guest.pause = 0;
        }
        host.run(20_000 * MS)?;
        let all: u64 = host.guests.iter().map(|guest| guest.time).sum();
        assert!(all >= 19_900 * MS);
        for (guest, weight) in host.guests.iter().zip([4, 8, 16]) {
            let part = guest.time * 1000 / all;
            assert!(part.abs_diff(weight * 1000 / 28) <= 20);
        }
        Ok(())
    }

    #[test]
    fn who_always_has_something_on_an_engine_does_not_keep_them() -> Result {
        let [rcs, bcs, _] = ENGINES;
        let mut hog = KVec::new();
        for _ in 0..1000 {
            hog.push(job(rcs, 50 * MS), GFP_KERNEL)?;
            hog.push(job(bcs, 50 * MS), GFP_KERNEL)?;
        }
        let client = [job(rcs, MS)];
        let mut host = Host::new(true, &[(4, &hog), (4, &client)])?;
        host.run(20_000 * MS)?;
        let [_, client] = &host.guests[..] else {
            return Err(EINVAL);
        };
        // What comes to one engine while the other one is busy may be waited for, but not for ever.
        assert!(client.longest <= 700 * MS);
        Ok(())
    }

    #[test]
    fn long_batches_on_two_engines_get_no_more_than_their_share() -> Result {
        let [rcs, bcs, _] = ENGINES;
        let mut hog = KVec::new();
        for _ in 0..100 {
            hog.push(job(rcs, 2000 * MS), GFP_KERNEL)?;
            hog.push(job(bcs, 2000 * MS), GFP_KERNEL)?;
        }
        let mut round = KVec::new();
        for _ in 0..3000 {
            round.push(job(rcs, 20 * MS), GFP_KERNEL)?;
        }
        let mut host = Host::new(true, &[(4, &hog), (4, &round)])?;
        for guest in host.guests.iter_mut() {
            guest.pause = 0;
        }
        host.run(60_000 * MS)?;
        let [_, client] = &host.guests[..] else {
            return Err(EINVAL);
        };
        // At first the hog is taken for one that waits for more.
        assert!(client.time > 25_000 * MS);
        Ok(())
    }

    #[test]
    fn who_always_has_a_little_does_not_save_it_up() -> Result {
        let [rcs, ..] = ENGINES;
        let mut round = KVec::new();
        for _ in 0..20_000 {
            round.push(job(rcs, MS), GFP_KERNEL)?;
        }
        let mut host = Host::new(true, &[(4, &round), (4, &round)])?;
        for (guest, pause) in host.guests.iter_mut().zip([5 * MS, 0]) {
            guest.pause = pause;
        }
        host.run(15_000 * MS)?;
        host.guests.first_mut().ok_or(EINVAL)?.pause = 0;
        let (mut had, mut without, mut longest) = (0, 0, 0);
        for _ in 0..50 {
            host.run(100 * MS)?;
            let has = host.guests.last().ok_or(EINVAL)?.time;
            without = if has == had { without + 100 * MS } else { 0 };
            longest = longest.max(without);
            had = has;
        }
        assert!(longest <= 1500 * MS);
        Ok(())
    }

    #[test]
    fn one_that_hangs_keeps_the_others_off_until_it_is_ended() -> Result {
        let [rcs, bcs, vcs] = ENGINES;
        let hangs = [waits(rcs, vcs), job(bcs, MS)];
        let client = [job(bcs, MS)];
        let mut host = Host::new(true, &[(4, &hangs), (4, &client)])?;
        host.run(1000 * MS)?;
        let [hangs, client] = &mut host.guests[..] else {
            return Err(EINVAL);
        };
        // It waits for what never comes, and has had what it wanted besides.
        assert_eq!(*hangs.ended.get(bcs), 1);
        let before = client.rounds;
        hangs.flying.get_mut(rcs).clear();
        hangs.round.clear();
        hangs.submitted = 0;
        host.order.get_mut(rcs).clear();
        host.ask(rcs)?;
        host.run(1000 * MS)?;
        let [_, client] = &host.guests[..] else {
            return Err(EINVAL);
        };
        assert!(client.rounds > before + 400);
        Ok(())
    }

    #[test]
    fn nobody_who_is_alone_waits() -> Result {
        let [rcs, bcs, vcs] = ENGINES;
        let round = [job(rcs, MS), job(bcs, MS), job(vcs, MS)];
        let mut host = Host::new(true, &[(4, &round)])?;
        if let Some(guest) = host.guests.first_mut() {
            guest.pause = 0;
        }
        host.run(900 * MS)?;
        let guest = host.guests.first().ok_or(EINVAL)?;
        assert!(guest.time > 2000 * MS);
        assert!(host.alarms.iter().all(|(_, alarm)| alarm.is_none()));
        Ok(())
    }

    #[test]
    fn who_is_capped_does_not_keep_the_engines() -> Result {
        let [rcs, bcs, _] = ENGINES;
        let one = [job(rcs, MS)];
        let other = [job(bcs, MS)];
        let mut host = Host::new(true, &[(4, &one), (4, &other)])?;
        if let Some(guest) = host.guests.first_mut() {
            guest.capped = true;
        }
        host.run(1000 * MS)?;
        let [_, other] = &host.guests[..] else {
            return Err(EINVAL);
        };
        assert!(other.rounds > 800);
        Ok(())
    }

    #[test]
    fn nobody_relies_on_the_thread_of_another() -> Result {
        // What one has on an engine ends, and its thread does not come to tell.
        let [rcs, _, vcs] = ENGINES;
        let (one, other) = ([job(rcs, MS)], [job(vcs, MS)]);
        let mut host = Host::new(true, &[(4, &one), (4, &other)])?;
        let [one, other] = &host.guests[..] else {
            return Err(EINVAL);
        };
        let (one, other) = (one.id, other.id);
        let wants = |id| Standing {
            id,
            flights: 0,
            wants: true,
        };
        let flies = |id| Standing {
            id,
            flights: 1,
            wants: false,
        };
        let gang = host.gang.as_mut().ok_or(EINVAL)?;
        gang.review(0, rcs, &mut [wants(one)], |_| false);
        assert!(gang.enter(0, rcs, one));
        let alone = gang.review(0, rcs, &mut [flies(one)], |_| false);
        assert_eq!(alone.again, None);
        // The other comes: the engine that the first one has looks by itself.
        let verdict = gang.review(0, vcs, &mut [wants(other)], |_| false);
        assert!(verdict.others.contains(rcs));
        let verdict = gang.review(0, rcs, &mut [flies(one)], |_| false);
        assert_eq!(verdict.again, Some(MS));
        let verdict = gang.review(MS, rcs, &mut [], |_| false);
        assert!(verdict.others.contains(vcs));
        assert!(gang.enter(MS, vcs, other));
        Ok(())
    }

    #[test]
    fn who_is_no_more_does_not_keep_them_either() -> Result {
        let [rcs, bcs, _] = ENGINES;
        let mut host = Host::new(true, &[(4, &[]), (4, &[])])?;
        let [one, other] = &host.guests[..] else {
            return Err(EINVAL);
        };
        let (one, other) = (one.id, other.id);
        let gang = host.gang.as_mut().ok_or(EINVAL)?;
        let wants = |id| Standing {
            id,
            flights: 0,
            wants: true,
        };
        gang.review(0, rcs, &mut [wants(one)], |_| false);
        assert!(gang.enter(0, rcs, one));
        gang.review(0, bcs, &mut [wants(other)], |_| false);
        assert!(!gang.enter(0, bcs, other));
        gang.forget(one);
        let verdict = gang.review(0, bcs, &mut [wants(other)], |_| false);
        assert!(verdict.others.contains(bcs));
        assert!(gang.enter(0, bcs, other));
        Ok(())
    }

    #[test]
    fn a_cap_is_not_a_matter_of_the_gang() -> Result {
        let [rcs, ..] = ENGINES;
        let mut host = Host::new(true, &[(4, &[job(rcs, MS)])])?;
        let guest = host.guests.first_mut().ok_or(EINVAL)?;
        guest.capped = true;
        let id = guest.id;
        let mut all = [Standing {
            id,
            flights: 0,
            wants: true,
        }];
        let gang = host.gang.as_mut().ok_or(EINVAL)?;
        gang.review(0, rcs, &mut all, |_| true);
        // It is still to be told when the period of its cap ends.
        assert!(all.iter().all(|standing| standing.wants));
        assert!(!gang.enter(0, rcs, id));
        Ok(())
    }
}
