// SPDX-License-Identifier: GPL-2.0

//! Page tables that a GPU reads.

use crate::{
    bindings,
    i915::Gpu, //
};
use core::ops::Range;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    dma::Coherent,
    prelude::*, //
};

/// Entries of a table.
pub const ENTRIES: usize = 512;

/// A page of 512 entries that the processor writes and a GPU reads. It counts as memory of whoever
/// makes it.
pub struct Table {
    entries: Coherent<[u64; ENTRIES]>,
    /// Whether the GPU looks into the caches of the processor when it reads a table. Those without the
    /// last level of them do not.
    snooped: bool,
}

impl Table {
    /// A table of which all entries are the same.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(gpu: &Gpu, entry: u64) -> Result<Self> {
        let table = Self {
            entries: Coherent::zeroed(gpu.device(), GFP_KERNEL_ACCOUNT)?,
            snooped: gpu.has_llc(),
        };
        table.fill(entry);
        Ok(table)
    }

    /// Makes all entries the same.
    pub fn fill(&self, entry: u64) {
        for index in 0..ENTRIES {
            self.put(index, entry);
        }
        self.flush(0..ENTRIES);
    }

    /// Where the GPU finds it.
    pub fn address(&self) -> u64 {
        self.entries.dma_address()
    }

    /// Writes an entry in one step; nothing happens beyond the end.
    pub fn write(&self, index: usize, entry: u64) {
        self.put(index, entry);
        self.flush(index..index.saturating_add(1));
    }

    fn put(&self, index: usize, entry: u64) {
        if index < ENTRIES {
            let first = self.entries.as_mut_ptr().cast::<u64>();
            // SAFETY: The table has more entries than `index`.
            let place = unsafe { first.add(index) };
            // SAFETY: The place is in the table, aligned, and the processor writes to it by this function
            // only, whole entries at a time.
            unsafe { place.write_volatile(entry) };
        }
    }

    /// Lets the GPU see entries that were written.
    fn flush(&self, entries: Range<usize>) {
        if self.snooped || entries.end > ENTRIES {
            return;
        }
        let first = self.entries.as_mut_ptr().cast::<u64>();
        // SAFETY: The table has all of these entries.
        let place = unsafe { first.add(entries.start) };
        // SAFETY: As above.
        unsafe { bindings::gvt_helper_flush(place.cast(), size_of::<u64>() * entries.len()) };
    }
}
