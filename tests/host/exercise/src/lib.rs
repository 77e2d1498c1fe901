// SPDX-License-Identifier: GPL-2.0

//! Uses a virtual GPU as the driver does, for a VMM that may ask for anything, and watches that it keeps within its
//! bounds. Property tests, fuzz targets, the soak test and the benchmarks stand on it.
//!
//! [`Rig`] is a vGPU with an environment that panics when the model reaches for what is not the vGPU's; [`Op`] is a
//! request of the VMM; [`Source`] makes requests of bytes, so that random bytes and those of a fuzzer are both scripts.

pub mod audit;
mod env;
mod image;
mod op;
mod registers;
mod rig;

pub use env::{Env, MEMORY, MEMORY_SIZE};
pub use image::Image;
pub use op::{Op, Source};
pub use registers::Registers;
pub use rig::{host_config, Outcome, Rig, HIGH, LOW};
