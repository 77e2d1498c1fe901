// SPDX-License-Identifier: GPL-2.0

//! BAR0: registers, a hole, and the window to the GGTT (gvt-spec 4.1, 4.4, 5).
//!
//! One function reads and one function writes; every path by which a guest reaches BAR0 ends in
//! them. A register that is not modelled is memory of the vGPU, and what a guest writes to it
//! never reaches the GPU.

mod file;
mod ggtt;
pub(crate) mod pvinfo;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    addr::GmRange,
    fault::{
        Fault,
        GuestFault, //
    },
    platform::{
        GGTT_OFFSET,
        MMIO_SIZE, //
    },
    region::Position,
};
use file::VregFile;
use ggtt::GgttView;
use pvinfo::PvInfo;

/// BAR0 of a vGPU.
pub(crate) struct Bar0 {
    size: u64,
    registers: VregFile,
    identity: PvInfo,
    ggtt: GgttView,
}

/// What is at an offset of BAR0.
enum Place {
    Registers,
    Hole,
    /// The window to the GGTT, with the offset from its start.
    Ggtt(u64),
}

impl Bar0 {
    /// BAR0 of `size` bytes, after a reset, for a vGPU with these ranges of graphics memory.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if the window to the GGTT ends before the ranges do.
    pub(crate) fn new(identity: PvInfo, size: u64, low: GmRange, high: GmRange) -> Result<Self> {
        let window = size.checked_sub(GGTT_OFFSET).ok_or(EINVAL)?;
        let mut bar = Self {
            size,
            registers: VregFile::new()?,
            identity,
            ggtt: GgttView::new(window, low, high)?,
        };
        bar.identity.fill(&mut bar.registers);
        Ok(bar)
    }

    /// Back to the state after [`Bar0::new`].
    pub(crate) fn reset(&mut self) {
        self.registers.clear();
        self.identity.fill(&mut self.registers);
        self.ggtt.clear();
    }

    /// Reads `data.len()` bytes, 1, 2, 4 or 8, at a multiple of the width.
    pub(crate) fn read(&mut self, at: Position, data: &mut [u8]) -> Result<(), Fault> {
        match self.place(at, data.len())? {
            Place::Registers => self.registers.read(at, data),
            Place::Hole => {
                data.fill(0);
                Ok(())
            }
            Place::Ggtt(offset) => {
                self.ggtt.read(offset, data);
                Ok(())
            }
        }
    }

    /// Writes `data`, 1, 2, 4 or 8 bytes, at a multiple of the width.
    pub(crate) fn write(&mut self, at: Position, data: &[u8]) -> Result<(), Fault> {
        match self.place(at, data.len())? {
            Place::Registers if pvinfo::contains(at.offset()) => {
                pvinfo::write(&mut self.registers, at, data)
            }
            Place::Registers => self.registers.write(at, data),
            Place::Hole => Ok(()),
            Place::Ggtt(offset) => {
                self.ggtt.write(offset, data);
                Ok(())
            }
        }
    }

    fn place(&self, at: Position, width: usize) -> Result<Place, Fault> {
        let offset = at.offset();
        let end = offset.checked_add(u64::from_safe_cast(width));
        if end.is_none_or(|end| end > self.size) {
            return Err(GuestFault::OutOfRange { at, width }.into());
        }
        if offset < MMIO_SIZE {
            return Ok(Place::Registers);
        }
        match offset.checked_sub(GGTT_OFFSET) {
            None => Ok(Place::Hole),
            Some(offset) if width == 4 || width == 8 => Ok(Place::Ggtt(offset)),
            Some(_) => Err(GuestFault::Width { at, width }.into()),
        }
    }
}
