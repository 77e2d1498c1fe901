// SPDX-License-Identifier: GPL-2.0
//! A module that says when it is loaded and unloaded: shows that the prepared tree makes Rust modules which the
//! stock kernel takes, symbols of its Rust crates included.

use kernel::prelude::*;

module! {
    type: Probe,
    name: "setup_probe",
    authors: ["The kvmgt authors"],
    description: "Shows that the prepared tree and the stock kernel fit",
    license: "GPL",
}

struct Probe {
    numbers: KVec<u32>,
}

impl kernel::Module for Probe {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let mut numbers = KVec::new();
        for number in [20, 22] {
            numbers.push(number, GFP_KERNEL)?;
        }
        pr_info!("loaded\n");
        Ok(Self { numbers })
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        pr_info!("unloaded, {}\n", self.numbers.iter().sum::<u32>());
    }
}
