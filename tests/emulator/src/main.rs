// SPDX-License-Identifier: GPL-2.0
//! The `emulated-gpu` binary.
fn main() {}
