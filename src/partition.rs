// SPDX-License-Identifier: GPL-2.0

//! The parts of the host's graphics memory and fences that belong to one virtual GPU.

use core::ops::Range;
use gvt_kapi::{
    i915::{
        fence::Fences,
        ggtt::{
            Space,
            PTE_PRESENT, //
        },
        Awake,
        Gpu, //
    },
    table::Table, //
};
use gvt_model::{
    addr::{
        GmPage,
        PAGE_SIZE, //
    },
    types::TypeConf, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

/// Graphics memory in the aperture (low) and outside of it (high), and fences.
///
/// All page table entries of it point either at the guest's own pages or at a page that only this
/// virtual GPU sees: what one guest leaves there no other guest and no host program reads.
#[pin_data]
pub(crate) struct Partition {
    #[pin]
    targets: Mutex<Targets>,
    entries: Entries,
}

/// Where the entries point. The hardware loses its entries in a suspend.
struct Targets {
    /// The addresses, those of the low part first; 0 is the scratch page.
    addresses: KVVec<u64>,
    /// How many are not 0.
    used: usize,
}

impl Targets {
    /// Notes where an entry points now.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are fewer entries.
    fn set(&mut self, index: usize, address: u64) -> Result {
        let old = self.addresses.get_mut(index).ok_or(EINVAL)?;
        let used = self.used.saturating_add((address != 0).into());
        self.used = used.saturating_sub((*old != 0).into());
        *old = address;
        Ok(())
    }

    /// Notes that all point at the scratch page.
    fn clear(&mut self) {
        self.addresses.fill(0);
        self.used = 0;
    }
}

/// The hardware side of a partition.
struct Entries {
    gpu: Arc<Gpu>,
    low: Space,
    high: Space,
    fences: Fences,
    // Dropped after the entries that point at it are overwritten, in drop.
    scratch: Table,
}

impl Partition {
    /// Takes what a virtual GPU of this type needs.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if i915 can make no room; `ENOMEM`.
    pub(crate) fn new(gpu: &Arc<Gpu>, conf: &TypeConf) -> Result<impl PinInit<Self>> {
        let aperture = gpu.aperture_size();
        let awake = gpu.wake();
        let entries = Entries {
            gpu: gpu.clone(),
            low: Space::new(gpu, conf.low, 0..aperture, false)?,
            high: Space::new(gpu, conf.high, aperture..gpu.ggtt_size(), true)?,
            fences: Fences::new(gpu, &awake, conf.fences)?,
            scratch: Table::new(gpu, 0)?,
        };
        let pages = conf.low.checked_add(conf.high).ok_or(EINVAL)? / PAGE_SIZE;
        let targets = Targets {
            addresses: KVVec::from_elem(0, usize::try_from(pages)?, GFP_KERNEL)?,
            used: 0,
        };
        // What was there before is not the guest's business.
        entries.fill(&awake, entries.pte(0));
        Ok(pin_init!(Self {
            targets <- new_mutex!(targets),
            entries,
        }))
    }

    /// The part in the aperture.
    pub(crate) fn low(&self) -> &Space {
        &self.entries.low
    }

    /// The part outside of the aperture.
    pub(crate) fn high(&self) -> &Space {
        &self.entries.high
    }

    /// The fences.
    pub(crate) fn fences(&self) -> &Fences {
        &self.entries.fences
    }

    /// Points the entry of a page at this address, or at the scratch page; the GPU may not see it
    /// before a [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// `EINVAL` if the page is not in the partition.
    pub(crate) fn point(&self, awake: &Awake<'_>, page: GmPage, target: Option<u64>) -> Result {
        let target = target.unwrap_or(0);
        let mut targets = self.targets.lock();
        let (space, number, index) = self.entries.find(page).ok_or(EINVAL)?;
        targets.set(index, target)?;
        space.write_pte(awake, number, self.entries.pte(target))
    }

    /// Makes the GPU look at all entries anew.
    pub(crate) fn flush(&self, awake: &Awake<'_>) {
        self.entries.low.flush(awake);
    }

    /// Points all entries at the scratch page, of which nothing is left, and turns the fences off.
    ///
    /// None of them may be changed meanwhile.
    pub(crate) fn scrub(&self) {
        // The guest's engines can write there, and the next guest's can read.
        self.entries.scratch.fill(0);
        // The GPU is not woken for nothing: a VMM resets a device that no guest has had yet.
        if self.targets.lock().used == 0 && !self.fences().are_lit() {
            return;
        }
        let awake = self.entries.gpu.wake();
        let mut targets = self.targets.lock();
        self.entries.write(&awake, &targets.addresses, |target| {
            (target != 0).then_some(0)
        });
        targets.clear();
        self.fences().clear(&awake);
    }

    /// Writes the fences again, of which none may be written meanwhile.
    pub(crate) fn restore_fences(&self) {
        if self.fences().are_lit() {
            self.fences().restore(&self.entries.gpu.wake());
        }
    }

    /// Writes all entries and fences again.
    pub(crate) fn restore(&self, awake: &Awake<'_>) {
        self.fences().restore(awake);
        self.entries
            .write(awake, &self.targets.lock().addresses, Some);
    }
}

impl Entries {
    /// The entry that points at an address; 0 stands for the scratch page.
    fn pte(&self, target: u64) -> u64 {
        let address = match target {
            0 => self.scratch.address(),
            address => address,
        };
        address | PTE_PRESENT
    }

    /// Writes each entry for whose target `choose` names an address, and makes the GPU look.
    fn write(&self, awake: &Awake<'_>, targets: &[u64], choose: impl Fn(u64) -> Option<u64>) {
        let pages = |space: &Space| 0..space.size() / PAGE_SIZE;
        let low = pages(&self.low).map(|number| (&self.low, number));
        let high = pages(&self.high).map(|number| (&self.high, number));
        for ((space, number), target) in Iterator::chain(low, high).zip(targets) {
            if let Some(target) = choose(*target) {
                // All of these are pages of the space.
                let _ = space.write_pte(awake, number, self.pte(target));
            }
        }
        self.low.flush(awake);
    }

    fn fill(&self, awake: &Awake<'_>, pte: u64) {
        self.low.fill(awake, pte);
        self.high.fill(awake, pte);
    }

    /// The space that a page is in, its number there, and its index among all pages.
    fn find(&self, page: GmPage) -> Option<(&Space, u64, usize)> {
        let inside = |space: &Space| {
            let first = space.start() / PAGE_SIZE;
            let pages: Range<u64> = 0..space.size() / PAGE_SIZE;
            let number = page.raw().checked_sub(first)?;
            pages.contains(&number).then_some(number)
        };
        if let Some(number) = inside(&self.low) {
            return Some((&self.low, number, usize::try_from(number).ok()?));
        }
        let number = inside(&self.high)?;
        let index = number.checked_add(self.low.size() / PAGE_SIZE)?;
        Some((&self.high, number, usize::try_from(index).ok()?))
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        // Nothing may point at the scratch page when it is freed, nor at what was the guest's. Engines need not be asked to
        // forget: work of this virtual GPU is over, and i915 has them forget at the start of each request.
        self.fill(&self.gpu.wake(), self.gpu.scratch_pte());
    }
}
