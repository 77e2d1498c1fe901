// SPDX-License-Identifier: GPL-2.0

//! Safe Rust over what kvmgt needs of VFIO, mdev, KVM and i915.

#![deny(unsafe_op_in_unsafe_fn)]
#![deny(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

/// What stands in front of the messages of this crate.
const __LOG_PREFIX: &[u8] = b"kvmgt\0";

mod bindings;

pub mod eventfd;
pub mod i915;
pub mod kthread;
pub mod kvm;
pub mod mdev;
pub mod notifier;
pub mod ratelimit;
pub mod sysfs;
pub mod trace;
pub mod vfio;
pub mod vma;
