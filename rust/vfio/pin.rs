// SPDX-License-Identifier: GPL-2.0

//! Guest pages that stay where they are, and their addresses for the GPU.

use super::{
    Operations,
    Session, //
};
use crate::{
    bindings,
    i915::Gpu,
    page::PageRef, //
};
use core::ptr::NonNull;
use kernel::{
    error::to_result,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// A guest page that a GPU can use: it is pinned, and mapped for DMA.
///
/// # Invariants
///
/// The page of memory at I/O address `iova` is `page` and pinned through `session`, and `address` is its mapping for
/// `gpu`; both are undone in [`Drop`] only, and the mapping of what is `lost` not there.
pub struct DmaPage<T: Operations> {
    session: Arc<Session<T>>,
    gpu: Arc<Gpu>,
    iova: u64,
    page: NonNull<bindings::page>,
    address: u64,
    lost: bool,
}

// SAFETY: The page is a pinned one, of which only references are taken.
unsafe impl<T: Operations> Send for DmaPage<T> {}

// SAFETY: As above.
unsafe impl<T: Operations> Sync for DmaPage<T> {}

/// A page that is pinned, and not mapped.
struct Pinned<'a, T: Operations> {
    session: &'a Session<T>,
    iova: u64,
}

impl<T: Operations> Drop for Pinned<'_, T> {
    fn drop(&mut self) {
        let vdev = self.session.device.as_raw();
        // SAFETY: The page at `iova` is pinned; the device is open while the session lasts.
        unsafe { bindings::vfio_unpin_pages(vdev, self.iova, 1) };
    }
}

impl<T: Operations> DmaPage<T> {
    /// Pins the page at `iova`, a multiple of the page size, and maps it for reading and writing.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the driver has no [`Operations::dma_unmap`], or the page is not of memory: VFIO pins registers of
    ///   devices too, which have no references, and are not where the kernel has its memory.
    /// - `ENOMEM`.
    /// - Those of the container where no page is mapped, or the user's limit of locked memory is
    ///   reached.
    pub fn new(session: Arc<Session<T>>, gpu: Arc<Gpu>, iova: u64) -> Result<Self> {
        if !T::HAS_DMA_UNMAP {
            return Err(EINVAL);
        }
        let (pinned, page) = Self::pin(&session, iova)?;
        // SAFETY: The page is pinned.
        if !unsafe { bindings::gvt_helper_page_is_memory(page.as_ptr()) } {
            return Err(EINVAL);
        }
        let dev = core::ptr::from_ref(gpu.device()).cast_mut().cast();
        let direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
        // SAFETY: The device is bound, and the page is pinned for longer than the mapping lives.
        let address =
            unsafe { bindings::dma_map_page_attrs(dev, page.as_ptr(), 0, PAGE_SIZE, direction, 0) };
        // SAFETY: That is what it was mapped for just now.
        to_result(unsafe { bindings::gvt_helper_dma_mapping_error(dev, address) })?;
        core::mem::forget(pinned);
        // INVARIANT: The page is pinned and mapped, and nobody else undoes that.
        Ok(Self {
            session,
            gpu,
            iova,
            page,
            address,
            lost: false,
        })
    }

    fn pin(session: &Session<T>, iova: u64) -> Result<(Pinned<'_, T>, NonNull<bindings::page>)> {
        let vdev = session.device.as_raw();
        // CAST: Two small flags.
        let prot = (bindings::IOMMU_READ | bindings::IOMMU_WRITE) as i32;
        let mut page = core::ptr::null_mut();
        // SAFETY: The device is open while the session lasts; there is room for one pointer.
        let count = unsafe { bindings::vfio_pin_pages(vdev, iova, 1, prot, &mut page) };
        to_result(count.min(0))?;
        if count != 1 {
            return Err(EFAULT);
        }
        let pinned = Pinned { session, iova };
        Ok((pinned, NonNull::new(page).ok_or(EFAULT)?))
    }

    /// A reference to the page, which does not end with the pin; `None` if it has too many.
    pub fn share(&self) -> Option<PageRef> {
        // SAFETY: By the type invariant the page is pinned, so that it has references.
        unsafe { PageRef::try_new(self.page) }
    }

    /// Copies from the page, from byte `offset` of it on; false, and nothing is copied, if not all of that is in it. The
    /// page is there, so this neither waits nor fails, whatever the owner of the memory does.
    pub fn read(&self, offset: usize, data: &mut [u8]) -> bool {
        let inside = is_inside(offset, data.len());
        if inside {
            let (to, page) = (data.as_mut_ptr().cast(), self.page.as_ptr());
            // SAFETY: By the type invariant the page is pinned; all is in it, and in `data`.
            unsafe { bindings::gvt_helper_read_page(to, page, offset, data.len()) };
        }
        inside
    }

    /// Copies to the page, as [`read`](Self::read) does from it.
    pub fn write(&self, offset: usize, data: &[u8]) -> bool {
        let inside = is_inside(offset, data.len());
        if inside {
            let (page, from) = (self.page.as_ptr(), data.as_ptr().cast());
            // SAFETY: As for `read`; it is pinned for writing.
            unsafe { bindings::gvt_helper_write_page(page, offset, from, data.len()) };
        }
        inside
    }

    /// Keeps the page, and the address that the GPU uses, from others for ever: the GPU may still use it. Only the
    /// pin ends when this is dropped.
    pub fn lose(&mut self) {
        if !self.lost {
            // SAFETY: As for `share`; this is done once for a pin, and `lost` tells that it was.
            core::mem::forget(unsafe { PageRef::new(self.page) });
            self.lost = true;
        }
    }

    /// The address that the GPU uses.
    pub fn address(&self) -> u64 {
        self.address
    }
}

fn is_inside(offset: usize, length: usize) -> bool {
    offset
        .checked_add(length)
        .is_some_and(|end| end <= PAGE_SIZE)
}

impl<T: Operations> Drop for DmaPage<T> {
    fn drop(&mut self) {
        let dev = core::ptr::from_ref(self.gpu.device()).cast_mut().cast();
        let direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
        if !self.lost {
            // SAFETY: By the type invariant this is a mapping of that device, of one page.
            unsafe { bindings::dma_unmap_page_attrs(dev, self.address, PAGE_SIZE, direction, 0) };
        }
        // By the type invariant it is pinned.
        drop(Pinned {
            session: &*self.session,
            iova: self.iova,
        });
    }
}
