// SPDX-License-Identifier: GPL-2.0

//! Kernel messages whose number a guest cannot decide.
//!
//! C header: `include/linux/ratelimit.h`

use crate::bindings;
use kernel::{
    prelude::*,
    types::Opaque, //
};

/// Lets ten messages pass in five seconds, and tells how many it kept back.
#[pin_data]
pub struct RateLimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
}

// SAFETY: The state has a lock of its own.
unsafe impl Send for RateLimit {}

// SAFETY: The state has a lock of its own.
unsafe impl Sync for RateLimit {}

impl RateLimit {
    /// Makes one that has let nothing pass yet.
    pub fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: The helper initialises all of the slot.
            state <- Opaque::ffi_init(|slot| unsafe { bindings::gvt_helper_ratelimit_init(slot) }),
        })
    }

    /// Whether a message may pass; `who` stands in front of the number of those kept back.
    pub fn allows(&self, who: &'static CStr) -> bool {
        // SAFETY: The state is initialised and pinned, and `who` is a string that lives for ever.
        unsafe { bindings::___ratelimit(self.state.get(), who.as_char_ptr()) != 0 }
    }
}

/// Prints a warning about what a guest or its VMM did, unless there were too many:
/// `guest_warn!(limit, device, ..)`.
#[macro_export]
macro_rules! guest_warn {
    ($limit:expr, $device:expr, $($arg:tt)*) => {
        if $limit.allows(c"kvmgt") {
            ::kernel::dev_warn!($device, $($arg)*);
        }
    };
}
