// SPDX-License-Identifier: GPL-2.0
//! Commands that write memory.

use super::Command;
use crate::engine::{regs, runner::Runner};
use crate::gtt::{Fault, GpuMemory, Space};

const GGTT: u32 = 22;
const STORE_QWORD: u32 = 21;

/// MI_STORE_DATA_IMM.
pub fn store_data_imm(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    let Some(space) = runner.data_space(command.flag(GGTT), "MI_STORE_DATA_IMM") else { return Ok(()) };
    let address = command.address(1);
    if command.flag(STORE_QWORD) {
        return runner.mmu.store64(space, address & !7, command.qword(3));
    }
    for (index, value) in command.dwords().iter().skip(3).enumerate() {
        runner.mmu.store32(space, address.wrapping_add(4 * index as u64), *value)?;
    }
    Ok(())
}

/// MI_STORE_DATA_INDEX: into the hardware status page.
pub fn store_data_index(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    if !runner.is_privileged() {
        runner.drop_privileged("MI_STORE_DATA_INDEX");
        return Ok(());
    }
    let address = runner.status_page() + u64::from(command.dword(1) & 0xffc);
    runner.mmu.store32(Space::Ggtt, address, command.dword(2))?;
    if command.len() > 3 {
        runner.mmu.store32(Space::Ggtt, address + 4, command.dword(3))?;
    }
    Ok(())
}

/// MI_COPY_MEM_MEM: one dword.
pub fn copy(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    const SOURCE_GGTT: u32 = 22;
    const DESTINATION_GGTT: u32 = 21;
    let Some(from) = runner.data_space(command.flag(SOURCE_GGTT), "MI_COPY_MEM_MEM source") else { return Ok(()) };
    let Some(to) = runner.data_space(command.flag(DESTINATION_GGTT), "MI_COPY_MEM_MEM destination") else {
        return Ok(());
    };
    let value = runner.mmu.load32(from, command.address(3))?;
    runner.mmu.store32(to, command.address(1), value)
}

/// MI_UPDATE_GTT: writes entries of the global table.
pub fn update_gtt(runner: &mut Runner<'_>, command: &Command) {
    if !runner.is_privileged() {
        runner.drop_privileged("MI_UPDATE_GTT");
        return;
    }
    let first = u64::from(command.dword(1) >> 12);
    for (index, entry) in command.dwords().get(2..).unwrap_or_default().chunks_exact(2).enumerate() {
        let value = u64::from(entry[0]) | u64::from(entry[1]) << 32;
        runner.gpu.bar0.set_pte(first + index as u64, value);
    }
    runner.gpu.invalidate_ggtt();
}

/// MI_REPORT_PERF_COUNT: a report whose counters are all zero but for identity and time.
pub fn report_perf_count(runner: &mut Runner<'_>, command: &Command) -> Result<(), Fault> {
    const REPORT_SIZE: usize = 256;
    let global = command.dword(1) & 1 != 0;
    let Some(space) = runner.data_space(global, "MI_REPORT_PERF_COUNT") else { return Ok(()) };
    let mut report = [0; REPORT_SIZE];
    report[0..4].copy_from_slice(&command.dword(3).to_le_bytes());
    report[4..8].copy_from_slice(&(runner.gpu.clock.timestamp() as u32).to_le_bytes());
    report[8..12].copy_from_slice(&runner.context_id().to_le_bytes());
    runner.mmu.write(space, command.address(1) & !0x3f, &report)
}

impl Runner<'_> {
    /// Address of the hardware status page in the GGTT.
    pub(in crate::engine) fn status_page(&self) -> u64 {
        u64::from(self.register(regs::RING_HWS_PGA) & !0xfff)
    }
}
