// SPDX-License-Identifier: GPL-2.0

//! The images of contexts: what the GPU loads when it turns to one.

use super::{
    context::{
        Context,
        ContextId, //
    },
    engine::Engine,
    ggtt::{
        Space,
        PTE_PRESENT, //
    },
    Gpu, //
};
use crate::bindings;
use core::ptr::NonNull;
use gvt_model::{
    cmd::WORKAROUND_BYTES,
    ports::ContextImage,
    ppgtt::Addressing, //
};
use kernel::{
    alloc::KVVec,
    dma::Coherent,
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// Words of a page.
const PAGE_WORDS: usize = PAGE_SIZE / 4;

/// A page of graphics memory for the workaround batches of a context.
struct Workarounds {
    // Dropped first: nothing may point at the page when it is freed.
    space: Space,
    page: Coherent<[u8; WORKAROUND_BYTES]>,
    gpu: Arc<Gpu>,
    /// How often the machine had slept when the entry was written.
    mapped: Option<u32>,
}

impl Workarounds {
    fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let size = PAGE_SIZE as u64;
        Ok(Self {
            space: Space::new(gpu, size, gpu.aperture_size()..gpu.ggtt_size(), true)?,
            page: Coherent::zeroed(gpu.device(), GFP_KERNEL)?,
            gpu: gpu.clone(),
            mapped: None,
        })
    }

    /// Writes the page's entry, unless the hardware has it.
    fn map(&mut self) {
        let sleeps = self.gpu.sleeps();
        if self.mapped != Some(sleeps) {
            let entry = self.page.dma_address() | PTE_PRESENT;
            self.space.fill(&self.gpu.wake(), entry);
            self.mapped = Some(sleeps);
        }
    }
}

impl Drop for Workarounds {
    fn drop(&mut self) {
        self.space.fill(&self.gpu.wake(), self.gpu.scratch_pte());
    }
}

/// The image of a context, and where the context finds its workaround batches. Only one thread has it, while
/// others give work to the context.
///
/// While it is pinned it stays where it is, and can be read and written; and the engine does not sleep.
///
/// # Invariants
///
/// - `context` is a context, and one of its references belongs to this.
/// - While there is a `state` a pin of the context belongs to this, and these are `words` words of the image, from
///   the state page on.
pub struct Image {
    context: NonNull<bindings::intel_context>,
    state: Option<NonNull<u32>>,
    words: usize,
    workarounds: Workarounds,
}

// SAFETY: The image is accessed through `&mut` only, or read; i915 locks the rest.
unsafe impl Send for Image {}

// SAFETY: As above.
unsafe impl Sync for Image {}

impl Image {
    /// That of a context that was made for `engine`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` if graphics memory has no room for workaround batches.
    pub fn new(engine: &Engine<'_>, context: &Context) -> Result<Self> {
        let workarounds = Workarounds::new(engine.gpu())?;
        let raw = context.as_raw();
        // SAFETY: The context is valid.
        unsafe { bindings::gvt_helper_context_get(raw.as_ptr()) };
        // Of the engine that it is of, not of the one that somebody names.
        // SAFETY: The context is valid.
        let size = unsafe { bindings::gvt_helper_context_size(raw.as_ptr()) };
        // INVARIANT: The reference was taken just now, and there is no state.
        Ok(Self {
            context: raw,
            state: None,
            words: (size as usize / 4).saturating_sub(PAGE_WORDS),
            workarounds,
        })
    }

    /// What tells its context from others.
    pub fn context(&self) -> ContextId {
        ContextId(self.context.addr().get())
    }

    /// Whether it is pinned.
    pub fn is_pinned(&self) -> bool {
        self.state.is_some()
    }

    /// Pins it, if it is not.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` if graphics memory has no room for it; those of i915.
    pub fn pin(&mut self) -> Result {
        if self.is_pinned() {
            return Ok(());
        }
        // SAFETY: By the type invariant it is valid.
        to_result(unsafe { bindings::gvt_helper_context_pin(self.context.as_ptr()) })?;
        self.workarounds.map();
        // SAFETY: The context is pinned.
        let state = unsafe { bindings::gvt_helper_context_state(self.context.as_ptr()) };
        // INVARIANT: It is pinned, and its image has so many words behind the page in front of the state
        // page.
        self.state = NonNull::new(state);
        Ok(())
    }

    /// Takes the pin back.
    pub fn unpin(&mut self) {
        if self.state.take().is_some() {
            // SAFETY: By the type invariant it was pinned.
            unsafe { bindings::gvt_helper_context_unpin(self.context.as_ptr()) };
        }
    }

    /// How the context finds its memory, with the roots that its image has and this way to address it.
    pub fn paging(&self, addressing: Addressing) -> Paging {
        let mode = match addressing {
            Addressing::Legacy32 => 1,
            Addressing::Legacy48 => 3,
        };
        let mut roots = [0; ROOT_WORDS];
        self.read_words(FIRST_ROOT, &mut roots);
        Paging {
            context: self.context(),
            mode,
            roots,
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        self.unpin();
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::gvt_helper_context_put(self.context.as_ptr()) };
    }
}

impl ContextImage for Image {
    fn read_words(&self, first: usize, words: &mut [u32]) {
        words.fill(0);
        let Some(state) = self.state else {
            return;
        };
        for (index, word) in (first..self.words).zip(words.iter_mut()) {
            // SAFETY: By the type invariant the image has more words than `index`.
            let place = unsafe { state.add(index) };
            // SAFETY: As above.
            *word = unsafe { place.read_volatile() };
        }
    }

    fn write_words(&mut self, first: usize, words: &[u32]) {
        let Some(state) = self.state else {
            return;
        };
        for (index, word) in (first..self.words).zip(words) {
            // SAFETY: By the type invariant the image has more words than `index`.
            let place = unsafe { state.add(index) };
            // SAFETY: As above.
            unsafe { place.write_volatile(*word) };
        }
    }

    fn put_workarounds(&mut self, words: &[u32]) -> u32 {
        let place = self.workarounds.page.as_mut_ptr().cast::<u32>();
        for (index, word) in (0..WORKAROUND_BYTES / 4).zip(words) {
            // SAFETY: The page has more words than `index`.
            let place = unsafe { place.add(index) };
            // SAFETY: As above.
            unsafe { place.write_volatile(*word) };
        }
        // CAST: Graphics memory has addresses of 32 bits.
        self.workarounds.space.start() as u32
    }
}

/// Where the state page of an image has the roots of page tables: for each half of four a register and
/// its value, the last one first.
const FIRST_ROOT: usize = 0x24;
const ROOT_WORDS: usize = 16;

/// How a context finds its memory: roots of page tables, and the mode that says what those are.
///
/// A GPU that takes one kind of roots for the other walks tables a level too early or too late, through
/// pages that a guest has filled. So both always go together; see "Roots and modes" in
/// `Documentation/architecture.rst`.
#[derive(Clone, Copy)]
pub struct Paging {
    /// Whose.
    context: ContextId,
    mode: u32,
    roots: [u32; ROOT_WORDS],
}

impl Paging {
    /// Gives it to its context, which i915 is about to load; nothing happens to any other.
    ///
    /// # Safety
    ///
    /// `context` must be one that i915's chain of an engine tells to come, and its callback must not have
    /// returned.
    pub(super) unsafe fn apply(&self, context: NonNull<bindings::intel_context>) {
        if self.context != ContextId(context.addr().get()) {
            return;
        }
        // SAFETY: By the requirement of this function it is valid; it is one of ours, and has page tables.
        let own = unsafe { bindings::gvt_helper_context_root(context.as_ptr()) };
        // SAFETY: As above; i915 is about to write to its image too, so that is mapped.
        let state = unsafe { bindings::gvt_helper_context_state(context.as_ptr()) };
        // SAFETY: The state page has more words.
        let roots = unsafe { state.add(FIRST_ROOT) }.cast::<[u32; ROOT_WORDS]>();
        // SAFETY: The context is not on the engine, and i915 writes to the image in this thread only.
        let [.., high, _, low] = unsafe { roots.read_volatile() };
        if u64::from(high) << 32 | u64::from(low) == own {
            // i915 has made the image anew.
            // SAFETY: As above.
            unsafe { roots.write_volatile(self.roots) };
        }
        // SAFETY: As above, and the same holds for the descriptor.
        unsafe { bindings::gvt_helper_context_set_addressing(context.as_ptr(), self.mode) };
    }
}

impl Engine<'_> {
    /// The image of a fresh context, from the state page on; `None` if i915 has none yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn fresh_image(&self) -> Result<Option<KVVec<u32>>> {
        // SAFETY: Engines live as long as the device.
        let map = unsafe { bindings::gvt_helper_engine_map_default(self.as_raw()) };
        let Some(map) = NonNull::new(map) else {
            return Ok(None);
        };
        let words = self.context_size() as usize / 4;
        // SAFETY: i915 saved an image of that size, and nobody writes to it.
        let image = unsafe { core::slice::from_raw_parts(map.cast::<u32>().as_ptr(), words) };
        let mut copy = KVVec::new();
        let copied =
            copy.extend_from_slice(image.get(PAGE_WORDS..).unwrap_or_default(), GFP_KERNEL);
        // SAFETY: It was mapped above.
        unsafe { bindings::gvt_helper_engine_unmap_default(self.as_raw(), map.as_ptr()) };
        copied?;
        Ok(Some(copy))
    }
}
