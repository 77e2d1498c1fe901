// SPDX-License-Identifier: GPL-2.0

//! The page tables that the GPU uses for the contexts of a guest.

use gvt_kapi::{
    i915::Gpu,
    table::Table, //
};
use gvt_model::{
    ports::ShadowTable,
    ppgtt::entry::Level, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    dma::Coherent,
    prelude::*,
    sync::Arc, //
};

/// An entry that can be read and written: for tables and pages that lead nowhere.
const SCRATCH: u64 = 0x3;
/// How many tables may wait for the GPU to forget them.
const MAX_RETIRED: usize = 64;

/// Shadow tables, by number.
pub(crate) struct Shadows {
    gpu: Arc<Gpu>,
    tables: KVVec<Option<Table>>,
    free: KVVec<u32>,
    /// Tables that no entry leads to, of which the GPU may still remember some.
    retired: KVec<Table>,
    scratch: Arc<Scratch>,
}

/// A page that nobody looks at, and tables all entries of which lead there.
struct Scratch {
    pointers: Table,
    directory: Table,
    table: Table,
    page: Coherent<[u8; 4096]>,
}

impl Scratch {
    fn new(gpu: &Gpu) -> Result<Self> {
        let page = Coherent::zeroed(gpu.device(), GFP_KERNEL_ACCOUNT)?;
        let table = Table::new(gpu, page.dma_address() | SCRATCH)?;
        let directory = Table::new(gpu, table.address() | SCRATCH)?;
        let pointers = Table::new(gpu, directory.address() | SCRATCH)?;
        Ok(Self {
            pointers,
            directory,
            table,
            page,
        })
    }

    /// The entry of a table of this level that leads to the scratch page.
    fn entry(&self, level: Level) -> u64 {
        SCRATCH
            | match level.below() {
                None => self.page.dma_address(),
                Some(below) => self.address(below),
            }
    }

    /// Where a table of this level is; nothing leads to one at the top.
    fn address(&self, level: Level) -> u64 {
        match level {
            Level::Table => self.table.address(),
            Level::Directory => self.directory.address(),
            Level::Pointers | Level::Top => self.pointers.address(),
        }
    }
}

impl Shadows {
    /// No tables.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(gpu: &Arc<Gpu>) -> Result<Self> {
        Ok(Self {
            gpu: gpu.clone(),
            tables: KVVec::new(),
            free: KVVec::new(),
            retired: KVec::with_capacity(MAX_RETIRED, GFP_KERNEL)?,
            scratch: Arc::new(Scratch::new(gpu)?, GFP_KERNEL)?,
        })
    }

    /// A table all entries of which lead to the scratch page.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn make(&mut self, level: Level) -> Result<ShadowTable> {
        let table = Table::new(&self.gpu, self.scratch.entry(level))?;
        let address = table.address();
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.tables.len())?;
                // Room to give it back, so that this needs no memory.
                self.free.reserve(self.tables.len(), GFP_KERNEL_ACCOUNT)?;
                self.tables.push(None, GFP_KERNEL_ACCOUNT)?;
                slot
            }
        };
        if let Some(place) = self.tables.get_mut(usize::try_from(slot)?) {
            *place = Some(table);
        }
        Ok(ShadowTable {
            slot,
            address,
            level,
        })
    }

    /// Where there is a table of this level that leads to the scratch page only.
    pub(crate) fn scratch(&self, level: Level) -> u64 {
        self.scratch.address(level)
    }

    /// Writes an entry; `None` leads to the scratch page.
    pub(crate) fn write(&self, table: ShadowTable, index: usize, entry: Option<u64>) {
        let level = table.level;
        let slot = usize::try_from(table.slot).ok();
        if let Some(Some(table)) = slot.and_then(|slot| self.tables.get(slot)) {
            table.write(index, entry.unwrap_or_else(|| self.scratch.entry(level)));
        }
    }

    /// Retires a table; true if the GPU should forget those at once, because many are. If it does not it is asked again when
    /// as many more are.
    pub(crate) fn retire(&mut self, table: ShadowTable) -> bool {
        let slot = usize::try_from(table.slot).ok();
        if let Some(table) = slot.and_then(|slot| self.tables.get_mut(slot)?.take()) {
            // There is room, unless the GPU did not forget what had filled it.
            if self.retired.reserve(1, GFP_KERNEL).is_ok() {
                let _ = self.retired.push_within_capacity(table);
            } else {
                core::mem::forget(table);
            }
        }
        // The numbers have room since they were given out.
        let _ = self.free.push(table.slot, GFP_KERNEL_ACCOUNT);
        let count = self.retired.len();
        count > 0 && count.checked_rem(MAX_RETIRED) == Some(0)
    }

    /// Keeps tables that were retired, and the scratch ones, from others for ever: the GPU does not forget them.
    pub(crate) fn abandon(&mut self) {
        core::mem::forget(core::mem::take(&mut self.retired));
        core::mem::forget(self.scratch.clone());
    }

    /// Frees the tables that were retired: the GPU has forgotten them.
    pub(crate) fn forget(&mut self) {
        self.retired.clear();
    }
}
