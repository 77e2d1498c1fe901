// SPDX-License-Identifier: GPL-2.0
//! MI_MATH: 64-bit arithmetic on the general purpose registers.

use super::Command;
use crate::engine::{regs, runner::Runner};

const LOAD: u32 = 0x080;
const LOADINV: u32 = 0x480;
const LOAD0: u32 = 0x081;
const LOAD1: u32 = 0x481;
const ADD: u32 = 0x100;
const SUB: u32 = 0x101;
const AND: u32 = 0x102;
const OR: u32 = 0x103;
const XOR: u32 = 0x104;
const STORE: u32 = 0x180;
const STOREINV: u32 = 0x580;

const SRCA: u32 = 0x20;
const SRCB: u32 = 0x21;
const ACCU: u32 = 0x31;
const ZF: u32 = 0x32;
const CF: u32 = 0x33;

/// Registers of the ALU itself; they live for one command.
#[derive(Default)]
struct Alu {
    a: u64,
    b: u64,
    accumulator: u64,
    zero: bool,
    carry: bool,
}

impl Alu {
    fn operate(&mut self, operation: u32) {
        let (result, carry) = match operation {
            ADD => self.a.overflowing_add(self.b),
            SUB => self.a.overflowing_sub(self.b),
            AND => (self.a & self.b, false),
            OR => (self.a | self.b, false),
            _ => (self.a ^ self.b, false),
        };
        self.accumulator = result;
        self.carry = carry;
        self.zero = result == 0;
    }

    fn source(&self, operand: u32) -> u64 {
        let flag = |set: bool| if set { u64::MAX } else { 0 };
        match operand {
            SRCA => self.a,
            SRCB => self.b,
            ACCU => self.accumulator,
            ZF => flag(self.zero),
            CF => flag(self.carry),
            _ => 0,
        }
    }

    fn set(&mut self, operand: u32, value: u64) {
        match operand {
            SRCA => self.a = value,
            SRCB => self.b = value,
            _ => {}
        }
    }
}

/// Executes every instruction of the command.
pub fn execute(runner: &mut Runner<'_>, command: &Command) {
    let gpr = |number: u32| runner.engine.id.base() + regs::CS_GPR + 8 * number;
    let mut alu = Alu::default();
    for instruction in command.dwords().iter().skip(1) {
        let (operation, first, second) = (instruction >> 20, (instruction >> 10) & 0x3ff, instruction & 0x3ff);
        let register = |operand: u32| if operand < 16 { runner.gpu.bar0.load_pair(gpr(operand)) } else { 0 };
        match operation {
            LOAD => alu.set(first, register(second)),
            LOADINV => alu.set(first, !register(second)),
            LOAD0 => alu.set(first, 0),
            LOAD1 => alu.set(first, u64::MAX),
            ADD | SUB | AND | OR | XOR => alu.operate(operation),
            STORE if first < 16 => runner.gpu.bar0.store_pair(gpr(first), alu.source(second)),
            STOREINV if first < 16 => runner.gpu.bar0.store_pair(gpr(first), !alu.source(second)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_sets_the_flags() {
        let mut alu = Alu { a: 1, b: 2, ..Alu::default() };
        alu.operate(SUB);
        assert_eq!((alu.accumulator, alu.carry, alu.zero), (u64::MAX, true, false));
        alu.operate(ADD);
        assert_eq!((alu.source(ACCU), alu.source(CF), alu.source(ZF)), (3, 0, 0));
        alu.b = 1;
        alu.operate(XOR);
        assert_eq!((alu.source(ACCU), alu.source(ZF)), (0, u64::MAX));
    }
}
