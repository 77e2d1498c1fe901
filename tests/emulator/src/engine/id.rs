// SPDX-License-Identifier: GPL-2.0
//! Names and fixed wiring of the command streamers.

use crate::irq::Group;

/// A command streamer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineId {
    /// Render.
    Rcs,
    /// Blitter.
    Bcs,
    /// First video decoder.
    Vcs0,
    /// Video enhancement.
    Vecs,
    /// Second video decoder.
    Vcs1,
}

impl EngineId {
    /// All engines that a device may have.
    pub const ALL: [EngineId; 5] = [EngineId::Rcs, EngineId::Bcs, EngineId::Vcs0, EngineId::Vecs, EngineId::Vcs1];

    /// i915's name.
    pub fn name(self) -> &'static str {
        match self {
            EngineId::Rcs => "rcs0",
            EngineId::Bcs => "bcs0",
            EngineId::Vcs0 => "vcs0",
            EngineId::Vecs => "vecs0",
            EngineId::Vcs1 => "vcs1",
        }
    }

    /// Offset of the first of its registers.
    pub fn base(self) -> u32 {
        match self {
            EngineId::Rcs => 0x2000,
            EngineId::Bcs => 0x2_2000,
            EngineId::Vcs0 => 0x1_2000,
            EngineId::Vecs => 0x1_a000,
            EngineId::Vcs1 => 0x1_c000,
        }
    }

    /// Where its interrupts arrive: group and position of its lowest bit.
    pub fn interrupt(self) -> (Group, u32) {
        match self {
            EngineId::Rcs => (Group::Gt0, 0),
            EngineId::Bcs => (Group::Gt0, 16),
            EngineId::Vcs0 => (Group::Gt1, 0),
            EngineId::Vcs1 => (Group::Gt1, 16),
            EngineId::Vecs => (Group::Gt3, 0),
        }
    }

    /// Its bit in `GDRST` (0x941c).
    pub fn reset_bit(self) -> u32 {
        match self {
            EngineId::Rcs => 1 << 1,
            EngineId::Vcs0 => 1 << 2,
            EngineId::Bcs => 1 << 3,
            EngineId::Vecs => 1 << 4,
            EngineId::Vcs1 => 1 << 7,
        }
    }

    /// Its TLB invalidation register.
    pub fn tlb_register(self) -> u32 {
        match self {
            EngineId::Rcs => 0x4260,
            EngineId::Vcs0 => 0x4264,
            EngineId::Vcs1 => 0x4268,
            EngineId::Bcs => 0x426c,
            EngineId::Vecs => 0x4270,
        }
    }

    /// Its number in the `RING_FAULT_REG` and in MI_SEMAPHORE_SIGNAL's target field.
    pub fn hardware_id(self) -> u32 {
        match self {
            EngineId::Rcs => 0,
            EngineId::Vcs0 => 1,
            EngineId::Bcs => 2,
            EngineId::Vecs => 3,
            EngineId::Vcs1 => 4,
        }
    }
}
