// SPDX-License-Identifier: GPL-2.0
//! Address spaces: many of them, high addresses, pages that change behind an address.

use anyhow::{ensure, Context as _, Result};

use super::{same, Check, Env};
use crate::batch::Batch;
use crate::drm::Engine;
use crate::exec::{batch_bo, Exec};
use crate::gem::{Bo, Context, PAGE};
use crate::uapi;

pub(super) const CHECKS: &[Check] = &[
    Check::device("contexts", "32 contexts on all engines, the same addresses, different pages", contexts),
    Check::each("addresses", "addresses around 4 GiB, 512 GiB, 128 TiB and at the end", addresses)
        .unless(|env, _| small_space(env)),
    Check::each("scatter", "a store into each page of eight megabytes", scatter),
    Check::each("remap", "new pages behind an address that the engine has used before", remap),
];

/// Bytes of a context's address space.
fn space(env: &Env) -> Result<u64> {
    Context::new(&env.device)?.get(uapi::I915_CONTEXT_PARAM_GTT_SIZE)
}

fn small_space(env: &Env) -> Option<String> {
    match space(env) {
        Ok(size) if size < 1 << 48 => Some(format!("address spaces have {size:#x} bytes, not 48 bits")),
        // An error shows in the check itself.
        Ok(_) | Err(_) => None,
    }
}

fn contexts(env: &Env) -> Result<()> {
    const COUNT: u32 = 32;
    // Far above what the allocator hands out, so that only these buffers live there.
    const TARGET: u64 = 0x40_0000_0000;
    const CODE: u64 = 0x40_1000_0000;
    let mut running = Vec::new();
    for number in 0..COUNT {
        let context = Context::new(&env.device)?;
        let target = Bo::at(&env.device, PAGE, TARGET)?;
        let mut codes = Vec::new();
        for engine in &env.device.engines {
            let code = Bo::at(&env.device, PAGE, CODE + PAGE * u64::from(engine.index))?;
            let mut batch = Batch::new();
            batch.store(TARGET + 4 * u64::from(engine.index), (number << 8) | engine.index | 0x10_0000);
            code.write(0, &batch.finished());
            Exec::new(&context, engine, &code)
                .shares(&target)
                .submit()
                .with_context(|| format!("context {number} on {}", engine.name))?;
            codes.push(code);
        }
        running.push((context, target, codes));
    }
    for (number, (_, target, codes)) in (0u32..).zip(&running) {
        for (engine, code) in env.device.engines.iter().zip(codes) {
            env.finish(code).with_context(|| format!("context {number} on {}", engine.name))?;
            same(
                &format!("the dword of context {number}, {}", engine.name),
                target.read32(4 * u64::from(engine.index)).into(),
                ((number << 8) | engine.index | 0x10_0000).into(),
            )?;
        }
        let behind = 4 * env.device.engines.len() as u64;
        same(&format!("the dword behind, context {number}"), target.read32(behind).into(), 0)?;
    }
    Ok(())
}

fn addresses(env: &Env, engine: &Engine) -> Result<()> {
    let end = space(env)?;
    for address in [
        0xffff_f000,
        1 << 32,
        (1 << 39) - PAGE,
        1 << 39,
        (1 << 47) - 2 * PAGE,
        1 << 47,
        0xabcd_ef01_2000,
        end - 2 * PAGE,
    ] {
        let context = Context::new(&env.device)?;
        let target = Bo::at(&env.device, 2 * PAGE, address)?;
        // The batch itself lives high up as well, in the other half of the space.
        let code = Bo::at(&env.device, PAGE, (address ^ (1 << 47) ^ (1 << 30)) & ((1 << 48) - 1) & !0xffff)?;
        let mut batch = Batch::new();
        batch.store(target.address, 0x1111).store(target.address + (2 * PAGE - 4), 0x2222);
        batch.copy(target.address + PAGE, target.address);
        code.write(0, &batch.finished());
        let at = || format!("at {address:#x}");
        Exec::new(&context, engine, &code).writes(&target).submit().with_context(at)?;
        env.finish(&code).with_context(at)?;
        same("the first dword", target.read32(0).into(), 0x1111).with_context(at)?;
        same("the last dword", target.read32(2 * PAGE - 4).into(), 0x2222).with_context(at)?;
        same("the copied dword", target.read32(PAGE).into(), 0x1111).with_context(at)?;
    }
    Ok(())
}

fn scatter(env: &Env, engine: &Engine) -> Result<()> {
    const SIZE: u64 = 8 << 20;
    // Aligned so that the kernel may use large pages for it.
    let target = Bo::at(&env.device, SIZE, 0x50_0000_0000)?;
    let mut batch = Batch::new();
    let pages = SIZE / PAGE;
    // 1031 is prime to the number of pages: each is visited once, never two neighbours in a row.
    for step in 0..pages {
        let page = step * 1031 % pages;
        batch.store(target.address + page * PAGE + 8 * (page % 512), 0x00ab_0000 | page as u32);
    }
    env.run_batch(engine, &batch, &target)?;
    for page in 0..pages {
        let found = target.read32(page * PAGE + 8 * (page % 512));
        same(&format!("the dword of page {page}"), found.into(), 0x00ab_0000 | page)?;
    }
    Ok(())
}

fn remap(env: &Env, engine: &Engine) -> Result<()> {
    const ADDRESS: u64 = 0x60_0000_0000;
    let context = Context::new(&env.device)?;
    // Old buffers stay alive with their handles, so that their pages cannot come back as the new ones by chance.
    let mut old = Vec::new();
    for round in 0..16u32 {
        let target = Bo::at(&env.device, PAGE, ADDRESS)?;
        let mut batch = Batch::new();
        batch.store(ADDRESS, 0xcc00 + round);
        let code = batch_bo(&env.device, &batch)?;
        Exec::new(&context, engine, &code).writes(&target).submit()?;
        env.finish(&code).with_context(|| format!("round {round}"))?;
        same(&format!("the dword of round {round}"), target.read32(0).into(), (0xcc00 + round).into())?;
        old.push(target);
    }
    for (round, target) in (0u32..).zip(&old) {
        ensure!(
            target.read32(0) == 0xcc00 + round,
            "a later batch wrote {:#x} into the page of round {round}",
            target.read32(0)
        );
    }
    Ok(())
}
