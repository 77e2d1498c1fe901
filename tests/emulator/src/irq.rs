// SPDX-License-Identifier: GPL-2.0
//! The Gen8 interrupt tree: groups of ISR, IMR, IIR and IER under one master register, and one MSI.
//!
//! An event travels: source -> IMR of the group -> IIR (with one more event queued behind a set bit) -> IER -> master
//! bit -> MSI. The message is sent when the outcome of the whole tree goes from idle to active, as the hardware does.
//! Source: Broadwell PRM volume 2c, "Interrupt Control Registers"; i915 `i915_irq.c`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The master interrupt control register.
pub const MASTER_IRQ: u32 = 0x44200;
/// Interrupt delivery enable in [`MASTER_IRQ`].
pub const MASTER_IRQ_ENABLE: u32 = 1 << 31;

/// A group of interrupts that share ISR, IMR, IIR and IER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Render (bits 15:0) and blitter (bits 31:16) engines.
    Gt0,
    /// First (15:0) and second (31:16) video engine.
    Gt1,
    /// Power management (15:0) and GuC (31:16).
    Gt2,
    /// Video enhancement engine.
    Gt3,
    /// Display pipe A.
    PipeA,
    /// Display pipe B.
    PipeB,
    /// Display pipe C.
    PipeC,
    /// Display ports: AUX channels, hotplug of the CPU side.
    Port,
    /// Display miscellany: OpRegion events.
    Misc,
    /// Power control unit.
    Pcu,
    /// South display: hotplug, GMBUS, south AUX.
    Pch,
}

/// All groups with the offset of their ISR; IMR, IIR and IER follow at +4, +8 and +0xc.
pub const GROUPS: [(Group, u32); 11] = [
    (Group::Gt0, 0x44300),
    (Group::Gt1, 0x44310),
    (Group::Gt2, 0x44320),
    (Group::Gt3, 0x44330),
    (Group::PipeA, 0x44400),
    (Group::PipeB, 0x44410),
    (Group::PipeC, 0x44420),
    (Group::Port, 0x44440),
    (Group::Misc, 0x44460),
    (Group::Pcu, 0x444e0),
    (Group::Pch, 0xc4000),
];

impl Group {
    /// The bits of [`MASTER_IRQ`] that a pending set of interrupts of this group sets.
    fn master_bits(self, pending: u32) -> u32 {
        let halves = |low: u32, high: u32| {
            (if pending & 0xffff != 0 { 1 << low } else { 0 }) | (if pending >> 16 != 0 { 1 << high } else { 0 })
        };
        let whole = |bit: u32| if pending != 0 { 1 << bit } else { 0 };
        match self {
            Group::Gt0 => halves(0, 1),
            Group::Gt1 => halves(2, 3),
            Group::Gt2 => halves(4, 5),
            Group::Gt3 => whole(6),
            Group::PipeA => whole(16),
            Group::PipeB => whole(17),
            Group::PipeC => whole(18),
            Group::Port => whole(20),
            Group::Misc => whole(22),
            Group::Pch => whole(23),
            Group::Pcu => whole(30),
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Registers {
    isr: u32,
    imr: u32,
    iir: u32,
    /// Events that came while their IIR bit was set; they show once it is cleared.
    queued: u32,
    ier: u32,
}

/// What is to happen to interrupt messages, for tests of drivers that must survive lost ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsiFault {
    /// The next `n` messages vanish.
    Drop(u32),
    /// The next `n` messages arrive late.
    Delay(u32, Duration),
}

#[derive(Default)]
struct State {
    groups: [Registers; GROUPS.len()],
    enabled: bool,
    active: bool,
    trigger: Option<File>,
    fault: Option<MsiFault>,
    delayed: VecDeque<Instant>,
    messages: u64,
    dropped: u64,
}

/// The interrupt tree of one GPU.
#[derive(Default)]
pub struct Interrupts {
    state: Mutex<State>,
}

fn locate(offset: u32) -> Option<(usize, u32)> {
    GROUPS
        .iter()
        .position(|(_, base)| (*base..*base + 0x10).contains(&offset))
        .map(|index| (index, offset - GROUPS[index].1))
}

fn index_of(group: Group) -> usize {
    GROUPS.iter().position(|(known, _)| *known == group).unwrap_or(0)
}

impl State {
    fn master(&self) -> u32 {
        let enable = if self.enabled { MASTER_IRQ_ENABLE } else { 0 };
        GROUPS.iter().zip(&self.groups).fold(enable, |bits, ((group, _), r)| bits | group.master_bits(r.iir & r.ier))
    }

    /// Sends a message if the tree became active, after anything in it changed.
    fn settle(&mut self) {
        let active = self.enabled && self.master() & !MASTER_IRQ_ENABLE != 0;
        if active && !self.active {
            self.message();
        }
        self.active = active;
    }

    fn message(&mut self) {
        match &mut self.fault {
            Some(MsiFault::Drop(left)) if *left > 0 => {
                *left -= 1;
                self.dropped += 1;
                return;
            }
            Some(MsiFault::Delay(left, by)) if *left > 0 => {
                *left -= 1;
                self.delayed.push_back(Instant::now() + *by);
                return;
            }
            _ => self.fault = None,
        }
        self.send();
    }

    fn send(&mut self) {
        self.messages += 1;
        if let Some(trigger) = &mut self.trigger {
            if let Err(error) = trigger.write_all(&1u64.to_ne_bytes()) {
                log::error!("the MSI eventfd refused a message: {error}");
            }
        }
    }
}

impl Interrupts {
    /// Offsets that this block answers for.
    pub fn claims() -> impl Iterator<Item = u32> {
        let groups = GROUPS.iter().flat_map(|(_, base)| (0..4).map(move |i| base + 4 * i));
        std::iter::once(MASTER_IRQ).chain(groups)
    }

    /// All masked, nothing pending, as after power-on; the eventfd stays.
    pub fn reset(&self) {
        let mut state = self.state.lock();
        let trigger = state.trigger.take();
        *state = State { trigger, messages: state.messages, dropped: state.dropped, ..State::default() };
        for group in &mut state.groups {
            group.imr = u32::MAX;
        }
    }

    /// Reads a register; `offset` is one of [`Self::claims`].
    pub fn read(&self, offset: u32) -> u32 {
        let state = self.state.lock();
        if offset == MASTER_IRQ {
            return state.master();
        }
        locate(offset).map_or(0, |(index, register)| {
            let group = &state.groups[index];
            match register {
                0x0 => group.isr,
                0x4 => group.imr,
                0x8 => group.iir,
                _ => group.ier,
            }
        })
    }

    /// Writes a register; `offset` is one of [`Self::claims`].
    pub fn write(&self, offset: u32, value: u32) {
        let mut state = self.state.lock();
        if offset == MASTER_IRQ {
            state.enabled = value & MASTER_IRQ_ENABLE != 0;
        } else if let Some((index, register)) = locate(offset) {
            let group = &mut state.groups[index];
            match register {
                0x4 => group.imr = value,
                0x8 => {
                    let again = group.queued & value;
                    group.iir = (group.iir & !value) | again;
                    group.queued &= !again;
                }
                0xc => group.ier = value,
                _ => {}
            }
        }
        state.settle();
    }

    /// Reports an event: the unmasked `bits` become pending.
    pub fn raise(&self, group: Group, bits: u32) {
        let mut state = self.state.lock();
        let registers = &mut state.groups[index_of(group)];
        let bits = bits & !registers.imr;
        registers.queued |= registers.iir & bits;
        registers.iir |= bits;
        state.settle();
    }

    /// Sets the live level of `bits`; rising ones that are unmasked become pending.
    pub fn set_level(&self, group: Group, bits: u32, on: bool) {
        let mut state = self.state.lock();
        let registers = &mut state.groups[index_of(group)];
        if on {
            let rising = bits & !registers.isr & !registers.imr;
            registers.isr |= bits;
            registers.queued |= registers.iir & rising;
            registers.iir |= rising;
        } else {
            registers.isr &= !bits;
        }
        state.settle();
    }

    /// Sets or removes the eventfd through which messages go out.
    pub fn set_trigger(&self, trigger: Option<File>) {
        let mut state = self.state.lock();
        state.trigger = trigger;
        state.active = false;
        state.settle();
    }

    /// Arms a fault for the messages to come.
    pub fn set_fault(&self, fault: Option<MsiFault>) {
        self.state.lock().fault = fault;
    }

    /// Sends delayed messages that are due; returns when the next one is.
    pub fn send_delayed(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        while state.delayed.front().is_some_and(|due| *due <= now) {
            state.delayed.pop_front();
            state.send();
        }
        state.delayed.front().copied()
    }

    /// Whether messages are delayed, or the next one will be.
    pub fn is_delaying(&self) -> bool {
        let state = self.state.lock();
        matches!(state.fault, Some(MsiFault::Delay(left, _)) if left > 0) || !state.delayed.is_empty()
    }

    /// Messages sent and messages dropped by a fault, since the start.
    pub fn counts(&self) -> (u64, u64) {
        let state = self.state.lock();
        (state.messages, state.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enabled() -> Interrupts {
        let irq = Interrupts::default();
        irq.reset();
        irq.write(0x44304, !0x101);
        irq.write(0x4430c, 0x101);
        irq.write(MASTER_IRQ, MASTER_IRQ_ENABLE);
        irq
    }

    #[test]
    fn a_masked_event_leaves_no_trace() {
        let irq = enabled();
        irq.raise(Group::Gt0, 0x10);
        assert_eq!(irq.read(0x44308), 0);
        assert_eq!(irq.counts(), (0, 0));
    }

    #[test]
    fn one_message_per_edge() {
        let irq = enabled();
        irq.raise(Group::Gt0, 0x1);
        irq.raise(Group::Gt0, 0x100);
        assert_eq!(irq.counts().0, 1);
        assert_eq!(irq.read(MASTER_IRQ), MASTER_IRQ_ENABLE | 1);
        irq.write(MASTER_IRQ, 0);
        irq.write(0x44308, 0x1);
        irq.write(MASTER_IRQ, MASTER_IRQ_ENABLE);
        assert_eq!(irq.counts().0, 2, "the second event is still pending when delivery is enabled again");
    }

    #[test]
    fn an_event_behind_a_set_bit_shows_after_the_clear() {
        let irq = enabled();
        irq.raise(Group::Gt0, 0x100);
        irq.raise(Group::Gt0, 0x100);
        irq.write(0x44308, 0x100);
        assert_eq!(irq.read(0x44308), 0x100);
        irq.write(0x44308, 0x100);
        assert_eq!(irq.read(0x44308), 0);
    }

    #[test]
    fn levels_show_in_isr_and_rise_once() {
        let irq = enabled();
        irq.write(0xc4004, 0);
        irq.set_level(Group::Pch, 1 << 21, true);
        irq.set_level(Group::Pch, 1 << 21, true);
        assert_eq!(irq.read(0xc4000), 1 << 21);
        irq.write(0xc4008, 1 << 21);
        assert_eq!(irq.read(0xc4008), 0);
        irq.set_level(Group::Pch, 1 << 21, false);
        assert_eq!(irq.read(0xc4000), 0);
    }

    #[test]
    fn faults_drop_and_delay_messages() {
        let irq = enabled();
        irq.set_fault(Some(MsiFault::Drop(1)));
        irq.raise(Group::Gt0, 1);
        assert_eq!(irq.counts(), (0, 1));
        irq.write(0x44308, 1);
        irq.set_fault(Some(MsiFault::Delay(1, Duration::from_secs(1))));
        irq.raise(Group::Gt0, 1);
        assert_eq!(irq.counts().0, 0);
        assert!(irq.is_delaying());
        let due = irq.send_delayed(Instant::now()).unwrap();
        assert!(irq.is_delaying());
        assert_eq!(irq.send_delayed(due), None);
        assert!(!irq.is_delaying());
        assert_eq!(irq.counts().0, 1);
    }

    #[test]
    fn halves_of_gt_groups_have_their_own_master_bits() {
        assert_eq!(Group::Gt0.master_bits(0x0100_0000), 2);
        assert_eq!(Group::Gt1.master_bits(0x0100_0100), 0xc);
        assert_eq!(Group::Pch.master_bits(1), 1 << 23);
    }
}
