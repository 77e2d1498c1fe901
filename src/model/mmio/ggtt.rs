// SPDX-License-Identifier: GPL-2.0

//! The GGTT of a vGPU: what the guest sees of it, and what the GPU is told (gvt-spec 5).
//!
//! The guest has two ranges of graphics memory, at the same addresses as on the GPU. It sees the
//! entries that it wrote. Of an entry that says that a page is there, only the guest frame counts:
//! the entry of the GPU points at that frame where it is memory of the guest, and at a scratch page
//! otherwise. No other bit of the guest's reaches the GPU.
//!
//! A write takes effect at the next flush at the latest, as on hardware, where i915 flushes after
//! every burst through `GFX_FLSH_CNTL`. This makes two things cheap. One flush serves the burst. And
//! an entry that is written in two halves needs no list of halves (gvt-spec 12.1-22): the first
//! half waits in a single place for the second, and takes effect alone when anything else comes
//! first.

use core::ops::Range;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    addr::{
        Gfn,
        GmPage,
        GmRange,
        Gpa,
        PAGE_SIZE, //
    },
    ports::HostGgtt,
    wire, //
};

/// Bytes of a page table entry.
const PTE_SIZE: u64 = 8;
/// A page is there.
const PRESENT: u64 = 1 << 0;
/// The address of the page: bits 45 to 12.
const ADDRESS: u64 = 0x3fff_ffff_f000;

/// The entries of the two ranges of a vGPU, first those of the low range.
pub(crate) struct Ggtt {
    low: GmRange,
    high: GmRange,
    /// As the guest wrote them.
    entries: KVVec<u64>,
    /// One bit for each entry: whether the GPU's points at the guest's frame.
    mapped: KVVec<u64>,
    half: Option<Half>,
}

/// An entry of which one half was written, and the other one not yet.
#[derive(Clone, Copy)]
struct Half {
    index: usize,
    /// What the entry was before, which is what the GPU knows.
    before: u64,
}

impl Ggtt {
    /// All entries 0.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if a range is not covered by a window of `window` bytes.
    pub(super) fn new(window: u64, low: GmRange, high: GmRange) -> Result<Self> {
        let pages = window / PTE_SIZE;
        let covered = |range: GmRange| range.end() / PAGE_SIZE <= pages;
        if !covered(low) || !covered(high) {
            return Err(EINVAL);
        }
        let count = low.pages().checked_add(high.pages()).ok_or(EINVAL)?;
        let count = usize::try_from(count).map_err(|_| EINVAL)?;
        Ok(Self {
            low,
            high,
            entries: KVVec::zeroed(count, GFP_KERNEL)?,
            mapped: KVVec::zeroed(count.div_ceil(64), GFP_KERNEL)?,
            half: None,
        })
    }

    /// Makes all entries 0. Those of the GPU point at the scratch page already.
    pub(super) fn clear(&mut self) {
        self.entries.fill(0);
        self.mapped.fill(0);
        self.half = None;
    }

    /// Reads 4 or 8 bytes at `offset` of the window; outside the ranges all is 0.
    pub(super) fn read(&self, offset: u64, data: &mut [u8]) {
        let entry = self
            .index(offset)
            .map_or(0, |index| self.entry(index))
            .to_le_bytes();
        let half = entry.get(half(offset)..).unwrap_or_default();
        for (to, from) in data.iter_mut().zip(half) {
            *to = *from;
        }
    }

    /// Writes 4 or 8 bytes at `offset` of the window; outside the ranges nothing happens.
    pub(super) fn write(&mut self, offset: u64, data: &[u8], host: &mut (impl HostGgtt + ?Sized)) {
        let Some(index) = self.index(offset) else {
            return;
        };
        let waiting = self.half.take_if(|half| half.index == index);
        self.settle(host);
        let old = self.entry(index);
        let before = waiting.map_or(old, |half| half.before);
        let mut bytes = old.to_le_bytes();
        wire::put(&mut bytes, half(offset), data);
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = u64::from_le_bytes(bytes);
        }
        let whole = data.len() == bytes.len();
        if whole || waiting.is_some() {
            self.apply(index, before, host);
        } else {
            self.half = Some(Half { index, before });
        }
    }

    /// The guest frames behind `count` pages of graphics memory from `first` on; `None` for one that
    /// the GPU does not reach.
    pub(super) fn frames(&self, first: u64, count: u64) -> impl Iterator<Item = Option<Gfn>> + '_ {
        let pages = first..first.saturating_add(count);
        pages.map(|page| {
            let index = self.index(page.checked_mul(PTE_SIZE)?)?;
            frame(self.entry(index)).filter(|_| self.is_mapped(index))
        })
    }

    /// Where in guest memory an address of graphics memory leads; `None` where the GPU does not reach
    /// any.
    pub(crate) fn translate(&self, address: u64) -> Option<Gpa> {
        let index = self.index((address / PAGE_SIZE).checked_mul(PTE_SIZE)?)?;
        let gfn = frame(self.entry(index)).filter(|_| self.is_mapped(index))?;
        let page = gfn.raw().checked_mul(PAGE_SIZE)?;
        Gpa::new(page).checked_add(address % PAGE_SIZE)
    }

    /// The graphics memory that the entry at `offset` of the window is for.
    pub(super) fn address_of(offset: u64) -> u64 {
        (offset / PTE_SIZE).saturating_mul(PAGE_SIZE)
    }

    /// Lets everything that was written take effect.
    pub(super) fn flush(&mut self, host: &mut (impl HostGgtt + ?Sized)) {
        self.settle(host);
        host.flush_ggtt();
    }

    /// The frames in `gone` are no memory of the guest's any more: no entry of the GPU may point at
    /// one of them. What the guest sees stays.
    pub(super) fn withdraw(&mut self, gone: Range<u64>, host: &mut (impl HostGgtt + ?Sized)) {
        self.settle(host);
        for index in 0..self.entries.len() {
            let gfn = frame(self.entry(index)).filter(|gfn| gone.contains(&gfn.raw()));
            if let Some(gfn) = gfn.filter(|_| self.is_mapped(index)) {
                self.set_mapped(index, false);
                if let Some(page) = self.page(index) {
                    host.clear_page(page);
                }
                host.release_frame(gfn);
            }
        }
        host.flush_ggtt();
    }

    /// A half that waits takes effect alone.
    fn settle(&mut self, host: &mut (impl HostGgtt + ?Sized)) {
        if let Some(half) = self.half.take() {
            self.apply(half.index, half.before, host);
        }
    }

    /// Tells the GPU of an entry that was `before`.
    fn apply(&mut self, index: usize, before: u64, host: &mut (impl HostGgtt + ?Sized)) {
        let Some(page) = self.page(index) else {
            return;
        };
        let old = frame(before).filter(|_| self.is_mapped(index));
        let new = frame(self.entry(index));
        if old == new {
            return;
        }
        let mapped = new.is_some_and(|gfn| host.map_page(page, gfn).is_ok());
        if !mapped && old.is_some() {
            host.clear_page(page);
        }
        self.set_mapped(index, mapped);
        if let Some(gfn) = old {
            host.release_frame(gfn);
        }
    }

    fn entry(&self, index: usize) -> u64 {
        self.entries.get(index).copied().unwrap_or(0)
    }

    fn is_mapped(&self, index: usize) -> bool {
        let word = self.mapped.get(index / 64).copied().unwrap_or(0);
        word & bit(index) != 0
    }

    fn set_mapped(&mut self, index: usize, mapped: bool) {
        if let Some(word) = self.mapped.get_mut(index / 64) {
            *word = if mapped {
                *word | bit(index)
            } else {
                *word & !bit(index)
            };
        }
    }

    /// The entry at `offset` of the window, if it is in one of the ranges.
    fn index(&self, offset: u64) -> Option<usize> {
        let address = (offset / PTE_SIZE).checked_mul(PAGE_SIZE)?;
        let page = |range: GmRange| {
            let inside = range.contains(address, PAGE_SIZE);
            inside.then(|| address.saturating_sub(range.start()) / PAGE_SIZE)
        };
        let index = match page(self.low) {
            Some(page) => page,
            None => page(self.high)?.checked_add(self.low.pages())?,
        };
        usize::try_from(index).ok()
    }

    /// The page of graphics memory that an entry is for.
    fn page(&self, index: usize) -> Option<GmPage> {
        let index = u64::from_safe_cast(index);
        match index.checked_sub(self.low.pages()) {
            None => self.low.page(index),
            Some(index) => self.high.page(index),
        }
    }
}

/// The guest frame that an entry points at, if a page is there.
fn frame(entry: u64) -> Option<Gfn> {
    (entry & PRESENT != 0).then(|| Gfn::new((entry & ADDRESS) / PAGE_SIZE))
}

/// The bit of an entry in its word.
fn bit(index: usize) -> u64 {
    1u64.checked_shl((index % 64).try_into().unwrap_or(0))
        .unwrap_or(0)
}

/// Where in its entry an access starts: at 0 or at 4.
fn half(offset: u64) -> usize {
    if offset % PTE_SIZE == 0 {
        0
    } else {
        4
    }
}
