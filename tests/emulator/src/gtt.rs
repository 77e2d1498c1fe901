// SPDX-License-Identifier: GPL-2.0
//! What a GPU address is, and the memory interface of everything that executes commands.

use std::fmt;

/// Which page tables translate an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// The global GTT.
    Ggtt,
    /// The tables of the running context.
    Ppgtt,
}

/// Why an access could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// No valid entry at this level (0: page table or GGTT, 3: PML4).
    NotPresent(u8),
    /// A write through a read-only entry.
    ReadOnly,
    /// The entry names a bus address at which there is no RAM.
    NoMemory(u64),
    /// The address is outside of the address space or not aligned for the access.
    Malformed,
}

/// A failed access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which tables were asked.
    pub space: Space,
    /// The GPU address.
    pub address: u64,
    /// Whether it was a write.
    pub write: bool,
    /// Why it failed.
    pub kind: FaultKind,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.write { "write to" } else { "read of" };
        write!(f, "{verb} {:?} {:#x}: {:?}", self.space, self.address, self.kind)
    }
}

/// GPU virtual memory as a command sees it.
pub trait GpuMemory {
    /// Fills `data` from `address` on; crosses pages freely.
    ///
    /// # Errors
    ///
    /// The first page that cannot be read.
    fn read(&mut self, space: Space, address: u64, data: &mut [u8]) -> Result<(), Fault>;

    /// Stores `data` from `address` on; crosses pages freely.
    ///
    /// # Errors
    ///
    /// The first page that cannot be written; earlier pages have been.
    fn write(&mut self, space: Space, address: u64, data: &[u8]) -> Result<(), Fault>;
}
