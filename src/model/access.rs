// SPDX-License-Identifier: GPL-2.0

//! Splits what a VMM asks for into accesses that a device can take.

use core::ops::Range;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

/// One access: 1, 2, 4 or 8 bytes, at a multiple of its width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Offset of the access, in bytes.
    pub offset: u64,
    /// Where its bytes are in the buffer of the whole request.
    pub bytes: Range<usize>,
}

/// The accesses that a request is made of, in order, each as wide as can be.
#[derive(Clone, Debug)]
pub struct Pieces {
    offset: u64,
    done: usize,
    length: usize,
    max_width: usize,
}

impl Pieces {
    /// Splits `length` bytes from `offset` on into accesses of at most `max_width` bytes.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the request goes beyond the last offset there is, or if `max_width` is not
    /// 1, 2, 4 or 8.
    pub fn new(offset: u64, length: usize, max_width: usize) -> Result<Self> {
        if !matches!(max_width, 1 | 2 | 4 | 8) {
            return Err(EINVAL);
        }
        offset
            .checked_add(u64::from_safe_cast(length))
            .ok_or(EINVAL)?;
        Ok(Self {
            offset,
            done: 0,
            length,
            max_width,
        })
    }

    /// The offset of the first byte after all that is left.
    pub fn end(&self) -> u64 {
        let left = self.length.saturating_sub(self.done);
        self.offset.saturating_add(u64::from_safe_cast(left))
    }
}

impl Iterator for Pieces {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        // As powers of two: what is left, how the offset is aligned, and the limit.
        let left = self.length.checked_sub(self.done)?.checked_ilog2()?;
        let aligned = self.offset.trailing_zeros();
        let log = left.min(aligned).min(self.max_width.trailing_zeros());
        let width = 1usize.checked_shl(log)?;
        let end = self.done.checked_add(width)?;
        let piece = Piece {
            offset: self.offset,
            bytes: self.done..end,
        };
        self.offset = self.offset.saturating_add(u64::from_safe_cast(width));
        self.done = end;
        Some(piece)
    }
}
