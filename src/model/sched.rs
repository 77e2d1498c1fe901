// SPDX-License-Identifier: GPL-2.0

//! Whose turn it is on an engine.
//!
//! Weighted fair queueing over GPU time. Each vGPU has a clock that advances while it has the engine, the
//! slower the more weight it has, and the one that is behind comes first. So over any time in which they
//! all have work each gets a share of the engine in proportion to its weight, an engine never idles while
//! anybody has work, and nobody starves. A vGPU that had nothing to do does not save up its time: when it
//! has work again its clock is set to where the others are, less a little, so that it gets its turn at
//! once. Nor does one that always has work and uses little: it is behind another one by no more than
//! [`MAX_LAG`] of that one's time, and what that one had of the turns of others ([`gang`]).
//!
//! A batch cannot be taken back. While it is not done its vGPU has the engine in turns with the others,
//! whatever its weight and its cap, and has less afterwards. So shares follow the weights as far as batches
//! take less than [`MAX_LAG`].
//!
//! A vGPU with a cap gets no more than its part of each period, even if nobody else wants the engine. What
//! it had too much of one period it has less in the next.

pub mod gang;
pub mod step;

use kernel::prelude::*;

use crate::{
    cap::Cap,
    platform::MAX_VGPUS,
    types::VgpuId,
    weight::Weight, //
};

/// How many steps of a clock there are in a nanosecond at weight 1.
const STEPS: u64 = 64;

/// For how long one may have had the engine and the others make up for it, in nanoseconds, if it had it in its turns. That
/// is more than a batch can take that does not give way, before i915 resets the engine (`preempt_timeout_ms`, on Gen9).
const MAX_LAG: u64 = 1_000_000_000;

/// How finely an engine is shared.
///
/// # Invariants
///
/// Both are in the ranges that [`Timing::new`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A vGPU gets the engine beside another one that is so much ahead of it, in nanoseconds of the other
    /// one.
    slice: u64,
    /// The time in which a cap is kept, in nanoseconds.
    period: u64,
}

impl Timing {
    /// A slice of so many microseconds, 100 to 100,000, and a period of so many milliseconds, 10 to 1000.
    ///
    /// # Errors
    ///
    /// `EINVAL` if one of them is out of its range.
    pub fn new(slice_us: u32, period_ms: u32) -> Result<Self> {
        if !(100..=100_000).contains(&slice_us) || !(10..=1000).contains(&period_ms) {
            return Err(EINVAL);
        }
        // INVARIANT: just checked.
        Ok(Self {
            slice: u64::from(slice_us).saturating_mul(1000),
            period: u64::from(period_ms).saturating_mul(1_000_000),
        })
    }

    /// The time in which a cap is kept, in nanoseconds.
    pub const fn period(self) -> u64 {
        self.period
    }

    /// A slice, in nanoseconds.
    pub const fn slice(self) -> u64 {
        self.slice
    }

    /// By how much of its own time a vGPU that has work again may be behind the others, in nanoseconds:
    /// enough to get the engine beside one of the same weight at once.
    fn head_start(self) -> u64 {
        self.slice.saturating_mul(2)
    }
}

/// A vGPU.
#[derive(Clone, Copy)]
struct Entry {
    id: VgpuId,
    weight: Weight,
    cap: Cap,
    /// GPU time in this period, and what it had too much before, in nanoseconds.
    used: u64,
    clock: u64,
    /// GPU time since it came, in nanoseconds.
    total: u64,
    /// For how much more than others can be behind it they make up, in nanoseconds.
    owed: u64,
    /// It has work.
    active: bool,
}

/// Who wants an engine.
pub struct Queue {
    timing: Timing,
    entries: [Option<Entry>; MAX_VGPUS],
    /// No clock of one that has work is behind this.
    floor: u64,
    /// When this period began, in nanoseconds.
    began: u64,
}

/// Steps of a clock for so many nanoseconds.
fn steps(nanoseconds: u64, weight: Weight) -> u64 {
    let all = nanoseconds.saturating_mul(STEPS);
    all.checked_div(u64::from(weight.get())).unwrap_or(all)
}

/// In how many nanoseconds a clock advances by so many steps.
fn nanoseconds(steps: u64, weight: Weight) -> u64 {
    steps.saturating_mul(weight.get().into()).div_ceil(STEPS)
}

impl Queue {
    /// Nobody wants it.
    pub fn new(timing: Timing) -> Self {
        Self {
            timing,
            entries: [None; MAX_VGPUS],
            floor: 0,
            began: 0,
        }
    }

    /// How finely it is shared.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// A vGPU is opened, with no work. If it was open before it has paid for what it had then.
    pub fn join(&mut self, id: VgpuId, weight: Weight, cap: Cap) {
        let before = self.find(id).copied();
        let entry = Entry {
            id,
            weight,
            cap,
            used: before.map_or(0, |entry| entry.used),
            clock: before.map_or(0, |entry| entry.clock).max(self.floor),
            total: 0,
            owed: 0,
            active: false,
        };
        self.forget(id);
        if let Some(free) = self.entries.iter_mut().find(|entry| entry.is_none()) {
            *free = Some(entry);
        }
    }

    /// A vGPU is closed.
    pub fn leave(&mut self, id: VgpuId) {
        self.set_active(id, false);
    }

    /// A vGPU is no more: another one may get its number.
    pub fn forget(&mut self, id: VgpuId) {
        for entry in &mut self.entries {
            *entry = entry.filter(|entry| entry.id != id);
        }
    }

    /// A vGPU gets another weight, from now on.
    pub fn set_weight(&mut self, id: VgpuId, weight: Weight) {
        if let Some(entry) = self.entry(id) {
            entry.weight = weight;
        }
    }

    /// A vGPU gets another cap, from now on.
    pub fn set_cap(&mut self, id: VgpuId, cap: Cap) {
        if let Some(entry) = self.entry(id) {
            entry.cap = cap;
        }
    }

    /// It is this time now, in nanoseconds on a clock that does not go back: a period may have ended.
    pub fn advance(&mut self, now: u64) {
        let period = self.timing.period;
        let elapsed = now.saturating_sub(self.began);
        let passed = elapsed.checked_div(period).unwrap_or(0);
        if passed == 0 {
            return;
        }
        self.began = self.began.saturating_add(passed.saturating_mul(period));
        for entry in self.entries.iter_mut().flatten() {
            let allowed = entry.cap.of(period).saturating_mul(passed);
            entry.used = entry.used.saturating_sub(allowed);
        }
    }

    /// When this period ends.
    pub fn period_end(&self) -> u64 {
        self.began.saturating_add(self.timing.period)
    }

    /// Whether a vGPU has had all that its cap lets it have in this period.
    pub fn is_capped(&self, id: VgpuId) -> bool {
        let period = self.timing.period;
        let found = self.find(id);
        found.is_some_and(|entry| entry.cap != Cap::NONE && entry.used >= entry.cap.of(period))
    }

    /// A vGPU has had the engine for so long.
    pub fn ran(&mut self, id: VgpuId, nanoseconds: u64) {
        if let Some(entry) = self.entry(id) {
            entry.total = entry.total.saturating_add(nanoseconds);
            entry.used = entry.used.saturating_add(nanoseconds);
            let steps = steps(nanoseconds, entry.weight);
            entry.clock = entry.clock.saturating_add(steps);
        }
    }

    /// A vGPU has had the engine for so many nanoseconds when it was the turn of others.
    pub(crate) fn owes(&mut self, id: VgpuId, nanoseconds: u64) {
        if let Some(entry) = self.entry(id) {
            entry.owed = nanoseconds;
        }
    }

    /// Whether a vGPU has work, which waits or runs.
    pub fn set_active(&mut self, id: VgpuId, active: bool) {
        self.raise_floor();
        let (floor, head_start) = (self.floor, self.timing.head_start());
        if let Some(entry) = self.entry(id) {
            if active && !entry.active {
                let start = floor.saturating_sub(steps(head_start, entry.weight));
                entry.clock = entry.clock.max(start);
            }
            entry.active = active;
        }
        self.bound_lag();
    }

    /// Nobody who has work stays far behind another one.
    fn bound_lag(&mut self) {
        let lagging = |entry: &Entry| {
            let lag = MAX_LAG.saturating_add(entry.owed);
            entry.clock.saturating_sub(steps(lag, entry.weight))
        };
        let active = self.entries.iter().flatten().filter(|entry| entry.active);
        let least = active.map(lagging).max().unwrap_or(0);
        for entry in self.entries.iter_mut().flatten() {
            if entry.active {
                entry.clock = entry.clock.max(least);
            }
        }
    }

    fn raise_floor(&mut self) {
        let active = self.entries.iter().flatten().filter(|entry| entry.active);
        if let Some(least) = active.map(|entry| entry.clock).min() {
            self.floor = self.floor.max(least);
        }
    }

    /// The one whose turn it is among those that `wants` is true for.
    pub fn next(&self, mut wants: impl FnMut(VgpuId) -> bool) -> Option<VgpuId> {
        let entries = self
            .entries
            .iter()
            .flatten()
            .filter(|entry| wants(entry.id));
        entries
            .min_by_key(|entry| entry.clock)
            .map(|entry| entry.id)
    }

    /// For how much longer another vGPU may have the engine until this one has it too, in nanoseconds: 0 is
    /// now, though the other one has begun.
    pub fn overtakes_in(&self, id: VgpuId, other: VgpuId) -> u64 {
        let (Some(this), Some(other)) = (self.find(id), self.find(other)) else {
            return 0;
        };
        let slice = steps(self.timing.slice, other.weight);
        let left = this.clock.saturating_add(slice);
        nanoseconds(left.saturating_sub(other.clock), other.weight)
    }

    /// GPU time that a vGPU has had since it came, in nanoseconds.
    pub fn total(&self, id: VgpuId) -> u64 {
        self.find(id).map_or(0, |entry| entry.total)
    }

    fn find(&self, id: VgpuId) -> Option<&Entry> {
        let mut entries = self.entries.iter().flatten();
        entries.find(|entry| entry.id == id)
    }

    fn entry(&mut self, id: VgpuId) -> Option<&mut Entry> {
        let mut entries = self.entries.iter_mut().flatten();
        entries.find(|entry| entry.id == id)
    }
}
