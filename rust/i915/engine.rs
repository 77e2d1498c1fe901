// SPDX-License-Identifier: GPL-2.0

//! The engines of the GPU, and news of which context runs on them.

use super::{
    context::ContextId,
    image::Paging,
    mmio::Powered,
    request::context_of,
    text,
    Gpu, //
};
use crate::{
    bindings,
    notifier::{
        AtomicChain,
        Notified,
        Notifier, //
    },
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// More engine numbers than i915 knows (`I915_NUM_ENGINES`); most have no engine.
const NUMBERS: u32 = 64;

/// An engine of i915's.
pub struct Engine<'a> {
    gpu: &'a Arc<Gpu>,
    number: u32,
    raw: NonNull<bindings::intel_engine_cs>,
}

/// All engines that the GPU has.
pub fn engines(gpu: &Arc<Gpu>) -> impl Iterator<Item = Engine<'_>> {
    (0..NUMBERS).filter_map(move |number| {
        // SAFETY: The device is valid; the helper refuses numbers beyond i915's.
        let raw = unsafe { bindings::gvt_helper_i915_engine(gpu.as_raw(), number) };
        NonNull::new(raw).map(|raw| Engine { gpu, number, raw })
    })
}

impl Engine<'_> {
    /// Its number in i915 (`enum intel_engine_id`).
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its name, as in `rcs0`.
    pub fn name(&self) -> &[u8] {
        // SAFETY: Engines live as long as the device.
        let name = unsafe { bindings::gvt_helper_engine_name(self.raw.as_ptr()) };
        // SAFETY: The name is part of the engine.
        unsafe { text(name) }
    }

    /// Offset of its registers.
    pub fn mmio_base(&self) -> u32 {
        // SAFETY: Engines live as long as the device.
        unsafe { bindings::gvt_helper_engine_mmio_base(self.raw.as_ptr()) }
    }

    /// Bytes of a context image.
    pub fn context_size(&self) -> u32 {
        // SAFETY: Engines live as long as the device.
        unsafe { bindings::gvt_helper_engine_context_size(self.raw.as_ptr()) }
    }

    /// Tells `target` when a context gets on or off the engine, for as long as the result lives.
    pub fn watch<W: ContextWatcher>(
        &self,
        target: W,
    ) -> impl PinInit<ContextNotifier<W>, Error> + use<W> {
        // SAFETY: Engines live as long as the device.
        let head = unsafe { bindings::gvt_helper_engine_notifier(self.raw.as_ptr()) };
        // SAFETY: The chain is part of the device, which `Watched` keeps until it is off the chain.
        let chain = unsafe { AtomicChain::new(head) };
        let watched = Watched {
            watcher: target,
            gpu: self.gpu.clone(),
            engine: self.raw,
        };
        try_pin_init!(ContextNotifier {
            _notifier <- Notifier::new(chain, watched),
        })
    }

    /// The device that it is of.
    pub fn gpu(&self) -> &Arc<Gpu> {
        self.gpu
    }

    pub(super) fn as_raw(&self) -> *mut bindings::intel_engine_cs {
        self.raw.as_ptr()
    }
}

/// What wants to know which context is on an engine.
pub trait ContextWatcher: Send + Sync + 'static {
    /// A context got on the engine, or off it. Runs in atomic context; interrupts may be on or off.
    fn switched(&self, context: ContextId, on: bool, switching: &Switching<'_>);
}

/// An engine that changes contexts: its GPU is awake.
pub struct Switching<'a> {
    gpu: &'a Gpu,
    engine: NonNull<bindings::intel_engine_cs>,
    coming: Option<NonNull<bindings::intel_context>>,
}

impl Switching<'_> {
    /// Lets the context that comes find its memory so, until it is off the engine.
    pub fn set_paging(&self, paging: &Paging) {
        if let Some(context) = self.coming {
            // SAFETY: The chain told that it comes, and this lives in the callback.
            unsafe { paging.apply(context) };
        }
    }

    /// How often i915 has reset the engine, and with it has written its own values to the registers.
    pub fn resets(&self) -> u32 {
        // SAFETY: Engines live as long as the device.
        unsafe { bindings::gvt_helper_engine_resets(self.engine.as_ptr()) }
    }

    /// Keeps all domains awake.
    pub fn power(&self) -> Powered<'_> {
        // SAFETY: The GPU has work, so that i915 keeps it awake, until the callback returns.
        unsafe { Powered::new(self.gpu) }
    }
}

/// What stands on the chain for a watcher.
struct Watched<W: ContextWatcher> {
    watcher: W,
    gpu: Arc<Gpu>,
    engine: NonNull<bindings::intel_engine_cs>,
}

// SAFETY: Engines may be used by any thread; the watcher is `Send`.
unsafe impl<W: ContextWatcher> Send for Watched<W> {}

// SAFETY: As above; the watcher is `Sync`.
unsafe impl<W: ContextWatcher> Sync for Watched<W> {}

/// `INTEL_CONTEXT_SCHEDULE_IN` and `INTEL_CONTEXT_SCHEDULE_OUT`.
const SCHEDULE_IN: usize = 0;
const SCHEDULE_OUT: usize = 1;

impl<W: ContextWatcher> Notified for Watched<W> {
    fn notified(&self, action: usize, data: *mut kernel::ffi::c_void) -> Result {
        let on = match action {
            SCHEDULE_IN => true,
            SCHEDULE_OUT => false,
            _ => return Ok(()),
        };
        // SAFETY: The chain is that of an engine, and this is what it gave.
        let context = unsafe { context_of(data) };
        let switching = Switching {
            gpu: &self.gpu,
            engine: self.engine,
            coming: NonNull::new(context).filter(|_| on),
        };
        let id = ContextId(context.addr());
        self.watcher.switched(id, on, &switching);
        Ok(())
    }
}

/// A callback on an engine's chain of context switches.
#[pin_data]
pub struct ContextNotifier<W: ContextWatcher> {
    #[pin]
    _notifier: Notifier<AtomicChain, Watched<W>>,
}
