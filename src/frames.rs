// SPDX-License-Identifier: GPL-2.0

//! The pages of a guest that its virtual GPU uses: pinned and mapped for DMA once, however often.

use crate::vgpu::Vgpu;
use gvt_kapi::{
    i915::Gpu,
    page::PageRef,
    vfio::{
        pin::DmaPages,
        Session, //
    },
};
use gvt_model::{
    addr::{
        Gfn,
        Gpa,
        PAGE_SIZE, //
    },
    frames::{
        self,
        BLOCK, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};

/// For how long nothing is pinned after pages were taken away. VFIO looks at once whether any are
/// pinned again, and stops the whole machine if a guest manages to have it so ten times.
const PAUSE: Delta = Delta::from_millis(20);

/// Pages of a guest that lie side by side.
pub(crate) struct Pages(DmaPages<Vgpu, BLOCK>);

impl frames::Pages for Pages {
    fn pin(&mut self, index: usize) -> Result<u64> {
        self.0.pin(index)
    }

    #[inline]
    fn address(&self, index: usize) -> Option<u64> {
        self.0.address(index)
    }

    fn unpin(&mut self, index: usize) {
        self.0.unpin(index);
    }

    fn lose(&mut self, index: usize) {
        self.0.lose(index);
    }
}

/// Frames of guest memory that are pinned.
pub(crate) struct Frames {
    pub(crate) pinned: frames::Frames<Pages>,
    /// When pages were taken away last, if that may not be long ago.
    paused: Option<Instant<Monotonic>>,
}

impl Frames {
    /// None.
    pub(crate) fn new() -> Self {
        Self {
            pinned: frames::Frames::new(),
            paused: None,
        }
    }

    /// Takes a use of a frame, and returns the address that the GPU has for it.
    ///
    /// # Errors
    ///
    /// Those of [`frames::Frames::pin`], and of [`DmaPages`]; `EOVERFLOW` if it has too many uses.
    pub(crate) fn take(
        &mut self,
        session: &Arc<Session<Vgpu>>,
        gpu: &Arc<Gpu>,
        gfn: Gfn,
    ) -> Result<u64> {
        if let Some(address) = self.pinned.reuse(gfn) {
            return address;
        }
        self.wait_out_pause();
        self.pinned.pin(gfn, |iova| {
            DmaPages::new(session.clone(), gpu.clone(), iova).map(Pages)
        })
    }

    /// A reference to the page of a frame that has uses.
    ///
    /// # Errors
    ///
    /// `EINVAL` if it has none; `ENOMEM` if there are too many references to the page.
    pub(crate) fn share(&self, gfn: Gfn) -> Result<PageRef> {
        let (Pages(pages), index) = self.pinned.find_used(gfn).ok_or(EINVAL)?;
        pages.share(index).ok_or(ENOMEM)
    }

    /// The pages among which the one of this address is, if that is pinned, its place there, and which byte of it is meant.
    fn find(&self, gpa: Gpa) -> Option<(&DmaPages<Vgpu, BLOCK>, usize, usize)> {
        let (Pages(pages), index) = self.pinned.find(Gfn::new(gpa.raw() / PAGE_SIZE))?;
        let offset = usize::try_from(gpa.raw() % PAGE_SIZE).ok()?;
        Some((pages, index, offset))
    }

    /// Copies from guest memory, if all of it is in one frame that is pinned.
    pub(crate) fn read(&self, gpa: Gpa, data: &mut [u8]) -> bool {
        let found = self.find(gpa);
        found.is_some_and(|(pages, index, offset)| pages.read(index, offset, data))
    }

    /// Copies to guest memory, if all of it is in one frame that is pinned.
    pub(crate) fn write(&self, gpa: Gpa, data: &[u8]) -> bool {
        let found = self.find(gpa);
        found.is_some_and(|(pages, index, offset)| pages.write(index, offset, data))
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
}
