// SPDX-License-Identifier: GPL-2.0

//! Who is on an engine: for how long, and with which values in the registers that are the engine's and not
//! in the image of a context. This is told and done in atomic context, in a time that has a bound.

use gvt_kapi::{
    doorbell::Button,
    i915::{
        context::ContextId,
        engine::Switching,
        image::Paging, //
    },
};
use gvt_model::{
    engine::EngineId,
    mmio::handover::Handover,
    platform::{
        Platform,
        MAX_VGPUS, //
    },
};
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

/// A context of a virtual GPU's.
struct Occupant {
    context: ContextId,
    /// Pressed when it is off the engine.
    button: Button,
    /// Whether it is on the engine. When i915 puts another one in its place, both are for a moment.
    on: bool,
    /// Since when the engine is its own, or its time was taken.
    since: Option<Instant<Monotonic>>,
    /// For how long it was on the engine since its time was taken, in nanoseconds.
    time: u64,
    /// How it finds its memory, once it has had work.
    paging: Option<Paging>,
}

impl Occupant {
    fn count(&mut self) {
        if let Some(since) = self.since {
            let passed = u64::try_from(since.elapsed().as_nanos()).unwrap_or(0);
            self.time = self.time.saturating_add(passed);
        }
    }
}

/// The contexts of virtual GPUs on an engine, and its registers.
pub(crate) struct Occupancy {
    occupants: KVec<Occupant>,
    /// What each of them has in the registers.
    pub(crate) registers: Handover<ContextId>,
}

impl Occupancy {
    /// The registers have the host's values.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(platform: Platform, engine: EngineId) -> Result<Self> {
        Ok(Self {
            occupants: KVec::with_capacity(MAX_VGPUS, GFP_KERNEL)?,
            registers: Handover::new(platform, engine)?,
        })
    }

    /// There is another context. `button` is pressed whenever it gets off the engine.
    pub(crate) fn add(&mut self, context: ContextId, button: Button) {
        let occupant = Occupant {
            context,
            button,
            on: false,
            since: None,
            time: 0,
            paging: None,
        };
        // There is room for all virtual GPUs.
        let _ = self.occupants.push_within_capacity(occupant);
    }

    /// A context is no more.
    pub(crate) fn remove(&mut self, context: ContextId) {
        self.occupants
            .retain(|occupant| occupant.context != context);
    }

    /// A context that is not on the engine gets work that finds its memory so.
    pub(crate) fn set_paging(&mut self, context: ContextId, paging: Paging) {
        if let Some(occupant) = self.find(context) {
            occupant.paging = Some(paging);
        }
        self.registers.begin(context);
    }

    /// A context got on the engine or off it.
    pub(crate) fn switched(&mut self, context: ContextId, on: bool, switching: &Switching<'_>) {
        let known = match self.find(context) {
            Some(occupant) => {
                occupant.count();
                (occupant.on, occupant.since) = (on, None);
                if let Some(paging) = &occupant.paging {
                    switching.set_paging(paging);
                }
                if !on {
                    occupant.button.press();
                }
                true
            }
            None => false,
        };
        // One at a time: the engine is that one's own which got on first, until it is off.
        if self
            .occupants
            .iter()
            .all(|occupant| occupant.since.is_none())
        {
            let mut occupants = self.occupants.iter_mut();
            if let Some(next) = occupants.find(|occupant| occupant.on) {
                next.since = Some(Instant::now());
            }
        }
        if self.registers.note_resets(switching.resets()) {
            // Those who have nothing there may have something else that is not as it was.
            let buttons = self.occupants.iter().map(|occupant| &occupant.button);
            buttons.for_each(Button::press);
        }
        if on {
            let owner = known.then_some(context);
            self.registers.take_over(owner, || switching.power());
        }
    }

    /// Whether a context is on the engine.
    pub(crate) fn is_on(&mut self, context: ContextId) -> bool {
        let occupant = self.find(context);
        occupant.is_some_and(|occupant| occupant.on)
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
        let mut occupants = self.occupants.iter_mut();
        occupants.find(|occupant| occupant.context == context)
    }
}
