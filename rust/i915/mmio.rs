// SPDX-License-Identifier: GPL-2.0

//! Registers of the hardware.

use super::Awake;
use crate::bindings;
use kernel::prelude::*;

/// Registers lie in the first 2 MiB of BAR 0.
const SPACE: u32 = 2 << 20;

/// Domains of the GPU kept awake for accesses that do not look after that themselves.
pub struct Forcewake<'a> {
    awake: &'a Awake<'a>,
    domains: u32,
}

/// An aligned register offset inside the space.
///
/// # Errors
///
/// `EINVAL` for any other offset.
fn checked(offset: u32) -> Result<u32> {
    if offset < SPACE && offset & 3 == 0 {
        Ok(offset)
    } else {
        Err(EINVAL)
    }
}

impl Awake<'_> {
    /// Reads a register, and wakes the domain that it is in.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `offset` is not a multiple of 4 below 2 MiB.
    pub fn read(&self, offset: u32) -> Result<u32> {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        Ok(unsafe { bindings::gvt_helper_i915_read(self.gpu.as_raw(), offset) })
    }

    /// Writes a register, and wakes the domain that it is in.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn write(&self, offset: u32, value: u32) -> Result {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        unsafe { bindings::gvt_helper_i915_write(self.gpu.as_raw(), offset, value) };
        Ok(())
    }

    /// Waits until earlier writes have arrived, by reading this register.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn posting_read(&self, offset: u32) -> Result {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        unsafe { bindings::gvt_helper_i915_posting_read(self.gpu.as_raw(), offset) };
        Ok(())
    }

    /// Keeps the domains awake that a register needs, to be read, or to be read and written.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn forcewake(&self, offset: u32, write: bool) -> Result<Forcewake<'_>> {
        let offset = checked(offset)?;
        // SAFETY: The device is valid, and the offset is that of a register.
        let domains =
            unsafe { bindings::gvt_helper_i915_forcewake_for(self.gpu.as_raw(), offset, write) };
        // SAFETY: The device is awake.
        unsafe { bindings::gvt_helper_i915_forcewake_get(self.gpu.as_raw(), domains) };
        Ok(Forcewake {
            awake: self,
            domains,
        })
    }
}

impl Forcewake<'_> {
    /// Reads a register in one of the domains, without any further check. May be called in atomic
    /// context.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `offset` is not a multiple of 4 below 2 MiB.
    pub fn read(&self, offset: u32) -> Result<u32> {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        Ok(unsafe { bindings::gvt_helper_i915_read_fw(self.awake.gpu.as_raw(), offset) })
    }

    /// Writes a register in one of the domains, without any further check. May be called in atomic
    /// context.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn write(&self, offset: u32, value: u32) -> Result {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        unsafe { bindings::gvt_helper_i915_write_fw(self.awake.gpu.as_raw(), offset, value) };
        Ok(())
    }
}

impl Drop for Forcewake<'_> {
    fn drop(&mut self) {
        // SAFETY: `Awake::forcewake` got these.
        unsafe { bindings::gvt_helper_i915_forcewake_put(self.awake.gpu.as_raw(), self.domains) };
    }
}
