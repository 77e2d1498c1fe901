// SPDX-License-Identifier: GPL-2.0

//! The host's i915: the device, and what it lends to a device model.
//!
//! i915 exports these interfaces for GVT only, in the namespace `I915_GVT`. Its structures are
//! private; what is needed of them comes through `helpers/i915.c`, compiled with the headers of the
//! kernel that the module is built for.
//!
//! C header: `drivers/gpu/drm/i915/intel_gvt.h`

use crate::bindings;
use core::{
    ptr::NonNull,
    slice, //
};
use gvt_model::platform::Platform;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        barrier::{
            smp_mb,
            Read, //
        },
        Arc,
        Completion, //
    },
};

pub mod context;
pub mod engine;
pub mod fence;
pub mod gate;
pub mod ggtt;
pub mod image;
pub mod mmio;
pub mod ops;
pub mod request;

/// Size of the PCI configuration space that i915 takes a copy of.
pub const CONFIG_SIZE: usize = 4096;

/// Size of the registers that i915 takes a copy of.
pub const REGISTERS_SIZE: usize = 2 << 20;

/// An i915 device that has lent itself to a device model.
///
/// i915 waits until the last of these is dropped before it goes on with its own removal.
///
/// # Invariants
///
/// `raw` is valid, bound, and has its snapshots of the configuration space and of the registers.
pub struct Gpu {
    raw: NonNull<bindings::drm_i915_private>,
    gone: Arc<Completion>,
    /// How often the machine has slept.
    sleeps: Atomic<u32>,
}

// SAFETY: Everything that is done through it takes i915's own locks.
unsafe impl Send for Gpu {}

// SAFETY: As above.
unsafe impl Sync for Gpu {}

impl Drop for Gpu {
    fn drop(&mut self) {
        self.gone.complete_all();
    }
}

impl Gpu {
    /// # Safety
    ///
    /// The invariants of the type must hold until `gone` is completed.
    unsafe fn new(raw: NonNull<bindings::drm_i915_private>, gone: Arc<Completion>) -> Self {
        // INVARIANT: By the requirement of this function.
        Self {
            raw,
            gone,
            sleeps: Atomic::new(0),
        }
    }

    /// The machine has slept: the hardware has lost its page table entries, but for those that i915 knows of.
    pub fn note_sleep(&self) {
        self.sleeps.add(1, Relaxed);
    }

    /// How often the machine has slept.
    pub(crate) fn sleeps(&self) -> u32 {
        self.sleeps.load(Relaxed)
    }

    pub(crate) fn as_raw(&self) -> *mut bindings::drm_i915_private {
        self.raw.as_ptr()
    }

    fn as_raw_device(&self) -> *mut bindings::device {
        // SAFETY: By the type invariant `raw` is valid.
        let pdev = unsafe { bindings::gvt_helper_i915_pdev(self.as_raw()) };
        // SAFETY: i915 is bound to a PCI device.
        unsafe { bindings::gvt_helper_pci_device(pdev) }
    }

    /// The device on the PCI bus: parent of the mediated devices, and what does DMA.
    pub fn device(&self) -> &Device<Bound> {
        // SAFETY: The device is valid and bound for as long as `self`.
        unsafe { Device::from_raw(self.as_raw_device()) }
    }

    /// The platform; `None` if it is none that GVT supports.
    pub fn platform(&self) -> Option<Platform> {
        // SAFETY: By the type invariant `raw` is valid.
        match unsafe { bindings::gvt_helper_i915_platform(self.as_raw()) } {
            bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_BROADWELL => {
                Some(Platform::Broadwell)
            }
            bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_SKYLAKE => Some(Platform::Skylake),
            bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_KABYLAKE => Some(Platform::KabyLake),
            bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_BROXTON => Some(Platform::Broxton),
            bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_COFFEELAKE => {
                Some(Platform::CoffeeLake)
            }
            bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_COMETLAKE => {
                Some(Platform::CometLake)
            }
            _ => None,
        }
    }

    /// Whether it shares the last level of the processor's caches.
    pub(crate) fn has_llc(&self) -> bool {
        // SAFETY: By the type invariant `raw` is valid.
        unsafe { bindings::gvt_helper_i915_has_llc(self.as_raw()) }
    }

    /// Length of BAR 0 of the device, in bytes: its registers and the GGTT.
    pub fn registers_size(&self) -> u64 {
        self.bar_size(0)
    }

    /// Length of BAR 2 of the device, in bytes: the aperture.
    pub fn aperture_bar_size(&self) -> u64 {
        self.bar_size(2)
    }

    /// `bar` is 0 or 2.
    fn bar_size(&self, bar: u32) -> u64 {
        // SAFETY: By the type invariant `raw` is valid.
        unsafe { bindings::gvt_helper_i915_bar_size(self.as_raw(), bar) }
    }

    /// Offset of the MSI capability in the configuration space; 0 if the device has none.
    pub fn msi_capability(&self) -> u8 {
        // SAFETY: By the type invariant `raw` is valid.
        unsafe { bindings::gvt_helper_i915_msi_cap(self.as_raw()) }
    }

    /// The configuration space as it was when i915 took its snapshot for the device model.
    pub fn initial_config(&self) -> &[u8; CONFIG_SIZE] {
        // SAFETY: By the type invariant `raw` is valid.
        let config = unsafe { bindings::gvt_helper_i915_initial_config(self.as_raw()) };
        // SAFETY: By the type invariant the snapshot is there; i915 made it of this size and frees
        // it when `self` is gone.
        unsafe { &*config.cast::<[u8; CONFIG_SIZE]>() }
    }

    /// The registers as they were when i915 took its snapshot for the device model; those that it
    /// does not know as the device model's are 0.
    pub fn initial_registers(&self) -> &[u8; REGISTERS_SIZE] {
        // SAFETY: By the type invariant `raw` is valid.
        let registers = unsafe { bindings::gvt_helper_i915_initial_registers(self.as_raw()) };
        // SAFETY: As for the configuration space: both snapshots are taken and freed together.
        unsafe { &*registers.cast::<[u8; REGISTERS_SIZE]>() }
    }

    /// Whether i915 has given its GPU up after a failed reset: it accepts no work then.
    pub fn is_wedged(&self) -> bool {
        // SAFETY: By the type invariant `raw` is valid.
        unsafe { bindings::gvt_helper_i915_is_wedged(self.as_raw()) }
    }

    /// How often i915 has begun to reset the GPU as a whole, and written its own values to all registers; `None` while
    /// it is at that.
    pub fn resets(&self) -> Option<u32> {
        // SAFETY: By the type invariant `raw` is valid.
        let resets = unsafe { bindings::gvt_helper_i915_resets(self.as_raw()) };
        // A reset that was counted has been under way for longer than that: if none is now, it has ended.
        smp_mb(Read);
        // SAFETY: As above.
        let resetting = unsafe { bindings::gvt_helper_i915_is_resetting(self.as_raw()) };
        (!resetting).then_some(resets)
    }

    /// Calls `body` if i915 has not begun to remove the device, and lets that wait for its end.
    pub(crate) fn while_plugged<R>(
        self: &Arc<Self>,
        body: impl FnOnce(&Arc<Self>) -> R,
    ) -> Option<R> {
        let mut section = 0;
        // SAFETY: By the type invariant `raw` is valid.
        if !unsafe { bindings::gvt_helper_i915_enter(self.as_raw(), &mut section) } {
            return None;
        }
        let result = body(self);
        // SAFETY: The section was entered above.
        unsafe { bindings::gvt_helper_i915_exit(section) };
        Some(result)
    }

    /// Wakes the hardware, and keeps it awake for as long as the result lives.
    pub fn wake(&self) -> Awake<'_> {
        // SAFETY: By the type invariant `raw` is valid.
        let wakeref = unsafe { bindings::gvt_helper_i915_rpm_get(self.as_raw()) };
        Awake { gpu: self, wakeref }
    }
}

/// A runtime power management reference: registers, page table entries and the aperture can be
/// accessed.
///
/// # Invariants
///
/// `wakeref` was got of `gpu` and not put yet.
pub struct Awake<'a> {
    gpu: &'a Gpu,
    wakeref: *mut bindings::ref_tracker,
}

impl Drop for Awake<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::gvt_helper_i915_rpm_put(self.gpu.as_raw(), self.wakeref) };
    }
}

/// Keeps a GPU from being suspended at run time, for whoever has mapped its aperture. For accesses of our own i915
/// wants [`Awake`] besides.
///
/// # Invariants
///
/// A use of the device belongs to this.
pub struct InUse(Arc<Gpu>);

impl InUse {
    /// Resumes the GPU if it is suspended.
    ///
    /// # Errors
    ///
    /// Those of `pm_runtime_resume_and_get()`.
    pub fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        // SAFETY: The device is valid.
        to_result(unsafe { bindings::gvt_helper_pm_get(gpu.as_raw_device()) })?;
        // INVARIANT: The use was got just now.
        Ok(Self(gpu.clone()))
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the use is ours to give back.
        unsafe { bindings::gvt_helper_pm_put(self.0.as_raw_device()) };
    }
}

/// A C string of i915's as bytes.
///
/// # Safety
///
/// `text` must be null or a string that lives throughout `'a`.
unsafe fn text<'a>(text: *const kernel::ffi::c_char) -> &'a [u8] {
    if text.is_null() {
        return &[];
    }
    // SAFETY: By the requirement of this function.
    let length = unsafe { bindings::strlen(text) };
    // SAFETY: As above.
    unsafe { slice::from_raw_parts(text.cast(), length) }
}
