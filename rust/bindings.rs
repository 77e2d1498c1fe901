// SPDX-License-Identifier: GPL-2.0

//! The C side of this crate. Private: everything else uses the safe types of its siblings.

#[cfg(not(CONFIG_UML))]
mod generated;
#[cfg(not(CONFIG_UML))]
pub(crate) use generated::*;

// A user-mode kernel has the headers of neither KVM nor VFIO nor i915 for bindgen to read.
#[cfg(CONFIG_UML)]
pub(crate) use kernel::bindings::*;
#[cfg(CONFIG_UML)]
#[expect(
    improper_ctypes,
    reason = "a kernel for one CPU has empty spinlocks; only a pointer is passed"
)]
unsafe extern "C" {
    pub(crate) fn gvt_helper_allow_kill();
    pub(crate) fn gvt_helper_kill(task: *mut task_struct);
    pub(crate) fn gvt_helper_is_killed() -> bool;
    pub(crate) fn gvt_helper_forget_kill();
    pub(crate) fn gvt_helper_ratelimit_init(state: *mut ratelimit_state);
}
