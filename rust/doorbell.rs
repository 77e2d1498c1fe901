// SPDX-License-Identifier: GPL-2.0

//! Tells a thread that there is something to do.
//!
//! C header: `include/linux/completion.h`

use crate::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// What a thread waits at. However often it rings while the thread is busy, the thread then looks once.
#[pin_data]
pub struct Doorbell {
    #[pin]
    completion: Opaque<bindings::completion>,
}

// SAFETY: A completion has a lock of its own.
unsafe impl Send for Doorbell {}

// SAFETY: As above.
unsafe impl Sync for Doorbell {}

impl Doorbell {
    /// Nobody has rung.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            completion <- Opaque::ffi_init(|slot: *mut bindings::completion| {
                // SAFETY: The slot is ours.
                unsafe { bindings::init_completion(slot) }
            }),
        })
    }

    /// Rings. May be called in any context.
    pub fn ring(&self) {
        // SAFETY: The completion is initialised.
        unsafe { bindings::complete(self.completion.get()) };
    }

    /// Waits until somebody rings; at once if somebody has since the last time. The thread does not count
    /// as one that is busy meanwhile.
    pub fn wait(&self) {
        // It fails on a signal, which kernel threads do not get, and then there is nothing to do.
        // SAFETY: The completion is initialised.
        let _ = unsafe { bindings::wait_for_completion_interruptible(self.completion.get()) };
        // SAFETY: As above.
        while unsafe { bindings::try_wait_for_completion(self.completion.get()) } {}
    }
}
