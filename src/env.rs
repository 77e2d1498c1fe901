// SPDX-License-Identifier: GPL-2.0

//! What the model sees of the world while one access of one virtual GPU is carried out.

use crate::{
    display::Clock,
    frames::Frames,
    partition::Partition,
    shadows::Shadows,
    vgpu::Vgpu, //
};
use gvt_kapi::{
    i915::{
        Awake,
        Gpu, //
    },
    kthread,
    kvm::{
        PageWatcher,
        WriteTracker, //
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
        HostGgtt,
        HostPpgtt,
        ShadowTable, //
    },
    ppgtt::entry::Level,
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::fsleep,
        Delta,
        Instant,
        Monotonic, //
    },
};

/// What a virtual GPU that is open has of its machine, and of the host for it.
pub(crate) struct Resources {
    // Dropped first: it ends before another virtual GPU may take its place in the machine.
    pub(crate) tracker: Pin<KBox<WriteTracker<Watcher>>>,
    pub(crate) frames: Frames,
    pub(crate) shadows: Shadows,
    /// Whether the GPU may have been told of any frame or table.
    pub(crate) exposed: bool,
    pub(crate) vfio: Arc<Session<Vgpu>>,
}

impl Resources {
    /// Lets go of all frames and tables: no entry leads to any. Those that the GPU does not forget are lost.
    pub(crate) fn clear(&mut self, gpu: &Arc<Gpu>, partition: &Partition, clock: Clock) {
        let forgotten = Env::new(self, gpu, partition, clock).insist();
        if !forgotten {
            self.shadows.abandon();
        }
        self.frames.pinned.clear(forgotten);
    }

    /// Lets go of frames without uses, as [`clear`](Self::clear) does.
    pub(crate) fn settle(&mut self, gpu: &Arc<Gpu>, partition: &Partition, clock: Clock) {
        if self.frames.pinned.wait() && !Env::new(self, gpu, partition, clock).insist() {
            self.frames.pinned.abandon();
        }
    }
}

/// Tells a virtual GPU of the guest's writes to its page tables.
pub(crate) struct Watcher(pub(crate) Arc<Session<Vgpu>>);

impl PageWatcher for Watcher {
    fn written(&self, gpa: u64, _data: &[u8]) {
        self.0.device().page_written(gpa);
    }

    fn removed(&self, gfn: u64, count: u64) {
        self.0.device().frames_removed(gfn, count);
    }
}

/// The registers by which engines forget translations, as `drivers/gpu/drm/i915/gt/intel_tlb.c` and the
/// PRM have them: GEN8_RTCR, GEN8_M1TCR, GEN8_M2TCR, GEN8_BTCR, GEN8_VTCR.
const TLB_REGISTERS: [u32; 5] = [0x4260, 0x4264, 0x4268, 0x426c, 0x4270];
/// For how long they are waited for, as i915 does, and how often they are asked meanwhile.
const TLB_PATIENCE: Delta = Delta::from_millis(4);
const TLB_PAUSE: Delta = Delta::from_micros(10);
/// How often it is tried where what the GPU has not forgotten would be lost.
const TLB_TRIES: usize = 50;

/// Has all engines forget translations; whether they said that they have.
fn invalidate(awake: &Awake<'_>) -> bool {
    let _powered = awake.power();
    for register in TLB_REGISTERS {
        // These are registers that there are, and where the engine is not nothing is to be done.
        let _ = awake.write(register, 1);
    }
    let begun = Instant::<Monotonic>::now();
    TLB_REGISTERS.into_iter().all(|register| loop {
        // Before it is read: it may have taken long to get here.
        let late = begun.elapsed() > TLB_PATIENCE;
        if !matches!(awake.read(register), Ok(value) if value & 1 != 0) {
            break true;
        }
        if late {
            break false;
        }
        fsleep(TLB_PAUSE);
    })
}

/// The ports of the model, on top of VFIO and i915.
pub(crate) struct Env<'a> {
    session: &'a Arc<Session<Vgpu>>,
    frames: &'a mut Frames,
    shadows: &'a mut Shadows,
    exposed: &'a mut bool,
    tracker: &'a WriteTracker<Watcher>,
    gpu: &'a Arc<Gpu>,
    partition: &'a Partition,
    clock: Clock,
    /// Most accesses need no hardware, so it is woken by the first that does.
    awake: Option<Awake<'a>>,
}

impl<'a> Env<'a> {
    /// What an access needs, for a virtual GPU that is open.
    pub(crate) fn new(
        resources: &'a mut Resources,
        gpu: &'a Arc<Gpu>,
        partition: &'a Partition,
        clock: Clock,
    ) -> Self {
        let Resources {
            tracker,
            frames,
            shadows,
            exposed,
            vfio,
        } = resources;
        Self {
            session: vfio,
            frames,
            shadows,
            exposed,
            tracker,
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

    /// Nothing that may take as long as the VMM likes is begun while memory is wanted back: `EAGAIN`.
    fn may_wait(&self) -> Result {
        if self.session.device().is_pressed() {
            return Err(EAGAIN);
        }
        Ok(())
    }

    fn take_frame(&mut self, gfn: Gfn) -> Result<u64> {
        self.may_wait()?;
        *self.exposed = true;
        let (session, gpu) = (self.session, self.gpu);
        let taken = self.frames.take(session, gpu, gfn);
        if taken == Err(ENOMEM) && self.frames.pinned.wait() && self.try_forget() {
            // What waits counts as locked memory of the VMM's, of which there may be no more.
            return self.frames.take(session, gpu, gfn);
        }
        taken
    }

    /// Has the GPU forget all translations, and lets go of what waited for that. If the GPU does not say
    /// that it has, it all goes on to wait.
    fn try_forget(&mut self) -> bool {
        if !*self.exposed {
            // Of what it was never told there is nothing to forget, and it need not be woken.
            return true;
        }
        let (partition, awake) = self.awake();
        // First: or an engine could get again what it has forgotten.
        partition.flush(awake);
        let forgotten = invalidate(awake);
        if forgotten {
            self.frames.pinned.forget();
            self.shadows.forget();
        }
        forgotten
    }

    fn insist(&mut self) -> bool {
        (0..TLB_TRIES).any(|_| self.try_forget())
    }
}

impl ports::Clock for Env<'_> {
    fn now(&mut self) -> u64 {
        self.clock.now()
    }
}

impl GuestMemory for Env<'_> {
    fn read_guest(&mut self, gpa: Gpa, data: &mut [u8]) -> Result {
        // What the GPU uses is there. For other memory its owner may take as long as it likes.
        if self.frames.read(gpa, data) {
            return Ok(());
        }
        self.may_wait()?;
        self.session.dma_read(gpa.raw(), data)
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        if self.frames.write(gpa, data) {
            return Ok(());
        }
        self.may_wait()?;
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
        let address = self.take_frame(gfn)?;
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
        if self.frames.pinned.release(gfn) {
            self.forget_translations();
        }
    }

    fn flush_ggtt(&mut self) {
        let (partition, awake) = self.awake();
        partition.flush(awake);
    }
}

impl HostPpgtt for Env<'_> {
    fn new_table(&mut self, level: Level) -> Result<ShadowTable> {
        *self.exposed = true;
        self.shadows.make(level)
    }

    fn scratch_table(&mut self, level: Level) -> u64 {
        *self.exposed = true;
        self.shadows.scratch(level)
    }

    fn free_table(&mut self, table: ShadowTable) {
        if self.shadows.retire(table) {
            self.forget_translations();
        }
    }

    fn write_entry(&mut self, table: ShadowTable, index: usize, entry: Option<u64>) {
        self.shadows.write(table, index, entry);
    }

    fn pin_frame(&mut self, gfn: Gfn) -> Result<u64> {
        self.take_frame(gfn)
    }

    fn unpin_frame(&mut self, gfn: Gfn) {
        if self.frames.pinned.release(gfn) {
            self.forget_translations();
        }
    }

    fn watch_frame(&mut self, gfn: Gfn) -> Result {
        self.tracker.watch(gfn.raw())
    }

    fn unwatch_frame(&mut self, gfn: Gfn) {
        // The frame was watched, so memory is there, and this does not fail.
        let _ = self.tracker.unwatch(gfn.raw());
    }

    fn is_pressed(&self) -> bool {
        self.session.device().is_pressed() || self.is_interrupted()
    }

    fn is_interrupted(&self) -> bool {
        kthread::is_interrupted()
    }

    fn forget_translations(&mut self) {
        self.try_forget();
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
