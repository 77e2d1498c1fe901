// SPDX-License-Identifier: GPL-2.0

//! A virtual GPU: the regions of one VFIO device, behind one `read` and one `write`.

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    addr::{
        Gfn,
        GmRange,
        PAGE_SIZE, //
    },
    cfg::{
        Cfg,
        MsiState, //
    },
    cmd::Flaw,
    counters::Counters,
    display::plane::{
        Layer,
        Memory,
        Plane,
        PlaneFault, //
    },
    edid::mode::{
        Limits,
        Mode,
        ModeDefect, //
    },
    edid_region::{
        EdidRegion,
        Link,
        Written, //
    },
    effect::{
        Effects,
        Failsafe, //
    },
    engine::{
        EngineId,
        EngineMap, //
    },
    fault::{
        Fault,
        GuestFault, //
    },
    interrupt::Event,
    mmio::{
        map::RegisterMap,
        Bar0, //
    },
    opregion,
    platform::{
        Platform,
        CONFIG_SIZE, //
    },
    ports::{
        ContextImage,
        Env, //
    },
    region::{
        Position,
        Region,
        RegionInfo,
        RegionKind,
        FLAG_CAPS,
        FLAG_MMAP,
        FLAG_READ,
        FLAG_WRITE,
        REGION_COUNT, //
    },
    types::{
        Resolution,
        VgpuId, //
    },
    work::Launch,
};

/// Number of low bits of `vm_pgoff` that are a page of a region; the others are its index.
const PAGE_BITS: u32 = 28;

/// What a vGPU is made from.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The registers of the GPU it is a part of.
    pub registers: &'a RegisterMap,
    /// Its identifier, which the guest sees.
    pub id: VgpuId,
    /// Configuration space of the GPU, as i915 found it.
    pub host_config: &'a [u8; CONFIG_SIZE],
    /// Size of BAR0 of the GPU, in bytes.
    pub bar0_size: u64,
    /// Size of BAR2 of the GPU, in bytes; this is the whole aperture.
    pub bar2_size: u64,
    /// Where in configuration space the MSI capability of the GPU is; 0 if there is none.
    pub msi_cap: u8,
    /// Its part of the aperture.
    pub low: GmRange,
    /// Its part of the graphics memory that is not mappable.
    pub high: GmRange,
    /// Its fence registers.
    pub fences: u32,
    /// What its monitor can show.
    pub resolution: Resolution,
    /// Bytes of the image of a context, for each engine; 0 for one that there is not.
    pub context_sizes: &'a EngineMap<u32>,
}

/// What a vGPU has of its host while an access is carried out.
pub struct Host<'a> {
    /// The registers of its GPU.
    pub registers: &'a RegisterMap,
    /// The ports.
    pub env: &'a mut dyn Env,
    /// What is to be done afterwards.
    pub effects: &'a mut Effects,
}

/// A virtual GPU.
///
/// It and its big parts are on the heap, each put there by a function of its own: a kernel stack has
/// no room for all of them.
pub struct Vgpu {
    config: Cfg,
    bar0: Bar0,
    bar0_size: u64,
    bar2_size: u64,
    low: GmRange,
    high: GmRange,
    opregion: KVec<u8>,
    edid: KBox<EdidRegion>,
}

impl Vgpu {
    /// Makes a vGPU in the state after a reset.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, and `EINVAL` if the numbers in `setup` do not fit together: a BAR whose size is
    /// not a power of two, ranges that overlap or that BAR2 or the window to the GGTT does not
    /// cover.
    #[inline(never)]
    pub fn new(setup: &Setup<'_>) -> Result<KBox<Self>> {
        if setup.low.end() > setup.bar2_size || setup.low.overlaps(setup.high) {
            return Err(EINVAL);
        }
        let vgpu = Self {
            config: Cfg::new(
                setup.host_config,
                setup.bar0_size,
                setup.bar2_size,
                setup.msi_cap,
            )?,
            bar0: Bar0::new(setup)?,
            bar0_size: setup.bar0_size,
            bar2_size: setup.bar2_size,
            low: setup.low,
            high: setup.high,
            opregion: opregion::image()?,
            edid: EdidRegion::new(setup.resolution, Limits::for_aperture(setup.low.size()))?,
        };
        Ok(KBox::new(vgpu, GFP_KERNEL)?)
    }

    /// `VFIO_DEVICE_RESET`: as after [`Vgpu::new`], but for the EDID that the VMM gave. The fences
    /// of the hardware are for the caller to turn off, and the work that the GPU has is to be ended.
    pub fn reset(&mut self, registers: &RegisterMap, env: &mut dyn Env) {
        self.config.reset();
        self.bar0.reset(registers, env);
    }

    /// The answer to `VFIO_DEVICE_GET_REGION_INFO`; `None` if there is no such region, for which
    /// the answer is `EINVAL`.
    pub fn region_info(&self, index: u32) -> Option<RegionInfo> {
        if index >= REGION_COUNT {
            return None;
        }
        let Some(region) = Region::from_index(index) else {
            return Some(RegionInfo::EMPTY);
        };
        Some(match region {
            Region::Bar0 => RegionInfo {
                size: self.bar0_size,
                flags: FLAG_READ | FLAG_WRITE,
                ..RegionInfo::EMPTY
            },
            Region::Aperture => RegionInfo {
                size: self.bar2_size,
                flags: FLAG_READ | FLAG_WRITE | FLAG_MMAP | FLAG_CAPS,
                sparse: Some(self.low),
                kind: None,
            },
            Region::Config => RegionInfo {
                size: u64::from_safe_cast(CONFIG_SIZE),
                flags: FLAG_READ | FLAG_WRITE,
                ..RegionInfo::EMPTY
            },
            Region::OpRegion => RegionInfo {
                size: u64::from_safe_cast(opregion::SIZE),
                flags: FLAG_READ,
                sparse: None,
                kind: Some(RegionKind::OPREGION),
            },
            Region::Edid => RegionInfo {
                size: u64::from_safe_cast(EdidRegion::REPORTED_SIZE),
                flags: FLAG_READ | FLAG_WRITE | FLAG_CAPS,
                sparse: None,
                kind: Some(RegionKind::EDID),
            },
        })
    }

    /// Reads `data.len()` bytes at `at`: one of [`Position::pieces`].
    ///
    /// # Errors
    ///
    /// A [`Fault`]; then `data` may hold anything.
    pub fn read(
        &mut self,
        at: Position,
        data: &mut [u8],
        host: &mut Host<'_>,
    ) -> Result<(), Fault> {
        let done = self.read_region(at, data, host);
        self.count(done)
    }

    #[inline]
    fn read_region(
        &mut self,
        at: Position,
        data: &mut [u8],
        host: &mut Host<'_>,
    ) -> Result<(), Fault> {
        match checked_region(at, data.len())? {
            Region::Bar0 => self.bar0.read(at, data, host),
            Region::Aperture => {
                self.check_aperture(at, data.len())?;
                host.env
                    .read_aperture(at.offset(), data)
                    .map_err(Fault::Host)
            }
            Region::Config => self.config.read(at, data),
            Region::OpRegion => read_bytes(&self.opregion, at, data),
            Region::Edid => self.edid.read(at, data),
        }
    }

    /// Writes `data` at `at`: one of [`Position::pieces`].
    ///
    /// # Errors
    ///
    /// A [`Fault`]; then nothing was written.
    pub fn write(&mut self, at: Position, data: &[u8], host: &mut Host<'_>) -> Result<(), Fault> {
        let done = checked_region(at, data.len()).and_then(|region| match region {
            Region::Bar0 => self.bar0.write(at, data, host),
            region => self.write_other(region, at, data, host),
        });
        self.count(done)
    }

    #[inline]
    fn count(&mut self, done: Result<(), Fault>) -> Result<(), Fault> {
        done.inspect_err(|fault| self.bar0.count_fault(fault))
    }

    /// Writes to a region that guests seldom write to.
    #[inline(never)]
    fn write_other(
        &mut self,
        region: Region,
        at: Position,
        data: &[u8],
        host: &mut Host<'_>,
    ) -> Result<(), Fault> {
        match region {
            Region::Bar0 | Region::OpRegion => Err(GuestFault::ReadOnly { at }.into()),
            Region::Aperture => {
                self.check_aperture(at, data.len())?;
                host.env
                    .write_aperture(at.offset(), data)
                    .map_err(Fault::Host)
            }
            Region::Config => {
                self.config.write(at, data, &mut *host.env)?;
                let open = self.config.msi() == MsiState::On;
                self.bar0.gate_msi(open, host.effects);
                Ok(())
            }
            Region::Edid => {
                if self.edid.write(at, data)? == Written::Link {
                    self.show_monitor(host.registers, host.effects);
                }
                Ok(())
            }
        }
    }

    /// Gives the vGPU a monitor with this native mode; a guest that runs is told.
    ///
    /// # Errors
    ///
    /// [`ModeDefect::Memory`] if there is no room for its pictures.
    pub fn set_mode(
        &mut self,
        mode: &Mode,
        registers: &RegisterMap,
        effects: &mut Effects,
    ) -> Result<(), ModeDefect> {
        self.edid.set_mode(mode)?;
        self.show_monitor(registers, effects);
        Ok(())
    }

    /// The native mode of the monitor, if its EDID tells one.
    pub fn mode(&self) -> Option<Mode> {
        self.edid.monitor().native()
    }

    fn show_monitor(&mut self, registers: &RegisterMap, effects: &mut Effects) {
        let plugged = self.edid.link() != Link::Down;
        self.bar0
            .set_monitor(self.edid.monitor(), plugged, registers, effects);
    }

    /// What a layer of the screen shows: that of the first pipe which is on, since a VMM can ask for
    /// one screen only. `None` if the layer is off.
    ///
    /// # Errors
    ///
    /// A [`PlaneFault`] if it is something that a VMM cannot be told.
    pub fn plane(&self, layer: Layer, platform: Platform) -> Result<Option<Plane>, PlaneFault> {
        let memory = Memory {
            low: self.low,
            high: self.high,
        };
        let plane = self.bar0.plane(layer, platform, &memory)?;
        match plane {
            Some(plane) if plane.turned => Err(PlaneFault::Rotated),
            // A VMM has no way to be told where in the buffer the picture begins.
            Some(plane) if plane.source != (0, 0) => Err(PlaneFault::Source(plane.source)),
            plane => Ok(plane),
        }
    }

    /// The guest frames that a plane is in, page by page; `None` for one that the GPU does not reach.
    pub fn frames(&self, plane: &Plane) -> impl Iterator<Item = Option<Gfn>> + '_ {
        self.bar0.frames(plane)
    }

    /// Lets the display do what is due by now: vertical blanks, and flips that waited for one.
    pub fn run_display(&mut self, host: &mut Host<'_>) {
        self.bar0.run_display(host);
        // Whoever waited for this does not wait any more.
        host.effects.retime();
    }

    /// When [`run_display`](Self::run_display) is to be called next, on the clock of
    /// [`Clock`](crate::ports::Clock); `None` while the guest waits for no vertical blank. It can
    /// change with any access, which then says so by [`Effects::retimes`].
    pub fn next_blank(&self) -> Option<u64> {
        self.bar0.next_blank()
    }

    /// The last user has gone: what the guest has not done yet and the page tables that it wrote are
    /// forgotten. The driver points the GPU's own entries of the GGTT at the scratch page.
    pub fn close(&mut self, registers: &RegisterMap, env: &mut dyn Env) {
        self.bar0.stop_work(registers, env);
        self.bar0.clear_ggtt();
    }

    /// Whether the GPU can be given work of this engine now.
    pub fn is_ready(&self, engine: EngineId) -> bool {
        self.bar0.work_of().is_ready(engine)
    }

    /// Whether the GPU has work of this engine.
    pub fn is_busy(&self, engine: EngineId) -> bool {
        self.bar0.work_of().is_busy(engine)
    }

    /// How many contexts were run on an engine since the vGPU was made.
    pub fn contexts_done(&self, engine: EngineId) -> u64 {
        self.bar0.work_of().done(engine)
    }

    /// Takes the next work of an engine, and makes `image`, that of the context of the host's that is to
    /// do it. `fresh` is the image of a new context. `None` if there is no work for now.
    pub fn launch(
        &mut self,
        engine: EngineId,
        image: &mut dyn ContextImage,
        fresh: &[u32],
        host: &mut Host<'_>,
    ) -> Option<Launch> {
        let (work, mut parts) = self.bar0.work(host.registers, &mut *host.env);
        work.launch(engine, image, fresh, &mut parts, host.effects)
    }

    /// The oldest work that was taken of an engine is through; `done` tells whether it was done.
    pub fn complete(
        &mut self,
        engine: EngineId,
        done: bool,
        image: &dyn ContextImage,
        host: &mut Host<'_>,
    ) {
        let (work, mut parts) = self.bar0.work(host.registers, &mut *host.env);
        work.complete(engine, done, image, &mut parts, host.effects);
    }

    /// The host has no room for work of an engine: to the guest the engine hangs.
    pub fn give_up(&mut self, engine: EngineId, host: &mut Host<'_>) {
        let (work, mut parts) = self.bar0.work(host.registers, &mut *host.env);
        work.hang(engine, Flaw::Memory, &mut parts, host.effects);
    }

    /// The guest has written to a frame that is watched.
    pub fn page_written(&mut self, gfn: Gfn, env: &mut dyn Env) {
        self.bar0.page_written(gfn, env);
    }

    /// `count` frames from `first` on are no memory any more; nobody watches them.
    pub fn frames_removed(&mut self, first: u64, count: u64) {
        self.bar0.frames_removed(first, count);
    }

    /// How many page tables have a shadow, and how many of those trap writes.
    pub fn shadows(&self) -> (usize, usize) {
        let ppgtt = &self.bar0.work_of().ppgtt;
        (ppgtt.tables(), ppgtt.watched())
    }

    /// `length` bytes of guest memory from `start` on are taken away: nothing of the GPU points at
    /// them afterwards.
    pub fn withdraw(&mut self, start: u64, length: u64, env: &mut dyn Env) {
        let end = start.saturating_add(length).div_ceil(PAGE_SIZE);
        self.bar0.withdraw(start / PAGE_SIZE..end, env);
    }

    /// Something happened on the GPU that the guest may want to be interrupted for.
    pub fn raise(&mut self, event: Event, registers: &RegisterMap, effects: &mut Effects) {
        self.bar0.raise(event, registers, effects);
    }

    /// What was counted since the vGPU was made.
    pub fn counters(&self) -> Counters {
        self.bar0.counters()
    }

    /// Begins to count the accesses to each register, from 0 on, or ends that and forgets them. It
    /// costs 4 MiB.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn count_accesses(&mut self, wanted: bool) -> Result {
        self.bar0.count_accesses(wanted)
    }

    /// Offset, reads and writes of each register that was accessed while they were counted, in
    /// order of the offset.
    pub fn accesses(&self) -> impl Iterator<Item = (u32, [u32; 2])> + '_ {
        self.bar0.accesses()
    }

    /// What is in a register of 4 bytes, as the guest last saw or wrote it; 0 outside.
    pub fn register(&self, offset: u32) -> u32 {
        self.bar0.register(offset)
    }

    /// Why all registers are plain memory until the next reset, if they are.
    pub fn failsafe(&self) -> Option<Failsafe> {
        self.bar0.failsafe()
    }

    /// Whether the guest takes message signalled interrupts.
    pub fn msi(&self) -> MsiState {
        self.config.msi()
    }

    /// Whether the guest put the GPU into D3hot since the last reset.
    pub fn d3_entered(&self) -> bool {
        self.config.d3_entered()
    }

    /// The part of BAR2 that the vGPU has.
    pub fn aperture_slice(&self) -> GmRange {
        self.low
    }

    fn check_aperture(&self, at: Position, width: usize) -> Result<(), Fault> {
        if self.low.contains(at.offset(), u64::from_safe_cast(width)) {
            Ok(())
        } else {
            Err(GuestFault::OutOfRange { at, width }.into())
        }
    }
}

const PAGE_MASK: u64 = (1 << PAGE_BITS) - 1;

/// Checks a request to map `length` bytes from page `pgoff` of the file on; `pgoff` is that of
/// `mmap`, with the index of the region, and `slice` the part of BAR2 that the vGPU has. Returns
/// the offset in BAR2. That the mapping is a shared one is for the caller to check.
///
/// This is no method of [`Vgpu`]: the kernel calls `mmap` with the lock of the address space held,
/// which whoever uses guest memory wants too, so that no lock of a vGPU may be taken there.
///
/// # Errors
///
/// `EINVAL` unless all of it is in `slice`.
pub fn mmap_range(slice: GmRange, pgoff: u64, length: u64) -> Result<u64> {
    let aperture = u64::from(Region::Aperture.index());
    if pgoff >> PAGE_BITS != aperture || length == 0 {
        return Err(EINVAL);
    }
    let page = pgoff & PAGE_MASK;
    let offset = page.checked_mul(PAGE_SIZE).ok_or(EINVAL)?;
    if !slice.contains(offset, length) {
        return Err(EINVAL);
    }
    Ok(offset)
}

/// The region of an access of which width and alignment are right.
fn checked_region(at: Position, width: usize) -> Result<Region, Fault> {
    let region = at
        .region()
        .ok_or(GuestFault::NoRegion { index: at.index() })?;
    if at.is_whole(width) {
        Ok(region)
    } else {
        Err(GuestFault::Width { at, width }.into())
    }
}

/// Reads from a region that is plain bytes.
pub(crate) fn read_bytes(bytes: &[u8], at: Position, data: &mut [u8]) -> Result<(), Fault> {
    let width = data.len();
    let source = usize::try_from(at.offset())
        .ok()
        .and_then(|start| Some(start..start.checked_add(width)?))
        .and_then(|range| bytes.get(range))
        .ok_or(GuestFault::OutOfRange { at, width })?;
    match (<&mut [u8; 4]>::try_from(&mut *data), source.first_chunk()) {
        // As nearly always, and quicker than to call for a copy.
        (Ok(four), Some(source)) => *four = *source,
        _ => data.copy_from_slice(source),
    }
    Ok(())
}
