// SPDX-License-Identifier: GPL-2.0

//! The commands of Gen8 and Gen9: how long they are, which engines have them, and what is looked at in
//! them (gvt-spec 8.2, gvt-data/cmd-table.tsv).
//!
//! A length is a matter of safety: what the GPU takes for a command must be what was looked at as one. So a header that
//! not every GPU takes for the same length is none.

mod blitter;
mod engines;
mod enhance;
mod media;
mod mi;
mod render;
mod video;

use crate::{
    engine::{
        EngineId,
        Engines, //
    },
    platform::Platform, //
};

/// What there is to know of a command.
#[derive(Debug)]
pub struct Command {
    /// Its name in the PRM.
    pub name: &'static str,
    /// The engines that have it.
    pub engines: Engines,
    /// Its length.
    pub length: Length,
    /// What is looked at in it.
    pub rule: Rule,
}

/// How long a command is, in words of 4 bytes with its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// Always this.
    Fixed(u32),
    /// Two more than so many low bits of the header say.
    Field(u32),
    /// As for [`Length::Field`], and any other than this is wrong.
    Exact(u32, u32),
    /// As for [`Length::Field`], and any above this is wrong: where a GPU has fewer bits for it, or none, what follows
    /// would be commands for that one, and are not for whoever has looked at them.
    Within(u32, u32),
}

/// What is looked at in a command of a buffer that runs with privilege.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: it has no address that is not one of the PPGTT.
    Free,
    /// As [`Rule::Free`]; Gen8 does not have it.
    FreeOnGen9,
    /// Left out: it concerns the display or the status page of the host, or all users of the GPU.
    Drop,
    /// Not for guests.
    Refused,
    /// Not for guests where its address is one of the GGTT.
    GlobalRefused,
    /// MI_USER_INTERRUPT: the guest's interrupt, not the host's.
    UserInterrupt,
    /// MI_ARB_ON_OFF: whether the engine may be taken away.
    ArbOnOff,
    /// MI_BATCH_BUFFER_START.
    BatchStart,
    /// MI_BATCH_BUFFER_END.
    BatchEnd,
    /// MI_DISPLAY_FLIP: a flip of the virtual display.
    DisplayFlip,
    /// MI_SEMAPHORE_WAIT.
    SemaphoreWait,
    /// MI_STORE_DATA_IMM.
    StoreDataImm,
    /// MI_STORE_DATA_INDEX.
    StoreDataIndex,
    /// MI_LOAD_REGISTER_IMM.
    LoadRegisterImm,
    /// MI_LOAD_REGISTER_REG.
    LoadRegisterReg,
    /// MI_LOAD_REGISTER_MEM.
    LoadRegisterMem,
    /// MI_STORE_REGISTER_MEM.
    StoreRegisterMem,
    /// MI_FLUSH_DW.
    FlushDw,
    /// MI_COPY_MEM_MEM.
    CopyMemMem,
    /// MI_ATOMIC.
    Atomic,
    /// PIPE_CONTROL.
    PipeControl,
}

impl Rule {
    /// Whether such a command runs as it stands, or not at all.
    pub(super) const fn keeps_all(self) -> bool {
        matches!(
            self,
            Self::Free
                | Self::FreeOnGen9
                | Self::GlobalRefused
                | Self::StoreDataImm
                | Self::LoadRegisterReg
                | Self::LoadRegisterMem
                | Self::StoreRegisterMem
                | Self::CopyMemMem
                | Self::Atomic
        )
    }
}

/// Declares commands by opcode: how to find one, and the list of all.
macro_rules! commands {
    (
        $(#[$about:meta])*
        $find:ident, $list:ident:
        $($opcode:literal $name:literal $engines:ident $length:ident($($number:literal),+) $rule:ident,)+
    ) => {
        $(#[$about])*
        pub(super) const fn $find(opcode: u32) -> Option<&'static Command> {
            Some(match opcode {
                $($opcode => const {
                    &Command {
                        name: $name,
                        engines: $engines,
                        length: Length::$length($($number),+),
                        rule: Rule::$rule,
                    }
                },)+
                _ => return None,
            })
        }

        /// All opcodes, in order.
        pub(super) static $list: &[u32] = &[$($opcode),+];
    };
}

use commands;

/// MI_SET_PREDICATE, so that what follows is executed.
pub(crate) const SET_PREDICATE: u32 = mi::SET_PREDICATE << 23;

/// Types of commands: bits 31 to 29 of the header.
const TYPE_MI: u32 = 0;
const TYPE_2D: u32 = 2;
const TYPE_3D: u32 = 3;

impl Command {
    /// The command that an engine takes a header for; `None` if it is none.
    pub fn find(header: u32, engine: EngineId, platform: Platform) -> Option<&'static Self> {
        let command = match header >> 29 {
            TYPE_MI => mi::find(header >> 23),
            TYPE_2D => blitter::find(header >> 22),
            TYPE_3D => Self::find_3d(header >> 16, engine),
            _ => None,
        }?;
        let newer = matches!(command.rule, Rule::FreeOnGen9);
        let known = !newer || platform.info().graphics_version > 8;
        (known && command.engines.contains(engine)).then_some(command)
    }

    fn find_3d(opcode: u32, engine: EngineId) -> Option<&'static Self> {
        match engine {
            EngineId::Rcs0 => render::find(opcode).or_else(|| media::find(opcode)),
            EngineId::Vcs0 | EngineId::Vcs1 => video::find(opcode),
            EngineId::Vecs0 => enhance::find(opcode),
            EngineId::Bcs0 => None,
        }
    }

    /// The length that a header tells; `None` if it is a wrong one.
    pub fn length(&self, header: u32) -> Option<u32> {
        let field = |bits: u32| {
            let mask = 1u32.checked_shl(bits)?.checked_sub(1)?;
            (header & mask).checked_add(2)
        };
        match self.length {
            Length::Fixed(length) => Some(length),
            Length::Field(bits) => field(bits),
            Length::Exact(bits, exact) => field(bits).filter(|length| *length == exact),
            Length::Within(bits, most) => field(bits).filter(|length| *length <= most),
        }
    }

    /// Whether a workaround batch may have it. Such a batch runs while a context is loaded, and where it does not
    /// end, i915 loads the context again for ever. So there are only the commands of such batches that drivers
    /// have: those that move a value, flush, or set up the pools of execution units.
    pub(super) fn is_workaround(&self, header: u32) -> bool {
        match self.rule {
            Rule::Free => header >> 23 == mi::NOOP || header >> 16 == media::POOL_STATE,
            Rule::ArbOnOff
            | Rule::BatchEnd
            | Rule::LoadRegisterImm
            | Rule::LoadRegisterReg
            | Rule::LoadRegisterMem
            | Rule::StoreRegisterMem
            | Rule::StoreDataImm
            | Rule::StoreDataIndex
            | Rule::CopyMemMem
            | Rule::PipeControl => true,
            Rule::FreeOnGen9
            | Rule::Drop
            | Rule::Refused
            | Rule::GlobalRefused
            | Rule::UserInterrupt
            | Rule::BatchStart
            | Rule::DisplayFlip
            | Rule::SemaphoreWait
            | Rule::FlushDw
            | Rule::Atomic => false,
        }
    }

    /// Every command, with a header of it whose other bits are 0.
    pub fn all() -> impl Iterator<Item = (u32, &'static Self)> {
        let of = |opcodes: &'static [u32], shift: u32, find: fn(u32) -> Option<&'static Self>| {
            opcodes
                .iter()
                .filter_map(move |opcode| Some((opcode.checked_shl(shift)?, find(*opcode)?)))
        };
        of(mi::OPCODES, 23, mi::find)
            .chain(of(blitter::OPCODES, 22, blitter::find))
            .chain(of(render::OPCODES, 16, render::find))
            .chain(of(media::OPCODES, 16, media::find))
            .chain(of(video::OPCODES, 16, video::find))
            .chain(of(enhance::OPCODES, 16, enhance::find))
    }
}
