// SPDX-License-Identifier: GPL-2.0

//! Pages that somebody else allocated, kept from being freed.
//!
//! C header: `include/linux/mm.h`

use crate::bindings;
use core::ptr::NonNull;

/// A reference to a page.
///
/// It keeps the memory from becoming anything else. That it is still what the owner of the page uses
/// is for the owner to say.
///
/// # Invariants
///
/// The page is valid, and one reference to it belongs to this.
#[repr(transparent)]
pub struct PageRef(NonNull<bindings::page>);

// SAFETY: References to pages may be taken and put by any thread.
unsafe impl Send for PageRef {}

// SAFETY: As above.
unsafe impl Sync for PageRef {}

impl PageRef {
    /// Takes a reference, unless there are so many that user space seems to collect them: their number has an end, and a
    /// page is freed where it begins anew. What is left is for whoever cannot be refused one.
    ///
    /// `try_get_page()` refuses later and with a warning in the log, which user space could ask for then; and it leaves
    /// nothing for whoever cannot be refused.
    ///
    /// # Safety
    ///
    /// `page` must be valid, and must have a reference during the call.
    pub(crate) unsafe fn try_new(page: NonNull<bindings::page>) -> Option<Self> {
        // SAFETY: By the requirement of this function.
        let popular = unsafe { bindings::gvt_helper_page_is_popular(page.as_ptr()) };
        // SAFETY: As above; it is refused when that was done often.
        (!popular).then(|| unsafe { Self::new(page) })
    }

    /// Takes a reference.
    ///
    /// # Safety
    ///
    /// `page` must be valid, and must have a reference during the call. It may not be for user space to say how often
    /// this is called for a page.
    pub(crate) unsafe fn new(page: NonNull<bindings::page>) -> Self {
        // SAFETY: By the requirement of this function.
        unsafe { bindings::gvt_helper_get_page(page.as_ptr()) };
        // INVARIANT: the reference was taken just now.
        Self(page)
    }

    /// The page.
    pub(crate) fn as_ptr(&self) -> *mut bindings::page {
        self.0.as_ptr()
    }

    /// The same references as an array of pointers.
    pub(crate) fn pointers(pages: &[Self]) -> *mut *mut bindings::page {
        // The layout is that of the pointer; whoever gets it does not write to it.
        pages.as_ptr().cast::<*mut bindings::page>().cast_mut()
    }
}

impl Drop for PageRef {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the reference is ours to give back.
        unsafe { bindings::gvt_helper_put_page(self.0.as_ptr()) };
    }
}
