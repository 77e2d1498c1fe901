// SPDX-License-Identifier: GPL-2.0

//! What the model needs from outside while it answers an access.

use kernel::prelude::*;

use crate::{
    addr::{
        Gfn,
        GmPage,
        Gpa, //
    },
    ppgtt::entry::Level, //
};

/// The memory of the virtual machine.
pub trait GuestMemory {
    /// Copies from guest memory into `buf`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the memory from being read; `buf` may then hold anything.
    fn read_guest(&mut self, gpa: Gpa, buf: &mut [u8]) -> Result;

    /// Copies `data` into guest memory.
    ///
    /// # Errors
    ///
    /// Whatever keeps the memory from being written.
    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result;
}

/// The aperture of the GPU, BAR2. The model proves that an access is inside the part of the vGPU
/// before it calls; `offset` counts from the start of BAR2.
pub trait Aperture {
    /// Copies from the aperture into `buf`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the aperture from being read.
    fn read_aperture(&mut self, offset: u64, buf: &mut [u8]) -> Result;

    /// Copies `data` into the aperture.
    ///
    /// # Errors
    ///
    /// Whatever keeps the aperture from being written.
    fn write_aperture(&mut self, offset: u64, data: &[u8]) -> Result;
}

/// That part of the GPU's own GGTT which belongs to the vGPU. Each of its entries points at a page
/// of the guest, or at a scratch page that nobody else sees.
pub trait HostGgtt {
    /// Points the entry of `page` at guest frame `gfn`, and takes a use of the frame, which stays
    /// where it is while it has any. What the entry pointed at before is the caller's to release.
    ///
    /// # Errors
    ///
    /// Whatever keeps the frame from being used: it is no memory of the guest's, or too much is
    /// pinned. The entry then points at what it did before.
    fn map_page(&mut self, page: GmPage, gfn: Gfn) -> Result;

    /// Points the entry of `page` at the scratch page.
    fn clear_page(&mut self, page: GmPage);

    /// Gives a use of frame `gfn` back; the GPU may still remember it.
    fn release_frame(&mut self, gfn: Gfn);

    /// Makes the GPU look at all entries anew. An engine may still remember what it has looked at.
    fn flush_ggtt(&mut self);
}

/// A table of the GPU that shadows one of the guest's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShadowTable {
    /// The number of the table; no other that is in use has it.
    pub slot: u32,
    /// Where the GPU finds it.
    pub address: u64,
    /// What its entries are.
    pub level: Level,
}

/// Page tables that the GPU uses for the contexts of the vGPU, in place of the guest's own. Each of
/// their entries leads to another one of them, to a page of the guest, or to a scratch page.
pub trait HostPpgtt {
    /// A new table, all entries of which lead to the scratch page, by way of scratch tables.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn new_table(&mut self, level: Level) -> Result<ShadowTable>;

    /// Where the GPU finds a table of this level all entries of which lead to the scratch page.
    fn scratch_table(&mut self, level: Level) -> u64;

    /// Frees a table to which no entry leads any more; the GPU may still remember it.
    fn free_table(&mut self, table: ShadowTable);

    /// Writes entry `index` of a table. `None` leads to the scratch page.
    fn write_entry(&mut self, table: ShadowTable, index: usize, entry: Option<u64>);

    /// Takes a use of frame `gfn`, which stays where it is while it has any, and returns the address
    /// that the GPU has for it.
    ///
    /// # Errors
    ///
    /// Whatever keeps the frame from being used.
    fn pin_frame(&mut self, gfn: Gfn) -> Result<u64>;

    /// Gives a use of frame `gfn` back; the GPU may still remember it.
    fn unpin_frame(&mut self, gfn: Gfn);

    /// Lets writes of the guest to frame `gfn` be told; this adds up.
    ///
    /// # Errors
    ///
    /// `EINVAL` if no memory is there; `ENOMEM`.
    fn watch_frame(&mut self, gfn: Gfn) -> Result;

    /// Takes one [`watch_frame`](Self::watch_frame) back.
    fn unwatch_frame(&mut self, gfn: Gfn);

    /// Whether memory of the guest's is wanted back and that has waited for long: what takes its time gives up.
    fn is_pressed(&self) -> bool;

    /// Whether memory of the guest's is waited for no more: what was not there may have been late only.
    fn is_interrupted(&self) -> bool;

    /// Makes the GPU forget what it remembers of tables and of frames that have no uses.
    fn forget_translations(&mut self);
}

/// The image of a context of the host's that runs the work of one of the guest's, as words from its
/// state page on: the page behind the status page of the context.
pub trait ContextImage {
    /// Copies words from number `first` on; what is beyond the end is 0.
    fn read_words(&self, first: usize, words: &mut [u32]);

    /// Writes words from number `first` on; what is beyond the end is left out.
    fn write_words(&mut self, first: usize, words: &[u32]);

    /// Puts the workaround batches of the context, at most [`WORKAROUND_BYTES`], where the GPU can read
    /// them, and returns their address in graphics memory.
    ///
    /// [`WORKAROUND_BYTES`]: crate::cmd::WORKAROUND_BYTES
    fn put_workarounds(&mut self, words: &[u32]) -> u32;
}

/// Registers of the GPU itself.
pub trait Hardware {
    /// Reads a register that tells the same to everyone, as a clock does.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being read.
    fn read_register(&mut self, offset: u32) -> Result<u32>;

    /// Writes a fence of the vGPU, which counts them from 0; one that is not 0 covers nothing but
    /// the aperture of the vGPU.
    ///
    /// # Errors
    ///
    /// Whatever keeps it from being written.
    fn write_fence(&mut self, number: usize, value: u64) -> Result;
}

/// The registers of an engine that has power, for atomic context.
pub trait EngineRegisters {
    /// Reads the register at an offset.
    fn read(&self, offset: u32) -> u32;

    /// Writes the register at an offset.
    fn write(&self, offset: u32, value: u32);
}

/// What time it is.
pub trait Clock {
    /// Nanoseconds since some moment before the vGPU was opened. They never go back.
    fn now(&mut self) -> u64;
}

/// All ports at once.
pub trait Env: GuestMemory + Aperture + HostGgtt + HostPpgtt + Hardware + Clock {}

impl<T> Env for T where T: GuestMemory + Aperture + HostGgtt + HostPpgtt + Hardware + Clock + ?Sized {}
