// SPDX-License-Identifier: GPL-2.0

//! What can go wrong with an access: the guest's or the VMM's fault, or the host's.

use core::fmt;

use kernel::prelude::*;

use crate::{
    addr::Gpa,
    edid::{
        mode::ModeDefect,
        Defect, //
    },
    region::Position, //
};

/// Why an access was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The guest or the VMM asked for something that there is not.
    Guest(GuestFault),
    /// The host could not do it.
    Host(Error),
}

impl Fault {
    /// What `read` and `write` answer: `EFAULT` for everything that was asked wrongly, as the C
    /// driver does, and the host's own error otherwise.
    pub fn errno(&self) -> Error {
        match self {
            Self::Guest(_) => EFAULT,
            Self::Host(error) => *error,
        }
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guest(fault) => fault.text(out),
            Self::Host(error) => write!(out, "the host failed: {error:?}"),
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        fault.errno()
    }
}

impl From<GuestFault> for Fault {
    fn from(fault: GuestFault) -> Self {
        Self::Guest(fault)
    }
}

/// A wrong request; print it with `{}`. Printing must be rate limited: a guest can cause as many
/// of these as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestFault {
    /// There is nothing in this region.
    NoRegion {
        /// Its VFIO index.
        index: u32,
    },
    /// The width is not one that the place takes, or the offset is not a multiple of it.
    Width {
        /// Where.
        at: Position,
        /// Bytes asked for.
        width: usize,
    },
    /// Outside the region, or outside the part of it that the vGPU has.
    OutOfRange {
        /// Where.
        at: Position,
        /// Bytes asked for.
        width: usize,
    },
    /// A write to something that can only be read.
    ReadOnly {
        /// Where.
        at: Position,
    },
    /// The OpRegion of the guest, which ASLS points to, is not in memory that can be used.
    OpRegion {
        /// Where it should be.
        gpa: Gpa,
        /// What happened there.
        error: Error,
    },
    /// More EDID than there is room for.
    EdidSize {
        /// The size asked for, in bytes.
        size: u32,
    },
    /// Not a state that a link of a monitor can have.
    LinkState {
        /// The number written.
        state: u32,
    },
    /// The link of the monitor cannot come up because its EDID is none.
    Edid(Defect),
    /// The link of the monitor cannot come up because the vGPU cannot show its native mode.
    Mode(ModeDefect),
}

impl GuestFault {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRegion { index } => write!(out, "there is nothing in region {index}"),
            Self::Width { at, width } => write!(
                out,
                "region {} does not take {width} bytes at offset {:#x}",
                at.index(),
                at.offset()
            ),
            Self::OutOfRange { at, width } => write!(
                out,
                "{width} bytes at offset {:#x} are outside what the vGPU has of region {}",
                at.offset(),
                at.index()
            ),
            Self::ReadOnly { at } => write!(
                out,
                "region {} cannot be written at offset {:#x}",
                at.index(),
                at.offset()
            ),
            Self::OpRegion { gpa, error } => write!(
                out,
                "the OpRegion that ASLS points to, at guest address {:#x}, is out of reach: {error:?}",
                gpa.raw()
            ),
            Self::EdidSize { size } => {
                write!(out, "an EDID of {size} bytes is too big for this monitor")
            }
            Self::LinkState { state } => {
                write!(out, "{state} is not a link state: 1 is up, 2 is down")
            }
            Self::Edid(defect) => write!(out, "the monitor stays off, its EDID is bad: {defect}"),
            Self::Mode(defect) => write!(out, "the monitor stays off, its mode is too big: {defect}"),
        }
    }
}

display!(Fault, GuestFault);
