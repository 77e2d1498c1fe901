// SPDX-License-Identifier: GPL-2.0

//! Formatting: `core::fmt` with the kernel's own `Display`.

pub use core::fmt::{Arguments, Debug, Error, Formatter, Result, Write};

/// What the kernel's log macros print with `{}`. It is another trait than that of `core`.
pub trait Display {
    /// As [`core::fmt::Display::fmt`].
    fn fmt(&self, out: &mut Formatter<'_>) -> Result;
}
