// SPDX-License-Identifier: GPL-2.0

//! Stands in for the kernel's `pin_init`: only types whose bytes can all be zero, and a name that gets in the way.

#![no_std]

/// A type for which all bytes 0 is a value.
///
/// # Safety
///
/// All bytes 0 must be a value of the type.
pub unsafe trait Zeroable: Sized {
    /// The value with all bytes 0.
    fn zeroed() -> Self {
        // SAFETY: by the contract of the trait.
        unsafe { core::mem::zeroed() }
    }
}

macro_rules! zeroable {
    ($($integer:ty),*) => {
        // SAFETY: 0 is an integer.
        $(unsafe impl Zeroable for $integer {})*
    };
}

zeroable!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

// SAFETY: an array has the bytes of its elements.
unsafe impl<T: Zeroable, const N: usize> Zeroable for [T; N] {}

/// An initialiser, which in the kernel everything is.
///
/// The kernel's prelude has it, so that `iterator.chain(..)` is ambiguous there. With this it is ambiguous here too.
pub trait Init: Sized {
    /// Not to be used.
    fn chain<F>(self, _: F) -> Self {
        self
    }
}

impl<T> Init for T {}
