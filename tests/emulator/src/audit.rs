// SPDX-License-Identifier: GPL-2.0
//! Who touched which page: every memory access of the GPU, attributed.

use crate::engine::EngineId;
use crate::gtt::{Fault, Space};

/// Who made an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// A command streamer, on behalf of a context.
    Engine(EngineId, ContextTag),
    /// Scan-out of a pipe (0 is pipe A).
    Pipe(u8),
    /// The CPU, through the aperture.
    Aperture,
}

/// Identity of a context: its descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextTag {
    /// Upper dword of the descriptor: the id that software chose.
    pub id: u32,
    /// GGTT address of the context image.
    pub lrca: u32,
}

/// One access to one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// Who.
    pub client: Client,
    /// Through which tables.
    pub space: Space,
    /// GPU address of the access.
    pub address: u64,
    /// Bus address of the page.
    pub page: u64,
    /// Whether it was a write.
    pub write: bool,
}

/// Collects accesses and faults.
#[derive(Default)]
pub struct Auditor {}

impl Auditor {
    /// Records an access that was made.
    pub fn access(&self, _access: &Access) {}

    /// Records an access that could not be made.
    pub fn fault(&self, client: Client, fault: &Fault) {
        log::warn!("{client:?}: {fault}");
    }

    /// Records an operation that was ignored for want of privilege; `at` is the register or the command's address.
    pub fn dropped(&self, client: Client, what: &'static str, at: u64) {
        log::debug!("{client:?}: no privilege for {what} {at:#x}");
    }
}
