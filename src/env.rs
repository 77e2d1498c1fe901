// SPDX-License-Identifier: GPL-2.0

//! What the model sees of the world while one access of one virtual GPU is carried out.

use crate::{
    partition::Partition,
    vgpu::Vgpu, //
};
use gvt_kapi::{
    i915::Gpu,
    vfio::Session, //
};
use gvt_model::{
    addr::Gpa,
    ports::{
        Aperture,
        GuestMemory, //
    },
};
use kernel::prelude::*;

/// The ports of the model, on top of VFIO and i915.
pub(crate) struct Env<'a> {
    pub(crate) session: &'a Session<Vgpu>,
    pub(crate) gpu: &'a Gpu,
    pub(crate) partition: &'a Partition,
}

impl GuestMemory for Env<'_> {
    fn read_guest(&mut self, gpa: Gpa, data: &mut [u8]) -> Result {
        self.session.dma_read(gpa.raw(), data)
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        self.session.dma_write(gpa.raw(), data)
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
