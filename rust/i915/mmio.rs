// SPDX-License-Identifier: GPL-2.0

//! Registers of the hardware.

use super::{
    Awake,
    Gpu, //
};
use crate::bindings;
use gvt_model::ports::EngineRegisters;
use kernel::prelude::*;

/// Registers lie in the first 2 MiB of BAR 0.
const SPACE: u32 = 2 << 20;

/// All domains of a GPU that is awake, kept awake for accesses that do not look after that themselves.
pub struct Powered<'a> {
    gpu: &'a Gpu,
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

    /// Keeps all domains awake.
    pub fn power(&self) -> Powered<'_> {
        // SAFETY: The device is awake for as long as the result lives.
        unsafe { Powered::new(self.gpu) }
    }
}

/// All domains that there are.
const ALL_DOMAINS: u32 = u32::MAX;

impl<'a> Powered<'a> {
    /// # Safety
    ///
    /// The device must be awake for as long as the result lives.
    pub(super) unsafe fn new(gpu: &'a Gpu) -> Self {
        // SAFETY: By the requirement of this function.
        unsafe { bindings::gvt_helper_i915_forcewake_get(gpu.as_raw(), ALL_DOMAINS) };
        Self { gpu }
    }

    /// Reads a register, without any further check. May be called in atomic context.
    ///
    /// # Errors
    ///
    /// `EINVAL` if `offset` is not a multiple of 4 below 2 MiB.
    pub fn read(&self, offset: u32) -> Result<u32> {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        Ok(unsafe { bindings::gvt_helper_i915_read_fw(self.gpu.as_raw(), offset) })
    }

    /// Writes a register, without any further check. May be called in atomic context.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn write(&self, offset: u32, value: u32) -> Result {
        let offset = checked(offset)?;
        // SAFETY: The device is awake, and the offset is that of a register.
        unsafe { bindings::gvt_helper_i915_write_fw(self.gpu.as_raw(), offset, value) };
        Ok(())
    }
}

impl EngineRegisters for Powered<'_> {
    fn read(&self, offset: u32) -> u32 {
        // The model knows registers that there are.
        Powered::read(self, offset).unwrap_or(0)
    }

    fn write(&self, offset: u32, value: u32) {
        let _ = Powered::write(self, offset, value);
    }
}

impl Drop for Powered<'_> {
    fn drop(&mut self) {
        // SAFETY: `new` got these.
        unsafe { bindings::gvt_helper_i915_forcewake_put(self.gpu.as_raw(), ALL_DOMAINS) };
    }
}
