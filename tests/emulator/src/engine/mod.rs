// SPDX-License-Identifier: GPL-2.0
//! A command streamer.

mod id;

use crate::gpu::Gpu;
pub use id::EngineId;

/// One command streamer.
pub struct Engine {
    /// Which one.
    pub id: EngineId,
}

impl Engine {
    /// An idle engine.
    pub fn new(id: EngineId) -> Self {
        Self { id }
    }
    /// Claims.
    pub fn claims(&self) -> impl Iterator<Item = u32> {
        std::iter::empty()
    }
    /// Reset.
    pub fn reset(&self, _gpu: &Gpu) {}
    /// Reset values.
    pub fn set_reset_values(&self, _gpu: &Gpu) {}
    /// TLB.
    pub fn invalidate_tlb(&self) {}
    /// Read.
    pub fn mmio_read(&self, gpu: &Gpu, offset: u32) -> u32 {
        gpu.bar0.load(offset)
    }
    /// Write.
    pub fn mmio_write(&self, gpu: &Gpu, offset: u32, value: u32) {
        gpu.bar0.store(offset, value);
    }
}
