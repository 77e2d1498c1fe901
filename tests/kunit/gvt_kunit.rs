// SPDX-License-Identifier: GPL-2.0

//! Suites for the device model.
//!
//! KUnit runs them in a kernel when this module is loaded, cargo runs them in user space (tests/host).
//! Both must run the same tests, which a script compares. Each suite is in a module of its name.
//!
//! A panic ends the kernel under test. So tests return `Result`, use `?`, and assert with the
//! macros `assert!` and `assert_eq!` without a message, which in a suite are KUnit's. Functions that
//! assert must come after the first test of their suite.

#![cfg_attr(not(CONFIG_RUST), no_std)]

use kernel::prelude::*;

mod access;
mod alloc;
mod aux;
mod cfg;
mod cfg_reset;
mod cmd;
mod cmd_scan;
mod cmd_user;
mod counters;
mod display;
mod display_port;
mod display_reset;
mod edid;
mod edid_modes;
mod edid_region;
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod fakes;
mod frames;
mod gang;
mod ggtt;
mod gmbus;
mod golden;
mod handlers;
mod handover;
mod interrupt;
mod irq;
mod mmio;
mod opregion;
mod plane;
mod ppgtt;
mod reach;
mod registers;
mod render;
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod ring;
mod sched;
mod timing;
mod turns;
mod types;
mod vgpu;
mod work;
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod worker;
#[cfg(any(test, CONFIG_KUNIT = "y"))]
mod world;

module! {
    type: GvtKunit,
    name: "gvt_kunit",
    authors: ["The kvmgt developers"],
    description: "Test suites for the device model of virtual Intel GPUs",
    license: "GPL",
}

/// The module does nothing: loading it runs the suites.
struct GvtKunit;

impl kernel::Module for GvtKunit {
    fn init(_: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}
