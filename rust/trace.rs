// SPDX-License-Identifier: GPL-2.0

//! Tracepoints of the system `gvt`; `helpers/trace.h` declares them.

use crate::bindings;

/// `gvt:inject_msi`: vGPU number `vgpu` raised its interrupt, and `sent` says whether anybody was there to take it.
pub fn inject_msi(vgpu: u32, sent: bool) {
    // SAFETY: A tracepoint takes any values, in any context.
    unsafe { bindings::gvt_helper_trace_inject_msi(vgpu, sent) };
}
