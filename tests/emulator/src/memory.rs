// SPDX-License-Identifier: GPL-2.0
//! The machine's RAM as the GPU sees it: bus addresses that QEMU mapped for DMA.

use std::fs::File;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::{anyhow, Context, Result};
use parking_lot::Mutex;
use vm_memory::{
    Bytes, FileOffset, GuestAddress, GuestAddressSpace, GuestMemoryAtomic, GuestMemoryBackend, GuestMemoryMmap,
    GuestRegionMmap, MmapRegion, VolatileMemory,
};

/// No RAM at a bus address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusError {
    /// The first address that is not RAM.
    pub address: u64,
}

/// All RAM that the GPU may reach.
///
/// Reads and writes take no lock: a mapping stays alive while an access that began before its removal is under way.
pub struct SystemMemory {
    map: GuestMemoryAtomic<GuestMemoryMmap>,
    changes: Mutex<()>,
}

impl Default for SystemMemory {
    fn default() -> Self {
        Self { map: GuestMemoryAtomic::new(GuestMemoryMmap::new()), changes: Mutex::new(()) }
    }
}

impl SystemMemory {
    /// Maps `size` bytes of `file` from `offset` on at the bus address `address`.
    ///
    /// # Errors
    ///
    /// The range is empty, overlaps one that is mapped, or cannot be mapped here.
    pub fn map(&self, address: u64, size: u64, file: File, offset: u64) -> Result<()> {
        let _one_at_a_time = self.changes.lock();
        let region = MmapRegion::from_file(FileOffset::new(file, offset), usize::try_from(size)?)
            .with_context(|| format!("mapping RAM of {size:#x} bytes at {address:#x}"))?;
        self.insert(address, region)
    }

    /// Adds anonymous RAM, for tests.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn map_anonymous(&self, address: u64, size: usize) -> Result<()> {
        let _one_at_a_time = self.changes.lock();
        let region = MmapRegion::new(size).context("mapping anonymous RAM")?;
        self.insert(address, region)
    }

    fn insert(&self, address: u64, region: MmapRegion) -> Result<()> {
        let region = GuestRegionMmap::new(region, GuestAddress(address))
            .with_context(|| format!("RAM of that size at {address:#x} ends beyond the address space"))?;
        let map = self.map.memory().insert_region(std::sync::Arc::new(region))?;
        let exclusive = self.map.lock().map_err(|_| anyhow!("the memory map is poisoned"))?;
        exclusive.replace(map);
        Ok(())
    }

    /// Removes the range that was mapped at `address` with `size`.
    ///
    /// # Errors
    ///
    /// No such range is mapped.
    pub fn unmap(&self, address: u64, size: u64) -> Result<()> {
        let _one_at_a_time = self.changes.lock();
        let (map, _removed) = self.map.memory().remove_region(GuestAddress(address), size)?;
        let exclusive = self.map.lock().map_err(|_| anyhow!("the memory map is poisoned"))?;
        exclusive.replace(map);
        Ok(())
    }

    /// Fills `data` from the bus address `address` on.
    ///
    /// # Errors
    ///
    /// Part of the range is not RAM.
    pub fn read(&self, address: u64, data: &mut [u8]) -> Result<(), BusError> {
        self.map.memory().read_slice(data, GuestAddress(address)).map_err(|_| BusError { address })
    }

    /// Stores `data` from the bus address `address` on.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn write(&self, address: u64, data: &[u8]) -> Result<(), BusError> {
        self.map.memory().write_slice(data, GuestAddress(address)).map_err(|_| BusError { address })
    }

    /// Reads an aligned dword in one access.
    ///
    /// # Errors
    ///
    /// As [`Self::read`]; an unaligned address counts as no RAM.
    pub fn load32(&self, address: u64) -> Result<u32, BusError> {
        self.map.memory().load(GuestAddress(address), Ordering::Acquire).map_err(|_| BusError { address })
    }

    /// Reads an aligned quadword in one access.
    ///
    /// # Errors
    ///
    /// As [`Self::load32`].
    pub fn load64(&self, address: u64) -> Result<u64, BusError> {
        self.map.memory().load(GuestAddress(address), Ordering::Acquire).map_err(|_| BusError { address })
    }

    /// Writes an aligned dword in one access.
    ///
    /// # Errors
    ///
    /// As [`Self::load32`].
    pub fn store32(&self, address: u64, value: u32) -> Result<(), BusError> {
        self.map.memory().store(value, GuestAddress(address), Ordering::Release).map_err(|_| BusError { address })
    }

    /// Writes an aligned quadword in one access.
    ///
    /// # Errors
    ///
    /// As [`Self::load32`].
    pub fn store64(&self, address: u64, value: u64) -> Result<(), BusError> {
        self.map.memory().store(value, GuestAddress(address), Ordering::Release).map_err(|_| BusError { address })
    }

    /// Replaces an aligned dword by `change` of it, atomically; returns the old value.
    ///
    /// # Errors
    ///
    /// As [`Self::load32`].
    pub fn update32(&self, address: u64, mut change: impl FnMut(u32) -> u32) -> Result<u32, BusError> {
        let memory = self.map.memory();
        let slice = memory.get_slice(GuestAddress(address), 4).map_err(|_| BusError { address })?;
        let cell: &AtomicU32 = slice.get_atomic_ref(0).map_err(|_| BusError { address })?;
        cell.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| Some(change(old)))
            .map_err(|_| BusError { address })
    }

    /// Replaces an aligned quadword by `change` of it, atomically; returns the old value.
    ///
    /// # Errors
    ///
    /// As [`Self::load32`].
    pub fn update64(&self, address: u64, mut change: impl FnMut(u64) -> u64) -> Result<u64, BusError> {
        let memory = self.map.memory();
        let slice = memory.get_slice(GuestAddress(address), 8).map_err(|_| BusError { address })?;
        let cell: &AtomicU64 = slice.get_atomic_ref(0).map_err(|_| BusError { address })?;
        cell.fetch_update(Ordering::AcqRel, Ordering::Acquire, |old| Some(change(old)))
            .map_err(|_| BusError { address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ram_is_where_it_was_mapped() {
        let memory = SystemMemory::default();
        memory.map_anonymous(0x1000, 0x2000).unwrap();
        memory.store32(0x1ffc, 7).unwrap();
        assert_eq!(memory.load32(0x1ffc), Ok(7));
        assert_eq!(memory.load32(0x3000), Err(BusError { address: 0x3000 }));
        assert_eq!(memory.write(0x2ffc, &[0; 8]), Err(BusError { address: 0x2ffc }));
        memory.unmap(0x1000, 0x2000).unwrap();
        assert_eq!(memory.load32(0x1ffc), Err(BusError { address: 0x1ffc }));
    }

    #[test]
    fn overlaps_are_refused() {
        let memory = SystemMemory::default();
        memory.map_anonymous(0x1000, 0x2000).unwrap();
        assert!(memory.map_anonymous(0x2000, 0x1000).is_err());
    }

    #[test]
    fn updates_return_the_old_value() {
        let memory = SystemMemory::default();
        memory.map_anonymous(0, 0x1000).unwrap();
        assert_eq!(memory.update64(8, |old| old + 5), Ok(0));
        assert_eq!(memory.update64(8, |old| old + 5), Ok(5));
        assert_eq!(memory.load64(8), Ok(10));
        assert!(memory.update32(2, |old| old).is_err());
    }
}
