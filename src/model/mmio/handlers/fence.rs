// SPDX-License-Identifier: GPL-2.0

//! Fences: ranges of the aperture that are tiled.
//!
//! The guest numbers its fences from 0; which of the hardware's they are is the driver's business.
//! A range that is not the vGPU's never reaches the hardware (gvt-spec 12.1-20): it would change
//! how another one's memory, or the host's, looks through the aperture.

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use super::Write;
use crate::{
    addr::{
        GmRange,
        PAGE_SIZE, //
    },
    effect::{
        Failsafe,
        Refusal, //
    },
    mmio::registers::Registers,
    vgpu::Host,
};

/// FENCE_REG_GEN6: two dwords for each.
const FIRST: u32 = 0x10_0000;
const END: u32 = 0x10_0080;
const SIZE: u32 = 8;

const VALID: u64 = 1 << 0;
/// The address of the first and of the last page, each in a half of the register.
const PAGE: u32 = 0xffff_f000;

/// Whether the 8 bytes at `offset` are a fence.
pub(in crate::mmio) fn is_fence(offset: u32) -> bool {
    (FIRST..END).contains(&offset) && offset % SIZE == 0
}

fn number(offset: u32) -> u32 {
    offset.saturating_sub(FIRST) / SIZE
}

/// The tiles are Y ones: 128 bytes wide and 32 lines high. Otherwise they are X ones, of 512 bytes and 8 lines. A tile is
/// a page.
const TILES_Y: u64 = 1 << 1;
/// How wide what is tiled is: multiples of 128 bytes, less one.
const PITCH_SHIFT: u32 = 32;
const PITCH: u64 = 0xfff;
const PITCH_UNIT: u64 = 128;

/// Whether a fence is off, or leads to nothing but pages in `own`.
///
/// The processor finds a place in the range by its line and column, and those are in a tile of the range's whole rows of
/// tiles: the last row may be longer than the range, and what is at its end lies behind that
/// (`i915_gem_fence_size()` makes room for whole rows).
fn is_inside(own: GmRange, value: u64) -> bool {
    if value & VALID == 0 {
        return true;
    }
    let first = value & u64::from(PAGE);
    let last = (value >> 32) & u64::from(PAGE);
    let (width, lines) = if value & TILES_Y != 0 {
        (128, 32)
    } else {
        (512, 8)
    };
    let pitch = ((value >> PITCH_SHIFT) & PITCH)
        .saturating_add(1)
        .saturating_mul(PITCH_UNIT);
    let tiles = pitch.div_ceil(width);
    let rows = last
        .checked_sub(first)
        .and_then(|length| length.checked_add(PAGE_SIZE))
        .and_then(|length| length.checked_next_multiple_of(pitch.saturating_mul(lines)))
        .and_then(|length| length.checked_div(pitch.saturating_mul(lines)));
    rows.and_then(|rows| rows.checked_mul(tiles)?.checked_mul(PAGE_SIZE))
        .is_some_and(|length| own.contains(first, length))
}

impl Registers {
    /// What half of a fence reads as: those that the vGPU does not have are 0.
    pub(super) fn read_fence(&self, offset: u32) -> u32 {
        if number(offset) < self.fences {
            self.file.get(offset)
        } else {
            0
        }
    }

    /// Writes one half.
    pub(super) fn write_fence_half(
        &mut self,
        write: &Write,
        host: &mut Host<'_>,
    ) -> Result<u32, Refusal> {
        let low = write.offset & !4;
        let (low_value, high_value) = if low == write.offset {
            (write.value, self.file.get(low | 4))
        } else {
            (self.file.get(low), write.value)
        };
        self.set_fence(
            low,
            u64::from(high_value) << 32 | u64::from(low_value),
            host,
        )?;
        Ok(write.value)
    }

    /// Writes a fence as a whole.
    pub(in crate::mmio) fn write_fence(
        &mut self,
        offset: u32,
        value: u64,
        host: &mut Host<'_>,
    ) -> Result<(), Refusal> {
        self.set_fence(offset, value, host)?;
        self.file.set_pair(offset, value);
        Ok(())
    }

    fn set_fence(&mut self, offset: u32, value: u64, host: &mut Host<'_>) -> Result<(), Refusal> {
        let number = number(offset);
        if number >= self.fences {
            if !self.knows_vgpus {
                self.fail_safe(Failsafe::UnsupportedGuest, host.effects);
            }
            return Err(Refusal::NoSuchFence);
        }
        if !is_inside(self.low, value) {
            return Err(Refusal::NotOwnMemory);
        }
        // A fence that is off is all 0 in the hardware, whatever else the guest has there.
        let value = if value & VALID == 0 { 0 } else { value };
        host.env
            .write_fence(usize::from_safe_cast(number), value)
            .map_err(|_| Refusal::NoSuchFence)
    }
}
