// SPDX-License-Identifier: GPL-2.0

//! The global page table (GGTT) and the part of it that the CPU sees through BAR 2, the aperture.

use super::{
    Awake,
    Gpu, //
};
use crate::bindings;
use core::ops::Range;
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    error::to_result,
    mm::virt::VmaNew,
    page::{
        PAGE_MASK,
        PAGE_SIZE, //
    },
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// Bit 0 of a page table entry: a page is there.
pub const PTE_PRESENT: u64 = 1;

/// Bytes of graphics memory behind a page table entry.
const PTE_SPAN: u64 = 4096;

/// i915's lock over the GGTT and the fences.
pub(super) struct Locked<'a>(&'a Gpu);

impl<'a> Locked<'a> {
    pub(super) fn new(gpu: &'a Gpu) -> Self {
        // SAFETY: The device is valid.
        unsafe { bindings::gvt_helper_i915_ggtt_lock(gpu.as_raw()) };
        Self(gpu)
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: `new` took it.
        unsafe { bindings::gvt_helper_i915_ggtt_unlock(self.0.as_raw()) };
    }
}

impl Gpu {
    /// Bytes of graphics memory that the GGTT spans.
    pub fn ggtt_size(&self) -> u64 {
        // SAFETY: The device is valid.
        unsafe { bindings::gvt_helper_i915_ggtt_total(self.as_raw()) }
    }

    /// Bytes of graphics memory, from 0 on, that the aperture shows.
    pub fn aperture_size(&self) -> u64 {
        // SAFETY: The device is valid.
        unsafe { bindings::gvt_helper_i915_aperture_size(self.as_raw()) }
    }

    /// The entry that i915 itself points unused parts of the GGTT at.
    pub fn scratch_pte(&self) -> u64 {
        // SAFETY: The device is valid.
        unsafe { bindings::gvt_helper_i915_scratch_pte(self.as_raw()) }
    }
}

/// A part of the GGTT that i915 uses for nothing else.
///
/// # Invariants
///
/// `node` was inserted by `i915_gem_gtt_insert()` and is removed in [`Drop`] only.
pub struct Space {
    gpu: Arc<Gpu>,
    node: Pin<KBox<Opaque<bindings::drm_mm_node>>>,
}

// SAFETY: The node is changed under i915's lock only.
unsafe impl Send for Space {}

// SAFETY: As above.
unsafe impl Sync for Space {}

impl Space {
    /// Takes `size` bytes inside `range`, as low as possible, or as high if `high`. What the
    /// entries point at is left as it was: call [`fill`](Self::fill).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if i915 can make no room; `EINVAL` for sizes that are no multiple of a page; `ENOMEM`.
    pub fn new(gpu: &Arc<Gpu>, size: u64, range: Range<u64>, high: bool) -> Result<Self> {
        if size == 0 || size % PTE_SPAN != 0 || range.end > gpu.ggtt_size() {
            return Err(EINVAL);
        }
        let node = KBox::pin_init(
            Opaque::ffi_init(|slot: *mut bindings::drm_mm_node| {
                // SAFETY: The slot is ours; drm_mm wants a zeroed node.
                unsafe { slot.write(pin_init::zeroed()) }
            }),
            GFP_KERNEL_ACCOUNT,
        )?;
        // i915 may have to write page table entries of what it moves away.
        let _awake = gpu.wake();
        let _locked = Locked::new(gpu);
        // SAFETY: The device is valid and locked, and the node is zeroed and does not move.
        to_result(unsafe {
            bindings::gvt_helper_i915_ggtt_insert(
                gpu.as_raw(),
                node.get(),
                size,
                range.start,
                range.end,
                high,
            )
        })?;
        // INVARIANT: It is inserted.
        Ok(Self {
            gpu: gpu.clone(),
            node,
        })
    }

    /// Its first address.
    pub fn start(&self) -> u64 {
        // SAFETY: By the type invariant the node is inserted, so i915 does not change it.
        unsafe { (*self.node.get()).start }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        // SAFETY: As above.
        unsafe { (*self.node.get()).size }
    }

    /// Points all entries at the same page.
    pub fn fill(&self, awake: &Awake<'_>, pte: u64) {
        let first = self.start() / PTE_SPAN;
        for index in first..first + self.size() / PTE_SPAN {
            // SAFETY: The device is awake, and the entry is in the node.
            unsafe { bindings::gvt_helper_i915_pte_write(self.gpu.as_raw(), index, pte) };
        }
        self.flush(awake);
    }

    /// Writes the entry of page number `page` of this space; the GPU sees it after
    /// [`flush`](Self::flush).
    ///
    /// # Errors
    ///
    /// `EINVAL` if the space has fewer pages.
    pub fn write_pte(&self, _awake: &Awake<'_>, page: u64, pte: u64) -> Result {
        let index = self.index(page)?;
        // SAFETY: The device is awake, and the entry is in the node.
        unsafe { bindings::gvt_helper_i915_pte_write(self.gpu.as_raw(), index, pte) };
        Ok(())
    }

    /// Makes the GPU look at entries anew. An engine may still remember what it has looked at.
    pub fn flush(&self, _awake: &Awake<'_>) {
        // SAFETY: The device is awake.
        unsafe { bindings::gvt_helper_i915_ggtt_flush(self.gpu.as_raw()) };
    }

    fn index(&self, page: u64) -> Result<u64> {
        if page < self.size() / PTE_SPAN {
            Ok(self.start() / PTE_SPAN + page)
        } else {
            Err(EINVAL)
        }
    }

    /// Whether `length` bytes at graphics address `address` are in this space and in the aperture.
    fn shows(&self, address: u64, length: u64) -> bool {
        let Some(end) = address.checked_add(length) else {
            return false;
        };
        let limit = (self.start() + self.size()).min(self.gpu.aperture_size());
        address >= self.start() && end <= limit
    }

    /// Reads memory through the aperture. `data` has 1, 2, 4 or 8 bytes, and `address` is a
    /// multiple of that.
    ///
    /// # Errors
    ///
    /// `EINVAL` where the aperture does not show this space, or for any other length or alignment.
    pub fn aperture_read(&self, awake: &Awake<'_>, address: u64, data: &mut [u8]) -> Result {
        let view = View::new(self, awake, address, data.len())?;
        let place = view.place;
        match data.len() {
            // SAFETY: The view shows as many bytes as `data` has, aligned to their number.
            1 => data.copy_from_slice(&unsafe { bindings::readb(place) }.to_le_bytes()),
            // SAFETY: As above.
            2 => data.copy_from_slice(&unsafe { bindings::readw(place) }.to_le_bytes()),
            // SAFETY: As above.
            4 => data.copy_from_slice(&unsafe { bindings::readl(place) }.to_le_bytes()),
            // SAFETY: As above.
            _ => data.copy_from_slice(&unsafe { bindings::readq(place) }.to_le_bytes()),
        }
        Ok(())
    }

    /// Writes memory through the aperture, by the rules of [`aperture_read`](Self::aperture_read).
    ///
    /// # Errors
    ///
    /// As for [`aperture_read`](Self::aperture_read).
    pub fn aperture_write(&self, awake: &Awake<'_>, address: u64, data: &[u8]) -> Result {
        let view = View::new(self, awake, address, data.len())?;
        match *data {
            // SAFETY: The view shows as many bytes as `data` has, aligned to their number.
            [a] => unsafe { bindings::writeb(a, view.place) },
            // SAFETY: As above.
            [a, b] => unsafe { bindings::writew(u16::from_le_bytes([a, b]), view.place) },
            [a, b, c, d] => {
                let value = u32::from_le_bytes([a, b, c, d]);
                // SAFETY: As above.
                unsafe { bindings::writel(value, view.place) }
            }
            _ => {
                let value = u64::from_le_bytes(data.try_into().map_err(|_| EINVAL)?);
                // SAFETY: As above.
                unsafe { bindings::writeq(value, view.place) }
            }
        }
        Ok(())
    }

    /// Maps the aperture into user space: all of `vma`, from graphics address `address` on.
    ///
    /// # Errors
    ///
    /// `EINVAL` where the aperture does not show this space; `ENOMEM`.
    pub fn aperture_mmap(&self, vma: &VmaNew, address: u64) -> Result {
        let size = vma.end().checked_sub(vma.start()).ok_or(EINVAL)?;
        if !self.shows(address, u64::try_from(size)?) || address % PTE_SPAN != 0 {
            return Err(EINVAL);
        }
        // SAFETY: The device is valid.
        let base = unsafe { bindings::gvt_helper_i915_aperture_base(self.gpu.as_raw()) };
        let frame = usize::try_from(base.checked_add(address).ok_or(EINVAL)? / PTE_SPAN)?;
        let raw = vma.as_ptr();
        // SAFETY: The area is being set up, so nobody else uses it.
        let prot = unsafe { (*raw).vm_page_prot };
        // SAFETY: The area is being set up, and the frames are device memory of the aperture.
        to_result(unsafe { bindings::remap_pfn_range(raw, vma.start(), frame, size, prot) })
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let _locked = Locked::new(&self.gpu);
        // SAFETY: By the type invariant it is inserted, and the lock is held.
        unsafe { bindings::drm_mm_remove_node(self.node.get()) };
    }
}

/// A piece of the aperture in the kernel's address space.
///
/// # Invariants
///
/// `map` is a page that `io_mapping_map_wc()` gave, and `place` is in it.
struct View<'a> {
    map: *mut kernel::ffi::c_void,
    place: *mut kernel::ffi::c_void,
    _awake: &'a Awake<'a>,
}

impl<'a> View<'a> {
    /// Shows `length` bytes at `address`, which do not cross a page as they are aligned to their
    /// number.
    fn new(space: &Space, awake: &'a Awake<'a>, address: u64, length: usize) -> Result<Self> {
        let count = u64::try_from(length)?;
        if !matches!(length, 1 | 2 | 4 | 8) || address % count != 0 || !space.shows(address, count)
        {
            return Err(EINVAL);
        }
        let inside = usize::try_from(address)? & !PAGE_MASK;
        let page = address - u64::try_from(inside)?;
        // CAST: The size of a page.
        let size = PAGE_SIZE as u64;
        // SAFETY: The device is valid, and the page is in the aperture.
        let map = unsafe { bindings::gvt_helper_i915_aperture_map(space.gpu.as_raw(), page, size) };
        if map.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: `inside` is less than a page.
        Ok(Self {
            map,
            place: map.wrapping_byte_add(inside),
            _awake: awake,
        })
    }
}

impl Drop for View<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::gvt_helper_i915_aperture_unmap(self.map) };
    }
}
