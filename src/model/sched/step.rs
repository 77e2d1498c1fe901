// SPDX-License-Identifier: GPL-2.0

//! What i915 is given next.
//!
//! i915 runs what it has in turns, a slice each, with what the host's own programs want of the engine. So what
//! a vGPU gets beyond its turn is decided here: by when i915 is given more of it. All of it has the priority that
//! those programs have. With more than that the guests would keep them from the engine.

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
    /// There is another one, which i915 could be given now.
    pub wants: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give i915 the next submission of this vGPU.
    Launch(VgpuId),
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
        let left = self.left(next, all);
        // With nothing of others there is room for as much as that.
        let room = others == 0 || own.saturating_add(others) < IN_FLIGHT;
        if room || (own == 0 && left == 0) {
            return Step::Launch(next);
        }
        if own == 0 {
            // One of those that are waited for may not be on the engine, and then its clock stands.
            sooner(&mut wake, left.max(self.timing.slice));
        }
        Step::Wait(wake)
    }

    /// For how much longer the others of which i915 has work may have the engine alone.
    fn left(&self, id: VgpuId, all: &[Standing]) -> u64 {
        let others = all
            .iter()
            .filter(|other| other.id != id && other.flights > 0);
        let left = others.map(|other| self.overtakes_in(id, other.id));
        left.max().unwrap_or(0)
    }
}

fn sooner(wake: &mut Option<u64>, left: u64) {
    *wake = Some(wake.map_or(left, |wake| wake.min(left)));
}
