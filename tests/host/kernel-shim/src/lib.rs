// SPDX-License-Identifier: GPL-2.0

//! Stands in for the `kernel` crate in user space.
//!
//! Only what the device model may use is here, so that the model cannot come to need anything else of the kernel.
//! `bitfield`, `num` and `build_assert` are the kernel's own files (see build.rs).

// The kernel's own files come in by `include!`, which makes their exported macros ones that a macro made.
#![allow(macro_expanded_macro_exports_accessed_by_absolute_paths)]

extern crate self as kernel;

include!(concat!(env!("OUT_DIR"), "/include.rs"));
pub use files::{bitfield, build_assert, num};

pub mod alloc;
pub mod error;
pub mod fmt;
pub mod rbtree;
pub mod testing;

/// The macros of the kernel crate that are procedural.
pub mod macros {
    pub use kunit_macro::kunit_tests;
    pub use paste::paste;
}

/// Names that every kernel file has.
pub mod prelude {
    pub use crate::alloc::flags::GFP_KERNEL;
    pub use crate::alloc::{KBox, KVVec, KVec};
    pub use crate::build_assert::{build_assert, const_assert, static_assert};
    pub use crate::error::code::*;
    pub use crate::error::{Error, Result};
    pub use crate::fmt_macro as fmt;
    pub use crate::macros::kunit_tests;
    pub use crate::{module, ThisModule};
    pub use pin_init::{Init, Zeroable};
    pub use zerocopy::IntoBytes;
}

/// The arguments of a format string.
#[doc(hidden)]
#[macro_export]
macro_rules! fmt_macro {
    ($($argument:tt)*) => {
        core::format_args!($($argument)*)
    };
}

/// The module that code is in; there is none in user space.
pub struct ThisModule(());

/// What a kernel module is made of.
pub trait Module: Sized {
    /// What happens when the module is loaded.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being loaded.
    fn init(module: &'static ThisModule) -> error::Result<Self>;
}

/// Declares a kernel module; in user space nothing comes of it.
#[macro_export]
macro_rules! module {
    (type: $module:ty, $($rest:tt)*) => {
        const _: fn(&'static $crate::ThisModule) -> $crate::error::Result<$module> = <$module as $crate::Module>::init;
    };
}
