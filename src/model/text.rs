// SPDX-License-Identifier: GPL-2.0

//! Text output that works in the kernel's log macros and in `core`'s formatting alike.

/// Implements both `Display` traits for types that have a method `text(&self, &mut Formatter)`.
///
/// The kernel's `pr_*!` macros ask for `kernel::fmt::Display`, `write!` asks for `core`'s.
macro_rules! display {
    ($($name:ty),+ $(,)?) => {
        $(
            impl core::fmt::Display for $name {
                fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                    self.text(out)
                }
            }

            impl kernel::fmt::Display for $name {
                fn fmt(&self, out: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
                    self.text(out)
                }
            }
        )+
    };
}
