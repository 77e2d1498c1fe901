// SPDX-License-Identifier: GPL-2.0

//! Contexts of i915's that do the work of a guest.

use super::{
    engine::Engine,
    Gpu, //
};
use crate::bindings;
use core::ptr::NonNull;
use gvt_model::cmd::MAX_WORDS;
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    sync::Arc, //
};

/// Bytes of the ring of a context, the most that the hardware can have.
const RING_SIZE: u32 = 2 << 20;

// i915 waits for room in a ring, and a guest decides how long that takes. So there is always some: for two
// submissions, as much as one can lose at the end of the ring, and what i915 adds to them.
const _: () = assert!(4 * MAX_WORDS * size_of::<u32>() <= RING_SIZE as usize);

/// A context on an engine. It has page tables of its own that lead nowhere; what runs on it has others, of
/// which its image tells.
///
/// # Invariants
///
/// - `raw` is a context of `_gpu`, and one of its references belongs to this.
/// - If it is `pinned` a pin of the context belongs to this.
pub struct Context {
    _gpu: Arc<Gpu>,
    raw: NonNull<bindings::intel_context>,
    pinned: bool,
    banned: bool,
}

// SAFETY: i915 locks what it changes of a context.
unsafe impl Send for Context {}

// SAFETY: As above.
unsafe impl Sync for Context {}

/// What tells contexts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextId(pub(super) usize);

/// Page tables of i915's that lead nowhere.
struct EmptyPpgtt(NonNull<bindings::i915_ppgtt>);

impl EmptyPpgtt {
    fn new(gpu: &Gpu) -> Result<Self> {
        // SAFETY: The device is valid.
        let raw = from_err_ptr(unsafe { bindings::gvt_helper_ppgtt_create(gpu.as_raw()) })?;
        NonNull::new(raw).map(Self).ok_or(ENOMEM)
    }
}

impl Drop for EmptyPpgtt {
    fn drop(&mut self) {
        // SAFETY: The reference is ours to give back.
        unsafe { bindings::gvt_helper_ppgtt_put(self.0.as_ptr()) };
    }
}

impl Context {
    /// A context on an engine.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` if graphics memory has no room for it; those of i915.
    pub fn new(engine: &Engine<'_>) -> Result<Self> {
        let gpu = engine.gpu();
        let ppgtt = EmptyPpgtt::new(gpu)?;
        // SAFETY: Engines live as long as the device.
        let raw = from_err_ptr(unsafe { bindings::gvt_helper_context_create(engine.as_raw()) })?;
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        // SAFETY: The context was made just now; nobody else has it.
        unsafe { bindings::gvt_helper_context_set_ppgtt(raw.as_ptr(), ppgtt.0.as_ptr()) };
        // SAFETY: As above.
        unsafe { bindings::gvt_helper_context_set_ring_size(raw.as_ptr(), RING_SIZE) };
        // SAFETY: As above.
        unsafe { bindings::gvt_helper_context_run_alone(raw.as_ptr()) };
        // INVARIANT: The reference is that of its creation, and it is not pinned.
        Ok(Self {
            _gpu: gpu.clone(),
            raw,
            pinned: false,
            banned: false,
        })
    }

    /// Pins it, if it is not: its engine does not sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` if graphics memory has no room for it; those of i915.
    pub fn pin(&mut self) -> Result {
        if !self.pinned {
            // SAFETY: By the type invariant it is valid.
            to_result(unsafe { bindings::gvt_helper_context_pin(self.raw.as_ptr()) })?;
            // INVARIANT: It was pinned just now.
            self.pinned = true;
        }
        Ok(())
    }

    /// Takes the pin back. What it has to do runs all the same.
    pub fn unpin(&mut self) {
        if core::mem::take(&mut self.pinned) {
            // SAFETY: By the type invariant it was pinned.
            unsafe { bindings::gvt_helper_context_unpin(self.raw.as_ptr()) };
        }
    }

    /// What tells it from others.
    pub fn id(&self) -> ContextId {
        ContextId(self.raw.as_ptr().addr())
    }

    pub(super) fn as_raw(&self) -> NonNull<bindings::intel_context> {
        self.raw
    }

    /// Ends all that it has to do: when the GPU next leaves it, i915 lets nothing more of it run, and what
    /// was submitted is done with an error. Nothing can be submitted any more.
    pub fn ban(&mut self) {
        // SAFETY: By the type invariant it is valid.
        unsafe { bindings::gvt_helper_context_ban(self.raw.as_ptr()) };
        self.banned = true;
    }

    /// Whether it was banned.
    pub fn is_banned(&self) -> bool {
        self.banned
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.unpin();
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::gvt_helper_context_put(self.raw.as_ptr()) };
    }
}
