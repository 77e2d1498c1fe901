// SPDX-License-Identifier: GPL-2.0

//! The virtual display: one DisplayPort monitor, and everything between it and the memory that it
//! shows (gvt-spec 10).
//!
//! The modules know register values and not where registers are kept: whoever dispatches accesses
//! hands them over and stores what comes back. There is no time and no interrupt in here either.
//! What has to be raised is in the answers, and the time comes in with the question.
//!
//! | module | hardware |
//! |---|---|
//! | [`ddc`] | the I2C bus of the monitor, with its EDID |
//! | [`aux`] | the AUX channels and the sink at the end of one |
//! | [`gmbus`] | the I2C controller of the south display |
//! | [`timing`] | clocks, refresh rate, vertical blanks |
//! | [`plane`] | planes and cursors |
//! | [`flip`] | page flips and their events |
//! | [`port`], [`phy`] | ports, links, PHYs |
//! | [`reset`] | what registers hold after a reset, hotplug |

pub mod aux;
pub mod ddc;
pub mod flip;
pub mod gmbus;
pub mod phy;
mod pipe;
pub mod plane;
pub mod port;
pub mod reset;
pub(crate) mod state;
pub mod timing;

pub use pipe::{
    Ddi,
    Pipe,
    Transcoder, //
};
