// SPDX-License-Identifier: GPL-2.0

//! What the model sees of the world while one access of one virtual GPU is carried out.

use crate::{
    display::Clock,
    frames::Frames,
    partition::Partition,
    vgpu::Vgpu, //
};
use gvt_kapi::{
    i915::{
        Awake,
        Gpu, //
    },
    vfio::Session, //
};
use gvt_model::{
    addr::{
        Gfn,
        GmPage,
        Gpa, //
    },
    ports::{
        self,
        Aperture,
        GuestMemory,
        Hardware,
        HostGgtt, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// The ports of the model, on top of VFIO and i915.
pub(crate) struct Env<'a> {
    session: &'a Arc<Session<Vgpu>>,
    frames: &'a mut Frames,
    gpu: &'a Arc<Gpu>,
    partition: &'a Partition,
    clock: Clock,
    /// Most accesses need no hardware, so it is woken by the first that does.
    awake: Option<Awake<'a>>,
}

impl<'a> Env<'a> {
    /// What an access needs, for a virtual GPU that is open.
    pub(crate) fn new(
        session: &'a Arc<Session<Vgpu>>,
        frames: &'a mut Frames,
        gpu: &'a Arc<Gpu>,
        partition: &'a Partition,
        clock: Clock,
    ) -> Self {
        Self {
            session,
            frames,
            gpu,
            partition,
            clock,
            awake: None,
        }
    }

    fn awake(&mut self) -> (&Partition, &Awake<'a>) {
        let gpu = self.gpu;
        (self.partition, self.awake.get_or_insert_with(|| gpu.wake()))
    }
}

impl ports::Clock for Env<'_> {
    fn now(&mut self) -> u64 {
        self.clock.now()
    }
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
        let (partition, awake) = self.awake();
        partition.low().aperture_read(awake, offset, data)
    }

    fn write_aperture(&mut self, offset: u64, data: &[u8]) -> Result {
        let (partition, awake) = self.awake();
        partition.low().aperture_write(awake, offset, data)
    }
}

impl HostGgtt for Env<'_> {
    fn map_page(&mut self, page: GmPage, gfn: Gfn) -> Result {
        let address = self.frames.take(self.session, self.gpu, gfn)?;
        let (partition, awake) = self.awake();
        let written = partition.point(awake, page, Some(address));
        if written.is_err() {
            self.release_frame(gfn);
        }
        written
    }

    fn clear_page(&mut self, page: GmPage) {
        let (partition, awake) = self.awake();
        // The model only knows pages of the partition, and those do not fail.
        let _ = partition.point(awake, page, None);
    }

    fn release_frame(&mut self, gfn: Gfn) {
        if self.frames.release(gfn) {
            self.flush_ggtt();
        }
    }

    fn flush_ggtt(&mut self) {
        let (partition, awake) = self.awake();
        partition.flush(awake);
        self.frames.forget();
    }
}

impl Hardware for Env<'_> {
    fn read_register(&mut self, offset: u32) -> Result<u32> {
        let (_, awake) = self.awake();
        awake.read(offset)
    }

    fn write_fence(&mut self, number: usize, value: u64) -> Result {
        let (partition, awake) = self.awake();
        partition.fences().write(awake, number, value)
    }
}
