// SPDX-License-Identifier: GPL-2.0

//! The engines of a GPU where i915 takes none from what runs on it: they go from one virtual GPU to the next
//! together.

use crate::display::Clock;
use gvt_kapi::doorbell::Button;
use gvt_model::{
    engine::{
        EngineId,
        EngineMap, //
    },
    sched::{
        gang::Gang,
        step::Standing,
        Queue,
        Timing, //
    },
    types::VgpuId,
    weight::Weight, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

/// All of these engines.
#[pin_data]
pub(super) struct Together {
    /// One for all of them, asked with the lock: time must not go back.
    clock: Clock,
    #[pin]
    state: Mutex<State>,
}

struct State {
    gang: Gang,
    /// What makes an engine look what there is to do.
    buttons: EngineMap<Option<Button>>,
}

impl Together {
    /// Nobody wants one.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(timing: Timing) -> Result<Arc<Self>> {
        let state = State {
            gang: Gang::new(timing),
            buttons: EngineMap::default(),
        };
        Arc::pin_init(
            pin_init!(Self {
                clock: Clock::new(),
                state <- new_mutex!(state),
            }),
            GFP_KERNEL,
        )
    }

    /// One more engine.
    pub(super) fn add(&self, engine: EngineId, button: Button) {
        *self.state.lock().buttons.get_mut(engine) = Some(button);
    }

    /// A virtual GPU comes, or gets another weight.
    pub(super) fn join(&self, id: VgpuId, weight: Weight) {
        self.state.lock().gang.join(id, weight);
    }

    /// A virtual GPU is no more.
    pub(super) fn forget(&self, id: VgpuId) {
        self.state.lock().gang.forget(id);
    }

    /// What there is for an engine now: whose turn it is not does not want it then. Returns in how many nanoseconds
    /// the engine has to ask again.
    pub(super) fn review(
        &self,
        engine: EngineId,
        all: &mut [Standing],
        queue: &Queue,
    ) -> Option<u64> {
        let mut state = self.state.lock();
        let is_capped = |id| queue.is_capped(id);
        let now = self.clock.now();
        let verdict = state.gang.review(now, engine, all, is_capped);
        for other in verdict.others.iter().filter(|other| *other != engine) {
            if let Some(button) = state.buttons.get(other) {
                button.press();
            }
        }
        verdict.again
    }

    /// A virtual GPU gives an engine work, if that may be.
    pub(super) fn enter(&self, engine: EngineId, id: VgpuId) -> bool {
        let mut state = self.state.lock();
        state.gang.enter(self.clock.now(), engine, id)
    }
}
