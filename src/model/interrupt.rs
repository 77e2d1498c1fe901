// SPDX-License-Identifier: GPL-2.0

//! The interrupt tree of Gen8 (gvt-spec 4.6): from an event on the GPU to one message.
//!
//! Each group of sources has four registers: what there is now (ISR, not modelled), what is of
//! interest (IMR), what happened (IIR), and what is passed on (IER). The master register sums the
//! groups up. The line to the outside is up while the master is enabled, anything is pending and
//! messages can be sent; when it goes up, one message is sent.
//!
//! An IIR remembers an event that comes while its bit is still set, as the hardware does: after the
//! bit is cleared it is set again. i915 clears a bit after it has handled the event, and would lose
//! the next one otherwise.
//!
//! There can be no storm: after a message the line is up, and only the guest can take it down, with
//! a write that costs it more than the message costs the host. However many events there are, a
//! guest that does nothing gets one message.

use core::{
    ffi::CStr,
    fmt, //
};

use crate::{
    counters::count,
    display::{
        flip::FlipPlane,
        Ddi,
        Pipe, //
    },
    effect::Effects,
    engine::EngineId,
    mmio::file::VregFile,
    platform::Platform, //
};

/// GEN8_MASTER_IRQ.
const MASTER: u32 = 0x4_4200;
const MASTER_ENABLE: u32 = 1 << 31;
/// RING_IMR of an engine.
const RING_IMR: u32 = 0xa8;

/// Registers of a group, from its base on.
const IMR: u32 = 0x4;
const IIR: u32 = 0x8;
const IER: u32 = 0xc;
/// The part of an offset that is the same for the registers of a group.
const GROUP: u32 = !0xf;

/// A group of interrupt sources.
struct Group {
    /// Where its registers start.
    base: u32,
    /// The bits of the master register for the lower and for the upper half.
    master: [u32; 2],
}

const fn group(base: u32, low: u32, high: u32) -> Group {
    Group {
        base,
        master: [1 << low, 1 << high],
    }
}

const GROUPS: usize = 11;

/// The bit of a vertical blank in the group of a pipe.
const VBLANK: u32 = 1 << 0;

static TREE: [Group; GROUPS] = [
    group(0x4_4300, 0, 1),
    group(0x4_4310, 2, 3),
    group(0x4_4320, 4, 4),
    group(0x4_4330, 6, 6),
    group(0x4_4400, 16, 16),
    group(0x4_4410, 17, 17),
    group(0x4_4420, 18, 18),
    group(0x4_4440, 20, 20),
    group(0x4_4460, 22, 22),
    group(0xc_4000, 23, 23),
    group(0x4_44e0, 30, 30),
];

/// Bases of groups that sources are in.
const GT0: u32 = 0x4_4300;
const GT1: u32 = 0x4_4310;
const GT3: u32 = 0x4_4330;
const PIPE_A: u32 = 0x4_4400;
const PIPE_B: u32 = 0x4_4410;
const PIPE_C: u32 = 0x4_4420;
const DE_PORT: u32 = 0x4_4440;
const DE_MISC: u32 = 0x4_4460;
const PCH: u32 = 0xc_4000;

/// What happens on an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineEvent {
    /// MI_USER_INTERRUPT.
    User,
    /// MI_FLUSH_DW with a notification, or PIPE_CONTROL on the render engine.
    Flush,
    /// A context got off or onto the engine.
    ContextSwitch,
}

/// Something on the GPU that a guest may want to be interrupted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// On an engine.
    Engine(EngineId, EngineEvent),
    /// A pipe begins its vertical blank.
    Vblank(Pipe),
    /// A plane shows its new surface.
    FlipDone(Pipe, FlipPlane),
    /// A transfer on an AUX channel ended.
    Aux(Ddi),
    /// A monitor was plugged in or out.
    Hotplug(Ddi),
    /// GMBUS is ready for the next step.
    Gmbus,
    /// The OpRegion has a request of the firmware.
    Gse,
}

impl Event {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(id, event) => write!(out, "{id:?} {event:?}"),
            Self::Vblank(pipe) => write!(out, "pipe {pipe:?} vblank"),
            Self::FlipDone(pipe, plane) => write!(out, "pipe {pipe:?} {plane:?} flip done"),
            Self::Aux(ddi) => write!(out, "AUX {ddi:?} done"),
            Self::Hotplug(ddi) => write!(out, "DDI {ddi:?} hotplug"),
            Self::Gmbus => write!(out, "GMBUS"),
            Self::Gse => write!(out, "GSE"),
        }
    }
}

display!(Event);

/// Base of the group and number of the bit of an event; `None` if the platform has no such thing.
fn source(event: Event, platform: Platform) -> Option<(u32, u8)> {
    Some(match event {
        Event::Engine(id, event) => {
            let (base, shift) = match id {
                EngineId::Rcs0 => (GT0, 0u8),
                EngineId::Bcs0 => (GT0, 16),
                EngineId::Vcs0 => (GT1, 0),
                EngineId::Vcs1 => (GT1, 16),
                EngineId::Vecs0 => (GT3, 0),
            };
            let bit = match event {
                EngineEvent::User => 0u8,
                EngineEvent::Flush => 4,
                EngineEvent::ContextSwitch => 8,
            };
            (base, bit.saturating_add(shift))
        }
        Event::Vblank(pipe) => (pipe_base(pipe), 0),
        Event::FlipDone(pipe, plane) => {
            let bit = match (platform, plane) {
                (Platform::Broadwell, FlipPlane::Primary) => 4,
                (Platform::Broadwell, FlipPlane::Sprite) => 5,
                (_, FlipPlane::Primary) => 3,
                (_, FlipPlane::Sprite) => 4,
            };
            (pipe_base(pipe), bit)
        }
        Event::Aux(ddi) => match (platform, ddi) {
            (_, Ddi::A) => (DE_PORT, 0),
            (Platform::Broadwell, Ddi::B) => (PCH, 25),
            (Platform::Broadwell, Ddi::C) => (PCH, 26),
            (Platform::Broadwell, Ddi::D) => (PCH, 27),
            (_, Ddi::B) => (DE_PORT, 25),
            (_, Ddi::C) => (DE_PORT, 26),
            (Platform::Broxton, Ddi::D) => return None,
            (_, Ddi::D) => (DE_PORT, 27),
            (_, Ddi::E) => return None,
        },
        Event::Hotplug(ddi) => match (platform, ddi) {
            // There is no PCH beside it.
            (Platform::Broxton, Ddi::A) => (DE_PORT, 3),
            (Platform::Broxton, Ddi::B) => (DE_PORT, 4),
            (Platform::Broxton, Ddi::C) => (DE_PORT, 5),
            (Platform::Broxton, Ddi::D) => return None,
            (Platform::Broadwell, Ddi::A) => (DE_PORT, 3),
            (_, Ddi::A) => (PCH, 24),
            (_, Ddi::B) => (PCH, 21),
            (_, Ddi::C) => (PCH, 22),
            (_, Ddi::D) => (PCH, 23),
            (_, Ddi::E) => return None,
        },
        Event::Gmbus => match platform {
            Platform::Broxton => (DE_PORT, 1),
            _ => (PCH, 17),
        },
        Event::Gse => (DE_MISC, 27),
    })
}

const fn pipe_base(pipe: Pipe) -> u32 {
    match pipe {
        Pipe::A => PIPE_A,
        Pipe::B => PIPE_B,
        Pipe::C => PIPE_C,
    }
}

/// What a register of the tree is called: `MASTER`, or its name in a group; `None` for any other.
pub fn name_of(offset: u32) -> Option<&'static CStr> {
    if offset == MASTER {
        return Some(c"MASTER");
    }
    if TREE.iter().all(|group| group.base != offset & GROUP) {
        return None;
    }
    match offset & !GROUP {
        IMR => Some(c"IMR"),
        IIR => Some(c"IIR"),
        IER => Some(c"IER"),
        _ => None,
    }
}

/// Whether the registers at `offset` decide if vertical blanks interrupt, or tell that one did.
pub(crate) fn concerns_pipes(offset: u32) -> bool {
    Pipe::ALL
        .into_iter()
        .any(|pipe| pipe_base(pipe) == offset & GROUP)
}

/// Whether the guest wants to be interrupted for the vertical blanks of a pipe.
pub(crate) fn wants_vblanks(pipe: Pipe, file: &VregFile) -> bool {
    let base = pipe_base(pipe);
    file.get(base | IER) & !file.get(base | IMR) & VBLANK != 0
}

/// What the tree knows beyond its registers.
#[derive(Default)]
pub(crate) struct Interrupts {
    /// For each group the events that came while their bit was set.
    again: [u32; GROUPS],
    /// Whether messages can be sent.
    open: bool,
    /// Whether the line is up.
    line: bool,
    /// How many messages were sent.
    messages: u64,
}

impl Interrupts {
    /// As at first, but for the number of messages.
    pub(crate) fn reset(&mut self) {
        *self = Self {
            messages: self.messages,
            ..Self::default()
        };
    }

    /// How many messages were sent.
    pub(crate) fn messages(&self) -> u64 {
        self.messages
    }

    /// An event: it is remembered if it is of interest.
    pub(crate) fn raise(
        &mut self,
        event: Event,
        platform: Platform,
        file: &mut VregFile,
        effects: &mut Effects,
    ) {
        let Some((base, number)) = source(event, platform) else {
            return;
        };
        let bit = 1u32.checked_shl(number.into()).unwrap_or_default();
        let mut masked = file.get(base | IMR);
        if let Event::Engine(id, _) = event {
            // The engine has a mask of its own, with the same bits.
            masked |= file.get(id.mmio_base() | RING_IMR);
        }
        if masked & bit != 0 {
            return;
        }
        effects.raise(event, number);
        let identity = file.get(base | IIR);
        if identity & bit == 0 {
            file.set(base | IIR, identity | bit);
        } else if let Some(again) = self.again_of(base) {
            *again |= bit;
        }
        self.update(file, effects);
    }

    /// The guest clears bits of an IIR: `left` are those that it leaves. Returns what is then set.
    pub(crate) fn acknowledge(&mut self, offset: u32, old: u32, left: u32) -> u32 {
        let cleared = old & !left;
        let base = offset & GROUP;
        let Some(again) = self.again_of(base) else {
            return left;
        };
        let set = cleared & *again;
        *again &= !set;
        left | set
    }

    /// Whether messages can be sent; [`Interrupts::update`] has to follow.
    pub(crate) fn gate(&mut self, open: bool) {
        self.open = open;
    }

    /// Works out the master register and the line.
    pub(crate) fn update(&mut self, file: &mut VregFile, effects: &mut Effects) {
        let pending = TREE.iter().fold(0, |pending, group| {
            let [low, high] = group.master;
            let passed = file.get(group.base | IIR) & file.get(group.base | IER);
            let low = if passed & 0xffff != 0 { low } else { 0 };
            let high = if passed >> 16 != 0 { high } else { 0 };
            pending | low | high
        });
        let enable = file.get(MASTER) & MASTER_ENABLE;
        file.set(MASTER, enable | pending);
        let line = enable != 0 && pending != 0 && self.open;
        if line && !self.line {
            count(&mut self.messages);
            effects.inject_msi();
        }
        self.line = line;
    }

    fn again_of(&mut self, base: u32) -> Option<&mut u32> {
        let number = TREE.iter().position(|group| group.base == base)?;
        self.again.get_mut(number)
    }
}
