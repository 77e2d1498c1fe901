// SPDX-License-Identifier: GPL-2.0
//! The execution side of an engine: takes contexts from the port and runs their rings.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::audit::{Client, ContextTag};
use crate::blt::{self, BltError, BltState};
use crate::engine::commands::{self, Outcome, ScanLines};
use crate::engine::port::{event, Submission};
use crate::engine::{context, cost, regs, Descriptor, Engine, Mmu, Root};
use crate::gpu::Gpu;
use crate::gtt::{Fault, FaultKind, Space};

/// How far an engine may run ahead of the wall clock before it sleeps.
const LEAD: Duration = Duration::from_micros(300);
/// HWSP offset of the context status entries.
const HWSP_CSB: u64 = 0x40;
/// HWSP offset of the context status write pointer.
const HWSP_CSB_WRITE: u64 = 0x7c;
const CSB_ENTRIES: u32 = 6;
const HEAD_MASK: u32 = 0x001f_fffc;
const HEAD_WRAP: u32 = 0x0020_0000;
const TAIL_MASK: u32 = 0x001f_fff8;

/// What a call of [`Runner::step`] ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing to do.
    Idle,
    /// More to do, after this much GPU time has passed.
    Busy(Duration),
    /// A semaphore does not let the context pass yet.
    Waiting,
    /// Only a reset helps.
    Hung,
}

/// Where the next command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which tables translate its addresses.
    pub space: Space,
    /// Address of the next command.
    pub address: u64,
}

/// Execution state of the context that is loaded.
pub struct Execution {
    /// First-level batch, if the ring started one.
    pub first: Option<Batch>,
    /// Second-level batch, if the first-level batch called one.
    pub second: Option<Batch>,
    /// Whether the context may be preempted now.
    pub arbitration: bool,
    /// Commands are skipped until MI_SET_PREDICATE says otherwise.
    pub predicated: bool,
    /// The wait of the command at hand was reported already.
    pub wait_reported: bool,
    /// What MI_LOAD_SCAN_LINES said last.
    pub scan_lines: ScanLines,
    /// Frame counters of the pipes when the MI_WAIT_FOR_EVENT at hand was first met.
    pub frames: Option<[u32; 3]>,
}

impl Execution {
    fn new() -> Self {
        Self {
            first: None,
            second: None,
            arbitration: true,
            predicated: false,
            wait_reported: false,
            scan_lines: ScanLines::default(),
            frames: None,
        }
    }
}

/// Drives one engine.
pub struct Runner<'g> {
    pub(super) gpu: &'g Gpu,
    pub(super) engine: &'g Engine,
    pub(super) mmu: Mmu<'g>,
    pub(super) blt: BltState,
    loaded: Option<Descriptor>,
    pub(super) execution: Execution,
    hung: bool,
    /// GPU time up to which the engine has worked.
    worked_until: Instant,
    context_since: Instant,
    /// The context at hand stands still until then, by an injected fault.
    held_until: Option<Instant>,
}

impl<'g> Runner<'g> {
    /// A driver for `engine`, which must have no other.
    pub fn new(gpu: &'g Gpu, engine: &'g Engine) -> Self {
        let client = Client::Engine(engine.id, ContextTag::default());
        Self {
            gpu,
            engine,
            mmu: Mmu::new(gpu, client, &engine.tlb_invalid),
            blt: BltState::default(),
            loaded: None,
            execution: Execution::new(),
            hung: false,
            worked_until: Instant::now(),
            context_since: Instant::now(),
            held_until: None,
        }
    }

    pub(super) fn register(&self, register: u32) -> u32 {
        self.engine.register(self.gpu, register)
    }

    pub(super) fn set_register(&self, register: u32, value: u32) {
        self.engine.set_register(self.gpu, register, value);
    }

    /// Adds work to the engine's time.
    pub(super) fn spend(&mut self, time: Duration) {
        let time = time.mul_f64(self.gpu.config.time_scale);
        self.worked_until += time;
        self.gpu.stats.busy(self.engine.id, time);
    }

    /// Runs up to `commands` commands.
    pub fn step(&mut self, commands: usize) -> Step {
        if self.engine.attention.swap(false, Ordering::AcqRel) {
            self.look_at_port();
        }
        if self.hung {
            return Step::Hung;
        }
        if self.engine.port.lock().stopped {
            return Step::Idle;
        }
        if self.loaded.is_none() && !self.start() {
            return if self.hung { Step::Hung } else { Step::Idle };
        }
        if let Some(hold) = self.held_until.map(|until| until.saturating_duration_since(Instant::now())) {
            if !hold.is_zero() {
                return Step::Busy(hold);
            }
            self.held_until = None;
        }
        for _ in 0..commands {
            if self.engine.attention.load(Ordering::Relaxed) {
                return Step::Busy(Duration::ZERO);
            }
            if self.at_end_of_ring() {
                return self.finish_element();
            }
            if self.engine.faults.take_hang() {
                log::info!("{}: hangs by request", self.engine.id.name());
                return self.hang();
            }
            match self.execute_next() {
                Ok(Outcome::Next) => {}
                Ok(Outcome::Wait) => {
                    // A wait lets a better context in.
                    if self.execution.arbitration && self.has_pending() {
                        self.preempt();
                        return Step::Busy(Duration::ZERO);
                    }
                    return Step::Waiting;
                }
                Ok(Outcome::Hang) => return self.hang(),
                Err(fault) => {
                    if self.take_fault(&fault) {
                        return self.hang();
                    }
                }
            }
        }
        Step::Busy(self.lead().filter(|lead| *lead > LEAD).unwrap_or(Duration::ZERO))
    }

    /// By how much the engine is ahead of the wall clock.
    fn lead(&self) -> Option<Duration> {
        self.worked_until.checked_duration_since(Instant::now())
    }

    /// Makes the next step look at the port, where a submission may have waited for its opportunity.
    pub(super) fn look_again(&self) {
        if self.has_pending() {
            self.engine.attention.store(true, Ordering::Release);
        }
    }

    fn has_pending(&self) -> bool {
        self.engine.port.lock().pending.is_some()
    }

    /// Carries out what the port asks for: a reset, or a change of context.
    fn look_at_port(&mut self) {
        let mut port = self.engine.port.lock();
        if port.reset_requested {
            port.reset_requested = false;
            port.clear();
            drop(port);
            self.loaded = None;
            self.hung = false;
            self.mmu.set_root(Root::None);
            // A command that reset its own engine moved the head once more.
            self.engine.set_reset_values(self.gpu);
            self.worked_until = Instant::now();
            self.engine.released.notify_all();
            return;
        }
        let stopped = port.stopped;
        drop(port);
        if !self.hung && !stopped && self.loaded.is_some() && self.execution.arbitration {
            self.preempt();
        }
    }

    /// Gives way to a pending submission, if there is one.
    fn preempt(&mut self) {
        let Some(running) = self.loaded else { return };
        let Some(next) = self.engine.port.lock().pending.take() else { return };
        if next.first.lrca() == running.lrca() && !next.first.force_restore() {
            self.set_current(next, false);
            if let Err(fault) = context::reload_tail(self.gpu, self.engine.id, &mut self.mmu, running) {
                self.give_up(&fault);
            }
            self.report(event::PREEMPTED | event::LITE_RESTORE, running.id());
            return;
        }
        self.unload(running);
        self.report(event::PREEMPTED, running.id());
        if !next.first.is_valid() {
            // An empty submission takes the context away and puts nothing in its place.
            self.engine.port.lock().current = None;
            return;
        }
        self.set_current(next, false);
        self.enter(next.first);
    }

    fn set_current(&self, submission: Submission, on_second: bool) {
        let mut port = self.engine.port.lock();
        port.current = Some(submission);
        port.on_second = on_second;
    }

    /// Takes a submission on an idle engine. False if there is nothing to run.
    fn start(&mut self) -> bool {
        let Some(next) = self.engine.port.lock().pending.take() else { return false };
        if !next.first.is_valid() {
            log::debug!("{}: submission without a valid first context", self.engine.id.name());
            return false;
        }
        self.worked_until = self.worked_until.max(Instant::now());
        self.set_current(next, false);
        self.report(event::IDLE_TO_ACTIVE, 0);
        self.enter(next.first);
        self.loaded.is_some() && !self.hung
    }

    /// Loads a context and runs its workaround batches.
    fn enter(&mut self, descriptor: Descriptor) {
        self.mmu.client = Client::Engine(self.engine.id, descriptor.tag());
        self.execution = Execution::new();
        self.loaded = Some(descriptor);
        self.gpu.stats.context(self.engine.id);
        self.spend(cost::CONTEXT_SWITCH);
        self.context_since = Instant::now();
        let delay = self.engine.faults.completion_delay();
        self.held_until = (!delay.is_zero()).then(|| self.context_since + delay);
        if let Err(fault) = context::load(self.gpu, self.engine.id, &mut self.mmu, descriptor) {
            self.give_up(&fault);
            return;
        }
        let indirect = self.register(regs::RING_INDIRECT_CTX);
        let size = u64::from(indirect & 0x3f) * 64;
        if size != 0 {
            self.run_workarounds(u64::from(indirect & !0x3f), Some(size));
        }
        let per_context = self.register(regs::RING_BB_PER_CTX_PTR);
        if per_context & 1 != 0 {
            self.run_workarounds(u64::from(per_context & !0xfff), None);
        }
        // The batch that was left comes last: what ran before it must not disturb where it was.
        let (first, second) = (
            self.resumed(regs::RING_BBADDR, regs::RING_BBADDR_UDW, regs::RING_BBSTATE),
            self.resumed(regs::RING_SBBADDR, regs::RING_SBBADDR_UDW, regs::RING_SBBSTATE),
        );
        self.execution.first = (self.register(regs::RING_BBADDR) & 1 != 0).then_some(first);
        self.execution.second = (self.register(regs::RING_SBBSTATE) & 1 != 0).then_some(second);
    }

    /// The batch that three registers describe.
    fn resumed(&self, low: u32, high: u32, state: u32) -> Batch {
        let space = if self.register(state) & BB_PPGTT != 0 { Space::Ppgtt } else { Space::Ggtt };
        Batch { space, address: u64::from(self.register(high)) << 32 | u64::from(self.register(low) & !3) }
    }

    /// Runs a privileged batch in the GGTT to its end: MI_BATCH_BUFFER_END, or `size` bytes.
    fn run_workarounds(&mut self, address: u64, size: Option<u64>) {
        const COMMANDS_AT_MOST: usize = 4096;
        self.execution.first = Some(Batch { space: Space::Ggtt, address });
        for _ in 0..COMMANDS_AT_MOST {
            let Some(batch) = self.execution.first else { return };
            if size.is_some_and(|size| batch.address.wrapping_sub(address) >= size) {
                break;
            }
            match self.execute_next() {
                Ok(Outcome::Next) => {}
                Ok(Outcome::Wait | Outcome::Hang) => {
                    self.hang();
                    return;
                }
                Err(fault) => {
                    if self.take_fault(&fault) {
                        self.hang();
                        return;
                    }
                }
            }
        }
        self.execution.first = None;
        self.execution.second = None;
    }

    /// Saves the context that runs.
    fn unload(&mut self, descriptor: Descriptor) {
        let (first, second) = (self.execution.first, self.execution.second);
        let place = |batch: Option<Batch>, low: u32, high: u32, state: u32, valid: u32| {
            let address = batch.map_or(0, |b| b.address);
            let ppgtt = if batch.is_none_or(|b| b.space == Space::Ppgtt) { BB_PPGTT } else { 0 };
            let (in_address, in_state) = if batch.is_some() { (valid & 1, valid >> 1) } else { (0, 0) };
            self.set_register(low, address as u32 | in_address);
            self.set_register(high, (address >> 32) as u32);
            self.set_register(state, ppgtt | in_state);
        };
        place(first, regs::RING_BBADDR, regs::RING_BBADDR_UDW, regs::RING_BBSTATE, 0b01);
        place(second, regs::RING_SBBADDR, regs::RING_SBBADDR_UDW, regs::RING_SBBSTATE, 0b10);
        let ran = self.gpu.clock.ticks(self.context_since.elapsed()) as u32;
        self.set_register(regs::RING_CTX_TIMESTAMP, self.register(regs::RING_CTX_TIMESTAMP).wrapping_add(ran));
        if let Err(fault) = context::save(self.gpu, self.engine.id, &mut self.mmu, descriptor) {
            self.give_up(&fault);
        }
        self.gpu.auditor.switch_out(self.mmu.client);
        self.gpu.auditor.switch_out(self.mmu.client);
        self.spend(cost::CONTEXT_SWITCH);
        self.loaded = None;
        self.mmu.set_root(Root::None);
    }

    fn at_end_of_ring(&self) -> bool {
        let (head, tail) = (self.register(regs::RING_HEAD), self.register(regs::RING_TAIL));
        self.execution.first.is_none() && head & HEAD_MASK == tail & TAIL_MASK
    }

    /// Ends the context whose ring is empty, once its time is over.
    fn finish_element(&mut self) -> Step {
        if let Some(lead) = self.lead() {
            return Step::Busy(lead);
        }
        let Some(running) = self.loaded else { return Step::Idle };
        let (current, on_second) = {
            let port = self.engine.port.lock();
            (port.current, port.on_second)
        };
        self.unload(running);
        if self.hung {
            return Step::Hung;
        }
        match current {
            Some(submission) if !on_second && submission.second.is_valid() => {
                self.set_current(submission, true);
                self.report(event::COMPLETE | event::ELEMENT_SWITCH, running.id());
                self.enter(submission.second);
                self.look_again();
            }
            _ => {
                self.engine.port.lock().current = None;
                self.report(event::COMPLETE | event::ACTIVE_TO_IDLE, running.id());
            }
        }
        if self.hung {
            Step::Hung
        } else {
            Step::Busy(Duration::ZERO)
        }
    }

    /// Writes a context status entry to the registers and the status page, and raises the interrupt.
    fn report(&mut self, events: u32, id: u32) {
        let pointer = self.register(regs::RING_CONTEXT_STATUS_PTR);
        let slot = match pointer & 7 {
            last if last + 1 < CSB_ENTRIES => last + 1,
            _ => 0,
        };
        let entry = self.engine.base + regs::RING_CONTEXT_STATUS_BUF + 8 * slot;
        self.gpu.bar0.store(entry, events);
        self.gpu.bar0.store(entry + 4, id);
        let page = u64::from(self.register(regs::RING_HWS_PGA) & !0xfff);
        let written = self
            .mmu
            .store64(Space::Ggtt, page + HWSP_CSB + 8 * u64::from(slot), u64::from(id) << 32 | u64::from(events))
            .and_then(|()| self.mmu.store32(Space::Ggtt, page + HWSP_CSB_WRITE, slot));
        if let Err(fault) = written {
            self.give_up(&fault);
        }
        self.set_register(regs::RING_CONTEXT_STATUS_PTR, (pointer & !7) | slot);
        log::trace!("{}: status {slot}: {events:#x} id {id:#x}", self.engine.id.name());
        self.engine.raise(self.gpu, regs::GT_CONTEXT_SWITCH);
    }

    /// The context that runs.
    pub(super) fn loaded(&self) -> Option<Descriptor> {
        self.loaded
    }

    /// The id that software gave to the context that runs.
    pub(super) fn context_id(&self) -> u32 {
        self.loaded.map_or(0, Descriptor::id)
    }

    /// Reports engine events.
    pub(super) fn raise(&self, events: u32) {
        self.engine.raise(self.gpu, events);
    }

    /// MI_USER_INTERRUPT.
    pub(super) fn user_interrupt(&self) {
        self.raise(regs::GT_USER_INTERRUPT);
    }

    /// MI_REPORT_HEAD: the head goes to its place in the status page.
    pub(super) fn report_head(&mut self) -> Result<(), Fault> {
        const HWSP_HEAD: u64 = 0x10;
        let head = self.register(regs::RING_HEAD);
        let at = self.status_page() + HWSP_HEAD;
        self.mmu.store32(Space::Ggtt, at, head)
    }

    /// Executes a 2D command; the number of bytes it moved.
    pub(super) fn blit(&mut self, command: &[u32], tiling: u32) -> Result<u64, BltError> {
        let engine = self.engine;
        let interrupted = || engine.port.lock().reset_requested;
        let cost = blt::execute(&mut self.mmu, Space::Ppgtt, command, tiling, &mut self.blt, &interrupted)?;
        Ok(cost.read + cost.written)
    }

    /// Address of the next command, and the batch level that it comes from.
    fn next_address(&self) -> (Space, u64) {
        if let Some(batch) = self.execution.second.or(self.execution.first) {
            return (batch.space, batch.address);
        }
        let start = u64::from(self.register(regs::RING_START) & !0xfff);
        (Space::Ggtt, start + u64::from(self.register(regs::RING_HEAD) & HEAD_MASK))
    }

    /// Moves past a command of `dwords` dwords.
    pub(super) fn advance(&mut self, dwords: u32) {
        let bytes = u64::from(dwords) * 4;
        if let Some(batch) = self.execution.second.as_mut().or(self.execution.first.as_mut()) {
            batch.address = batch.address.wrapping_add(bytes);
            return;
        }
        let size = (self.register(regs::RING_CTL) & 0x001f_f000) + 0x1000;
        let head = self.register(regs::RING_HEAD);
        let moved = (head & HEAD_MASK) + bytes as u32;
        let wraps = if moved >= size { HEAD_WRAP } else { 0 };
        self.set_register(regs::RING_HEAD, (head & !0x001f_ffff).wrapping_add(wraps) | (moved % size));
    }

    fn execute_next(&mut self) -> Result<Outcome, Fault> {
        let (space, address) = self.next_address();
        self.set_register(regs::RING_ACTHD, address as u32);
        self.set_register(regs::RING_ACTHD_UDW, (address >> 32) as u32);
        let header = match self.mmu.load32(space, address) {
            Ok(header) => header,
            Err(fault) => {
                // There is no command to skip, whatever the option says.
                self.take_fault(&fault);
                return Ok(Outcome::Hang);
            }
        };
        self.set_register(regs::RING_IPEHR, header);
        self.spend(cost::COMMAND);
        commands::execute(self, space, address, header)
    }

    /// Logs a fault and sets the fault registers. True if the engine hangs on it.
    fn take_fault(&mut self, fault: &Fault) -> bool {
        self.gpu.auditor.fault(self.mmu.client, fault);
        if fault.kind == FaultKind::ReadOnly {
            // Gen8 and Gen9 drop such writes.
            self.skip_faulting();
            return false;
        }
        let source = match fault.space {
            Space::Ggtt => FAULT_GGTT,
            Space::Ppgtt => 0,
        };
        self.gpu.bar0.store(FAULT_REG, FAULT_VALID | source | self.engine.id.hardware_id() << 12);
        let page = fault.address >> 12;
        self.gpu.bar0.store(FAULT_TLB_DATA0, page as u32);
        let global = if fault.space == Space::Ggtt { 1 << 4 } else { 0 };
        self.gpu.bar0.store(FAULT_TLB_DATA1, (page >> 32) as u32 & 0xf | global);
        if !self.gpu.config.hang_on_fault {
            self.skip_faulting();
        }
        self.gpu.config.hang_on_fault
    }

    /// Moves past the command whose access failed, as if the access had not been asked for.
    fn skip_faulting(&mut self) {
        let header = self.register(regs::RING_IPEHR);
        let length = commands::length(self.engine.id, header).unwrap_or(1);
        self.advance(length);
    }

    /// A fault outside of any command: in a context image or the status page.
    fn give_up(&mut self, fault: &Fault) {
        self.gpu.auditor.fault(self.mmu.client, fault);
        self.hang();
    }

    fn hang(&mut self) -> Step {
        log::warn!(
            "{}: hung at {:#x}{:08x}, command {:#010x}",
            self.engine.id.name(),
            self.register(regs::RING_ACTHD_UDW),
            self.register(regs::RING_ACTHD),
            self.register(regs::RING_IPEHR)
        );
        self.hung = true;
        self.engine.port.lock().hung = true;
        self.set_register(regs::RING_INSTDONE, !1);
        Step::Hung
    }
}

const BB_PPGTT: u32 = 1 << 5;
const FAULT_REG: u32 = 0x4094;
const FAULT_VALID: u32 = 1 << 0;
const FAULT_GGTT: u32 = 1 << 11;
const FAULT_TLB_DATA0: u32 = 0x4b10;
const FAULT_TLB_DATA1: u32 = 0x4b14;
