// SPDX-License-Identifier: GPL-2.0
//! The way through batches: calls, chains, conditions; and what a batch without privileges may not do.

use std::io;

use anyhow::{bail, Result};

use super::{same, Check, Env};
use crate::batch::Batch;
use crate::drm::{Class, Engine};
use crate::exec::{batch_bo, Exec};
use crate::gem::{Bo, Context, PAGE};

pub(super) const CHECKS: &[Check] = &[
    Check::each("second-level", "a batch calls another one, twice, and goes on behind it", second_level).unless(parsed),
    Check::each("chain", "a batch goes on in another one and does not come back", chain).unless(parsed),
    Check::each("conditional-end", "MI_CONDITIONAL_BATCH_BUFFER_END goes on or ends", conditional_end).unless(copied),
    Check::of(Class::Render, "predicate", "MI_PREDICATE decides about a register's store", predicate),
    Check::each("privilege", "a batch cannot write a register that is none of its business", privilege),
];

/// Whether the kernel checks each command of a batch before it runs it, as it does for the blitter of version 9.
fn is_parsed(env: &Env, engine: &Engine) -> bool {
    env.device.version == 9 && engine.class == Class::Copy
}

/// Why a check that hides something from the kernel cannot run on an engine.
pub(super) fn parsed(env: &Env, engine: Option<&Engine>) -> Option<String> {
    engine
        .is_some_and(|engine| is_parsed(env, engine))
        .then(|| "the kernel's command parser lets this engine run no command outside of a checked batch".to_owned())
}

/// Why a check that ends a batch in the middle cannot run on an engine: it would pass with the stock drivers only.
fn copied(env: &Env, engine: Option<&Engine>) -> Option<String> {
    engine
        .is_some_and(|engine| is_parsed(env, engine))
        .then(|| "kvmgt copies the batches of this engine into a ring, which cannot end under a condition".to_owned())
}

/// Runs a batch that uses a second one, and one buffer for results.
fn run_two(env: &Env, engine: &Engine, outer: &Batch, inner: &Bo, target: &Bo) -> Result<()> {
    let context = Context::new(&env.device)?;
    let code = batch_bo(&env.device, outer)?;
    Exec::new(&context, engine, &code).reads(inner).writes(target).submit()?;
    env.finish(&code)
}

fn second_level(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    let mut inner = Batch::new();
    inner.store(target.address, 1).atomic(crate::batch::Atomic::Increment, target.address + 8, 0);
    let inner = batch_bo(&env.device, &inner)?;
    let mut outer = Batch::new();
    outer.call(inner.address).call(inner.address).store(target.address + 4, 2);
    run_two(env, engine, &outer, &inner, &target)?;
    same("the inner batch's dword", target.read32(0).into(), 1)?;
    same("the number of calls", target.read32(8).into(), 2)?;
    same("the dword behind the calls", target.read32(4).into(), 2)
}

fn chain(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    let mut next = Batch::new();
    next.store(target.address, 1);
    let next = batch_bo(&env.device, &next)?;
    let mut first = Batch::new();
    first.chain(next.address).store(target.address + 4, 2);
    run_two(env, engine, &first, &next, &target)?;
    same("the second batch's dword", target.read32(0).into(), 1)?;
    same("the dword behind the chaining", target.read32(4).into(), 0)
}

fn conditional_end(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    target.write32(0, 5);
    let mut batch = Batch::new();
    batch.end_unless_greater(target.address, 4).store(target.address + 4, 1);
    batch.end_unless_greater(target.address, 5).store(target.address + 8, 2);
    env.run_batch(engine, &batch, &target)?;
    same("the dword behind a condition that holds", target.read32(4).into(), 1)?;
    same("the dword behind a condition that does not hold", target.read32(8).into(), 0)
}

fn predicate(env: &Env, engine: &Engine) -> Result<()> {
    const SOURCE_0: u32 = 0x2400;
    const SOURCE_1: u32 = 0x2408;
    const LOAD: u32 = 2 << 6;
    const SOURCES_EQUAL: u32 = 2;
    const PREDICATED: u32 = 1 << 21;
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    for (place, second) in [(0u64, 7), (4, 8)] {
        batch.load_registers(&[
            (SOURCE_0, 7),
            (SOURCE_0 + 4, 0),
            (SOURCE_1, second),
            (SOURCE_1 + 4, 0),
            (engine.mmio_base + 0x600, 0x77),
        ]);
        batch.raw(&[(0x0c << 23) | LOAD | SOURCES_EQUAL]);
        let address = target.address + place;
        batch.raw(&[(0x24 << 23) | PREDICATED | 2, engine.mmio_base + 0x600, address as u32, (address >> 32) as u32]);
    }
    env.run_batch(engine, &batch, &target)?;
    same("the dword stored for equal sources", target.read32(0).into(), 0x77)?;
    same("the dword stored for different sources", target.read32(4).into(), 0)
}

/// Demands that the kernel did not take a batch because of what is in it.
fn refused(result: Result<()>) -> Result<()> {
    let error = match result {
        Ok(()) => bail!("the kernel's command parser lets the register through"),
        Err(error) => error,
    };
    match error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
        Some(libc::EACCES | libc::EINVAL) => Ok(()),
        _ => Err(error),
    }
}

/// The register is the engine's number of cycles before it counts as idle: readable by all, written by the kernel only,
/// and harmless should the write get through.
fn privilege(env: &Env, engine: &Engine) -> Result<()> {
    let register = engine.mmio_base + 0x54;
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    batch.store_register(register, target.address);
    let result = env.run_batch(engine, &batch, &target);
    if is_parsed(env, engine) {
        return refused(result);
    }
    result?;
    let before = target.read32(0);
    let mut batch = Batch::new();
    batch.load_registers(&[(register, before ^ 0x5a)]);
    batch.store_register(register, target.address + 4);
    target.write32(8, before ^ 0xa5);
    batch.load_register_from(register, target.address + 8);
    batch.store_register(register, target.address + 12);
    env.run_batch(engine, &batch, &target)?;
    let name = format!("register {register:#x}");
    same(&format!("{name} after a load immediate"), target.read32(4).into(), before.into())?;
    same(&format!("{name} after a load from memory"), target.read32(12).into(), before.into())
}
