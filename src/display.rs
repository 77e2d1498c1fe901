// SPDX-License-Identifier: GPL-2.0

//! The time of a virtual GPU, and what wakes its display while the guest waits for a vertical blank.

use crate::vgpu::Vgpu;
use gvt_kapi::{
    alarm::{
        Alarm,
        Ring, //
    },
    vfio::Session, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        Delta,
        Instant,
        Monotonic, //
    },
};

/// Counts nanoseconds from when the virtual GPU was made.
#[derive(Clone, Copy)]
pub(crate) struct Clock(Instant<Monotonic>);

impl Clock {
    /// Starts at 0.
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    /// What time it is.
    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(0)
    }
}

/// What wakes the display of a virtual GPU that is open.
pub(crate) struct Heartbeat(Alarm<Beat>);

struct Beat(Arc<Session<Vgpu>>);

impl Ring for Beat {
    fn ring(&self) {
        self.0.device().run_display();
    }
}

impl Heartbeat {
    /// Nothing is waited for yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(session: Arc<Session<Vgpu>>) -> Result<Self> {
        Ok(Self(Alarm::new(Beat(session))?))
    }

    /// Wakes the display at this time and at no other; `None` is never.
    pub(crate) fn set(&mut self, clock: Clock, next: Option<u64>) {
        let after = next.map(|next| next.saturating_sub(clock.now()));
        let after = after.map(|after| Delta::from_nanos(i64::try_from(after).unwrap_or(i64::MAX)));
        self.0.set(after);
    }
}
