// SPDX-License-Identifier: GPL-2.0

//! Callbacks on a chain of the kernel's.
//!
//! C header: `include/linux/notifier.h`

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

// What `notifier_from_errno()` makes an answer of: the chain goes on, or stops with an error.
// CAST: Small constants.
const OK: kernel::ffi::c_int = bindings::NOTIFY_OK as kernel::ffi::c_int;
const STOP: kernel::ffi::c_int = bindings::NOTIFY_STOP_MASK as kernel::ffi::c_int;

/// What is called when something happens on a chain.
pub trait Notified: Send + Sync + 'static {
    /// `action` and `data` are the chain's. Runs in the context that the chain is called in: on an atomic one it may not
    /// sleep.
    ///
    /// # Errors
    ///
    /// Whatever the chain is to stop with, if it is one that can be stopped.
    fn notified(&self, action: usize, data: *mut kernel::ffi::c_void) -> Result;
}

/// A chain.
///
/// # Safety
///
/// From `add`, if that succeeds, until `remove` has returned, the chain calls the block; before and afterwards it does
/// not.
pub unsafe trait Chain: Copy + Send + Sync {
    /// Puts a block on the chain; 0 or an error.
    ///
    /// # Safety
    ///
    /// `block` must be valid, and stay where it is until it is removed.
    unsafe fn add(self, block: *mut bindings::notifier_block) -> kernel::ffi::c_int;

    /// Takes a block off the chain.
    ///
    /// # Safety
    ///
    /// `block` must be on the chain.
    unsafe fn remove(self, block: *mut bindings::notifier_block);
}

/// A chain that is called in atomic context.
///
/// # Invariants
///
/// The head is valid as long as a notifier of this chain lives.
#[derive(Clone, Copy)]
pub struct AtomicChain(*mut bindings::atomic_notifier_head);

// SAFETY: The chain has a lock of its own.
unsafe impl Send for AtomicChain {}

// SAFETY: As above.
unsafe impl Sync for AtomicChain {}

impl AtomicChain {
    /// # Safety
    ///
    /// `head` must be valid as long as a notifier of this chain lives.
    pub(crate) unsafe fn new(head: *mut bindings::atomic_notifier_head) -> Self {
        // INVARIANT: By the requirement of this function.
        Self(head)
    }
}

// SAFETY: Removing waits until no callback runs any more.
unsafe impl Chain for AtomicChain {
    unsafe fn add(self, block: *mut bindings::notifier_block) -> kernel::ffi::c_int {
        // SAFETY: By the type invariant and the requirement of this function.
        unsafe { bindings::atomic_notifier_chain_register(self.0, block) }
    }

    unsafe fn remove(self, block: *mut bindings::notifier_block) {
        // SAFETY: By the type invariant and the requirement of this function.
        unsafe { bindings::atomic_notifier_chain_unregister(self.0, block) };
    }
}

/// A callback on a chain, for as long as this lives.
///
/// # Invariants
///
/// `block` is on `chain`.
#[pin_data(PinnedDrop)]
pub struct Notifier<C: Chain, N: Notified> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    chain: C,
    target: N,
}

// SAFETY: Chains have locks of their own; `N` is `Send`.
unsafe impl<C: Chain, N: Notified> Send for Notifier<C, N> {}

// SAFETY: As above; `N` is `Sync`.
unsafe impl<C: Chain, N: Notified> Sync for Notifier<C, N> {}

impl<C: Chain, N: Notified> Notifier<C, N> {
    /// Puts `target` on a chain.
    ///
    /// # Errors
    ///
    /// Those of the chain.
    pub fn new(chain: C, target: N) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            target,
            chain,
            block <- Opaque::try_ffi_init(|block: *mut bindings::notifier_block| {
                let empty = bindings::notifier_block {
                    notifier_call: Some(Self::call),
                    ..pin_init::zeroed()
                };
                // SAFETY: The slot is ours.
                unsafe { block.write(empty) };
                // SAFETY: The block stays here until it is taken off the chain in drop.
                to_result(unsafe { chain.add(block) })
            }),
        })
    }

    /// # Safety
    ///
    /// Called by the chain only, with the block of a `Notifier<C, N>`.
    unsafe extern "C" fn call(
        block: *mut bindings::notifier_block,
        action: kernel::ffi::c_ulong,
        data: *mut kernel::ffi::c_void,
    ) -> kernel::ffi::c_int {
        let block = Opaque::cast_from(block);
        // SAFETY: The block is part of a notifier.
        #[expect(
            clippy::multiple_unsafe_ops_per_block,
            reason = "container_of! expands to two"
        )]
        let this = unsafe { kernel::container_of!(block, Self, block) };
        // SAFETY: The block is on the chain, so the notifier lives.
        let this = unsafe { &*this };
        let done = this.target.notified(action, data);
        done.map_or_else(|error| STOP | (OK - error.to_errno()), |()| OK)
    }
}

#[pinned_drop]
impl<C: Chain, N: Notified> PinnedDrop for Notifier<C, N> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant the block is on this chain. Afterwards no callback runs any
        // more.
        unsafe { self.chain.remove(self.block.get()) };
    }
}
