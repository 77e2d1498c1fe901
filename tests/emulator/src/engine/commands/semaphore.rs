// SPDX-License-Identifier: GPL-2.0
//! MI_SEMAPHORE_WAIT and MI_SEMAPHORE_SIGNAL.

use super::{Command, Outcome};
use crate::engine::{regs, runner::Runner};
use crate::gtt::Fault;

const GGTT: u32 = 22;

/// Whether `memory OP operand` holds, for the operation codes of waits and of MI_CONDITIONAL_BATCH_BUFFER_END.
pub fn compare(operation: u32, memory: u32, operand: u32) -> bool {
    match operation & 7 {
        0 => memory > operand,
        1 => memory >= operand,
        2 => memory < operand,
        3 => memory <= operand,
        4 => memory == operand,
        5 => memory != operand,
        _ => true,
    }
}

/// Waits until memory compares as asked.
pub fn wait(runner: &mut Runner<'_>, command: &Command) -> Result<Outcome, Fault> {
    let passed = match runner.data_space(command.flag(GGTT), "MI_SEMAPHORE_WAIT") {
        Some(space) => {
            let memory = runner.mmu.load32(space, command.address(2))?;
            compare(command.header >> 12, memory, command.dword(1))
        }
        None => true,
    };
    if passed {
        runner.execution.wait_reported = false;
        runner.advance(command.len() as u32);
        return Ok(Outcome::Next);
    }
    if !runner.execution.wait_reported {
        runner.execution.wait_reported = true;
        runner.raise(regs::GT_WAIT_SEMAPHORE);
    }
    Ok(Outcome::Wait)
}

/// Makes another engine look at what it waits for.
pub fn signal(runner: &mut Runner<'_>, command: &Command) {
    let target = (command.header >> 15) & 7;
    if let Some(engine) = runner.gpu.engines.iter().find(|engine| engine.id.hardware_id() == target) {
        engine.signal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons_are_unsigned_and_memory_comes_first() {
        let holds = |operation| (compare(operation, 2, 1), compare(operation, 1, 1), compare(operation, 0, u32::MAX));
        assert_eq!(holds(0), (true, false, false));
        assert_eq!(holds(1), (true, true, false));
        assert_eq!(holds(2), (false, false, true));
        assert_eq!(holds(3), (false, true, true));
        assert_eq!(holds(4), (false, true, false));
        assert_eq!(holds(5), (true, false, true));
    }
}
