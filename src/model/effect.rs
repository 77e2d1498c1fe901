// SPDX-License-Identifier: GPL-2.0

//! What an access makes happen outside of the model.

use core::fmt;

use crate::{
    cmd::Flaw,
    engine::{
        EngineId,
        Engines, //
    },
    interrupt::Event, //
};

/// What the driver has to do for a vGPU, once it has let go of the vGPU's lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Whether there is anything: most accesses do not make anything happen.
    any: bool,
    inject_msi: bool,
    retime: bool,
    kicks: Engines,
    cancels: Engines,
    notes: [Option<Note>; NOTES],
    raised: [Option<Raised>; EVENTS],
}

/// The most that one access can tell: two registers of 4 bytes, and that the vGPU fails safe.
const NOTES: usize = 3;

/// The most that can happen at once: on each of three pipes a blank and two flips.
const EVENTS: usize = 9;

/// An event that the guest is told of, and its bit in the registers of its group.
pub type Raised = (Event, u8);

impl Effects {
    /// Nothing to do.
    pub const fn new() -> Self {
        Self {
            any: false,
            inject_msi: false,
            retime: false,
            kicks: Engines::NONE,
            cancels: Engines::NONE,
            notes: [None; NOTES],
            raised: [None; EVENTS],
        }
    }

    /// Whether there is nothing to do.
    pub const fn is_empty(&self) -> bool {
        !self.any
    }

    /// What there is to do; nothing is left.
    pub fn take(&mut self) -> Self {
        core::mem::take(self)
    }

    /// Whether to inject the message signalled interrupt, once.
    pub const fn injects_msi(&self) -> bool {
        self.inject_msi
    }

    /// Whether the time has changed at which the display wants to run, as
    /// [`Vgpu::next_blank`](crate::vgpu::Vgpu::next_blank) tells it.
    pub const fn retimes(&self) -> bool {
        self.retime
    }

    /// The engines that the guest has new work for.
    pub const fn kicks(&self) -> Engines {
        self.kicks
    }

    /// The engines on which what the GPU has of this guest is to be ended.
    pub const fn cancels(&self) -> Engines {
        self.cancels
    }

    /// What to tell the administrator. This must be rate limited: a guest can cause as many as it
    /// likes.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter().flatten()
    }

    /// The events that the guest is told of.
    pub fn raised(&self) -> impl Iterator<Item = &Raised> {
        self.raised.iter().flatten()
    }

    pub(crate) fn inject_msi(&mut self) {
        self.any = true;
        self.inject_msi = true;
    }

    pub(crate) fn retime(&mut self) {
        self.any = true;
        self.retime = true;
    }

    pub(crate) fn kick(&mut self, engine: EngineId) {
        self.any = true;
        self.kicks = self.kicks.with(engine);
    }

    pub(crate) fn cancel(&mut self, engine: EngineId) {
        self.any = true;
        self.cancels = self.cancels.with(engine);
    }

    pub(crate) fn raise(&mut self, event: Event, bit: u8) {
        self.any = true;
        if let Some(free) = self.raised.iter_mut().find(|slot| slot.is_none()) {
            *free = Some((event, bit));
        }
    }

    pub(crate) fn note(&mut self, note: Note) {
        self.any = true;
        if let Some(free) = self.notes.iter_mut().find(|slot| slot.is_none()) {
            *free = Some(note);
        }
    }
}

/// Something about a guest that is worth a line in the log; print it with `{}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The guest uses a register that is not modelled; told of the first one after a reset.
    Untracked {
        /// Its offset in BAR0.
        offset: u32,
    },
    /// The guest wrote a value that the register does not take; it keeps what it had.
    Refused {
        /// Its offset in BAR0.
        offset: u32,
        /// What was to be written; of a fence, all 8 bytes.
        value: u64,
        /// Why not.
        reason: Refusal,
    },
    /// Work of the guest's is not done; to the guest it looks as if the engine hangs.
    Hang {
        /// The engine.
        engine: EngineId,
        /// Why it is not done.
        flaw: Flaw,
    },
    /// All registers are plain memory until the next reset of the device.
    Failsafe(Failsafe),
}

/// Why a register does not take a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The address is not that of a page in the vGPU's graphics memory.
    NotOwnMemory,
    /// The vGPU has fewer fences.
    NoSuchFence,
    /// User batches must not get at this register.
    NotForUsers,
    /// 64 KiB pages can be on for all page tables or for none.
    MixedPageSizes,
    /// Tiled resources are translated with physical addresses.
    PhysicalAddresses,
    /// Execution lists are not enabled on the engine.
    NotEnabled,
    /// It is no submission that an engine could take: there is no first context, or one has no page
    /// tables of its own.
    NoContext,
    /// The engine has as many submissions as it takes.
    QueueFull,
}

/// Why a vGPU fails safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failsafe {
    /// The guest's driver does not know that it is on a vGPU, or uses what a vGPU does not have.
    UnsupportedGuest,
    /// The guest's driver says that its part of the GPU is too small.
    InsufficientResources,
}

impl Note {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untracked { offset } => write!(
                out,
                "the guest uses register {offset:#x}, which is not modelled and just keeps its value"
            ),
            Self::Refused {
                offset,
                value,
                reason,
            } => write!(
                out,
                "register {offset:#x} does not take {value:#x}: {}",
                reason.why()
            ),
            Self::Hang { engine, flaw } => {
                let engine = engine.name();
                write!(out, "{engine} does no more until the guest resets it: {flaw}")
            }
            Self::Failsafe(reason) => {
                write!(out, "out of order until it is reset: {}", reason.why())
            }
        }
    }
}

impl Refusal {
    const fn why(self) -> &'static str {
        match self {
            Self::NotOwnMemory => "not in the graphics memory of the vGPU",
            Self::NoSuchFence => "the vGPU has fewer fences",
            Self::NotForUsers => "user batches must not get at that register",
            Self::MixedPageSizes => "64 KiB pages are for all page tables or for none",
            Self::PhysicalAddresses => "tiled resources need virtual addresses",
            Self::NotEnabled => "execution lists are not enabled on this engine",
            Self::NoContext => "there is no context with page tables of its own",
            Self::QueueFull => "the engine has two submissions that it did not begin with",
        }
    }
}

impl Failsafe {
    const fn why(self) -> &'static str {
        match self {
            Self::UnsupportedGuest => {
                "the driver of the guest does not know vGPUs: use a current i915"
            }
            Self::InsufficientResources => {
                "the driver of the guest needs more graphics memory; use a bigger type"
            }
        }
    }
}

display!(Note);
