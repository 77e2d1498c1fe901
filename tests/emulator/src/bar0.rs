// SPDX-License-Identifier: GPL-2.0
//! BAR0 (GTTMMADR): 16 MiB of registers and global page table entries in one memfd.
//!
//! The lower 8 MiB hold one dword per register, the upper 8 MiB the GGTT entries. QEMU maps the entries and every page
//! of registers without side effects, so this storage is shared with a running guest at all times: everything is
//! accessed through atomics, and nothing read from it is trusted twice.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::{Context, Result};
use vm_memory::{FileOffset, MmapRegion, VolatileMemory};

/// Size of BAR0 in bytes.
pub const BAR0_SIZE: u64 = 16 << 20;
/// Offset in BAR0 of the first global page table entry.
pub const GSM_OFFSET: u64 = 8 << 20;
/// End of the offsets at which registers exist; what follows up to [`GSM_OFFSET`] reads back what was written.
pub const MMIO_SIZE: u32 = 2 << 20;

/// The storage behind BAR0.
pub struct Bar0 {
    region: MmapRegion,
    file: File,
}

impl Bar0 {
    /// Creates zeroed storage.
    ///
    /// # Errors
    ///
    /// The cause, where the kernel cannot give a memfd of 16 MiB.
    pub fn new() -> Result<Self> {
        let memfd = memfd::MemfdOptions::default().create("bar0").context("memfd_create for BAR0")?;
        let file = memfd.into_file();
        file.set_len(BAR0_SIZE).context("sizing the memfd of BAR0")?;
        let shared = file.try_clone().context("duplicating the memfd of BAR0")?;
        let region = MmapRegion::from_file(FileOffset::new(shared, 0), BAR0_SIZE as usize).context("mapping BAR0")?;
        Ok(Self { region, file })
    }

    /// The descriptor that QEMU maps; file offset equals BAR offset.
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    fn dword(&self, offset: u32) -> Option<&AtomicU32> {
        self.region.get_atomic_ref(offset as usize).ok()
    }

    /// Value of the register at a dword-aligned offset, 0 where there is none.
    pub fn load(&self, offset: u32) -> u32 {
        self.dword(offset).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    /// Sets the register at a dword-aligned offset.
    pub fn store(&self, offset: u32, value: u32) {
        if let Some(cell) = self.dword(offset) {
            cell.store(value, Ordering::Relaxed);
        }
    }

    /// Changes the bits in `mask` to those of `value` and returns the new value.
    pub fn modify(&self, offset: u32, mask: u32, value: u32) -> u32 {
        let new = (self.load(offset) & !mask) | (value & mask);
        self.store(offset, new);
        new
    }

    /// Two neighbouring registers as one 64-bit value, low dword first.
    pub fn load_pair(&self, offset: u32) -> u64 {
        u64::from(self.load(offset)) | u64::from(self.load(offset.wrapping_add(4))) << 32
    }

    /// Sets two neighbouring registers from one 64-bit value.
    pub fn store_pair(&self, offset: u32, value: u64) {
        self.store(offset, value as u32);
        self.store(offset.wrapping_add(4), (value >> 32) as u32);
    }

    /// GGTT entry number `index`, 0 (not present) where there is none.
    pub fn pte(&self, index: u64) -> u64 {
        let offset = usize::try_from(index).ok().and_then(|i| i.checked_mul(8)?.checked_add(GSM_OFFSET as usize));
        match offset.map(|offset| self.region.get_atomic_ref::<AtomicU64>(offset)) {
            Some(Ok(cell)) => cell.load(Ordering::Acquire),
            _ => 0,
        }
    }

    /// Sets GGTT entry number `index`.
    pub fn set_pte(&self, index: u64, value: u64) {
        let offset = usize::try_from(index).ok().and_then(|i| i.checked_mul(8)?.checked_add(GSM_OFFSET as usize));
        if let Some(Ok(cell)) = offset.map(|offset| self.region.get_atomic_ref::<AtomicU64>(offset)) {
            cell.store(value, Ordering::Release);
        }
    }

    /// Sets every register below [`GSM_OFFSET`] to 0 and leaves the GGTT alone.
    pub fn clear_registers(&self) {
        const PAGE: usize = 4096;
        for page in (0..MMIO_SIZE as usize).step_by(PAGE) {
            if let Ok(page) = self.region.get_slice(page, PAGE) {
                page.copy_from(&[0u8; PAGE]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_and_entries_do_not_overlap() {
        let bar = Bar0::new().unwrap();
        bar.store(0x2030, 0x1234_5678);
        bar.set_pte(0, 0xdead_b001);
        assert_eq!(bar.load(0x2030), 0x1234_5678);
        assert_eq!(bar.pte(0), 0xdead_b001);
        bar.clear_registers();
        assert_eq!(bar.load(0x2030), 0);
        assert_eq!(bar.pte(0), 0xdead_b001);
    }

    #[test]
    fn nothing_outside_the_bar_is_reached() {
        let bar = Bar0::new().unwrap();
        bar.set_pte(1 << 20, 1);
        bar.store(u32::MAX - 3, 1);
        assert_eq!(bar.pte(1 << 20), 0);
        assert_eq!(bar.pte(u64::MAX), 0);
        assert_eq!(bar.load(u32::MAX - 3), 0);
    }

    #[test]
    fn modify_keeps_the_other_bits() {
        let bar = Bar0::new().unwrap();
        bar.store(0x100, 0xff00);
        assert_eq!(bar.modify(0x100, 0x0ff0, 0x0050), 0xf050);
    }
}
