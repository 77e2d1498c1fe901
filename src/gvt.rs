// SPDX-License-Identifier: GPL-2.0

//! kvmgt: virtual Intel GPUs for virtual machines (GVT-g).
//!
//! This crate wires two others together and owns all locks: `gvt_model`, what a virtual GPU does,
//! and `gvt_kapi`, what the kernel offers. Documentation/architecture.rst shows the house,
//! Documentation/locking.rst the order of locks.

#![forbid(unsafe_code)]
#![deny(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use gvt_kapi::{
    i915::{
        gate,
        ops, //
    },
    mdev, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

mod debugfs;
mod device;
mod dispatch;
mod display;
mod env;
mod frames;
mod instance;
mod irq;
mod occupancy;
mod partition;
mod screen;
mod shadows;
mod trace;
mod user;
mod vfio;
mod vgpu;

use device::{
    Model,
    Settings, //
};
use gvt_model::sched::Timing;

module! {
    type: Kvmgt,
    name: "kvmgt",
    authors: ["The kvmgt authors"],
    description: "Virtual Intel GPUs for virtual machines (GVT-g)",
    license: "GPL",
    imports_ns: ["DMA_BUF", "I915_GVT"],
    params: {
        slice_us: u32 {
            default: 1000,
            description: "How much GPU time a virtual GPU may be ahead of one that waits, in microseconds (100 to 100000)",
        },
        period_ms: u32 {
            default: 50,
            description: "The time in which a cap is kept, in milliseconds (10 to 1000)",
        },
    },
}

/// How finely the engines are shared, as the parameters of the module say.
fn timing() -> Result<Timing> {
    let slice_us = module_parameters::slice_us.value();
    let period_ms = module_parameters::period_ms.value();
    Timing::new(slice_us, period_ms).inspect_err(|_| {
        pr_err!(
            "slice_us={slice_us} period_ms={period_ms}: a slice is 100 to 100000 us, a period 10 to 1000 ms\n"
        );
    })
}

/// The loaded module.
struct Kvmgt {
    // Dropping it takes the types from all i915 devices, and with them the last users of the mdev
    // driver, which the registration has as its context.
    _model: ops::Registration<Model>,
}

impl kernel::Module for Kvmgt {
    fn init(module: &'static ThisModule) -> Result<Self> {
        let timing = timing()?;
        // Before any type is offered: user space may create a device as soon as it sees one.
        let driver = Arc::pin_init(mdev::Registration::new(module), GFP_KERNEL)
            .inspect_err(|error| pr_err!("cannot register the mdev driver: {error:?}\n"))?;
        let model = ops::Registration::new(Settings { driver, timing }).inspect_err(|error| {
            if *error == EBUSY {
                pr_err!("i915 has another GVT device model: unload that one first\n");
            } else {
                pr_err!("cannot register with i915: {error:?}\n");
            }
        })?;
        let found = gate::examine(|device, obstacle| {
            if let Some(obstacle) = obstacle {
                dev_warn!(device, "kvmgt: no virtual GPUs here: {obstacle}\n");
            }
        });
        if found == 0 {
            pr_info!("no GPU is bound to i915 yet; virtual GPUs are offered as soon as one is\n");
        }
        Ok(Self { _model: model })
    }
}
