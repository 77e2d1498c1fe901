// SPDX-License-Identifier: GPL-2.0

//! All engines for one vGPU at a time, where i915 takes no engine from what runs on it (Gen8).
//!
//! A batch may wait on one engine for another one of its guest on another engine (`MI_SEMAPHORE_WAIT`), and keeps
//! its engine meanwhile. If two guests do so the other way round, neither batch ends. So there the engines go from
//! one vGPU to the next together: one gets all of them that it wants, for a slice, and the next one when all that
//! the former had is through. Between them their time is shared by weight, as an engine's is elsewhere.
//!
//! What is on an engine when the turn is over may wait for what is yet to come, which would be the next turn's.
//! So if nothing ends for a while the vGPU gets the other engines for more, until what it had is through. What came
//! there meanwhile may wait in its turn; so the same begins again with that. When that has gone on for long the while
//! is longer each time: what waits gets what it waits for, whatever that is, and long batches do not keep the engines
//! for ever.

use super::{
    step::Standing,
    Queue,
    Timing, //
};
use crate::{
    cap::Cap,
    engine::{
        EngineId,
        EngineMap,
        Engines, //
    },
    platform::MAX_VGPUS,
    types::VgpuId,
    weight::Weight, //
};

/// After how many nanoseconds without an end to anything what is on the engines may wait for what is not.
const STALL: u64 = 10_000_000;
/// For how many nanoseconds after its turn a vGPU can have more so soon; after that it takes twice as long each time, and
/// that is forgotten slowly.
const OVERTIME: u64 = 500_000_000;
/// How long it takes at most: i915 has ended by then what an engine does not get off (`heartbeat_interval_ms`).
const MAX_STALL: u64 = 10_000_000_000;
/// How long it takes at most at the next turn.
const MAX_KEPT: u64 = 2_500_000_000;
/// After how many nanoseconds of its own without overtime it takes a vGPU half as long again.
const FORGETS: u64 = 10_000_000_000;
/// The others make up for that much of the last overtime of one of them, in nanoseconds.
const MAX_OWED: u64 = 10_000_000_000;
/// For how many nanoseconds a vGPU without work counts as one that wants the engines: it may have more soon.
const ABSENCE: u64 = 10_000_000;

/// A vGPU and what there is of it.
#[derive(Default)]
struct Member {
    id: Option<VgpuId>,
    /// How many submissions i915 has.
    flights: EngineMap<usize>,
    /// Whether there is another one that could be given to i915.
    wants: EngineMap<bool>,
    /// When there was work last.
    worked: u64,
    /// After how many nanoseconds what it had was taken for work that waits for more last, and how long it had had the
    /// engines in all by then.
    patience: u64,
    tried: u64,
}

impl Member {
    fn flights(&self) -> EngineMap<usize> {
        EngineMap::new(|engine| *self.flights.get(engine))
    }

    /// How long what it has is waited for, now that it has had the engines for so long in all.
    fn patience(&self, total: u64) -> u64 {
        let passed = total.saturating_sub(self.tried);
        let halvings = passed.checked_div(FORGETS).unwrap_or(0);
        let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
        let left = self.patience.checked_shr(halvings).unwrap_or(0);
        left.max(STALL)
    }

    /// It has had overtime, and what it has was waited for so long.
    fn note_patience(&mut self, patience: u64, total: u64) {
        (self.patience, self.tried) = (patience.min(MAX_KEPT), total);
    }

    fn flies(&self) -> bool {
        self.flights.iter().any(|(_, flights)| *flights > 0)
    }

    fn wants(&self) -> bool {
        self.wants.iter().any(|(_, wants)| *wants)
    }
}

/// Whether there is something that a vGPU could give to i915.
fn wants(members: &[Member], id: VgpuId) -> bool {
    let mut members = members.iter();
    members.any(|member| member.id == Some(id) && member.wants())
}

/// Who has the engines.
struct Turn {
    id: VgpuId,
    /// Up to when it has been charged for them, in nanoseconds.
    charged: u64,
    /// When something of it began or ended last.
    progress: u64,
    /// What has to end before others have the engines; nothing before its turn is over.
    rest: Option<Rest>,
}

/// What is left of a turn that is over.
struct Rest {
    /// Since when it is over, in nanoseconds.
    since: u64,
    /// What i915 had then, and has not ended since.
    flights: EngineMap<usize>,
    /// After how many nanoseconds that is taken for work which waits for more.
    patience: u64,
    /// It is taken for that.
    stalls: bool,
}

impl Rest {
    fn new(own: &Member, now: u64, total: u64) -> Self {
        Self {
            since: now,
            flights: own.flights(),
            patience: own.patience(total),
            stalls: false,
        }
    }

    /// For how long there has been something left.
    fn overtime(&self, now: u64) -> u64 {
        now.saturating_sub(self.since)
    }

    /// The same begins again with what there is now.
    fn again(&mut self, own: &mut Member, now: u64, total: u64) {
        self.flights = own.flights();
        self.stalls = false;
        if self.overtime(now) > OVERTIME {
            self.patience = self.patience.saturating_mul(2).min(MAX_STALL);
            own.note_patience(self.patience, total);
        }
    }

    /// Whether all of that has ended.
    fn is_through(&self) -> bool {
        self.flights.iter().all(|(_, flights)| *flights == 0)
    }
}

impl Turn {
    fn new(id: VgpuId, now: u64) -> Self {
        Self {
            id,
            charged: now,
            progress: now,
            rest: None,
        }
    }

    /// In how many nanoseconds what is left of it is taken for work that waits for more, if it is not already.
    fn stalls_in(&self, now: u64) -> Option<u64> {
        let rest = self.rest.as_ref().filter(|rest| !rest.stalls)?;
        let since = now.saturating_sub(self.progress);
        Some(rest.patience.saturating_sub(since))
    }

    /// For how long it has been over.
    fn overtime(&self, now: u64) -> u64 {
        self.rest.as_ref().map_or(0, |rest| rest.overtime(now))
    }

    /// It is over, and this is what there is of it; it has had the engines for so long in all. Tells if it may have more.
    fn end(&mut self, now: u64, own: &mut Member, total: u64) -> bool {
        let rest = self.rest.get_or_insert_with(|| Rest::new(own, now, total));
        if rest.is_through() {
            rest.again(own, now, total);
        }
        let stalls = self.stalls_in(now) == Some(0);
        if let Some(rest) = &mut self.rest {
            rest.stalls |= stalls;
        }
        stalls
    }
}

/// What an engine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The engines that have to ask now: they can have work that they could not have before.
    pub others: Engines,
    /// In how many nanoseconds this engine has to ask again, if there is no news until then.
    pub again: Option<u64>,
}

/// Which vGPU has the engines.
pub struct Gang {
    queue: Queue,
    members: [Member; MAX_VGPUS],
    turn: Option<Turn>,
}

impl Gang {
    /// Nobody wants an engine.
    pub fn new(timing: Timing) -> Self {
        Self {
            queue: Queue::new(timing),
            members: core::array::from_fn(|_| Member::default()),
            turn: None,
        }
    }

    /// A vGPU is opened, or gets another weight.
    pub fn join(&mut self, id: VgpuId, weight: Weight) {
        if self.member(id).is_some() {
            self.queue.set_weight(id, weight);
            return;
        }
        self.queue.join(id, weight, Cap::NONE);
        if let Some(free) = self.members.iter_mut().find(|member| member.id.is_none()) {
            free.id = Some(id);
        }
    }

    /// A vGPU is no more: another one may get its number.
    pub fn forget(&mut self, id: VgpuId) {
        self.queue.forget(id);
        if let Some(member) = self.member(id) {
            *member = Member::default();
        }
        self.turn.take_if(|turn| turn.id == id);
    }

    /// What there is for an engine, at this time in nanoseconds on a clock that does not go back. Whose turn it is
    /// not does not want the engine then; who is capped does not anyhow.
    pub fn review(
        &mut self,
        now: u64,
        engine: EngineId,
        all: &mut [Standing],
        is_capped: impl Fn(VgpuId) -> bool,
    ) -> Verdict {
        let comes = self.learn(now, engine, all, &is_capped);
        let mut others = Engines::NONE;
        if self.pass(now) {
            others = self.own_engines(|own, engine| *own.wants.get(engine));
        }
        let flies = |own: &Member, engine| *own.flights.get(engine) > 0;
        if comes {
            // So that they look as soon as what they have ends.
            others = others.and(self.own_engines(flies));
        }
        // Of the end of what runs only the thread of its vGPU is told, which others need not rely on.
        let looks = self.own().is_some_and(|own| flies(own, engine)) && self.others_want();
        let mut again = looks.then_some(self.queue.timing().slice());
        for standing in all.iter_mut().filter(|standing| standing.wants) {
            if !is_capped(standing.id) && !self.may(engine, standing.id) {
                standing.wants = false;
                again = [again, self.stalls_in(now, standing)]
                    .into_iter()
                    .flatten()
                    .min();
            }
        }
        Verdict { others, again }
    }

    /// A vGPU gives an engine work, if that may be.
    pub fn enter(&mut self, now: u64, engine: EngineId, id: VgpuId) -> bool {
        if !self.may(engine, id) {
            return false;
        }
        if let Some(member) = self.member(id) {
            let flights = member.flights.get_mut(engine);
            *flights = flights.saturating_add(1);
        }
        if let Some(turn) = &mut self.turn {
            turn.progress = now;
        }
        true
    }

    fn member(&mut self, id: VgpuId) -> Option<&mut Member> {
        let mut members = self.members.iter_mut();
        members.find(|member| member.id == Some(id))
    }

    /// Notes what there is for an engine. Tells if somebody wants engines who did not, and whose turn it is not.
    fn learn(
        &mut self,
        now: u64,
        engine: EngineId,
        all: &[Standing],
        is_capped: impl Fn(VgpuId) -> bool,
    ) -> bool {
        let Self {
            queue,
            members,
            turn,
        } = self;
        let mut comes = false;
        for member in members.iter_mut() {
            let Some(id) = member.id else {
                continue;
            };
            let standing = all.iter().find(|standing| standing.id == id);
            let flights = standing.map_or(0, |standing| standing.flights);
            let wants = standing.is_some_and(|standing| standing.wants && !is_capped(id));
            let has_turn = turn.as_ref().is_some_and(|turn| turn.id == id);
            comes |= wants && !member.wants() && !has_turn;
            *member.wants.get_mut(engine) = wants;
            let before = core::mem::replace(member.flights.get_mut(engine), flights);
            if member.flies() || member.wants() {
                member.worked = now;
            }
            queue.set_active(id, now.saturating_sub(member.worked) < ABSENCE);
            let Some(turn) = turn.as_mut().filter(|turn| turn.id == id) else {
                continue;
            };
            if before == flights {
                continue;
            }
            turn.progress = now;
            if let Some(rest) = &mut turn.rest {
                // What an engine has of a vGPU ends in order.
                let rest = rest.flights.get_mut(engine);
                *rest = rest.saturating_sub(before.saturating_sub(flights));
            }
        }
        comes
    }

    /// The engines go to the next one if it is time for that. Tells if somebody may have them who might not before.
    fn pass(&mut self, now: u64) -> bool {
        let Self {
            queue,
            members,
            turn,
        } = self;
        if let Some(current) = turn {
            queue.ran(current.id, now.saturating_sub(current.charged));
            queue.owes(current.id, current.overtime(now).min(MAX_OWED));
            current.charged = now;
            let total = queue.total(current.id);
            let other = queue.next(|id| id != current.id && wants(members, id));
            let over = other.is_some_and(|other| queue.overtakes_in(other, current.id) == 0);
            let wants_more = wants(members, current.id);
            let mut own = members.iter_mut().filter(|own| own.id == Some(current.id));
            match own.find(|own| own.flies()) {
                Some(own) if over => return current.end(now, own, total),
                None if over || !wants_more => {}
                _ => return current.rest.take().is_some(),
            }
        }
        *turn = queue
            .next(|id| wants(members, id))
            .map(|id| Turn::new(id, now));
        turn.is_some()
    }

    /// The engines for which this holds of the one whose turn it is.
    fn own_engines(&self, holds: impl Fn(&Member, EngineId) -> bool) -> Engines {
        let Some(own) = self.own() else {
            return Engines::NONE;
        };
        let mut all = Engines::NONE;
        for engine in EngineId::ALL.into_iter().filter(|id| holds(own, *id)) {
            all = all.with(engine);
        }
        all
    }

    /// Whether somebody wants engines whose turn it is not.
    fn others_want(&self) -> bool {
        let turn = self.turn.as_ref().map(|turn| turn.id);
        let mut members = self.members.iter();
        members.any(|member| member.id != turn && member.wants())
    }

    /// The one whose turn it is.
    fn own(&self) -> Option<&Member> {
        let id = self.turn.as_ref().map(|turn| turn.id)?;
        let mut members = self.members.iter();
        members.find(|member| member.id == Some(id))
    }

    /// Whether a vGPU may give an engine work now.
    fn may(&self, engine: EngineId, id: VgpuId) -> bool {
        let turn = self.turn.as_ref().filter(|turn| turn.id == id);
        turn.is_some_and(|turn| {
            let own = self.own();
            let free = own.is_some_and(|own| *own.flights.get(engine) == 0);
            let rest = turn.rest.as_ref();
            rest.is_none_or(|rest| rest.stalls && free)
        })
    }

    /// In how many nanoseconds one that may not give an engine work now may be able to, if there is no news.
    fn stalls_in(&self, now: u64, standing: &Standing) -> Option<u64> {
        let turn = self.turn.as_ref().filter(|turn| turn.id == standing.id)?;
        turn.stalls_in(now).filter(|_| standing.flights == 0)
    }
}
