// SPDX-License-Identifier: GPL-2.0
//! The device: its blocks, and which block answers for which register.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{ensure, Result};

use crate::audit::Auditor;
use crate::bar0::{Bar0, GSM_OFFSET, MMIO_SIZE};
use crate::clock::Clock;
use crate::display::Display;
use crate::engine::{Engine, EngineId};
use crate::gt::Gt;
use crate::irq::Interrupts;
use crate::masked;
use crate::memory::SystemMemory;
use crate::platform::Platform;
use crate::stats::Statistics;

/// What the caller chooses about a device.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which GPU it is.
    pub platform: &'static Platform,
    /// Size of the aperture (BAR2) in bytes: 256 MiB, 512 MiB or 1 GiB.
    pub aperture: u64,
    /// Size of the global address space in bytes: 2 GiB or 4 GiB.
    pub ggtt: u64,
    /// Whether there is a second video engine.
    pub vcs1: bool,
    /// GPU time per cost unit of the command table: 1.0 as the table says, 0.0 makes every command free.
    pub time_scale: f64,
    /// Whether an access to an unmapped address hangs the engine, as on hardware, or is only logged.
    pub hang_on_fault: bool,
}

impl Config {
    /// The usual device of a platform: 512 MiB of aperture and the largest GGTT.
    pub fn new(platform: &'static Platform) -> Self {
        Self { platform, aperture: 512 << 20, ggtt: 4 << 30, vcs1: false, time_scale: 1.0, hang_on_fault: true }
    }

    fn check(&self) -> Result<()> {
        ensure!(
            [256 << 20, 512 << 20, 1 << 30].contains(&self.aperture),
            "an aperture of {} MiB does not exist; choose 256M, 512M or 1G",
            self.aperture >> 20
        );
        ensure!(
            [2 << 30, 4 << 30].contains(&self.ggtt),
            "a GGTT of {} MiB does not exist; choose 2G or 4G",
            self.ggtt >> 20
        );
        ensure!(
            !self.vcs1 || self.platform.device_id_vcs1.is_some(),
            "{} has no part with two video engines",
            self.platform.title
        );
        Ok(())
    }

    /// The PCI device id of this device.
    pub fn device_id(&self) -> u16 {
        match self.platform.device_id_vcs1 {
            Some(id) if self.vcs1 => id,
            _ => self.platform.device_id,
        }
    }
}

/// Which block answers for a register.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Storage,
    Masked,
    Irq,
    Gt,
    Engine(u8),
    Display,
}

/// One emulated GPU.
///
/// Lock order: a block takes its own lock, and from under it only [`Interrupts`]' (a leaf). [`Gt`] holds no lock of its
/// own while it resets engines.
pub struct Gpu {
    /// What the device is.
    pub config: Config,
    /// Register and GGTT storage.
    pub bar0: Bar0,
    /// The machine's RAM.
    pub memory: SystemMemory,
    /// Interrupt tree.
    pub irq: Interrupts,
    /// Command streamers, in the order of [`EngineId::ALL`].
    pub engines: Vec<Engine>,
    /// Power, reset, fuses, mailbox.
    pub gt: Gt,
    /// Pipes, ports, clocks of the display.
    pub display: Display,
    /// Who touched which page.
    pub auditor: Auditor,
    /// Counters.
    pub stats: Statistics,
    /// GPU time.
    pub clock: Clock,
    /// Counts invalidations of GGTT translations; a cached one is good while this has the value at its fill.
    ggtt_epoch: AtomicU64,
    owners: Vec<Owner>,
}

impl Gpu {
    /// Creates a device in its power-on state. Engines do nothing until [`Engine::run`] is called for each on a thread.
    ///
    /// # Errors
    ///
    /// The configuration names something that does not exist, or there is no memory for BAR0.
    pub fn new(config: Config) -> Result<Self> {
        config.check()?;
        let engines: Vec<_> =
            EngineId::ALL.into_iter().filter(|id| *id != EngineId::Vcs1 || config.vcs1).map(Engine::new).collect();
        let display = Display::new(config.platform);
        let mut owners = vec![Owner::Storage; (MMIO_SIZE / 4) as usize];
        let mut claim = |offset: u32, owner: Owner| {
            if let Some(slot) = owners.get_mut((offset / 4) as usize) {
                *slot = owner;
            }
        };
        masked::registers(config.platform.gen).for_each(|offset| claim(offset, Owner::Masked));
        display.claims().for_each(|offset| claim(offset, Owner::Display));
        Interrupts::claims().for_each(|offset| claim(offset, Owner::Irq));
        Gt::claims(config.platform).for_each(|offset| claim(offset, Owner::Gt));
        for (index, engine) in engines.iter().enumerate() {
            engine.claims().for_each(|offset| claim(offset, Owner::Engine(index as u8)));
        }
        let gpu = Self {
            bar0: Bar0::new()?,
            memory: SystemMemory::default(),
            irq: Interrupts::default(),
            engines,
            gt: Gt::new(),
            display,
            auditor: Auditor::default(),
            stats: Statistics::new(),
            clock: Clock::new(config.platform.timestamp_hz),
            ggtt_epoch: AtomicU64::new(0),
            owners,
            config,
        };
        gpu.reset();
        Ok(gpu)
    }

    /// Returns to the power-on state: every engine idle, every register at its reset value. The GGTT stays.
    pub fn reset(&self) {
        for engine in &self.engines {
            engine.reset(self);
        }
        self.bar0.clear_registers();
        self.irq.reset();
        self.gt.reset(self);
        for engine in &self.engines {
            engine.set_reset_values(self);
        }
        self.display.reset(self);
        self.invalidate_ggtt();
    }

    /// The engine with this id, where the device has it.
    pub fn engine(&self, id: EngineId) -> Option<&Engine> {
        self.engines.iter().find(|engine| engine.id == id)
    }

    /// Drops every cached GGTT translation.
    pub fn invalidate_ggtt(&self) {
        self.ggtt_epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// Changes whenever cached GGTT translations must go.
    pub fn ggtt_epoch(&self) -> u64 {
        self.ggtt_epoch.load(Ordering::Acquire)
    }

    /// Reads the register at a dword-aligned offset, as the CPU or a command does.
    pub fn mmio_read(&self, offset: u32) -> u32 {
        match self.owner(offset) {
            Owner::Storage | Owner::Masked => self.bar0.load(offset),
            Owner::Irq => self.irq.read(offset),
            Owner::Gt => self.gt.read(self, offset),
            Owner::Engine(index) => {
                self.engines.get(usize::from(index)).map_or(0, |engine| engine.mmio_read(self, offset))
            }
            Owner::Display => self.display.read(self, offset),
        }
    }

    /// Writes the register at a dword-aligned offset, as the CPU or a command does.
    pub fn mmio_write(&self, offset: u32, value: u32) {
        match self.owner(offset) {
            Owner::Storage => self.bar0.store(offset, value),
            Owner::Masked => {
                self.bar0.modify(offset, value >> 16, value);
            }
            Owner::Irq => self.irq.write(offset, value),
            Owner::Gt => self.gt.write(self, offset, value),
            Owner::Engine(index) => {
                if let Some(engine) = self.engines.get(usize::from(index)) {
                    engine.mmio_write(self, offset, value);
                }
            }
            Owner::Display => self.display.write(self, offset, value),
        }
    }

    fn owner(&self, offset: u32) -> Owner {
        self.owners.get((offset / 4) as usize).copied().unwrap_or(Owner::Storage)
    }

    /// Whether writes to this register take effect only where the upper half has the same bit set.
    pub fn is_masked(&self, offset: u32) -> bool {
        masked::registers(self.config.platform.gen).any(|register| register == offset)
    }

    /// The page-aligned areas `(offset, size)` of BAR0 that the CPU may access without a trap.
    pub fn untrapped_areas(&self) -> Vec<(u64, u64)> {
        const PAGE: usize = 4096;
        let mut areas: Vec<(u64, u64)> = Vec::new();
        for (page, owners) in self.owners.chunks(PAGE / 4).enumerate() {
            if owners.iter().any(|owner| *owner != Owner::Storage) {
                continue;
            }
            let offset = (page * PAGE) as u64;
            match areas.last_mut() {
                Some((start, size)) if *start + *size == offset => *size += PAGE as u64,
                _ => areas.push((offset, PAGE as u64)),
            }
        }
        let rest = (u64::from(MMIO_SIZE), GSM_OFFSET - u64::from(MMIO_SIZE) + self.config.ggtt / 4096 * 8);
        match areas.last_mut() {
            Some((start, size)) if *start + *size == rest.0 => *size += rest.1,
            _ => areas.push(rest),
        }
        areas
    }
}
