// SPDX-License-Identifier: GPL-2.0

//! The page of registers with which guest and device model talk (gvt-spec 4.4; the guest's side
//! is `drivers/gpu/drm/i915/i915_pvinfo.h`).

use core::ops::Range;

use kernel::prelude::*;

use super::{
    file::VregFile,
    handlers::Write, //
};
use crate::{
    addr::GmRange,
    ppgtt::{
        Addressing,
        Roots, //
    },
    types::VgpuId, //
};

/// The page in the register file.
const PAGE: u32 = 0x7_8000;

pub(crate) const MAGIC: u64 = 0x4776_5447_7654_4776;
const VERSION_MAJOR: u32 = 1;
const VERSION_MINOR: u32 = 0;
/// Full PPGTT, emulation of the hardware status page, huge pages.
const CAPS: u32 = 1 << 2 | 1 << 3 | 1 << 4;

const VERSION: u32 = 0x08;
const ID: u32 = 0x0c;
const CAPABILITIES: u32 = 0x10;
const RANGES: u32 = 0x40;
const FENCES: u32 = 0x50;
const CURSOR_HOT: u32 = 0x830;

/// The root of page tables that a notification is about.
const PDPS: u32 = 0x838;
/// The guest's notification.
const G2V_NOTIFY: u32 = 0x818;
/// A guest that gives up because its part of the GPU is too small writes here.
const SHORTAGE: Range<u32> = 0x808..0x818;

/// What a guest may write: whether its display is ready, its notifications, and their arguments
/// with the hot spot of the cursor, from which on they follow one another.
const WRITABLE: [Range<u32>; 3] = [0x804..0x808, G2V_NOTIFY..0x81c, 0x830..0x860];

/// What is accepted of a write to the page.
pub(super) fn accept(write: &Write) -> u32 {
    let in_page = write.offset.wrapping_sub(PAGE);
    if WRITABLE.iter().any(|range| range.contains(&in_page)) {
        write.value
    } else {
        write.old
    }
}

/// Whether a write there says that the guest has too little.
pub(super) fn tells_shortage(offset: u32) -> bool {
    SHORTAGE.contains(&offset.wrapping_sub(PAGE))
}

/// Whether a write there is a notification.
pub(super) fn is_notification(offset: u32) -> bool {
    offset == PAGE | G2V_NOTIFY
}

/// What a guest says of page tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Notification {
    /// An address space is no more, of which the registers from [`roots`] on tell the root.
    Destroyed(Addressing),
}

impl Notification {
    /// The one of this number. That there is a new address space is no news: it is looked at when
    /// something is submitted that uses it.
    pub(super) fn of(number: u32) -> Option<Self> {
        match number {
            3 => Some(Self::Destroyed(Addressing::Legacy32)),
            5 => Some(Self::Destroyed(Addressing::Legacy48)),
            _ => None,
        }
    }
}

/// The root that a notification is about, from PDP0 on.
pub(super) fn roots(addressing: Addressing, registers: &VregFile) -> Roots {
    let half = |number: u32| {
        let offset = PDPS.saturating_add(number.saturating_mul(4));
        u64::from(registers.get(PAGE | offset))
    };
    let pdp = |number: u32| half(number.saturating_add(1)) << 32 | half(number);
    Roots {
        addressing,
        pdps: [pdp(0), pdp(2), pdp(4), pdp(6)],
    }
}

/// What the page says about a vGPU.
#[derive(Clone, Copy)]
pub(crate) struct PvInfo {
    id: u32,
    /// Base and size of the mappable and of the other graphics memory.
    ranges: [u32; 4],
    fences: u32,
}

impl PvInfo {
    /// # Errors
    ///
    /// `EINVAL` if a number does not fit in its register.
    pub(crate) fn new(id: VgpuId, low: GmRange, high: GmRange, fences: u32) -> Result<Self> {
        let register = |number: u64| u32::try_from(number).map_err(|_| EINVAL);
        Ok(Self {
            id: id.get().into(),
            ranges: [
                register(low.start())?,
                register(low.size())?,
                register(high.start())?,
                register(high.size())?,
            ],
            fences,
        })
    }

    /// Sets the page to its state after a reset; all of it must be 0 before.
    pub(super) fn fill(&self, registers: &mut VregFile) {
        let mut set = |offset: u32, value: u32| registers.set(PAGE | offset, value);
        set(VERSION, VERSION_MAJOR | VERSION_MINOR << 16);
        set(ID, self.id);
        set(CAPABILITIES, CAPS);
        for (offset, number) in (RANGES..).step_by(4).zip(self.ranges) {
            set(offset, number);
        }
        set(FENCES, self.fences);
        registers.set_pair(PAGE, MAGIC);
        // No hot spot: both coordinates are all ones.
        registers.set_pair(PAGE | CURSOR_HOT, u64::MAX);
    }
}
