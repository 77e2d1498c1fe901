// SPDX-License-Identifier: GPL-2.0

//! The audit of the commands that run with privilege (gvt-spec 8).
//!
//! A batch that a context runs from its own page tables has no privilege, and cannot do what the audit
//! is about; it is not looked at, but on an engine that obeys such batches all the same ([`user`]). All other commands of a guest, those in its ring, in batches that lie
//! in the GGTT, and in the workaround batches of its contexts, are copied once and looked at in the
//! copy. What runs is the copy:
//!
//! - An address in the GGTT, wherever a command has one, lies in the guest's own graphics memory.
//! - A register that a command writes is one of the engine that the command runs on, and gets the value
//!   that a write of the guest's processor would have given it.
//! - What would touch the display, the status page or the interrupts of the host is left out, and what
//!   it does in the virtual GPU is noted.
//!
//! The copy of a ring has no batches in it: where the ring starts one in the GGTT, its commands stand
//! in the copy themselves. So nothing has to be placed in the host's graphics memory, no address has to
//! be patched afterwards, and no batch is longer than what was looked at.

mod audit;
mod scan;
pub mod table;
mod user;

use core::fmt;

use crate::{
    display::flip::FlipPlane,
    display::Pipe,
    engine::EngineId,
    interrupt::EngineEvent, //
};
pub(crate) use scan::RING_PDP;
pub use scan::{
    Page,
    Scanner,
    MAX_WORDS,
    WORKAROUND_BYTES, //
};
pub(crate) use table::SET_PREDICATE;

/// What the audit needs to know of the vGPU, and what it tells it.
pub trait Policy {
    /// Copies the page of the guest's memory that is at `address`, a multiple of the size of a page.
    ///
    /// # Errors
    ///
    /// [`Flaw::OutOfReach`] if no memory of the guest's is there.
    fn read_page(&mut self, space: Space, address: u64, words: &mut [u32]) -> Result<(), Flaw>;

    /// Whether `length` bytes of graphics memory from `address` on are the guest's.
    fn owns(&self, address: u64, length: u64) -> bool;

    /// Where in graphics memory the status page of the engine is, if the guest has given it one.
    fn status_page(&self) -> Option<u64>;

    /// Where the status page of the context is.
    fn context_page(&self) -> u64;

    /// What becomes of a write of `value` to a register by a command.
    ///
    /// # Errors
    ///
    /// [`Flaw::Register`] if commands of the engine may not write it, or not this.
    fn load(&mut self, register: u32, value: u32) -> Result<Load, Flaw>;

    /// Ends a run of writes of which some were [`Load::Root`]: the values of the eight registers of the
    /// engine from `RING_PDP0_LDW` on, which the hardware is to have.
    ///
    /// # Errors
    ///
    /// A [`Flaw`] if the guest has no such page tables.
    fn switch_root(&mut self) -> Result<[u32; 8], Flaw>;

    /// Whether commands may write what is in memory to a register, or what is in a register to memory.
    fn moves(&mut self, register: u32) -> bool;

    /// Whether commands may copy one register to another.
    fn copies(&mut self, from: u32, to: u32) -> bool;

    /// Something that the guest is to be told of when the commands have run.
    fn event(&mut self, event: EngineEvent);

    /// A flip that is to be done when the commands have run.
    ///
    /// # Errors
    ///
    /// [`Flaw::Budget`] if there are too many.
    fn flip(&mut self, flip: Flip) -> Result<(), Flaw>;
}

/// What an address is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// The GGTT.
    Global,
    /// The page tables of the context.
    Context,
}

/// What becomes of a write to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// The hardware gets this.
    Value(u32),
    /// The hardware gets nothing.
    Nothing,
    /// It is a part of the root of the page tables: the hardware gets the shadow's, when all parts are
    /// there.
    Root,
}

/// A flip that a command asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flip {
    /// The pipe.
    pub pipe: Pipe,
    /// The plane of it.
    pub plane: FlipPlane,
    /// The stride, as the register of the plane has it.
    pub stride: u32,
    /// The tiling, as the command has it: 0 linear, 1 X, 4 Y, 5 Yf.
    pub tiling: u32,
    /// Where the picture is.
    pub surface: u32,
    /// Not to wait for a vertical blank.
    pub immediate: bool,
}

/// Why commands are not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The engine has no such command, or guests may not use it.
    Command {
        /// Its first word.
        header: u32,
    },
    /// The command has not the length that it should have, or goes on behind the end of the buffer.
    Length {
        /// Its first word.
        header: u32,
    },
    /// It names graphics memory that is not the guest's.
    Address {
        /// Its first word.
        header: u32,
        /// The address.
        address: u64,
    },
    /// It names a register that it may not use.
    Register {
        /// The offset in BAR0.
        offset: u32,
    },
    /// Batches start one another deeper than the hardware can.
    Nesting,
    /// More commands, batches or flips than a submission may have.
    Budget,
    /// A ring or a batch is not in memory of the guest's.
    OutOfReach {
        /// The address in graphics memory.
        address: u64,
    },
    /// The context has no page tables that can be used.
    Root,
    /// The ring of the context, its image, or one of its workaround batches is not in the guest's
    /// graphics memory.
    Context {
        /// The engine.
        engine: EngineId,
        /// Where its image is.
        lrca: u32,
    },
    /// The host has no memory for it.
    Memory,
    /// The GPU did not get through with it.
    Hang,
}

impl Flaw {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command { header } => {
                write!(out, "command {header:#010x} is not for guests")
            }
            Self::Length { header } => write!(out, "command {header:#010x} has a wrong length"),
            Self::Address { header, address } => write!(
                out,
                "command {header:#010x} names address {address:#x}, not in the graphics memory of the vGPU"
            ),
            Self::Register { offset } => {
                write!(out, "commands of this engine may not use register {offset:#x} so")
            }
            Self::Nesting => write!(out, "batches are nested too deeply"),
            Self::Budget => write!(out, "a submission has too many commands"),
            Self::OutOfReach { address } => {
                write!(out, "no memory of the guest is at graphics address {address:#x}")
            }
            Self::Root => write!(out, "the context has no usable page tables"),
            Self::Context { engine, lrca } => write!(
                out,
                "the context of {} at {lrca:#x} is not, or not all, in the graphics memory of the vGPU",
                engine.name()
            ),
            Self::Memory => write!(out, "the host has no memory for it"),
            Self::Hang => write!(out, "the GPU did not get through with it"),
        }
    }
}

display!(Flaw);
