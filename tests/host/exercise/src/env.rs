// SPDX-License-Identifier: GPL-2.0

//! Guest memory and an aperture that know what a vGPU may touch.

use std::collections::HashMap;

use gvt_model::addr::{Gfn, GmPage, GmRange, Gpa};
use gvt_model::ports::{Aperture, Clock, GuestMemory, Hardware, HostGgtt, HostPpgtt, ShadowTable};
use gvt_model::ppgtt::entry::Level;
use kernel::prelude::*;

/// Where guest memory starts.
pub const MEMORY: u64 = 0x7fff_0000;
/// Bytes of guest memory.
pub const MEMORY_SIZE: usize = 0x4000;

/// A shadow table, and the entries that do not lead to the scratch page.
struct Table {
    level: Level,
    entries: HashMap<usize, u64>,
}

/// Where the GPU finds shadow tables.
const TABLES: u64 = 1 << 44;
/// Where it finds frames.
const FRAMES: u64 = 1 << 45;

/// The outside of a vGPU.
pub struct Env {
    memory: Vec<u8>,
    slice: GmRange,
    /// Accesses to guest memory, good and bad.
    pub memory_accesses: u64,
    /// Accesses to the aperture.
    pub aperture_accesses: u64,
    /// The frame that each page of the GPU's page table points at; others point at the scratch page.
    targets: HashMap<GmPage, Gfn>,
    /// How often each frame is used.
    uses: HashMap<Gfn, u64>,
    /// Fences that were written.
    pub fences: u64,
    /// The shadow tables, with their entries.
    tables: HashMap<u32, Table>,
    next_table: u32,
    /// How often writes to each frame are to be told.
    watches: HashMap<Gfn, u64>,
    clock: u32,
    /// What time it is, in nanoseconds.
    pub now: u64,
}

impl Env {
    /// Guest memory that is all 0, and an aperture of which the vGPU has `slice`.
    pub fn new(slice: GmRange) -> Self {
        Self {
            memory: vec![0; MEMORY_SIZE],
            slice,
            memory_accesses: 0,
            aperture_accesses: 0,
            targets: HashMap::new(),
            uses: HashMap::new(),
            fences: 0,
            tables: HashMap::new(),
            next_table: 0,
            watches: HashMap::new(),
            clock: 0,
            now: 0,
        }
    }

    /// Guest memory, from [`MEMORY`] on.
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// What a driver does when it resets a vGPU: nothing points at guest memory any more.
    pub fn scrub(&mut self) {
        self.targets.clear();
        self.uses.clear();
    }

    fn at(&mut self, gpa: Gpa, length: usize) -> Result<&mut [u8]> {
        self.memory_accesses += 1;
        let last = gpa.raw().checked_add(length as u64 - 1).expect("an address that there is");
        assert_eq!(gpa.raw() / 4096, last / 4096, "{length} bytes at {:#x} are in two pages", gpa.raw());
        let start = gpa.raw().checked_sub(MEMORY).ok_or(EFAULT)?;
        let start = usize::try_from(start).map_err(|_| EFAULT)?;
        self.memory.get_mut(start..start + length).ok_or(EFAULT)
    }

    fn check(&mut self, offset: u64, length: usize) {
        self.aperture_accesses += 1;
        let inside = offset >= self.slice.start() && offset + length as u64 <= self.slice.end();
        assert!(inside, "{length} bytes at {offset:#x} of the aperture are not the vGPU's");
    }
}

impl Clock for Env {
    fn now(&mut self) -> u64 {
        self.now
    }
}

impl GuestMemory for Env {
    fn read_guest(&mut self, gpa: Gpa, buf: &mut [u8]) -> Result {
        let bytes = self.at(gpa, buf.len())?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        self.at(gpa, data.len())?.copy_from_slice(data);
        Ok(())
    }
}

impl Aperture for Env {
    fn read_aperture(&mut self, offset: u64, buf: &mut [u8]) -> Result {
        self.check(offset, buf.len());
        buf.fill(0x5a);
        Ok(())
    }

    fn write_aperture(&mut self, offset: u64, data: &[u8]) -> Result {
        self.check(offset, data.len());
        Ok(())
    }
}

impl HostGgtt for Env {
    fn map_page(&mut self, page: GmPage, gfn: Gfn) -> Result {
        // As if half of all frames were no memory.
        if gfn.raw() % 2 != 0 {
            return Err(EFAULT);
        }
        self.targets.insert(page, gfn);
        *self.uses.entry(gfn).or_default() += 1;
        Ok(())
    }

    fn clear_page(&mut self, page: GmPage) {
        self.targets.remove(&page);
    }

    fn release_frame(&mut self, gfn: Gfn) {
        let uses = self.uses.get_mut(&gfn).filter(|uses| **uses > 0);
        *uses.unwrap_or_else(|| panic!("frame {:#x} is released and has no use", gfn.raw())) -= 1;
    }

    fn flush_ggtt(&mut self) {
        for (page, gfn) in &self.targets {
            assert!(self.uses.get(gfn).is_some_and(|uses| *uses > 0), "{page:?} points at {gfn:?}, which is not held");
        }
    }
}

impl HostPpgtt for Env {
    fn new_table(&mut self, level: Level) -> Result<ShadowTable> {
        let slot = self.next_table;
        self.next_table += 1;
        self.tables.insert(slot, Table { level, entries: HashMap::new() });
        Ok(ShadowTable { slot, address: TABLES + u64::from(slot) * 4096, level })
    }

    fn scratch_table(&self, _level: Level) -> u64 {
        0xdead_0000
    }

    fn free_table(&mut self, table: ShadowTable) {
        assert!(self.tables.remove(&table.slot).is_some(), "{table:?} is freed twice");
    }

    fn write_entry(&mut self, table: ShadowTable, index: usize, entry: Option<u64>) {
        assert!(index < 512);
        let level = self.tables.get(&table.slot).map(|table| table.level).expect("a table that there is");
        if let Some(entry) = entry {
            let address = entry & 0x3fff_ffff_f000;
            match level.below() {
                None => assert!(self.uses.get(&Gfn::new((address - FRAMES) / 4096)).is_some_and(|uses| *uses > 0)),
                Some(below) => {
                    let slot = u32::try_from((address - TABLES) / 4096).expect("the number of a table");
                    assert_eq!(self.tables.get(&slot).map(|table| table.level), Some(below));
                    assert_eq!(entry & 0x880, 0, "{entry:#x} has a size");
                }
            }
        }
        let entries = &mut self.tables.get_mut(&table.slot).expect("a table that there is").entries;
        match entry {
            Some(entry) => entries.insert(index, entry),
            None => entries.remove(&index),
        };
    }

    fn pin_frame(&mut self, gfn: Gfn) -> Result<u64> {
        if gfn.raw() % 2 != 0 || gfn.raw() >= 1 << 32 {
            return Err(EFAULT);
        }
        *self.uses.entry(gfn).or_default() += 1;
        Ok(FRAMES + gfn.raw() * 4096)
    }

    fn unpin_frame(&mut self, gfn: Gfn) {
        self.release_frame(gfn);
    }

    fn watch_frame(&mut self, gfn: Gfn) -> Result {
        *self.watches.entry(gfn).or_default() += 1;
        Ok(())
    }

    fn unwatch_frame(&mut self, gfn: Gfn) {
        let count = self.watches.get_mut(&gfn).filter(|count| **count > 0);
        *count.unwrap_or_else(|| panic!("nobody watches {gfn:?}")) -= 1;
    }

    fn forget_translations(&mut self) {}
}

impl Hardware for Env {
    fn read_register(&mut self, offset: u32) -> Result<u32> {
        // The one thing that a guest may read of the hardware is the time of an engine.
        assert!(matches!(offset & 0xfff, 0x358 | 0x35c), "register {offset:#x} is not the guest's to read");
        self.clock += 1;
        Ok(self.clock)
    }

    fn write_fence(&mut self, number: usize, value: u64) -> Result {
        assert!(number < 4, "the vGPU has no fence {number}");
        let (first, last) = (value & 0xffff_f000, value >> 32 & 0xffff_f000);
        let inside = first >= self.slice.start() && first <= last && last < self.slice.end();
        assert!(value == 0 || inside, "fence {value:#x} covers what is not the vGPU's");
        self.fences += 1;
        Ok(())
    }
}
