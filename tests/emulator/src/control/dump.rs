// SPDX-License-Identifier: GPL-2.0
//! State of the device as JSON.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{json, Value};

use crate::engine::regs;
use crate::gpu::Gpu;
use crate::irq::{GROUPS, MASTER_IRQ};
use crate::json::Hex;

/// Registers in one answer.
const REGISTERS_MAX: u32 = 16384;
/// Runs of GGTT entries in one answer.
const RUNS_MAX: usize = 4096;
const PAGE: u64 = 4096;
/// Present bit of a GGTT entry.
const PRESENT: u64 = 1;

/// Registers of an engine that tell what it does.
const ENGINE_REGISTERS: [(&str, u32); 19] = [
    ("start", regs::RING_START),
    ("head", regs::RING_HEAD),
    ("tail", regs::RING_TAIL),
    ("ctl", regs::RING_CTL),
    ("acthd", regs::RING_ACTHD),
    ("acthd_udw", regs::RING_ACTHD_UDW),
    ("ipehr", regs::RING_IPEHR),
    ("instdone", regs::RING_INSTDONE),
    ("mi_mode", regs::RING_MI_MODE),
    ("imr", regs::RING_IMR),
    ("eir", regs::RING_EIR),
    ("hws_pga", regs::RING_HWS_PGA),
    ("bbaddr", regs::RING_BBADDR),
    ("bbaddr_udw", regs::RING_BBADDR_UDW),
    ("bbstate", regs::RING_BBSTATE),
    ("execlist_status_lo", regs::RING_EXECLIST_STATUS_LO),
    ("execlist_status_hi", regs::RING_EXECLIST_STATUS_HI),
    ("context_status_ptr", regs::RING_CONTEXT_STATUS_PTR),
    ("reset_ctl", regs::RING_RESET_CTL),
];

/// Values of `count` registers from `first` on.
pub(super) fn registers(gpu: &Gpu, first: Hex, count: u32) -> Result<Value, String> {
    let first = first.narrow("the offset")?;
    if first % 4 != 0 {
        return Err(format!("offset {first:#x} is not that of a register; give a multiple of 4"));
    }
    if count > REGISTERS_MAX {
        return Err(format!("{count} registers are too many for one answer; ask for at most {REGISTERS_MAX}"));
    }
    let offsets = (0..count).map_while(|index| first.checked_add(4 * index));
    let values: BTreeMap<_, _> = offsets.map(|offset| (Hex::from(offset), Hex::from(gpu.mmio_read(offset)))).collect();
    Ok(json!(values))
}

/// What each engine does.
pub(super) fn engines(gpu: &Gpu) -> Value {
    let engine = |engine: &crate::engine::Engine| {
        let read = |register: u32| Hex::from(gpu.mmio_read(engine.id.base() + register));
        let registers: BTreeMap<_, _> = ENGINE_REGISTERS.iter().map(|(name, at)| (*name, read(*at))).collect();
        let state = json!({
            "active": gpu.mmio_read(engine.id.base() + regs::RING_EXECLIST_STATUS_LO) != 0,
            "hung": engine.is_hung(),
            "hang_armed": engine.faults.hang_is_armed(),
            "keeps_translations": engine.faults.keeps_translations(),
            "completion_delay_us": engine.faults.completion_delay().as_micros() as u64,
            "registers": registers,
        });
        (engine.id.name(), state)
    };
    json!(gpu.engines.iter().map(engine).collect::<BTreeMap<_, _>>())
}

/// The interrupt tree.
pub(super) fn interrupts(gpu: &Gpu) -> Value {
    let read = |offset: u32| Hex::from(gpu.irq.read(offset));
    let groups: BTreeMap<_, _> = GROUPS
        .iter()
        .map(|(group, base)| {
            let registers = json!({
                "isr": read(*base), "imr": read(base + 4), "iir": read(base + 8), "ier": read(base + 12),
            });
            (format!("{group:?}").to_lowercase(), registers)
        })
        .collect();
    let (sent, dropped) = gpu.irq.counts();
    json!({ "master": read(MASTER_IRQ), "sent": sent, "dropped": dropped, "groups": groups })
}

/// GGTT entries that follow each other and map neighbouring pages, or all the same page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Run {
    /// Number of the first entry.
    first: u64,
    count: u64,
    /// The first entry.
    entry: Hex,
    /// Difference from one entry to the next.
    step: u64,
}

impl Run {
    /// Takes in the next entry if it continues the run.
    fn extend(&mut self, index: u64, entry: u64) -> bool {
        if self.first + self.count != index {
            return false;
        }
        let difference = entry.wrapping_sub(self.entry.0);
        let continues = match self.count {
            1 => difference == 0 || difference == PAGE,
            _ => difference == self.step.wrapping_mul(self.count),
        };
        if continues {
            self.step = difference / self.count;
            self.count += 1;
        }
        continues
    }
}

/// Present GGTT entries among `count` from number `first` on.
pub(super) fn ggtt(gpu: &Gpu, first: u64, count: Option<u64>) -> Value {
    let end = gpu.config.ggtt / PAGE;
    let end = count.map_or(end, |count| first.saturating_add(count).min(end));
    let mut runs: Vec<Run> = Vec::new();
    for index in first..end {
        let entry = gpu.bar0.pte(index);
        if entry & PRESENT == 0 || runs.last_mut().is_some_and(|run| run.extend(index, entry)) {
            continue;
        }
        if runs.len() == RUNS_MAX {
            return json!({ "runs": runs, "next": index });
        }
        runs.push(Run { first: index, count: 1, entry: Hex(entry), step: 0 });
    }
    json!({ "runs": runs, "next": null })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Config;
    use crate::platform::Platform;

    fn gpu() -> Gpu {
        Gpu::new(Config::new(Platform::by_name("skl").unwrap())).unwrap()
    }

    #[test]
    fn ggtt_entries_come_in_runs() {
        let gpu = gpu();
        for index in 0..4 {
            gpu.bar0.set_pte(10 + index, (0x5000 + index * PAGE) | 1);
            gpu.bar0.set_pte(20 + index, 0x9001);
        }
        gpu.bar0.set_pte(24, 0x9003);
        gpu.bar0.set_pte((1 << 20) - 1, 0x7001);
        let run = |first: u64, count: u64, entry: &str, step: u64| json!({"first": first, "count": count, "entry": entry, "step": step});
        let last = run((1 << 20) - 1, 1, "0x7001", 0);
        let expected = [run(10, 4, "0x5001", PAGE), run(20, 4, "0x9001", 0), run(24, 1, "0x9003", 0), last];
        assert_eq!(ggtt(&gpu, 0, None), json!({"runs": expected, "next": null}));
        assert_eq!(ggtt(&gpu, 12, Some(2)), json!({"runs": [run(12, 2, "0x7001", PAGE)], "next": null}));
        assert_eq!(ggtt(&gpu, u64::MAX, Some(u64::MAX)), json!({"runs": [], "next": null}));
    }

    #[test]
    fn a_scattered_ggtt_comes_in_parts() {
        let gpu = gpu();
        for index in 0..RUNS_MAX as u64 + 5 {
            gpu.bar0.set_pte(index, (index * 0x10_0000) | 1);
        }
        let part = ggtt(&gpu, 0, None);
        assert_eq!(part["runs"].as_array().unwrap().len(), RUNS_MAX);
        let next = part["next"].as_u64().unwrap();
        assert_eq!(ggtt(&gpu, next, None)["runs"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn registers_have_limits() {
        let gpu = gpu();
        gpu.bar0.store(0x2358 - 0x358 + 0x80, 0xabc000);
        assert_eq!(registers(&gpu, Hex(0x2080), 1).unwrap(), json!({"0x2080": "0xabc000"}));
        assert!(registers(&gpu, Hex(0x2082), 1).unwrap_err().contains("multiple of 4"));
        assert!(registers(&gpu, Hex(0), u32::MAX).unwrap_err().contains("at most"));
        assert!(registers(&gpu, Hex(1 << 32), 1).is_err());
        assert_eq!(registers(&gpu, Hex(0xffff_fffc), 3).unwrap(), json!({"0xfffffffc": "0x0"}));
    }
}
