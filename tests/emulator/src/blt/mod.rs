// SPDX-License-Identifier: GPL-2.0
//! The 2D blitter: what its commands do to memory.
//!
//! Everything is a function of the command, the tiling register, [`BltState`] and memory. Rows go through a linear
//! buffer in bands, so that memory is accessed in long runs and an operation can be stopped between two bands.
//!
//! Overlaps are treated as on hardware, which does not look for one. Where a copy has the same base address on both
//! sides and comes from further up, it goes from the last row to the first; else from the first to the last. Rows are
//! read before they are written. So a copy within a surface is right whatever the offset, and one between overlapping
//! surfaces with different bases is as undefined here as it is there.

mod decode;
mod rop;
mod run;
mod surface;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::gtt::{Fault, GpuMemory, Space};
use decode::Rect;
pub use decode::{lengths, opcode};
use rop::Combination;
use surface::Surface;

/// What the set-up commands leave for later ones, and buffers that are kept between commands.
#[derive(Default)]
pub struct BltState {
    clip: Option<Rect>,
    setup: Setup,
    source: Vec<u8>,
    destination: Vec<u8>,
    /// One bit per opcode that the log has named as not executed.
    reported: u128,
}

/// What XY_PIXEL_BLT and XY_SCANLINES_BLT draw with.
#[derive(Clone, Copy, Debug, Default)]
enum Setup {
    /// No set-up command yet.
    #[default]
    None,
    /// A pattern of more than one colour, which is not executed.
    Pattern,
    /// One colour.
    Solid { destination: Surface, pixel: usize, combination: Combination, clip: bool },
}

/// Bytes that a command moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Read from the source, and from the destination where the result depends on it.
    pub read: u64,
    /// Written to the destination.
    pub written: u64,
}

/// Why a command did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BltError {
    /// An access failed; the bands before it are done.
    Fault(Fault),
    /// The caller asked to stop; the bands before are done.
    Interrupted,
    /// There is no such 2D command.
    Unknown,
    /// The command cannot have that many dwords.
    Length(usize),
    /// A field has a value that hardware has no meaning for.
    Reserved(&'static str),
    /// The command exists, but this blitter does not execute it. [`execute`] never returns it.
    NotExecuted,
}

impl fmt::Display for BltError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BltError::Fault(fault) => write!(f, "{fault}"),
            BltError::Interrupted => write!(f, "stopped by a reset"),
            BltError::Unknown => write!(f, "no such 2D command"),
            BltError::Length(length) => write!(f, "{length} dwords are not a length of this command on Gen8 or Gen9"),
            BltError::Reserved(field) => write!(f, "reserved value: {field}"),
            BltError::NotExecuted => write!(f, "the command is not executed by this blitter"),
        }
    }
}

impl std::error::Error for BltError {}

impl From<Fault> for BltError {
    fn from(fault: Fault) -> Self {
        BltError::Fault(fault)
    }
}

/// Whether a header of client 2D names a command that exists.
pub fn is_known(header: u32) -> bool {
    lengths(header).is_some()
}

/// Executes one whole 2D command.
///
/// `space` is where its addresses are, `swctrl` the value of `BCS_SWCTRL`. `interrupted` is asked between two bands. A
/// command that exists but is not among [`opcode`]'s does nothing and costs nothing; the log says so.
///
/// # Errors
///
/// Why the command did not come to its end.
pub fn execute(
    memory: &mut impl GpuMemory,
    space: Space,
    command: &[u32],
    swctrl: u32,
    state: &mut BltState,
    interrupted: &dyn Fn() -> bool,
) -> Result<Cost, BltError> {
    match decode::decode(command, swctrl, state) {
        Ok(Some(operation)) => run::run(memory, space, &operation, state, interrupted),
        Ok(None) => Ok(Cost::default()),
        Err(BltError::NotExecuted) => {
            let header = command.first().copied().unwrap_or(0);
            let bit = 1u128 << (header >> 22 & 0x7f);
            if state.reported & bit == 0 {
                state.reported |= bit;
                log::warn!("2D command {header:#010x} and others of its kind are accepted but not executed");
            }
            Ok(Cost::default())
        }
        Err(error) => Err(error),
    }
}
