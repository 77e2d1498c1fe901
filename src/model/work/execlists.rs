// SPDX-License-Identifier: GPL-2.0

//! The execution lists of an engine as the guest sees them (gvt-spec 7.1, 7.2): what it submits, and
//! what it is told of it. A state machine without a clock and without the hardware.

use crate::ppgtt::Addressing;

/// What the guest says of a context (PRM Broadwell volume 7, "Context Descriptor Format").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor(u64);

const VALID: u64 = 1 << 0;
const PRIVILEGE: u64 = 1 << 8;

impl Descriptor {
    /// The one with these bits.
    pub const fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// Whether there is a context.
    pub const fn is_valid(self) -> bool {
        self.0 & VALID != 0
    }

    /// Whether the context has page tables of its own.
    pub const fn has_ppgtt(self) -> bool {
        self.0 & PRIVILEGE != 0
    }

    /// How it addresses memory; `None` for what only later GPUs can.
    pub const fn addressing(self) -> Option<Addressing> {
        match self.0 >> 3 & 3 {
            1 => Some(Addressing::Legacy32),
            3 => Some(Addressing::Legacy48),
            _ => None,
        }
    }

    /// Where in graphics memory its image is.
    pub const fn lrca(self) -> u32 {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d]) & 0xffff_f000
    }

    /// The number that the guest has given it.
    pub const fn id(self) -> u32 {
        let [_, _, _, _, a, b, c, d] = self.0.to_le_bytes();
        u32::from_le_bytes([a, b, c, d])
    }

    /// Whether both are of the same context.
    pub const fn is_same(self, other: Self) -> bool {
        self.lrca() == other.lrca() && self.id() == other.id()
    }
}

/// An entry of the context status buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// What happened.
    pub events: u32,
    /// The number of the context to which.
    pub id: u32,
    /// Whether the guest is interrupted for it.
    pub interrupts: bool,
}

const IDLE_TO_ACTIVE: u32 = 1 << 0;
const ELEMENT_SWITCH: u32 = 1 << 2;
const ACTIVE_TO_IDLE: u32 = 1 << 3;
const COMPLETE: u32 = 1 << 4;

/// One or two contexts to run in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct List {
    contexts: [Descriptor; 2],
    /// Which of the two places of the hardware it is in.
    second_place: bool,
    /// The first context is through.
    on_second: bool,
}

impl List {
    fn running(&self) -> Descriptor {
        let [first, second] = self.contexts;
        if self.on_second {
            second
        } else {
            first
        }
    }

    /// Whether the context that runs is the last one.
    fn on_last(&self) -> bool {
        let [_, second] = self.contexts;
        self.on_second || !second.is_valid()
    }
}

/// The execution lists of an engine.
#[derive(Default)]
pub struct Execlists {
    written: [u32; 3],
    count: usize,
    running: Option<List>,
    pending: Option<List>,
}

/// There are two lists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueFull;

impl Execlists {
    /// A word is written to the submission port. The fourth one makes a submission: the contexts in the
    /// order in which they run.
    pub fn write(&mut self, value: u32) -> Option<[Descriptor; 2]> {
        if let Some(place) = self.written.get_mut(self.count) {
            *place = value;
            self.count = self.count.saturating_add(1);
            return None;
        }
        self.count = 0;
        let [second_high, second_low, first_high] = self.written;
        let join = |high: u32, low: u32| Descriptor(u64::from(high) << 32 | u64::from(low));
        Some([join(first_high, value), join(second_high, second_low)])
    }

    /// Whether there is room for another list.
    pub fn has_room(&self) -> bool {
        self.pending.is_none()
    }

    /// A submission is taken, and begins if nothing runs: what the guest is told.
    ///
    /// Hardware goes at once from a context to the same one with more in its ring, and tells so. Here
    /// that waits as well: i915 keeps what comes in the meantime and submits it as one, which saves an
    /// interrupt, a scan and a launch for each.
    ///
    /// # Errors
    ///
    /// [`QueueFull`].
    pub fn submit(&mut self, contexts: [Descriptor; 2]) -> Result<Option<Status>, QueueFull> {
        if self.pending.is_some() {
            return Err(QueueFull);
        }
        let list = List {
            contexts,
            second_place: self.running.is_some_and(|running| !running.second_place),
            on_second: false,
        };
        if self.running.is_some() {
            self.pending = Some(list);
            return Ok(None);
        }
        self.running = Some(list);
        Ok(Some(Status {
            events: IDLE_TO_ACTIVE,
            id: 0,
            interrupts: true,
        }))
    }

    /// The context that runs has nothing more to do: what the guest is told.
    pub fn complete(&mut self) -> [Option<Status>; 2] {
        let Some(running) = self.running.as_mut() else {
            return [None; 2];
        };
        let id = running.running().id();
        if !running.on_last() {
            running.on_second = true;
            let status = Status {
                events: COMPLETE | ELEMENT_SWITCH,
                id,
                interrupts: true,
            };
            return [Some(status), None];
        }
        self.running = self.pending.take();
        let next = self.running.map(|_| Status {
            events: IDLE_TO_ACTIVE,
            id: 0,
            interrupts: true,
        });
        let status = Status {
            events: COMPLETE | ACTIVE_TO_IDLE,
            id,
            interrupts: next.is_none(),
        };
        [Some(status), next]
    }

    /// The two words of `RING_EXECLIST_STATUS`.
    pub fn status(&self) -> [u32; 2] {
        const SECOND_CURRENT: u32 = 1 << 0;
        const SECOND_NEXT: u32 = 1 << 1;
        const FULL: u32 = 1 << 2;
        const SECOND: u32 = 1 << 3 | 1 << 17;
        const FIRST: u32 = 1 << 4 | 1 << 18;
        let full = if self.pending.is_some() { FULL } else { 0 };
        match self.running {
            None => [full, 0],
            Some(list) if list.second_place => {
                [full | SECOND | SECOND_CURRENT, list.running().id()]
            }
            Some(list) => [full | FIRST | SECOND_NEXT, list.running().id()],
        }
    }

    /// As after a reset of the engine.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}
