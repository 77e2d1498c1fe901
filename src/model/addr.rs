// SPDX-License-Identifier: GPL-2.0

//! Addresses, one type for each address space. There is no arithmetic on them but the checked one.

use kernel::prelude::*;

/// Size of a page, in bytes, of guest memory, of the GGTT and of the aperture.
pub const PAGE_SIZE: u64 = 4096;

/// A guest physical address, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gpa(u64);

impl Gpa {
    /// The address `raw`.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number behind the address.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The address `bytes` further on; `None` beyond the end of the address space.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(raw) => Some(Self(raw)),
            None => None,
        }
    }
}

/// The number of a page of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gfn(u64);

impl Gfn {
    /// Page number `raw`.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number.
    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// The number of a page of graphics memory that a vGPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GmPage(u64);

impl GmPage {
    /// The number: its address divided by [`PAGE_SIZE`].
    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// A range of graphics memory, which is what the GGTT maps: whole pages, at least one.
///
/// The low part of graphics memory is also the aperture, so that a range there is a range of BAR2.
///
/// # Invariants
///
/// `start` and `size` are multiples of [`PAGE_SIZE`], `size` is not 0, `start + size` fits in a
/// `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GmRange {
    start: u64,
    size: u64,
}

impl GmRange {
    /// `size` bytes from `start` on.
    ///
    /// # Errors
    ///
    /// `EINVAL` if a number is not a multiple of [`PAGE_SIZE`], if `size` is 0, or if the range
    /// goes beyond the end of the address space.
    pub fn new(start: u64, size: u64) -> Result<Self> {
        let aligned = start % PAGE_SIZE == 0 && size % PAGE_SIZE == 0;
        if !aligned || size == 0 || start.checked_add(size).is_none() {
            return Err(EINVAL);
        }
        // INVARIANT: all parts of it were checked above.
        Ok(Self { start, size })
    }

    /// The first byte.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The number of bytes.
    pub const fn size(self) -> u64 {
        self.size
    }

    /// The first byte after the range.
    pub const fn end(self) -> u64 {
        // By the invariant this does not saturate.
        self.start.saturating_add(self.size)
    }

    /// The number of pages.
    pub const fn pages(self) -> u64 {
        self.size / PAGE_SIZE
    }

    /// The page with this number, counted from the start of the range; `None` beyond its end.
    pub const fn page(self, number: u64) -> Option<GmPage> {
        if number < self.pages() {
            // By the invariant this does not saturate.
            Some(GmPage((self.start / PAGE_SIZE).saturating_add(number)))
        } else {
            None
        }
    }

    /// Whether all of `length` bytes from `offset` on are inside; no bytes are inside if `offset`
    /// is, or is the end.
    pub fn contains(self, offset: u64, length: u64) -> bool {
        offset >= self.start
            && offset
                .checked_add(length)
                .is_some_and(|end| end <= self.end())
    }

    /// Whether the two have a byte in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end() && other.start < self.end()
    }
}
