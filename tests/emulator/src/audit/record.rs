// SPDX-License-Identifier: GPL-2.0
//! What one block of the GPU has touched so far.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::pages::PageSet;
use super::{Block, Client, ContextTag, PageRanges};
use crate::json::Hex;

/// Pages that an access is compared with before anything else is looked at; a power of two.
const RECENT: usize = 256;
/// Contexts of one block that are told apart; further ones share a record without an address.
const RECORDS_MAX: usize = 4096;
/// Ids of one context that are remembered.
const IDS_MAX: usize = 256;
/// The record of contexts beyond [`RECORDS_MAX`]: no context image can be there.
const OVERFLOW: u32 = u32::MAX;

/// The pages that one context, one pipe or the CPU has touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TouchedPages {
    /// The block.
    pub client: Block,
    /// Address of the context image, for engines; `0xffffffff` for contexts beyond those that are told apart.
    pub lrca: Option<Hex>,
    /// Ids under which the context ran, for engines.
    pub contexts: Vec<Hex>,
    /// Frames of pages that were read.
    pub read: PageRanges,
    /// Frames of pages that were written.
    pub write: PageRanges,
}

/// The pages of one context; each pair is read and written.
#[derive(Default)]
struct Record {
    ids: BTreeSet<u32>,
    /// The id of the last access.
    id: Option<u32>,
    touched: [PageSet; 2],
    /// Touched and not yet in the audit file.
    fresh: [PageSet; 2],
    /// Touched by the present id since the rules last changed: the rules have seen these.
    checked: [PageSet; 2],
}

impl Record {
    fn forget_checked(&mut self) {
        self.checked.iter_mut().for_each(PageSet::clear);
    }

    fn pages(&self, block: Block, lrca: Option<u32>, sets: &[PageSet; 2]) -> TouchedPages {
        let [read, write] = sets;
        TouchedPages {
            client: block,
            lrca: lrca.map(Hex::from),
            contexts: self.ids.iter().map(|id| Hex::from(*id)).collect(),
            read: read.ranges(),
            write: write.ranges(),
        }
    }
}

/// All records of one block. Each engine runs on a thread of its own, so the lock around this is hardly ever contended.
pub(super) struct Shard {
    block: Block,
    records: HashMap<Option<u32>, Record>,
    current: Option<Client>,
    /// Accesses of `current` that need no further look, by [`key`].
    recent: Vec<u64>,
}

fn key(frame: u64, write: bool) -> u64 {
    // Never 0, which stands for an empty slot.
    (frame << 1 | u64::from(write)).wrapping_add(1)
}

impl Shard {
    pub fn new(block: Block) -> Self {
        Self { block, records: HashMap::new(), current: None, recent: vec![0; RECENT] }
    }

    /// Takes note of an access. Says whether the rules must look at it.
    pub fn touch(&mut self, client: Client, frame: u64, write: bool, to_report: bool) -> bool {
        let key = key(frame, write);
        if self.current != Some(client) {
            self.recent.fill(0);
            self.current = Some(client);
        }
        match self.recent.get_mut(key as usize % RECENT) {
            Some(slot) if *slot == key => return false,
            Some(slot) => *slot = key,
            None => {}
        }
        let mut lrca = client.tag().map(|tag| tag.lrca);
        if self.records.len() >= RECORDS_MAX && !self.records.contains_key(&lrca) {
            lrca = Some(OVERFLOW);
        }
        let record = self.records.entry(lrca).or_default();
        if let Some(ContextTag { id, .. }) = client.tag() {
            if record.id.replace(id) != Some(id) || lrca == Some(OVERFLOW) {
                record.forget_checked();
                if record.ids.len() < IDS_MAX {
                    record.ids.insert(id);
                }
            }
        }
        let direction = usize::from(write);
        if record.touched[direction].insert(frame) && to_report {
            record.fresh[direction].insert(frame);
        }
        record.checked[direction].insert(frame)
    }

    /// Makes the rules look at everything again.
    pub fn forget_checked(&mut self) {
        self.recent.fill(0);
        self.records.values_mut().for_each(Record::forget_checked);
    }

    /// Forgets all pages.
    pub fn clear(&mut self) {
        *self = Self::new(self.block);
    }

    /// Takes what one context has touched since this was last asked.
    pub fn take_fresh(&mut self, lrca: Option<u32>) -> Option<TouchedPages> {
        let block = self.block;
        let record = self.records.get_mut(&lrca)?;
        if record.fresh.iter().all(PageSet::is_empty) {
            return None;
        }
        let pages = record.pages(block, lrca, &record.fresh);
        record.fresh.iter_mut().for_each(PageSet::clear);
        Some(pages)
    }

    /// Takes what each context has touched since this was last asked.
    pub fn take_all_fresh(&mut self) -> Vec<TouchedPages> {
        self.lrcas().into_iter().filter_map(|lrca| self.take_fresh(lrca)).collect()
    }

    /// Everything that was touched, by context.
    pub fn touched(&self) -> Vec<TouchedPages> {
        let record = |lrca| self.records.get(&lrca).map(|record| record.pages(self.block, lrca, &record.touched));
        self.lrcas().into_iter().filter_map(record).collect()
    }

    /// Calls `visit` for everything that was touched, with the last id of each context.
    pub fn each_touched(&self, mut visit: impl FnMut(Client, u64, bool)) {
        for (lrca, record) in &self.records {
            let client = match (self.block, *lrca, record.id) {
                (Block::Engine(engine), Some(lrca), Some(id)) => Client::Engine(engine, ContextTag { id, lrca }),
                (Block::Pipe(pipe), ..) => Client::Pipe(pipe),
                _ => Client::Aperture,
            };
            for (direction, set) in record.touched.iter().enumerate() {
                set.iter().for_each(|frame| visit(client, frame, direction == 1));
            }
        }
    }

    fn lrcas(&self) -> Vec<Option<u32>> {
        let mut lrcas: Vec<_> = self.records.keys().copied().collect();
        lrcas.sort_unstable();
        lrcas
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineId;

    fn context(id: u32, lrca: u32) -> Client {
        Client::Engine(EngineId::Rcs, ContextTag { id, lrca })
    }

    #[test]
    fn rules_look_once_per_page_direction_and_id() {
        let mut shard = Shard::new(Block::Engine(EngineId::Rcs));
        assert!(shard.touch(context(1, 0x1000), 5, false, false));
        assert!(!shard.touch(context(1, 0x1000), 5, false, false));
        assert!(shard.touch(context(1, 0x1000), 5, true, false));
        assert!(shard.touch(context(1, 0x1000), 5 + RECENT as u64, true, false));
        assert!(!shard.touch(context(1, 0x1000), 5, true, false), "known although its slot was taken");
        assert!(shard.touch(context(2, 0x1000), 5, true, false));
        assert!(shard.touch(context(2, 0x3000), 5, true, false));
        shard.forget_checked();
        assert!(shard.touch(context(2, 0x3000), 5, true, false));
    }

    #[test]
    fn pages_are_reported_once_and_remembered() {
        let mut shard = Shard::new(Block::Engine(EngineId::Rcs));
        shard.touch(context(1, 0x1000), 5, false, true);
        shard.touch(context(2, 0x1000), 6, true, true);
        let pages = shard.take_fresh(Some(0x1000)).unwrap();
        assert_eq!(pages.contexts, [Hex(1), Hex(2)]);
        assert_eq!((pages.read.ranges(), pages.write.ranges()), (&[(5, 5)][..], &[(6, 6)][..]));
        assert_eq!(shard.take_fresh(Some(0x1000)), None);
        shard.touch(context(2, 0x1000), 6, true, true);
        assert_eq!(shard.take_all_fresh(), []);
        assert_eq!(shard.touched(), [pages]);
        shard.clear();
        assert_eq!(shard.touched(), []);
    }

    #[test]
    fn contexts_beyond_the_limit_share_a_record_that_is_always_checked() {
        let mut shard = Shard::new(Block::Engine(EngineId::Rcs));
        for lrca in 0..RECORDS_MAX as u32 {
            shard.touch(context(1, lrca << 12), 1, false, false);
        }
        for _ in 0..2 {
            for lrca in [0x8000_0000, 0x8000_1000] {
                assert!(shard.touch(context(1, lrca), 7, false, false));
            }
        }
        let touched = shard.touched();
        assert_eq!(touched.len(), RECORDS_MAX + 1);
        let last = touched.last().unwrap();
        assert_eq!((last.lrca, last.read.ranges()), (Some(Hex(OVERFLOW.into())), &[(7, 7)][..]));
    }
}
