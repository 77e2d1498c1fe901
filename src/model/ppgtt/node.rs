// SPDX-License-Identifier: GPL-2.0

//! One table of the guest and its shadow.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

use super::entry::{
    Kind,
    ENTRIES, //
};
use crate::{
    addr::Gfn,
    ports::ShadowTable, //
};

/// A table of the guest's that has a shadow.
pub(super) struct Node {
    pub(super) gfn: Gfn,
    pub(super) kind: Kind,
    pub(super) table: ShadowTable,
    /// How many entries and roots lead here.
    pub(super) uses: u32,
    /// The guest's entries, as they were looked at last; nothing for a block.
    entries: KVec<u64>,
    /// Which entries of the shadow have a frame or a table that belongs to them.
    held: [u64; ENTRIES / 64],
    /// Writes of the guest's are told.
    pub(super) watched: bool,
    /// Its shadow outlives it.
    pub(super) kept: bool,
    pub(super) temper: Temper,
}

/// How often a table changes, and how much sense it makes.
#[derive(Clone, Copy, Default)]
pub(super) struct Temper {
    /// In how many rounds in a row it had been written.
    hot: u8,
    /// The last round in which it had.
    last: u32,
    /// How many rounds in a row nothing had changed though it was not watched.
    calm: u8,
    /// In how many rounds most of what was new made no sense.
    nonsense: u8,
}

/// A table that was written in so many rounds is not watched any more, but looked at in each round.
const HOT: u8 = 4;
/// Rounds that may lie between two writes of a hot table.
const HOT_GAP: u32 = 2;
/// When a table has not changed for so many rounds, it is watched again.
const CALM: u8 = 8;
/// When a table made no sense for so many rounds, it is none any more.
const NONSENSE: u8 = 3;

impl Temper {
    /// The guest has written to it, and the next round is number `round`.
    pub(super) fn written(&mut self, round: u32) {
        let again = round.wrapping_sub(self.last) <= HOT_GAP;
        self.hot = if again { self.hot.saturating_add(1) } else { 1 };
        self.last = round;
        self.calm = 0;
    }

    /// Whether it is to be looked at in each round rather than watched.
    pub(super) fn is_hot(&self) -> bool {
        self.hot >= HOT
    }

    /// What a look at a hot table found.
    pub(super) fn looked(&mut self, changed: bool) {
        self.calm = if changed {
            0
        } else {
            self.calm.saturating_add(1)
        };
        if self.calm >= CALM {
            self.hot = 0;
        }
    }

    /// How much of what was new made sense.
    pub(super) fn judge(&mut self, new: usize, bad: usize) {
        if bad > 8 && bad > new / 2 {
            self.nonsense = self.nonsense.saturating_add(1);
        } else if new > 0 {
            self.nonsense = 0;
        }
    }

    /// Whether it has stopped being a table: the guest uses the frame for something else.
    pub(super) fn is_nonsense(&self) -> bool {
        self.nonsense >= NONSENSE
    }
}

impl Node {
    pub(super) fn new(gfn: Gfn, kind: Kind, table: ShadowTable) -> Result<KBox<Self>> {
        let entries = match kind {
            Kind::Block(_) => KVec::new(),
            _ => KVec::zeroed(ENTRIES, GFP_KERNEL_ACCOUNT)?,
        };
        let node = Self {
            gfn,
            kind,
            table,
            uses: 1,
            entries,
            held: [0; ENTRIES / 64],
            watched: false,
            kept: false,
            temper: Temper::default(),
        };
        Ok(KBox::new(node, GFP_KERNEL_ACCOUNT)?)
    }

    /// The guest's entry.
    pub(super) fn entry(&self, index: usize) -> u64 {
        self.entries.get(index).copied().unwrap_or(0)
    }

    /// `count` entries of the guest's from `first` on.
    pub(super) fn entries(&self, first: usize, count: usize) -> &[u64] {
        let all = first..first.saturating_add(count);
        self.entries.get(all).unwrap_or_default()
    }

    /// Notes that the guest has no entries.
    pub(super) fn clear(&mut self) {
        self.entries.fill(0);
    }

    /// Notes what the guest's entry is.
    pub(super) fn set_entry(&mut self, index: usize, raw: u64) {
        if let Some(entry) = self.entries.get_mut(index) {
            *entry = raw;
        }
    }

    /// Whether something belongs to an entry of the shadow.
    pub(super) fn holds(&self, index: usize) -> bool {
        let word = self.held.get(index / 64).copied().unwrap_or(0);
        word & bit(index) != 0
    }

    /// Notes whether something belongs to an entry of the shadow.
    pub(super) fn set_held(&mut self, index: usize, held: bool) {
        if let Some(word) = self.held.get_mut(index / 64) {
            *word = if held {
                *word | bit(index)
            } else {
                *word & !bit(index)
            };
        }
    }
}

fn bit(index: usize) -> u64 {
    1u64.wrapping_shl(u32::try_from(index % 64).unwrap_or(0))
}
