// SPDX-License-Identifier: GPL-2.0

//! The hook by which i915 calls a device model.

use super::Gpu;
use crate::bindings;
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    error::{
        from_result,
        to_result, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Full,
            Release, //
        },
        Arc,
        Completion, //
    },
    types::ForeignOwnable,
};

/// What gives virtual GPUs on i915 devices. i915 calls it under a lock of its own, one call at a
/// time.
pub trait DeviceModel: 'static {
    /// What all devices share.
    type Context: Send + Sync + 'static;
    /// What one i915 device has; it is dropped when i915 leaves the device or the model is
    /// unregistered.
    type Device: Send + Sync + 'static;

    /// An i915 device is there.
    fn init(context: &Self::Context, gpu: Arc<Gpu>) -> Result<Self::Device>;

    /// The i915 device has resumed from a suspend of the whole machine.
    fn resume(device: &Self::Device);
}

/// What i915 keeps for us in its pointer to the device model.
struct Kept<M: DeviceModel> {
    device: M::Device,
    gone: Arc<Completion>,
}

/// The address of the registered model's context, 0 if there is none. i915's callbacks carry no
/// pointer of ours.
static CONTEXT: Atomic<usize> = Atomic::new(0);

/// A registered device model. Dropping it takes the model from all i915 devices.
///
/// # Invariants
///
/// `ops` are registered with i915, and [`CONTEXT`] is the address of `_context`.
pub struct Registration<M: DeviceModel> {
    _context: KBox<M::Context>,
    ops: KBox<bindings::intel_vgpu_ops>,
    _model: PhantomData<M>,
}

// SAFETY: `ops` are function pointers, and i915 has its own lock.
unsafe impl<M: DeviceModel> Send for Registration<M> {}

// SAFETY: As above.
unsafe impl<M: DeviceModel> Sync for Registration<M> {}

impl<M: DeviceModel> Registration<M> {
    /// Registers the model. [`DeviceModel::init`] is called for all i915 devices that are there,
    /// and that allow it (see [`super::gate`]); its failure is not a failure of this.
    ///
    /// # Errors
    ///
    /// `EBUSY` if another model is registered; `ENOMEM`.
    pub fn new(context: M::Context) -> Result<Self> {
        let context = KBox::new(context, GFP_KERNEL)?;
        let ops = KBox::new(
            bindings::intel_vgpu_ops {
                init_device: Some(Self::init),
                clean_device: Some(Self::clean),
                pm_resume: Some(Self::resume),
            },
            GFP_KERNEL,
        )?;
        let address = core::ptr::from_ref::<M::Context>(&context).expose_provenance();
        CONTEXT.cmpxchg(0, address, Full).map_err(|_| EBUSY)?;
        // SAFETY: The table lives until it is unregistered in drop.
        if to_result(unsafe { bindings::intel_gvt_set_ops(&*ops) }).is_err() {
            CONTEXT.store(0, Release);
            return Err(EBUSY);
        }
        // INVARIANT: Both hold since just now.
        Ok(Self {
            _context: context,
            ops,
            _model: PhantomData,
        })
    }

    /// # Safety
    ///
    /// Called by i915 only, with a device that has its snapshots.
    unsafe extern "C" fn init(i915: *mut bindings::drm_i915_private) -> kernel::ffi::c_int {
        from_result(|| {
            // SAFETY: By the requirement of this function.
            if !unsafe { bindings::gvt_helper_i915_gvt(i915) }.is_null() {
                return Err(EEXIST);
            }
            let context = core::ptr::with_exposed_provenance::<M::Context>(CONTEXT.load(Acquire));
            // SAFETY: i915 calls this between the set and the clear of the ops, when it is the
            // context of `M`.
            let context = unsafe { &*context };
            let gone = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
            // SAFETY: i915 keeps the device and its snapshots until `clean` returns, which waits for
            // `gone`; and here the wait is below, where the model fails.
            let gpu = unsafe { Gpu::new(NonNull::new(i915).ok_or(EINVAL)?, gone.clone()) };
            let device = match Arc::new(gpu, GFP_KERNEL) {
                Ok(gpu) => M::init(context, gpu),
                Err(error) => Err(error.into()),
            };
            let kept = device.and_then(|device| {
                Ok(KBox::new(
                    Kept::<M> {
                        device,
                        gone: gone.clone(),
                    },
                    GFP_KERNEL,
                )?)
            });
            let kept = kept.inspect_err(|_| gone.wait_for_completion())?;
            // SAFETY: By the requirement of this function; the pointer belongs to the device model.
            unsafe { bindings::gvt_helper_i915_set_gvt(i915, kept.into_foreign()) };
            Ok(0)
        })
    }

    /// # Safety
    ///
    /// Called by i915 only, for a device of which [`Self::init`] succeeded.
    unsafe extern "C" fn clean(i915: *mut bindings::drm_i915_private) {
        // SAFETY: By the requirement of this function.
        let kept = unsafe { bindings::gvt_helper_i915_gvt(i915) };
        // SAFETY: As above.
        unsafe { bindings::gvt_helper_i915_set_gvt(i915, core::ptr::null_mut()) };
        // SAFETY: `init` put it there, and i915 calls this once.
        let kept = unsafe { KBox::<Kept<M>>::from_foreign(kept) };
        let Kept { device, gone } = KBox::into_inner(kept);
        drop(device);
        gone.wait_for_completion();
    }

    /// # Safety
    ///
    /// Called by i915 only, for a device of which [`Self::init`] succeeded.
    unsafe extern "C" fn resume(i915: *mut bindings::drm_i915_private) {
        // SAFETY: By the requirement of this function.
        let kept = unsafe { bindings::gvt_helper_i915_gvt(i915) };
        // SAFETY: `init` put it there, and i915 does not call `clean` at the same time.
        let kept = unsafe { KBox::<Kept<M>>::borrow(kept) };
        M::resume(&kept.device);
    }
}

impl<M: DeviceModel> Drop for Registration<M> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant these are registered. Afterwards i915 calls none of them
        // any more.
        unsafe { bindings::intel_gvt_clear_ops(&*self.ops) };
        CONTEXT.store(0, Release);
        // The context is dropped after this: nobody can find it any more.
    }
}
