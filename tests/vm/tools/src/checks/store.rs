// SPDX-License-Identifier: GPL-2.0
//! Commands that move data: immediate, between registers and memory, arithmetic, atomics, post-sync writes.

use anyhow::{ensure, Result};

use super::{same, Check, Env};
use crate::batch::{Alu, Atomic, Batch};
use crate::drm::{Class, Engine};
use crate::gem::{Bo, Context, PAGE};

pub(super) const CHECKS: &[Check] = &[
    Check::each("store-dword", "MI_STORE_DATA_IMM, dword and qword, and nothing beside it", store_dword),
    Check::each("registers", "general registers: load immediate, from memory, from register; store", registers)
        .unless(without_registers),
    Check::each("math", "MI_MATH on general registers", math).unless(without_registers),
    Check::each("registers-saved", "general registers belong to the context", registers_saved)
        .unless(without_registers),
    Check::each("atomic", "MI_ATOMIC, dword and qword", atomic),
    Check::each("copy-mem", "MI_COPY_MEM_MEM", copy_mem),
    Check::each("flush-store", "PIPE_CONTROL or MI_FLUSH_DW with a write afterwards", flush_store),
    Check::each("timestamp", "the engine's clock runs and never backwards", timestamp),
];

/// Number of an engine's general registers of 64 bits.
const REGISTERS: u32 = 16;

/// The low half of an engine's general register.
fn register(engine: &Engine, number: u32) -> u32 {
    engine.mmio_base + 0x600 + 8 * number
}

fn without_registers(env: &Env, engine: Option<&Engine>) -> Option<String> {
    let render = engine.is_some_and(|engine| engine.class == Class::Render);
    (env.device.version < 9 && !render)
        .then(|| "graphics version 8 has general registers on the render engine only".to_owned())
}

fn store_dword(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    target.fill(|_| 0xdead_beef);
    let mut batch = Batch::new();
    batch.store(target.address, 0xc0ff_ee00 | engine.index);
    batch.store(target.address + PAGE - 4, 0x1234_5678);
    batch.store64(target.address + 64, 0x0123_4567_89ab_cdef);
    env.run_batch(engine, &batch, &target)?;
    same("the first dword", target.read32(0).into(), (0xc0ff_ee00 | engine.index).into())?;
    same("the last dword", target.read32(PAGE - 4).into(), 0x1234_5678)?;
    same("the qword", target.read64(64), 0x0123_4567_89ab_cdef)?;
    let untouched = (4..PAGE - 4).step_by(4).filter(|offset| !(64..72).contains(offset));
    for offset in untouched {
        same(&format!("the dword at {offset:#x}"), target.read32(offset).into(), 0xdead_beef)?;
    }
    Ok(())
}

fn registers(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    target.write(0x100, &[0x7654_3210]);
    let mut batch = Batch::new();
    let pairs: Vec<_> = (0..REGISTERS).map(|number| (register(engine, number), 0x3f22_0000 + number)).collect();
    batch.load_registers(&pairs);
    batch.load_register_from(register(engine, 1), target.address + 0x100);
    batch.copy_register(register(engine, 2), register(engine, 15));
    for number in 0..REGISTERS {
        batch.store_register(register(engine, number), target.address + 4 * u64::from(number));
    }
    env.run_batch(engine, &batch, &target)?;
    for number in 0..REGISTERS {
        let expected = match number {
            1 => 0x7654_3210,
            2 => 0x3f22_000f,
            _ => 0x3f22_0000 + number,
        };
        let found = target.read32(4 * u64::from(number));
        same(&format!("general register {number}"), found.into(), expected.into())?;
    }
    Ok(())
}

fn math(env: &Env, engine: &Engine) -> Result<()> {
    let (first, second): (u64, u64) = (0x1234_5678_9abc_def0, 0xff00_ff00_ff00_ff00);
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    for (number, value) in [(0, first), (1, second)] {
        let low = register(engine, number);
        batch.load_registers(&[(low, value as u32), (low + 4, (value >> 32) as u32)]);
    }
    let cases = [
        ("sum", Alu::Add, first.wrapping_add(second)),
        ("difference", Alu::Sub, first.wrapping_sub(second)),
        ("and", Alu::And, first & second),
        ("or", Alu::Or, first | second),
        ("xor", Alu::Xor, first ^ second),
    ];
    for (place, (_, operation, _)) in (0u64..).zip(&cases) {
        batch.math(&[Alu::LoadA(0), Alu::LoadB(1), *operation, Alu::Store(2)]);
        for half in 0..2 {
            let address = target.address + 8 * place + 4 * u64::from(half);
            batch.store_register(register(engine, 2) + 4 * half, address);
        }
    }
    // The flags: x - x is zero, and first + second carries.
    batch.math(&[Alu::LoadA(0), Alu::LoadB(0), Alu::Sub, Alu::StoreZero(3)]);
    batch.store_register(register(engine, 3), target.address + 0x80);
    batch.math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Add, Alu::StoreCarry(3)]);
    batch.store_register(register(engine, 3), target.address + 0x84);
    env.run_batch(engine, &batch, &target)?;
    for (place, (name, _, expected)) in (0u64..).zip(&cases) {
        same(&format!("the {name}"), target.read64(8 * place), *expected)?;
    }
    ensure!(target.read32(0x80) != 0, "the zero flag is not set by x - x");
    ensure!(target.read32(0x84) != 0, "the carry flag is not set by a sum beyond 64 bits");
    Ok(())
}

fn registers_saved(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    let contexts = [Context::new(&env.device)?, Context::new(&env.device)?];
    for (number, context) in (0u32..).zip(&contexts) {
        let mut load = Batch::new();
        load.load_registers(&[(register(engine, 5), 0xaaaa_0000 + number)]);
        env.run_in(context, engine, &load, &[&target])?;
    }
    for (number, context) in (0u32..).zip(&contexts) {
        let mut store = Batch::new();
        store.store_register(register(engine, 5), target.address + 4 * u64::from(number));
        env.run_in(context, engine, &store, &[&target])?;
    }
    for number in 0..2u32 {
        same(
            &format!("the register of context {number}"),
            target.read32(4 * u64::from(number)).into(),
            (0xaaaa_0000 + number).into(),
        )?;
    }
    Ok(())
}

fn atomic(env: &Env, engine: &Engine) -> Result<()> {
    let cases: [(&str, Atomic, u64, u64, u64); 11] = [
        ("and", Atomic::And, 0xff00, 0x0ff0, 0x0f00),
        ("or", Atomic::Or, 0xff00, 0x0ff0, 0xfff0),
        ("xor", Atomic::Xor, 0xff00, 0x0ff0, 0xf0f0),
        ("move", Atomic::Move, 1, 2, 2),
        ("increment", Atomic::Increment, 41, 0, 42),
        ("decrement", Atomic::Decrement, 43, 0, 42),
        ("add", Atomic::Add, 0xffff_ffff, 3, 2),
        ("subtract", Atomic::Subtract, 5, 3, 2),
        ("max", Atomic::Max, 5, 0x8000_0000, 0x8000_0000),
        ("min", Atomic::Min, 5, 0x8000_0000, 5),
        ("add of 64 bits", Atomic::Add64, 0xffff_ffff, 1, 0x1_0000_0000),
    ];
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    for (place, (_, operation, before, operand, _)) in (0u64..).zip(&cases) {
        target.write(16 * place, &[*before as u32, (before >> 32) as u32]);
        batch.atomic(*operation, target.address + 16 * place, *operand);
    }
    env.run_batch(engine, &batch, &target)?;
    for (place, (name, .., expected)) in (0u64..).zip(&cases) {
        same(&format!("the result of {name}"), target.read64(16 * place), *expected)?;
    }
    Ok(())
}

fn copy_mem(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, 2 * PAGE)?;
    target.fill(|number| number as u32 * 3);
    let mut batch = Batch::new();
    // From the first page to the second, in reverse order.
    for word in 0..64 {
        batch.copy(target.address + PAGE + 4 * word, target.address + 4 * (63 - word));
    }
    env.run_batch(engine, &batch, &target)?;
    for word in 0..64 {
        same(&format!("dword {word}"), target.read32(PAGE + 4 * word).into(), (63 - word) * 3)?;
    }
    same("the dword behind", target.read32(PAGE + 4 * 64).into(), (1024 + 64) * 3)
}

fn flush_store(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    let mut batch = Batch::new();
    batch.flush_store(engine, target.address + 8, 0x1122_3344_5566_7788);
    env.run_batch(engine, &batch, &target)?;
    same("the qword before", target.read64(0), 0)?;
    same("the qword", target.read64(8), 0x1122_3344_5566_7788)?;
    same("the qword behind", target.read64(16), 0)
}

fn timestamp(env: &Env, engine: &Engine) -> Result<()> {
    let target = Bo::new(&env.device, PAGE)?;
    let context = Context::new(&env.device)?;
    let mut before = None;
    for _ in 0..3 {
        let mut batch = Batch::new();
        batch.flush_timestamp(engine, target.address);
        env.run_in(&context, engine, &batch, &[&target])?;
        // 36 bits count; the rest may hold anything.
        let now = target.read64(0) & ((1 << 36) - 1);
        ensure!(now != 0, "the clock reads 0");
        if let Some(before) = before {
            let ticks = now.wrapping_sub(before) & ((1 << 36) - 1);
            ensure!(ticks > 0 && ticks < 1 << 35, "the clock went from {before} to {now} between two batches");
        }
        before = Some(now);
    }
    Ok(())
}
