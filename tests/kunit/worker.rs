// SPDX-License-Identifier: GPL-2.0

//! A guest that submits work to an engine, and a host that runs it.

use gvt_model::{
    addr::{
        Gfn,
        GmPage,
        Gpa, //
    },
    effect::{
        Effects,
        Note,
        Refusal, //
    },
    engine::EngineId,
    mmio::{
        map::RegisterMap,
        switched::Written, //
    },
    ports::{
        Aperture,
        Clock,
        ContextImage,
        GuestMemory,
        Hardware,
        HostGgtt,
        HostPpgtt,
        ShadowTable, //
    },
    ppgtt::entry::Level,
    region::Position,
    vgpu::{
        Host,
        Setup,
        Vgpu, //
    },
};
use kernel::prelude::*;

use crate::{
    fakes::{
        registers,
        setup,
        HostConfig,
        BAR0,
        MB, //
    },
    world::{
        World,
        FIRST, //
        TABLES,
    },
};

/// MI_SET_PREDICATE, so that what follows is executed.
const SET_PREDICATE: u32 = 1 << 23;

/// Graphics memory of the guest: page by page the frames of its memory.
const LOW: u32 = 64 << 20;
const PAGES: u32 = 12;
pub(crate) const STATUS: u32 = LOW;
pub(crate) const RING: u32 = LOW + 0x1000;
pub(crate) const CONTEXT_A: u32 = LOW + 0x2000;
pub(crate) const CONTEXT_B: u32 = LOW + 0x4000;
pub(crate) const BATCH: u32 = LOW + 0x6000;
/// Where the host's copy of workaround batches is.
pub(crate) const WORKAROUNDS: u32 = 0xf000;
const TOP: u64 = FIRST + 8;
const OTHER_TOP: u64 = FIRST + 9;

const WINDOW: u64 = 8 * MB;
const LOAD: u32 = 0x22 << 23 | 1;
const END: u32 = 0x0a << 23;
const ARB_CHECK: u32 = 0x05 << 23;

/// The outside of the vGPU: guest memory, and nothing else.
pub(crate) struct Outside(World);

impl Outside {
    /// Whether nothing is in use.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether there is a shadow table at an address of which this is the lower half.
    pub(crate) fn has_table(&self, low: u32) -> bool {
        self.0.has_table(TABLES | u64::from(low))
    }

    /// How many uses this frame of the guest's has, counted from its first.
    pub(crate) fn uses(&self, frame: u64) -> u64 {
        self.0.uses(FIRST + frame)
    }
}

impl GuestMemory for Outside {
    fn read_guest(&mut self, gpa: Gpa, buf: &mut [u8]) -> Result {
        self.0.read_guest(gpa, buf)
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        self.0.write_guest(gpa, data)
    }
}

impl Aperture for Outside {
    fn read_aperture(&mut self, _: u64, _: &mut [u8]) -> Result {
        Err(EIO)
    }

    fn write_aperture(&mut self, _: u64, _: &[u8]) -> Result {
        Err(EIO)
    }
}

impl HostGgtt for Outside {
    fn map_page(&mut self, _: GmPage, _: Gfn) -> Result {
        Ok(())
    }

    fn clear_page(&mut self, _: GmPage) {}

    fn release_frame(&mut self, _: Gfn) {}

    fn flush_ggtt(&mut self) {}
}

impl HostPpgtt for Outside {
    fn new_table(&mut self, level: Level) -> Result<ShadowTable> {
        self.0.new_table(level)
    }

    fn scratch_table(&mut self, level: Level) -> u64 {
        self.0.scratch_table(level)
    }

    fn free_table(&mut self, table: ShadowTable) {
        self.0.free_table(table);
    }

    fn write_entry(&mut self, table: ShadowTable, index: usize, entry: Option<u64>) {
        self.0.write_entry(table, index, entry);
    }

    fn pin_frame(&mut self, gfn: Gfn) -> Result<u64> {
        self.0.pin_frame(gfn)
    }

    fn unpin_frame(&mut self, gfn: Gfn) {
        self.0.unpin_frame(gfn);
    }

    fn watch_frame(&mut self, gfn: Gfn) -> Result {
        self.0.watch_frame(gfn)
    }

    fn unwatch_frame(&mut self, gfn: Gfn) {
        self.0.unwatch_frame(gfn);
    }

    fn is_pressed(&self) -> bool {
        self.0.is_pressed()
    }

    fn is_interrupted(&self) -> bool {
        self.0.is_interrupted()
    }

    fn forget_translations(&mut self) {
        self.0.forget_translations();
    }
}

impl Hardware for Outside {
    fn read_register(&mut self, _: u32) -> Result<u32> {
        Err(EIO)
    }

    fn write_fence(&mut self, _: usize, _: u64) -> Result {
        Err(EIO)
    }
}

impl Clock for Outside {
    fn now(&mut self) -> u64 {
        0
    }
}

/// The image of the host's context.
pub(crate) struct Image {
    pub(crate) words: KVVec<u32>,
    /// The workaround batches, of which the first is at [`WORKAROUNDS`].
    pub(crate) workarounds: KVVec<u32>,
}

impl ContextImage for Image {
    fn read_words(&self, first: usize, words: &mut [u32]) {
        words.fill(0);
        for (to, from) in words.iter_mut().zip(self.words.iter().skip(first)) {
            *to = *from;
        }
    }

    fn write_words(&mut self, first: usize, words: &[u32]) {
        for (to, from) in self.words.iter_mut().skip(first).zip(words) {
            *to = *from;
        }
    }

    fn put_workarounds(&mut self, words: &[u32]) -> u32 {
        self.workarounds.clear();
        let _ = self.workarounds.extend_from_slice(words, GFP_KERNEL);
        WORKAROUNDS
    }
}

/// The vGPU.
pub(crate) struct Machine {
    pub(crate) vgpu: KBox<Vgpu>,
    registers: RegisterMap,
}

/// Both sides.
pub(crate) struct Worker {
    /// The engine that the guest drives.
    engine: EngineId,
    pub(crate) machine: Machine,
    pub(crate) guest: Outside,
    pub(crate) image: Image,
    /// The image of a new context of the host's.
    pub(crate) fresh: KVVec<u32>,
    /// Of what was done last.
    pub(crate) effects: Effects,
    /// What the commands that were launched last can write.
    pub(crate) written: Written,
}

impl Worker {
    /// Execution lists of the blitter are on.
    pub(crate) fn new() -> Result<Self> {
        Self::on(registers()?, EngineId::Bcs0)
    }

    /// Those of an engine of any GPU are.
    pub(crate) fn on(registers: RegisterMap, engine: EngineId) -> Result<Self> {
        let mut worker = Self::off(registers, engine)?;
        worker.enable()?;
        Ok(worker)
    }

    /// Those of the blitter are not.
    pub(crate) fn disabled() -> Result<Self> {
        Self::off(registers()?, EngineId::Bcs0)
    }

    fn off(registers: RegisterMap, engine: EngineId) -> Result<Self> {
        let base = engine.mmio_base();
        let host = HostConfig::new(7)?;
        let vgpu = Vgpu::new(&Setup {
            registers: &registers,
            ..setup(&host)?
        })?;
        let mut fresh = KVVec::zeroed(1024, GFP_KERNEL)?;
        let state = [
            LOAD + 2,
            base | 0x600,
            1,
            base | 0x28,
            0xffff_0002,
            ARB_CHECK,
            0,
            0,
            END,
        ];
        for (to, from) in fresh.iter_mut().skip(0x50).zip(state) {
            *to = from;
        }
        let mut worker = Self {
            engine,
            machine: Machine { vgpu, registers },
            guest: Outside(World::new()?),
            image: Image {
                words: KVVec::zeroed(1024, GFP_KERNEL)?,
                workarounds: KVVec::new(),
            },
            fresh,
            effects: Effects::new(),
            written: Written::default(),
        };
        worker.prepare()?;
        Ok(worker)
    }

    /// What a guest does before it has work. Not a part of the stack of what makes a worker.
    #[inline(never)]
    fn prepare(&mut self) -> Result {
        let base = self.engine.mmio_base();
        self.reach()?;
        self.message(true)?;
        for (register, value) in [
            (0x4_4200, 1 << 31),
            (0x4_4304, 0),
            (0x4_430c, u32::MAX),
            (base | 0xa8, 0),
            (base | 0x80, STATUS),
        ] {
            self.set(register, value)?;
        }
        for (context, top) in [(CONTEXT_A, TOP), (CONTEXT_B, TOP)] {
            self.set_state(context, 9, RING);
            self.set_state(context, 11, 1);
            self.set_state(context, 51, u32::try_from(top * 4096).unwrap_or(0));
        }
        Ok(())
    }

    fn message(&mut self, on: bool) -> Result {
        let cap = u64::from(crate::fakes::MSI_CAP);
        self.write(crate::fakes::CONFIG, cap + 2, &[u8::from(on), 0])
    }

    fn map(&mut self, page: u32) -> Result {
        let entry = (FIRST + u64::from(page)) * 4096 | 1;
        let at = WINDOW + u64::from(LOW / 4096 + page) * 8;
        self.write(BAR0, at, &entry.to_le_bytes())
    }

    /// The guest's part of graphics memory leads to its memory, and it knows where it is.
    pub(crate) fn reach(&mut self) -> Result {
        (0..PAGES).try_for_each(|page| self.map(page))?;
        self.register(0x7_8000).map(|_| ())
    }

    /// The entries of an image are written again.
    pub(crate) fn remap(&mut self, context: u32) -> Result {
        self.map((context - LOW) / 4096)
    }

    pub(crate) fn enable(&mut self) -> Result {
        let base = self.engine.mmio_base();
        self.set(base | 0x80, STATUS)?;
        self.set(base | 0xa8, 0)?;
        self.set(base | 0x29c, 0x8000_8000)
    }

    fn host<R>(&mut self, body: impl FnOnce(&mut Vgpu, &mut Host<'_>) -> R) -> R {
        self.effects = Effects::new();
        let mut host = Host {
            registers: &self.machine.registers,
            env: &mut self.guest,
            effects: &mut self.effects,
        };
        body(&mut self.machine.vgpu, &mut host)
    }

    fn write(&mut self, region: u32, offset: u64, data: &[u8]) -> Result {
        let at = Position::new(region, offset)?;
        Ok(self.host(|vgpu, host| vgpu.write(at, data, host))?)
    }

    pub(crate) fn set(&mut self, register: u32, value: u32) -> Result {
        self.write(BAR0, register.into(), &value.to_le_bytes())
    }

    pub(crate) fn register(&mut self, register: u32) -> Result<u32> {
        let at = Position::new(BAR0, register.into())?;
        let mut data = [0; 4];
        self.host(|vgpu, host| vgpu.read(at, &mut data, host))?;
        Ok(u32::from_le_bytes(data))
    }

    fn gpa(address: u32) -> Gpa {
        Gpa::new(FIRST * 4096 + u64::from(address - LOW))
    }

    /// Writes words of graphics memory.
    pub(crate) fn put(&mut self, address: u32, words: &[u32]) {
        for (number, word) in (0u32..).zip(words) {
            let at = Self::gpa(address + 4 * number);
            let _ = self.guest.0.write_guest(at, &word.to_le_bytes());
        }
    }

    /// A word of graphics memory.
    pub(crate) fn word(&mut self, address: u32) -> u32 {
        let mut data = [0; 4];
        let _ = self.guest.0.read_guest(Self::gpa(address), &mut data);
        u32::from_le_bytes(data)
    }

    /// A word of the state page of a context.
    pub(crate) fn state(&mut self, context: u32, place: u32) -> u32 {
        self.word(context + 0x1000 + 4 * place)
    }

    pub(crate) fn set_state(&mut self, context: u32, place: u32, value: u32) {
        self.put(context + 0x1000 + 4 * place, &[value]);
    }

    /// Gives a context this to do, from the start of its ring on; what was done before it still is.
    pub(crate) fn ring(&mut self, context: u32, words: &[u32]) {
        self.put(RING, words);
        let tail = 4 * u32::try_from(words.len()).unwrap_or(0);
        let head = self.state(context, 5);
        if head & 0x1f_fffc >= tail {
            self.set_state(context, 5, 0);
        }
        self.set_state(context, 7, tail);
    }

    /// Writes two descriptors to the submission port.
    pub(crate) fn submit_raw(&mut self, first: u64, second: u64) -> Result {
        for value in [second >> 32, second, first >> 32, first] {
            let port = self.engine.mmio_base() | 0x230;
            self.set(port, u32::try_from(value & 0xffff_ffff).unwrap_or(0))?;
        }
        Ok(())
    }

    /// Submits contexts with these numbers.
    pub(crate) fn submit(&mut self, contexts: &[(u32, u32)]) -> Result {
        let descriptor = |number: usize| {
            let context = contexts.get(number);
            context.map_or(0, |(lrca, id)| {
                u64::from(*id) << 32 | u64::from(*lrca) | 0x119
            })
        };
        self.submit_raw(descriptor(0), descriptor(1))
    }

    /// Whether the last write was refused for this reason.
    pub(crate) fn refused(&self, why: Refusal) -> bool {
        let mut notes = self.effects.notes();
        notes.any(|note| matches!(note, Note::Refused { reason, .. } if *reason == why))
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        self.machine.vgpu.is_ready(self.engine)
    }

    /// The GPU takes what comes next: the commands, of the render engine without what ends them all.
    pub(crate) fn launch(&mut self) -> Option<KVVec<u32>> {
        self.effects = Effects::new();
        let mut host = Host {
            registers: &self.machine.registers,
            env: &mut self.guest,
            effects: &mut self.effects,
        };
        let vgpu = &mut self.machine.vgpu;
        let launch = vgpu.launch(self.engine, &mut self.image, &self.fresh, &mut host)?;
        self.written = launch.written;
        let mut commands = launch.commands;
        if self.engine == EngineId::Rcs0 {
            let mut last = commands.pop();
            if last == Some(0) {
                last = commands.pop();
            }
            assert_eq!(last, Some(SET_PREDICATE));
            if commands.len() % 2 != 0 {
                commands.push(0, GFP_KERNEL).ok()?;
            }
        }
        Some(commands)
    }

    /// The GPU is through with what it took first.
    pub(crate) fn complete(&mut self, done: bool) {
        self.effects = Effects::new();
        let mut host = Host {
            registers: &self.machine.registers,
            env: &mut self.guest,
            effects: &mut self.effects,
        };
        let vgpu = &mut self.machine.vgpu;
        vgpu.complete(self.engine, done, &self.image, &mut host);
    }

    fn entry(&mut self, back: u32) -> [u32; 2] {
        let base = self.engine.mmio_base();
        let last = self.register(base | 0x3a0).unwrap_or(7) & 7;
        let number = (last + 6 - back) % 6;
        let at = (base | 0x370) + 8 * number;
        [at, at + 4].map(|register| self.register(register).unwrap_or(0))
    }

    /// What the guest was told last: events, and the number of the context.
    pub(crate) fn told(&mut self) -> [u32; 2] {
        let effects = self.effects;
        let told = self.entry(0);
        self.effects = effects;
        told
    }

    /// And before that.
    pub(crate) fn told_before(&mut self) -> [u32; 2] {
        self.entry(1)
    }

    /// The guest resets the engine.
    pub(crate) fn reset_engine(&mut self) -> Result {
        let bit = match self.engine {
            EngineId::Rcs0 => 1 << 1,
            EngineId::Vcs0 => 1 << 2,
            EngineId::Bcs0 => 1 << 3,
            EngineId::Vecs0 => 1 << 4,
            EngineId::Vcs1 => 1 << 7,
        };
        self.set(0x941c, bit)
    }

    /// All shadows are taken away, as memory is of which nothing is used.
    pub(crate) fn withdraw(&mut self) {
        self.machine.vgpu.withdraw(0, 4096, &mut self.guest);
    }

    /// `VFIO_DEVICE_RESET`.
    pub(crate) fn reset(&mut self) {
        let Machine { vgpu, registers } = &mut self.machine;
        vgpu.reset(registers, &mut self.guest);
    }

    /// The page tables of both contexts lead to 64 KiB of memory, if page tables can have such pages, or else to the first
    /// of its frames; returns the number of that.
    pub(crate) fn one_64k_page(&mut self) -> u64 {
        const FRAME: u64 = 16;
        const IN_64K: u64 = 1 << 11;
        let tables = [TOP, TOP + 1, TOP + 2, TOP + 3, FIRST + FRAME];
        for (table, below) in tables.into_iter().zip(tables.into_iter().skip(1)) {
            let bits = if below == TOP + 3 { IN_64K | 3 } else { 3 };
            self.guest.0.put(table, 0, below * 4096 | bits);
        }
        FRAME
    }

    /// The lower half of another root of page tables.
    pub(crate) fn other_root(&self) -> u32 {
        u32::try_from(OTHER_TOP * 4096).unwrap_or(0)
    }
}
