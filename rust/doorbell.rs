// SPDX-License-Identifier: GPL-2.0

//! Tells a thread that there is something to do.
//!
//! C header: `include/linux/completion.h`

use crate::{
    bindings,
    kthread::OnWorker, //
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Release, //
        },
        Arc, //
    },
    types::Opaque, //
};

/// How many buttons a bell has.
pub const BUTTONS: usize = 8;

/// What a thread waits at. However often it rings while the thread is busy, the thread then looks once. It has
/// several buttons, and the thread can ask which of them were pressed.
#[pin_data]
pub struct Doorbell {
    #[pin]
    completion: Opaque<bindings::completion>,
    pressed: [Atomic<bool>; BUTTONS],
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
            pressed: [const { Atomic::new(false) }; BUTTONS],
        })
    }

    /// Presses button `number`. May be called in any context.
    pub fn press(&self, number: usize) {
        if let Some(pressed) = self.pressed.get(number) {
            pressed.store(true, Release);
        }
        // SAFETY: The completion is initialised.
        unsafe { bindings::complete(self.completion.get()) };
    }

    /// Waits until somebody rings; at once if somebody has since the last time. The thread does not count
    /// as one that is busy meanwhile.
    pub fn wait(&self, on: &OnWorker) {
        // SAFETY: The completion is initialised.
        let failed = unsafe { bindings::wait_for_completion_interruptible(self.completion.get()) };
        if failed != 0 {
            // It was interrupted, which is to be seen once: or it would not wait any more.
            on.forget_interrupts();
        }
        // SAFETY: The completion is initialised.
        while unsafe { bindings::try_wait_for_completion(self.completion.get()) } {}
    }

    /// Whether button `number` was pressed since this was asked last.
    pub fn was_pressed(&self, number: usize) -> bool {
        let pressed = self.pressed.get(number);
        pressed.is_some_and(|pressed| pressed.xchg(false, Full))
    }
}

/// A button of a bell.
#[derive(Clone)]
pub struct Button {
    bell: Arc<Doorbell>,
    number: usize,
}

impl Button {
    /// The button with this number, less than [`BUTTONS`].
    pub fn new(bell: &Arc<Doorbell>, number: usize) -> Self {
        Self {
            bell: bell.clone(),
            number,
        }
    }

    /// Rings. May be called in any context.
    pub fn press(&self) {
        self.bell.press(self.number);
    }
}
