// SPDX-License-Identifier: GPL-2.0

//! The most that a vGPU gets of an engine.

use core::fmt;

use kernel::prelude::*;

use crate::wire;

/// The most that a vGPU gets of each engine, in percent of the time, even if nobody else wants it.
///
/// # Invariants
///
/// The number is in 1..=100.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap(u16);

impl Cap {
    /// All of it.
    pub const NONE: Self = Self(100);

    /// Reads a cap as a write to a sysfs file gives it: decimal digits, and maybe a newline.
    ///
    /// # Errors
    ///
    /// `EINVAL` for any other text, and for numbers outside 1..=100.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let digits = text.strip_suffix(b"\n").unwrap_or(text);
        let number = wire::decimal(digits).ok_or(EINVAL)?;
        if !(1..=100).contains(&number) {
            return Err(EINVAL);
        }
        // INVARIANT: just checked.
        Ok(Self(number))
    }

    /// The part of so many nanoseconds.
    pub fn of(self, nanoseconds: u64) -> u64 {
        (nanoseconds / 100).saturating_mul(self.0.into())
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

display!(Cap);
