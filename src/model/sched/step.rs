// SPDX-License-Identifier: GPL-2.0

//! What i915 is given next, and with which priority.
//!
//! i915 runs what has the higher priority, and in turns what has the same, a slice each. So what a vGPU
//! gets beyond its turn is decided here: when i915 is given more of a vGPU's, and whether that, or what it
//! has already, goes before the others'.

use super::Queue;
use crate::types::VgpuId;

/// How much work i915 has at a time if nobody has to hurry: what runs, and what comes next.
pub const IN_FLIGHT: usize = 2;

/// What there is of a vGPU's.
#[derive(Clone, Copy)]
pub struct Standing {
    /// Whose.
    pub id: VgpuId,
    /// How many submissions i915 has.
    pub flights: usize,
    /// Whether the oldest of them goes before the others'.
    pub urgent: bool,
    /// There is another one, which i915 could be given now.
    pub wants: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give i915 the next submission of a vGPU.
    Launch {
        /// Whose.
        id: VgpuId,
        /// It goes before the others'.
        urgent: bool,
    },
    /// The oldest submission of this vGPU that i915 has goes before the others' from now on, or in turns
    /// with those that do so too.
    Raise(VgpuId),
    /// Nothing, until there is news, or so many nanoseconds have passed.
    Wait(Option<u64>),
}

impl Queue {
    /// What to do now, in nanoseconds on a clock that does not go back, when each vGPU has had its time
    /// up to now.
    pub fn step(&mut self, now: u64, all: &[Standing]) -> Step {
        self.advance(now);
        let mut wake = None;
        for standing in all.iter().filter(|standing| standing.wants) {
            // Who is kept off the engine by its cap does not save up what the others have meanwhile.
            let capped = self.is_capped(standing.id);
            self.set_active(standing.id, !capped);
            if capped {
                sooner(&mut wake, self.period_end().saturating_sub(now));
            }
        }
        if let Some(id) = self.raised(all, &mut wake) {
            return Step::Raise(id);
        }
        let ready = |id| {
            let mut all = all.iter().filter(|standing| standing.wants);
            all.any(|standing| standing.id == id && standing.flights < IN_FLIGHT)
                && !self.is_capped(id)
        };
        let Some(next) = self.next(ready) else {
            return Step::Wait(wake);
        };
        let flights = |standing: &Standing| standing.flights;
        let (own, others) = (
            all.iter().filter(|standing| standing.id == next),
            all.iter().filter(|standing| standing.id != next),
        );
        let (own, others): (usize, usize) = (own.map(flights).sum(), others.map(flights).sum());
        if others == 0 {
            return Step::Launch {
                id: next,
                urgent: false,
            };
        }
        let left = self.left(next, all, |_| true);
        let full = own.saturating_add(others) >= IN_FLIGHT;
        if own == 0 && left == 0 {
            return Step::Launch {
                id: next,
                urgent: true,
            };
        }
        if !full {
            return Step::Launch {
                id: next,
                urgent: false,
            };
        }
        if own == 0 {
            sooner(&mut wake, self.not_at_once(left));
        }
        Step::Wait(wake)
    }

    /// A vGPU whose work the work of others goes before, though it is behind them.
    fn raised(&self, all: &[Standing], wake: &mut Option<u64>) -> Option<VgpuId> {
        let urgent = |standing: &Standing| standing.flights > 0 && standing.urgent;
        if !all.iter().any(urgent) {
            return None;
        }
        let low = |standing: &&Standing| standing.flights > 0 && !standing.urgent;
        for standing in all.iter().filter(low) {
            match self.left(standing.id, all, urgent) {
                0 => return Some(standing.id),
                left => sooner(wake, self.not_at_once(left)),
            }
        }
        None
    }

    /// For how much longer those others that count, and of which i915 has work, may have the engine until
    /// this one takes it.
    fn left(&self, id: VgpuId, all: &[Standing], counts: impl Fn(&Standing) -> bool) -> u64 {
        let others = all
            .iter()
            .filter(|other| other.id != id && other.flights > 0 && counts(other));
        let left = others.map(|other| self.overtakes_in(id, other.id));
        left.max().unwrap_or(0)
    }

    /// One of those that are waited for may not be on the engine, and then its clock stands.
    fn not_at_once(&self, left: u64) -> u64 {
        left.max(self.timing.slice)
    }
}

fn sooner(wake: &mut Option<u64>, left: u64) {
    *wake = Some(wake.map_or(left, |wake| wake.min(left)));
}
