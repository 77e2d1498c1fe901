// SPDX-License-Identifier: GPL-2.0
//! The I2C devices of a monitor: the memory with its identification data, and the segment register in front of it.
//!
//! The same devices answer over AUX, over GMBUS and to any other master. Source: VESA Enhanced Display Data Channel 1.2.

/// Address of the identification memory.
const MEMORY: u8 = 0x50;
/// Address of the segment register.
const SEGMENT: u8 = 0x30;

/// A monitor's I2C bus, seen from its connector.
#[derive(Clone, Debug, Default)]
pub struct Ddc {
    data: Vec<u8>,
    /// Which 256 bytes are seen; returns to 0 with each stop.
    segment: u8,
    /// Where the next byte is read.
    offset: u8,
}

impl Ddc {
    /// A bus with a memory of this content.
    pub fn new(data: Vec<u8>) -> Self {
        Self { data, segment: 0, offset: 0 }
    }

    /// Whether a device acknowledges this address.
    pub fn acknowledges(&self, address: u8) -> bool {
        address == MEMORY || address == SEGMENT
    }

    /// Writes to a device; false where none acknowledges.
    pub fn write(&mut self, address: u8, data: &[u8]) -> bool {
        match (address, data.last()) {
            (MEMORY, Some(last)) => self.offset = *last,
            (SEGMENT, Some(last)) => self.segment = *last,
            _ => {}
        }
        self.acknowledges(address)
    }

    /// Reads the next byte of a device; what has no content reads as an idle bus.
    pub fn read(&mut self, address: u8) -> u8 {
        if address != MEMORY {
            return 0xff;
        }
        let index = usize::from(self.segment) * 256 + usize::from(self.offset);
        self.offset = self.offset.wrapping_add(1);
        self.data.get(index).copied().unwrap_or(0xff)
    }

    /// Ends a transaction.
    pub fn stop(&mut self) {
        self.segment = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_go_on_where_the_last_one_ended() {
        let mut bus = Ddc::new((0..=255).collect());
        assert!(bus.write(MEMORY, &[250]));
        let read: Vec<_> = (0..8).map(|_| bus.read(MEMORY)).collect();
        assert_eq!(read, [250, 251, 252, 253, 254, 255, 0, 1]);
    }

    #[test]
    fn a_segment_lasts_for_one_transaction() {
        let mut bus = Ddc::new((0..512).map(|i| (i >> 8) as u8).collect());
        assert!(bus.write(SEGMENT, &[1]));
        assert!(bus.write(MEMORY, &[0]));
        assert_eq!(bus.read(MEMORY), 1);
        bus.stop();
        bus.write(MEMORY, &[0]);
        assert_eq!(bus.read(MEMORY), 0);
        bus.write(SEGMENT, &[7]);
        assert_eq!(bus.read(MEMORY), 0xff, "there is no such segment");
    }

    #[test]
    fn nothing_else_answers() {
        let mut bus = Ddc::new(vec![0; 128]);
        assert!(!bus.write(0x37, &[0]));
        assert_eq!(bus.read(0x37), 0xff);
    }
}
