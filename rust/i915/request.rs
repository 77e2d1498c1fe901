// SPDX-License-Identifier: GPL-2.0

//! Work that i915 has been given.

use super::context::Context;
use crate::{
    bindings,
    doorbell::Button, //
};
use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        to_result, //
    },
    prelude::*,
    types::Opaque, //
};

/// What has to wait for work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// As everything else.
    Normal,
    /// It takes the engine from all work of i915's users.
    Pulse,
}

/// Work that was submitted.
///
/// # Invariants
///
/// `raw` is a request, and one of its references belongs to this.
struct Submitted(NonNull<bindings::i915_request>);

impl Submitted {
    /// Gives it, and what it waits for, the priority that it is to have.
    fn prioritise(&self, urgency: Urgency) {
        if urgency == Urgency::Pulse {
            // SAFETY: By the type invariant it is a request.
            unsafe { bindings::gvt_helper_request_prioritise(self.0.as_ptr(), PULSE) };
        }
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::gvt_helper_request_put(self.0.as_ptr()) };
    }
}

/// Work that was submitted, and that presses a button when it is done.
#[pin_data(PinnedDrop)]
pub struct Request {
    #[pin]
    callback: Opaque<bindings::dma_fence_cb>,
    button: Button,
    submitted: Submitted,
    /// Whether it has its commands. i915 runs it without them too.
    emitted: Result,
}

// SAFETY: Requests have locks of their own, and any thread may drop a reference.
unsafe impl Send for Request {}

// SAFETY: As above.
unsafe impl Sync for Request {}

impl Context {
    /// Gives i915 commands to run: an even number of words. `button` is pressed when they are done, or have failed:
    /// whatever gets to i915 is to be waited for, and [`Request::result`] tells what came of it.
    ///
    /// # Errors
    ///
    /// Those of [`pin`](Self::pin); `EIO` if it was banned, or i915 has given its GPU up. Nothing runs then.
    pub fn submit(
        &mut self,
        commands: &[u32],
        urgency: Urgency,
        button: Button,
    ) -> Result<Pin<KBox<Request>>> {
        if self.is_banned() {
            return Err(EIO);
        }
        let words = u32::try_from(commands.len())?;
        // First: work of which nobody knows when it is done must not run.
        let place = KBox::new_uninit(GFP_KERNEL)?;
        self.pin()?;
        let context = self.as_raw().as_ptr();
        // SAFETY: The context is pinned.
        let raw = from_err_ptr(unsafe { bindings::gvt_helper_request_create(context) })?;
        let raw = NonNull::new(raw).ok_or(ENOMEM)?;
        // SAFETY: The request was made just now.
        unsafe { bindings::gvt_helper_request_get(raw.as_ptr()) };
        // INVARIANT: The reference was taken just now.
        let submitted = Submitted(raw);
        // Whatever happens, a request that was made has to be added: i915 holds a lock until then.
        // SAFETY: The request was made just now and is not added.
        let begun = to_result(unsafe { bindings::gvt_helper_request_begin(raw.as_ptr()) });
        let emitted = begun.and_then(|()| emit(raw, words, commands));
        // SAFETY: As above.
        unsafe { bindings::gvt_helper_request_add(raw.as_ptr()) };
        submitted.prioritise(urgency);
        let Ok(request) = place.write_pin_init(Request::new(submitted, button, emitted));
        Ok(request)
    }
}

/// The priority of what takes the engine from everything else: i915's users can have 1023 at most.
const PULSE: i32 = 2048;

fn emit(raw: NonNull<bindings::i915_request>, words: u32, commands: &[u32]) -> Result {
    if words == 0 {
        return Ok(());
    }
    if words % 2 != 0 {
        return Err(EINVAL);
    }
    // SAFETY: The request is not added yet.
    let place = from_err_ptr(unsafe { bindings::gvt_helper_request_room(raw.as_ptr(), words) })?;
    // SAFETY: i915 made room for so many words, which nobody else writes to.
    unsafe { core::ptr::copy_nonoverlapping(commands.as_ptr(), place, commands.len()) };
    Ok(())
}

impl Request {
    fn new(submitted: Submitted, button: Button, emitted: Result) -> impl PinInit<Self> {
        let raw = submitted.0;
        pin_init!(Self {
            button,
            submitted,
            emitted,
            callback <- Opaque::ffi_init(|slot: *mut bindings::dma_fence_cb| {
                // If it was done before, this fails and nobody will ring. Nobody has to: it is looked at
                // after this.
                // SAFETY: The slot is ours and stays here until drop takes it off the list; the
                // request is referenced.
                unsafe {
                    bindings::gvt_helper_request_notify(raw.as_ptr(), slot, Some(Self::done))
                };
            }),
        })
    }

    /// Whether it is done, well or not.
    pub fn is_done(&self) -> bool {
        // SAFETY: The request is referenced.
        unsafe { bindings::gvt_helper_request_is_done(self.submitted.0.as_ptr()) }
    }

    /// Whether it was done well, once it is done.
    ///
    /// # Errors
    ///
    /// `EIO` if the GPU hung, or i915 has given it up; what kept its commands from it.
    pub fn result(&self) -> Result {
        self.emitted?;
        // SAFETY: The request is referenced.
        to_result(unsafe { bindings::gvt_helper_request_error(self.submitted.0.as_ptr()) })
    }

    /// # Safety
    ///
    /// Called by the fence only, with the callback of a `Request`.
    unsafe extern "C" fn done(
        _fence: *mut bindings::dma_fence,
        callback: *mut bindings::dma_fence_cb,
    ) {
        let callback = Opaque::cast_from(callback);
        // SAFETY: The callback is part of a request.
        #[expect(
            clippy::multiple_unsafe_ops_per_block,
            reason = "container_of! expands to two"
        )]
        let this = unsafe { kernel::container_of!(callback, Self, callback) };
        // SAFETY: The fence has a lock that drop takes too, so the request lives.
        let this = unsafe { &*this };
        this.button.press();
    }
}

#[pinned_drop]
impl PinnedDrop for Request {
    fn drop(self: Pin<&mut Self>) {
        let raw = self.submitted.0.as_ptr();
        // SAFETY: The request is referenced, and the callback was given to it. Afterwards it does not run
        // any more.
        unsafe { bindings::gvt_helper_request_forget(raw, self.callback.get()) };
    }
}

/// The context of a request that an engine's chain tells of.
///
/// # Safety
///
/// `data` must be what the chain of an engine gave.
pub(super) unsafe fn context_of(data: *mut kernel::ffi::c_void) -> *mut bindings::intel_context {
    // SAFETY: By the requirement of this function it is a request.
    unsafe { bindings::gvt_helper_request_context(data.cast()) }
}
