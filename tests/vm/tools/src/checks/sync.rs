// SPDX-License-Identifier: GPL-2.0
//! Order between batches: fences of the kernel, and semaphores between engines.

use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{ensure, Context as _, Result};

use super::{same, Check, Env};
use crate::batch::{Atomic, Batch, Compare};
use crate::drm::Engine;
use crate::exec::{batch_bo, Exec, Syncobj};
use crate::gem::{Bo, Context, PAGE};

pub(super) const CHECKS: &[Check] = &[
    Check::each("syncobj", "a batch signals a sync object", syncobj),
    Check::each("fence-array", "a batch waits for the sync object of another engine's batch", |env, engine| {
        ordered(env, engine, Link::Syncobj)
    }),
    Check::each("sync-file", "a batch waits for the sync file of another engine's batch", |env, engine| {
        ordered(env, engine, Link::File)
    }),
    Check::device("implicit-order", "batches of all engines that write one buffer run in order", implicit_order),
    Check::each("semaphore", "MI_SEMAPHORE_WAIT for a store of every other engine", semaphore).unless(one_engine),
    Check::device("ping-pong", "two engines take turns by semaphores", ping_pong).unless(one_engine),
    Check::each("compare", "every comparison of MI_SEMAPHORE_WAIT that holds", compare),
];

fn one_engine(env: &Env, _engine: Option<&Engine>) -> Option<String> {
    (env.device.engines.len() < 2).then(|| "the device has one engine only".to_owned())
}

/// The engine after this one, round about; the same when there is only one.
fn neighbour<'a>(env: &'a Env, engine: &Engine) -> &'a Engine {
    let engines = &env.device.engines;
    &engines[(engine.index as usize + 1) % engines.len()]
}

fn syncobj(env: &Env, engine: &Engine) -> Result<()> {
    let context = Context::new(&env.device)?;
    let done = Syncobj::new(&env.device)?;
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    batch.store(target.address, 0x51);
    let code = batch_bo(&env.device, &batch)?;
    Exec::new(&context, engine, &code).writes(&target).signals(&done).submit()?;
    ensure!(done.wait(env.limit)?, "the sync object was not signalled");
    same("the dword", target.read32(0).into(), 0x51)
}

enum Link {
    Syncobj,
    File,
}

/// A batch waits on one engine for the processor; a batch on the next engine waits for its fence and copies its result.
fn ordered(env: &Env, engine: &Engine, link: Link) -> Result<()> {
    let (first, second) = (Context::new(&env.device)?, Context::new(&env.device)?);
    let flag = Bo::new(&env.device, PAGE)?;
    let result = Bo::new(&env.device, PAGE)?;
    let mut slow = Batch::new();
    slow.wait(Compare::Equal, flag.address, 1).store(flag.address + 4, 0xabc);
    let slow = batch_bo(&env.device, &slow)?;
    let mut quick = Batch::new();
    quick.copy(result.address, flag.address + 4).store(result.address + 4, 1);
    let quick = batch_bo(&env.device, &quick)?;

    let first_exec = Exec::new(&first, engine, &slow).shares(&flag);
    let second_exec = Exec::new(&second, neighbour(env, engine), &quick).shares(&flag).writes(&result);
    match link {
        Link::Syncobj => {
            let done = Syncobj::new(&env.device)?;
            first_exec.signals(&done).submit()?;
            second_exec.after(&done).submit()?;
        }
        Link::File => {
            let done = first_exec.with_fence().submit()?.context("i915 gave no sync file")?;
            second_exec.after_file(done.as_fd()).submit()?;
        }
    }
    sleep(Duration::from_millis(20));
    let early = result.read32(4) != 0;
    flag.write32(0, 1);
    env.finish(&slow).context("the first batch")?;
    env.finish(&quick).context("the second batch")?;
    ensure!(!early, "the second batch ran before the first one ended");
    same("the copied dword", result.read32(0).into(), 0xabc)
}

/// Each batch adds one to what the one before it left, so a lost or early one shows in the sum.
fn implicit_order(env: &Env) -> Result<()> {
    const ROUNDS: u32 = 8;
    let target = Bo::new(&env.device, PAGE)?;
    let mut codes = Vec::new();
    let mut contexts = Vec::new();
    for _ in &env.device.engines {
        contexts.push(Context::new(&env.device)?);
    }
    let mut step = 0u64;
    for _ in 0..ROUNDS {
        for (engine, context) in env.device.engines.iter().zip(&contexts) {
            let (from, to) = (target.address + 4 * step, target.address + 4 * (step + 1));
            let mut batch = Batch::new();
            batch.copy(to, from).atomic(Atomic::Increment, to, 0);
            let code = batch_bo(&env.device, &batch)?;
            Exec::new(context, engine, &code).writes(&target).submit()?;
            codes.push(code);
            step += 1;
        }
    }
    for code in &codes {
        env.finish(code)?;
    }
    same("the sum over all batches", target.read32(4 * step).into(), step)
}

fn semaphore(env: &Env, engine: &Engine) -> Result<()> {
    for other in env.device.engines.iter().filter(|other| other.index != engine.index) {
        let (waiter, signaller) = (Context::new(&env.device)?, Context::new(&env.device)?);
        let flag = Bo::new(&env.device, PAGE)?;
        let mut waits = Batch::new();
        waits.wait(Compare::GreaterOrEqual, flag.address, 5).copy(flag.address + 4, flag.address);
        let waits = batch_bo(&env.device, &waits)?;
        Exec::new(&waiter, engine, &waits).shares(&flag).submit()?;
        let mut signals = Batch::new();
        signals.store(flag.address, 7);
        let signals = batch_bo(&env.device, &signals)?;
        Exec::new(&signaller, other, &signals).shares(&flag).submit()?;
        let with = || format!("{} waits for {}", engine.name, other.name);
        let result = env.finish(&signals).and_then(|()| env.finish(&waits)).with_context(with);
        // Frees a waiter whose signal got lost.
        let value = flag.read32(4);
        flag.write32(0, 7);
        result?;
        same("the dword behind the wait", value.into(), 7).with_context(with)?;
    }
    Ok(())
}

fn ping_pong(env: &Env) -> Result<()> {
    const ROUNDS: u32 = 64;
    let flag = Bo::new(&env.device, PAGE)?;
    let mut running = Vec::new();
    for (side, engine) in (0u32..).zip(env.device.engines.iter().take(2)) {
        let context = Context::new(&env.device)?;
        let mut batch = Batch::new();
        for round in 0..ROUNDS {
            // The value counts turns; each side waits for its turn and passes it on.
            let turn = 2 * round + side;
            batch.wait(Compare::Equal, flag.address, turn).store(flag.address, turn + 1);
        }
        let code = batch_bo(&env.device, &batch)?;
        Exec::new(&context, engine, &code).shares(&flag).submit()?;
        running.push((context, code));
    }
    for (_, code) in &running {
        env.finish(code).with_context(|| format!("stopped at turn {}", flag.read32(0)))?;
    }
    same("the number of turns", flag.read32(0).into(), (2 * ROUNDS).into())
}

fn compare(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    target.write32(0, 5);
    let mut batch = Batch::new();
    let holding = [
        (Compare::Greater, 4),
        (Compare::GreaterOrEqual, 5),
        (Compare::Less, 6),
        (Compare::LessOrEqual, 5),
        (Compare::Equal, 5),
        (Compare::NotEqual, 6),
    ];
    for (number, (comparison, operand)) in (1u32..).zip(holding) {
        batch.wait(comparison, target.address, operand).store(target.address + 4, number);
    }
    env.run_batch(engine, &batch, &target)
        .with_context(|| format!("after {} of {} comparisons", target.read32(4), holding.len()))?;
    same("the number of comparisons", target.read32(4).into(), holding.len() as u64)
}
