// SPDX-License-Identifier: GPL-2.0

//! The pages of a guest that its virtual GPU uses: pinned and mapped for DMA once, however often.

use crate::vgpu::Vgpu;
use core::ops::Range;
use gvt_kapi::{
    i915::Gpu,
    page::PageRef,
    vfio::{
        pin::DmaPage,
        Session, //
    },
};
use gvt_model::addr::{
    Gfn,
    Gpa,
    PAGE_SIZE, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*,
    rbtree::{
        RBTree,
        RBTreeNode, //
    },
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};

/// How many pages may wait for the GPU to forget them. To have it forget takes long, and that is for each engine to
/// say, whether the GGTT led there or page tables: what makes it look at the GGTT anew does not reach those that have
/// looked already.
const MAX_STALE: usize = 8192;

/// For how long nothing is pinned after pages were taken away. VFIO looks at once whether any are
/// pinned again, and stops the whole machine if a guest manages to have it so ten times.
const PAUSE: Delta = Delta::from_millis(20);

/// Frames of guest memory that are pinned, each in one of these by its number.
pub(crate) struct Frames {
    /// Those that have uses.
    used: RBTree<Gfn, Frame>,
    /// Those without uses, of which the GPU may still remember the address.
    stale: Waiting,
    /// When pages were taken away last, if that may not be long ago.
    paused: Option<Instant<Monotonic>>,
}

struct Frame {
    page: DmaPage<Vgpu>,
    uses: usize,
}

/// Frames without uses, until the GPU has forgotten them.
struct Waiting {
    frames: RBTree<Gfn, Frame>,
    count: usize,
}

impl Waiting {
    fn new() -> Self {
        Self {
            frames: RBTree::new(),
            count: 0,
        }
    }

    fn add(&mut self, node: RBTreeNode<Gfn, Frame>) {
        if self.frames.insert(node).is_none() {
            self.count = self.count.saturating_add(1);
        }
    }

    fn take(&mut self, gfn: Gfn) -> Option<RBTreeNode<Gfn, Frame>> {
        let found = self.frames.find_mut(&gfn)?;
        self.count = self.count.saturating_sub(1);
        Some(found.remove_node())
    }
}

impl Frames {
    /// None.
    pub(crate) fn new() -> Self {
        Self {
            used: RBTree::new(),
            stale: Waiting::new(),
            paused: None,
        }
    }

    /// Takes a use of a frame, and returns the address that the GPU has for it.
    ///
    /// # Errors
    ///
    /// Those of [`DmaPage::new`]; `EFAULT` if there can be no such frame.
    pub(crate) fn take(
        &mut self,
        session: &Arc<Session<Vgpu>>,
        gpu: &Arc<Gpu>,
        gfn: Gfn,
    ) -> Result<u64> {
        if let Some(address) = self.take_again(gfn) {
            return address;
        }
        if let Some(node) = self.stale.take(gfn) {
            self.used.insert(node);
            if let Some(address) = self.take_again(gfn) {
                return address;
            }
        }
        self.wait_out_pause();
        let iova = gfn.raw().checked_mul(PAGE_SIZE).ok_or(EFAULT)?;
        let page = DmaPage::new(session.clone(), gpu.clone(), iova)?;
        let address = page.address();
        let frame = Frame { page, uses: 1 };
        self.used
            .try_create_and_insert(gfn, frame, GFP_KERNEL_ACCOUNT)?;
        Ok(address)
    }

    /// Takes one more use of a frame that has some, or had.
    fn take_again(&mut self, gfn: Gfn) -> Option<Result<u64>> {
        let frame = self.used.get_mut(&gfn)?;
        let Some(uses) = frame.uses.checked_add(1) else {
            return Some(Err(EOVERFLOW));
        };
        frame.uses = uses;
        Some(Ok(frame.page.address()))
    }

    /// How many have uses.
    pub(crate) fn count(&self) -> usize {
        self.used.iter().count()
    }

    /// A reference to the page of a frame that has uses.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it has no uses; `ENOMEM` if there are too many references to the page.
    pub(crate) fn share(&self, gfn: Gfn) -> Result<PageRef> {
        let frame = self.used.get(&gfn).ok_or(EINVAL)?;
        frame.page.share().ok_or(ENOMEM)
    }

    /// The page of a frame that has uses, and which byte of it is at this address.
    fn place(&self, gpa: Gpa) -> Option<(&DmaPage<Vgpu>, usize)> {
        let frame = self.used.get(&Gfn::new(gpa.raw() / PAGE_SIZE))?;
        let offset = usize::try_from(gpa.raw() % PAGE_SIZE).ok()?;
        Some((&frame.page, offset))
    }

    /// Copies from guest memory, if all of it is in one frame that has uses.
    pub(crate) fn read(&self, gpa: Gpa, data: &mut [u8]) -> bool {
        let place = self.place(gpa);
        place.is_some_and(|(page, offset)| page.read(offset, data))
    }

    /// Copies to guest memory, if all of it is in one frame that has uses.
    pub(crate) fn write(&self, gpa: Gpa, data: &[u8]) -> bool {
        let place = self.place(gpa);
        place.is_some_and(|(page, offset)| page.write(offset, data))
    }

    /// Pages are taken away: pins no others for a moment.
    pub(crate) fn pause(&mut self) {
        self.paused = Some(Instant::now());
    }

    fn wait_out_pause(&mut self) {
        let passed = self.paused.take().map_or(PAUSE, |since| since.elapsed());
        let left = PAUSE.as_nanos().saturating_sub(passed.as_nanos());
        if left > 0 {
            fsleep(Delta::from_nanos(left));
        }
    }

    /// Gives a use back. A frame without uses stays where it is until it is forgotten; true if that should
    /// be at once, because many wait. If the GPU does not forget them it is asked again when there are as many more.
    pub(crate) fn release(&mut self, gfn: Gfn) -> bool {
        let Some(mut entry) = self.used.find_mut(&gfn) else {
            return false;
        };
        let frame = entry.get_mut();
        frame.uses = frame.uses.saturating_sub(1);
        if frame.uses > 0 {
            return false;
        }
        self.stale.add(entry.remove_node());
        self.stale.count.checked_rem(MAX_STALE) == Some(0)
    }

    /// Lets go of all frames without uses: the GPU has forgotten all translations.
    pub(crate) fn forget(&mut self) {
        self.stale = Waiting::new();
    }

    /// Lets go of all frames: no entry points at any, and the GPU has forgotten where they led, or never will.
    pub(crate) fn clear(&mut self, forgotten: bool) {
        if !forgotten {
            lose(&mut self.used);
            self.abandon();
        }
        self.used = RBTree::new();
        self.forget();
    }

    /// Lets go of all frames without uses, though the GPU does not forget them.
    pub(crate) fn abandon(&mut self) {
        lose(&mut self.stale.frames);
        self.forget();
    }

    /// Whether some frame is not forgotten yet.
    pub(crate) fn wait(&self) -> bool {
        self.stale.count > 0
    }

    /// Whether a frame in `gone` is in use, and whether one is not forgotten yet.
    pub(crate) fn touch(&self, gone: &Range<u64>) -> (bool, bool) {
        let has = |frames: &RBTree<Gfn, Frame>| {
            let first = frames.cursor_lower_bound(&Gfn::new(gone.start));
            first.is_some_and(|cursor| gone.contains(&cursor.current().0.raw()))
        };
        (has(&self.used), has(&self.stale.frames))
    }
}

/// Keeps pages, and their addresses for the GPU, from others for ever: the GPU may still reach them.
fn lose(frames: &mut RBTree<Gfn, Frame>) {
    for (_, frame) in frames.iter_mut() {
        frame.page.lose();
    }
}
