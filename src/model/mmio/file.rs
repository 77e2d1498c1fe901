// SPDX-License-Identifier: GPL-2.0

//! The registers as the guest sees them.

use core::ops::Range;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    platform::MMIO_SIZE,
    wire, //
};

/// [`MMIO_SIZE`] bytes of registers.
///
/// Offsets are in bytes. Beyond the end all is 0, and stays so.
pub(crate) struct VregFile {
    bytes: KVVec<u8>,
}

impl VregFile {
    /// All registers 0.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        let size = usize::try_from(MMIO_SIZE).map_err(|_| ENOMEM)?;
        Ok(Self {
            bytes: KVVec::zeroed(size, GFP_KERNEL)?,
        })
    }

    /// Makes all registers 0.
    pub(super) fn clear(&mut self) {
        self.bytes.fill(0);
    }

    /// Makes the registers in a range 0.
    pub(super) fn clear_range(&mut self, range: Range<u32>) {
        let range = place(range.start)..place(range.end);
        self.bytes.get_mut(range).unwrap_or_default().fill(0);
    }

    /// The register at `offset`.
    pub(crate) fn get(&self, offset: u32) -> u32 {
        wire::u32_at(&self.bytes, place(offset))
    }

    /// Sets the register at `offset`.
    pub(crate) fn set(&mut self, offset: u32, value: u32) {
        wire::put_u32(&mut self.bytes, place(offset), value);
    }

    /// Sets the register at `offset` and the next one.
    pub(super) fn set_pair(&mut self, offset: u32, value: u64) {
        wire::put(&mut self.bytes, place(offset), &value.to_le_bytes());
    }
}

fn place(offset: u32) -> usize {
    usize::from_safe_cast(offset)
}
