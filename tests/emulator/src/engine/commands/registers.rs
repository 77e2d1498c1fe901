// SPDX-License-Identifier: GPL-2.0
//! Commands that move values between registers and memory.

use super::Command;
use crate::engine::{privilege, regs, runner::Runner};
use crate::gtt::Fault;

const GGTT: u32 = 22;
const PREDICATE_ENABLE: u32 = 21;
/// Bits of a register operand that are its offset.
const OFFSET: u32 = 0x7f_fffc;

/// MI_LOAD_REGISTER_IMM.
pub fn load_immediate(runner: &mut Runner<'_>, command: &Command) {
    for pair in command.dwords()[1..].chunks_exact(2) {
        runner.write_register(pair[0] & OFFSET, pair[1]);
    }
}

/// MI_LOAD_REGISTER_MEM.
pub fn load_memory(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    let Some(space) = runner.data_space(command.flag(GGTT), "MI_LOAD_REGISTER_MEM") else { return Ok(()) };
    let value = runner.mmu.load32(space, command.address(2))?;
    runner.write_register(command.dword(1) & OFFSET, value);
    Ok(())
}

/// MI_LOAD_REGISTER_REG.
pub fn load_register(runner: &mut Runner<'_>, command: &Command) {
    let value = runner.gpu.mmio_read(command.dword(1) & OFFSET);
    runner.write_register(command.dword(2) & OFFSET, value);
}

/// MI_STORE_REGISTER_MEM.
pub fn store_memory(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    if command.flag(PREDICATE_ENABLE) && runner.register(regs::MI_PREDICATE_RESULT) & 1 == 0 {
        return Ok(());
    }
    let Some(space) = runner.data_space(command.flag(GGTT), "MI_STORE_REGISTER_MEM") else { return Ok(()) };
    let value = runner.gpu.mmio_read(command.dword(1) & OFFSET);
    runner.mmu.store32(space, command.address(2), value)
}

impl Runner<'_> {
    /// Writes a register on behalf of the stream; one that a batch without privilege may not write stays as it is.
    pub(in crate::engine) fn write_register(&mut self, offset: u32, value: u32) {
        if !self.is_privileged() && !privilege::may_write(self.gpu, self.engine.id, offset) {
            self.gpu.auditor.dropped(self.mmu.client, "register write", u64::from(offset));
            return;
        }
        self.gpu.mmio_write(offset, value);
        let register = offset.wrapping_sub(self.engine.id.base());
        if (regs::RING_PDP0_LDW..regs::RING_PDP0_LDW + 32).contains(&register) {
            self.reload_root();
        }
    }
}
