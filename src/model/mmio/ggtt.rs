// SPDX-License-Identifier: GPL-2.0

//! The GGTT as the guest sees it: its own two ranges, and nothing elsewhere.

use kernel::prelude::*;

use crate::addr::{
    GmRange,
    PAGE_SIZE, //
};

/// Bytes of a page table entry.
const PTE_SIZE: u64 = 8;

/// The entries of the two ranges of a vGPU, first those of the low range.
pub(super) struct GgttView {
    low: GmRange,
    high: GmRange,
    entries: KVVec<u64>,
}

impl GgttView {
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
        })
    }

    /// Makes all entries 0.
    pub(super) fn clear(&mut self) {
        self.entries.fill(0);
    }

    /// Reads 4 or 8 bytes at `offset` of the window; outside the ranges all is 0.
    pub(super) fn read(&mut self, offset: u64, data: &mut [u8]) {
        let entry = self.entry(offset).map_or(0, |entry| *entry).to_le_bytes();
        let half = entry.get(half(offset)..).unwrap_or_default();
        for (to, from) in data.iter_mut().zip(half) {
            *to = *from;
        }
    }

    /// Writes 4 or 8 bytes at `offset` of the window; outside the ranges nothing happens.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) {
        if let Some(entry) = self.entry(offset) {
            let mut bytes = entry.to_le_bytes();
            crate::wire::put(&mut bytes, half(offset), data);
            *entry = u64::from_le_bytes(bytes);
        }
    }

    fn entry(&mut self, offset: u64) -> Option<&mut u64> {
        let address = (offset / PTE_SIZE).checked_mul(PAGE_SIZE)?;
        let page = |range: GmRange| {
            let inside = range.contains(address, PAGE_SIZE);
            inside.then(|| address.saturating_sub(range.start()) / PAGE_SIZE)
        };
        let index = match page(self.low) {
            Some(page) => page,
            None => page(self.high)?.checked_add(self.low.pages())?,
        };
        self.entries.get_mut(usize::try_from(index).ok()?)
    }
}

/// Where in its entry an access starts: at 0 or at 4.
fn half(offset: u64) -> usize {
    if offset % PTE_SIZE == 0 {
        0
    } else {
        4
    }
}
