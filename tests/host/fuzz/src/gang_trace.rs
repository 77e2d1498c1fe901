// SPDX-License-Identifier: GPL-2.0

//! Any work of guests whose batches wait for each other across engines that nobody can take away: one guest has them at a
//! time, and all of it comes to an end.

#![no_main]

use std::collections::VecDeque;

use exercise::Source;
use gvt_model::engine::EngineId;
use gvt_model::sched::gang::Gang;
use gvt_model::sched::step::{Standing, IN_FLIGHT};
use gvt_model::sched::Timing;
use gvt_model::types::{HostResources, Pool, VgpuId, TYPES};
use gvt_model::weight::Weight;
use libfuzzer_sys::fuzz_target;

const GUESTS: usize = 3;
const ENGINES: usize = 4;
const TICK: u64 = 500_000;

/// A batch: for how long it runs, and how many of the guest's have to have ended on another engine before it can.
#[derive(Clone, Copy)]
struct Job {
    left: u64,
    after: Option<(usize, u64)>,
}

struct Guest {
    id: VgpuId,
    waiting: [VecDeque<Job>; ENGINES],
    flying: [VecDeque<Job>; ENGINES],
    submitted: [u64; ENGINES],
    ended: [u64; ENGINES],
    capped: bool,
}

struct Host {
    gang: Gang,
    guests: Vec<Guest>,
    alarms: [Option<u64>; ENGINES],
    asked: VecDeque<usize>,
    now: u64,
}

impl Host {
    fn new(timing: Timing) -> Self {
        let host = HostResources { aperture: 1 << 30, ggtt_total: 4 << 30, fences: 64 };
        let mut pool = Pool::new(&host);
        let mut gang = Gang::new(timing);
        let guest = |_| {
            let id = pool.take(&TYPES[0]).expect("room for a guest");
            gang.join(id, Weight::new(4).expect("a weight"));
            Guest {
                id,
                waiting: Default::default(),
                flying: Default::default(),
                submitted: [0; ENGINES],
                ended: [0; ENGINES],
                capped: false,
            }
        };
        let guests = (0..GUESTS).map(guest).collect();
        Self { gang, guests, alarms: [None; ENGINES], asked: VecDeque::new(), now: 0 }
    }

    fn submit(&mut self, guest: usize, engine: usize, left: u64, after: Option<(usize, u64)>) {
        let guest = &mut self.guests[guest];
        guest.waiting[engine].push_back(Job { left, after });
        guest.submitted[engine] += 1;
        self.asked.push_back(engine);
    }

    /// What the engines do that have been asked to look.
    fn settle(&mut self) {
        let mut looks = 0;
        while let Some(engine) = self.asked.pop_front() {
            looks += 1;
            assert!(looks < 1000, "they ask each other without an end");
            self.look(engine);
        }
    }

    fn look(&mut self, engine: usize) {
        loop {
            let standing = |guest: &Guest| Standing {
                id: guest.id,
                flights: guest.flying[engine].len(),
                wants: !guest.waiting[engine].is_empty(),
            };
            let mut all: Vec<Standing> = self.guests.iter().map(standing).collect();
            let guests = &self.guests;
            let is_capped = |id| guests.iter().any(|guest| guest.id == id && guest.capped);
            let verdict = self.gang.review(self.now, EngineId::ALL[engine], &mut all, is_capped);
            self.alarms[engine] = verdict.again.map(|left| self.now + left);
            let others =
                (0..ENGINES).filter(|other| *other != engine && verdict.others.contains(EngineId::ALL[*other]));
            self.asked.extend(others);
            let ready = |(number, standing): &(usize, &Standing)| {
                standing.wants && standing.flights < IN_FLIGHT && !self.guests[*number].capped
            };
            let Some((number, _)) = all.iter().enumerate().find(ready) else { return };
            let guest = &mut self.guests[number];
            if self.gang.enter(self.now, EngineId::ALL[engine], guest.id) {
                let job = guest.waiting[engine].pop_front().expect("it wants the engine");
                guest.flying[engine].push_back(job);
                let flies = |guest: &&Guest| guest.flying.iter().any(|jobs| !jobs.is_empty());
                assert!(self.guests.iter().filter(flies).count() == 1, "two have engines");
            }
        }
    }

    fn tick(&mut self) {
        self.now += TICK;
        for engine in 0..ENGINES {
            if self.alarms[engine].is_some_and(|at| at <= self.now) {
                self.asked.push_back(engine);
            }
            let Some(guest) = self.guests.iter_mut().find(|guest| !guest.flying[engine].is_empty()) else { continue };
            let job = guest.flying[engine].front_mut().expect("it flies");
            if job.after.is_none_or(|(other, count)| guest.ended[other] >= count) {
                job.left = job.left.saturating_sub(TICK);
                if job.left == 0 {
                    guest.flying[engine].pop_front();
                    guest.ended[engine] += 1;
                    self.asked.push_back(engine);
                }
            }
        }
        self.settle();
    }

    /// Whether an engine has a batch that does not wait.
    fn runs(&self) -> bool {
        let runs = |guest: &Guest, engine: usize| {
            let job = guest.flying[engine].front();
            job.is_some_and(|job| job.after.is_none_or(|(other, count)| guest.ended[other] >= count))
        };
        self.guests.iter().any(|guest| (0..ENGINES).any(|engine| runs(guest, engine)))
    }

    fn is_idle(&self) -> bool {
        self.guests.iter().all(|guest| guest.submitted == guest.ended)
    }
}

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let timing = Timing::new(5_000 + source.word() % 20_000, 50).expect("a timing");
    let mut host = Host::new(timing);
    let mut steps = 1000;
    while !source.is_empty() {
        let (what, number) = (source.byte(), usize::from(source.byte()));
        let (guest, engine, other) = (number % GUESTS, number / GUESTS % ENGINES, number / GUESTS / ENGINES % ENGINES);
        let length = u64::from(source.byte()) * TICK / 2;
        match what {
            0..=80 => host.submit(guest, engine, length, None),
            81..=160 if engine != other => {
                // It waits for what is submitted right after it.
                let after = host.guests[guest].submitted[other] + 1;
                host.submit(guest, engine, length, Some((other, after)));
                if what & 1 == 1 {
                    host.settle();
                }
                host.submit(guest, other, length / 4, None);
            }
            161..=175 => host.guests[guest].capped = !host.guests[guest].capped,
            176..=185 => {
                let weight = Weight::new(1 + u16::from(source.byte()) % 16).expect("a weight");
                host.gang.join(host.guests[guest].id, weight);
            }
            _ => (0..length / TICK).for_each(|_| host.tick()),
        }
        // So long as it runs, or until it is given up that it runs by itself: for ten seconds, looking each slice.
        steps += 2 * length / TICK + 2 * 2000;
        host.settle();
    }
    for guest in &mut host.guests {
        guest.capped = false;
    }
    host.asked.extend(0..ENGINES);
    host.settle();
    // Each batch runs, and where none can an engine knows when to look: then more is there that runs.
    for _ in 0..steps {
        if host.is_idle() {
            return;
        }
        if !host.runs() {
            let next = host.alarms.iter().flatten().min();
            let next = *next.expect("nothing runs, there is work, and nobody looks when there is more");
            host.now = host.now.max(next.saturating_sub(TICK));
        }
        host.tick();
    }
    panic!("there is work that does not come to an end");
});
