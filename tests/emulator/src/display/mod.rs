// SPDX-License-Identifier: GPL-2.0
//! The display engine.

use crate::gpu::Gpu;
use crate::platform::Platform;

/// Pipes, ports, clocks and power wells of one GPU.
pub struct Display {}

impl Display {
    /// A display engine with everything off.
    pub fn new(_platform: &'static Platform) -> Self {
        Self {}
    }

    /// Offsets of the registers with side effects.
    pub fn claims(&self) -> impl Iterator<Item = u32> {
        std::iter::empty()
    }

    /// Sets every display register to its power-on value.
    pub fn reset(&self, _gpu: &Gpu) {}

    /// Reads a register; `offset` is one of [`Self::claims`].
    pub fn read(&self, gpu: &Gpu, offset: u32) -> u32 {
        gpu.bar0.load(offset)
    }

    /// Writes a register; `offset` is one of [`Self::claims`].
    pub fn write(&self, gpu: &Gpu, offset: u32, value: u32) {
        gpu.bar0.store(offset, value);
    }

    /// Whether any event that MI_WAIT_FOR_EVENT names by these bits has yet to happen.
    pub fn event_pending(&self, _events: u32) -> bool {
        false
    }

    /// A flip by MI_DISPLAY_FLIP: header, stride and tiling, surface address.
    pub fn flip(&self, _gpu: &Gpu, _header: u32, _stride: u32, _surface: u32) {}
}
