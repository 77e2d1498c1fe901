// SPDX-License-Identifier: GPL-2.0

//! Safe Rust over what kvmgt needs of VFIO, mdev, KVM and i915.

#![deny(unsafe_op_in_unsafe_fn)]
#![deny(
    clippy::undocumented_unsafe_blocks,
    clippy::multiple_unsafe_ops_per_block
)]

mod bindings;

pub mod alarm;
pub mod doorbell;
pub mod eventfd;
pub mod kthread;
pub mod notifier;
pub mod ratelimit;

// The user-mode kernel that runs the suites has nothing of what these are about.
#[cfg(not(CONFIG_UML))]
pub mod debugfs;
#[cfg(not(CONFIG_UML))]
pub mod dmabuf;
#[cfg(not(CONFIG_UML))]
pub mod i915;
#[cfg(not(CONFIG_UML))]
pub mod kvm;
#[cfg(not(CONFIG_UML))]
pub mod mdev;
#[cfg(not(CONFIG_UML))]
pub mod page;
#[cfg(not(CONFIG_UML))]
pub mod sleep;
#[cfg(not(CONFIG_UML))]
pub mod sysfs;
#[cfg(not(CONFIG_UML))]
pub mod table;
#[cfg(not(CONFIG_UML))]
pub mod trace;
#[cfg(not(CONFIG_UML))]
pub mod vfio;
#[cfg(not(CONFIG_UML))]
pub mod vma;

#[cfg(CONFIG_KUNIT)]
mod kunit;
