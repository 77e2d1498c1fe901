// SPDX-License-Identifier: GPL-2.0

//! The engines of the GPU, and news of which context runs on them.

use super::{
    text,
    Gpu, //
};
use crate::{
    bindings,
    notifier::{
        AtomicNotifier,
        Notified, //
    },
};
use core::ptr::NonNull;
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// How many engine numbers i915 knows (`I915_NUM_ENGINES`); most have no engine.
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

    /// Tells `target` when a context gets on or off the engine, in atomic context, for as long as
    /// the result lives.
    pub fn notify<N: Notified>(
        &self,
        target: N,
    ) -> impl PinInit<ContextNotifier<N>, Error> + use<N> {
        // SAFETY: Engines live as long as the device.
        let head = unsafe { bindings::gvt_helper_engine_notifier(self.raw.as_ptr()) };
        let gpu = self.gpu.clone();
        try_pin_init!(ContextNotifier {
            // SAFETY: `_gpu` keeps the device, and with it the chain, until the notifier is gone.
            _notifier <- unsafe { AtomicNotifier::new(head, target) },
            _gpu: gpu,
        })
    }
}

/// A callback on an engine's chain of context switches.
#[pin_data]
pub struct ContextNotifier<N: Notified> {
    // Dropped first: the chain is part of the device.
    #[pin]
    _notifier: AtomicNotifier<N>,
    _gpu: Arc<Gpu>,
}
