// SPDX-License-Identifier: GPL-2.0

//! Guest pages that stay where they are, and their addresses for the GPU.

use super::{
    Opened,
    Operations, //
};
use crate::bindings;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    device::{
        Bound,
        Device, //
    },
    error::to_result,
    prelude::*,
    sync::aref::ARef, //
};

/// The most pages that are pinned in one go: a large page of 2 MiB.
pub const MAX_PAGES: usize = 512;

/// Pages of the guest that stay where they are until this is dropped.
///
/// # Invariants
///
/// `pages` are pinned, in this order, from I/O address `iova` on, through `device`, which is open.
pub struct PinnedPages<'a, T: Operations> {
    device: &'a Opened<'a, T>,
    iova: u64,
    pages: KVec<*mut bindings::page>,
}

impl<'a, T: Operations> PinnedPages<'a, T> {
    /// Pins `count` pages from `iova` on for reading and writing. `iova` is a multiple of the page
    /// size.
    ///
    /// # Errors
    ///
    /// - `EINVAL` if `count` is 0 or above [`MAX_PAGES`], or if the driver has no [`Operations::dma_unmap`].
    /// - `ENOMEM`.
    /// - Those of the container where a page is not mapped, or the user's limit of locked memory is reached.
    pub fn new(device: &'a Opened<'a, T>, iova: u64, count: usize) -> Result<Self> {
        if !T::HAS_DMA_UNMAP || count == 0 || count > MAX_PAGES {
            return Err(EINVAL);
        }
        let mut pages = KVec::from_elem(core::ptr::null_mut(), count, GFP_KERNEL_ACCOUNT)?;
        let wanted = i32::try_from(count)?;
        // CAST: Two small flags.
        let prot = (bindings::IOMMU_READ | bindings::IOMMU_WRITE) as i32;
        let slots = pages.as_mut_ptr();
        // SAFETY: The device is open, and `slots` has room for `count` pointers.
        let pinned =
            unsafe { bindings::vfio_pin_pages(device.as_raw(), iova, wanted, prot, slots) };
        if pinned == wanted {
            // INVARIANT: All of them are pinned.
            return Ok(Self {
                device,
                iova,
                pages,
            });
        }
        if pinned > 0 {
            // SAFETY: So many pages from `iova` on were pinned just now.
            unsafe { bindings::vfio_unpin_pages(device.as_raw(), iova, pinned) };
        }
        to_result(pinned.min(0))?;
        Err(EFAULT)
    }

    /// Maps the page with this number for the device `gpu`, for reading and writing.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there are fewer pages; `ENOMEM` if the mapping fails.
    pub fn map(&self, number: usize, gpu: &Device<Bound>) -> Result<DmaMapping<'_>> {
        DmaMapping::new(*self.pages.get(number).ok_or(EINVAL)?, gpu)
    }
}

impl<T: Operations> Drop for PinnedPages<'_, T> {
    fn drop(&mut self) {
        // CAST: `new` refuses more than `MAX_PAGES`.
        let count = self.pages.len() as i32;
        // SAFETY: By the type invariant these pages are pinned, and the device is still open.
        unsafe { bindings::vfio_unpin_pages(self.device.as_raw(), self.iova, count) };
    }
}

/// The address of one pinned page for a device.
///
/// # Invariants
///
/// `address` was given by `dma_map_page_attrs()` for `gpu`, and is unmapped in [`Drop`] only.
pub struct DmaMapping<'a> {
    gpu: ARef<Device>,
    address: u64,
    _page: core::marker::PhantomData<&'a ()>,
}

impl DmaMapping<'_> {
    fn new(page: *mut bindings::page, gpu: &Device<Bound>) -> Result<Self> {
        let dev = core::ptr::from_ref(gpu).cast_mut().cast();
        let direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
        // SAFETY: `dev` is bound, and `page` is pinned for longer than the mapping lives.
        let address = unsafe {
            bindings::dma_map_page_attrs(dev, page, 0, kernel::page::PAGE_SIZE, direction, 0)
        };
        // What `dma_mapping_error()` compares with.
        if address == u64::MAX {
            return Err(ENOMEM);
        }
        let gpu: &Device = gpu;
        Ok(Self {
            gpu: gpu.into(),
            address,
            _page: core::marker::PhantomData,
        })
    }

    /// The address that the device uses.
    pub fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for DmaMapping<'_> {
    fn drop(&mut self) {
        let dev = core::ptr::from_ref::<Device>(&self.gpu).cast_mut().cast();
        let direction = bindings::dma_data_direction::DMA_BIDIRECTIONAL;
        // SAFETY: By the type invariant this is a mapping of that device and of this size.
        unsafe {
            bindings::dma_unmap_page_attrs(dev, self.address, kernel::page::PAGE_SIZE, direction, 0)
        };
    }
}
