// SPDX-License-Identifier: GPL-2.0

//! BAR0: registers, a hole, and the window to the GGTT (gvt-spec 4.1, 4.4, 5).
//!
//! One function reads and one function writes; every path by which a guest reaches BAR0 ends in
//! them. A register that is not modelled is memory of the vGPU, and what a guest writes to it
//! never reaches the GPU.

mod file;
mod ggtt;
pub(crate) mod pvinfo;

use core::ops::Range;

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
    ports::HostGgtt,
    region::Position, //
};
use file::VregFile;
use ggtt::Ggtt;
use pvinfo::PvInfo;

/// `GFX_FLSH_CNTL`: i915 writes it after each burst of page table entries.
const GFX_FLSH_CNTL: Range<u64> = 0x10_1008..0x10_100c;

/// BAR0 of a vGPU.
pub(crate) struct Bar0 {
    size: u64,
    registers: VregFile,
    identity: PvInfo,
    ggtt: Ggtt,
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
            ggtt: Ggtt::new(window, low, high)?,
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
    pub(crate) fn write(
        &mut self,
        at: Position,
        data: &[u8],
        host: &mut (impl HostGgtt + ?Sized),
    ) -> Result<(), Fault> {
        match self.place(at, data.len())? {
            Place::Registers if pvinfo::contains(at.offset()) => {
                pvinfo::write(&mut self.registers, at, data)
            }
            Place::Registers => {
                if flushes_ggtt(at.offset(), data.len()) {
                    self.ggtt.flush(host);
                }
                self.registers.write(at, data)
            }
            Place::Hole => Ok(()),
            Place::Ggtt(offset) => {
                self.ggtt.write(offset, data, host);
                Ok(())
            }
        }
    }

    /// Forgets the page table: the GPU's own entries point at the scratch page already.
    pub(crate) fn clear_ggtt(&mut self) {
        self.ggtt.clear();
    }

    /// Frames `gone` are no memory of the guest's any more.
    pub(crate) fn withdraw(&mut self, gone: Range<u64>, host: &mut (impl HostGgtt + ?Sized)) {
        self.ggtt.withdraw(gone, host);
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

/// Whether a write of so many bytes touches the register that flushes the GGTT.
fn flushes_ggtt(offset: u64, width: usize) -> bool {
    offset < GFX_FLSH_CNTL.end
        && offset.saturating_add(u64::from_safe_cast(width)) > GFX_FLSH_CNTL.start
}
