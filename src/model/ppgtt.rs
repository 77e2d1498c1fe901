// SPDX-License-Identifier: GPL-2.0

//! Shadows of the page tables that the contexts of a guest have of their own (gvt-spec 6).
//!
//! The GPU does not see the guest's tables but shadows of them, in which each entry leads to another
//! shadow or to a frame of the guest's that is pinned for as long as the entry is there. Where the guest
//! has nothing, or something that is not its memory, the shadow leads to a scratch page.
//!
//! A shadow belongs to a guest frame *and* to what that frame is: a frame that the guest uses as a page
//! table in one place and as a directory in another has two, and no entry of the one is ever taken for
//! one of the other (gvt-spec 12.1-1).
//!
//! # When a shadow follows its table
//!
//! The GPU reads tables when a context runs, so that is when a shadow must be right: before a submission
//! all tables that may have changed are read, a page at a time, and what differs is taken over
//! ([`Ppgtt::prepare`]). The guest's writes are trapped only to learn which tables those are. The first
//! write to a table since the last submission traps; it is noted, the trap is taken away, and what
//! follows costs nothing. So filling a table of 512 entries takes one exit rather than 512, a half
//! entry is nothing special, and it does not matter how wide writes are.
//!
//! A table that has changed for some submissions in a row is not trapped again but read every time,
//! until it comes to rest. And one that is full of nonsense has stopped being a table, though the guest
//! has not told: it is forgotten until something leads to it anew. Otherwise each write to what may now
//! be a busy page of data would trap for ever.

pub mod entry;
mod node;
mod set;
mod tables;

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

pub use tables::MAX_TABLES;

use crate::{
    addr::{
        Gfn,
        PAGE_SIZE, //
    },
    cmd::Flaw,
    ports::{
        GuestMemory,
        HostPpgtt,
        ShadowTable, //
    },
};
use entry::{
    root,
    Kind,
    Level, //
};
use tables::Tables;

/// What the shadows are made of.
pub trait World: GuestMemory + HostPpgtt {}

impl<T: GuestMemory + HostPpgtt + ?Sized> World for T {}

/// Why the shadows could not be made right.
enum Stop {
    /// There is no room for another table.
    Full,
    /// Memory is wanted back, and that has waited long enough.
    Pressed,
}

/// How a context addresses memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressing {
    /// 32 bits: four page directories.
    Legacy32,
    /// 48 bits: a table of four levels.
    Legacy48,
}

/// The tables of a context: what its registers with the root say, from PDP0 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// How it addresses memory.
    pub addressing: Addressing,
    /// The registers.
    pub pdps: [u64; 4],
}

impl Roots {
    /// The frames of the tables at the top. What is of no meaning is left out.
    fn frames(&self) -> [Option<Gfn>; 4] {
        match (self.addressing, self.pdps.map(root)) {
            (Addressing::Legacy48, [top, ..]) => [top, None, None, None],
            (Addressing::Legacy32, all) => all,
        }
    }

    fn kind(&self) -> Kind {
        Kind::Level(match self.addressing {
            Addressing::Legacy48 => Level::Top,
            Addressing::Legacy32 => Level::Directory,
        })
    }
}

/// The most address spaces of a vGPU that have shadows.
pub const MAX_SPACES: usize = 256;

/// An address space of the guest's.
struct Space {
    kind: Kind,
    frames: [Option<Gfn>; 4],
    /// The shadows at the top: number and table.
    tops: [Option<(u32, ShadowTable)>; 4],
    /// How many contexts that the GPU has use it.
    users: u32,
    /// When it was used last.
    stamp: u64,
    /// The guest has none any more; it goes with its last user.
    gone: bool,
    /// When it was made. If all shadows were taken away since, those at the top were kept for the contexts
    /// that the GPU has.
    epoch: u32,
}

/// All address spaces of a vGPU.
pub struct Ppgtt {
    tables: Tables,
    spaces: KVec<Space>,
    stamp: u64,
    /// How often all shadows were taken away.
    epoch: u32,
}

impl Ppgtt {
    /// None; page tables can have pages of 64 KiB or not.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(has_64k: bool) -> Result<Self> {
        Ok(Self {
            tables: Tables::new(has_64k)?,
            spaces: KVec::new(),
            stamp: 0,
            epoch: 0,
        })
    }

    /// Changes whenever all shadows are taken away: what [`prepare`](Self::prepare) returned before
    /// leads to scratch pages only.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// How many tables have shadows.
    pub fn tables(&self) -> usize {
        self.tables.count()
    }

    /// How many of them trap writes of the guest's.
    pub fn watched(&self) -> usize {
        self.tables.watched()
    }

    /// Whether page tables can have pages of 64 KiB. When that changes nothing of what was is right.
    pub fn set_64k<W: World + ?Sized>(&mut self, has_64k: bool, world: &mut W) {
        if self.tables.has_64k != has_64k {
            self.clear(world);
            self.tables.has_64k = has_64k;
        }
    }

    /// Makes the shadows of an address space right, and takes a use of it. Returns what the registers
    /// with the root are to be.
    ///
    /// # Errors
    ///
    /// [`Flaw::Root`] if there is no table at the top; [`Flaw::Memory`] if there is no room for the
    /// shadows, or if memory is [wanted back](HostPpgtt::is_pressed) before they are right.
    pub fn prepare<W: World + ?Sized>(
        &mut self,
        roots: &Roots,
        world: &mut W,
    ) -> Result<[u64; 4], Flaw> {
        let (kind, frames) = (roots.kind(), roots.frames());
        if frames.iter().all(Option::is_none) {
            return Err(Flaw::Root);
        }
        loop {
            let done = self
                .find_or_add(kind, frames, world)
                .and_then(|()| self.tables.sync(world));
            if world.is_interrupted() {
                // What could not be read or pinned may be there after all: nobody would look again.
                self.clear(world);
                return Err(Flaw::Memory);
            }
            match done {
                Ok(()) => break,
                Err(Stop::Full) if self.evict((kind, frames), world) => {}
                Err(_) => return Err(Flaw::Memory),
            }
        }
        self.stamp = self.stamp.wrapping_add(1);
        let stamp = self.stamp;
        let space = self.find(kind, &frames).ok_or(Flaw::Memory)?;
        space.users = space.users.checked_add(1).ok_or(Flaw::Memory)?;
        space.stamp = stamp;
        let (tops, kind) = (space.tops, space.kind);
        Ok(tops.map(|top| match (top, kind) {
            (Some((_, table)), _) => table.address,
            (None, Kind::Level(Level::Top)) => 0,
            (None, _) => world.scratch_table(Level::Directory),
        }))
    }

    /// The frame that a page of an address space leads to, as far as the GPU finds it: that of what was
    /// [prepared](Self::prepare) last.
    pub fn translate(&self, roots: &Roots, address: u64) -> Option<Gfn> {
        let page = address / PAGE_SIZE;
        let top = match roots.addressing {
            Addressing::Legacy48 => 0,
            // Two bits.
            Addressing::Legacy32 => page.checked_shr(18)? & 3,
        };
        let frames = roots.frames();
        let gfn = frames.get(usize::try_from(top).ok()?).copied().flatten()?;
        self.tables.walk(gfn, roots.kind(), page)
    }

    /// Gives a use of an address space back that was taken in this [epoch](Self::epoch).
    pub fn release<W: World + ?Sized>(&mut self, roots: &Roots, epoch: u32, world: &mut W) {
        let index = self.position(roots.kind(), &roots.frames(), epoch);
        let Some(space) = index.and_then(|index| self.spaces.get_mut(index)) else {
            return;
        };
        space.users = space.users.saturating_sub(1);
        if space.users == 0 && (space.gone || space.epoch != self.epoch) {
            self.remove(index.unwrap_or(usize::MAX), world);
        }
    }

    /// The guest says that it has an address space no more.
    pub fn destroy<W: World + ?Sized>(&mut self, roots: &Roots, world: &mut W) {
        let (kind, frames) = (roots.kind(), roots.frames());
        let Some(index) = self.position(kind, &frames, self.epoch) else {
            return;
        };
        if let Some(space) = self.spaces.get_mut(index) {
            space.gone = true;
            if space.users > 0 {
                return;
            }
        }
        self.remove(index, world);
    }

    /// The guest has written to a frame that is watched.
    pub fn written<W: World + ?Sized>(&mut self, gfn: Gfn, world: &mut W) {
        self.tables.written(gfn, world);
    }

    /// `count` frames from `first` on are no memory any more, and with them the watch is gone.
    pub fn removed(&mut self, first: u64, count: u64) {
        self.tables.removed(first, count);
    }

    /// Takes all shadows away: a context that the GPU still has finds scratch pages. No frame has a use
    /// any more afterwards, and the GPU has forgotten what it remembered.
    pub fn clear<W: World + ?Sized>(&mut self, world: &mut W) {
        for space in self.spaces.iter().filter(|space| space.users > 0) {
            if space.epoch == self.epoch {
                for (number, _) in space.tops.iter().flatten() {
                    self.tables.keep(*number);
                }
            }
        }
        self.tables.clear(world);
        self.spaces.retain(|space| space.users > 0);
        self.epoch = self.epoch.wrapping_add(1);
        world.forget_translations();
    }

    fn position(&self, kind: Kind, frames: &[Option<Gfn>; 4], epoch: u32) -> Option<usize> {
        self.spaces
            .iter()
            .position(|space| space.kind == kind && space.frames == *frames && space.epoch == epoch)
    }

    fn find(&mut self, kind: Kind, frames: &[Option<Gfn>; 4]) -> Option<&mut Space> {
        let index = self.position(kind, frames, self.epoch)?;
        self.spaces.get_mut(index)
    }

    fn find_or_add<W: World + ?Sized>(
        &mut self,
        kind: Kind,
        frames: [Option<Gfn>; 4],
        world: &mut W,
    ) -> Result<(), Stop> {
        if let Some(space) = self.find(kind, &frames) {
            // It came back before its last user had gone.
            space.gone = false;
            return Ok(());
        }
        if self.spaces.len() >= MAX_SPACES {
            return Err(Stop::Full);
        }
        let mut space = Space {
            kind,
            frames,
            tops: [None; 4],
            users: 0,
            stamp: 0,
            gone: false,
            epoch: self.epoch,
        };
        let mut result = Ok(());
        for (top, gfn) in space.tops.iter_mut().zip(frames) {
            let Some(gfn) = gfn else { continue };
            match self.tables.take(gfn, kind, world) {
                Ok(taken) => *top = Some(taken),
                Err(stop) => result = Err(stop),
            }
        }
        let tops = space.tops;
        if result.is_ok() && self.spaces.push(space, GFP_KERNEL_ACCOUNT).is_ok() {
            return Ok(());
        }
        for (number, _) in tops.into_iter().flatten() {
            self.tables.drop_use(number, world);
        }
        Err(Stop::Full)
    }

    /// Makes room: takes away what was not used for the longest time. False if there is nothing.
    fn evict<W: World + ?Sized>(&mut self, but: (Kind, [Option<Gfn>; 4]), world: &mut W) -> bool {
        let oldest = self
            .spaces
            .iter()
            .enumerate()
            .filter(|(_, space)| space.users == 0 && (space.kind, space.frames) != but)
            .min_by_key(|(_, space)| space.stamp);
        let Some((index, _)) = oldest else {
            return false;
        };
        self.remove(index, world);
        true
    }

    fn remove<W: World + ?Sized>(&mut self, index: usize, world: &mut W) {
        let Ok(space) = self.spaces.remove(index) else {
            return;
        };
        let mut tops = space.tops.into_iter().flatten();
        while let Some((number, table)) = tops.next() {
            if space.epoch == self.epoch {
                self.tables.drop_use(number, world);
                continue;
            }
            // Others may have been left with the same table at the top, and one can have it twice.
            let holds = |other: &Space| {
                let mut tops = other.tops.iter().flatten();
                other.epoch != self.epoch && tops.any(|(_, other)| *other == table)
            };
            let again = tops.clone().any(|(_, other)| other == table);
            if !again && !self.spaces.iter().any(holds) {
                world.free_table(table);
            }
        }
    }
}
