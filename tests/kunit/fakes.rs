// SPDX-License-Identifier: GPL-2.0

//! What the suites stand on: a GPU to make vGPUs of, guest memory, an aperture, and text to compare.

use core::fmt;

use gvt_model::{
    addr::{
        Gfn,
        GmPage,
        GmRange,
        Gpa, //
    },
    effect::Effects,
    engine::{
        EngineId,
        EngineMap,
        Engines, //
    },
    fault::Fault,
    interrupt::Event,
    mmio::map::RegisterMap,
    platform::{
        Platform,
        CONFIG_SIZE, //
    },
    ports::{
        Aperture,
        Clock,
        GuestMemory,
        Hardware,
        HostGgtt,
        HostPpgtt,
        ShadowTable, //
    },
    ppgtt::entry::Level,
    region::Position,
    types::{
        HostResources,
        Pool,
        Resolution,
        VgpuId,
        TYPES, //
    },
    vgpu::{
        Host,
        Setup,
        Vgpu, //
    },
};
use kernel::prelude::*;

use crate::world::World;

pub(crate) const MB: u64 = 1 << 20;

pub(crate) const BAR0: u32 = 0;
pub(crate) const APERTURE: u32 = 2;
pub(crate) const CONFIG: u32 = 7;
pub(crate) const OPREGION: u32 = 9;
pub(crate) const EDID: u32 = 10;

/// Where guest memory is.
pub(crate) const MEMORY: u64 = 0x7fff_0000;
const MEMORY_SIZE: usize = 0x4000;

pub(crate) const BAR0_SIZE: u64 = 16 * MB;
pub(crate) const BAR2_SIZE: u64 = 256 * MB;
pub(crate) const MSI_CAP: u8 = 0xac;
pub(crate) const POWER_CAP: u64 = 0xd0;

/// Configuration space of a GPU, with values of the host that depend on a seed, and zeros nowhere;
/// and its registers.
pub(crate) struct HostConfig(KVec<u8>, RegisterMap, EngineMap<u32>);

/// Bytes of the images of contexts, as on Skylake.
pub(crate) fn context_sizes() -> EngineMap<u32> {
    EngineMap::new(|id| match id {
        EngineId::Rcs0 => 22 * 4096,
        _ => 2 * 4096,
    })
}

/// The registers of a GPU with four engines, all 0 on the host.
pub(crate) fn registers() -> Result<RegisterMap> {
    RegisterMap::new(Platform::Skylake, engines(), &[])
}

/// The engines of most GPUs.
pub(crate) fn engines() -> Engines {
    Engines::NONE
        .with(EngineId::Rcs0)
        .with(EngineId::Bcs0)
        .with(EngineId::Vcs0)
        .with(EngineId::Vecs0)
}

impl HostConfig {
    pub(crate) fn new(seed: u8) -> Result<Self> {
        let mut host = Self(
            KVec::zeroed(CONFIG_SIZE, GFP_KERNEL)?,
            registers()?,
            context_sizes(),
        );
        for (number, byte) in (seed..=255).cycle().zip(host.0.iter_mut()) {
            *byte = number | 1;
        }
        // What is the same for all GPUs of this kind: identity and the lists of capabilities.
        host.put(0x00, &[0x86, 0x80, 0x12, 0x19]);
        host.put(0x06, &[0x10 | (seed & 0x08), seed & 0xf9]);
        host.put(0x08, &[0x06, 0x00, 0x00, 0x03]);
        host.put(0x0e, &[0x00]);
        host.put(0x10, &[0x04 | (seed & 0xf0), seed, seed, 0xde]);
        host.put(0x18, &[0x0c | (seed & 0xf0), seed, seed, 0xc0]);
        host.put(0x2c, &[0x28, 0x10, 0x1b, 0x06]);
        host.put(0x34, &[0x40, 0x00, 0x00, 0x00]);
        host.put(0x3d, &[0x01]);
        host.put(0x40, &[0x09, 0x70, 0x0c, 0x01, 1, 2, 3, 4, 5, 6, 7, 8]);
        host.put(0x50, &[0xc1, seed]);
        host.put(0x54, &[0x39, 0x02, 0x00, 0x00]);
        host.put(0x62, &[0x03]);
        host.put(0x70, &[0x10, 0xac, 0x92, 0x00, 0x00, 0x80, 0x00, 0x10]);
        host.put(0x94, &[0x00, 0x00, 0x00, 0x00]);
        host.put(0xac, &[0x05, 0xd0, seed & 0x71, 0x00]);
        host.put(0xd0, &[0x01, 0x00, 0x22, 0x00, seed & 0xf7]);
        host.put(0x100, &[0x1b, 0x00, 0x01, 0x20, 0x02, 0x14]);
        host.put(0x200, &[0x0f, 0x00, 0x01, 0x30, 0x20, 0x00]);
        host.put(
            0x300,
            &[0x13, 0x00, 0x01, 0x00, seed, seed, seed, seed & 0x7f],
        );
        host.put(0x308, &[0x00, 0x80, 0x00, 0x00]);
        Ok(host)
    }

    pub(crate) fn put(&mut self, offset: usize, data: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(offset).zip(data) {
            *to = *from;
        }
    }

    pub(crate) fn array(&self) -> Result<&[u8; CONFIG_SIZE]> {
        <&[u8; CONFIG_SIZE]>::try_from(&*self.0).map_err(|_| EINVAL)
    }
}

/// The identifiers of the first vGPUs.
#[inline(never)]
pub(crate) fn ids() -> Result<[VgpuId; 4]> {
    let mut pool = Pool::new(&HostResources {
        aperture: 1024 * MB,
        ggtt_total: 4096 * MB,
        fences: 32,
    });
    let [conf, ..] = &TYPES;
    Ok([
        pool.take(conf)?,
        pool.take(conf)?,
        pool.take(conf)?,
        pool.take(conf)?,
    ])
}

/// The identifier of the first vGPU.
pub(crate) fn first_id() -> Result<VgpuId> {
    let [first, ..] = ids()?;
    Ok(first)
}

/// What a vGPU is made from, with low memory at 64 MB and high memory at 1 GB.
pub(crate) fn setup(host: &HostConfig) -> Result<Setup<'_>> {
    Ok(Setup {
        registers: &host.1,
        id: first_id()?,
        host_config: host.array()?,
        bar0_size: BAR0_SIZE,
        bar2_size: BAR2_SIZE,
        msi_cap: MSI_CAP,
        low: GmRange::new(64 * MB, 64 * MB)?,
        high: GmRange::new(1024 * MB, 384 * MB)?,
        fences: 4,
        resolution: Resolution::Xga,
        context_sizes: &host.2,
    })
}

/// Guest memory and an aperture that remembers its last access.
pub(crate) struct FakeEnv {
    memory: KVec<u8>,
    /// Accesses to guest memory.
    pub(crate) accesses: usize,
    /// Offset and length of the last access to the aperture.
    pub(crate) aperture: Option<(u64, usize)>,
    /// What the aperture answers.
    pub(crate) aperture_result: Result,
    /// The GPU's own page table.
    pub(crate) ggtt: FakeGgtt,
    /// The clock of the hardware.
    pub(crate) clock: u32,
    /// The clock of the host, in nanoseconds.
    pub(crate) now: u64,
    /// The registers that were last read of the hardware.
    pub(crate) hardware: Option<u32>,
    /// The fence that was written last.
    pub(crate) fence: Option<(usize, u64)>,
    /// Shadow tables.
    pub(crate) world: KBox<World>,
}

impl FakeEnv {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            memory: KVec::zeroed(MEMORY_SIZE, GFP_KERNEL)?,
            accesses: 0,
            aperture: None,
            aperture_result: Ok(()),
            ggtt: FakeGgtt::new()?,
            clock: 0,
            now: 0,
            hardware: None,
            fence: None,
            world: World::boxed()?,
        })
    }

    fn at(&mut self, gpa: Gpa, length: usize) -> Result<&mut [u8]> {
        self.accesses = self.accesses.wrapping_add(1);
        let start = gpa.raw().checked_sub(MEMORY).ok_or(EFAULT)?;
        let start = usize::try_from(start).map_err(|_| EFAULT)?;
        let end = start.checked_add(length).ok_or(EFAULT)?;
        self.memory.get_mut(start..end).ok_or(EFAULT)
    }
}

impl GuestMemory for FakeEnv {
    fn read_guest(&mut self, gpa: Gpa, buf: &mut [u8]) -> Result {
        let bytes = self.at(gpa, buf.len())?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        self.at(gpa, data.len())?.copy_from_slice(data);
        Ok(())
    }
}

impl Aperture for FakeEnv {
    fn read_aperture(&mut self, offset: u64, buf: &mut [u8]) -> Result {
        self.aperture = Some((offset, buf.len()));
        buf.fill(0x5a);
        self.aperture_result
    }

    fn write_aperture(&mut self, offset: u64, data: &[u8]) -> Result {
        self.aperture = Some((offset, data.len()));
        self.aperture_result
    }
}

impl Clock for FakeEnv {
    fn now(&mut self) -> u64 {
        self.now
    }
}

impl HostGgtt for FakeEnv {
    fn map_page(&mut self, page: GmPage, gfn: Gfn) -> Result {
        self.ggtt.map_page(page, gfn)
    }

    fn clear_page(&mut self, page: GmPage) {
        self.ggtt.clear_page(page);
    }

    fn release_frame(&mut self, gfn: Gfn) {
        self.ggtt.release_frame(gfn);
    }

    fn flush_ggtt(&mut self) {
        self.ggtt.flush_ggtt();
    }
}

impl HostPpgtt for FakeEnv {
    fn new_table(&mut self, level: Level) -> Result<ShadowTable> {
        self.world.new_table(level)
    }

    fn scratch_table(&mut self, level: Level) -> u64 {
        self.world.scratch_table(level)
    }

    fn free_table(&mut self, table: ShadowTable) {
        self.world.free_table(table);
    }

    fn write_entry(&mut self, table: ShadowTable, index: usize, entry: Option<u64>) {
        self.world.write_entry(table, index, entry);
    }

    fn pin_frame(&mut self, gfn: Gfn) -> Result<u64> {
        self.world.pin_frame(gfn)
    }

    fn unpin_frame(&mut self, gfn: Gfn) {
        self.world.unpin_frame(gfn);
    }

    fn watch_frame(&mut self, gfn: Gfn) -> Result {
        self.world.watch_frame(gfn)
    }

    fn unwatch_frame(&mut self, gfn: Gfn) {
        self.world.unwatch_frame(gfn);
    }

    fn is_pressed(&self) -> bool {
        self.world.is_pressed()
    }

    fn is_interrupted(&self) -> bool {
        self.world.is_interrupted()
    }

    fn forget_translations(&mut self) {
        self.world.forget_translations();
    }
}

/// Frames of guest memory that a GPU can be pointed at, from 0 on.
pub(crate) const MEMORY_FRAMES: u64 = 16;
/// Pages of graphics memory that a GPU has.
const GM_PAGES: usize = 2048 * 1024 * 1024 / 4096;

/// The page table of a GPU, which counts how often each frame is used.
pub(crate) struct FakeGgtt {
    /// For each page the frame it points at, plus 1; 0 is the scratch page.
    targets: KVVec<u8>,
    uses: [u64; 16],
    /// Set by anything that a correct model does not do.
    broken: bool,
    /// How often the GPU was told anything.
    pub(crate) told: usize,
    /// How often it was flushed.
    pub(crate) flushes: usize,
}

impl FakeGgtt {
    fn new() -> Result<Self> {
        Ok(Self {
            targets: KVVec::zeroed(GM_PAGES, GFP_KERNEL)?,
            uses: [0; 16],
            broken: false,
            told: 0,
            flushes: 0,
        })
    }

    /// The frame that a page points at, `None` for the scratch page.
    pub(crate) fn target(&self, page: u64) -> Option<u64> {
        let target = self.targets.get(usize::try_from(page).ok()?)?;
        target.checked_sub(1).map(u64::from)
    }

    /// How many uses of a frame were taken and not released.
    pub(crate) fn uses(&self, frame: u64) -> u64 {
        let frame = usize::try_from(frame).ok();
        frame
            .and_then(|frame| self.uses.get(frame))
            .copied()
            .unwrap_or(0)
    }

    /// How many pages do not point at the scratch page.
    pub(crate) fn pages_mapped(&self) -> u64 {
        self.targets
            .iter()
            .map(|target| u64::from(*target != 0))
            .sum()
    }

    /// What a driver does when it resets or closes a vGPU.
    pub(crate) fn scrub(&mut self) {
        self.targets.fill(0);
        self.uses = [0; 16];
    }

    /// Whether each frame has as many uses as pages that point at it, and nothing went wrong.
    pub(crate) fn is_sound(&self) -> bool {
        // Those that the random test writes, and some more.
        let mut counted = [0u64; 16];
        for pages in [16_384..16_400, 262_144..262_160] {
            for page in pages {
                let target = self
                    .target(page)
                    .and_then(|frame| usize::try_from(frame).ok());
                if let Some(count) = target.and_then(|frame| counted.get_mut(frame)) {
                    *count = count.wrapping_add(1);
                }
            }
        }
        !self.broken && counted == self.uses
    }

    fn use_of(&mut self, gfn: Gfn) -> Option<&mut u64> {
        self.uses.get_mut(usize::try_from(gfn.raw()).ok()?)
    }
}

impl HostGgtt for FakeGgtt {
    fn map_page(&mut self, page: GmPage, gfn: Gfn) -> Result {
        self.told = self.told.wrapping_add(1);
        let count = self.use_of(gfn).ok_or(EFAULT)?;
        *count = count.wrapping_add(1);
        let page = usize::try_from(page.raw()).map_err(|_| EINVAL)?;
        let target = self.targets.get_mut(page).ok_or(EINVAL)?;
        *target = u8::try_from(gfn.raw()).map_err(|_| EINVAL)?.wrapping_add(1);
        Ok(())
    }

    fn clear_page(&mut self, page: GmPage) {
        self.told = self.told.wrapping_add(1);
        let page = usize::try_from(page.raw()).ok();
        match page.and_then(|page| self.targets.get_mut(page)) {
            Some(target) => *target = 0,
            None => self.broken = true,
        }
    }

    fn release_frame(&mut self, gfn: Gfn) {
        self.told = self.told.wrapping_add(1);
        let left = self.use_of(gfn).and_then(|count| {
            *count = count.checked_sub(1)?;
            Some(())
        });
        self.broken |= left.is_none();
    }

    fn flush_ggtt(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
    }
}

impl Hardware for FakeEnv {
    fn read_register(&mut self, offset: u32) -> Result<u32> {
        self.hardware = Some(offset);
        self.clock = self.clock.wrapping_add(1);
        Ok(self.clock)
    }

    fn write_fence(&mut self, number: usize, value: u64) -> Result {
        self.fence = Some((number, value));
        Ok(())
    }
}

/// A vGPU with what is around it.
pub(crate) struct Machine {
    pub(crate) vgpu: KBox<Vgpu>,
    pub(crate) registers: RegisterMap,
    pub(crate) env: FakeEnv,
    /// Of the last access.
    pub(crate) effects: Effects,
}

impl Machine {
    pub(crate) fn new() -> Result<Self> {
        let host = HostConfig::new(7)?;
        Self::with(&setup(&host)?)
    }

    pub(crate) fn with(setup: &Setup<'_>) -> Result<Self> {
        Self::on(
            RegisterMap::new(setup.registers.platform(), setup.registers.engines(), &[])?,
            setup,
        )
    }

    /// On a GPU with other registers.
    pub(crate) fn on(registers: RegisterMap, setup: &Setup<'_>) -> Result<Self> {
        let setup = Setup {
            registers: &registers,
            ..*setup
        };
        Ok(Self {
            vgpu: Vgpu::new(&setup)?,
            registers,
            env: FakeEnv::new()?,
            effects: Effects::new(),
        })
    }

    pub(crate) fn reset(&mut self) {
        self.vgpu.reset(&self.registers, &mut self.env);
    }

    pub(crate) fn raise(&mut self, event: Event) {
        self.effects = Effects::new();
        self.vgpu.raise(event, &self.registers, &mut self.effects);
    }

    pub(crate) fn read(&mut self, at: Position, data: &mut [u8]) -> Result<(), Fault> {
        self.effects = Effects::new();
        let mut host = Host {
            registers: &self.registers,
            env: &mut self.env,
            effects: &mut self.effects,
        };
        self.vgpu.read(at, data, &mut host)
    }

    pub(crate) fn write(&mut self, at: Position, data: &[u8]) -> Result<(), Fault> {
        self.effects = Effects::new();
        let mut host = Host {
            registers: &self.registers,
            env: &mut self.env,
            effects: &mut self.effects,
        };
        self.vgpu.write(at, data, &mut host)
    }

    /// The register at `offset`.
    pub(crate) fn register(&mut self, offset: u32) -> Result<u32> {
        u32::try_from(self.get(BAR0, offset.into(), 4)?).map_err(|_| EINVAL)
    }

    /// Writes the register at `offset`.
    pub(crate) fn set(&mut self, offset: u32, value: u32) -> Result {
        Ok(self.put(BAR0, offset.into(), 4, value.into())?)
    }

    /// Reads a number of `width` bytes, at most 8.
    pub(crate) fn get(&mut self, index: u32, offset: u64, width: usize) -> Result<u64, Fault> {
        let mut bytes = [0; 8];
        let at = Position::new(index, offset).map_err(Fault::Host)?;
        let data = bytes.get_mut(..width).ok_or(Fault::Host(EINVAL))?;
        self.read(at, data)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Writes a number of `width` bytes, at most 8.
    pub(crate) fn put(
        &mut self,
        index: u32,
        offset: u64,
        width: usize,
        value: u64,
    ) -> Result<(), Fault> {
        let bytes = value.to_le_bytes();
        let at = Position::new(index, offset).map_err(Fault::Host)?;
        let data = bytes.get(..width).ok_or(Fault::Host(EINVAL))?;
        self.write(at, data)
    }
}

/// Text of at most 256 bytes.
pub(crate) struct Text {
    bytes: [u8; 256],
    length: usize,
}

impl Text {
    pub(crate) fn of(value: &dyn fmt::Display) -> Self {
        use fmt::Write as _;

        let mut text = Self {
            bytes: [0; 256],
            length: 0,
        };
        if write!(text, "{value}").is_err() {
            text.length = 0;
        }
        text
    }

    pub(crate) fn is(&self, expected: &str) -> bool {
        self.written() == expected.as_bytes()
    }

    pub(crate) fn starts_with(&self, expected: &str) -> bool {
        self.written().starts_with(expected.as_bytes())
    }

    fn written(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let end = self.length.checked_add(part.len()).ok_or(fmt::Error)?;
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.length = end;
        Ok(())
    }
}
