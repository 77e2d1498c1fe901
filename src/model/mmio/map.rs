// SPDX-License-Identifier: GPL-2.0

//! Finds a register's row of the table, in one step.

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use super::{
    row::{
        Place,
        Row,
        Start, //
    },
    table::{
        BLOCKS,
        TABLES, //
    },
};
use crate::{
    engine::{
        EngineId,
        Engines, //
    },
    platform::{
        Platform,
        MMIO_SIZE, //
    },
    wire,
};

/// Registers in a page of 4 KiB.
const PAGE_WORDS: u32 = 1024;
const PAGE_BYTES: u32 = 4096;

/// The registers of one GPU. All its vGPUs use the same.
///
/// Two levels: for each page of registers the number of a block, in a block for each register the
/// number of its row plus one, or 0. Pages that look alike share a block.
pub struct RegisterMap {
    platform: Platform,
    engines: Engines,
    rows: KVec<&'static Row>,
    pages: KVec<u16>,
    blocks: KVVec<u16>,
    /// Offset and value of all registers that do not start with 0, in order.
    starts: KVVec<(u32, u32)>,
}

impl RegisterMap {
    /// The registers of a GPU with these engines. `host` are the registers of the host when i915
    /// started, from offset 0 on; those that are missing count as 0.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if the table has a register twice, which the suites rule out.
    pub fn new(platform: Platform, engines: Engines, host: &[u8]) -> Result<Self> {
        let mut map = Self {
            platform,
            engines,
            rows: KVec::new(),
            pages: KVec::new(),
            blocks: KVVec::new(),
            starts: KVVec::new(),
        };
        // Blocks first: a register inside of one has its own row, which comes later.
        map.add_rows(&BLOCKS)?;
        for table in TABLES {
            map.add_rows(table)?;
        }
        let mut page = KVec::zeroed(usize::from_safe_cast(PAGE_WORDS), GFP_KERNEL)?;
        let mut start = 0;
        while u64::from(start) < MMIO_SIZE {
            page.fill(0);
            map.lay_out(start, &mut page)?;
            map.add_page(&page)?;
            map.add_starts(start, &page, host)?;
            start = start.checked_add(PAGE_BYTES).ok_or(EINVAL)?;
        }
        Ok(map)
    }

    fn add_rows(&mut self, table: &'static [Row]) -> Result {
        for row in table {
            if row.platforms.contains(self.platform) {
                self.rows.push(row, GFP_KERNEL)?;
            }
        }
        Ok(())
    }

    /// Enters the rows that have registers in the page at `start`.
    fn lay_out(&self, start: u32, page: &mut [u16]) -> Result {
        let end = start.saturating_add(PAGE_BYTES);
        for (number, row) in (1u16..).zip(self.rows.iter().copied()) {
            for first in (0..).map_while(|time| self.first(row, time)) {
                let last = first.saturating_add(row.words.saturating_mul(4));
                let inside = first.max(start)..last.min(end);
                for offset in inside.step_by(4) {
                    if let Some(entry) = page.get_mut(word(offset)) {
                        if self.row(*entry).is_some_and(|known| !is_block(known)) {
                            return Err(EINVAL);
                        }
                        *entry = number;
                    }
                }
            }
        }
        Ok(())
    }

    /// The offset of the first register of a row, when they come for the time `time`, from 0 on.
    fn first(&self, row: &Row, time: u32) -> Option<u32> {
        match row.place {
            Place::Fixed(offset) if time < row.times => {
                offset.checked_add(time.checked_mul(row.stride)?)
            }
            Place::Fixed(_) => None,
            Place::Engine(offset) => {
                let id = self.engines.iter().nth(usize::from_safe_cast(time))?;
                id.mmio_base().checked_add(offset)
            }
        }
    }

    fn add_page(&mut self, page: &[u16]) -> Result {
        let same = self
            .blocks
            .chunks_exact(page.len())
            .position(|block| block == page);
        let number = match same {
            Some(number) => number,
            None => {
                let number = self.blocks.len().checked_div(page.len()).ok_or(EINVAL)?;
                self.blocks.extend_from_slice(page, GFP_KERNEL)?;
                number
            }
        };
        self.pages
            .push(u16::try_from(number).map_err(|_| EINVAL)?, GFP_KERNEL)?;
        Ok(())
    }

    fn add_starts(&mut self, start: u32, page: &[u16], host: &[u8]) -> Result {
        for (offset, number) in (start..).step_by(4).zip(page) {
            let Some(row) = self.row(*number) else {
                continue;
            };
            let value = match row.start {
                Start::Value(value) => value,
                Start::Host => wire::u32_at(host, usize::from_safe_cast(offset)),
            };
            let value = if row.masked { value & 0xffff } else { value };
            if value != 0 {
                self.starts.push((offset, value), GFP_KERNEL)?;
            }
        }
        Ok(())
    }

    fn row(&self, number: u16) -> Option<&'static Row> {
        let index = usize::from(number).checked_sub(1)?;
        self.rows.get(index).copied()
    }

    /// The row of the register at `offset`, a multiple of 4; `None` if it is not in the table.
    pub fn find(&self, offset: u32) -> Option<&'static Row> {
        let page = usize::from_safe_cast(offset / PAGE_BYTES);
        let block = usize::from(*self.pages.get(page)?);
        let entry = block
            .checked_mul(usize::from_safe_cast(PAGE_WORDS))?
            .checked_add(word(offset))?;
        self.row(*self.blocks.get(entry)?)
    }

    /// The offsets of all registers that are modelled, in order.
    pub fn offsets(&self) -> impl Iterator<Item = u32> + '_ {
        let pages = (0u32..).step_by(usize::from_safe_cast(PAGE_BYTES));
        pages.zip(self.pages.iter()).flat_map(|(start, block)| {
            let mut blocks = self.blocks.chunks_exact(usize::from_safe_cast(PAGE_WORDS));
            let rows = blocks.nth(usize::from(*block)).unwrap_or_default();
            let offsets = (start..).step_by(4).zip(rows);
            offsets
                .filter(|(_, row)| **row != 0)
                .map(|(offset, _)| offset)
        })
    }

    /// The platform of the GPU.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// The engines of the GPU.
    pub fn engines(&self) -> Engines {
        self.engines
    }

    /// The engines of which commands can write the register at `offset`.
    pub fn writers(&self, offset: u32) -> Engines {
        match self.find(offset) {
            Some(row) if row.commands => Engines::NONE.with(EngineId::owner(offset)),
            _ => Engines::NONE,
        }
    }

    /// Offset and value of all registers that are not 0 after a reset, in the order of the offsets.
    pub fn starts(&self) -> &[(u32, u32)] {
        &self.starts
    }

    /// Bytes of memory that this takes.
    pub fn size(&self) -> usize {
        let rows = core::mem::size_of_val(&*self.rows);
        let pages = core::mem::size_of_val(&*self.pages);
        let blocks = core::mem::size_of_val(&*self.blocks);
        let starts = core::mem::size_of_val(&*self.starts);
        rows.saturating_add(pages)
            .saturating_add(blocks)
            .saturating_add(starts)
    }
}

/// Whether other rows may be inside of this one.
fn is_block(row: &Row) -> bool {
    BLOCKS.iter().any(|block| core::ptr::eq(block, row))
}

/// The number of a register in its page.
fn word(offset: u32) -> usize {
    usize::from_safe_cast(offset % PAGE_BYTES / 4)
}
