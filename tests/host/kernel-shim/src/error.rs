// SPDX-License-Identifier: GPL-2.0

//! Error numbers.

use core::fmt;

use crate::alloc::AllocError;

/// An error number of the kernel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(i32);

/// The result of nearly everything.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

macro_rules! codes {
    ($($name:ident = $number:literal),* $(,)?) => {
        /// The error numbers that the device model uses.
        pub mod code {
            $(
                #[doc = concat!("Error number ", stringify!($number), ".")]
                pub const $name: super::Error = super::Error(-$number);
            )*
        }

        impl fmt::Debug for Error {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $(code::$name => out.write_str(stringify!($name)),)*
                    Self(number) => write!(out, "Error({number})"),
                }
            }
        }
    };
}

codes! {
    EIO = 5,
    ENOMEM = 12,
    EFAULT = 14,
    EINVAL = 22,
    ENOTTY = 25,
    ENOSPC = 28,
    EOVERFLOW = 75,
}

impl Error {
    /// The number, which is negative.
    pub fn to_errno(self) -> i32 {
        self.0
    }
}

impl From<AllocError> for Error {
    fn from(_: AllocError) -> Self {
        code::ENOMEM
    }
}
