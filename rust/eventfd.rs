// SPDX-License-Identifier: GPL-2.0

//! Event counters that user space waits for.
//!
//! C header: `include/linux/eventfd.h`

use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*, //
};

/// A reference to an eventfd.
///
/// # Invariants
///
/// The pointer is valid, and one of the context's references belongs to it.
pub struct EventFd(NonNull<bindings::eventfd_ctx>);

// SAFETY: The context counts its references atomically, and any thread may drop one.
unsafe impl Send for EventFd {}

// SAFETY: Signalling takes the context's own lock.
unsafe impl Sync for EventFd {}

impl EventFd {
    /// The eventfd behind a descriptor of the calling process.
    ///
    /// # Errors
    ///
    /// `EBADF` if `fd` is not open; `EINVAL` if it is not an eventfd.
    pub fn from_fd(fd: i32) -> Result<Self> {
        // SAFETY: Any number may be given.
        let context = from_err_ptr(unsafe { bindings::eventfd_ctx_fdget(fd) })?;
        // INVARIANT: The reference was taken just now.
        Ok(Self(NonNull::new(context).ok_or(EINVAL)?))
    }

    /// Adds one to the counter. May be called in any context.
    pub fn signal(&self) {
        // SAFETY: By the type invariant the context is valid.
        unsafe { bindings::eventfd_signal_mask(self.0.as_ptr(), 0) };
    }
}

impl Drop for EventFd {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::eventfd_ctx_put(self.0.as_ptr()) };
    }
}
