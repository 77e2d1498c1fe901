// SPDX-License-Identifier: GPL-2.0
//! PIPE_CONTROL and MI_FLUSH_DW with their post-sync operations.

use super::Command;
use crate::engine::{cost, regs, runner::Runner};
use crate::gtt::{Fault, Space};

const NOTIFY: u32 = 1 << 8;
const POST_SYNC_SHIFT: u32 = 14;
const TLB_INVALIDATE: u32 = 1 << 18;
const STORE_INDEX: u32 = 1 << 21;
const MMIO_WRITE: u32 = 1 << 23;
const GLOBAL: u32 = 1 << 24;
const IMMEDIATE: u32 = 1;
const DEPTH_COUNT: u32 = 2;
const TIMESTAMP: u32 = 3;
/// PS_DEPTH_COUNT of the render engine.
const PS_DEPTH_COUNT: u32 = 0x2350;

/// PIPE_CONTROL.
pub fn pipe_control(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    let flags = command.dword(1);
    runner.spend(cost::FLUSH);
    if flags & TLB_INVALIDATE != 0 {
        runner.mmu.flush();
    }
    let address = command.address(2);
    if flags & MMIO_WRITE != 0 {
        runner.write_register(address as u32 & 0x7f_fffc, command.dword(4));
    } else {
        let value = match (flags >> POST_SYNC_SHIFT) & 3 {
            IMMEDIATE => Some(command.qword(4)),
            DEPTH_COUNT => Some(runner.gpu.bar0.load_pair(PS_DEPTH_COUNT)),
            TIMESTAMP => Some(runner.gpu.clock.timestamp()),
            _ => None,
        };
        if let Some(value) = value {
            let (global, address) = (flags & GLOBAL != 0, address & !7);
            post_sync(runner, flags & STORE_INDEX != 0, global, address, "PIPE_CONTROL", |runner, space, at| {
                runner.mmu.store64(space, at, value)
            })?;
        }
    }
    if flags & NOTIFY != 0 {
        runner.raise(regs::GT_FLUSH_NOTIFY);
    }
    Ok(())
}

/// MI_FLUSH_DW.
pub fn flush_dw(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    runner.spend(cost::FLUSH);
    if command.header & TLB_INVALIDATE != 0 {
        runner.mmu.flush();
    }
    let (global, address) = (command.dword(1) & (1 << 2) != 0, command.address(1) & !7);
    let index = command.header & STORE_INDEX != 0;
    match (command.header >> POST_SYNC_SHIFT) & 3 {
        // With a sixth dword the immediate is a quadword.
        IMMEDIATE if command.len() > 4 => {
            post_sync(runner, index, global, address, "MI_FLUSH_DW", |runner, space, at| {
                runner.mmu.store64(space, at, command.qword(3))
            })?
        }
        IMMEDIATE => post_sync(runner, index, global, address, "MI_FLUSH_DW", |runner, space, at| {
            runner.mmu.store32(space, at, command.dword(3))
        })?,
        TIMESTAMP => {
            let value = runner.gpu.clock.timestamp();
            post_sync(runner, index, global, address, "MI_FLUSH_DW", |runner, space, at| {
                runner.mmu.store64(space, at, value)
            })?
        }
        _ => {}
    }
    if command.header & NOTIFY != 0 {
        runner.raise(regs::GT_FLUSH_NOTIFY);
    }
    Ok(())
}

/// Finds the destination of a post-sync write and lets `store` make it.
fn post_sync<'g>(
    runner: &mut Runner<'g>,
    index: bool,
    global: bool,
    address: u64,
    command: &'static str,
    store: impl FnOnce(&mut Runner<'g>, Space, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if index {
        let at = runner.status_page() + (address & 0xff8);
        return store(runner, Space::Ggtt, at);
    }
    match runner.data_space(global, command) {
        Some(space) => store(runner, space, address),
        None => Ok(()),
    }
}
