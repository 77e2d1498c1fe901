// SPDX-License-Identifier: GPL-2.0

//! The eventfds by which a virtual GPU speaks to its VMM.

use gvt_kapi::eventfd::EventFd;
use gvt_model::irq::Vector;
use kernel::{
    new_spinlock,
    prelude::*,
    sync::SpinLock, //
};

/// One eventfd for each vector, where the VMM has given one.
#[pin_data]
pub(crate) struct Triggers {
    #[pin]
    msi: SpinLock<Option<EventFd>>,
    #[pin]
    request: SpinLock<Option<EventFd>>,
}

impl Triggers {
    /// No eventfds.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            msi <- new_spinlock!(None),
            request <- new_spinlock!(None),
        })
    }

    fn of(&self, vector: Vector) -> &SpinLock<Option<EventFd>> {
        match vector {
            Vector::Msi => &self.msi,
            Vector::Request => &self.request,
        }
    }

    /// Puts an eventfd in place of the one before, if any.
    pub(crate) fn set(&self, vector: Vector, trigger: Option<EventFd>) {
        let _dropped_outside_the_lock = core::mem::replace(&mut *self.of(vector).lock(), trigger);
    }

    /// Signals; false if there is no eventfd. May be called in any context that may take a spin
    /// lock.
    pub(crate) fn fire(&self, vector: Vector) -> bool {
        match &*self.of(vector).lock() {
            Some(trigger) => {
                trigger.signal();
                true
            }
            None => false,
        }
    }

    /// Takes all eventfds away.
    pub(crate) fn clear(&self) {
        self.set(Vector::Msi, None);
        self.set(Vector::Request, None);
    }
}
