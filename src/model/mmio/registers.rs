// SPDX-License-Identifier: GPL-2.0

//! All registers of a vGPU, and how an access becomes one of whole registers.

use core::ops::Range;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use super::{
    accesses::Accesses,
    file::VregFile,
    handlers::{
        self,
        fence,
        Sideband,
        Write, //
    },
    map::RegisterMap,
    pvinfo::{
        self,
        PvInfo, //
    },
    row::{
        Handler,
        Row, //
    },
};
use crate::{
    addr::GmRange,
    counters::{
        count,
        Counters, //
    },
    display::state::Display,
    effect::{
        Effects,
        Failsafe,
        Note,
        Refusal, //
    },
    engine::{
        EngineId,
        Engines, //
    },
    interrupt::{
        Event,
        Interrupts, //
    },
    vgpu::{
        Host,
        Setup, //
    },
};

/// What a write to a register makes happen beyond the registers.
#[derive(Default)]
pub(super) struct Requests {
    /// Whether there is anything: most writes do not ask for anything.
    pub(super) any: bool,
    /// A word for the submission port of an engine.
    pub(super) port: Option<(EngineId, u32)>,
    pub(super) notification: Option<pvinfo::Notification>,
    /// Engines that are reset.
    pub(super) reset: Engines,
    /// Pages of 64 KiB may have been turned on or off.
    pub(super) page_sizes: bool,
}

/// The registers of a vGPU.
pub(crate) struct Registers {
    pub(crate) file: VregFile,
    pub(super) interrupts: Interrupts,
    pub(super) sideband: Sideband,
    pub(super) display: KBox<Display>,
    /// The mappable part of graphics memory and the other one.
    pub(crate) low: GmRange,
    pub(crate) high: GmRange,
    pub(super) fences: u32,
    /// The guest has looked at PVINFO.
    pub(super) knows_vgpus: bool,
    identity: PvInfo,
    failsafe: Option<Failsafe>,
    pub(crate) counters: Counters,
    pub(super) requests: Requests,
    /// Since when somebody wants to know.
    pub(super) accesses: Option<Accesses>,
    /// The first register that is not modelled was told of.
    noted: bool,
}

impl Registers {
    /// The registers after a reset.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if a number does not fit into PVINFO.
    #[inline(never)]
    pub(super) fn new(setup: &Setup<'_>) -> Result<KBox<Self>> {
        let registers = Self {
            file: VregFile::new()?,
            interrupts: Interrupts::default(),
            sideband: Sideband::default(),
            display: Display::new(setup.resolution)?,
            low: setup.low,
            high: setup.high,
            fences: setup.fences,
            knows_vgpus: false,
            identity: PvInfo::new(setup.id, setup.low, setup.high, setup.fences)?,
            failsafe: None,
            counters: Counters::default(),
            requests: Requests::default(),
            accesses: None,
            noted: false,
        };
        let mut registers = KBox::new(registers, GFP_KERNEL)?;
        registers.fill(setup.registers);
        Ok(registers)
    }

    /// Back to the state after [`Registers::new`]; the counters go on.
    pub(super) fn reset(&mut self, map: &RegisterMap) {
        self.file.clear();
        self.interrupts.reset();
        self.sideband = Sideband::default();
        self.display.reset();
        self.knows_vgpus = false;
        self.failsafe = None;
        self.noted = false;
        self.requests = Requests::default();
        self.fill(map);
    }

    fn fill(&mut self, map: &RegisterMap) {
        for (offset, value) in map.starts() {
            self.file.set(*offset, *value);
        }
        self.preset(map, 0..u32::MAX);
        self.identity.fill(&mut self.file);
    }

    /// Puts a range of registers back to how it is after a reset.
    pub(super) fn restart(&mut self, range: Range<u32>, map: &RegisterMap) {
        self.file.clear_range(range.clone());
        let starts = map.starts();
        let first = starts.partition_point(|(offset, _)| *offset < range.start);
        let inside = starts.iter().skip(first);
        for (offset, value) in inside.take_while(|(offset, _)| *offset < range.end) {
            self.file.set(*offset, *value);
        }
        self.preset(map, range);
    }

    /// What was counted since the vGPU was made.
    pub(super) fn counters(&self) -> Counters {
        Counters {
            messages: self.interrupts.messages(),
            ..self.counters
        }
    }

    /// Why the vGPU fails safe, if it does.
    pub(super) fn failsafe(&self) -> Option<Failsafe> {
        self.failsafe
    }

    /// Makes all registers plain memory until the next reset.
    pub(super) fn fail_safe(&mut self, reason: Failsafe, effects: &mut Effects) {
        if self.failsafe.is_none() {
            self.failsafe = Some(reason);
            effects.note(Note::Failsafe(reason));
        }
    }

    /// Reads 1, 2, 4 or 8 bytes that lie inside, at a multiple of the width.
    pub(super) fn read(&mut self, offset: u32, data: &mut [u8], host: &mut Host<'_>) {
        if let Ok(whole) = <&mut [u8; 4]>::try_from(&mut *data) {
            *whole = self.read_register(offset, host).to_le_bytes();
            return;
        }
        let start = offset & !3;
        let skip = usize::from_safe_cast(offset & 3);
        let mut bytes = [0; 8];
        let (low, high) = bytes.split_at_mut(4);
        low.copy_from_slice(&self.read_register(start, host).to_le_bytes());
        if data.len() == 8 {
            high.copy_from_slice(&self.read_register(start | 4, host).to_le_bytes());
        }
        for (to, from) in data.iter_mut().zip(bytes.iter().skip(skip)) {
            *to = *from;
        }
    }

    #[inline]
    fn read_register(&mut self, offset: u32, host: &mut Host<'_>) -> u32 {
        self.count_read(offset);
        if self.failsafe.is_some() {
            return self.file.get(offset);
        }
        match host.registers.find(offset) {
            Some(row) if matches!(row.handler, Handler::Plain) => self.file.get(offset),
            Some(row) => handlers::read(row.handler, self, offset, host),
            None => {
                self.untracked(offset, host.effects);
                self.file.get(offset)
            }
        }
    }

    /// Writes 1, 2, 4 or 8 bytes that lie inside, at a multiple of the width.
    pub(super) fn write(&mut self, offset: u32, data: &[u8], host: &mut Host<'_>) {
        if let Ok(whole) = <[u8; 4]>::try_from(data) {
            self.write_register(offset, u32::from_le_bytes(whole), u32::MAX, host);
        } else {
            self.write_parts(offset, data, host);
        }
    }

    /// Writes a part of a register, or two registers.
    #[inline(never)]
    fn write_parts(&mut self, offset: u32, data: &[u8], host: &mut Host<'_>) {
        let mut value = [0; 8];
        let mut lanes = [0; 8];
        let start = offset & !3;
        let skip = usize::from_safe_cast(offset & 3);
        let places = value.iter_mut().zip(lanes.iter_mut()).skip(skip);
        for ((value, lane), byte) in places.zip(data) {
            (*value, *lane) = (*byte, 0xff);
        }
        let whole = u64::from_le_bytes(value);
        if data.len() == 8 && fence::is_fence(start) && self.failsafe.is_none() {
            // The one register of 8 bytes: its halves mean nothing alone.
            self.count_write(start);
            self.count_write(start | 4);
            if let Err(reason) = self.write_fence(start, whole, host) {
                self.refuse(start, whole, reason, host.effects);
            }
            return;
        }
        let [low, high] = halves(whole);
        let [low_lanes, high_lanes] = halves(u64::from_le_bytes(lanes));
        self.write_register(start, low, low_lanes, host);
        if data.len() == 8 {
            self.write_register(start | 4, high, high_lanes, host);
        }
    }

    #[inline]
    fn count_read(&mut self, offset: u32) {
        count(&mut self.counters.reads);
        if let Some(accesses) = &mut self.accesses {
            accesses.read(offset);
        }
    }

    #[inline]
    fn count_write(&mut self, offset: u32) {
        count(&mut self.counters.writes);
        if let Some(accesses) = &mut self.accesses {
            accesses.write(offset);
        }
    }

    /// Writes the bits in `lanes` of the register at `offset`.
    // A call more on the way of nearly all writes could be seen in what they cost.
    #[inline(always)]
    fn write_register(&mut self, offset: u32, written: u32, lanes: u32, host: &mut Host<'_>) {
        self.count_write(offset);
        let old = self.file.get(offset);
        let merged = (old & !lanes) | (written & lanes);
        if self.failsafe.is_some() {
            self.file.set(offset, merged);
            return;
        }
        let Some(row) = host.registers.find(offset) else {
            self.untracked(offset, host.effects);
            self.file.set(offset, merged);
            return;
        };
        let write = Write {
            offset,
            old,
            value: row.accept(old, written, lanes),
        };
        if let Handler::Plain = row.handler {
            self.file.set(offset, write.value);
        } else {
            self.write_handled(row, &write, written, host);
        }
    }

    #[inline(never)]
    fn write_handled(&mut self, row: &Row, write: &Write, written: u32, host: &mut Host<'_>) {
        let offset = write.offset;
        match handlers::write(row.handler, self, write, host) {
            Ok(accepted) => self.store(row, offset, accepted, host.effects),
            Err(reason) => self.refuse(offset, written.into(), reason, host.effects),
        }
    }

    fn store(&mut self, row: &Row, offset: u32, accepted: u32, effects: &mut Effects) {
        self.file.set(offset, accepted);
        match row.handler {
            Handler::InterruptIdentity | Handler::Interrupts => {
                self.interrupts.update(&mut self.file, effects);
            }
            Handler::Pvinfo if pvinfo::is_notification(offset) => {
                count(&mut self.counters.notifications);
                self.requests.notification = pvinfo::Notification::of(accepted);
                self.requests.any |= self.requests.notification.is_some();
            }
            Handler::GamwEco => {
                self.requests.page_sizes = true;
                self.requests.any = true;
            }
            _ => {}
        }
    }

    /// Something happened on the GPU that a guest may want to be interrupted for.
    pub(crate) fn raise(&mut self, event: Event, map: &RegisterMap, effects: &mut Effects) {
        if self.failsafe.is_none() {
            self.interrupts
                .raise(event, map.platform(), &mut self.file, effects);
        }
    }

    /// Whether message signalled interrupts can be sent.
    pub(super) fn gate_msi(&mut self, open: bool, effects: &mut Effects) {
        self.interrupts.gate(open);
        if self.failsafe.is_none() {
            self.interrupts.update(&mut self.file, effects);
        }
    }

    #[cold]
    fn untracked(&mut self, offset: u32, effects: &mut Effects) {
        count(&mut self.counters.untracked);
        if !self.noted {
            self.noted = true;
            effects.note(Note::Untracked { offset });
        }
    }

    pub(super) fn refuse(
        &mut self,
        offset: u32,
        value: u64,
        reason: Refusal,
        effects: &mut Effects,
    ) {
        self.counters.refuse(reason);
        effects.note(Note::Refused {
            offset,
            value,
            reason,
        });
    }
}

/// The low and the high half.
fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}
