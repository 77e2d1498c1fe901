// SPDX-License-Identifier: GPL-2.0

//! A virtual machine of KVM, and the watch over guest pages that it writes.
//!
//! C header: `arch/x86/include/asm/kvm_page_track.h`

use crate::bindings;
use core::{
    ptr::NonNull,
    slice, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// A reference to a virtual machine.
///
/// # Invariants
///
/// The pointer is valid, and one of the machine's references belongs to it.
pub struct Kvm(NonNull<bindings::kvm>);

// SAFETY: The machine counts its references atomically, and any thread may drop one.
unsafe impl Send for Kvm {}

// SAFETY: As above; no method changes the machine without KVM's own locks.
unsafe impl Sync for Kvm {}

impl Kvm {
    /// Takes a reference to a machine; `None` for a null pointer.
    ///
    /// # Safety
    ///
    /// `kvm` must be null, or a machine to which somebody holds a reference during this call.
    pub(crate) unsafe fn from_raw(kvm: *mut bindings::kvm) -> Option<Self> {
        let kvm = NonNull::new(kvm)?;
        // SAFETY: By the requirement of this function.
        unsafe { bindings::gvt_helper_kvm_get(kvm.as_ptr()) };
        // INVARIANT: The reference was taken just now.
        Some(Self(kvm))
    }

    /// A number that is different for each machine that exists.
    pub fn id(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl Drop for Kvm {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::gvt_helper_kvm_put(self.0.as_ptr()) };
    }
}

/// What wants to know of writes to guest pages.
///
/// Both run under KVM's read lock of its watchers, the first on the processor thread that wrote.
pub trait PageWatcher: Send + Sync + 'static {
    /// The guest wrote `data` at guest-physical address `gpa`, inside of a page that is watched by
    /// anybody.
    fn written(&self, gpa: u64, data: &[u8]);

    /// The memory of `count` guest page frames from `gfn` on is gone, and with it the watch over
    /// its pages.
    ///
    /// KVM tells when nobody finds the memory any more, and before other memory can be there: until the call
    /// none of its pages can be watched.
    fn removed(&self, gfn: u64, count: u64);
}

/// A watch over the guest pages of a machine that are named to it.
#[pin_data(PinnedDrop)]
pub struct WriteTracker<W: PageWatcher> {
    #[pin]
    node: Opaque<bindings::kvm_page_track_notifier_node>,
    kvm: Kvm,
    watcher: W,
}

// SAFETY: The node is KVM's, which locks its list; the rest is `Send`.
unsafe impl<W: PageWatcher> Send for WriteTracker<W> {}

// SAFETY: As above; `W` is `Sync`.
unsafe impl<W: PageWatcher> Sync for WriteTracker<W> {}

impl<W: PageWatcher> WriteTracker<W> {
    /// Begins to watch; no page is watched yet.
    ///
    /// # Errors
    ///
    /// `ESRCH` if the caller's address space is not the machine's; `ENOMEM`.
    pub fn new(kvm: Kvm, watcher: W) -> impl PinInit<Self, Error> {
        try_pin_init!(&this in Self {
            watcher,
            kvm,
            node <- Opaque::try_ffi_init(|node: *mut bindings::kvm_page_track_notifier_node| {
                let empty = bindings::kvm_page_track_notifier_node {
                    track_write: Some(Self::written),
                    track_remove_region: Some(Self::removed),
                    ..pin_init::zeroed()
                };
                // SAFETY: The slot is ours.
                unsafe { node.write(empty) };
                // SAFETY: The fields before this one are initialised.
                let kvm = unsafe { (*this.as_ptr()).kvm.0 };
                // SAFETY: The node stays here until it is unregistered in drop, and the machine is
                // referenced.
                to_result(unsafe { bindings::kvm_page_track_register_notifier(kvm.as_ptr(), node) })
            }),
        })
    }

    /// Lets the guest's writes to page frame `gfn` trap.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no memory is there; `ENOMEM`.
    pub fn watch(&self, gfn: u64) -> Result {
        // SAFETY: By its invariant the machine is valid.
        to_result(unsafe { bindings::kvm_write_track_add_gfn(self.kvm.0.as_ptr(), gfn) })
    }

    /// Takes one [`watch`](Self::watch) back.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no memory is there.
    pub fn unwatch(&self, gfn: u64) -> Result {
        // SAFETY: By its invariant the machine is valid.
        to_result(unsafe { bindings::kvm_write_track_remove_gfn(self.kvm.0.as_ptr(), gfn) })
    }

    /// # Safety
    ///
    /// `node` must be part of a pinned `WriteTracker<W>` that lives throughout `'a`.
    unsafe fn from_node<'a>(node: *mut bindings::kvm_page_track_notifier_node) -> &'a Self {
        let node = Opaque::cast_from(node);
        // SAFETY: By the requirement of this function the result is in the same allocation.
        #[expect(
            clippy::multiple_unsafe_ops_per_block,
            reason = "container_of! expands to two"
        )]
        let this = unsafe { kernel::container_of!(node, Self, node) };
        // SAFETY: As above.
        unsafe { &*this }
    }

    /// # Safety
    ///
    /// Called by KVM only, with the node of a registered `WriteTracker<W>` and `count` bytes at
    /// `data`.
    unsafe extern "C" fn written(
        gpa: bindings::gpa_t,
        data: *const u8,
        count: kernel::ffi::c_int,
        node: *mut bindings::kvm_page_track_notifier_node,
    ) {
        let Ok(count) = usize::try_from(count) else {
            return;
        };
        // SAFETY: The node is registered, and KVM holds the lock that unregistering it waits for.
        let this = unsafe { Self::from_node(node) };
        // SAFETY: By the requirement of this function.
        let data = unsafe { slice::from_raw_parts(data, count) };
        this.watcher.written(gpa, data);
    }

    /// # Safety
    ///
    /// Called by KVM only, with the node of a registered `WriteTracker<W>`.
    unsafe extern "C" fn removed(
        gfn: bindings::gfn_t,
        count: kernel::ffi::c_ulong,
        node: *mut bindings::kvm_page_track_notifier_node,
    ) {
        // SAFETY: The node is registered, and KVM holds the lock that unregistering it waits for.
        let this = unsafe { Self::from_node(node) };
        this.watcher.removed(gfn, count as u64);
    }
}

#[pinned_drop]
impl<W: PageWatcher> PinnedDrop for WriteTracker<W> {
    fn drop(self: Pin<&mut Self>) {
        let (kvm, node) = (self.kvm.0.as_ptr(), self.node.get());
        // SAFETY: The node was registered with this machine; afterwards no callback runs any more.
        unsafe { bindings::kvm_page_track_unregister_notifier(kvm, node) };
    }
}
