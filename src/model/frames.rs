// SPDX-License-Identifier: GPL-2.0

//! Which frames of a guest the GPU can use: some for uses that they have, others until it has forgotten them.
//!
//! A frame is pinned once, however many entries of page tables lead to it. When none does any more the GPU may still
//! remember where it was, so it stays until the GPU has forgotten all that it remembers; to have it do that takes long, and
//! is done for many frames at once.
//!
//! Guests have their memory in long pieces. So frames that lie side by side are kept together: there is one node in the
//! tree for sixteen, and most searches end where the one before did.

use core::ops::Range;

use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    rbtree::RBTree, //
};

use crate::addr::{
    Gfn,
    PAGE_SIZE, //
};

/// How many frames are kept together: those of a page of 64 KiB.
pub const BLOCK: usize = 16;
/// The same, as a number of frames.
const PER_BLOCK: u64 = 16;

/// How many frames may wait for the GPU to forget them. That is for each engine to say, whether the GGTT led there or page
/// tables: what makes the GPU look at the GGTT anew does not reach engines that have looked already.
pub const MAX_STALE: usize = 8192;

/// [`BLOCK`] pages of a guest that lie side by side, those of which that are pinned the GPU can use. When this is dropped
/// none is any more.
pub trait Pages {
    /// Pins a page that is not pinned, and returns the address that the GPU has for it.
    ///
    /// # Errors
    ///
    /// Whatever keeps the page from being used.
    fn pin(&mut self, index: usize) -> Result<u64>;

    /// The address that the GPU has for a page; `None` if it is not pinned.
    fn address(&self, index: usize) -> Option<u64>;

    /// Ends a pin, if there is one. The GPU does not use the page.
    fn unpin(&mut self, index: usize);

    /// Ends a pin, if there is one, so that nobody else gets the page: the GPU may still use it.
    fn lose(&mut self, index: usize);
}

/// Frames of guest memory that are pinned.
pub struct Frames<P> {
    /// By their number. Each has a frame that is pinned.
    blocks: RBTree<u64, Block<P>>,
    /// How many frames have uses.
    used: usize,
    /// How many have none.
    stale: usize,
    /// The first and the last block of the list of those that may have frames without uses.
    waiting: Option<(u64, u64)>,
}

/// Frames that lie side by side.
struct Block<P> {
    pages: P,
    uses: [u32; BLOCK],
    /// Whether it is in the list, and which is behind it there: to get in takes no memory.
    waits: bool,
    next: Option<u64>,
}

/// In which block a frame is, and where in it.
fn place(gfn: Gfn) -> (u64, usize) {
    let index = usize::try_from(gfn.raw() % PER_BLOCK);
    (gfn.raw() / PER_BLOCK, index.unwrap_or(BLOCK))
}

/// What has to do with a range of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Nothing.
    Nowhere,
    /// What the GPU may still remember, though nothing leads there.
    Remembered,
    /// A frame that has uses.
    InUse,
}

impl<P> Default for Frames<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> Frames<P> {
    /// None.
    pub fn new() -> Self {
        Self {
            blocks: RBTree::new(),
            used: 0,
            stale: 0,
            waiting: None,
        }
    }

    /// How many have uses.
    pub fn count(&self) -> usize {
        self.used
    }

    /// Whether some frame is not forgotten yet.
    pub fn wait(&self) -> bool {
        self.stale > 0
    }
}

impl<P: Pages> Frames<P> {
    /// Takes a use of a frame that is pinned, and returns the address that the GPU has for it; `None` if it is not.
    ///
    /// # Errors
    ///
    /// `EOVERFLOW` if it has too many uses.
    pub fn reuse(&mut self, gfn: Gfn) -> Option<Result<u64>> {
        let (number, index) = place(gfn);
        let block = self.blocks.get_mut(&number)?;
        let address = block.pages.address(index)?;
        let uses = block.uses.get_mut(index)?;
        let Some(more) = uses.checked_add(1) else {
            return Some(Err(EOVERFLOW));
        };
        if *uses == 0 {
            self.used = self.used.saturating_add(1);
            self.stale = self.stale.saturating_sub(1);
        }
        *uses = more;
        Some(Ok(address))
    }

    /// Takes the first use of a frame that is not pinned, and returns the address that the GPU has for it. `pages` makes
    /// those from an address of the guest's on.
    ///
    /// # Errors
    ///
    /// Those of `pages` and of [`Pages::pin`]; `ENOMEM`; `EFAULT` if there can be no such frame.
    pub fn pin(&mut self, gfn: Gfn, pages: impl FnOnce(u64) -> Result<P>) -> Result<u64> {
        let (number, index) = place(gfn);
        let address;
        if let Some(block) = self.blocks.get_mut(&number) {
            let uses = block.uses.get_mut(index).ok_or(EFAULT)?;
            if block.pages.address(index).is_some() {
                // Its uses are not to be lost.
                return Err(EFAULT);
            }
            address = block.pages.pin(index)?;
            *uses = 1;
        } else {
            let size = PAGE_SIZE.saturating_mul(PER_BLOCK);
            let first = number.checked_mul(size).ok_or(EFAULT)?;
            let mut block = Block {
                pages: pages(first)?,
                uses: [0; BLOCK],
                waits: false,
                next: None,
            };
            *block.uses.get_mut(index).ok_or(EFAULT)? = 1;
            address = block.pages.pin(index)?;
            self.blocks
                .try_create_and_insert(number, block, GFP_KERNEL_ACCOUNT)?;
        }
        self.used = self.used.saturating_add(1);
        Ok(address)
    }

    /// The pages among which a frame is, if that is pinned, and its place there.
    pub fn find(&self, gfn: Gfn) -> Option<(&P, usize)> {
        let (number, index) = place(gfn);
        let pages = &self.blocks.get(&number)?.pages;
        pages.address(index).map(|_| (pages, index))
    }

    /// As [`find`](Self::find), if the frame has uses.
    pub fn find_used(&self, gfn: Gfn) -> Option<(&P, usize)> {
        let (number, index) = place(gfn);
        let block = self.blocks.get(&number)?;
        let is_used = block.uses.get(index).is_some_and(|uses| *uses > 0);
        is_used.then_some((&block.pages, index))
    }

    /// Gives a use back. A frame without uses stays where it is until it is forgotten; true if that should
    /// be at once, because many wait. If the GPU does not forget them it is asked again when there are as many more.
    pub fn release(&mut self, gfn: Gfn) -> bool {
        let (number, index) = place(gfn);
        let Some(block) = self.blocks.get_mut(&number) else {
            return false;
        };
        let Some(uses) = block.uses.get_mut(index).filter(|uses| **uses > 0) else {
            return false;
        };
        *uses = uses.saturating_sub(1);
        if *uses > 0 {
            return false;
        }
        self.used = self.used.saturating_sub(1);
        self.stale = self.stale.saturating_add(1);
        if !core::mem::replace(&mut block.waits, true) {
            self.append(number);
        }
        self.stale.checked_rem(MAX_STALE) == Some(0)
    }

    /// Puts a block at the end of the list: they are let go of in the order in which they lie, as far as they were given
    /// back in it, which is quicker by a quarter.
    fn append(&mut self, number: u64) {
        let first = match self.waiting {
            Some((first, last)) => {
                if let Some(last) = self.blocks.get_mut(&last) {
                    last.next = Some(number);
                }
                first
            }
            None => number,
        };
        self.waiting = Some((first, number));
    }

    /// Lets go of all frames without uses: the GPU has forgotten all translations.
    pub fn forget(&mut self) {
        self.settle(P::unpin);
    }

    /// Lets go of all frames without uses, though the GPU does not forget them.
    pub fn abandon(&mut self) {
        self.settle(P::lose);
    }

    fn settle(&mut self, end: impl Fn(&mut P, usize)) {
        let mut next = self.waiting.take().map(|(first, _)| first);
        while let Some(number) = next {
            let Some(block) = self.blocks.get_mut(&number) else {
                break;
            };
            next = block.next.take();
            block.waits = false;
            let mut is_empty = true;
            for (index, uses) in block.uses.iter().enumerate() {
                if *uses == 0 {
                    end(&mut block.pages, index);
                } else {
                    is_empty = false;
                }
            }
            if is_empty {
                self.blocks.remove(&number);
            }
        }
        self.stale = 0;
    }

    /// Lets go of all frames: no entry points at any, and the GPU has forgotten where they led, or never will.
    pub fn clear(&mut self, forgotten: bool) {
        if !forgotten {
            for block in self.blocks.values_mut() {
                for index in 0..BLOCK {
                    block.pages.lose(index);
                }
            }
        }
        *self = Self::new();
    }

    /// What has to do with the frames in `gone`.
    pub fn touch(&self, gone: &Range<u64>) -> Touched {
        let mut touched = Touched::Nowhere;
        let (mut first, _) = place(Gfn::new(gone.start));
        while let Some(cursor) = self.blocks.cursor_lower_bound(&first) {
            let (number, block) = cursor.current();
            let start = number.saturating_mul(PER_BLOCK);
            if start >= gone.end {
                break;
            }
            for ((index, uses), gfn) in block.uses.iter().enumerate().zip(start..) {
                if !gone.contains(&gfn) || block.pages.address(index).is_none() {
                    continue;
                }
                if *uses > 0 {
                    return Touched::InUse;
                }
                touched = Touched::Remembered;
            }
            first = number.saturating_add(1);
        }
        touched
    }
}
