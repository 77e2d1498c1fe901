// SPDX-License-Identifier: GPL-2.0
//! A command streamer: its registers, its submission port, and the events it reports.
//!
//! [`runner::Runner`] executes; this file is what the rest of the device sees of an engine.

mod commands;
mod context;
mod cost;
mod fault;
mod id;
mod mmu;
mod port;
pub mod privilege;
pub mod regs;
mod runner;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::gpu::Gpu;
pub use fault::{EngineFault, FaultInjection};
pub use id::EngineId;
pub use mmu::{Mmu, Root};
pub use port::Descriptor;
use port::Port;
pub use runner::{Runner, Step};

/// How long a register write waits for an engine to give up its context. An engine looks after every command and
/// every few KiB of a blit, so this is far more than it takes; it bounds the wait if the machine is overloaded.
const RESET_PATIENCE: Duration = Duration::from_secs(2);
/// How long an engine that waits for memory to change sleeps between looks.
const SEMAPHORE_POLL: Duration = Duration::from_micros(100);

/// One command streamer.
pub struct Engine {
    /// Which one.
    pub id: EngineId,
    base: u32,
    port: Mutex<Port>,
    wake: Condvar,
    released: Condvar,
    /// Something in the port wants to be looked at by the runner.
    attention: AtomicBool,
    tlb_invalid: AtomicBool,
    /// What tests want to go wrong.
    pub faults: FaultInjection,
}

impl Engine {
    /// An idle engine.
    pub fn new(id: EngineId) -> Self {
        Self {
            id,
            base: id.base(),
            port: Mutex::default(),
            wake: Condvar::new(),
            released: Condvar::new(),
            attention: AtomicBool::new(false),
            tlb_invalid: AtomicBool::new(false),
            faults: FaultInjection::default(),
        }
    }

    /// Registers of this engine with side effects.
    pub fn claims(&self) -> impl Iterator<Item = u32> {
        let base = self.base;
        [
            regs::RING_MI_MODE,
            regs::RING_EIR,
            regs::RING_RESET_CTL,
            regs::RING_ELSP,
            regs::RING_EXECLIST_STATUS_LO,
            regs::RING_EXECLIST_STATUS_HI,
            regs::RING_CONTEXT_CONTROL,
            regs::RING_TIMESTAMP,
            regs::RING_TIMESTAMP_UDW,
            regs::RING_CONTEXT_STATUS_PTR,
        ]
        .into_iter()
        .map(move |register| base + register)
    }

    fn register(&self, gpu: &Gpu, register: u32) -> u32 {
        gpu.bar0.load(self.base + register)
    }

    fn set_register(&self, gpu: &Gpu, register: u32, value: u32) {
        gpu.bar0.store(self.base + register, value);
    }

    /// Reads a register; `offset` is one of [`Self::claims`].
    pub fn mmio_read(&self, gpu: &Gpu, offset: u32) -> u32 {
        match offset - self.base {
            regs::RING_TIMESTAMP => gpu.clock.timestamp() as u32,
            regs::RING_TIMESTAMP_UDW => (gpu.clock.timestamp() >> 32) as u32,
            regs::RING_EXECLIST_STATUS_LO => self.port.lock().status(),
            regs::RING_EXECLIST_STATUS_HI => self.port.lock().running().map_or(0, Descriptor::id),
            regs::RING_MI_MODE => {
                let port = self.port.lock();
                let idle = port.current.is_none() || port.stopped;
                self.register(gpu, regs::RING_MI_MODE) & !MODE_IDLE | if idle { MODE_IDLE } else { 0 }
            }
            register => self.register(gpu, register),
        }
    }

    /// Writes a register; `offset` is one of [`Self::claims`].
    pub fn mmio_write(&self, gpu: &Gpu, offset: u32, value: u32) {
        match offset - self.base {
            regs::RING_ELSP => {
                let mut port = self.port.lock();
                if port.write(value) {
                    self.notify();
                }
            }
            regs::RING_MI_MODE => {
                let state = gpu.bar0.modify(offset, value >> 16, value);
                self.port.lock().stopped = state & regs::STOP_RING != 0;
                self.notify();
            }
            regs::RING_EIR => self.set_register(gpu, regs::RING_EIR, self.register(gpu, regs::RING_EIR) & !value),
            regs::RING_RESET_CTL => {
                let request = gpu.bar0.modify(offset, value >> 16, value) & RESET_REQUEST;
                gpu.bar0.modify(offset, RESET_READY, if request != 0 { RESET_READY } else { 0 });
            }
            regs::RING_CONTEXT_CONTROL | regs::RING_CONTEXT_STATUS_PTR => {
                gpu.bar0.modify(offset, value >> 16, value);
            }
            _ => {}
        }
    }

    /// Makes the runner look at the port.
    fn notify(&self) {
        self.attention.store(true, Ordering::Release);
        self.wake.notify_all();
    }

    /// Lets the engine forget its cached translations before its next access.
    pub fn invalidate_tlb(&self) {
        self.tlb_invalid.store(true, Ordering::Release);
    }

    /// Whether the engine was told to forget since this was last asked.
    #[cfg(test)]
    pub fn takes_invalidation(&self) -> bool {
        self.tlb_invalid.swap(false, Ordering::AcqRel)
    }

    /// Whether the engine met something from which only a reset recovers.
    pub fn is_hung(&self) -> bool {
        self.port.lock().hung
    }

    /// Makes something go wrong.
    pub fn inject(&self, fault: EngineFault) {
        self.faults.inject(fault);
        self.notify();
    }

    /// Wakes the engine if it waits for memory to change.
    pub fn signal(&self) {
        self.wake.notify_all();
    }

    /// Stops whatever runs, without saving it, and forgets every submission. Returns when it has stopped; a command that
    /// resets its own engine is the last one of its context.
    pub fn reset(&self, gpu: &Gpu) {
        let mut port = self.port.lock();
        if port.driver.is_some() && (port.current.is_some() || port.pending.is_some()) {
            port.reset_requested = true;
            self.notify();
            let by_itself = port.driver == Some(thread::current().id());
            while !by_itself && port.reset_requested {
                if self.released.wait_for(&mut port, RESET_PATIENCE).timed_out() {
                    log::error!("{}: still busy {RESET_PATIENCE:?} after a reset request", self.id.name());
                    break;
                }
            }
        }
        port.clear();
        drop(port);
        self.invalidate_tlb();
        self.set_register(gpu, regs::RING_RESET_CTL, 0);
    }

    /// Sets the registers of the engine to what they are after a reset.
    pub fn set_reset_values(&self, gpu: &Gpu) {
        for register in [regs::RING_HEAD, regs::RING_TAIL, regs::RING_START, regs::RING_CTL, regs::RING_BBADDR] {
            self.set_register(gpu, register, 0);
        }
        self.set_register(gpu, regs::RING_IMR, u32::MAX);
        self.set_register(gpu, regs::RING_INSTDONE, u32::MAX);
        self.set_register(gpu, regs::RING_MI_MODE, MODE_IDLE);
        self.set_register(gpu, regs::RING_MODE, 0);
        self.set_register(gpu, regs::RING_CONTEXT_STATUS_PTR, CSB_POINTER_RESET);
        self.set_register(gpu, regs::RING_EIR, 0);
    }

    /// Reports engine events that the engine's own mask lets through.
    fn raise(&self, gpu: &Gpu, events: u32) {
        let (group, shift) = self.id.interrupt();
        let bits = (events << shift) & !self.register(gpu, regs::RING_IMR);
        if bits != 0 {
            gpu.irq.raise(group, bits);
        }
    }

    /// Executes submissions until [`Self::shut_down`]; the body of the engine's thread.
    pub fn run(&self, gpu: &Gpu) {
        let mut runner = Runner::new(gpu, self);
        self.port.lock().driver = Some(thread::current().id());
        loop {
            match runner.step(BATCH_OF_COMMANDS) {
                Step::Busy(Duration::ZERO) => {}
                Step::Busy(debt) => self.pause(debt, false),
                Step::Waiting => self.pause(SEMAPHORE_POLL, true),
                Step::Idle | Step::Hung => {
                    let mut port = self.port.lock();
                    if !port.shut_down && !self.attention.load(Ordering::Acquire) {
                        self.wake.wait(&mut port);
                    }
                }
            }
            let port = self.port.lock();
            if port.shut_down {
                break;
            }
        }
        self.port.lock().driver = None;
        self.released.notify_all();
    }

    /// Sleeps for a span of GPU time; cut short by attention, and where `for_signal` by [`Self::signal`].
    fn pause(&self, span: Duration, for_signal: bool) {
        let deadline = std::time::Instant::now() + span;
        let mut port = self.port.lock();
        while !port.shut_down && !self.attention.load(Ordering::Acquire) {
            if self.wake.wait_until(&mut port, deadline).timed_out() || for_signal {
                return;
            }
        }
    }

    /// Makes [`Self::run`] return.
    pub fn shut_down(&self) {
        self.port.lock().shut_down = true;
        self.notify();
    }
}

const RESET_REQUEST: u32 = 1 << 0;
const RESET_READY: u32 = 1 << 1;
const MODE_IDLE: u32 = regs::MODE_IDLE;
/// Both pointers as the hardware has them after a reset: the next entry written is number 0.
const CSB_POINTER_RESET: u32 = 7 << 8 | 7;
/// Commands between two looks at the clock.
const BATCH_OF_COMMANDS: usize = 512;
