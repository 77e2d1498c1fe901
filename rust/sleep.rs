// SPDX-License-Identifier: GPL-2.0

//! Suspend and hibernation of the whole machine.
//!
//! C header: `include/linux/suspend.h`

use crate::{
    bindings,
    notifier::{
        Chain,
        Notified,
        Notifier, //
    },
};
use kernel::prelude::*;

/// Who is told that the machine goes to sleep.
pub trait Sleeper: Send + Sync + 'static {
    /// The machine is about to go to sleep: processes still run, and then they are frozen. May sleep.
    ///
    /// # Errors
    ///
    /// Why it cannot: it does not go to sleep then, and [`wakes_up`](Self::wakes_up) follows only if it had been told.
    fn falls_asleep(&self) -> Result;

    /// It has slept, or does not sleep after all; processes run again. May sleep.
    fn wakes_up(&self);
}

/// The kernel's chain of those who are told.
#[derive(Clone, Copy)]
pub struct SleepChain;

// SAFETY: Removing waits until no callback runs any more: it takes the lock that the chain is called under.
unsafe impl Chain for SleepChain {
    unsafe fn add(self, block: *mut bindings::notifier_block) -> kernel::ffi::c_int {
        // SAFETY: By the requirement of this function.
        unsafe { bindings::gvt_helper_pm_notifier_add(block) }
    }

    unsafe fn remove(self, block: *mut bindings::notifier_block) {
        // SAFETY: By the requirement of this function.
        unsafe { bindings::gvt_helper_pm_notifier_remove(block) };
    }
}

/// Translates the actions of the chain.
pub struct Told<S: Sleeper>(S);

impl<S: Sleeper> Notified for Told<S> {
    fn notified(&self, action: usize, _data: *mut kernel::ffi::c_void) -> Result {
        // CAST: Small constants.
        match action as u32 {
            // Before it becomes what an image holds, it is as before sleep: processes are frozen, then devices.
            bindings::PM_SUSPEND_PREPARE
            | bindings::PM_HIBERNATION_PREPARE
            | bindings::PM_RESTORE_PREPARE => return self.0.falls_asleep(),
            bindings::PM_POST_SUSPEND
            | bindings::PM_POST_HIBERNATION
            | bindings::PM_POST_RESTORE => self.0.wakes_up(),
            _ => {}
        }
        Ok(())
    }
}

/// Tells somebody, for as long as this lives.
pub type Watch<S> = Notifier<SleepChain, Told<S>>;

/// Tells `sleeper` from now on.
///
/// # Errors
///
/// Those of the chain.
pub fn watch<S: Sleeper>(sleeper: S) -> impl PinInit<Watch<S>, Error> {
    Notifier::new(SleepChain, Told(sleeper))
}
