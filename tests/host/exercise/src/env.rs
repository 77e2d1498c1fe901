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
    /// Guest memory beside the first: page by page.
    more: HashMap<u64, Vec<u8>>,
    clock: u32,
    /// What time it is, in nanoseconds.
    pub now: u64,
    /// Memory is wanted back.
    pub pressed: bool,
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
            more: HashMap::new(),
            clock: 0,
            now: 0,
            pressed: false,
        }
    }

    /// Guest memory, from [`MEMORY`] on.
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// Adds a page of guest memory.
    pub fn add_page(&mut self, gfn: u64) {
        self.more.insert(gfn, vec![0; 4096]);
    }

    /// Writes to a page that was added, as the guest does.
    pub fn put(&mut self, gpa: u64, data: &[u8]) {
        if let Some(page) = self.more.get_mut(&(gpa / 4096)) {
            let start = (gpa % 4096) as usize;
            page[start..start + data.len()].copy_from_slice(data);
        }
    }

    /// Whether writes to a frame are to be told.
    pub fn is_watched(&self, gfn: Gfn) -> bool {
        self.watches.get(&gfn).is_some_and(|count| *count > 0)
    }

    /// The frame is another one: nobody watches it.
    pub fn forget_watches(&mut self, gfn: Gfn) {
        self.watches.remove(&gfn);
    }

    /// Whether there is a shadow table at an address.
    pub fn has_table(&self, address: u64) -> bool {
        let slot = address.checked_sub(TABLES).map(|offset| u32::try_from(offset / 4096));
        matches!(slot, Some(Ok(slot)) if self.tables.contains_key(&slot))
    }

    /// The frame that the GPU finds for a page, from a shadow table of this level on.
    pub fn walk(&self, table: u64, level: u32, page: u64) -> Option<u64> {
        let slot = u32::try_from(table.checked_sub(TABLES)? / 4096).ok()?;
        let index = (page >> (9 * level) & 511) as usize;
        let entry = *self.tables.get(&slot)?.entries.get(&index)?;
        let address = entry & 0x3fff_ffff_f000;
        match level.checked_sub(1) {
            None => Some((address - FRAMES) / 4096),
            Some(level) => self.walk(address, level, page),
        }
    }

    fn entry(&self, gfn: u64, index: u64) -> u64 {
        let page = self.more.get(&gfn);
        let bytes = page.and_then(|page| page.get(index as usize * 8..index as usize * 8 + 8));
        bytes.map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    /// The frame that the guest's own tables have for a page, from a table of this level on.
    pub fn guest_walk(&self, top: u64, level: u32, page: u64, has_64k: bool) -> Option<u64> {
        let usable = |gfn: u64| (gfn % 2 == 0 && gfn < 1 << 32).then_some(gfn);
        let mut gfn = top;
        let mut small = true;
        for level in (1..=level).rev() {
            let entry = self.entry(gfn, page >> (9 * level) & 511);
            if entry & 1 == 0 || (level == 2 && entry & 0x80 != 0) {
                return None;
            }
            gfn = (entry & 0x3fff_ffff_f000) / 4096;
            if level == 1 && entry & 0x80 != 0 {
                return usable(gfn & !511 | page & 511);
            }
            small = level != 1 || !has_64k || entry & 0x800 == 0;
        }
        let inside = if small { 0 } else { page & 15 };
        let entry = self.entry(gfn, (page & 511) - inside);
        (entry & 1 != 0).then(|| usable((entry & 0x3fff_ffff_f000) / 4096 + inside)).flatten()
    }

    /// Panics unless each frame has as many uses as entries that lead to it.
    pub fn check_tables(&self) {
        let mut counted: HashMap<Gfn, u64> = HashMap::new();
        for table in self.tables.values().filter(|table| table.level == Level::Table) {
            for entry in table.entries.values() {
                *counted.entry(Gfn::new(((entry & 0x3fff_ffff_f000) - FRAMES) / 4096)).or_default() += 1;
            }
        }
        for (gfn, uses) in &self.uses {
            let mapped = self.targets.values().filter(|target| *target == gfn).count() as u64;
            assert_eq!(*uses, counted.get(gfn).copied().unwrap_or(0) + mapped, "uses of {gfn:?}");
        }
    }

    /// Panics unless no table is left, and no frame is watched.
    pub fn check_empty_tables(&self) {
        assert!(self.tables.is_empty(), "{} tables are left", self.tables.len());
        assert!(self.watches.values().all(|count| *count == 0), "frames are watched: {:?}", self.watches);
    }

    /// Panics unless no table is left, no frame is in use, and none is watched.
    pub fn check_empty(&self) {
        assert!(self.tables.is_empty(), "{} tables are left", self.tables.len());
        assert!(self.uses.values().all(|uses| *uses == 0), "frames are in use: {:?}", self.uses);
        assert!(self.watches.values().all(|count| *count == 0), "frames are watched: {:?}", self.watches);
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
        if let Some(page) = self.more.get_mut(&(gpa.raw() / 4096)) {
            let start = (gpa.raw() % 4096) as usize;
            return page.get_mut(start..start + length).ok_or(EFAULT);
        }
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

    fn scratch_table(&mut self, _level: Level) -> u64 {
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

    fn is_pressed(&self) -> bool {
        self.pressed
    }

    fn is_interrupted(&self) -> bool {
        false
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
