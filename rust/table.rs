// SPDX-License-Identifier: GPL-2.0

//! Page tables that a device reads.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    device::{
        Bound,
        Device, //
    },
    dma::Coherent,
    prelude::*, //
};

/// Entries of a table.
pub const ENTRIES: usize = 512;

/// A page of 512 entries that the processor writes and a device reads. It counts as memory of whoever
/// makes it.
pub struct Table(Coherent<[u64; ENTRIES]>);

impl Table {
    /// A table of which all entries are the same.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(device: &Device<Bound>, entry: u64) -> Result<Self> {
        let table = Self(Coherent::zeroed(device, GFP_KERNEL_ACCOUNT)?);
        table.fill(entry);
        Ok(table)
    }

    /// Makes all entries the same.
    pub fn fill(&self, entry: u64) {
        for index in 0..ENTRIES {
            self.write(index, entry);
        }
    }

    /// Where the device finds it.
    pub fn address(&self) -> u64 {
        self.0.dma_address()
    }

    /// Writes an entry in one step; nothing happens beyond the end.
    pub fn write(&self, index: usize, entry: u64) {
        if index < ENTRIES {
            let first = self.0.as_mut_ptr().cast::<u64>();
            // SAFETY: The table has more entries than `index`.
            let place = unsafe { first.add(index) };
            // SAFETY: The place is in the table, aligned, and the processor writes to it by this function
            // only, whole entries at a time.
            unsafe { place.write_volatile(entry) };
        }
    }
}
