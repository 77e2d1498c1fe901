// SPDX-License-Identifier: GPL-2.0

//! What the model needs from outside while it answers an access.

use kernel::prelude::*;

use crate::addr::{
    Gfn,
    GmPage,
    Gpa, //
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

    /// Gives a use of frame `gfn` back, from the next flush on.
    fn release_frame(&mut self, gfn: Gfn);

    /// Makes the GPU look at all entries anew.
    fn flush_ggtt(&mut self);
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

/// What time it is.
pub trait Clock {
    /// Nanoseconds since some moment before the vGPU was opened. They never go back.
    fn now(&mut self) -> u64;
}

/// All ports at once.
pub trait Env: GuestMemory + Aperture + HostGgtt + Hardware + Clock {}

impl<T: GuestMemory + Aperture + HostGgtt + Hardware + Clock + ?Sized> Env for T {}
