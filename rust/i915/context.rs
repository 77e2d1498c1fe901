// SPDX-License-Identifier: GPL-2.0

//! Contexts of i915's that do the work of a guest.

use super::{
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
    cmd::{
        MAX_WORDS,
        WORKAROUND_BYTES, //
    },
    ports::ContextImage,
    ppgtt::Addressing, //
};
use kernel::{
    alloc::KVVec,
    dma::Coherent,
    error::{
        from_err_ptr,
        to_result, //
    },
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// Bytes of the ring of a context, the most that the hardware can have.
const RING_SIZE: u32 = 2 << 20;

// i915 waits for room in a ring, and a guest decides how long that takes. So there is always some: for two
// submissions, as much as one can lose at the end of the ring, and what i915 adds to them.
const _: () = assert!(4 * MAX_WORDS * size_of::<u32>() <= RING_SIZE as usize);

/// Words of a page.
const PAGE_WORDS: usize = PAGE_SIZE / 4;

/// A context on an engine. It has page tables of its own that lead nowhere; what runs on it has others, of
/// which its image tells.
///
/// While it is pinned its image stays where it is, and can be read and written; and its engine does not
/// sleep.
///
/// # Invariants
///
/// - `raw` is a context of `gpu`, and one of its references belongs to this.
/// - While there is a `state` it is pinned, and these are `words` words of its image, from the state page on.
pub struct Context {
    gpu: Arc<Gpu>,
    raw: NonNull<bindings::intel_context>,
    state: Option<NonNull<u32>>,
    words: usize,
    workarounds: Workarounds,
    banned: bool,
}

// SAFETY: i915 locks what it changes of a context; the image is accessed through `&mut` only, or read.
unsafe impl Send for Context {}

// SAFETY: As above.
unsafe impl Sync for Context {}

/// What tells contexts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextId(pub(super) usize);

/// A page of graphics memory for the workaround batches of a context.
struct Workarounds {
    // Dropped first: nothing may point at the page when it is freed.
    space: Space,
    page: Coherent<[u8; WORKAROUND_BYTES]>,
    gpu: Arc<Gpu>,
}

impl Workarounds {
    fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        let size = PAGE_SIZE as u64;
        let this = Self {
            space: Space::new(gpu, size, gpu.aperture_size()..gpu.ggtt_size(), true)?,
            page: Coherent::zeroed(gpu.device(), GFP_KERNEL)?,
            gpu: gpu.clone(),
        };
        let awake = gpu.wake();
        this.space
            .fill(&awake, this.page.dma_address() | PTE_PRESENT);
        Ok(this)
    }
}

impl Drop for Workarounds {
    fn drop(&mut self) {
        self.space.fill(&self.gpu.wake(), self.gpu.scratch_pte());
    }
}

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
        let workarounds = Workarounds::new(gpu)?;
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
        // INVARIANT: The reference is that of its creation, and there is no state.
        Ok(Self {
            gpu: gpu.clone(),
            raw,
            state: None,
            words: (engine.context_size() as usize / 4).saturating_sub(PAGE_WORDS),
            workarounds,
            banned: false,
        })
    }

    /// Pins it, if it is not.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `ENOSPC` if graphics memory has no room for it; those of i915.
    pub fn pin(&mut self) -> Result {
        if self.state.is_some() {
            return Ok(());
        }
        // SAFETY: By the type invariant it is valid.
        to_result(unsafe { bindings::gvt_helper_context_pin(self.raw.as_ptr()) })?;
        // SAFETY: The context is pinned.
        let state = unsafe { bindings::gvt_helper_context_state(self.raw.as_ptr()) };
        // INVARIANT: It is pinned, and its image has so many words behind the page in front of the state
        // page.
        self.state = NonNull::new(state);
        Ok(())
    }

    /// Takes the pin back. What it has to do runs all the same.
    pub fn unpin(&mut self) {
        if self.state.take().is_some() {
            // SAFETY: By the type invariant it was pinned.
            unsafe { bindings::gvt_helper_context_unpin(self.raw.as_ptr()) };
        }
    }

    /// What tells it from others.
    pub fn id(&self) -> ContextId {
        ContextId(self.raw.as_ptr().addr())
    }

    pub(super) fn as_raw(&self) -> *mut bindings::intel_context {
        self.raw.as_ptr()
    }

    /// The GPU that it is on.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
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

    /// How it finds its memory, with the roots that its image has and this way to address it.
    pub fn paging(&self, addressing: Addressing) -> Paging {
        let mode = match addressing {
            Addressing::Legacy32 => 1,
            Addressing::Legacy48 => 3,
        };
        let mut roots = [0; ROOT_WORDS];
        self.read_words(FIRST_ROOT, &mut roots);
        Paging {
            context: self.id(),
            mode,
            roots,
        }
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

impl Drop for Context {
    fn drop(&mut self) {
        self.unpin();
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::gvt_helper_context_put(self.raw.as_ptr()) };
    }
}

impl ContextImage for Context {
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
