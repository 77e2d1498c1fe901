// SPDX-License-Identifier: GPL-2.0

//! Entries of the page tables that a context has of its own (PRM Broadwell volume 5, "Page Tables").

use crate::addr::{
    Gfn,
    PAGE_SIZE, //
};

/// Entries of a table.
pub const ENTRIES: usize = 512;

/// The level of a table, by what its entries are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A page table: its entries are pages.
    Table,
    /// A page directory: its entries are page tables, or pages of 2 MiB.
    Directory,
    /// A table of page directory pointers.
    Pointers,
    /// The top of a table of four levels (PML4).
    Top,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 4] = [Self::Table, Self::Directory, Self::Pointers, Self::Top];

    /// The level of what an entry leads to; `None` where that is a page.
    pub const fn below(self) -> Option<Self> {
        match self {
            Self::Table => None,
            Self::Directory => Some(Self::Table),
            Self::Pointers => Some(Self::Directory),
            Self::Top => Some(Self::Pointers),
        }
    }
}

/// What a guest frame is as a table. The same frame can be several; each has a shadow of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A table of this level.
    Level(Level),
    /// A page table in which each sixteenth entry is a page of 64 KiB.
    Table64K,
    /// No table: 512 frames from here on are a page of 2 MiB, with these bits in each entry.
    Block(u16),
}

impl Kind {
    /// The level of the shadow.
    pub const fn level(self) -> Level {
        match self {
            Self::Level(level) => level,
            Self::Table64K | Self::Block(_) => Level::Table,
        }
    }
}

const PRESENT: u64 = 1 << 0;
/// The address: bits 45 to 12.
const ADDRESS: u64 = 0x3fff_ffff_f000;
/// A directory has a page itself.
const LARGE: u64 = 1 << 7;
/// The page table below has pages of 64 KiB.
const INTERMEDIATE: u64 = 1 << 11;
/// How a page is cached: this bit in an entry of a page table, that one in one of a large page.
const PAT: u64 = 1 << 7;
const LARGE_PAT: u64 = 1 << 12;
/// The hardware keeps this bit of large pages only.
const DIRTY: u64 = 1 << 6;
/// What is taken over of the low bits of an entry of a page table, and of one of a directory.
const PAGE_BITS: u64 = 0xfff;
const DIRECTORY_BITS: u64 = 0xfff & !(LARGE | INTERMEDIATE);
const LARGE_BITS: u64 = 0xfff & !(LARGE | INTERMEDIATE | DIRTY);
/// Frames of a large page.
const BLOCK_FRAMES: u64 = 512;

/// What an entry of a guest leads to, and the low bits that the shadow takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing, or something that the hardware does not have.
    Nothing,
    /// A page.
    Page {
        /// The frame.
        gfn: Gfn,
        /// Low bits of the shadow's entry.
        bits: u64,
    },
    /// Another table, or a block.
    Table {
        /// The frame, or the first one.
        gfn: Gfn,
        /// What it is.
        kind: Kind,
        /// Low bits of the shadow's entry.
        bits: u64,
    },
}

impl Target {
    /// Reads the entry of a table of this level. With `has_64k` directories say which page tables have
    /// pages of 64 KiB.
    pub fn of(raw: u64, level: Level, has_64k: bool) -> Self {
        if raw & PRESENT == 0 {
            return Self::Nothing;
        }
        let gfn = Gfn::new((raw & ADDRESS) / PAGE_SIZE);
        let Some(below) = level.below() else {
            return Self::Page {
                gfn,
                bits: raw & PAGE_BITS,
            };
        };
        match level {
            Level::Directory if raw & LARGE != 0 => Self::block(raw, gfn),
            // Pages of 1 GiB: no driver has them.
            Level::Pointers if raw & LARGE != 0 => Self::Nothing,
            _ => {
                let is_64k = level == Level::Directory && has_64k && raw & INTERMEDIATE != 0;
                Self::Table {
                    gfn,
                    kind: if is_64k {
                        Kind::Table64K
                    } else {
                        Kind::Level(below)
                    },
                    bits: raw & DIRECTORY_BITS,
                }
            }
        }
    }

    fn block(raw: u64, gfn: Gfn) -> Self {
        let pat = if raw & LARGE_PAT != 0 { PAT } else { 0 };
        let bits = raw & LARGE_BITS;
        Self::Table {
            gfn: Gfn::new(gfn.raw() & !(BLOCK_FRAMES.saturating_sub(1))),
            // Twelve bits.
            kind: Kind::Block(u16::try_from(bits | pat).unwrap_or(0)),
            bits,
        }
    }
}

/// The frame of entry `index` of a table whose first is `first`, in units of `step` frames.
pub(super) fn frame_at(first: Gfn, index: usize) -> Option<Gfn> {
    let index = u64::try_from(index).ok()?;
    first.raw().checked_add(index).map(Gfn::new)
}

/// The frame that the register with a root of page tables names.
pub fn root(register: u64) -> Option<Gfn> {
    let gfn = (register & ADDRESS) / PAGE_SIZE;
    (gfn != 0).then(|| Gfn::new(gfn))
}
