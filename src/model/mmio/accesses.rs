// SPDX-License-Identifier: GPL-2.0

//! How often a guest accesses each register, while somebody wants to know.

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::platform::MMIO_SIZE;

/// Reads and writes of each register of 4 bytes, by its number; they stay at the most there is.
pub(crate) struct Accesses {
    counts: KVVec<[u32; 2]>,
}

impl Accesses {
    /// None yet.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        let registers = usize::try_from(MMIO_SIZE / 4).map_err(|_| ENOMEM)?;
        Ok(Self {
            counts: KVVec::zeroed(registers, GFP_KERNEL)?,
        })
    }

    /// The register at this offset was read.
    pub(crate) fn read(&mut self, offset: u32) {
        if let Some([reads, _]) = self.at(offset) {
            *reads = reads.saturating_add(1);
        }
    }

    /// The register at this offset was written.
    pub(crate) fn write(&mut self, offset: u32) {
        if let Some([_, writes]) = self.at(offset) {
            *writes = writes.saturating_add(1);
        }
    }

    /// Offset, reads and writes of each register that was accessed, in order.
    pub(crate) fn list(&self) -> impl Iterator<Item = (u32, [u32; 2])> + '_ {
        let offsets = (0u32..).step_by(4);
        let all = offsets.zip(self.counts.iter().copied());
        all.filter(|(_, counts)| *counts != [0; 2])
    }

    fn at(&mut self, offset: u32) -> Option<&mut [u32; 2]> {
        self.counts.get_mut(usize::from_safe_cast(offset / 4))
    }
}
