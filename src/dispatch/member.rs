// SPDX-License-Identifier: GPL-2.0

//! A virtual GPU on an engine: what i915 has of it, and what comes next.

use gvt_kapi::{
    doorbell::Button,
    i915::{
        context::Context,
        request::{
            Request,
            Urgency, //
        },
    },
};
use gvt_model::{
    sched::step::{
        Standing,
        IN_FLIGHT, //
    },
    types::VgpuId, //
};
use kernel::{
    alloc::KVVec,
    prelude::*, //
};

/// Work that i915 has; or that is through without i915.
struct Flight {
    request: Option<Pin<KBox<Request>>>,
}

impl Flight {
    fn is_done(&self) -> bool {
        let request = self.request.as_ref();
        request.is_none_or(|request| request.is_done())
    }

    fn result(&self) -> Result {
        self.request.as_ref().ok_or(ECANCELED)?.result()
    }
}

/// What its thread has to do.
pub(super) enum Task {
    /// To take over what the oldest work has left behind; that was done well or not.
    Complete(bool),
    /// To see whether there is more.
    Prepare(Chance),
    /// To let go of the context.
    Retire(Context),
    /// To let go of the image, so that the engine can sleep.
    Unpin,
    /// Nothing, until somebody rings.
    Rest,
    /// Nothing ever again: it has left the engine.
    Leave,
}

/// Work can be prepared.
#[derive(Clone, Copy)]
pub(super) struct Chance {
    /// There is no other.
    pub(super) idle: bool,
    /// How often work had been cancelled by then.
    cancels: u64,
}

/// A virtual GPU that has a machine.
pub(super) struct Member {
    pub(super) id: VgpuId,
    /// Its thread waits at that bell.
    button: Button,
    /// What runs its work; there is none before it has any.
    pub(super) context: Option<Context>,
    /// Commands that wait for their turn.
    prepared: Option<KVVec<u32>>,
    /// What i915 has, oldest first.
    flights: KVec<Flight>,
    cancels: u64,
    leaving: bool,
    /// Its thread has something to do.
    busy: bool,
    /// Since when there is no work, though there may be some soon, in nanoseconds.
    absent: Option<u64>,
}

impl Member {
    /// It has no work.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(id: VgpuId, button: Button) -> Result<Self> {
        Ok(Self {
            id,
            button,
            context: None,
            prepared: None,
            // One more for what never gets to i915.
            flights: KVec::with_capacity(IN_FLIGHT.saturating_add(1), GFP_KERNEL)?,
            cancels: 0,
            leaving: false,
            busy: false,
            absent: None,
        })
    }

    /// Wakes its thread.
    pub(super) fn wake(&self) {
        self.button.press();
    }

    fn is_banned(&self) -> bool {
        self.context.as_ref().is_some_and(Context::is_banned)
    }

    /// Whether it has no work.
    pub(super) fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.prepared.is_none()
    }

    /// Whether i915 has work of it, or has had some that was not taken over yet.
    pub(super) fn flies(&self) -> bool {
        !self.flights.is_empty()
    }

    /// Whether i915 has yet to end what it has of a context that was banned.
    pub(super) fn outlives_ban(&self) -> bool {
        self.is_banned() && self.in_flight().next().is_some()
    }

    fn in_flight(&self) -> impl Iterator<Item = &Flight> {
        self.flights.iter().filter(|flight| !flight.is_done())
    }

    /// How it stands among the others.
    pub(super) fn standing(&self, paused: bool) -> Standing {
        Standing {
            id: self.id,
            flights: self.in_flight().count(),
            wants: self.prepared.is_some() && !paused,
        }
    }

    /// Whether its oldest work is through; `Some(true)` if that is the last.
    pub(super) fn landed(&self) -> Option<bool> {
        let first = self.flights.first()?;
        first
            .is_done()
            .then_some(self.flights.len() == 1 && self.prepared.is_none())
    }

    /// Takes its oldest work, which is through, at this time; true if it was done well.
    pub(super) fn take_landed(&mut self, now: u64) -> bool {
        let flight = self.flights.remove(0);
        if self.is_idle() {
            self.absent.get_or_insert(now);
        }
        flight.is_ok_and(|flight| flight.result().is_ok())
    }

    /// Whether work can be prepared.
    pub(super) fn chance(&self) -> Option<Chance> {
        let room = self.prepared.is_none() && self.flights.len() <= IN_FLIGHT;
        let comes = !self.leaving && !self.is_banned();
        (room && comes).then_some(Chance {
            idle: self.is_idle(),
            cancels: self.cancels,
        })
    }

    /// Takes the context, if there is one that has had all its work.
    pub(super) fn retired(&mut self) -> Option<Context> {
        let over = self.is_idle() && (self.leaving || self.is_banned());
        self.context.take_if(|_| over)
    }

    /// Whether it can be forgotten.
    pub(super) fn has_left(&self) -> bool {
        self.leaving && self.is_idle()
    }

    /// Whether it will leave the engine.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// It will leave the engine when it has had all its work.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// There is work that the GPU can be given.
    pub(super) fn offer(&mut self, chance: Chance, commands: KVVec<u32>) {
        self.absent = None;
        if self.leaving || self.is_banned() || self.cancels != chance.cancels {
            self.fail();
        } else {
            self.prepared = Some(commands);
        }
    }

    /// For how long it has had no work by now, in nanoseconds, and its thread has yet to see if there is more: a
    /// guest can keep that from looking.
    pub(super) fn absence(&mut self, now: u64) -> u64 {
        let ended = self.flies() && self.prepared.is_none() && self.in_flight().next().is_none();
        if ended {
            self.absent.get_or_insert(now);
        }
        self.absent.map_or(0, |since| now.saturating_sub(since))
    }

    /// Its thread has something to do, or not.
    pub(super) fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
    }

    /// Whether i915 and its thread have nothing of it.
    pub(super) fn is_quiet(&self) -> bool {
        !self.busy && !self.flies()
    }

    /// It has no work, or none that it may do now: the engine can sleep.
    pub(super) fn rest(&mut self) {
        self.absent = None;
        if let Some(context) = &mut self.context {
            context.unpin();
        }
    }

    /// What was prepared is through without i915.
    fn fail(&mut self) {
        let flight = Flight { request: None };
        // There is room for one more than i915 gets.
        let _ = self.flights.push_within_capacity(flight);
        self.wake();
    }

    /// Nothing of what it has is wanted. True if i915 has to be hurried.
    pub(super) fn cancel(&mut self) -> bool {
        self.cancels = self.cancels.wrapping_add(1);
        let flies = self.in_flight().next().is_some();
        if self.prepared.take().is_some() {
            self.fail();
        }
        self.wake();
        // However often a guest resets its engine, once is enough.
        let Some(context) = self.context.as_mut() else {
            return false;
        };
        if !flies || context.is_banned() {
            return false;
        }
        context.ban();
        true
    }

    /// Gives i915 what was prepared. True if it has it.
    pub(super) fn launch(&mut self) -> bool {
        let Some(commands) = self.prepared.take() else {
            return false;
        };
        let context = self.context.as_mut().ok_or(ENODEV);
        let submit =
            |context: &mut Context| context.submit(&commands, Urgency::Normal, self.button.clone());
        let request = context.and_then(submit);
        let Ok(request) = request else {
            self.fail();
            return false;
        };
        let done = request.is_done();
        let flight = Flight {
            request: Some(request),
        };
        // There is room: the queue has seen how many there are.
        let _ = self.flights.push_within_capacity(flight);
        if done {
            // Then nobody else may tell.
            self.wake();
        }
        true
    }
}
