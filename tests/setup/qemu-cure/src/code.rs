// SPDX-License-Identifier: GPL-2.0
//! A function's code as a list of instructions, and the questions that a search asks of it.

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, OpKind, Register};

use crate::elf::Function;

/// The decoded instructions of one function, in order of address.
pub struct Listing {
    instructions: Vec<Instruction>,
    base: u64,
}

impl Listing {
    /// Decodes from the first byte to the last. `None` if some bytes are no instruction: then what follows
    /// them cannot be trusted either.
    pub fn decode(function: &Function<'_>) -> Option<Self> {
        let mut decoder = Decoder::with_ip(64, function.code, function.address, DecoderOptions::NONE);
        let instructions: Vec<Instruction> = decoder.iter().collect();
        if instructions.iter().any(Instruction::is_invalid) {
            return None;
        }
        Some(Self { instructions, base: function.address })
    }

    /// The instruction at an index.
    pub fn at(&self, index: usize) -> &Instruction {
        &self.instructions[index]
    }

    /// All instructions.
    pub fn all(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Offset of an instruction from the start of the function.
    pub fn offset(&self, index: usize) -> usize {
        usize::try_from(self.at(index).ip() - self.base).unwrap_or(usize::MAX)
    }

    /// Indices of the calls of the function at `target`.
    pub fn calls(&self, target: u64) -> Vec<usize> {
        self.indices(|instruction| {
            instruction.flow_control() == FlowControl::Call && near_target(instruction) == Some(target)
        })
    }

    /// Indices of the instructions that fit.
    pub fn indices(&self, fits: impl Fn(&Instruction) -> bool) -> Vec<usize> {
        (0..self.instructions.len()).filter(|&index| fits(self.at(index))).collect()
    }

    /// Indices before `end`, last first, as far as execution can only have come straight down: over
    /// conditional jumps that were not taken, but not over a call, a return or a jump.
    pub fn straight_before(&self, end: usize) -> impl Iterator<Item = usize> + '_ {
        (0..end).rev().take_while(|&index| {
            matches!(self.at(index).flow_control(), FlowControl::Next | FlowControl::ConditionalBranch)
        })
    }

    /// Whether some jump of this function leads into the middle of the instruction.
    pub fn is_entered_inside(&self, index: usize) -> bool {
        let inside = self.at(index).ip() + 1..self.at(index).next_ip();
        self.instructions.iter().filter_map(near_target).any(|target| inside.contains(&target))
    }
}

/// Where a direct jump or call leads.
fn near_target(instruction: &Instruction) -> Option<u64> {
    (instruction.op_count() > 0 && instruction.op0_kind() == OpKind::NearBranch64)
        .then(|| instruction.near_branch_target())
}

/// A 32-bit store `mov [base + displacement], value`, without index or absolute address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Store {
    /// Register of the address.
    pub base: Register,
    /// Signed distance from it.
    pub displacement: i64,
    /// What is stored.
    pub value: Value,
}

/// What a [`Store`] stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A register, named by its 64-bit form.
    Register(Register),
    /// A constant.
    Constant(u32),
}

/// The store that an instruction is, if it is one.
pub fn store(instruction: &Instruction) -> Option<Store> {
    let value = match instruction.code() {
        Code::Mov_rm32_r32 if instruction.op0_kind() == OpKind::Memory => {
            Value::Register(instruction.op1_register().full_register())
        }
        Code::Mov_rm32_imm32 if instruction.op0_kind() == OpKind::Memory => Value::Constant(instruction.immediate32()),
        _ => return None,
    };
    let plain = instruction.memory_index() == Register::None
        && instruction.memory_base().is_gpr64()
        && instruction.segment_prefix() == Register::None;
    plain.then(|| Store {
        base: instruction.memory_base(),
        displacement: instruction.memory_displacement64() as i64,
        value,
    })
}

/// The register copied by `mov to, from`, both named by their 64-bit forms.
pub fn copied(instruction: &Instruction) -> Option<(Register, Register)> {
    let is_copy =
        matches!(instruction.code(), Code::Mov_r64_rm64 | Code::Mov_rm64_r64 | Code::Mov_r32_rm32 | Code::Mov_rm32_r32)
            && instruction.op0_kind() == OpKind::Register
            && instruction.op1_kind() == OpKind::Register;
    is_copy.then(|| (instruction.op0_register().full_register(), instruction.op1_register().full_register()))
}
