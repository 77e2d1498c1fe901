// SPDX-License-Identifier: GPL-2.0

//! Buffers that other devices, other processes and the kernel can use: an exporter of dma-bufs.
//!
//! C header: `include/linux/dma-buf.h`

use crate::{
    bindings,
    page::PageRef, //
};
use core::ptr::NonNull;
use kernel::{
    error::{
        from_err_ptr,
        from_result,
        to_result, //
    },
    page::PAGE_SIZE,
    prelude::*,
    types::ForeignOwnable, //
};

/// The pages of a buffer. They stay what they are until the last user of the buffer is gone, who may
/// outlive the device, the machine and the process that the buffer was made for.
struct Buffer {
    pages: KVVec<PageRef>,
}

/// Makes a dma-buf of pages, and a descriptor for it in the current process: close-on-exec.
///
/// Its pictures can be read only: who maps it into memory cannot write.
///
/// # Errors
///
/// `EINVAL` without pages; `ENOMEM`; `EMFILE`, `ENFILE`.
pub fn export(pages: KVVec<PageRef>, owner: &'static ThisModule) -> Result<i32> {
    if pages.is_empty() {
        return Err(EINVAL);
    }
    let size = pages.len().checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
    // CAST: Two flags that are positive.
    let flags = (bindings::O_RDWR | bindings::O_CLOEXEC) as i32;
    let buffer = KBox::new(Buffer { pages }, GFP_KERNEL_ACCOUNT)?.into_foreign();
    let info = bindings::dma_buf_export_info {
        exp_name: c"kvmgt".as_char_ptr(),
        owner: owner.as_ptr(),
        ops: &OPS,
        size,
        flags,
        resv: core::ptr::null_mut(),
        priv_: buffer,
    };
    // SAFETY: `info` is complete; the operations are those of buffers as `priv` is one.
    let exported = from_err_ptr(unsafe { bindings::dma_buf_export(&info) });
    let dmabuf = exported.inspect_err(|_| {
        // SAFETY: Nothing took the buffer.
        drop(unsafe { KBox::<Buffer>::from_foreign(buffer) });
    })?;
    // SAFETY: `dmabuf` is valid, and its one reference is ours: it goes to the descriptor.
    let descriptor = unsafe { bindings::dma_buf_fd(dmabuf, flags) };
    to_result(descriptor.min(0)).inspect_err(|_| {
        // SAFETY: No descriptor took the reference.
        unsafe { bindings::dma_buf_put(dmabuf) };
    })?;
    Ok(descriptor)
}

static OPS: bindings::dma_buf_ops = bindings::dma_buf_ops {
    map_dma_buf: Some(map_dma_buf),
    unmap_dma_buf: Some(unmap_dma_buf),
    release: Some(release),
    mmap: Some(mmap),
    vmap: Some(vmap),
    vunmap: Some(vunmap),
    ..pin_init::zeroed()
};

impl Buffer {
    /// The buffer of a dma-buf.
    ///
    /// # Safety
    ///
    /// `dmabuf` must be valid for as long as the result is used, and made by [`export()`].
    unsafe fn of<'a>(dmabuf: *mut bindings::dma_buf) -> &'a Self {
        // SAFETY: By the requirement of this function.
        let buffer = unsafe { (*dmabuf).priv_ };
        // SAFETY: `export` put it there, and it is taken away by `release` only.
        unsafe { KBox::<Self>::borrow(buffer) }
    }

    fn count(&self) -> Result<u32> {
        Ok(u32::try_from(self.pages.len())?)
    }

    /// Maps the pages for a device.
    ///
    /// # Safety
    ///
    /// `device` must be valid, and whoever calls undoes this before it goes.
    unsafe fn map_for(
        &self,
        device: *mut bindings::device,
        direction: bindings::dma_data_direction,
    ) -> Result<NonNull<bindings::sg_table>> {
        let mut table = KBox::new(bindings::sg_table::default(), GFP_KERNEL)?;
        let (pages, count) = (PageRef::pointers(&self.pages), self.count()?);
        let size = self.pages.len().checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
        // SAFETY: The device is valid by the requirement of this function.
        let segment = match unsafe { bindings::dma_max_mapping_size(device) } {
            // It has no say.
            0 => u32::MAX,
            most => u32::try_from(most).unwrap_or(u32::MAX),
        };
        // CAST: The types are the same.
        let size = size as kernel::ffi::c_ulong;
        let flags = bindings::GFP_KERNEL;
        // SAFETY: There are so many valid pointers to pages, and the table is ours.
        to_result(unsafe {
            bindings::sg_alloc_table_from_pages_segment(
                &mut *table,
                pages,
                count,
                0,
                size,
                segment,
                flags,
            )
        })?;
        // SAFETY: The device is valid by the requirement of this function, the table was made just
        // now.
        let mapped = unsafe { bindings::dma_map_sgtable(device, &mut *table, direction, 0) };
        if let Err(error) = to_result(mapped) {
            // SAFETY: The table was made above and is not mapped.
            unsafe { bindings::sg_free_table(&mut *table) };
            return Err(error);
        }
        NonNull::new(KBox::into_raw(table)).ok_or(ENOMEM)
    }

    /// Maps the pages that an area asks for.
    ///
    /// # Safety
    ///
    /// `vma` must be an area that is being set up.
    unsafe fn mmap(&self, vma: *mut bindings::vm_area_struct) -> Result {
        // SAFETY: By the requirement of this function.
        let area = unsafe { kernel::mm::virt::VmaNew::from_raw(vma) };
        area.try_clear_maywrite().map_err(|_| EACCES)?;
        let first = crate::vma::page_offset(area);
        let addresses = (area.start()..area.end()).step_by(PAGE_SIZE);
        // The core has checked that the area ends where the buffer does or before.
        let pages = self.pages.get(first..).unwrap_or_default();
        for (address, page) in addresses.zip(pages) {
            // SAFETY: The address is in the area that is being set up, whose file keeps the page.
            to_result(unsafe { bindings::gvt_helper_remap_page(vma, address, page.as_ptr()) })?;
        }
        Ok(())
    }
}

/// # Safety
///
/// `attachment` must be one to a dma-buf of [`export()`].
unsafe extern "C" fn map_dma_buf(
    attachment: *mut bindings::dma_buf_attachment,
    direction: bindings::dma_data_direction,
) -> *mut bindings::sg_table {
    // SAFETY: By the requirement of this function.
    let attachment = unsafe { &*attachment };
    // SAFETY: An attachment keeps its dma-buf.
    let buffer = unsafe { Buffer::of(attachment.dmabuf) };
    // SAFETY: The device is valid while it is attached; the core unmaps before it detaches.
    match unsafe { buffer.map_for(attachment.dev, direction) } {
        Ok(table) => table.as_ptr(),
        Err(error) => error.to_ptr(),
    }
}

/// # Safety
///
/// `table` must come from [`map_dma_buf`] with the same arguments.
unsafe extern "C" fn unmap_dma_buf(
    attachment: *mut bindings::dma_buf_attachment,
    table: *mut bindings::sg_table,
    direction: bindings::dma_data_direction,
) {
    // SAFETY: By the requirement of this function.
    let device = unsafe { (*attachment).dev };
    // SAFETY: By the requirement of this function it is mapped for this device.
    unsafe { bindings::dma_unmap_sgtable(device, table, direction, 0) };
    // SAFETY: It is not mapped any more.
    unsafe { bindings::sg_free_table(table) };
    // SAFETY: `map_for` got it out of a box.
    drop(unsafe { KBox::from_raw(table) });
}

/// # Safety
///
/// `dmabuf` must be one of [`export()`] whose last reference is gone.
unsafe extern "C" fn release(dmabuf: *mut bindings::dma_buf) {
    // SAFETY: By the requirement of this function.
    let buffer = unsafe { (*dmabuf).priv_ };
    // SAFETY: `export` put it there, and nobody uses it any more.
    drop(unsafe { KBox::<Buffer>::from_foreign(buffer) });
}

/// # Safety
///
/// `dmabuf` must be one of [`export()`], `vma` an area that is being set up.
unsafe extern "C" fn mmap(
    dmabuf: *mut bindings::dma_buf,
    vma: *mut bindings::vm_area_struct,
) -> kernel::ffi::c_int {
    from_result(|| {
        // SAFETY: By the requirement of this function.
        let buffer = unsafe { Buffer::of(dmabuf) };
        // SAFETY: By the requirement of this function.
        unsafe { buffer.mmap(vma) }?;
        Ok(0)
    })
}

/// # Safety
///
/// `dmabuf` must be one of [`export()`], `map` valid.
unsafe extern "C" fn vmap(
    dmabuf: *mut bindings::dma_buf,
    map: *mut bindings::iosys_map,
) -> kernel::ffi::c_int {
    from_result(|| {
        // SAFETY: By the requirement of this function.
        let buffer = unsafe { Buffer::of(dmabuf) };
        let pages = PageRef::pointers(&buffer.pages);
        let count = buffer.count()?;
        // SAFETY: There are so many valid pointers to pages.
        let vaddr = unsafe { bindings::gvt_helper_vmap(pages, count) };
        if vaddr.is_null() {
            return Err(ENOMEM);
        }
        let mapped = bindings::iosys_map {
            __bindgen_anon_1: bindings::iosys_map__bindgen_ty_1 { vaddr },
            is_iomem: false,
        };
        // SAFETY: By the requirement of this function.
        unsafe { map.write(mapped) };
        Ok(0)
    })
}

/// # Safety
///
/// `map` must come from [`vmap`].
unsafe extern "C" fn vunmap(_dmabuf: *mut bindings::dma_buf, map: *mut bindings::iosys_map) {
    // SAFETY: By the requirement of this function.
    let map = unsafe { *map };
    // SAFETY: It is a map of memory, not of I/O.
    let vaddr = unsafe { map.__bindgen_anon_1.vaddr };
    // SAFETY: By the requirement of this function.
    unsafe { bindings::gvt_helper_vunmap(vaddr) };
}
