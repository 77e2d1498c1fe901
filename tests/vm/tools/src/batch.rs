// SPDX-License-Identifier: GPL-2.0
//! Batches: the MI commands and the post-sync writes of graphics versions 8 and 9 as dwords.
//!
//! All addresses are of the context's own address space (PPGTT), in canonical form; all commands are those that a
//! batch without privileges may use.

use crate::drm::{Class, Engine};

/// An operation of the command streamer's arithmetic unit, for [`Batch::math`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alu {
    /// Source A or B = a general-purpose register.
    LoadA(u32),
    /// See [`Alu::LoadA`].
    LoadB(u32),
    /// Accumulator = A + B.
    Add,
    /// Accumulator = A - B.
    Sub,
    /// Accumulator = A and B.
    And,
    /// Accumulator = A or B.
    Or,
    /// Accumulator = A xor B.
    Xor,
    /// A general-purpose register = accumulator.
    Store(u32),
    /// A general-purpose register = carry flag, as all ones or zero.
    StoreCarry(u32),
    /// A general-purpose register = zero flag, as all ones or zero.
    StoreZero(u32),
}

impl Alu {
    fn encode(self) -> u32 {
        const SOURCE_A: u32 = 0x20;
        const SOURCE_B: u32 = 0x21;
        const ACCUMULATOR: u32 = 0x31;
        const ZERO_FLAG: u32 = 0x32;
        const CARRY_FLAG: u32 = 0x33;
        let (operation, first, second) = match self {
            Alu::LoadA(register) => (0x080, SOURCE_A, register),
            Alu::LoadB(register) => (0x080, SOURCE_B, register),
            Alu::Add => (0x100, 0, 0),
            Alu::Sub => (0x101, 0, 0),
            Alu::And => (0x102, 0, 0),
            Alu::Or => (0x103, 0, 0),
            Alu::Xor => (0x104, 0, 0),
            Alu::Store(register) => (0x180, register, ACCUMULATOR),
            Alu::StoreZero(register) => (0x180, register, ZERO_FLAG),
            Alu::StoreCarry(register) => (0x180, register, CARRY_FLAG),
        };
        (operation << 20) | (first << 10) | second
    }
}

/// What MI_ATOMIC does with the dword or qword in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Atomic {
    /// memory &= operand
    And = 0x01,
    /// memory |= operand
    Or = 0x02,
    /// memory ^= operand
    Xor = 0x03,
    /// memory = operand
    Move = 0x04,
    /// memory += 1
    Increment = 0x05,
    /// memory -= 1
    Decrement = 0x06,
    /// memory += operand
    Add = 0x07,
    /// memory -= operand
    Subtract = 0x08,
    /// memory = max(memory, operand), unsigned
    Max = 0x0c,
    /// memory = min(memory, operand), unsigned
    Min = 0x0d,
    /// memory += operand, 64 bits
    Add64 = 0x27,
}

/// How MI_SEMAPHORE_WAIT compares memory with its operand; the wait ends when the comparison holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Compare {
    /// memory > operand
    Greater = 0,
    /// memory >= operand
    GreaterOrEqual = 1,
    /// memory < operand
    Less = 2,
    /// memory <= operand
    LessOrEqual = 3,
    /// memory == operand
    Equal = 4,
    /// memory != operand
    NotEqual = 5,
}

/// Commands in the making.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    words: Vec<u32>,
}

fn mi(opcode: u32, rest: u32) -> u32 {
    (opcode << 23) | rest
}

fn low(address: u64) -> u32 {
    address as u32
}

fn high(address: u64) -> u32 {
    (address >> 32) as u32
}

impl Batch {
    /// An empty batch.
    pub fn new() -> Batch {
        Batch::default()
    }

    /// Appends dwords as they are.
    pub fn raw(&mut self, words: &[u32]) -> &mut Batch {
        self.words.extend_from_slice(words);
        self
    }

    /// Where the next command will stand, in bytes from the batch's start.
    pub fn offset(&self) -> u64 {
        self.words.len() as u64 * 4
    }

    /// The dwords with an end of batch, padded to the qword that the kernel asks for.
    pub fn finished(&self) -> Vec<u32> {
        let mut words = self.words.clone();
        words.push(mi(0x0a, 0));
        if words.len() % 2 == 1 {
            words.push(0);
        }
        words
    }

    /// MI_BATCH_BUFFER_END in the middle.
    pub fn end(&mut self) -> &mut Batch {
        self.raw(&[mi(0x0a, 0)])
    }

    /// MI_NOOP.
    pub fn noop(&mut self) -> &mut Batch {
        self.raw(&[0])
    }

    /// MI_ARB_CHECK: here the scheduler may take the engine away.
    pub fn arbitration_point(&mut self) -> &mut Batch {
        self.raw(&[mi(0x05, 0)])
    }

    /// MI_STORE_DATA_IMM of a dword.
    pub fn store(&mut self, address: u64, value: u32) -> &mut Batch {
        self.raw(&[mi(0x20, 2), low(address), high(address), value])
    }

    /// MI_STORE_DATA_IMM of a qword.
    pub fn store64(&mut self, address: u64, value: u64) -> &mut Batch {
        self.raw(&[mi(0x20, (1 << 21) | 3), low(address), high(address), low(value), high(value)])
    }

    /// MI_LOAD_REGISTER_IMM of some registers.
    pub fn load_registers(&mut self, pairs: &[(u32, u32)]) -> &mut Batch {
        self.words.push(mi(0x22, 2 * pairs.len() as u32 - 1));
        for (register, value) in pairs {
            self.raw(&[*register, *value]);
        }
        self
    }

    /// MI_LOAD_REGISTER_MEM.
    pub fn load_register_from(&mut self, register: u32, address: u64) -> &mut Batch {
        self.raw(&[mi(0x29, 2), register, low(address), high(address)])
    }

    /// MI_LOAD_REGISTER_REG.
    pub fn copy_register(&mut self, to: u32, from: u32) -> &mut Batch {
        self.raw(&[mi(0x2a, 1), from, to])
    }

    /// MI_STORE_REGISTER_MEM.
    pub fn store_register(&mut self, register: u32, address: u64) -> &mut Batch {
        self.raw(&[mi(0x24, 2), register, low(address), high(address)])
    }

    /// MI_MATH.
    pub fn math(&mut self, program: &[Alu]) -> &mut Batch {
        self.words.push(mi(0x1a, program.len() as u32 - 1));
        self.words.extend(program.iter().map(|step| step.encode()));
        self
    }

    /// MI_ATOMIC with its operand inline.
    pub fn atomic(&mut self, operation: Atomic, address: u64, operand: u64) -> &mut Batch {
        let size = if operation as u32 & 0x20 != 0 { 1 << 19 } else { 0 };
        let inline_data = 1 << 18;
        self.raw(&[
            mi(0x2f, size | inline_data | ((operation as u32) << 8) | 9),
            low(address),
            high(address),
            low(operand),
            0,
            high(operand),
            0,
            0,
            0,
            0,
            0,
        ])
    }

    /// MI_COPY_MEM_MEM of a dword.
    pub fn copy(&mut self, to: u64, from: u64) -> &mut Batch {
        self.raw(&[mi(0x2e, 3), low(to), high(to), low(from), high(from)])
    }

    /// MI_BATCH_BUFFER_START: go on at another place of the context's address space, for good.
    pub fn chain(&mut self, address: u64) -> &mut Batch {
        self.raw(&[mi(0x31, (1 << 8) | 1), low(address), high(address)])
    }

    /// MI_BATCH_BUFFER_START of the second level: its end comes back here.
    pub fn call(&mut self, address: u64) -> &mut Batch {
        self.raw(&[mi(0x31, (1 << 22) | (1 << 8) | 1), low(address), high(address)])
    }

    /// MI_CONDITIONAL_BATCH_BUFFER_END: go on only if the dword in memory is greater than the operand.
    pub fn end_unless_greater(&mut self, address: u64, operand: u32) -> &mut Batch {
        self.raw(&[mi(0x36, (1 << 21) | 2), operand, low(address), high(address)])
    }

    /// MI_SEMAPHORE_WAIT that polls memory.
    pub fn wait(&mut self, compare: Compare, address: u64, operand: u32) -> &mut Batch {
        self.raw(&[mi(0x1c, (1 << 15) | ((compare as u32) << 12) | 2), operand, low(address), high(address)])
    }

    /// The engine's flush with a qword written afterwards: PIPE_CONTROL on the render engine, MI_FLUSH_DW elsewhere.
    pub fn flush_store(&mut self, engine: &Engine, address: u64, value: u64) -> &mut Batch {
        let write_immediate = 1 << 14;
        if engine.class == Class::Render {
            let cs_stall = 1 << 20;
            self.pipe_control(cs_stall | write_immediate, address, value)
        } else {
            self.raw(&[mi(0x26, write_immediate | 3), low(address), high(address), low(value), high(value)])
        }
    }

    /// The engine's flush with a timestamp written afterwards.
    pub fn flush_timestamp(&mut self, engine: &Engine, address: u64) -> &mut Batch {
        let write_timestamp = 3 << 14;
        if engine.class == Class::Render {
            let cs_stall = 1 << 20;
            self.pipe_control(cs_stall | write_timestamp, address, 0)
        } else {
            self.raw(&[mi(0x26, write_timestamp | 3), low(address), high(address), 0, 0])
        }
    }

    /// PIPE_CONTROL.
    pub fn pipe_control(&mut self, flags: u32, address: u64, value: u64) -> &mut Batch {
        self.raw(&[(3 << 29) | (3 << 27) | (2 << 24) | 4, flags, low(address), high(address), low(value), high(value)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: u64 = 0xffff_8001_2345_6000;

    fn engine(class: Class) -> Engine {
        Engine { index: 0, class, instance: 0, name: String::new(), mmio_base: 0x2000 }
    }

    fn check(build: impl FnOnce(&mut Batch) -> &mut Batch, words: &[u32]) {
        let mut batch = Batch::new();
        build(&mut batch);
        assert_eq!(batch.words, words, "{:x?} instead of {words:x?}", batch.words);
    }

    /// The first dwords written out as the manuals' bit fields: type 31:29, opcode 28:23, length without two dwords.
    #[test]
    fn commands_as_in_the_manuals() {
        let (lo, hi) = (0x2345_6000, 0xffff_8001);
        check(|b| b.store(ADDRESS, 7), &[0x1000_0002, lo, hi, 7]);
        check(|b| b.store64(ADDRESS, (1 << 32) | 2), &[0x1020_0003, lo, hi, 2, 1]);
        check(|b| b.load_registers(&[(0x2600, 1), (0x2604, 2)]), &[0x1100_0003, 0x2600, 1, 0x2604, 2]);
        check(|b| b.store_register(0x2600, ADDRESS), &[0x1200_0002, 0x2600, lo, hi]);
        check(|b| b.load_register_from(0x2600, ADDRESS), &[0x1480_0002, 0x2600, lo, hi]);
        check(|b| b.copy_register(0x2608, 0x2600), &[0x1500_0001, 0x2600, 0x2608]);
        check(|b| b.copy(ADDRESS, 0x1000), &[0x1700_0003, lo, hi, 0x1000, 0]);
        check(|b| b.chain(ADDRESS), &[0x1880_0101, lo, hi]);
        check(|b| b.call(ADDRESS), &[0x18c0_0101, lo, hi]);
        check(|b| b.end_unless_greater(ADDRESS, 5), &[0x1b20_0002, 5, lo, hi]);
        check(|b| b.wait(Compare::GreaterOrEqual, ADDRESS, 5), &[0x0e00_9002, 5, lo, hi]);
        check(|b| b.arbitration_point(), &[0x0280_0000]);
        check(|b| b.end(), &[0x0500_0000]);
    }

    #[test]
    fn atomics() {
        check(|b| b.atomic(Atomic::Add, 0x1000, 3), &[0x1784_0709, 0x1000, 0, 3, 0, 0, 0, 0, 0, 0, 0]);
        check(|b| b.atomic(Atomic::Add64, 0x1000, (1 << 32) | 3), &[0x178c_2709, 0x1000, 0, 3, 0, 1, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn arithmetic() {
        check(
            |b| b.math(&[Alu::LoadA(0), Alu::LoadB(1), Alu::Add, Alu::Store(2)]),
            &[0x0d00_0003, 0x0800_8000, 0x0800_8401, 0x1000_0000, 0x1800_0831],
        );
    }

    #[test]
    fn flushes_by_engine() {
        check(
            |b| b.flush_store(&engine(Class::Render), 0x1000, (1 << 32) | 2),
            &[0x7a00_0004, 0x0010_4000, 0x1000, 0, 2, 1],
        );
        for class in [Class::Copy, Class::Video, Class::Enhance] {
            check(|b| b.flush_store(&engine(class), 0x1000, (1 << 32) | 2), &[0x1300_4003, 0x1000, 0, 2, 1]);
        }
    }

    #[test]
    fn batches_end_on_a_qword() {
        assert_eq!(Batch::new().finished(), [0x0500_0000, 0]);
        assert_eq!(Batch::new().noop().finished(), [0, 0x0500_0000]);
    }
}
