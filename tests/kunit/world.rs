// SPDX-License-Identifier: GPL-2.0

//! Guest memory with page tables in it, and the shadow tables of a GPU.

use gvt_model::{
    addr::{
        Gfn,
        Gpa, //
    },
    ports::{
        GuestMemory,
        HostPpgtt,
        ShadowTable, //
    },
    ppgtt::entry::Level,
};
use kernel::prelude::*;

/// The first frame of guest memory, and how many there are.
pub(crate) const FIRST: u64 = 0x100;
pub(crate) const FRAMES: u64 = 32;

/// Where the GPU finds shadow tables, and frames of the guest's.
pub(crate) const TABLES: u64 = 0x10_0000_0000;
const MEMORY: u64 = 0x20_0000_0000;
const ENTRIES: usize = 512;

/// A shadow table; 0 is the scratch page.
struct Shadow {
    level: Level,
    entries: KVec<u64>,
}

/// What the shadows are made of.
pub(crate) struct World {
    memory: KVVec<u64>,
    shadows: KVec<Option<Shadow>>,
    uses: [u64; 32],
    watches: [u32; 32],
    /// How many more tables there can be in all.
    pub(crate) room: usize,
    /// How often the guest was stopped.
    pub(crate) traps: u32,
    /// How often guest memory was read.
    pub(crate) reads: u32,
    /// How often the GPU was told to forget.
    pub(crate) forgotten: u32,
    /// Memory is wanted back.
    pub(crate) pressed: bool,
    pub(crate) interrupted: bool,
    /// Set by anything that a correct model does not do.
    broken: bool,
}

fn number(index: u64) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn level_number(level: Level) -> u64 {
    match level {
        Level::Table => 0,
        Level::Directory => 1,
        Level::Pointers => 2,
        Level::Top => 3,
    }
}

impl World {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            memory: KVVec::zeroed(number(FRAMES) * ENTRIES, GFP_KERNEL)?,
            shadows: KVec::new(),
            uses: [0; 32],
            watches: [0; 32],
            room: usize::MAX,
            traps: 0,
            reads: 0,
            forgotten: 0,
            pressed: false,
            interrupted: false,
            broken: false,
        })
    }

    /// The same on the heap: a kernel stack has little room.
    #[inline(never)]
    pub(crate) fn boxed() -> Result<KBox<Self>> {
        Ok(KBox::new(Self::new()?, GFP_KERNEL)?)
    }

    fn word(&self, gfn: u64, index: usize) -> Option<usize> {
        let frame = gfn.checked_sub(FIRST).filter(|frame| *frame < FRAMES)?;
        Some(number(frame) * ENTRIES + index)
    }

    /// What the guest has at an entry of a frame.
    fn get(&self, gfn: u64, index: usize) -> u64 {
        let word = self.word(gfn, index);
        word.and_then(|word| self.memory.get(word))
            .copied()
            .unwrap_or(0)
    }

    /// Writes an entry of a frame, of which nobody is told.
    pub(crate) fn put(&mut self, gfn: u64, index: usize, raw: u64) {
        if let Some(word) = self.word(gfn, index) {
            if let Some(entry) = self.memory.get_mut(word) {
                *entry = raw;
            }
        }
        if self.is_watched(gfn) {
            self.traps = self.traps.wrapping_add(1);
        }
    }

    pub(crate) fn is_watched(&self, gfn: u64) -> bool {
        let frame = number(gfn.wrapping_sub(FIRST));
        self.watches.get(frame).is_some_and(|count| *count > 0)
    }

    /// The memory of a frame is another one: nobody watches it.
    pub(crate) fn forget_watch(&mut self, gfn: u64) {
        if let Some(count) = self.watches.get_mut(number(gfn.wrapping_sub(FIRST))) {
            *count = 0;
        }
    }

    pub(crate) fn uses(&self, gfn: u64) -> u64 {
        let frame = number(gfn.wrapping_sub(FIRST));
        self.uses.get(frame).copied().unwrap_or(0)
    }

    /// How many shadow tables there are.
    pub(crate) fn tables(&self) -> usize {
        self.shadows.iter().flatten().count()
    }

    /// Whether nothing is in use.
    pub(crate) fn is_empty(&self) -> bool {
        !self.broken
            && self.tables() == 0
            && self.uses.iter().all(|uses| *uses == 0)
            && self.watches.iter().all(|count| *count == 0)
    }

    fn shadow(&self, address: u64) -> Option<&Shadow> {
        let slot = address.checked_sub(TABLES)? / 4096;
        self.shadows.get(number(slot))?.as_ref()
    }

    /// Whether there is a shadow table at an address.
    pub(crate) fn has_table(&self, address: u64) -> bool {
        self.shadow(address).is_some()
    }

    /// What the GPU finds for a page, from a table of this level on: the frame, and the bits.
    pub(crate) fn walk(&self, table: u64, level: u32, page: u64) -> Option<(u64, u64)> {
        let shadow = self.shadow(table)?;
        let index = page >> (9 * level) & 511;
        let entry = shadow.entries.get(number(index)).copied()?;
        if entry & 1 == 0 {
            return None;
        }
        let address = entry & 0x3fff_ffff_f000;
        match level.checked_sub(1) {
            None => Some((address.checked_sub(MEMORY)? / 4096, entry & 0xfff)),
            Some(level) => self.walk(address, level, page),
        }
    }

    /// The frame that the guest's own tables have for a page.
    pub(crate) fn guest_walk(&self, top: u64, page: u64, has_64k: bool) -> Option<u64> {
        let memory = |gfn: u64| (FIRST..FIRST + FRAMES).contains(&gfn);
        let mut gfn = top;
        let mut small = true;
        for level in [3, 2, 1] {
            let entry = self.get(gfn, number(page >> (9 * level) & 511));
            if entry & 1 == 0 || (level == 2 && entry & 0x80 != 0) {
                return None;
            }
            gfn = (entry & 0x3fff_ffff_f000) / 4096;
            if level == 1 && entry & 0x80 != 0 {
                let frame = (gfn & !511) + (page & 511);
                return memory(frame).then_some(frame);
            }
            if level == 1 {
                small = !(has_64k && entry & 0x800 != 0);
            }
        }
        let (index, inside) = if small {
            (page & 511, 0)
        } else {
            (page & 511 & !15, page & 15)
        };
        let entry = self.get(gfn, number(index));
        let frame = (entry & 0x3fff_ffff_f000) / 4096 + inside;
        (entry & 1 != 0 && memory(frame)).then_some(frame)
    }

    /// Whether each frame has as many uses as entries that lead to it.
    pub(crate) fn is_sound(&self) -> bool {
        let mut counted = [0u64; 32];
        for shadow in self.shadows.iter().flatten() {
            for entry in shadow.entries.iter().filter(|entry| **entry & 1 != 0) {
                let address = entry & 0x3fff_ffff_f000;
                let frame = address.checked_sub(MEMORY).map(|memory| memory / 4096);
                let frame = frame.and_then(|frame| frame.checked_sub(FIRST));
                if let Some(count) = frame.and_then(|frame| counted.get_mut(number(frame))) {
                    *count = count.wrapping_add(1);
                }
            }
        }
        !self.broken && counted == self.uses
    }

    /// Whether each entry leads to a table of the level below, or from the lowest level to a frame, and
    /// says nothing beyond the address.
    pub(crate) fn is_clean(&self) -> bool {
        self.shadows.iter().flatten().all(|shadow| {
            shadow
                .entries
                .iter()
                .filter(|entry| **entry & 1 != 0)
                .all(|entry| {
                    let address = entry & 0x3fff_ffff_f000;
                    let level = level_number(shadow.level);
                    let fits = match self.shadow(address) {
                        Some(below) => level_number(below.level) + 1 == level,
                        None => level == 0 && address >= MEMORY,
                    };
                    let sizes = level > 0 && entry & 0x880 != 0;
                    fits && !sizes && entry >> 46 == 0
                })
        })
    }
}

impl GuestMemory for World {
    fn read_guest(&mut self, gpa: Gpa, buf: &mut [u8]) -> Result {
        self.reads = self.reads.wrapping_add(1);
        for (address, byte) in (gpa.raw()..).zip(buf.iter_mut()) {
            let word = self
                .word(address / 4096, number(address % 4096 / 8))
                .ok_or(EFAULT)?;
            let bytes = self.memory.get(word).ok_or(EFAULT)?.to_le_bytes();
            *byte = bytes.get(number(address % 8)).copied().unwrap_or(0);
        }
        Ok(())
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        for (address, byte) in (gpa.raw()..).zip(data) {
            let word = self
                .word(address / 4096, number(address % 4096 / 8))
                .ok_or(EFAULT)?;
            let word = self.memory.get_mut(word).ok_or(EFAULT)?;
            let shift = address % 8 * 8;
            *word = *word & !(0xff << shift) | u64::from(*byte) << shift;
        }
        Ok(())
    }
}

impl HostPpgtt for World {
    fn new_table(&mut self, level: Level) -> Result<ShadowTable> {
        if self.tables() >= self.room {
            return Err(ENOMEM);
        }
        let shadow = Shadow {
            level,
            entries: KVec::zeroed(ENTRIES, GFP_KERNEL)?,
        };
        // Never the same twice, so that what is used too late is seen.
        let slot = u32::try_from(self.shadows.len()).map_err(|_| ENOMEM)?;
        self.shadows.push(Some(shadow), GFP_KERNEL)?;
        Ok(ShadowTable {
            slot,
            address: TABLES + u64::from(slot) * 4096,
            level,
        })
    }

    fn scratch_table(&mut self, _level: Level) -> u64 {
        0xdead_0000
    }

    fn free_table(&mut self, table: ShadowTable) {
        let slot = usize::try_from(table.slot).ok();
        let shadow = slot.and_then(|slot| self.shadows.get_mut(slot)?.take());
        self.broken |= shadow.is_none();
    }

    fn write_entry(&mut self, table: ShadowTable, index: usize, entry: Option<u64>) {
        let slot = usize::try_from(table.slot).ok();
        let shadow = slot.and_then(|slot| self.shadows.get_mut(slot)?.as_mut());
        match shadow.and_then(|shadow| shadow.entries.get_mut(index)) {
            Some(place) => *place = entry.unwrap_or(0),
            None => self.broken = true,
        }
    }

    fn pin_frame(&mut self, gfn: Gfn) -> Result<u64> {
        let frame = number(gfn.raw().wrapping_sub(FIRST));
        let uses = self.uses.get_mut(frame).ok_or(EFAULT)?;
        *uses = uses.wrapping_add(1);
        Ok(MEMORY + gfn.raw() * 4096)
    }

    fn unpin_frame(&mut self, gfn: Gfn) {
        let frame = number(gfn.raw().wrapping_sub(FIRST));
        match self.uses.get_mut(frame) {
            Some(uses) if *uses > 0 => *uses = uses.wrapping_sub(1),
            _ => self.broken = true,
        }
    }

    fn watch_frame(&mut self, gfn: Gfn) -> Result {
        let frame = number(gfn.raw().wrapping_sub(FIRST));
        let count = self.watches.get_mut(frame).ok_or(EINVAL)?;
        *count = count.wrapping_add(1);
        Ok(())
    }

    fn unwatch_frame(&mut self, gfn: Gfn) {
        let frame = number(gfn.raw().wrapping_sub(FIRST));
        match self.watches.get_mut(frame) {
            Some(count) if *count > 0 => *count = count.wrapping_sub(1),
            _ => self.broken = true,
        }
    }

    fn is_pressed(&self) -> bool {
        self.pressed
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted
    }

    fn forget_translations(&mut self) {
        self.forgotten = self.forgotten.wrapping_add(1);
    }
}
