// SPDX-License-Identifier: GPL-2.0

//! The device model of a virtual Intel GPU (Gen8 and Gen9), as a VMM sees it through VFIO.
//!
//! This crate is pure logic: no locks, no kernel objects, no logging, no time. What it must have
//! from outside it asks of the port traits in [`ports`]. The kernel builds it as a part of
//! `kvmgt.ko`; cargo builds the same files in user space against a crate that stands in for
//! `kernel`, for unit tests, property tests, fuzzing and benchmarks.
//!
//! Of the `kernel` crate only a portable subset is used: `alloc::{KBox, KVec, KVVec}`, `bitfield`,
//! `error`, `fmt`, `num` and `prelude`.
//!
//! The entry points for a driver:
//!
//! | need | item |
//! |---|---|
//! | what the GPU is | [`platform::Platform`], [`platform::DeviceInfo`] |
//! | mdev types and what is left of the GPU | [`types::TYPES`], [`types::Pool`] |
//! | file position of `read` and `write` | [`region::Position`], [`region::Position::pieces`] |
//! | the vGPU | [`vgpu::Vgpu`], [`vgpu::Setup`] |
//! | `VFIO_DEVICE_GET_IRQ_INFO`, `VFIO_DEVICE_SET_IRQS` | [`irq`] |
//! | what the virtual monitor can be | [`edid::Blocks`], [`edid::mode::Limits`] |
//! | the virtual display, from register values | [`display`] |
//! | what went wrong | [`fault::Fault`] |
//! | what the registers of the GPU are | [`mmio::map::RegisterMap`] |
//! | what changes hands with an engine | [`mmio::switched::switched`] |
//! | what to do after an access | [`effect::Effects`] |
//! | what the guest did, in numbers | [`counters::Counters`], [`vgpu::Vgpu::accesses`] |
//! | an event on the GPU | [`interrupt::Event`], [`vgpu::Vgpu::raise`] |
//!
//! Everything a guest or a VMM sends is checked here, and nothing that they send makes this crate
//! panic: arithmetic is checked, slices are taken with `get`, and the lints below see to it.

#![cfg_attr(not(CONFIG_RUST), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

#[macro_use]
mod text;

pub mod access;
pub mod addr;
pub mod cap;
pub mod cfg;
pub mod cmd;
pub mod counters;
pub mod display;
pub mod edid;
pub mod edid_region;
pub mod effect;
pub mod engine;
pub mod fault;
pub mod frames;
pub mod golden;
pub mod interrupt;
pub mod irq;
pub mod mmio;
pub mod opregion;
pub mod platform;
pub mod ports;
pub mod ppgtt;
pub mod region;
pub mod sched;
pub mod types;
mod vbt;
pub mod vgpu;
pub mod weight;
mod wire;
pub mod work;
