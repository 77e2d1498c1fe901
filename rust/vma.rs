// SPDX-License-Identifier: GPL-2.0

//! What the kernel crate does not tell of an area that is being mapped.
//!
//! C header: `include/linux/mm_types.h`

use kernel::mm::virt::VmaNew;

/// Where in its file the area begins, in pages.
pub fn page_offset(vma: &VmaNew) -> usize {
    // SAFETY: The area is being set up, so nobody changes it at the same time.
    unsafe { (*vma.as_ptr()).vm_pgoff }
}
