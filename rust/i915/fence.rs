// SPDX-License-Identifier: GPL-2.0

//! Fence registers, by which the aperture shows tiled memory as linear.

use super::{
    ggtt::Locked,
    Awake,
    Gpu, //
};
use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};

/// Fence registers that i915 uses for nothing else; while nobody writes them they are off.
///
/// # Invariants
///
/// `fences` were reserved of `gpu` and not given back yet.
pub struct Fences {
    gpu: Arc<Gpu>,
    fences: KVec<Fence>,
}

/// A fence register.
struct Fence {
    raw: NonNull<bindings::i915_fence_reg>,
    /// What was written there last. i915 turns it off when it resets the GPU or resumes it.
    value: Atomic<u64>,
}

impl Fence {
    fn put(&self, awake: &Awake<'_>, value: u64) -> Result {
        // SAFETY: By the type invariant of `Fences` it is valid.
        let register = unsafe { bindings::gvt_helper_i915_fence_register(self.raw.as_ptr()) };
        let upper = register + 4;
        // Off first, so that the hardware never sees half of a value.
        awake.write(register, 0)?;
        awake.posting_read(register)?;
        // CAST: The two halves of the value.
        awake.write(upper, (value >> 32) as u32)?;
        awake.write(register, value as u32)?;
        awake.posting_read(register)
    }
}

// SAFETY: The reservation is changed under i915's lock only.
unsafe impl Send for Fences {}

// SAFETY: As above.
unsafe impl Sync for Fences {}

impl Gpu {
    /// Number of fence registers of the hardware.
    pub fn fence_count(&self) -> u32 {
        // SAFETY: The device is valid.
        unsafe { bindings::gvt_helper_i915_fence_count(self.as_raw()) }
    }
}

impl Fences {
    /// Takes `count` fence registers, and turns them off.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if i915 has so many no more; `ENOMEM`.
    pub fn new(gpu: &Arc<Gpu>, awake: &Awake<'_>, count: u32) -> Result<Self> {
        let wanted = usize::try_from(count)?;
        let mut taken = Self {
            gpu: gpu.clone(),
            fences: KVec::with_capacity(wanted, GFP_KERNEL)?,
        };
        for _ in 0..wanted {
            let fence = {
                let _locked = Locked::new(gpu);
                // SAFETY: The device is valid and locked.
                unsafe { bindings::gvt_helper_i915_fence_reserve(gpu.as_raw()) }
            };
            let fence = from_err_ptr(fence).map_err(|_| ENOSPC)?;
            // INVARIANT: This one was reserved just now; it fits into the capacity.
            let fence = Fence {
                raw: NonNull::new(fence).ok_or(ENOSPC)?,
                value: Atomic::new(0),
            };
            taken.fences.push(fence, GFP_KERNEL)?;
        }
        taken.clear(awake);
        Ok(taken)
    }

    /// Number of fences.
    pub fn count(&self) -> usize {
        self.fences.len()
    }

    /// Whether any is on.
    pub fn are_lit(&self) -> bool {
        let mut fences = self.fences.iter();
        fences.any(|fence| fence.value.load(Relaxed) != 0)
    }

    /// Writes fence `number`. The others may not be written meanwhile.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are fewer fences.
    pub fn write(&self, awake: &Awake<'_>, number: usize, value: u64) -> Result {
        let fence = self.fences.get(number).ok_or(EINVAL)?;
        fence.value.store(value, Relaxed);
        fence.put(awake, value)
    }

    /// Turns all of them off.
    pub fn clear(&self, awake: &Awake<'_>) {
        for number in 0..self.count() {
            // The number is one of ours, and i915's registers are in range: this does not fail.
            let _ = self.write(awake, number, 0);
        }
    }

    /// Writes all of them again.
    pub fn restore(&self, awake: &Awake<'_>) {
        for fence in self.fences.iter() {
            // As above.
            let _ = fence.put(awake, fence.value.load(Relaxed));
        }
    }
}

impl Drop for Fences {
    fn drop(&mut self) {
        self.clear(&self.gpu.wake());
        let _locked = Locked::new(&self.gpu);
        for fence in self.fences.iter() {
            // SAFETY: By the type invariant it is reserved, and the lock is held.
            unsafe { bindings::gvt_helper_i915_fence_unreserve(fence.raw.as_ptr()) };
        }
    }
}
