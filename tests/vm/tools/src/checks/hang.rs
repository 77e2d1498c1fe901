// SPDX-License-Identifier: GPL-2.0
//! Batches that hang an engine, and what comes after. They make the kernel report a GPU hang, so they run by name only.

use std::time::Duration;

use anyhow::{bail, ensure, Context as _, Result};

use super::flow::parsed;
use super::spin::{Manners, Spinner};
use super::{same, Check, Env};
use crate::batch::Batch;
use crate::drm::{Class, Engine};
use crate::exec::{batch_bo, Exec};
use crate::gem::{Bo, Context, PAGE};
use crate::uapi;

pub(super) const CHECKS: &[Check] = &[
    Check::each("hang-loop", "an endless loop without a point of arbitration", |env, engine| {
        let spinner = Spinner::new(&env.device, Manners::Stubborn)?;
        hang(env, engine, &spinner.code)
    })
    .only_by_name(),
    Check::each("hang-command", "a command that does not exist", |env, engine| hang(env, engine, &nonsense(env)?))
        .unless(parsed)
        .only_by_name(),
    Check::of(Class::Render, "hang-banned", "a context that gave up recovery is refused after a hang", banned)
        .only_by_name(),
];

/// The kernel notices a hang by its heartbeat, then resets, and may read megabytes through the aperture for its report.
const RECOVERY: Duration = Duration::from_secs(120);

/// A batch with a command that does not exist: client 7 of the command's top three bits is not assigned.
fn nonsense(env: &Env) -> Result<Bo> {
    let mut batch = Batch::new();
    batch.raw(&[(7 << 29) | 0x00ba_dbad]);
    batch_bo(&env.device, &batch)
}

fn wait_for_reset(code: &Bo, context: &Context) -> Result<()> {
    ensure!(code.wait(RECOVERY)?, "no reset ended the batch within {} s", RECOVERY.as_secs());
    let (active, _) = context.reset_stats()?;
    ensure!(active >= 1, "the batch ended, but the kernel counts no hang for its context");
    Ok(())
}

fn works(env: &Env, context: &Context, engine: &Engine, what: &str) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    batch.store(target.address, 0x77);
    env.run_in(context, engine, &batch, &[&target]).with_context(|| what.to_owned())?;
    same(what, target.read32(0).into(), 0x77)
}

fn hang(env: &Env, engine: &Engine, code: &Bo) -> Result<()> {
    let context = Context::new(&env.device)?;
    let bystander = Context::new(&env.device)?;
    Exec::new(&context, engine, code).submit()?;
    for other in env.device.engines.iter().filter(|other| other.index != engine.index) {
        works(env, &bystander, other, &format!("a batch on {} during the hang", other.name))?;
    }
    wait_for_reset(code, &context)?;
    works(env, &context, engine, "the next batch of the same context")?;
    works(env, &bystander, engine, "the next batch of another context")?;
    for other in &env.device.engines {
        works(env, &bystander, other, &format!("a batch on {} afterwards", other.name))?;
    }
    let (active, pending) = bystander.reset_stats()?;
    ensure!(active == 0, "the kernel blames the other context ({active} running, {pending} waiting)");
    Ok(())
}

fn banned(env: &Env, engine: &Engine) -> Result<()> {
    let context = Context::new(&env.device)?;
    context.set(uapi::I915_CONTEXT_PARAM_RECOVERABLE, 0)?;
    let code = nonsense(env)?;
    Exec::new(&context, engine, &code).submit()?;
    wait_for_reset(&code, &context)?;
    let code = batch_bo(&env.device, &Batch::new())?;
    match Exec::new(&context, engine, &code).submit() {
        Err(error) if error.raw_os_error() == Some(libc::EIO) => {}
        Err(error) => bail!("the banned context is refused with {error} instead of EIO"),
        Ok(_) => bail!("the banned context may go on"),
    }
    works(env, &Context::new(&env.device)?, engine, "the next batch of another context")
}
