// SPDX-License-Identifier: GPL-2.0

//! AUX channels and the DisplayPort sink at the end of one (VESA DisplayPort 1.2, sections 2.7,
//! 2.9.3 and 3.5.1; gvt-spec 10.3).
//!
//! A transaction is over when the write that starts it returns. Whatever a guest sends gets an
//! answer on the channel and nowhere else. Different from the C driver on purpose:
//!
//! - A message that is too long, or shorter than it says, is not acknowledged. The C driver fails
//!   the write of the VMM.
//! - I2C reads return as many bytes as were asked for, from where the guest said. The C driver
//!   returns one, and counts from the start of the EDID.
//! - A sink that loses its link has no lock any more, and capabilities cannot be written.
//! - A port without a monitor times out on I2C too.

use kernel::{
    bitfield,
    prelude::*, //
};

use super::ddc::Ddc;
use crate::edid::Blocks;

/// Bytes of configuration data of the sink: addresses above read 0.
pub const DPCD_SIZE: usize = 0x700;
/// Most bytes of data in a message.
const MAX_DATA: usize = 16;
/// Most bytes of a message: command and address, length, data. The data registers hold as many.
pub const MAX_MESSAGE: usize = 4 + MAX_DATA;
/// Most bytes of a reply.
const MAX_REPLY: usize = 1 + MAX_DATA;
/// Data registers of a channel.
const REGISTERS: usize = MAX_MESSAGE / 4;

/// DPCD 1.2; up to 5.4 Gbit/s; four lanes, with enhanced framing.
const CAPABILITIES: [u8; 3] = [0x12, 0x14, 0x84];
const TRAINING_PATTERN_SET: usize = 0x102;
const SINK_COUNT: usize = 0x200;
const LANE0_1_STATUS: usize = 0x202;
const LANE2_3_STATUS: usize = 0x203;
const LANE_ALIGN_STATUS: usize = 0x204;
const SINK_STATUS: usize = 0x205;
const SET_POWER: usize = 0x600;
/// Capabilities and status, which a source cannot write.
const READ_ONLY: [core::ops::Range<usize>; 2] = [0x000..0x100, 0x200..0x300];

/// The status of two lanes: clock recovered.
const RECOVERED: u8 = 0x11;
/// Clock recovered, equalized, locked to symbols.
const EQUALIZED: u8 = 0x77;
const ALIGNED: u8 = 1;
/// Both receive ports are in synchronization.
const IN_SYNC: u8 = 3;
const POWER_ON: u8 = 1;

const ACK: u8 = 0x00;
const NATIVE_NACK: u8 = 0x10;
const I2C_NACK: u8 = 0x40;

bitfield! {
    /// The first three bytes of a message, with a byte of 0 before them.
    struct Head(u32) {
        /// Native, not I2C.
        23:23 native => bool;
        /// The I2C transaction goes on after this message.
        22:22 middle => bool;
        /// What to do.
        21:20 request;
        /// Address; one of I2C has 7 bits.
        19:0 address;
        6:0 i2c_address;
    }
}

const WRITE: u32 = 0;
const READ: u32 = 1;
const WRITE_STATUS: u32 = 2;

/// The answer to a message: up to 17 bytes, or none if nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    bytes: [u8; MAX_REPLY],
    size: usize,
}

impl Reply {
    /// Nobody answers.
    const NONE: Self = Self {
        bytes: [0; MAX_REPLY],
        size: 0,
    };

    fn new(status: u8, data: impl IntoIterator<Item = u8>) -> Self {
        let mut reply = Self::NONE;
        let [first, rest @ ..] = &mut reply.bytes;
        *first = status;
        reply.size = 1;
        for (slot, byte) in rest.iter_mut().zip(data) {
            *slot = byte;
            reply.size = reply.size.saturating_add(1);
        }
        reply
    }

    /// The bytes: what became of the request, and then data.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }
}

/// A DisplayPort monitor.
pub struct Sink {
    dpcd: KVec<u8>,
    ddc: Ddc,
    plugged: bool,
}

impl Sink {
    /// A monitor with this EDID, plugged in.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(edid: Blocks) -> Result<Self> {
        let mut sink = Self {
            dpcd: KVec::zeroed(DPCD_SIZE, GFP_KERNEL)?,
            ddc: Ddc::new(edid),
            plugged: true,
        };
        sink.reset();
        Ok(sink)
    }

    /// As after [`Sink::new`], but for the EDID and the plug.
    pub fn reset(&mut self) {
        self.dpcd.fill(0);
        for (at, byte) in (0..).zip(CAPABILITIES) {
            self.set(at, byte);
        }
        self.set(SINK_COUNT, 1);
        self.ddc.stop();
    }

    /// Plugs the monitor in or out. Configuration does not outlast that.
    pub fn plug(&mut self, plugged: bool) {
        if self.plugged != plugged {
            self.reset();
        }
        self.plugged = plugged;
    }

    /// Whether the monitor is plugged in.
    pub fn is_plugged(&self) -> bool {
        self.plugged
    }

    /// The I2C bus of the monitor.
    pub fn ddc(&mut self) -> &mut Ddc {
        &mut self.ddc
    }

    /// Answers a message: command and address in three bytes, a length where there is one, data.
    /// Nobody answers if no monitor is plugged in, or if the message ends before its address.
    pub fn transact(&mut self, request: &[u8]) -> Reply {
        let Some((&[first, second, third], rest)) = request.split_first_chunk() else {
            return Reply::NONE;
        };
        if !self.plugged {
            return Reply::NONE;
        }
        let head = Head::from_raw(u32::from_be_bytes([0, first, second, third]));
        let nack = if head.native() { NATIVE_NACK } else { I2C_NACK };
        let (length, data) = match rest.split_first() {
            Some((last, data)) => (usize::from(*last).saturating_add(1), data),
            None => (0, rest),
        };
        if length > MAX_DATA || request.len() > MAX_MESSAGE {
            return Reply::new(nack, [0]);
        }
        match (head.native(), head.request().get()) {
            (true, WRITE) => self.native_write(head, length, data),
            (true, READ) => self.native_read(head, length),
            (true, _) => Reply::new(nack, []),
            (false, request) => self.i2c(head, request, length, data),
        }
    }

    fn get(&self, at: usize) -> u8 {
        self.dpcd.get(at).copied().unwrap_or(0)
    }

    fn set(&mut self, at: usize, byte: u8) {
        if let Some(slot) = self.dpcd.get_mut(at) {
            *slot = byte;
        }
    }

    /// The addresses of a native message.
    fn addresses(head: Head, length: usize) -> impl Iterator<Item = usize> {
        let first = usize::try_from(head.address().get()).unwrap_or(usize::MAX);
        (first..).take(length)
    }

    /// A sink answers reads of addresses that it does not have with zeros.
    fn native_read(&self, head: Head, length: usize) -> Reply {
        let data = Self::addresses(head, length).map(|at| self.get(at));
        Reply::new(ACK, data)
    }

    fn native_write(&mut self, head: Head, length: usize, data: &[u8]) -> Reply {
        let exists = Self::addresses(head, length)
            .last()
            .is_some_and(|last| last < DPCD_SIZE);
        if data.len() < length || !exists {
            // Nothing was written, as the second byte says.
            return Reply::new(NATIVE_NACK, [0]);
        }
        for (at, byte) in Self::addresses(head, length).zip(data) {
            if READ_ONLY.iter().any(|range| range.contains(&at)) {
                continue;
            }
            self.set(at, *byte);
            match at {
                TRAINING_PATTERN_SET => self.train(*byte & 3),
                SET_POWER if *byte & 3 != POWER_ON => self.set_link(0, 0),
                _ => {}
            }
        }
        Reply::new(ACK, [])
    }

    /// Every step of link training works at once.
    fn train(&mut self, pattern: u8) {
        match pattern {
            0 if self.get(LANE_ALIGN_STATUS) == ALIGNED => self.set(SINK_STATUS, IN_SYNC),
            0 => self.set(SINK_STATUS, 0),
            1 => self.set_link(RECOVERED, 0),
            _ => self.set_link(EQUALIZED, ALIGNED),
        }
    }

    fn set_link(&mut self, lanes: u8, aligned: u8) {
        self.set(LANE0_1_STATUS, lanes);
        self.set(LANE2_3_STATUS, lanes);
        self.set(LANE_ALIGN_STATUS, aligned);
        self.set(SINK_STATUS, 0);
    }

    fn i2c(&mut self, head: Head, request: u32, length: usize, data: &[u8]) -> Reply {
        let address = u8::try_from(head.i2c_address().get()).unwrap_or(0);
        let reply = match request {
            WRITE if data.len() < length => Reply::new(I2C_NACK, []),
            WRITE if self.ddc.write(address, data.get(..length).unwrap_or(data)) => {
                Reply::new(ACK, [])
            }
            READ if self.ddc.acknowledges(address, true) => {
                let data = (0..length).map(|_| self.ddc.read(address));
                Reply::new(ACK, data)
            }
            WRITE_STATUS => Reply::new(ACK, []),
            _ => Reply::new(I2C_NACK, []),
        };
        if !head.middle() {
            self.ddc.stop();
        }
        reply
    }
}

bitfield! {
    /// The control register of a channel: `DP_AUX_CH_CTL`.
    struct AuxControl(u32) {
        /// Send; reads as busy.
        31:31 send => bool;
        /// The transaction is over.
        30:30 done => bool;
        /// Interrupt when it is.
        29:29 interrupt => bool;
        /// Nobody answered.
        28:28 time_out => bool;
        /// The answer was not understood, which never happens here.
        25:25 receive_error => bool;
        /// Bytes of the message, and then of the reply.
        24:20 size;
    }
}

/// The registers of a channel after a write to the control register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// `DP_AUX_CH_CTL`.
    pub control: u32,
    /// `DP_AUX_CH_DATA`, five registers.
    pub data: [u32; REGISTERS],
}

impl Channel {
    /// Takes a write of `value` to the control register. `sink` is the monitor of the port, if the
    /// port is one with a monitor.
    ///
    /// Returns whether the interrupt of the channel is to be raised.
    pub fn write_control(&mut self, value: u32, sink: Option<&mut Sink>) -> bool {
        let written = AuxControl::from_raw(value);
        let idle = written
            .with_send(false)
            .with_done(false)
            .with_time_out(false)
            .with_receive_error(false);
        if !written.send() {
            // The three conditions are cleared by writing 1.
            let old = AuxControl::from_raw(self.control);
            self.control = idle
                .with_done(old.done() && !written.done())
                .with_time_out(old.time_out() && !written.time_out())
                .with_receive_error(old.receive_error() && !written.receive_error())
                .into_raw();
            return false;
        }
        let reply = sink.map_or(Reply::NONE, |sink| self.send(written, sink));
        let size = u32::try_from(reply.size).unwrap_or(0);
        let answered = reply.size != 0;
        if answered {
            self.store(&reply);
        }
        self.control = idle
            .with_done(true)
            .with_time_out(!answered)
            .try_with_size(size)
            .unwrap_or(idle)
            .into_raw();
        written.interrupt()
    }

    fn send(&self, control: AuxControl, sink: &mut Sink) -> Reply {
        // The size can be more than the registers hold. Such a message is not acknowledged.
        let mut message = [0; 32];
        for (bytes, register) in message.chunks_exact_mut(4).zip(self.data) {
            bytes.copy_from_slice(&register.to_be_bytes());
        }
        let size = usize::try_from(control.size().get()).unwrap_or(message.len());
        sink.transact(message.get(..size).unwrap_or(&message))
    }

    /// Puts the reply into the data registers, as far as they are touched by it.
    fn store(&mut self, reply: &Reply) {
        for (register, chunk) in self.data.iter_mut().zip(reply.as_bytes().chunks(4)) {
            let mut bytes = [0; 4];
            for (to, from) in bytes.iter_mut().zip(chunk) {
                *to = *from;
            }
            *register = u32::from_be_bytes(bytes);
        }
    }
}
