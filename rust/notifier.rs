// SPDX-License-Identifier: GPL-2.0

//! Callbacks on a chain of the kernel's that runs in atomic context.
//!
//! C header: `include/linux/notifier.h`

use crate::bindings;
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// What is called when something happens on the chain.
pub trait Notified: Send + Sync {
    /// `action` and `data` are the chain's. Runs in atomic context: it may not sleep.
    fn notified(&self, action: usize, data: *mut kernel::ffi::c_void);
}

/// A callback on an atomic chain, for as long as this lives.
///
/// # Invariants
///
/// `block` is on the chain `head`, which outlives this.
#[pin_data(PinnedDrop)]
pub struct AtomicNotifier<N: Notified> {
    #[pin]
    block: Opaque<bindings::notifier_block>,
    head: *mut bindings::atomic_notifier_head,
    target: N,
}

// SAFETY: The chain has a lock of its own; `N` is `Send`.
unsafe impl<N: Notified> Send for AtomicNotifier<N> {}

// SAFETY: As above; `N` is `Sync`.
unsafe impl<N: Notified> Sync for AtomicNotifier<N> {}

impl<N: Notified> AtomicNotifier<N> {
    /// Puts `target` on a chain.
    ///
    /// # Safety
    ///
    /// `head` must be valid until this is dropped.
    pub(crate) unsafe fn new(
        head: *mut bindings::atomic_notifier_head,
        target: N,
    ) -> impl PinInit<Self, Error> {
        let chain = head;
        try_pin_init!(Self {
            target,
            head,
            block <- Opaque::try_ffi_init(|block: *mut bindings::notifier_block| {
                let empty = bindings::notifier_block {
                    notifier_call: Some(Self::call),
                    ..pin_init::zeroed()
                };
                // SAFETY: The slot is ours.
                unsafe { block.write(empty) };
                // SAFETY: The block stays here until it is taken off the chain in drop.
                to_result(unsafe { bindings::atomic_notifier_chain_register(chain, block) })
            }),
        })
    }

    /// # Safety
    ///
    /// Called by the chain only, with the block of an `AtomicNotifier<N>`.
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
        this.target.notified(action, data);
        // CAST: A small constant.
        bindings::NOTIFY_DONE as i32
    }
}

#[pinned_drop]
impl<N: Notified> PinnedDrop for AtomicNotifier<N> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant the block is on this chain. Afterwards no callback runs any
        // more.
        unsafe { bindings::atomic_notifier_chain_unregister(self.head, self.block.get()) };
    }
}
