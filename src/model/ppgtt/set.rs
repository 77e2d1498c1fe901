// SPDX-License-Identifier: GPL-2.0

//! Sets of small numbers.

use kernel::prelude::*;

/// A set of numbers below a limit. Changing it takes no memory.
pub(super) struct Set(KVec<u64>);

impl Set {
    /// The empty set of numbers below `limit`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new(limit: usize) -> Result<Self> {
        Ok(Self(KVec::zeroed(limit.div_ceil(64), GFP_KERNEL)?))
    }

    /// Puts a number in.
    pub(super) fn insert(&mut self, number: u32) {
        let (word, bit) = place(number);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    /// Takes a number out.
    pub(super) fn remove(&mut self, number: u32) {
        let (word, bit) = place(number);
        if let Some(word) = self.0.get_mut(word) {
            *word &= !bit;
        }
    }

    /// Takes the smallest number out.
    pub(super) fn take_first(&mut self) -> Option<u32> {
        let (word, bits) = (0u32..)
            .zip(self.0.iter_mut())
            .find(|(_, bits)| **bits != 0)?;
        let bit = bits.trailing_zeros();
        *bits &= bits.wrapping_sub(1);
        word.checked_mul(64)?.checked_add(bit)
    }

    /// Moves all numbers of another set here.
    pub(super) fn take_all(&mut self, other: &mut Self) {
        for (to, from) in self.0.iter_mut().zip(other.0.iter_mut()) {
            *to |= core::mem::take(from);
        }
    }

    /// Takes all numbers out.
    pub(super) fn clear(&mut self) {
        self.0.fill(0);
    }
}

fn place(number: u32) -> (usize, u64) {
    let word = usize::try_from(number / 64).unwrap_or(usize::MAX);
    (word, 1u64.wrapping_shl(number % 64))
}
