// SPDX-License-Identifier: GPL-2.0

//! The parts of the host's graphics memory and fences that belong to one virtual GPU.

use gvt_kapi::i915::{
    fence::Fences,
    ggtt::{
        Space,
        PTE_PRESENT, //
    },
    Awake,
    Gpu, //
};
use gvt_model::types::TypeConf;
use kernel::{
    dma::Coherent,
    prelude::*,
    sync::Arc, //
};

/// Graphics memory in the aperture (low) and outside of it (high), and fences.
///
/// All page table entries of it point either at the guest's own pages or at a page that only this
/// virtual GPU sees: what one guest leaves there no other guest and no host program reads.
pub(crate) struct Partition {
    gpu: Arc<Gpu>,
    pub(crate) low: Space,
    pub(crate) high: Space,
    pub(crate) fences: Fences,
    // Dropped after the entries that point at it are overwritten, in drop.
    scratch: Coherent<[u8; 4096]>,
}

impl Partition {
    /// Takes what a virtual GPU of this type needs.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if i915 can make no room; `ENOMEM`.
    pub(crate) fn new(gpu: &Arc<Gpu>, conf: &TypeConf) -> Result<Self> {
        let aperture = gpu.aperture_size();
        let awake = gpu.wake();
        let partition = Self {
            gpu: gpu.clone(),
            low: Space::new(gpu, conf.low, 0..aperture, false)?,
            high: Space::new(gpu, conf.high, aperture..gpu.ggtt_size(), true)?,
            fences: Fences::new(gpu, &awake, conf.fences)?,
            scratch: Coherent::zeroed(gpu.device(), GFP_KERNEL)?,
        };
        // What was there before is not the guest's business.
        partition.scrub(&awake);
        Ok(partition)
    }

    /// Points all page table entries at the scratch page, and turns the fences off.
    pub(crate) fn scrub(&self, awake: &Awake<'_>) {
        self.fill(awake, self.scratch.dma_address() | PTE_PRESENT);
        self.fences.clear(awake);
    }

    fn fill(&self, awake: &Awake<'_>, pte: u64) {
        self.low.fill(awake, pte);
        self.high.fill(awake, pte);
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        // Nothing may point at the scratch page when it is freed, nor at what was the guest's.
        self.fill(&self.gpu.wake(), self.gpu.scratch_pte());
    }
}
