// SPDX-License-Identifier: GPL-2.0

//! The I2C bus of the monitor: the memory with its EDID, and the segment pointer in front of it
//! (VESA Enhanced Display Data Channel 1.2).
//!
//! It is reached over AUX, and over GMBUS where a monitor has the wires for it.

use crate::edid::Blocks;

/// Address of the memory with the EDID, 7 bits.
pub const EDID_ADDRESS: u8 = 0x50;
/// Address of the segment pointer, 7 bits.
pub const SEGMENT_ADDRESS: u8 = 0x30;

/// What an idle bus reads.
const IDLE: u8 = 0xff;
/// Bytes that one value of the segment pointer makes visible.
const SEGMENT_SIZE: usize = 256;

/// The I2C devices of a monitor.
#[derive(Clone, Debug)]
pub struct Ddc {
    edid: Blocks,
    /// Which 256 bytes are visible; 0 again after each transaction.
    segment: u8,
    /// Where the next byte is read.
    offset: u8,
}

impl Ddc {
    /// A bus with a memory that holds this EDID.
    pub const fn new(edid: Blocks) -> Self {
        Self {
            edid,
            segment: 0,
            offset: 0,
        }
    }

    /// Gives the monitor another EDID.
    pub fn set_edid(&mut self, edid: Blocks) {
        *self = Self::new(edid);
    }

    /// The EDID.
    pub const fn edid(&self) -> &Blocks {
        &self.edid
    }

    /// Whether a device acknowledges this address, for a read or for a write.
    pub const fn acknowledges(&self, address: u8, read: bool) -> bool {
        address == EDID_ADDRESS || (address == SEGMENT_ADDRESS && !read)
    }

    /// Writes to a device, for which the last byte counts; `false` if none acknowledges.
    pub fn write(&mut self, address: u8, data: &[u8]) -> bool {
        match (address, data.last()) {
            (EDID_ADDRESS, Some(last)) => self.offset = *last,
            (SEGMENT_ADDRESS, Some(last)) => self.segment = *last,
            _ => {}
        }
        self.acknowledges(address, false)
    }

    /// Reads the next byte of a device. What has no content reads as an idle bus does.
    pub fn read(&mut self, address: u8) -> u8 {
        if !self.acknowledges(address, true) {
            return IDLE;
        }
        let at = usize::from(self.segment)
            .saturating_mul(SEGMENT_SIZE)
            .saturating_add(usize::from(self.offset));
        self.offset = self.offset.wrapping_add(1);
        self.edid.as_bytes().get(at).copied().unwrap_or(IDLE)
    }

    /// Ends a transaction.
    pub fn stop(&mut self) {
        self.segment = 0;
    }
}
