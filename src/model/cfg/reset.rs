// SPDX-License-Identifier: GPL-2.0

//! What configuration space holds after a reset.
//!
//! Start from zeros and take from the GPU only what tells what it is: identity, the list of
//! capabilities, and those fields in them that cannot be written. So no address, no enable bit, no
//! error and no setting of the host shows in a virtual machine, whatever else is in there.
//!
//! Different from the C driver on purpose, which copies all of it and then clears a few fields:
//!
//! | offset | C driver | here |
//! |---|---|---|
//! | 0x04 command | the host's, without IO, memory, master | 0 |
//! | 0x06 status | the host's | capability list and timing bits |
//! | 0x0c cache line, latency, 0x3c interrupt line | the host's | 0 |
//! | 0x10 BAR0, 0x18 BAR2 | the host's lower address | type bits |
//! | 0x5c stolen memory | a physical address of the host | 0 |
//! | 0xe8 SWSCI, other device registers | the host's | 0 |
//! | MSI | the host's enable, address and data | 0 |
//! | power management, PCI Express, AF | the host's control and status | 0 |
//! | ATS, PRI, PASID | the host's control, status and allocation | 0 |
//! | unknown capabilities | all of it | the header |

use crate::{
    platform::CONFIG_SIZE,
    wire::{
        put,
        u32_at, //
    },
};

/// What stays of the header and of the registers of the GPU: offset, and mask of a 32-bit word.
const KEPT: &[(usize, u32)] = &[
    // Vendor, device.
    (0x00, !0),
    // Status: capability list, 66 MHz, fast back-to-back, timing.
    (0x04, 0x06b0_0000),
    // Revision, class.
    (0x08, !0),
    // Header type.
    (0x0c, 0x00ff_0000),
    // BAR0, BAR2: memory, width, prefetchable.
    (0x10, 0xf),
    (0x18, 0xf),
    // Subsystem.
    (0x2c, !0),
    // First capability.
    (0x34, 0xff),
    // Interrupt pin.
    (0x3c, 0x0000_ff00),
    // Graphics control: size of the GGTT and VGA, without the stolen memory.
    (0x50, 0x0000_00ff),
    // Which devices of the processor are on.
    (0x54, !0),
    // Size of the aperture.
    (0x60, 0x001f_0000),
];

const STATUS: usize = 0x06;
const HAS_CAPABILITIES: u8 = 0x10;
const FIRST_CAPABILITY: usize = 0x34;
/// Capabilities are behind the header, at multiples of 4.
const CAPABILITIES: core::ops::Range<usize> = 0x40..0x100;
/// As many as fit.
const MAX_CAPABILITIES: usize = 48;

const POWER_MANAGEMENT: u8 = 0x01;
const MSI: u8 = 0x05;
const VENDOR_SPECIFIC: u8 = 0x09;
const PCI_EXPRESS: u8 = 0x10;
const ADVANCED_FEATURES: u8 = 0x13;
/// The offset of the power state in the power management capability.
const POWER_STATE: usize = 4;

const EXTENDED: core::ops::Range<usize> = 0x100..CONFIG_SIZE;
const MAX_EXTENDED: usize = 960;
const ATS: u32 = 0x0f;
const PRI: u32 = 0x13;
const PASID: u32 = 0x1b;

/// Fills `image`, which is all 0, from the configuration space of the GPU. Returns where the byte
/// with the power state is.
pub(super) fn fill(host: &[u8; CONFIG_SIZE], image: &mut [u8]) -> Option<usize> {
    let mut out = Image { host, image };
    for (offset, mask) in KEPT {
        out.keep(*offset, *mask);
    }
    out.extended_capabilities();
    out.capabilities()
}

struct Image<'a> {
    host: &'a [u8; CONFIG_SIZE],
    image: &'a mut [u8],
}

impl Image<'_> {
    /// Takes the bits in `mask` of the word at `offset`.
    fn keep(&mut self, offset: usize, mask: u32) {
        let had = u32_at(self.image, offset);
        let word = had | (u32_at(self.host, offset) & mask);
        put(self.image, offset, &word.to_le_bytes());
    }

    fn byte(&self, offset: usize) -> u8 {
        self.host.get(offset).copied().unwrap_or(0)
    }

    fn capabilities(&mut self) -> Option<usize> {
        if self.byte(STATUS) & HAS_CAPABILITIES == 0 {
            return None;
        }
        let mut power = None;
        let mut next = FIRST_CAPABILITY;
        for _ in 0..MAX_CAPABILITIES {
            let at = usize::from(self.byte(next) & !3);
            if !CAPABILITIES.contains(&at) {
                break;
            }
            let id = self.byte(at);
            for (word, mask) in self.capability(at, id) {
                self.keep(at.saturating_add(word), mask);
            }
            if id == POWER_MANAGEMENT && power.is_none() {
                power = Some(at.saturating_add(POWER_STATE));
            }
            next = at.saturating_add(1);
        }
        power
    }

    /// What stays of a capability: offset in it, and mask of a word.
    fn capability(&self, at: usize, id: u8) -> [(usize, u32); 4] {
        const HEADER: (usize, u32) = (0, 0xffff);
        const ALL: (usize, u32) = (0, !0);
        const NONE: (usize, u32) = (0, 0);
        match id {
            // The state after a reset is D0; that it needs no reset on leaving D3hot stays.
            POWER_MANAGEMENT => [ALL, (POWER_STATE, 0x0000_0008), NONE, NONE],
            // The form stays: number of messages, 64-bit, masks.
            MSI => [(0, 0x018e_ffff), NONE, NONE, NONE],
            // Device capabilities stay; the second ones are there from version 2 on.
            PCI_EXPRESS if self.byte(at.saturating_add(2)) & 0xf >= 2 => {
                [ALL, (0x04, !0), (0x24, !0), NONE]
            }
            PCI_EXPRESS => [ALL, (0x04, !0), NONE, NONE],
            // Fuses: what this GPU can do. The byte behind the header is the length of it all.
            VENDOR_SPECIFIC => {
                let length = usize::from(self.byte(at.saturating_add(2)));
                let word = |at: usize| if at < length { (at, !0) } else { NONE };
                [ALL, word(4), word(8), word(12)]
            }
            ADVANCED_FEATURES => [ALL, NONE, NONE, NONE],
            _ => [HEADER, NONE, NONE, NONE],
        }
    }

    fn extended_capabilities(&mut self) {
        let mut at = EXTENDED.start;
        for _ in 0..MAX_EXTENDED {
            let header = u32_at(self.host, at);
            if !EXTENDED.contains(&at) || header == 0 || header == !0 {
                break;
            }
            self.keep(at, !0);
            let kept: [(usize, u32); 2] = match header & 0xffff {
                ATS | PASID => [(4, 0x0000_ffff), (4, 0)],
                // Whether responses need a PASID, and how many requests can be outstanding.
                PRI => [(4, 0x8000_0000), (8, !0)],
                _ => [(4, 0), (4, 0)],
            };
            for (word, mask) in kept {
                self.keep(at.saturating_add(word), mask);
            }
            at = usize::try_from((header >> 20) & !3).unwrap_or(0);
        }
    }
}
