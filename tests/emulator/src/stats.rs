// SPDX-License-Identifier: GPL-2.0
//! Counters of everything that tests and benchmarks ask about.
//!
//! [`Snapshot`] is what they get to see, as JSON:
//!
//! ```json
//! {
//!   "mmio": {"reads": {"total": 3, "registers": {"0x44200": 3}}, "writes": {"total": 0, "registers": {}}},
//!   "engines": {"rcs0": {"busy_ms": 1.25, "contexts": 4, "commands": {"total": 9, "opcodes": {"MI_NOOP": 9}}}},
//!   "interrupts": {"sent": 2, "dropped": 0},
//!   "audit": {"faults": 0, "dropped": 0, "violations": 0, "clients": {}}
//! }
//! ```
//!
//! Registers and opcodes that were not met are left out. A command without a known name shows as the upper half of its
//! header. Only trapped register accesses of the CPU are counted, not those to pages that QEMU maps and not those of
//! commands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde::Serialize;

use crate::audit;
use crate::bar0::MMIO_SIZE;
use crate::engine::EngineId;
use crate::gpu::Gpu;
use crate::json::Hex;
use crate::opcodes;

/// Counts per engine.
#[derive(Default)]
struct EngineCounters {
    /// Commands by [`opcodes::key`].
    commands: Vec<AtomicU64>,
    /// Simulated busy time in nanoseconds.
    busy: AtomicU64,
    /// Contexts loaded.
    contexts: AtomicU64,
}

/// All counters of a device.
pub struct Statistics {
    reads: Vec<AtomicU32>,
    writes: Vec<AtomicU32>,
    engines: Vec<EngineCounters>,
    /// What the interrupt tree had counted at the last reset of the counters: it counts from its start.
    interrupts_before: Mutex<InterruptCounts>,
}

/// Trapped accesses in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RegisterCounts {
    /// Accesses of all registers.
    pub total: u64,
    /// Accesses by offset in BAR0.
    pub registers: BTreeMap<Hex, u32>,
}

/// Trapped accesses of the CPU to registers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MmioCounts {
    /// Loads.
    pub reads: RegisterCounts,
    /// Stores.
    pub writes: RegisterCounts,
}

/// Commands that an engine parsed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CommandCounts {
    /// All of them.
    pub total: u64,
    /// By name.
    pub opcodes: BTreeMap<String, u64>,
}

/// What an engine did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EngineSnapshot {
    /// Simulated busy time in milliseconds.
    pub busy_ms: f64,
    /// Contexts loaded.
    pub contexts: u64,
    /// Commands parsed.
    pub commands: CommandCounts,
}

/// Interrupt messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InterruptCounts {
    /// Those that went out.
    pub sent: u64,
    /// Those that an armed fault swallowed.
    pub dropped: u64,
}

/// All counters at one moment, more or less: nothing is stopped while they are read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Trapped register accesses.
    pub mmio: MmioCounts,
    /// By name of the engine.
    pub engines: BTreeMap<&'static str, EngineSnapshot>,
    /// Interrupt messages.
    pub interrupts: InterruptCounts,
    /// Faults and violations.
    pub audit: audit::Counts,
}

impl InterruptCounts {
    fn of(gpu: &Gpu) -> Self {
        let (sent, dropped) = gpu.irq.counts();
        Self { sent, dropped }
    }

    fn since(self, before: Self) -> Self {
        let Self { sent, dropped } = self;
        Self { sent: sent.saturating_sub(before.sent), dropped: dropped.saturating_sub(before.dropped) }
    }
}

impl Statistics {
    /// All zero.
    pub fn new() -> Self {
        let zeros = || (0..MMIO_SIZE / 4).map(|_| AtomicU32::new(0)).collect();
        let engine = || EngineCounters {
            commands: (0..=u16::MAX).map(|_| AtomicU64::new(0)).collect(),
            ..EngineCounters::default()
        };
        Self {
            reads: zeros(),
            writes: zeros(),
            engines: EngineId::ALL.iter().map(|_| engine()).collect(),
            interrupts_before: Mutex::default(),
        }
    }

    /// Counts a trapped register access of the CPU.
    pub fn mmio(&self, offset: u32, write: bool) {
        let table = if write { &self.writes } else { &self.reads };
        if let Some(count) = table.get((offset / 4) as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a command that an engine parsed.
    pub fn command(&self, engine: EngineId, header: u32) {
        let counters = self.engines.get(engine as usize);
        if let Some(count) = counters.and_then(|e| e.commands.get(usize::from(opcodes::key(header)))) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds simulated busy time of an engine.
    pub fn busy(&self, engine: EngineId, time: Duration) {
        if let Some(counters) = self.engines.get(engine as usize) {
            counters.busy.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// Counts a context that an engine loaded.
    pub fn context(&self, engine: EngineId) {
        if let Some(counters) = self.engines.get(engine as usize) {
            counters.contexts.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counters of a device, whose member this is.
    pub fn snapshot(&self, gpu: &Gpu) -> Snapshot {
        let before = *self.interrupts_before.lock();
        let engine = |id: EngineId| self.engines.get(id as usize).map(|c| (id.name(), c.snapshot(id)));
        Snapshot {
            mmio: MmioCounts { reads: registers(&self.reads), writes: registers(&self.writes) },
            engines: gpu.engines.iter().filter_map(|e| engine(e.id)).collect(),
            interrupts: InterruptCounts::of(gpu).since(before),
            audit: gpu.auditor.counts(),
        }
    }

    /// Sets all counters to 0, those of interrupts and of the auditor included.
    pub fn reset(&self, gpu: &Gpu) {
        self.reads.iter().chain(&self.writes).for_each(|count| count.store(0, Ordering::Relaxed));
        for engine in &self.engines {
            let single = [&engine.busy, &engine.contexts];
            engine.commands.iter().chain(single).for_each(|count| count.store(0, Ordering::Relaxed));
        }
        *self.interrupts_before.lock() = InterruptCounts::of(gpu);
        gpu.auditor.reset_counts();
    }
}

impl Default for Statistics {
    fn default() -> Self {
        Self::new()
    }
}

fn registers(counters: &[AtomicU32]) -> RegisterCounts {
    let loaded = counters.iter().map(|count| count.load(Ordering::Relaxed));
    let registers: BTreeMap<_, _> =
        (0u32..).step_by(4).map(Hex::from).zip(loaded).filter(|(_, count)| *count != 0).collect();
    RegisterCounts { total: registers.values().copied().map(u64::from).sum(), registers }
}

impl EngineCounters {
    fn snapshot(&self, id: EngineId) -> EngineSnapshot {
        let mut commands = CommandCounts::default();
        for (key, count) in (0..=u16::MAX).zip(&self.commands) {
            let count = count.load(Ordering::Relaxed);
            if count != 0 {
                let name = opcodes::name(id, key).map_or_else(|| format!("{key:#06x}"), str::to_owned);
                commands.total += count;
                *commands.opcodes.entry(name).or_default() += count;
            }
        }
        EngineSnapshot {
            busy_ms: self.busy.load(Ordering::Relaxed) as f64 / 1e6,
            contexts: self.contexts.load(Ordering::Relaxed),
            commands,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::audit::Client;
    use crate::gpu::Config;
    use crate::gtt::{Fault, FaultKind, Space};
    use crate::irq::{Group, MASTER_IRQ, MASTER_IRQ_ENABLE};
    use crate::platform::Platform;

    fn empty() -> serde_json::Value {
        let idle = json!({"busy_ms": 0.0, "contexts": 0, "commands": {"total": 0, "opcodes": {}}});
        json!({
            "mmio": {"reads": {"total": 0, "registers": {}}, "writes": {"total": 0, "registers": {}}},
            "engines": {"rcs0": idle, "bcs0": idle, "vcs0": idle, "vecs0": idle},
            "interrupts": {"sent": 0, "dropped": 0},
            "audit": {"faults": 0, "dropped": 0, "violations": 0, "clients": {}},
        })
    }

    #[test]
    fn a_snapshot_shows_what_was_counted_and_a_reset_removes_it() {
        let gpu = Gpu::new(Config::new(Platform::by_name("skl").unwrap())).unwrap();
        let snapshot = || serde_json::to_value(gpu.stats.snapshot(&gpu)).unwrap();
        gpu.stats.reset(&gpu);
        assert_eq!(snapshot(), empty());

        gpu.stats.mmio(0x2030, true);
        gpu.stats.mmio(0x4_4200, false);
        gpu.stats.mmio(0x4_4200, false);
        gpu.stats.mmio(MMIO_SIZE, false);
        for header in [0, 0, 0x1100_0001, 0x7a00_0004, 0x7dee_0000] {
            gpu.stats.command(EngineId::Rcs, header);
        }
        gpu.stats.busy(EngineId::Rcs, Duration::from_micros(1250));
        gpu.stats.context(EngineId::Rcs);
        gpu.irq.write(0x4_4304, 0);
        gpu.irq.write(0x4_430c, 1);
        gpu.irq.write(MASTER_IRQ, MASTER_IRQ_ENABLE);
        gpu.irq.raise(Group::Gt0, 1);
        let fault = Fault { space: Space::Ggtt, address: 0, write: false, kind: FaultKind::NotPresent(0) };
        gpu.auditor.fault(Client::Pipe(0), &fault);

        let mut expected = empty();
        expected["mmio"]["reads"] = json!({"total": 2, "registers": {"0x44200": 2}});
        expected["mmio"]["writes"] = json!({"total": 1, "registers": {"0x2030": 1}});
        expected["engines"]["rcs0"] = json!({"busy_ms": 1.25, "contexts": 1, "commands": {"total": 5, "opcodes":
            {"MI_NOOP": 2, "MI_LOAD_REGISTER_IMM": 1, "PIPE_CONTROL": 1, "0x7dee": 1}}});
        expected["interrupts"]["sent"] = json!(1);
        let one = json!({"faults": 1, "dropped": 0, "violations": 0});
        expected["audit"] = json!({"faults": 1, "dropped": 0, "violations": 0, "clients": {"pipe-a": one}});
        assert_eq!(snapshot(), expected);

        gpu.stats.reset(&gpu);
        assert_eq!(snapshot(), empty());
    }
}
