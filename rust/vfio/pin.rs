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
    num::casts::FromSafeCast,
    page::PAGE_SIZE,
    prelude::*,
    sync::Arc, //
};

/// `COUNT` pages of a guest that lie side by side, those of which that are pinned and mapped for DMA, so that a GPU can use
/// them.
///
/// # Invariants
///
/// The page of memory at I/O address `iova` plus `index` pages is the one in `pages[index]`, if there is one there. It is
/// pinned once through `session`, and its address is its mapping for `gpu`. Nobody else undoes that.
pub struct DmaPages<T: Operations, const COUNT: usize> {
    session: Arc<Session<T>>,
    gpu: Arc<Gpu>,
    iova: u64,
    pages: [Option<Mapped>; COUNT],
}

/// A page that is pinned, and its mapping.
#[derive(Clone, Copy)]
struct Mapped {
    page: NonNull<bindings::page>,
    address: u64,
}

// SAFETY: The pages are pinned ones, of which only references are taken.
unsafe impl Send for Mapped {}

// SAFETY: As above.
unsafe impl Sync for Mapped {}

/// A page that is pinned, and not mapped.
struct Pinned<'a, T: Operations> {
    session: &'a Session<T>,
    iova: u64,
}

impl<T: Operations> Drop for Pinned<'_, T> {
    fn drop(&mut self) {
        let vdev = self.session.device.as_raw();
        // One by one, as they were pinned: iommufd ends only what was begun.
        // SAFETY: The page at `iova` is pinned; the device is open while the session lasts.
        unsafe { bindings::vfio_unpin_pages(vdev, self.iova, 1) };
    }
}

impl<T: Operations, const COUNT: usize> DmaPages<T, COUNT> {
    /// None of the pages from `iova` on, a multiple of the page size.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the driver has no [`Operations::dma_unmap`].
    pub fn new(session: Arc<Session<T>>, gpu: Arc<Gpu>, iova: u64) -> Result<Self> {
        if !T::HAS_DMA_UNMAP {
            return Err(EINVAL);
        }
        // INVARIANT: There is no page yet.
        Ok(Self {
            session,
            gpu,
            iova,
            pages: [None; COUNT],
        })
    }

    /// Pins a page, unless it is, and maps it for reading and writing. Returns the address that the GPU uses.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if the page is not of memory: VFIO pins registers of devices too, which have no references, and are not
    ///   where the kernel has its memory.
    /// - `EFAULT` if `index` is not below `COUNT`, or there are no such addresses.
    /// - `ENOMEM`.
    /// - Those of the container where no page is mapped, or the user's limit of locked memory is
    ///   reached.
    pub fn pin(&mut self, index: usize) -> Result<u64> {
        let place = self.pages.get_mut(index).ok_or(EFAULT)?;
        if let Some(mapped) = place {
            return Ok(mapped.address);
        }
        let iova = iova_of(self.iova, index).ok_or(EFAULT)?;
        let (pinned, page) = pin(&self.session, iova)?;
        // SAFETY: The page is pinned.
        if !unsafe { bindings::gvt_helper_page_is_memory(page.as_ptr()) } {
            return Err(EINVAL);
        }
        let dev = core::ptr::from_ref(self.gpu.device()).cast_mut().cast();
        let direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
        // SAFETY: The device is bound, and the page is pinned for longer than the mapping lives.
        let address =
            unsafe { bindings::dma_map_page_attrs(dev, page.as_ptr(), 0, PAGE_SIZE, direction, 0) };
        // SAFETY: That is what it was mapped for just now.
        to_result(unsafe { bindings::gvt_helper_dma_mapping_error(dev, address) })?;
        core::mem::forget(pinned);
        // INVARIANT: The page is pinned and mapped, and nobody else undoes that.
        *place = Some(Mapped { page, address });
        Ok(address)
    }

    /// Ends the pin of a page and its mapping, if it is pinned. The GPU must not use it any more.
    pub fn unpin(&mut self, index: usize) {
        let Some(mapped) = self.take(index) else {
            return;
        };
        let dev = core::ptr::from_ref(self.gpu.device()).cast_mut().cast();
        let direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
        // SAFETY: By the type invariant this was a mapping of that device, of one page; it is in no place any more.
        unsafe { bindings::dma_unmap_page_attrs(dev, mapped.address, PAGE_SIZE, direction, 0) };
        self.end_pin(index);
    }

    /// Ends the pin of a page, if it is pinned, but keeps the page itself and the address that the GPU uses from others
    /// for ever: the GPU may still use it.
    pub fn lose(&mut self, index: usize) {
        let Some(mapped) = self.take(index) else {
            return;
        };
        // SAFETY: The page is pinned, so that it has references; this is done once for a pin.
        core::mem::forget(unsafe { PageRef::new(mapped.page) });
        self.end_pin(index);
    }

    fn take(&mut self, index: usize) -> Option<Mapped> {
        self.pages.get_mut(index)?.take()
    }

    /// Ends the pin of a page that was [taken](Self::take) just now.
    fn end_pin(&self, index: usize) {
        if let Some(iova) = iova_of(self.iova, index) {
            // By the type invariant it was pinned.
            drop(Pinned {
                session: &*self.session,
                iova,
            });
        }
    }

    fn mapped(&self, index: usize) -> Option<&Mapped> {
        self.pages.get(index)?.as_ref()
    }

    /// The address that the GPU uses for a page; `None` if it is not pinned.
    #[inline]
    pub fn address(&self, index: usize) -> Option<u64> {
        self.mapped(index).map(|mapped| mapped.address)
    }

    /// A reference to a page, which does not end with the pin; `None` if it is not pinned, or has too many.
    pub fn share(&self, index: usize) -> Option<PageRef> {
        let page = self.mapped(index)?.page;
        // SAFETY: By the type invariant the page is pinned, so that it has references.
        unsafe { PageRef::try_new(page) }
    }

    /// Copies from a page, from byte `offset` of it on; false, and nothing is copied, if it is not pinned, or not all of
    /// that is in it. The page is there, so this neither waits nor fails, whatever the owner of the memory does.
    pub fn read(&self, index: usize, offset: usize, data: &mut [u8]) -> bool {
        let mapped = self.mapped(index);
        let Some(mapped) = mapped.filter(|_| is_inside(offset, data.len())) else {
            return false;
        };
        let (to, page) = (data.as_mut_ptr().cast(), mapped.page.as_ptr());
        // SAFETY: By the type invariant the page is pinned; all is in it, and in `data`.
        unsafe { bindings::gvt_helper_read_page(to, page, offset, data.len()) };
        true
    }

    /// Copies to a page, as [`read`](Self::read) does from it.
    pub fn write(&self, index: usize, offset: usize, data: &[u8]) -> bool {
        let mapped = self.mapped(index);
        let Some(mapped) = mapped.filter(|_| is_inside(offset, data.len())) else {
            return false;
        };
        let (page, from) = (mapped.page.as_ptr(), data.as_ptr().cast());
        // SAFETY: As for `read`; it is pinned for writing.
        unsafe { bindings::gvt_helper_write_page(page, offset, from, data.len()) };
        true
    }
}

fn pin<T: Operations>(
    session: &Session<T>,
    iova: u64,
) -> Result<(Pinned<'_, T>, NonNull<bindings::page>)> {
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

#[inline]
fn iova_of(first: u64, index: usize) -> Option<u64> {
    let offset = index.checked_mul(PAGE_SIZE)?;
    first.checked_add(u64::from_safe_cast(offset))
}

fn is_inside(offset: usize, length: usize) -> bool {
    offset
        .checked_add(length)
        .is_some_and(|end| end <= PAGE_SIZE)
}

impl<T: Operations, const COUNT: usize> Drop for DmaPages<T, COUNT> {
    fn drop(&mut self) {
        for index in 0..COUNT {
            self.unpin(index);
        }
    }
}
