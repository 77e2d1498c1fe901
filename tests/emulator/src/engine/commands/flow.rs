// SPDX-License-Identifier: GPL-2.0
//! Commands that steer the stream: batches and predication.

use super::semaphore::compare;
use super::{Command, Outcome};
use crate::engine::runner::{Batch, Runner};
use crate::engine::{context, regs, Root};
use crate::gtt::{Fault, Space};

const SECOND_LEVEL: u32 = 22;
const PREDICATED: u32 = 15;
const PPGTT: u32 = 8;

/// MI_BATCH_BUFFER_START.
pub fn batch_start(runner: &mut Runner<'_>, command: &Command) -> Outcome {
    if command.flag(PREDICATED) && runner.register(regs::MI_PREDICATE_RESULT) & 1 == 0 {
        runner.advance(command.len() as u32);
        return Outcome::Next;
    }
    // A batch without privilege cannot hand out more than it has.
    let space = if command.flag(PPGTT) || !runner.is_privileged() { Space::Ppgtt } else { Space::Ggtt };
    let batch = Batch { space, address: command.address(1) };
    let execution = &runner.execution;
    if execution.second.is_some() {
        runner.execution.second = Some(batch);
    } else if execution.first.is_some() && command.flag(SECOND_LEVEL) {
        runner.advance(command.len() as u32);
        runner.execution.second = Some(batch);
    } else if execution.first.is_some() {
        runner.execution.first = Some(batch);
    } else {
        runner.advance(command.len() as u32);
        runner.execution.first = Some(batch);
    }
    Outcome::Next
}

/// MI_BATCH_BUFFER_END: back to where the batch was started.
pub fn batch_end(runner: &mut Runner<'_>) -> Outcome {
    if runner.execution.second.take().is_none() && runner.execution.first.take().is_none() {
        runner.advance(1);
    }
    Outcome::Next
}

/// MI_CONDITIONAL_BATCH_BUFFER_END: ends the batch unless memory compares as asked.
pub fn conditional_end(runner: &mut Runner<'_>, command: &Command) -> Result<Outcome, Fault> {
    const GGTT: u32 = 22;
    const COMPARE: u32 = 21;
    if command.flag(COMPARE) {
        if let Some(space) = runner.data_space(command.flag(GGTT), "MI_CONDITIONAL_BATCH_BUFFER_END") {
            let memory = runner.mmu.load32(space, command.address(2))?;
            if !compare(command.header >> 12, memory, command.dword(1)) {
                return Ok(batch_end(runner));
            }
        }
    }
    runner.advance(command.len() as u32);
    Ok(Outcome::Next)
}

/// MI_SET_PREDICATE: from here on, skip or do not skip.
pub fn set_predicate(runner: &mut Runner<'_>, header: u32) {
    let result = runner.register(regs::MI_PREDICATE_RESULT_2) & 1 != 0;
    runner.execution.predicated = match header & 0xf {
        1 => !result,
        2 => result,
        0xf => true,
        _ => false,
    };
}

/// MI_PREDICATE: computes the predicate that later commands look at.
pub fn predicate(runner: &mut Runner<'_>, header: u32) {
    let base = runner.engine.id.base();
    let pair = |register: u32| runner.gpu.bar0.load_pair(base + register);
    let (first, second) = (pair(regs::MI_PREDICATE_SRC0), pair(regs::MI_PREDICATE_SRC1));
    let compared = match header & 3 {
        0 => true,
        1 => false,
        2 => first == second,
        _ => first.wrapping_sub(second) == pair(regs::MI_PREDICATE_DATA),
    };
    let old = runner.register(regs::MI_PREDICATE_RESULT) & 1 != 0;
    let combined = match (header >> 3) & 3 {
        0 => compared,
        1 => old && compared,
        2 => old || compared,
        _ => old != compared,
    };
    let loaded = match (header >> 6) & 3 {
        2 => combined,
        3 => !combined,
        _ => old,
    };
    runner.set_register(regs::MI_PREDICATE_RESULT, u32::from(loaded));
}

impl Runner<'_> {
    /// Whether commands come from the ring or from a batch in the GGTT.
    pub(in crate::engine) fn is_privileged(&self) -> bool {
        self.execution.second.or(self.execution.first).is_none_or(|batch| batch.space == Space::Ggtt)
    }

    /// Where a data access of a command goes; nothing if it asks for more than its batch may.
    pub(in crate::engine) fn data_space(&mut self, global: bool, command: &'static str) -> Option<Space> {
        if !global {
            return Some(Space::Ppgtt);
        }
        if self.is_privileged() {
            return Some(Space::Ggtt);
        }
        self.drop_privileged(command);
        None
    }

    /// Records that a command was ignored for want of privilege.
    pub(in crate::engine) fn drop_privileged(&self, command: &'static str) {
        let at = u64::from(self.register(regs::RING_ACTHD_UDW)) << 32 | u64::from(self.register(regs::RING_ACTHD));
        self.gpu.auditor.dropped(self.mmu.client, command, at);
    }

    /// Points the memory path at the tables that the PDP registers name now.
    pub(in crate::engine) fn reload_root(&mut self) {
        let root = self.loaded().map_or(Root::None, |context| context::root(self.gpu, self.engine.id.base(), context));
        self.mmu.set_root(root);
    }
}
