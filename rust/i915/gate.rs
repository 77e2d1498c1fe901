// SPDX-License-Identifier: GPL-2.0

//! Why i915 does not give its device to a device model.
//!
//! i915 decides this by itself and says so in debug messages at most. Here the same questions are
//! asked again, so that an administrator is told.

use super::text;
use crate::bindings;
use core::ptr::NonNull;
use kernel::{
    device::Device,
    fmt, //
};

/// What stands in the way, in the order in which i915 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The module parameter `enable_gvt` is off.
    NotEnabled,
    /// The device is a virtual GPU itself.
    InGuest,
    /// The platform is none of Broadwell to Comet Lake; with the PCI device id.
    Unsupported(u16),
    /// Work is submitted through the GuC.
    GuC,
    /// i915 had no memory for its snapshot of the hardware.
    NoSnapshot,
    /// All questions were answered well, so the device model itself failed.
    ModelFailed,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnabled => {
                f.write_str("i915 was loaded without enable_gvt=1; add i915.enable_gvt=1 to the kernel command line")
            }
            Self::InGuest => {
                f.write_str("this GPU is itself a virtual one; virtual GPUs cannot be nested")
            }
            Self::Unsupported(id) => write!(
                f,
                "GPU 8086:{id:04x} is not supported; GVT-g works on Broadwell, Skylake, Kaby Lake, Broxton, \
                 Coffee Lake and Comet Lake"
            ),
            Self::GuC => {
                f.write_str("i915 submits work through the GuC; load it with enable_guc=0")
            }
            Self::NoSnapshot => f.write_str("i915 had no memory for a snapshot of the registers"),
            Self::ModelFailed => f.write_str("see the message before this one"),
        }
    }
}

/// Calls `tell` for each device that i915 is bound to: with what stands in the way, or `None` where
/// the model is in use. Returns how many there were.
pub fn examine(mut tell: impl FnMut(&Device, Option<Obstacle>)) -> usize {
    let mut found = 0;
    let mut pdev = core::ptr::null_mut();
    loop {
        // SAFETY: `pdev` is null or came from here; its reference is given back.
        pdev = unsafe { bindings::gvt_helper_next_display(pdev) };
        if pdev.is_null() {
            return found;
        }
        // SAFETY: The reference that the search returned keeps the device.
        let dev = unsafe { bindings::gvt_helper_pci_device(pdev) };
        let _bound = DeviceLock::new(dev);
        // SAFETY: The lock keeps the driver from leaving.
        let driver = unsafe { bindings::gvt_helper_driver_name(pdev) };
        // SAFETY: As above.
        if unsafe { text(driver) } != b"i915" {
            continue;
        }
        // SAFETY: i915 is bound to the device, and the lock keeps it so.
        if let Some(i915) = NonNull::new(unsafe { bindings::gvt_helper_i915_of(pdev) }) {
            found += 1;
            // SAFETY: The reference that the search returned keeps the device.
            tell(unsafe { Device::from_raw(dev) }, obstacle(i915));
        }
    }
}

/// Asks the questions; the device must be bound and its lock held.
fn obstacle(i915: NonNull<bindings::drm_i915_private>) -> Option<Obstacle> {
    let i915 = i915.as_ptr();
    // SAFETY: The device is valid.
    if !unsafe { bindings::gvt_helper_i915_gvt(i915) }.is_null() {
        return None;
    }
    // SAFETY: As above.
    if !unsafe { bindings::gvt_helper_i915_enable_gvt(i915) } {
        return Some(Obstacle::NotEnabled);
    }
    // SAFETY: As above.
    if unsafe { bindings::gvt_helper_i915_is_guest(i915) } {
        return Some(Obstacle::InGuest);
    }
    // SAFETY: As above.
    let platform = unsafe { bindings::gvt_helper_i915_platform(i915) };
    if platform == bindings::gvt_helper_platform_GVT_HELPER_PLATFORM_OTHER {
        // SAFETY: As above.
        return Some(Obstacle::Unsupported(unsafe {
            bindings::gvt_helper_i915_device_id(i915)
        }));
    }
    // SAFETY: As above.
    if unsafe { bindings::gvt_helper_i915_wants_guc(i915) } {
        return Some(Obstacle::GuC);
    }
    // SAFETY: As above.
    if unsafe { bindings::gvt_helper_i915_initial_config(i915) }.is_null() {
        return Some(Obstacle::NoSnapshot);
    }
    Some(Obstacle::ModelFailed)
}

/// The lock of a device, under which its driver comes and goes.
struct DeviceLock(*mut bindings::device);

impl DeviceLock {
    fn new(dev: *mut bindings::device) -> Self {
        // SAFETY: The caller holds a reference to the device for longer than this.
        unsafe { bindings::gvt_helper_device_lock(dev) };
        Self(dev)
    }
}

impl Drop for DeviceLock {
    fn drop(&mut self) {
        // SAFETY: `new` took it.
        unsafe { bindings::gvt_helper_device_unlock(self.0) };
    }
}
