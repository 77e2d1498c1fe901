// SPDX-License-Identifier: GPL-2.0

//! Which context is on an engine, and for how long each was. This is told and kept in atomic context.

use gvt_kapi::i915::context::ContextId;
use gvt_model::platform::MAX_VGPUS;
use kernel::time::{
    Instant,
    Monotonic, //
};

/// A context of a virtual GPU's.
#[derive(Clone, Copy)]
struct Occupant {
    context: ContextId,
    /// Since when it is on the engine, or its time was taken.
    since: Option<Instant<Monotonic>>,
    /// For how long it was on the engine since its time was taken, in nanoseconds.
    time: u64,
}

impl Occupant {
    fn count(&mut self) {
        if let Some(since) = self.since {
            let passed = u64::try_from(since.elapsed().as_nanos()).unwrap_or(0);
            self.time = self.time.saturating_add(passed);
        }
    }
}

/// The contexts of virtual GPUs on an engine.
#[derive(Default)]
pub(crate) struct Occupancy([Option<Occupant>; MAX_VGPUS]);

impl Occupancy {
    /// There is another context.
    pub(crate) fn add(&mut self, context: ContextId) {
        if let Some(free) = self.0.iter_mut().find(|occupant| occupant.is_none()) {
            *free = Some(Occupant {
                context,
                since: None,
                time: 0,
            });
        }
    }

    /// A context is no more.
    pub(crate) fn remove(&mut self, context: ContextId) {
        for occupant in &mut self.0 {
            *occupant = occupant.filter(|occupant| occupant.context != context);
        }
    }

    /// A context got on the engine or off it; false if it is none of these.
    pub(crate) fn switched(&mut self, context: ContextId, on: bool) -> bool {
        let Some(occupant) = self.find(context) else {
            return false;
        };
        occupant.count();
        occupant.since = on.then(Instant::now);
        true
    }

    /// Whether a context is on the engine.
    pub(crate) fn is_on(&mut self, context: ContextId) -> bool {
        let occupant = self.find(context);
        occupant.is_some_and(|occupant| occupant.since.is_some())
    }

    /// For how long a context was on the engine since this was asked last, in nanoseconds.
    pub(crate) fn take_time(&mut self, context: ContextId) -> u64 {
        let Some(occupant) = self.find(context) else {
            return 0;
        };
        occupant.count();
        if occupant.since.is_some() {
            occupant.since = Some(Instant::now());
        }
        core::mem::take(&mut occupant.time)
    }

    fn find(&mut self, context: ContextId) -> Option<&mut Occupant> {
        let mut occupants = self.0.iter_mut().flatten();
        occupants.find(|occupant| occupant.context == context)
    }
}
