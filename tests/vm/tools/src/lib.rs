// SPDX-License-Identifier: GPL-2.0
//! What the programs that run inside the test machines share.
//!
//! * [`drm`], [`gem`], [`exec`]: the i915 driver's interface, as far as the tests need it.
//! * [`batch`], [`blt`]: GPU commands of graphics version 8 and 9 as dwords.
//! * [`mapping`], [`registers`]: memory shared with a device, and names of its registers.
//! * [`vfio`]: the script language of the program `vfioraw`.
//! * [`screen`]: what is on the screen of a virtual GPU, for `vgpushot`, and what `kmsshow` puts there.
//! * [`monitor`]: the monitor that `kmsshow` and `blitshow` use.
//! * [`scene`]: the picture that the blitter of each guest draws in `blitshow`.
//! * [`checks`], [`report`], [`picture`]: the tests of the program `gemtest`, the form of their results, a proof for the eye.

pub mod batch;
pub mod blt;
pub mod checks;
pub mod drm;
pub mod exec;
pub mod gem;
pub mod mapping;
pub mod monitor;
pub mod picture;
pub mod registers;
pub mod report;
pub mod scene;
pub mod screen;
pub mod tiling;
pub mod vfio;

/// The kernel's structures and constants, generated from its headers.
#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    clippy::all,
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block,
    reason = "written by a generator from C headers, not by hand"
)]
pub mod uapi {
    include!(concat!(env!("OUT_DIR"), "/uapi.rs"));
}
