// SPDX-License-Identifier: GPL-2.0

//! All tables of a vGPU that have a shadow, and how a shadow follows its table.

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    rbtree::RBTree, //
};

use super::{
    entry::{
        frame_at,
        Kind,
        Level,
        Target,
        ENTRIES, //
    },
    node::Node,
    set::Set,
    Stop,
    World, //
};
use crate::{
    addr::{
        Gfn,
        Gpa,
        PAGE_SIZE, //
    },
    ports::ShadowTable, //
};

/// The most tables of one vGPU that have a shadow. Each takes 8 KiB.
pub const MAX_TABLES: usize = 16 * 1024;

/// Pages of 4 KiB in one of 64 KiB.
const STEP_64K: usize = 16;
/// Entries that are compared at once: in most tables few have changed.
const BLOCK: usize = STEP_64K;

/// Tables of the guest's, each with its shadow.
pub(super) struct Tables {
    nodes: KVVec<Option<KBox<Node>>>,
    free: KVVec<u32>,
    numbers: RBTree<(Gfn, Kind), u32>,
    /// Those to be looked at before the next submission.
    pending: Set,
    /// Those to be looked at before each submission.
    hot: Set,
    /// The number of the next round of looks.
    round: u32,
    /// A table of the guest's, while it is looked at.
    page: KVec<u64>,
    /// Directories say which page tables have pages of 64 KiB.
    pub(super) has_64k: bool,
}

impl Tables {
    pub(super) fn new(has_64k: bool) -> Result<Self> {
        Ok(Self {
            nodes: KVVec::new(),
            free: KVVec::new(),
            numbers: RBTree::new(),
            pending: Set::new(MAX_TABLES)?,
            hot: Set::new(MAX_TABLES)?,
            round: 1,
            page: KVec::zeroed(ENTRIES, GFP_KERNEL)?,
            has_64k,
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.nodes.len().saturating_sub(self.free.len())
    }

    /// How many of them trap writes.
    pub(super) fn watched(&self) -> usize {
        self.nodes
            .iter()
            .flatten()
            .filter(|node| node.watched)
            .count()
    }

    fn node_mut(&mut self, number: u32) -> Option<&mut Node> {
        let slot = self.nodes.get_mut(usize::try_from(number).ok()?)?;
        slot.as_deref_mut()
    }

    /// Takes a use of the shadow of a frame that is a table of this kind.
    ///
    /// # Errors
    ///
    /// [`Stop`] if there is no room for another one.
    pub(super) fn take<W: World + ?Sized>(
        &mut self,
        gfn: Gfn,
        kind: Kind,
        world: &mut W,
    ) -> Result<(u32, ShadowTable), Stop> {
        if let Some(number) = self.numbers.get(&(gfn, kind)).copied() {
            let node = self.node_mut(number).ok_or(Stop::Full)?;
            node.uses = node.uses.checked_add(1).ok_or(Stop::Full)?;
            let table = node.table;
            if !node.watched {
                // It may have been given up; whoever leads to it anew believes that it is a table.
                self.pending.insert(number);
            }
            return Ok((number, table));
        }
        if self.count() >= MAX_TABLES {
            return Err(Stop::Full);
        }
        let table = world.new_table(kind.level()).map_err(|_| Stop::Full)?;
        match self.add(gfn, kind, table) {
            Ok(number) => Ok((number, table)),
            Err(_) => {
                world.free_table(table);
                Err(Stop::Full)
            }
        }
    }

    fn add(&mut self, gfn: Gfn, kind: Kind, table: ShadowTable) -> Result<u32> {
        let node = Node::new(gfn, kind, table)?;
        let number = match self.free.pop() {
            Some(number) => number,
            None => {
                let number = u32::try_from(self.nodes.len()).map_err(|_| ENOMEM)?;
                self.nodes.push(None, GFP_KERNEL_ACCOUNT)?;
                number
            }
        };
        let inserted = self
            .numbers
            .try_create_and_insert((gfn, kind), number, GFP_KERNEL_ACCOUNT);
        let slot = usize::try_from(number).ok();
        match slot.and_then(|slot| self.nodes.get_mut(slot)) {
            Some(slot) if inserted.is_ok() => *slot = Some(node),
            _ => {
                // The slot stays free. If there is no memory to say so, it is lost until the next reset.
                let _ = self.free.push(number, GFP_KERNEL_ACCOUNT);
                return Err(ENOMEM);
            }
        }
        self.pending.insert(number);
        Ok(number)
    }

    /// Gives a use back; with the last one everything goes that belongs to the shadow.
    pub(super) fn drop_use<W: World + ?Sized>(&mut self, number: u32, world: &mut W) {
        let Some(node) = self.node_mut(number) else {
            return;
        };
        node.uses = node.uses.saturating_sub(1);
        if node.uses == 0 {
            self.remove(number, world);
        }
    }

    fn remove<W: World + ?Sized>(&mut self, number: u32, world: &mut W) {
        let slot = usize::try_from(number).ok();
        let Some(mut node) = slot.and_then(|slot| self.nodes.get_mut(slot)?.take()) else {
            return;
        };
        self.pending.remove(number);
        self.hot.remove(number);
        let _ = self.numbers.remove(&(node.gfn, node.kind));
        self.empty(&mut node, false, world);
        world.free_table(node.table);
        // The capacity is there, as the number was in use.
        let _ = self.free.push(number, GFP_KERNEL_ACCOUNT);
    }

    /// Takes everything away that belongs to a shadow.
    fn empty<W: World + ?Sized>(&mut self, node: &mut Node, erase: bool, world: &mut W) {
        if node.watched {
            node.watched = false;
            world.unwatch_frame(node.gfn);
        }
        for index in 0..ENTRIES {
            if node.holds(index) {
                if erase {
                    world.write_entry(node.table, index, None);
                }
                node.set_held(index, false);
                self.release(node, index, node.entry(first_of(node.kind, index)), world);
            }
        }
        node.clear();
    }

    /// Gives back what belonged to an entry of a shadow while the guest's was `raw`.
    fn release<W: World + ?Sized>(&mut self, node: &Node, index: usize, raw: u64, world: &mut W) {
        match node.kind {
            Kind::Block(_) => {
                if let Some(gfn) = frame_at(node.gfn, index) {
                    world.unpin_frame(gfn);
                }
            }
            kind => match Target::of(raw, kind.level(), self.has_64k) {
                Target::Nothing => {}
                Target::Page { gfn, .. } => {
                    let inside = index.saturating_sub(first_of(kind, index));
                    if let Some(gfn) = frame_at(gfn, inside) {
                        world.unpin_frame(gfn);
                    }
                }
                Target::Table { gfn, kind, .. } => {
                    if let Some(number) = self.numbers.get(&(gfn, kind)).copied() {
                        self.drop_use(number, world);
                    }
                }
            },
        }
    }

    /// The frame that a page leads to from a table that is of this kind.
    pub(super) fn walk(&self, table: Gfn, kind: Kind, page: u64) -> Option<Gfn> {
        let (mut gfn, mut kind) = (table, kind);
        for _ in Level::ALL {
            let number = self.numbers.get(&(gfn, kind)).copied()?;
            let node = self.nodes.get(usize::try_from(number).ok()?)?.as_ref()?;
            let index = index_of(page, kind.level())?;
            if !node.holds(index) {
                return None;
            }
            let first = first_of(kind, index);
            if let Kind::Block(_) = kind {
                return frame_at(node.gfn, index);
            }
            match Target::of(node.entry(first), kind.level(), self.has_64k) {
                Target::Nothing => return None,
                Target::Page { gfn, .. } => return frame_at(gfn, index.saturating_sub(first)),
                Target::Table {
                    gfn: below,
                    kind: of,
                    ..
                } => (gfn, kind) = (below, of),
            }
        }
        None
    }

    /// The guest has written to a frame that is watched: its tables are looked at before the next
    /// submission, and do not trap until then.
    pub(super) fn written<W: World + ?Sized>(&mut self, gfn: Gfn, world: &mut W) {
        let round = self.round;
        for kind in kinds() {
            let Some(number) = self.numbers.get(&(gfn, kind)).copied() else {
                continue;
            };
            self.pending.insert(number);
            if let Some(node) = self.node_mut(number) {
                if core::mem::take(&mut node.watched) {
                    world.unwatch_frame(gfn);
                }
                node.temper.written(round);
            }
        }
    }

    /// Frames are gone, and with them the watch over them.
    pub(super) fn removed(&mut self, first: u64, count: u64) {
        for (number, node) in (0u32..).zip(self.nodes.iter_mut()) {
            let Some(node) = node else { continue };
            let inside = node.gfn.raw().checked_sub(first);
            if inside.is_some_and(|inside| inside < count) {
                node.watched = false;
                self.pending.insert(number);
            }
        }
    }

    /// The GPU may be in this one when all are taken away.
    pub(super) fn keep(&mut self, number: u32) {
        if let Some(node) = self.node_mut(number) {
            node.kept = true;
        }
    }

    /// Takes all shadows away. Where the GPU may still be in one, it finds scratch pages from now on; those that
    /// are to be [kept](Self::keep) are left to the caller.
    pub(super) fn clear<W: World + ?Sized>(&mut self, world: &mut W) {
        for slot in 0..self.nodes.len() {
            let Some(mut node) = self.nodes.get_mut(slot).and_then(Option::take) else {
                continue;
            };
            // No others are released by way of this one: all go anyway.
            self.forget(&mut node, world);
            if !node.kept {
                world.free_table(node.table);
            }
        }
        self.nodes.clear();
        self.free.clear();
        self.numbers = RBTree::new();
        self.pending.clear();
        self.hot.clear();
    }

    fn forget<W: World + ?Sized>(&mut self, node: &mut Node, world: &mut W) {
        if core::mem::take(&mut node.watched) {
            world.unwatch_frame(node.gfn);
        }
        for index in 0..ENTRIES {
            if !node.holds(index) {
                continue;
            }
            world.write_entry(node.table, index, None);
            if node.kind.level() == Level::Table {
                let raw = node.entry(first_of(node.kind, index));
                self.release(node, index, raw, world);
            }
        }
    }

    /// Looks at all tables that may have changed, and at those that they lead to now.
    ///
    /// # Errors
    ///
    /// [`Stop`]. What was not looked at will be the next time.
    pub(super) fn sync<W: World + ?Sized>(&mut self, world: &mut W) -> Result<(), Stop> {
        self.pending.take_all(&mut self.hot);
        while let Some(number) = self.pending.take_first() {
            if world.is_pressed() {
                self.pending.insert(number);
                return Err(Stop::Pressed);
            }
            let slot = usize::try_from(number).ok();
            // Out of its place, so that others can be changed meanwhile; none of them leads here, as
            // all are of lower levels.
            let Some(mut node) = slot.and_then(|slot| self.nodes.get_mut(slot)?.take()) else {
                continue;
            };
            let looked = self.look_at(&mut node, world);
            let hot = !node.watched && !node.temper.is_nonsense();
            let lasting = hot && !matches!(node.kind, Kind::Block(_));
            if let Some(slot) = slot.and_then(|slot| self.nodes.get_mut(slot)) {
                *slot = Some(node);
            }
            if looked.is_err() {
                self.pending.insert(number);
                return looked;
            }
            if lasting {
                self.hot.insert(number);
            }
        }
        self.round = self.round.wrapping_add(1);
        Ok(())
    }

    /// Lets the shadow follow its table.
    fn look_at<W: World + ?Sized>(&mut self, node: &mut Node, world: &mut W) -> Result<(), Stop> {
        if let Kind::Block(bits) = node.kind {
            fill_block(node, bits.into(), world);
            return Ok(());
        }
        let was_watched = node.watched;
        if !node.watched && !node.temper.is_hot() {
            // Before it is read: what is written later is told.
            node.watched = world.watch_frame(node.gfn).is_ok();
        }
        let mut page = core::mem::take(&mut self.page);
        let gpa = node.gfn.raw().checked_mul(PAGE_SIZE).map(Gpa::new);
        let read = gpa.map(|gpa| world.read_guest(gpa, page.as_mut_bytes()));
        if !matches!(read, Some(Ok(()))) {
            page.fill(0);
        }
        let result = self.follow(node, &page, world);
        self.page = page;
        let (new, bad) = result?;
        if !was_watched && !node.watched {
            node.temper.looked(new > 0);
        }
        node.temper.judge(new, bad);
        if node.temper.is_nonsense() {
            self.empty(node, true, world);
        }
        Ok(())
    }

    /// Takes over the entries that have changed: how many, and how many of them made no sense.
    fn follow<W: World + ?Sized>(
        &mut self,
        node: &mut Node,
        page: &[u64],
        world: &mut W,
    ) -> Result<(usize, usize), Stop> {
        let (mut new, mut bad) = (0usize, 0usize);
        let step = step_of(node.kind);
        for (first, block) in (0usize..).step_by(BLOCK).zip(page.chunks(BLOCK)) {
            if node.entries(first, block.len()) == block {
                continue;
            }
            let entries = (first..).zip(block.iter().copied());
            for (index, raw) in entries.step_by(step) {
                let old = node.entry(index);
                if raw == old {
                    continue;
                }
                new = new.saturating_add(1);
                let level = node.kind.level();
                let target = Target::of(raw, level, self.has_64k);
                if level == Level::Table {
                    let good = follow_pages(node, index, old, target, world);
                    bad = bad.saturating_add(usize::from(!good));
                } else {
                    self.follow_table(node, index, old, target, world)?;
                }
                node.set_entry(index, raw);
            }
        }
        Ok((new, bad))
    }

    /// Takes over an entry of a directory that was `old`.
    fn follow_table<W: World + ?Sized>(
        &mut self,
        node: &mut Node,
        index: usize,
        old: u64,
        target: Target,
        world: &mut W,
    ) -> Result<(), Stop> {
        let entry = match target {
            Target::Table { gfn, kind, bits } => {
                let (_, table) = self.take(gfn, kind, world)?;
                Some(table.address | bits)
            }
            _ => None,
        };
        let held = node.holds(index);
        if held || entry.is_some() {
            world.write_entry(node.table, index, entry);
            node.set_held(index, entry.is_some());
        }
        if held {
            self.release(node, index, old, world);
        }
        Ok(())
    }
}

/// Takes over an entry of a page table that was `old`; false if something is there that cannot be used.
fn follow_pages<W: World + ?Sized>(
    node: &mut Node,
    index: usize,
    old: u64,
    target: Target,
    world: &mut W,
) -> bool {
    let page = |target: Target| match target {
        Target::Page { gfn, bits } => Some((gfn, bits)),
        _ => None,
    };
    let before = page(Target::of(old, Level::Table, false));
    let mut good = true;
    for inside in 0..step_of(node.kind) {
        let at = index.saturating_add(inside);
        let before = before
            .filter(|_| node.holds(at))
            .and_then(|(gfn, _)| frame_at(gfn, inside));
        let entry = page(target).and_then(|(gfn, bits)| {
            let address = world.pin_frame(frame_at(gfn, inside)?).ok()?;
            Some(address | bits)
        });
        good &= entry.is_some() || page(target).is_none();
        if before.is_some() || entry.is_some() {
            world.write_entry(node.table, at, entry);
            node.set_held(at, entry.is_some());
        }
        if let Some(gfn) = before {
            world.unpin_frame(gfn);
        }
    }
    good
}

/// Points the shadow of a block at those of its frames that it does not point at yet.
fn fill_block<W: World + ?Sized>(node: &mut Node, bits: u64, world: &mut W) {
    for index in 0..ENTRIES {
        if node.holds(index) {
            continue;
        }
        let frame = frame_at(node.gfn, index);
        if let Some(address) = frame.and_then(|gfn| world.pin_frame(gfn).ok()) {
            world.write_entry(node.table, index, Some(address | bits));
            node.set_held(index, true);
        }
    }
}

/// How many entries of the shadow one of the guest's is.
fn step_of(kind: Kind) -> usize {
    match kind {
        Kind::Table64K => STEP_64K,
        Kind::Level(_) | Kind::Block(_) => 1,
    }
}

/// The entry of a table of this level that a page is found by.
fn index_of(page: u64, level: Level) -> Option<usize> {
    let shift = match level {
        Level::Table => 0,
        Level::Directory => 9,
        Level::Pointers => 18,
        Level::Top => 27,
    };
    usize::try_from(page.checked_shr(shift)? & 511).ok()
}

/// The guest's entry that entry `index` of the shadow belongs to.
fn first_of(kind: Kind, index: usize) -> usize {
    let inside = index.checked_rem(step_of(kind)).unwrap_or(0);
    index.saturating_sub(inside)
}

/// What a frame of which writes are told can be.
fn kinds() -> impl Iterator<Item = Kind> {
    let levels = Level::ALL.into_iter().map(Kind::Level);
    Iterator::chain(levels, [Kind::Table64K])
}
