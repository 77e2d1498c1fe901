// SPDX-License-Identifier: GPL-2.0

//! The page of registers with which guest and device model talk (gvt-spec 4.4; the guest's side
//! is `drivers/gpu/drm/i915/i915_pvinfo.h`).

use core::ops::Range;

use kernel::prelude::*;

use super::file::VregFile;
use crate::{
    addr::GmRange,
    fault::Fault,
    region::Position,
    types::VgpuId, //
};

/// The page in the register file.
const PAGE: Range<u64> = 0x7_8000..0x7_9000;
const PAGE_START: usize = 0x7_8000;

const MAGIC: u64 = 0x4776_5447_7654_4776;
const VERSION_MAJOR: u16 = 1;
const VERSION_MINOR: u16 = 0;
/// Full PPGTT, emulation of the hardware status page, huge pages.
const CAPS: u32 = 1 << 2 | 1 << 3 | 1 << 4;

const VERSION: usize = 0x08;
const ID: usize = 0x0c;
const CAPABILITIES: usize = 0x10;
const RANGES: usize = 0x40;
const FENCES: usize = 0x50;
const CURSOR_HOT: usize = 0x830;

/// What a guest may write: whether its display is ready, its notifications, and their arguments
/// with the hot spot of the cursor, from which on they follow one another.
const WRITABLE: [Range<u64>; 3] = [0x804..0x808, 0x818..0x81c, 0x830..0x860];

/// Whether the byte at this offset of BAR0 is in the page.
pub(super) fn contains(offset: u64) -> bool {
    PAGE.contains(&offset)
}

/// Writes those bytes that a guest may write and drops the others.
pub(super) fn write(registers: &mut VregFile, at: Position, data: &[u8]) -> Result<(), Fault> {
    for (offset, byte) in (at.offset()..).zip(data) {
        let in_page = offset.saturating_sub(PAGE.start);
        if WRITABLE.iter().any(|range| range.contains(&in_page)) {
            let byte_at = Position::new(at.index(), offset).map_err(Fault::Host)?;
            registers.write(byte_at, &[*byte])?;
        }
    }
    Ok(())
}

/// What the page says about a vGPU.
#[derive(Clone, Copy)]
pub(crate) struct PvInfo {
    id: u32,
    /// Base and size of the mappable and of the other graphics memory.
    ranges: [u32; 4],
    fences: u32,
}

impl PvInfo {
    /// # Errors
    ///
    /// `EINVAL` if a number does not fit in its register.
    pub(crate) fn new(id: VgpuId, low: GmRange, high: GmRange, fences: u32) -> Result<Self> {
        let register = |number: u64| u32::try_from(number).map_err(|_| EINVAL);
        Ok(Self {
            id: id.get().into(),
            ranges: [
                register(low.start())?,
                register(low.size())?,
                register(high.start())?,
                register(high.size())?,
            ],
            fences,
        })
    }

    /// Sets the page to its state after a reset; all registers must be 0 before.
    pub(super) fn fill(&self, registers: &mut VregFile) {
        let mut set = |offset: usize, data: &[u8]| {
            registers.set(PAGE_START.saturating_add(offset), data);
        };
        set(0, &MAGIC.to_le_bytes());
        set(VERSION, &VERSION_MAJOR.to_le_bytes());
        set(VERSION.saturating_add(2), &VERSION_MINOR.to_le_bytes());
        set(ID, &self.id.to_le_bytes());
        set(CAPABILITIES, &CAPS.to_le_bytes());
        for (offset, number) in (RANGES..).step_by(4).zip(self.ranges) {
            set(offset, &number.to_le_bytes());
        }
        set(FENCES, &self.fences.to_le_bytes());
        // No hot spot: both coordinates are all ones.
        set(CURSOR_HOT, &[0xff; 8]);
    }
}
