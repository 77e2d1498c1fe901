// SPDX-License-Identifier: GPL-2.0

//! What the model sees of the world while one access of one virtual GPU is carried out.

use crate::{
    partition::Partition,
    vgpu::Vgpu, //
};
use gvt_kapi::{
    i915::Gpu,
    vfio::Opened, //
};
use gvt_model::{
    addr::Gpa,
    ports::{
        Aperture,
        GuestMemory,
        Hardware, //
    },
};
use kernel::prelude::*;

/// The ports of the model, on top of VFIO and i915.
pub(crate) struct Env<'a> {
    pub(crate) device: &'a Opened<'a, Vgpu>,
    pub(crate) gpu: &'a Gpu,
    pub(crate) partition: &'a Partition,
}

impl GuestMemory for Env<'_> {
    fn read_guest(&mut self, gpa: Gpa, data: &mut [u8]) -> Result {
        self.device.dma_read(gpa.raw(), data)
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        self.device.dma_write(gpa.raw(), data)
    }
}

impl Aperture for Env<'_> {
    fn read_aperture(&mut self, offset: u64, data: &mut [u8]) -> Result {
        self.partition
            .low
            .aperture_read(&self.gpu.wake(), offset, data)
    }

    fn write_aperture(&mut self, offset: u64, data: &[u8]) -> Result {
        self.partition
            .low
            .aperture_write(&self.gpu.wake(), offset, data)
    }
}

impl Hardware for Env<'_> {
    fn read_register(&mut self, offset: u32) -> Result<u32> {
        self.gpu.wake().read(offset)
    }

    fn write_fence(&mut self, number: usize, value: u64) -> Result {
        self.partition.fences.write(&self.gpu.wake(), number, value)
    }
}
