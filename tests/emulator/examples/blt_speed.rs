// SPDX-License-Identifier: GPL-2.0
//! Throughput of the 2D blitter on this machine: `cargo run --release -p emulated-gpu --example blt_speed`.
//!
//! A 1024 x 1024 picture of 32-bit pixels, through the GGTT and the memory path of an engine.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure, Result};
use emulated_gpu::audit::{Client, ContextTag};
use emulated_gpu::blt::{self, BltState};
use emulated_gpu::engine::{EngineId, Mmu};
use emulated_gpu::gpu::{Config, Gpu};
use emulated_gpu::gtt::Space;
use emulated_gpu::platform::Platform;

const SIDE: u32 = 1024;
const BYTES: u32 = SIDE * SIDE * 4;
const DESTINATION: u32 = BYTES;
const COLOR: u32 = 0x1234_5678;
const RUN: Duration = Duration::from_millis(500);

const DEPTH_32: u32 = 3 << 24;
const WRITE_ALL: u32 = 3 << 20;

/// XY_COLOR_BLT of the whole picture; `tiled` is 1 for X and Y.
fn fill(address: u32, rop: u32, tiled: u32) -> Vec<u32> {
    let header = 2 << 29 | 0x50 << 22 | WRITE_ALL | tiled << 11 | 5;
    vec![header, DEPTH_32 | rop << 16 | pitch(tiled), 0, SIDE << 16 | SIDE, address, 0, COLOR]
}

/// XY_SRC_COPY_BLT of the whole picture to the second one.
fn copy(rop: u32, from: u32, to: u32) -> Vec<u32> {
    let header = 2 << 29 | 0x53 << 22 | WRITE_ALL | from << 15 | to << 11 | 8;
    vec![header, DEPTH_32 | rop << 16 | pitch(to), 0, SIDE << 16 | SIDE, DESTINATION, 0, 0, pitch(from), 0, 0]
}

fn pitch(tiled: u32) -> u32 {
    if tiled != 0 {
        SIDE
    } else {
        SIDE * 4
    }
}

fn main() -> Result<()> {
    let platform = Platform::by_name("skl").map_err(|error| anyhow!(error))?;
    let gpu = Gpu::new(Config::new(platform))?;
    gpu.memory.map_anonymous(0, BYTES as usize * 2)?;
    for page in 0..u64::from(BYTES) * 2 / 4096 {
        gpu.bar0.set_pte(page, page << 12 | 1);
    }
    let invalidate = AtomicBool::new(false);
    let client = Client::Engine(EngineId::Bcs, ContextTag::default());
    let mut mmu = Mmu::new(&gpu, client, &invalidate);
    let mut state = BltState::default();

    let cases = [
        ("fill, linear", fill(DESTINATION, 0xf0, 0), 0),
        ("fill, X", fill(DESTINATION, 0xf0, 1), 0),
        ("fill, Y", fill(DESTINATION, 0xf0, 1), 2),
        ("fill by xor, linear", fill(DESTINATION, 0x5a, 0), 0),
        ("copy, linear to linear", copy(0xcc, 0, 0), 0),
        ("copy, linear to X", copy(0xcc, 0, 1), 0),
        ("copy, linear to Y", copy(0xcc, 0, 1), 2),
        ("copy, X to linear", copy(0xcc, 1, 0), 0),
        ("copy, Y to linear", copy(0xcc, 1, 0), 1),
        ("copy, Y to Y", copy(0xcc, 1, 1), 3),
        ("copy by xor, linear", copy(0x66, 0, 0), 0),
    ];
    for (name, command, swctrl) in cases {
        blt::execute(&mut mmu, Space::Ggtt, &fill(0, 0xf0, 0), 0, &mut state, &|| false)?;
        let (mut rounds, start) = (0u32, Instant::now());
        while start.elapsed() < RUN {
            let cost = blt::execute(&mut mmu, Space::Ggtt, &command, swctrl, &mut state, &|| false)?;
            ensure!(cost.written == u64::from(BYTES), "{name} wrote {} bytes", cost.written);
            rounds += 1;
        }
        let rate = f64::from(rounds) * f64::from(BYTES) / start.elapsed().as_secs_f64() / f64::from(1 << 20);
        let pixel = gpu.memory.load32(u64::from(2 * BYTES - 4)).map_err(|error| anyhow!("{error:?}"))?;
        ensure!(name.contains("xor") || pixel == COLOR, "{name} left {pixel:#x}");
        println!("{name:24} {rate:8.0} MiB/s written");
    }
    Ok(())
}
