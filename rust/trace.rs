// SPDX-License-Identifier: GPL-2.0

//! Tracepoints of the system `gvt`; `helpers/trace.h` declares them.
//!
//! Where nobody listens, the question whether somebody does is an instruction that does nothing.

use crate::bindings;
use kernel::{
    prelude::*,
    static_branch_unlikely, //
};

/// Whether somebody listens to [`mmio`].
#[inline(always)]
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one macro of the kernel crate"
)]
pub fn wants_mmio() -> bool {
    // SAFETY: It is the key of a tracepoint.
    unsafe { static_branch_unlikely!(bindings::__tracepoint_mmio, bindings::tracepoint, key) }
}

/// Whether somebody listens to [`write_ir`].
#[inline(always)]
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one macro of the kernel crate"
)]
pub fn wants_write_ir() -> bool {
    // SAFETY: It is the key of a tracepoint.
    unsafe { static_branch_unlikely!(bindings::__tracepoint_write_ir, bindings::tracepoint, key) }
}

/// Whether somebody listens to [`propagate_event`].
#[inline(always)]
#[expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "one macro of the kernel crate"
)]
pub fn wants_propagate_event() -> bool {
    // SAFETY: It is the key of a tracepoint.
    unsafe {
        static_branch_unlikely!(
            bindings::__tracepoint_propagate_event,
            bindings::tracepoint,
            key
        )
    }
}

/// `gvt:mmio`: the guest of vGPU number `vgpu` read or wrote `width` bytes at `offset` of BAR 0.
pub fn mmio(vgpu: u32, write: bool, offset: u64, value: u64, width: u32) {
    // SAFETY: A tracepoint takes any values, in any context.
    unsafe { bindings::gvt_helper_trace_mmio(vgpu, write, offset, value, width) };
}

/// `gvt:write_ir`: the guest wrote a register of the interrupt tree, which went from `old` to `new`.
pub fn write_ir(vgpu: u32, name: &CStr, offset: u32, new: u32, old: u32) {
    // SAFETY: A tracepoint takes any values, in any context, and copies the name.
    unsafe { bindings::gvt_helper_trace_write_ir(vgpu, name.as_char_ptr(), offset, new, old) };
}

/// `gvt:propagate_event`: something happened that the guest is told of, by this bit of its group.
pub fn propagate_event(vgpu: u32, event: &CStr, bit: u32) {
    // SAFETY: A tracepoint takes any values, in any context, and copies the name.
    unsafe { bindings::gvt_helper_trace_propagate_event(vgpu, event.as_char_ptr(), bit) };
}

/// `gvt:inject_msi`: vGPU number `vgpu` raised its interrupt, and `sent` says whether anybody was there to take it.
pub fn inject_msi(vgpu: u32, sent: bool) {
    // SAFETY: A tracepoint takes any values, in any context.
    unsafe { bindings::gvt_helper_trace_inject_msi(vgpu, sent) };
}

/// A name for a tracepoint, which takes it with its length.
fn named(name: &str) -> (*const kernel::ffi::c_char, u32) {
    (name.as_ptr().cast(), u32::try_from(name.len()).unwrap_or(0))
}

/// `gvt:workload_submit`: i915 was given work of vGPU number `vgpu`.
pub fn workload_submit(vgpu: u32, engine: &str) {
    let (name, len) = named(engine);
    // SAFETY: A tracepoint takes any values, in any context, and copies the name, which is that long.
    unsafe { bindings::gvt_helper_trace_workload_submit(vgpu, name, len) };
}

/// `gvt:workload_complete`: i915 is through with the oldest work of vGPU number `vgpu`, well if `done`. The vGPU
/// has had the engine for `time` nanoseconds since it was opened.
pub fn workload_complete(vgpu: u32, engine: &str, done: bool, time: u64) {
    let (name, len) = named(engine);
    // SAFETY: A tracepoint takes any values, in any context, and copies the name, which is that long.
    unsafe { bindings::gvt_helper_trace_workload_complete(vgpu, name, len, done, time) };
}
