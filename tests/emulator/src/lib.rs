// SPDX-License-Identifier: GPL-2.0
//! A software Gen8/Gen9 GPU.
//!
//! [`gpu::Gpu`] is the device; [`server`] offers it to QEMU over vfio-user.
#![forbid(unsafe_code)]

pub mod aperture;
pub mod audit;
pub mod bar0;
pub mod blt;
pub mod clock;
pub mod control;
pub mod display;
pub mod engine;
pub mod fence;
pub mod gpu;
pub mod gt;
pub mod gtt;
pub mod irq;
pub mod json;
pub mod masked;
pub mod memory;
pub mod opcodes;
pub mod pci;
pub mod platform;
pub mod server;
pub mod stats;
pub mod tiling;
