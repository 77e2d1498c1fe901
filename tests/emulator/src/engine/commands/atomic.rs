// SPDX-License-Identifier: GPL-2.0
//! MI_ATOMIC.

use super::Command;
use crate::engine::{regs, runner::Runner};
use crate::gtt::Fault;

const GGTT: u32 = 22;
const INLINE_DATA: u32 = 18;
const RETURN_DATA: u32 = 16;

/// What an operation makes of memory and its operands. Codes are the lower five bits of the operation field.
fn result(operation: u32, memory: u64, first: u64, second: u64, bits: u32) -> u64 {
    let signed = |value: u64| (value << (64 - bits)) as i64;
    match operation {
        0x01 => memory & first,
        0x02 => memory | first,
        0x03 => memory ^ first,
        0x04 => first,
        0x05 => memory.wrapping_add(1),
        0x06 => memory.wrapping_sub(1),
        0x07 => memory.wrapping_add(first),
        0x08 => memory.wrapping_sub(first),
        0x09 => first.wrapping_sub(memory),
        0x0a => {
            if signed(memory) >= signed(first) {
                memory
            } else {
                first
            }
        }
        0x0b => {
            if signed(memory) <= signed(first) {
                memory
            } else {
                first
            }
        }
        0x0c => memory.max(first),
        0x0d => memory.min(first),
        // Compare with the first operand, write the second.
        0x0e if memory == first => second,
        _ => memory,
    }
}

/// Executes the command.
pub fn execute(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    let Some(space) = runner.data_space(command.flag(GGTT), "MI_ATOMIC") else { return Ok(()) };
    let address = command.address(1);
    let operation = (command.header >> 8) & 0xff;
    let wide = operation & 0x20 != 0;
    let gpr = runner.engine.id.base() + regs::CS_GPR;
    let (first, second) = if command.flag(INLINE_DATA) {
        (command.qword(3), command.qword(5))
    } else {
        (runner.gpu.bar0.load_pair(gpr), runner.gpu.bar0.load_pair(gpr + 8))
    };
    let old = if wide {
        runner.mmu.update64(space, address, |memory| result(operation & 0x1f, memory, first, second, 64))?
    } else {
        let narrow = |value: u64| value & 0xffff_ffff;
        u64::from(runner.mmu.update32(space, address, |memory| {
            result(operation & 0x1f, u64::from(memory), narrow(first), narrow(second), 32) as u32
        })?)
    };
    if command.flag(RETURN_DATA) {
        runner.gpu.bar0.store_pair(gpr, old);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations() {
        let run = |operation, memory| result(operation, memory, 3, 9, 32) as u32;
        let expected = [(1, 1), (2, 7), (3, 6), (4, 3), (5, 6), (6, 4), (7, 8), (8, 2), (9, (-2i32) as u32)];
        for (operation, value) in expected {
            assert_eq!(run(operation, 5), value, "operation {operation:#x}");
        }
        assert_eq!(run(0x0a, 0xffff_ffff), 3, "-1 is less than 3");
        assert_eq!(run(0x0b, 0xffff_ffff), 0xffff_ffff);
        assert_eq!(run(0x0c, 5), 5);
        assert_eq!(run(0x0d, 5), 3);
        assert_eq!(run(0x0e, 5), 5);
        assert_eq!(run(0x0e, 3), 9);
    }
}
