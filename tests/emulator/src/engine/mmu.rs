// SPDX-License-Identifier: GPL-2.0
//! Address translation of an engine: GGTT, 3- and 4-level PPGTT, and a TLB that keeps what it has until told otherwise.
//!
//! Page table layout: Broadwell PRM volume 5, "Memory Views"; entries as in i915 `gen8_ppgtt.c`.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::audit::{Access, Client};
use crate::gpu::Gpu;
use crate::gtt::{Fault, FaultKind, GpuMemory, Space};

const PRESENT: u64 = 1 << 0;
const WRITABLE: u64 = 1 << 1;
/// In a directory entry: it maps a large page itself. In an entry of the lowest level the bit is part of the cache type.
const PAGE_SIZE_BIT: u64 = 1 << 7;
/// In a page directory entry: the page table below holds 64 KiB pages.
const INTERMEDIATE_PAGE_SIZE: u64 = 1 << 11;
const ADDRESS_MASK: u64 = 0x0000_007f_ffff_f000;
const PAGE: u64 = 4096;
const TLB_ENTRIES: usize = 4096;

/// The tables of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// No context: every PPGTT access faults.
    None,
    /// Four page directories of 1 GiB each.
    Legacy32([u64; 4]),
    /// One PML4.
    Legacy48(u64),
}

#[derive(Clone, Copy)]
struct Entry {
    space: Space,
    /// GPU page number, `u64::MAX` where the entry is empty.
    page: u64,
    /// Bus address of the page.
    bus: u64,
    writable: bool,
}

const EMPTY: Entry = Entry { space: Space::Ggtt, page: u64::MAX, bus: 0, writable: false };

/// The memory path of one engine.
pub struct Mmu<'g> {
    gpu: &'g Gpu,
    /// Who the accesses are attributed to.
    pub client: Client,
    root: Root,
    tlb: Vec<Entry>,
    ggtt_epoch: u64,
    invalidate: &'g AtomicBool,
}

impl<'g> Mmu<'g> {
    /// A path without a context; `invalidate` asks for the TLB to be emptied before the next access.
    pub fn new(gpu: &'g Gpu, client: Client, invalidate: &'g AtomicBool) -> Self {
        Self { gpu, client, root: Root::None, tlb: vec![EMPTY; TLB_ENTRIES], ggtt_epoch: 0, invalidate }
    }

    /// Switches to other tables, which drops the translations of the old ones.
    pub fn set_root(&mut self, root: Root) {
        self.root = root;
        self.flush();
    }

    /// Drops every cached translation.
    pub fn flush(&mut self) {
        self.tlb.fill(EMPTY);
    }

    /// The bus address of `address`, for an access of at most the rest of its page.
    fn translate(&mut self, space: Space, address: u64, write: bool) -> Result<u64, Fault> {
        if self.invalidate.load(Ordering::Relaxed) && self.invalidate.swap(false, Ordering::AcqRel) {
            self.flush();
        }
        let page = address / PAGE;
        let slot = (page as usize ^ (page >> 12) as usize ^ ((space == Space::Ggtt) as usize) << 11) % TLB_ENTRIES;
        let epoch = self.gpu.ggtt_epoch();
        if epoch != self.ggtt_epoch {
            self.ggtt_epoch = epoch;
            self.tlb.iter_mut().filter(|entry| entry.space == Space::Ggtt).for_each(|entry| *entry = EMPTY);
        }
        let mut entry = self.tlb.get(slot).copied().unwrap_or(EMPTY);
        if entry.page != page || entry.space != space {
            let fault = |kind| Fault { space, address, write, kind };
            let (bus, writable) = match space {
                Space::Ggtt => self.walk_ggtt(address).map_err(fault)?,
                Space::Ppgtt => self.walk_ppgtt(address).map_err(fault)?,
            };
            entry = Entry { space, page, bus, writable };
            if let Some(place) = self.tlb.get_mut(slot) {
                *place = entry;
            }
        }
        if write && !entry.writable {
            return Err(Fault { space, address, write, kind: FaultKind::ReadOnly });
        }
        self.gpu.auditor.access(&Access { client: self.client, space, address, page: entry.bus, write });
        Ok(entry.bus + address % PAGE)
    }

    fn walk_ggtt(&self, address: u64) -> Result<(u64, bool), FaultKind> {
        if address >= self.gpu.config.ggtt {
            return Err(FaultKind::Malformed);
        }
        let pte = self.gpu.bar0.pte(address / PAGE);
        if pte & PRESENT == 0 {
            return Err(FaultKind::NotPresent(0));
        }
        Ok((pte & ADDRESS_MASK, true))
    }

    /// The entry for `address` in a table of this level. The tables are in memory like everything else: reading them is
    /// an access of the context, on the record.
    fn table_entry(&self, table: u64, address: u64, level: u8) -> Result<u64, FaultKind> {
        let page = table & ADDRESS_MASK;
        let at = page + (address >> (12 + 9 * u32::from(level))) % 512 * 8;
        let entry = self.gpu.memory.load64(at).map_err(|_| FaultKind::NoMemory(at))?;
        self.gpu.auditor.access(&Access { client: self.client, space: Space::Ppgtt, address, page, write: false });
        if entry & PRESENT == 0 {
            return Err(FaultKind::NotPresent(level));
        }
        Ok(entry)
    }

    fn walk_ppgtt(&self, address: u64) -> Result<(u64, bool), FaultKind> {
        // Every level of the tables must allow a write.
        let mut allowed = WRITABLE;
        let mut descend = |entry: u64| {
            allowed &= entry;
            entry
        };
        let directory = match self.root {
            Root::None => return Err(FaultKind::Malformed),
            Root::Legacy32(pdps) => {
                if address >> 32 != 0 {
                    return Err(FaultKind::Malformed);
                }
                let pdp = pdps.get((address >> 30) as usize).copied().unwrap_or(0);
                if pdp == 0 {
                    return Err(FaultKind::NotPresent(2));
                }
                pdp
            }
            Root::Legacy48(pml4) => {
                // Bit 47 is not extended by the hardware, whatever the upper bits say.
                let pdp = descend(self.table_entry(pml4, address, 3)?);
                let pd = descend(self.table_entry(pdp, address, 2)?);
                if pd & PAGE_SIZE_BIT != 0 {
                    let large = pd & ADDRESS_MASK & !0x3fff_ffff;
                    return Ok((large + (address & 0x3fff_f000), allowed & WRITABLE != 0));
                }
                pd
            }
        };
        let pde = descend(self.table_entry(directory, address, 1)?);
        if pde & PAGE_SIZE_BIT != 0 {
            let large = pde & ADDRESS_MASK & !0x1f_ffff;
            return Ok((large + (address & 0x1f_f000), allowed & WRITABLE != 0));
        }
        if pde & INTERMEDIATE_PAGE_SIZE != 0 {
            // Only every 16th entry of such a table counts.
            let pte = descend(self.table_entry(pde, address & !0xffff, 0)?);
            return Ok(((pte & ADDRESS_MASK & !0xffff) + (address & 0xf000), allowed & WRITABLE != 0));
        }
        let pte = descend(self.table_entry(pde, address, 0)?);
        Ok((pte & ADDRESS_MASK, allowed & WRITABLE != 0))
    }

    fn aligned(&mut self, space: Space, address: u64, size: u64, write: bool) -> Result<u64, Fault> {
        if address % size != 0 {
            return Err(Fault { space, address, write, kind: FaultKind::Malformed });
        }
        self.translate(space, address, write)
    }

    /// Reads an aligned dword.
    ///
    /// # Errors
    ///
    /// The address does not translate, is not aligned, or is not RAM.
    pub fn load32(&mut self, space: Space, address: u64) -> Result<u32, Fault> {
        let bus = self.aligned(space, address, 4, false)?;
        self.gpu.memory.load32(bus).map_err(|_| no_memory(space, address, false, bus))
    }

    /// Writes an aligned dword.
    ///
    /// # Errors
    ///
    /// As [`Self::load32`], or the page is read-only.
    pub fn store32(&mut self, space: Space, address: u64, value: u32) -> Result<(), Fault> {
        let bus = self.aligned(space, address, 4, true)?;
        self.gpu.memory.store32(bus, value).map_err(|_| no_memory(space, address, true, bus))
    }

    /// Writes an aligned quadword.
    ///
    /// # Errors
    ///
    /// As [`Self::store32`].
    pub fn store64(&mut self, space: Space, address: u64, value: u64) -> Result<(), Fault> {
        let bus = self.aligned(space, address, 8, true)?;
        self.gpu.memory.store64(bus, value).map_err(|_| no_memory(space, address, true, bus))
    }

    /// Changes an aligned dword in one step; returns the old value.
    ///
    /// # Errors
    ///
    /// As [`Self::store32`].
    pub fn update32(&mut self, space: Space, address: u64, change: impl FnMut(u32) -> u32) -> Result<u32, Fault> {
        let bus = self.aligned(space, address, 4, true)?;
        self.gpu.memory.update32(bus, change).map_err(|_| no_memory(space, address, true, bus))
    }

    /// Changes an aligned quadword in one step; returns the old value.
    ///
    /// # Errors
    ///
    /// As [`Self::store32`].
    pub fn update64(&mut self, space: Space, address: u64, change: impl FnMut(u64) -> u64) -> Result<u64, Fault> {
        let bus = self.aligned(space, address, 8, true)?;
        self.gpu.memory.update64(bus, change).map_err(|_| no_memory(space, address, true, bus))
    }
}

fn no_memory(space: Space, address: u64, write: bool, bus: u64) -> Fault {
    Fault { space, address, write, kind: FaultKind::NoMemory(bus) }
}

/// Splits `[address, address + length)` at page ends: offset into the data, address, length.
fn pieces(address: u64, length: usize) -> impl Iterator<Item = (usize, u64, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= length {
            return None;
        }
        let at = address.wrapping_add(done as u64);
        let piece = ((PAGE - at % PAGE) as usize).min(length - done);
        let start = done;
        done += piece;
        Some((start, at, piece))
    })
}

impl GpuMemory for Mmu<'_> {
    fn read(&mut self, space: Space, address: u64, data: &mut [u8]) -> Result<(), Fault> {
        for (start, at, length) in pieces(address, data.len()) {
            let bus = self.translate(space, at, false)?;
            if let Some(piece) = data.get_mut(start..start + length) {
                self.gpu.memory.read(bus, piece).map_err(|_| no_memory(space, at, false, bus))?;
            }
        }
        Ok(())
    }

    fn write(&mut self, space: Space, address: u64, data: &[u8]) -> Result<(), Fault> {
        for (start, at, length) in pieces(address, data.len()) {
            let bus = self.translate(space, at, true)?;
            if let Some(piece) = data.get(start..start + length) {
                self.gpu.memory.write(bus, piece).map_err(|_| no_memory(space, at, true, bus))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ContextTag;
    use crate::engine::EngineId;
    use crate::gpu::Config;
    use crate::platform::Platform;

    const CLIENT: Client = Client::Engine(EngineId::Rcs, ContextTag { id: 1, lrca: 0x1000 });

    fn gpu() -> Gpu {
        let gpu = Gpu::new(Config::new(Platform::by_name("skl").unwrap())).unwrap();
        gpu.memory.map_anonymous(0, 16 << 20).unwrap();
        gpu
    }

    /// Writes one entry of a table at `table`.
    fn set(gpu: &Gpu, table: u64, index: u64, entry: u64) {
        gpu.memory.store64(table + index * 8, entry).unwrap();
    }

    #[test]
    fn a_stale_ggtt_entry_stays_until_the_flush() {
        let (gpu, invalidate) = (gpu(), AtomicBool::new(false));
        let mut mmu = Mmu::new(&gpu, CLIENT, &invalidate);
        gpu.bar0.set_pte(5, 0x3000 | PRESENT);
        mmu.store32(Space::Ggtt, 0x5004, 7).unwrap();
        gpu.bar0.set_pte(5, 0x4000 | PRESENT);
        mmu.store32(Space::Ggtt, 0x5008, 8).unwrap();
        assert_eq!(gpu.memory.load32(0x3008), Ok(8));
        gpu.invalidate_ggtt();
        mmu.store32(Space::Ggtt, 0x5008, 9).unwrap();
        assert_eq!(gpu.memory.load32(0x4008), Ok(9));
    }

    #[test]
    fn four_levels_with_every_page_size() {
        let (gpu, invalidate) = (gpu(), AtomicBool::new(false));
        let flags = PRESENT | WRITABLE;
        set(&gpu, 0x10000, 1, 0x11000 | flags);
        set(&gpu, 0x11000, 0, 0x12000 | flags);
        set(&gpu, 0x12000, 0, 0x13000 | flags);
        set(&gpu, 0x12000, 1, 0x40_0000 | PAGE_SIZE_BIT | flags);
        set(&gpu, 0x12000, 2, 0x14000 | INTERMEDIATE_PAGE_SIZE | flags);
        set(&gpu, 0x13000, 3, 0x20000 | flags);
        set(&gpu, 0x14000, 16, 0x30000 | flags);
        let mut mmu = Mmu::new(&gpu, CLIENT, &invalidate);
        mmu.set_root(Root::Legacy48(0x10000));
        let base = 1u64 << 39;
        for (virt, bus) in [(0x3008, 0x20008), (0x20_5004, 0x40_5004), (0x41_2004, 0x3_2004)] {
            mmu.store32(Space::Ppgtt, base + virt, virt as u32).unwrap();
            assert_eq!(gpu.memory.load32(bus), Ok(virt as u32), "{virt:#x}");
        }
        let fault = mmu.load32(Space::Ppgtt, base + 0x4000).unwrap_err();
        assert_eq!(fault.kind, FaultKind::NotPresent(0));
        assert_eq!(mmu.load32(Space::Ppgtt, 0).unwrap_err().kind, FaultKind::NotPresent(3));
    }

    #[test]
    fn three_levels_end_at_four_gigabytes() {
        let (gpu, invalidate) = (gpu(), AtomicBool::new(false));
        set(&gpu, 0x12000, 511, 0x13000 | PRESENT | WRITABLE);
        set(&gpu, 0x13000, 511, 0x20000 | PRESENT);
        let mut mmu = Mmu::new(&gpu, CLIENT, &invalidate);
        mmu.set_root(Root::Legacy32([0, 0, 0, 0x12000]));
        assert_eq!(mmu.load32(Space::Ppgtt, 0xffff_fffc), Ok(0));
        assert_eq!(mmu.store32(Space::Ppgtt, 0xffff_fffc, 1).unwrap_err().kind, FaultKind::ReadOnly);
        assert_eq!(mmu.load32(Space::Ppgtt, 1 << 32).unwrap_err().kind, FaultKind::Malformed);
        assert_eq!(mmu.load32(Space::Ppgtt, 0).unwrap_err().kind, FaultKind::NotPresent(2));
    }

    #[test]
    fn an_engine_invalidation_drops_ppgtt_translations() {
        let (gpu, invalidate) = (gpu(), AtomicBool::new(false));
        set(&gpu, 0x12000, 0, 0x13000 | PRESENT | WRITABLE);
        set(&gpu, 0x13000, 0, 0x20000 | PRESENT | WRITABLE);
        let mut mmu = Mmu::new(&gpu, CLIENT, &invalidate);
        mmu.set_root(Root::Legacy32([0x12000, 0, 0, 0]));
        mmu.store32(Space::Ppgtt, 0, 1).unwrap();
        set(&gpu, 0x13000, 0, 0);
        mmu.store32(Space::Ppgtt, 0, 2).unwrap();
        assert_eq!(gpu.memory.load32(0x20000), Ok(2));
        invalidate.store(true, Ordering::Release);
        assert!(mmu.store32(Space::Ppgtt, 0, 3).is_err());
    }

    #[test]
    fn long_accesses_cross_pages() {
        let (gpu, invalidate) = (gpu(), AtomicBool::new(false));
        gpu.bar0.set_pte(0, 0x8000 | PRESENT);
        gpu.bar0.set_pte(1, 0x3000 | PRESENT);
        let mut mmu = Mmu::new(&gpu, CLIENT, &invalidate);
        mmu.write(Space::Ggtt, 0xffe, &[1, 2, 3, 4]).unwrap();
        let mut back = [0; 2];
        gpu.memory.read(0x3000, &mut back).unwrap();
        assert_eq!(back, [3, 4]);
        let mut all = [0; 4];
        mmu.read(Space::Ggtt, 0xffe, &mut all).unwrap();
        assert_eq!(all, [1, 2, 3, 4]);
        assert!(mmu.read(Space::Ggtt, 0x1fff, &mut all).is_err());
    }
}
