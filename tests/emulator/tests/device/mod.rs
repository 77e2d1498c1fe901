// SPDX-License-Identifier: GPL-2.0
//! A whole device without a QEMU: RAM, page tables, a context for each engine, and engines that run step by step.
//!
//! Bus addresses below [`RAM_SIZE`] are RAM, and the GGTT maps them one to one. The PPGTT of every context maps
//! [`WINDOW`] from address 0 on and nothing else.

use std::ops::Range;
use std::sync::Arc;

use emulated_gpu::engine::{regs, Engine, Runner, Step};
use emulated_gpu::gpu::{Config, Gpu};
use emulated_gpu::platform::Platform;

/// Size of the machine's RAM.
pub const RAM_SIZE: u64 = 8 << 20;
/// The RAM that contexts reach through their PPGTT.
pub const WINDOW: Range<u64> = 0x20_0000..0x40_0000;
/// Size of a ring in bytes.
pub const RING_SIZE: u64 = 0x4000;
const PAGE: u64 = 4096;
const STATUS_PAGES: u64 = 0x1_0000;
const IMAGES: u64 = 0x2_0000;
const IMAGE_SIZE: u64 = 3 * PAGE;
const RINGS: u64 = 0x4_0000;
/// The four page tables of every context's PPGTT.
pub const TABLES: Range<u64> = 0xa_0000..0xa_4000;
const PRESENT_WRITABLE: u64 = 3;

/// Where the things of one engine lie.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Hardware status page.
    pub status: u64,
    /// Context image.
    pub image: u64,
    /// Ring buffer.
    pub ring: u64,
}

/// The places of the engine with this number.
pub fn place(engine: usize) -> Place {
    let n = engine as u64;
    Place { status: STATUS_PAGES + n * PAGE, image: IMAGES + n * IMAGE_SIZE, ring: RINGS + n * RING_SIZE }
}

/// A Skylake with RAM, tables and status pages, whose commands take no time.
pub fn new_gpu() -> Arc<Gpu> {
    let platform = Platform::by_name("skl").expect("Skylake exists");
    let config = Config { time_scale: 0.0, ggtt: 2 << 30, vcs1: true, ..Config::new(platform) };
    let gpu = Gpu::new(config).expect("a device");
    gpu.memory.map_anonymous(0, RAM_SIZE as usize).expect("RAM");
    set_up(&gpu);
    Arc::new(gpu)
}

/// Brings GGTT, tables and status page addresses into the state of [`new_gpu`].
pub fn set_up(gpu: &Gpu) {
    for page in 0..RAM_SIZE / PAGE {
        gpu.bar0.set_pte(page, page * PAGE | 1);
    }
    for level in 0..3 {
        let table = TABLES.start + level * PAGE;
        gpu.memory.store64(table, (table + PAGE) | PRESENT_WRITABLE).expect("tables are in RAM");
    }
    for page in 0..512 {
        let entry = (WINDOW.start + page * PAGE) | PRESENT_WRITABLE;
        gpu.memory.store64(TABLES.start + 3 * PAGE + page * 8, entry).expect("tables are in RAM");
    }
    for (index, engine) in gpu.engines.iter().enumerate() {
        gpu.mmio_write(engine.id.base() + regs::RING_HWS_PGA, place(index).status as u32);
        gpu.mmio_write(engine.id.base() + regs::RING_IMR, 0);
    }
}

/// Puts `ring` into the ring of engine number `index` and submits its context under `id`.
pub fn submit(gpu: &Gpu, index: usize, id: u32, ring: &[u8]) {
    let Some(engine) = gpu.engines.get(index) else { return };
    let (place, base) = (place(index), engine.id.base());
    let length = ring.len().min(RING_SIZE as usize - 8);
    let mut padded = ring.get(..length).unwrap_or(ring).to_vec();
    padded.resize(length.next_multiple_of(8), 0);
    gpu.memory.write(place.ring, &padded).expect("rings are in RAM");
    let registers = [
        (regs::RING_CONTEXT_CONTROL, 0x0009_0008),
        (regs::RING_HEAD, 0),
        (regs::RING_TAIL, padded.len() as u32),
        (regs::RING_START, place.ring as u32),
        (regs::RING_CTL, (RING_SIZE - PAGE) as u32 | 1),
        (regs::RING_BBADDR, 0),
        (regs::RING_SBBSTATE, 0),
        (regs::RING_BB_PER_CTX_PTR, 0),
        (regs::RING_INDIRECT_CTX, 0),
        (regs::RING_PDP0_LDW, TABLES.start as u32),
        (regs::RING_PDP0_LDW + 4, 0),
    ];
    let mut image = vec![0x22 << 23 | (2 * registers.len() as u32 - 1)];
    image.extend(registers.into_iter().flat_map(|(register, value)| [base + register, value]));
    image.push(0x0a << 23);
    let bytes: Vec<u8> = image.into_iter().flat_map(u32::to_le_bytes).collect();
    gpu.memory.write(place.image + PAGE, &bytes).expect("images are in RAM");
    for value in [0, 0, id, place.image as u32 | 0x19] {
        gpu.mmio_write(base + regs::RING_ELSP, value);
    }
}

/// Steps until the engine is idle or hung, at most `steps` times 64 commands.
pub fn drive(runner: &mut Runner<'_>, steps: usize) -> Step {
    let mut last = Step::Idle;
    for _ in 0..steps {
        last = runner.step(64);
        if matches!(last, Step::Idle | Step::Hung) {
            break;
        }
    }
    last
}

/// Commands as bytes.
pub fn bytes(dwords: &[u32]) -> Vec<u8> {
    dwords.iter().copied().flat_map(u32::to_le_bytes).collect()
}

/// A runner for each engine.
pub fn runners(gpu: &Gpu) -> Vec<Runner<'_>> {
    gpu.engines.iter().map(|engine: &Engine| Runner::new(gpu, engine)).collect()
}
