// SPDX-License-Identifier: GPL-2.0
//! Counters of everything that tests and benchmarks ask about.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::bar0::MMIO_SIZE;
use crate::engine::EngineId;

/// Counts per engine.
#[derive(Default)]
pub struct EngineCounters {
    /// Commands by [`Statistics::opcode`].
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
}

impl Statistics {
    /// All zero.
    pub fn new() -> Self {
        let zeros = || (0..MMIO_SIZE / 4).map(|_| AtomicU32::new(0)).collect();
        let engine = || EngineCounters {
            commands: (0..=u16::MAX).map(|_| AtomicU64::new(0)).collect(),
            ..EngineCounters::default()
        };
        Self { reads: zeros(), writes: zeros(), engines: EngineId::ALL.iter().map(|_| engine()).collect() }
    }

    /// Counts a trapped register access of the CPU.
    pub fn mmio(&self, offset: u32, write: bool) {
        let table = if write { &self.writes } else { &self.reads };
        if let Some(count) = table.get((offset / 4) as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The bits of a command header that say which command it is: client and opcode of MI and 2D commands, the whole
    /// upper half of others.
    pub fn opcode(header: u32) -> u16 {
        let bits = (header >> 16) as u16;
        match header >> 29 {
            0 => bits & 0xff80,
            2 => bits & 0xffc0,
            _ => bits,
        }
    }

    /// Counts a command that an engine parsed.
    pub fn command(&self, engine: EngineId, header: u32) {
        let counters = self.engines.get(engine as usize);
        if let Some(count) = counters.and_then(|e| e.commands.get(usize::from(Self::opcode(header)))) {
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
}

impl Default for Statistics {
    fn default() -> Self {
        Self::new()
    }
}
