// SPDX-License-Identifier: GPL-2.0
//! The scheduler: priorities and time slices. i915 has neither on a vGPU.

use anyhow::{ensure, Context as _, Result};
use std::time::Duration;

use super::spin::{Manners, Spinner};
use super::{same, Check, Env};
use crate::batch::{Batch, Compare};
use crate::drm::Engine;
use crate::exec::{batch_bo, Exec};
use crate::gem::{Bo, Context, PAGE};
use crate::uapi;

pub(super) const CHECKS: &[Check] = &[
    Check::each("preempt", "an urgent context gets the engine from a spinning one", preempt).unless(no_preemption),
    Check::each("timeslice", "two equal contexts share the engine", timeslice).unless(no_preemption),
];

fn no_preemption(env: &Env, _engine: Option<&Engine>) -> Option<String> {
    (!env.device.preempts()).then(|| "the kernel's scheduler does not preempt here (as on every vGPU)".to_owned())
}

fn preempt(env: &Env, engine: &Engine) -> Result<()> {
    let (low, high) = (Context::new(&env.device)?, Context::new(&env.device)?);
    low.set(uapi::I915_CONTEXT_PARAM_PRIORITY, (-512i64) as u64)?;
    high.set(uapi::I915_CONTEXT_PARAM_PRIORITY, 512)?;
    let spinner = Spinner::new(&env.device, Manners::Polite)?;
    spinner.start(&low, engine, env.limit)?;
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    batch.store(target.address, 0x600d);
    env.run_in(&high, engine, &batch, &[&target]).context("the urgent batch")?;
    same("the urgent batch's dword", target.read32(0).into(), 0x600d)?;
    ensure!(spinner.code.busy()?, "the spinning batch ended instead of being interrupted");
    spinner.release();
    env.finish(&spinner.code).context("the spinning batch, after its release")?;
    same("the number of resets", low.reset_stats()?.0.into(), 0)
}

fn timeslice(env: &Env, engine: &Engine) -> Result<()> {
    let (first, second) = (Context::new(&env.device)?, Context::new(&env.device)?);
    let flag = Bo::new(&env.device, PAGE)?;
    let mut waits = Batch::new();
    waits.store(flag.address + 8, 1).wait(Compare::Equal, flag.address, 1).store(flag.address + 4, 2);
    let waits = batch_bo(&env.device, &waits)?;
    Exec::new(&first, engine, &waits).shares(&flag).submit()?;
    let mut signals = Batch::new();
    signals.store(flag.address, 1);
    let signals = batch_bo(&env.device, &signals)?;
    Exec::new(&second, engine, &signals).shares(&flag).submit()?;
    let ended = signals.wait(env.limit)?;
    // Whatever happened, do not leave a batch behind that waits for ever.
    flag.write32(0, 1);
    ensure!(ended, "the second context never got the engine");
    ensure!(waits.wait(Duration::from_secs(5).max(env.limit))?, "the first context did not go on");
    same("the dword behind the wait", flag.read32(4).into(), 2)
}
