// SPDX-License-Identifier: GPL-2.0
//! Address spaces of contexts: page tables in a guest's memory.

use super::Failure;
use crate::mapping::Mapping;

/// Bytes of a page.
pub(super) const PAGE: u64 = 4096;
/// Entries of a table.
pub(super) const ENTRIES: u64 = 512;

const PRESENT_WRITABLE: u64 = 3;

/// A table of four levels, as many page tables at its end as were wanted, and pages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Space {
    root: u64,
    tables: u64,
    frames: u64,
}

impl Space {
    /// One of so many page tables, of which each entry leads to another one of so many pages that lie one behind the other.
    pub(super) fn new(root: u64, tables: u64, frames: u64) -> Space {
        Space { root, tables: tables.min(ENTRIES), frames }
    }

    /// Where its first table is, and behind that all others.
    pub(super) fn root(&self) -> u64 {
        self.root
    }

    /// How many page tables it has.
    pub(super) fn tables(&self) -> u64 {
        self.tables
    }

    /// Where an entry of a page table is.
    pub(super) fn entry(&self, table: u64, index: u64) -> u64 {
        self.root + (3 + table) * PAGE + 8 * index
    }

    /// What is in the entry that leads to the page `number`.
    pub(super) fn leads_to(&self, first: u64, number: u64) -> u64 {
        first + number % self.frames * PAGE | PRESENT_WRITABLE
    }

    /// Writes the tables; the first page of the space is that at `start`, all others are the pages from `first` on.
    pub(super) fn write(&self, memory: &Mapping, start: u64, first: u64) -> Result<(), Failure> {
        let [pointers, directory] = [self.root + PAGE, self.root + 2 * PAGE];
        for place in (self.root..self.root + 3 * PAGE).step_by(8) {
            memory.write(place, 8, 0)?;
        }
        memory.write(self.root, 8, pointers | PRESENT_WRITABLE)?;
        memory.write(pointers, 8, directory | PRESENT_WRITABLE)?;
        for table in 0..self.tables {
            memory.write(directory + 8 * table, 8, self.entry(table, 0) | PRESENT_WRITABLE)?;
            for index in 0..ENTRIES {
                memory.write(self.entry(table, index), 8, self.leads_to(first, table * ENTRIES + index))?;
            }
        }
        memory.write(self.entry(0, 0), 8, start | PRESENT_WRITABLE)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_led_to() {
        let file = rustix::fs::memfd_create("space-test", rustix::fs::MemfdFlags::CLOEXEC).expect("memory files exist");
        rustix::fs::ftruncate(&file, 16 * PAGE).expect("a memory file can grow");
        let memory = Mapping::new(&file, 0, 16 * PAGE, true).expect("a memory file can be mapped");
        let space = Space::new(PAGE, 2, 1024);
        space.write(&memory, 15 * PAGE, 1 << 20).expect("there is room");
        let walk = |page: u64| {
            let indices = [0, 0, page / ENTRIES, page % ENTRIES];
            indices.into_iter().fold(space.root(), |table, index| {
                let entry = memory.read((table & !0xfff) + 8 * index, 8).expect("tables are in memory");
                assert_eq!(entry & 0xfff, PRESENT_WRITABLE);
                entry & !0xfff
            })
        };
        assert_eq!(walk(0), 15 * PAGE);
        assert!((1..1024).all(|page| walk(page) == (1 << 20) + page * PAGE));
    }
}
