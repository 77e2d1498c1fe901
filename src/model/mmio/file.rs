// SPDX-License-Identifier: GPL-2.0

//! The registers as the guest sees them.

use kernel::prelude::*;

use crate::{
    fault::{
        Fault,
        GuestFault, //
    },
    platform::MMIO_SIZE,
    region::Position,
    vgpu::read_bytes,
    wire, //
};

/// [`MMIO_SIZE`] bytes of registers.
pub(super) struct VregFile {
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

    /// Reads an access that lies inside.
    pub(super) fn read(&self, at: Position, data: &mut [u8]) -> Result<(), Fault> {
        read_bytes(&self.bytes, at, data)
    }

    /// Writes an access that lies inside.
    pub(super) fn write(&mut self, at: Position, data: &[u8]) -> Result<(), Fault> {
        let width = data.len();
        let target = usize::try_from(at.offset())
            .ok()
            .and_then(|start| Some(start..start.checked_add(width)?))
            .and_then(|range| self.bytes.get_mut(range))
            .ok_or(GuestFault::OutOfRange { at, width })?;
        target.copy_from_slice(data);
        Ok(())
    }

    /// Sets the bytes of registers that are known to exist.
    pub(super) fn set(&mut self, offset: usize, data: &[u8]) {
        wire::put(&mut self.bytes, offset, data);
    }
}
