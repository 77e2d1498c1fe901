// SPDX-License-Identifier: GPL-2.0
//! Figures: how long a batch takes, how many go through, how fast the blitter copies.

use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use super::{same, Check, Env};
use crate::batch::{Atomic, Batch};
use crate::blt::{copy, Rect, Surface};
use crate::drm::{Class, Engine};
use crate::exec::{batch_bo, Exec};
use crate::gem::{Bo, Context, PAGE};
use crate::report::{Report, Status};
use crate::tiling::Tiling;

pub(super) const CHECKS: &[Check] = &[
    Check::each("throughput", "time of an empty batch, alone and with others queued", throughput),
    Check::of(Class::Copy, "blit-speed", "bytes per second of a linear copy", blit_speed),
];

/// A measurement ends after this time even if the number of batches is not reached: a vGPU is a hundred times slower.
const BUDGET: Duration = Duration::from_secs(5);

fn per_batch(took: Duration, batches: u32) -> f64 {
    took.as_secs_f64() * 1e6 / f64::from(batches.max(1))
}

fn throughput(env: &Env, engine: &Engine) -> Result<()> {
    let context = Context::new(&env.device)?;
    let code = batch_bo(&env.device, &Batch::new())?;
    let exec = Exec::new(&context, engine, &code);
    let start = Instant::now();
    let mut batches = 0;
    while batches < env.count && start.elapsed() < BUDGET {
        exec.submit()?;
        env.finish(&code)?;
        batches += 1;
    }
    env.metric(format!("empty-batch-sync/{}", engine.name), per_batch(start.elapsed(), batches), "us");

    let start = Instant::now();
    let mut batches = 0;
    while batches < env.count && start.elapsed() < BUDGET {
        exec.submit()?;
        batches += 1;
    }
    env.finish(&code)?;
    env.metric(format!("empty-batch-pipelined/{}", engine.name), per_batch(start.elapsed(), batches), "us");
    Ok(())
}

fn blit_speed(env: &Env, engine: &Engine) -> Result<()> {
    const SIDE: u32 = 1024;
    let size = u64::from(SIDE * SIDE * 4);
    let (source, target) = (Bo::new(&env.device, size)?, Bo::new(&env.device, size)?);
    let surface = |bo: &Bo| Surface { address: bo.address, pitch: SIDE * 4, tiling: Tiling::Linear };
    let area = Rect { x1: 0, y1: 0, x2: SIDE, y2: SIDE };
    let mut batch = Batch::new();
    let copies = 8u32;
    for _ in 0..copies {
        copy(&mut batch, surface(&target), area, surface(&source), 0, 0);
    }
    let context = Context::new(&env.device)?;
    // The first run brings pages and page tables into being.
    env.run_in(&context, engine, &batch, &[&target, &source])?;
    let start = Instant::now();
    env.run_in(&context, engine, &batch, &[&target, &source])?;
    let megabytes = f64::from(copies) * size as f64 / 1e6;
    env.metric(format!("blit-linear/{}", engine.name), megabytes / start.elapsed().as_secs_f64(), "MB/s");
    Ok(())
}

/// Many batches on the render engine, first one by one, then all at once; each adds one to a counter.
///
/// # Errors
///
/// Fails when the device has no render engine.
pub fn stress(env: &Env, batches: u32, report: &mut Report) -> Result<()> {
    let Some(engine) = env.device.engines.iter().find(|engine| engine.class == Class::Render) else {
        anyhow::bail!("the device has no render engine to stress");
    };
    for (name, synchronous) in [("stress-sync", true), ("stress-pipelined", false)] {
        let start = Instant::now();
        let result = one_stress(env, engine, batches, name, synchronous);
        let took = start.elapsed();
        match result {
            Ok(()) => {
                report.metric(name, per_batch(took, batches), "us");
                report.check(name.to_owned(), Status::Pass, String::new(), took);
            }
            Err(error) => report.check(name.to_owned(), Status::Fail, format!("{error:#}"), took),
        }
    }
    Ok(())
}

fn one_stress(env: &Env, engine: &Engine, batches: u32, name: &str, synchronous: bool) -> Result<()> {
    let context = Context::new(&env.device)?;
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    batch.atomic(Atomic::Increment, target.address, 0);
    let code = batch_bo(&env.device, &batch)?;
    let exec = Exec::new(&context, engine, &code).writes(&target);
    let start = Instant::now();
    let step = (batches / 20).max(1);
    for number in 1..=batches {
        exec.submit()?;
        if synchronous {
            env.finish(&code)?;
            ensure!(target.read32(0) == number, "after {number} batches the counter stands at {}", target.read32(0));
        }
        if number % step == 0 {
            println!("PROGRESS {name} {number}/{batches} {:.1} s", start.elapsed().as_secs_f64());
        }
    }
    // Those still queued may need a while altogether; each wait that sees progress is followed by another.
    let mut before = None;
    while !code.wait(env.limit)? {
        let now = Some(target.read32(0));
        ensure!(now != before, "the counter stands still at {} of {batches}", target.read32(0));
        before = now;
    }
    same("the counter", target.read32(0).into(), batches.into())
}
