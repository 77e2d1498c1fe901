// SPDX-License-Identifier: GPL-2.0
//! A bench for suites: a GPU with RAM, page tables and contexts, driven step by step on the caller's thread.

use crate::engine::{regs, EngineId, Runner, Step};
use crate::gpu::{Config, Gpu};
use crate::platform::Platform;

/// Bus address of what PPGTT address 0 maps to; 2 MiB follow.
pub const PPGTT_BUS: u64 = 0x80_0000;
/// GGTT address of the status page of the engine under test.
pub const STATUS_PAGE: u64 = 0x1000;
const PML4: u64 = 0x70_0000;
const CONTEXTS: u64 = 0x10_0000;
const RINGS: u64 = 0x20_0000;
const RING_BYTES: u32 = 0x1000;
/// Where the image keeps the tail, in dwords of the state page.
const TAIL_SLOT: u64 = 7;

/// MI_BATCH_BUFFER_START to a PPGTT address.
pub const BB_START_PPGTT: u32 = 0x31 << 23 | 1 << 8 | 1;
/// MI_BATCH_BUFFER_START to a GGTT address.
pub const BB_START_GGTT: u32 = 0x31 << 23 | 1;
/// MI_BATCH_BUFFER_END.
pub const BB_END: u32 = 0x0a << 23;

/// The device under test. GGTT addresses below 8 MiB equal bus addresses.
pub struct Bench {
    pub gpu: Gpu,
    pub id: EngineId,
}

impl Bench {
    pub fn new(platform: &str, id: EngineId) -> Self {
        let config = Config { time_scale: 0.0, ..Config::new(Platform::by_name(platform).unwrap()) };
        let gpu = Gpu::new(config).unwrap();
        gpu.memory.map_anonymous(0, 16 << 20).unwrap();
        for page in 0..2048 {
            gpu.bar0.set_pte(page, page << 12 | 1);
        }
        gpu.memory.store64(PML4, (PML4 + 0x1000) | 3).unwrap();
        gpu.memory.store64(PML4 + 0x1000, (PML4 + 0x2000) | 3).unwrap();
        gpu.memory.store64(PML4 + 0x2000, PPGTT_BUS | 0x83).unwrap();
        let bench = Self { gpu, id };
        bench.set(regs::RING_HWS_PGA, STATUS_PAGE as u32);
        bench.set(regs::RING_IMR, 0);
        bench.gpu.mmio_write(id.base() + regs::RING_CONTEXT_STATUS_PTR, 0xffff_0505);
        bench
    }

    pub fn get(&self, register: u32) -> u32 {
        self.gpu.mmio_read(self.id.base() + register)
    }

    pub fn set(&self, register: u32, value: u32) {
        self.gpu.mmio_write(self.id.base() + register, value);
    }

    /// Memory behind a PPGTT address.
    pub fn ppgtt(&self, address: u64) -> u32 {
        self.gpu.memory.load32(PPGTT_BUS + address).unwrap()
    }

    /// Writes dwords from a bus address on.
    pub fn put(&self, bus: u64, dwords: &[u32]) {
        for (index, dword) in dwords.iter().enumerate() {
            self.gpu.memory.store32(bus + 4 * index as u64, *dword).unwrap();
        }
    }

    pub fn image(number: u32) -> u64 {
        CONTEXTS + u64::from(number) * 0x4000
    }

    fn ring(number: u32) -> u64 {
        RINGS + u64::from(number) * u64::from(RING_BYTES)
    }

    /// Descriptor of context `number`, whose id is the same number.
    pub fn descriptor(number: u32) -> u64 {
        u64::from(number) << 32 | Self::image(number) | 0x119
    }

    /// Makes context `number` with these commands in its ring.
    pub fn create(&self, number: u32, commands: &[u32]) {
        let base = self.id.base();
        let pairs = |list: &[(u32, u32)]| -> Vec<u32> {
            let header = 0x22 << 23 | (2 * list.len() as u32 - 1);
            std::iter::once(header).chain(list.iter().flat_map(|(reg, value)| [base + reg, *value])).collect()
        };
        let ring = [
            (regs::RING_CONTEXT_CONTROL, 0x0009_0009),
            (regs::RING_HEAD, 0),
            (regs::RING_TAIL, 0),
            (regs::RING_START, Self::ring(number) as u32),
            (regs::RING_CTL, RING_BYTES - 0x1000 | 1),
            (regs::RING_BBADDR_UDW, 0),
            (regs::RING_BBADDR, 0),
            (regs::RING_BBSTATE, 1 << 5),
            (regs::RING_SBBADDR_UDW, 0),
            (regs::RING_SBBADDR, 0),
            (regs::RING_SBBSTATE, 0),
            (regs::RING_BB_PER_CTX_PTR, 0),
            (regs::RING_INDIRECT_CTX, 0),
            (regs::RING_INDIRECT_CTX + 4, 0),
        ];
        let tables = [(regs::RING_CTX_TIMESTAMP, 0), (regs::RING_PDP0_LDW + 4, 0), (regs::RING_PDP0_LDW, PML4 as u32)];
        let gprs: Vec<_> = (0..32).map(|i| (regs::CS_GPR + 4 * i, 0)).collect();
        let state = Self::image(number) + 0x1000;
        self.put(state + 4, &pairs(&ring));
        self.put(state + 0x84, &pairs(&tables));
        self.put(state + 0x180, &pairs(&gprs));
        self.put(state + 0x180 + 4 * 65, &[BB_END]);
        self.append(number, commands);
    }

    /// Adds commands to the ring of a context and moves the tail in its image.
    pub fn append(&self, number: u32, commands: &[u32]) {
        let slot = Self::image(number) + 0x1000 + 4 * TAIL_SLOT;
        let tail = self.gpu.memory.load32(slot).unwrap();
        self.put(Self::ring(number) + u64::from(tail), commands);
        let padding = commands.len() as u32 % 2;
        self.put(Self::ring(number) + u64::from(tail) + 4 * commands.len() as u64, &[0]);
        self.gpu.memory.store32(slot, tail + 4 * (commands.len() as u32 + padding)).unwrap();
    }

    /// A value of the state page of a context, by the register it belongs to.
    pub fn saved(&self, number: u32, register: u32) -> u32 {
        let state = Self::image(number) + 0x1000;
        let wanted = self.id.base() + register;
        let at = (0..1024).find(|i| self.gpu.memory.load32(state + 4 * i) == Ok(wanted)).unwrap();
        self.gpu.memory.load32(state + 4 * (at + 1)).unwrap()
    }

    /// Writes a submission of one or two contexts to the port.
    pub fn submit(&self, first: u64, second: u64) {
        for dword in [second >> 32, second, first >> 32, first] {
            self.set(regs::RING_ELSP, dword as u32);
        }
    }

    pub fn runner(&self) -> Runner<'_> {
        Runner::new(&self.gpu, self.gpu.engine(self.id).unwrap())
    }

    /// Runs until nothing moves any more.
    pub fn settle(runner: &mut Runner<'_>) -> Step {
        for _ in 0..1000 {
            match runner.step(64) {
                Step::Busy(_) => {}
                step => return step,
            }
        }
        panic!("still busy after 64000 commands");
    }

    /// Runs the commands in a fresh context 1.
    pub fn run(&self, commands: &[u32]) -> Step {
        self.create(1, commands);
        self.submit(Self::descriptor(1), 0);
        Self::settle(&mut self.runner())
    }

    /// Runs the commands as a batch without privilege.
    pub fn run_batch(&self, commands: &[u32]) -> Step {
        self.put(PPGTT_BUS + 0x10_0000, commands);
        self.put(PPGTT_BUS + 0x10_0000 + 4 * commands.len() as u64, &[BB_END]);
        self.run(&[BB_START_PPGTT, 0x10_0000, 0])
    }

    /// The context status events so far, from the status page: (events, id).
    pub fn events(&self) -> Vec<(u32, u32)> {
        let count = (self.gpu.memory.load32(STATUS_PAGE + 0x7c).unwrap() + 1) % 6;
        let entry = |n: u64, half: u64| self.gpu.memory.load32(STATUS_PAGE + 0x40 + 8 * n + 4 * half).unwrap();
        (0..u64::from(count)).map(|n| (entry(n, 0), entry(n, 1))).collect()
    }
}
