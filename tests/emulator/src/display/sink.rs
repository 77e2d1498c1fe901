// SPDX-License-Identifier: GPL-2.0
//! The far end of an AUX channel: a DisplayPort 1.2 monitor with its configuration data (DPCD) and link training.
//!
//! Source: VESA DisplayPort Standard 1.2, sections 2.7 (AUX transactions) and 2.9.3 (DPCD), 3.5.1.2 (link training).

use crate::display::ddc::Ddc;

/// Longest data field of one AUX transaction.
pub const MAX_DATA: usize = 16;

const LINK_BW_SET: usize = 0x100;
const LANE_COUNT_SET: usize = 0x101;
const TRAINING_PATTERN_SET: usize = 0x102;
const LANE0_1_STATUS: usize = 0x202;
const LANE2_3_STATUS: usize = 0x203;
const LANE_ALIGN_STATUS: usize = 0x204;
const SINK_STATUS: usize = 0x205;
const SET_POWER: usize = 0x600;
/// End of what a sink of this version defines; above it only the event status mirror exists.
const DEFINED: usize = 0x700;
/// Event status indicator field: a second view of the link status.
const MIRROR: std::ops::Range<u32> = 0x2002..0x2010;

const REPLY_ACK: u8 = 0x00;
const REPLY_NATIVE_NACK: u8 = 0x10;
const REPLY_I2C_NACK: u8 = 0x40;

/// A DisplayPort monitor behind its AUX channel.
#[derive(Clone, Debug)]
pub struct Sink {
    dpcd: Vec<u8>,
    ddc: Ddc,
}

impl Sink {
    /// A monitor with four lanes of up to 5.4 Gbit/s and this identification data.
    pub fn new(edid: Vec<u8>) -> Self {
        let mut dpcd = vec![0u8; DEFINED];
        // DPCD 1.2, HBR2, four lanes with enhanced framing and training pattern 3, down-spread.
        dpcd[..4].copy_from_slice(&[0x12, 0x14, 0xc4, 0x01]);
        // 8b/10b coding; the receiver has identification data of its own.
        dpcd[6] = 1;
        dpcd[8] = 2;
        // One sink, ready for nothing special; powered up.
        dpcd[0x200] = 1;
        dpcd[SET_POWER] = 1;
        Self { dpcd, ddc: Ddc::new(edid) }
    }

    /// Answers one request: a command and address of three bytes, a length where there is one, and data.
    ///
    /// Returns the reply's bytes, or nothing where the request is too short for the sink to know that it is meant.
    pub fn transact(&mut self, request: &[u8]) -> Option<Vec<u8>> {
        let (&[command, middle, low], rest) = request.split_first_chunk::<3>()?;
        let address = u32::from(command & 0xf) << 16 | u32::from(middle) << 8 | u32::from(low);
        let (length, data) = match rest.split_first() {
            Some((length, data)) => (usize::from(*length & 0xf) + 1, data),
            None => (0, rest),
        };
        let data = data.get(..length.min(data.len())).unwrap_or(data);
        Some(match command >> 4 {
            0x8 => self.native_write(address, data),
            0x9 => {
                let read = (0..length as u32).map(|i| self.dpcd_read(address.wrapping_add(i)));
                std::iter::once(REPLY_ACK).chain(read).collect()
            }
            // I2C: bits 1:0 say write, read or status of a write, bit 2 that the transaction goes on.
            command @ 0x0..=0x7 => self.i2c(command, (address & 0x7f) as u8, length, data),
            _ => vec![REPLY_NATIVE_NACK],
        })
    }

    fn dpcd_read(&self, address: u32) -> u8 {
        let index = match address {
            0x2002 => 0x200,
            address if MIRROR.contains(&address) && address >= 0x200c => address - 0x200c + LANE0_1_STATUS as u32,
            address => address,
        };
        self.dpcd.get(index as usize).copied().unwrap_or(0)
    }

    fn native_write(&mut self, address: u32, data: &[u8]) -> Vec<u8> {
        for (index, byte) in (address as usize..).zip(data) {
            // Capabilities cannot be written, and status bits only be cleared, which they never need to be here.
            let writable = (0x100..0x200).contains(&index) || (0x300..DEFINED).contains(&index);
            if let Some(slot) = self.dpcd.get_mut(index).filter(|_| writable) {
                *slot = *byte;
            }
        }
        let wrote = |index: usize| (address as usize..address as usize + data.len()).contains(&index);
        if wrote(LINK_BW_SET) || wrote(LANE_COUNT_SET) {
            self.set_link_status(0, false);
        }
        if wrote(TRAINING_PATTERN_SET) {
            match self.dpcd[TRAINING_PATTERN_SET] & 3 {
                0 => {}
                // Clock recovery works at once.
                1 => self.set_link_status(0x1, false),
                // And so do equalization and symbol lock.
                _ => self.set_link_status(0x7, true),
            }
        }
        if wrote(SET_POWER) && self.dpcd[SET_POWER] & 3 != 1 {
            self.set_link_status(0, false);
        }
        vec![REPLY_ACK]
    }

    /// Gives every lane in use the same four status bits.
    fn set_link_status(&mut self, lane: u8, aligned: bool) {
        let lanes = usize::from(self.dpcd[LANE_COUNT_SET] & 0x1f);
        let status = |index: usize| if index < lanes { lane } else { 0 };
        self.dpcd[LANE0_1_STATUS] = status(0) | status(1) << 4;
        self.dpcd[LANE2_3_STATUS] = status(2) | status(3) << 4;
        self.dpcd[LANE_ALIGN_STATUS] = u8::from(aligned);
        self.dpcd[SINK_STATUS] = u8::from(aligned);
    }

    fn i2c(&mut self, command: u8, address: u8, length: usize, data: &[u8]) -> Vec<u8> {
        let reply = match command & 3 {
            0 if self.ddc.write(address, data) => vec![REPLY_ACK],
            1 if self.ddc.acknowledges(address) => {
                let read = (0..length).map(|_| self.ddc.read(address));
                std::iter::once(REPLY_ACK).chain(read).collect()
            }
            2 => vec![REPLY_ACK],
            _ => vec![REPLY_I2C_NACK],
        };
        if command & 4 == 0 {
            self.ddc.stop();
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(sink: &mut Sink, address: u16, data: &[u8]) {
        let mut request = vec![0x80, (address >> 8) as u8, address as u8, data.len() as u8 - 1];
        request.extend(data);
        assert_eq!(sink.transact(&request), Some(vec![REPLY_ACK]));
    }

    fn read(sink: &mut Sink, address: u16, length: u8) -> Vec<u8> {
        let reply = sink.transact(&[0x90, (address >> 8) as u8, address as u8, length - 1]).unwrap();
        assert_eq!(reply[0], REPLY_ACK);
        reply[1..].to_vec()
    }

    #[test]
    fn training_goes_through_its_phases() {
        let mut sink = Sink::new(vec![]);
        assert_eq!(read(&mut sink, 0, 3), [0x12, 0x14, 0xc4]);
        write(&mut sink, 0x100, &[0x0a, 0x82]);
        assert_eq!(read(&mut sink, 0x202, 3), [0, 0, 0]);
        write(&mut sink, 0x102, &[0x21, 0, 0, 0, 0]);
        assert_eq!(read(&mut sink, 0x202, 3), [0x11, 0, 0]);
        write(&mut sink, 0x102, &[0x22]);
        assert_eq!(read(&mut sink, 0x202, 3), [0x77, 0, 1]);
        write(&mut sink, 0x102, &[0]);
        assert_eq!(read(&mut sink, 0x202, 3), [0x77, 0, 1], "the link stays trained");
        assert_eq!(read(&mut sink, 0x200c, 2), [0x77, 0]);
        write(&mut sink, 0x600, &[2]);
        assert_eq!(read(&mut sink, 0x202, 3), [0, 0, 0], "a sink that sleeps has no lock");
    }

    #[test]
    fn capabilities_are_read_only() {
        let mut sink = Sink::new(vec![]);
        write(&mut sink, 0, &[0xff]);
        assert_eq!(read(&mut sink, 0, 1), [0x12]);
    }

    #[test]
    fn undefined_addresses_read_zero() {
        let mut sink = Sink::new(vec![]);
        assert_eq!(sink.transact(&[0x9f, 0xff, 0xf0, 15]).unwrap(), vec![0; 17]);
        assert_eq!(sink.transact(&[0x8f, 0xff, 0xff, 0, 1]), Some(vec![REPLY_ACK]));
    }

    #[test]
    fn identification_data_comes_in_pieces() {
        let mut sink = Sink::new((0..128).collect());
        assert_eq!(sink.transact(&[0x40, 0, 0x50]), Some(vec![0]), "a bare address opens the transaction");
        assert_eq!(sink.transact(&[0x40, 0, 0x50, 0, 32]), Some(vec![0]));
        let mut data: Vec<u8> = Vec::new();
        for _ in 0..2 {
            data.extend(&sink.transact(&[0x50, 0, 0x50, 15]).unwrap()[1..]);
        }
        assert_eq!(data, (32..64).collect::<Vec<u8>>());
        assert_eq!(sink.transact(&[0x10, 0, 0x50]), Some(vec![0]), "a bare address without more to come ends it");
        assert_eq!(sink.transact(&[0x40, 0, 0x37, 0, 0]), Some(vec![REPLY_I2C_NACK]));
    }

    #[test]
    fn runts_get_no_answer() {
        let mut sink = Sink::new(vec![]);
        assert_eq!(sink.transact(&[0x90, 0]), None);
        assert_eq!(sink.transact(&[]), None);
    }
}
