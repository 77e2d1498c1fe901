// SPDX-License-Identifier: GPL-2.0

//! The share of GPU time that a vGPU asks for.

use core::fmt;

use kernel::prelude::*;

use crate::wire;

/// The scheduling weight of a vGPU: its share of a busy engine is its weight over the sum of all.
///
/// # Invariants
///
/// The number is in [`Weight::MIN`]..=[`Weight::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// The smallest weight.
    pub const MIN: u16 = 1;
    /// The largest weight.
    pub const MAX: u16 = 1000;

    /// The weight `number`.
    ///
    /// # Errors
    ///
    /// `EINVAL` outside [`Weight::MIN`]..=[`Weight::MAX`].
    pub fn new(number: u16) -> Result<Self> {
        if (Self::MIN..=Self::MAX).contains(&number) {
            // INVARIANT: just checked.
            Ok(Self(number))
        } else {
            Err(EINVAL)
        }
    }

    /// Reads a weight as a write to a sysfs file gives it: decimal digits, and maybe a newline.
    ///
    /// # Errors
    ///
    /// `EINVAL` for any other text and for numbers outside [`Weight::MIN`]..=[`Weight::MAX`].
    pub fn parse(text: &[u8]) -> Result<Self> {
        let digits = text.strip_suffix(b"\n").unwrap_or(text);
        Self::new(wire::decimal(digits).ok_or(EINVAL)?)
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

display!(Weight);
