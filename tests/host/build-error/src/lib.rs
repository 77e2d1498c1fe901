// SPDX-License-Identifier: GPL-2.0

//! In the kernel a call that is left of [`build_error`] does not link. Here it ends the test.

#![no_std]

/// Says that something which must be known at build time is wrong.
#[inline(never)]
#[track_caller]
pub const fn build_error(message: &'static str) -> ! {
    panic!("{}", message)
}
