// SPDX-License-Identifier: GPL-2.0
//! AUX channels: a control register, five data registers, and a sink at the far end.
//!
//! Transactions are over when the write that starts them returns. Source: Skylake PRM volume 2c, `DDI_AUX_CTL`,
//! `DDI_AUX_DATA`; Broadwell PRM volume 2c, `DP_AUX_CH_CTL`, where ports B to D have theirs in the PCH.

use crate::bar0::Bar0;
use crate::display::sink::{Sink, MAX_DATA};
use crate::irq::{Group, Interrupts};
use crate::platform::DisplayKind;

const CHANNELS: usize = 4;
/// Longest message: a header or reply byte, address, length and data.
const MAX_MESSAGE: usize = 4 + MAX_DATA;

const SEND: u32 = 1 << 31;
const DONE: u32 = 1 << 30;
const INTERRUPT: u32 = 1 << 29;
const TIME_OUT: u32 = 1 << 28;
const RECEIVE_ERROR: u32 = 1 << 25;
const SIZE_SHIFT: u32 = 20;
const SIZE: u32 = 0x1f << SIZE_SHIFT;

/// Control registers of the channels, those of ports A to D.
fn control_of(kind: DisplayKind, channel: usize) -> u32 {
    let base = if kind == DisplayKind::Broadwell && channel > 0 { 0xe4010 } else { 0x64010 };
    base + 0x100 * channel as u32
}

/// Offsets that this block answers for.
pub fn claims(kind: DisplayKind) -> impl Iterator<Item = u32> {
    (0..CHANNELS).map(move |channel| control_of(kind, channel))
}

/// The channel, which is the port, of a register of this block.
pub fn channel_of(offset: u32) -> usize {
    (offset >> 8 & 0xf) as usize
}

/// Interrupt of a channel.
fn interrupt(kind: DisplayKind, channel: usize) -> (Group, u32) {
    match (kind, channel) {
        (_, 0) => (Group::Port, 1 << 0),
        (DisplayKind::Broadwell, _) => (Group::Pch, 1 << (24 + channel)),
        _ => (Group::Port, 1 << (24 + channel)),
    }
}

/// Handles a write of a control register.
pub fn write(kind: DisplayKind, bar0: &Bar0, irq: &Interrupts, sink: Option<&mut Sink>, control: u32, value: u32) {
    let sticky = DONE | TIME_OUT | RECEIVE_ERROR;
    if value & SEND == 0 {
        let left = bar0.load(control) & !value & sticky;
        bar0.store(control, value & !sticky | left);
        return;
    }
    let size = ((value & SIZE) >> SIZE_SHIFT) as usize;
    let request: Vec<u8> =
        (0..5).flat_map(|i| bar0.load(control + 4 + 4 * i).to_be_bytes()).take(size.min(MAX_MESSAGE)).collect();
    let reply = sink.and_then(|sink| sink.transact(&request));
    let result = match &reply {
        Some(bytes) => DONE | (bytes.len() as u32) << SIZE_SHIFT,
        // Nobody answered.
        None => DONE | TIME_OUT,
    };
    for (index, chunk) in reply.iter().flat_map(|bytes| bytes.chunks(4)).enumerate() {
        let mut word = [0u8; 4];
        word.iter_mut().zip(chunk).for_each(|(slot, byte)| *slot = *byte);
        bar0.store(control + 4 + 4 * index as u32, u32::from_be_bytes(word));
    }
    bar0.store(control, value & !(SEND | SIZE | sticky) | result);
    if value & INTERRUPT != 0 {
        let (group, bit) = interrupt(kind, channel_of(control));
        irq.raise(group, bit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        bar0: Bar0,
        irq: Interrupts,
        sink: Option<Sink>,
    }

    impl Rig {
        fn new(sink: Option<Sink>) -> Self {
            let irq = Interrupts::default();
            irq.reset();
            irq.write(0x44444, 0);
            irq.write(0xc4004, 0);
            Self { bar0: Bar0::new().unwrap(), irq, sink }
        }

        /// Sends a message as i915's `intel_dp_aux_xfer` does and returns the status.
        fn send(&mut self, control: u32, kind: DisplayKind, message: &[u8]) -> u32 {
            for (index, chunk) in message.chunks(4).enumerate() {
                let word = chunk.iter().enumerate().fold(0, |word, (i, byte)| word | u32::from(*byte) << (24 - 8 * i));
                self.bar0.store(control + 4 + 4 * index as u32, word);
            }
            let command = SEND | DONE | INTERRUPT | TIME_OUT | RECEIVE_ERROR | 3 << 26;
            let command = command | (message.len() as u32) << SIZE_SHIFT | 0x3ff;
            write(kind, &self.bar0, &self.irq, self.sink.as_mut(), control, command);
            let status = self.bar0.load(control);
            let clear = status | DONE | TIME_OUT | RECEIVE_ERROR;
            write(kind, &self.bar0, &self.irq, self.sink.as_mut(), control, clear);
            assert_eq!(self.bar0.load(control) & (DONE | TIME_OUT | RECEIVE_ERROR), 0);
            status
        }
    }

    #[test]
    fn a_read_returns_reply_and_data() {
        let mut rig = Rig::new(Some(Sink::new(vec![])));
        let status = rig.send(0x64110, DisplayKind::Skylake, &[0x90, 0, 0, 2]);
        assert_eq!(status & (SEND | DONE | TIME_OUT | RECEIVE_ERROR | SIZE), DONE | 4 << SIZE_SHIFT);
        assert_eq!(rig.bar0.load(0x64114), 0x0012_14c4);
        assert_eq!(rig.irq.read(0x44448), 1 << 25);
    }

    #[test]
    fn nobody_there_is_a_time_out() {
        let mut rig = Rig::new(None);
        let status = rig.send(0x64010, DisplayKind::Skylake, &[0x90, 0, 0, 0]);
        assert_eq!(status & (SEND | DONE | TIME_OUT | RECEIVE_ERROR | SIZE), DONE | TIME_OUT);
        assert_eq!(rig.irq.read(0x44448), 1);
    }

    #[test]
    fn broadwell_has_its_channels_in_the_pch() {
        let claims: Vec<_> = claims(DisplayKind::Broadwell).collect();
        assert_eq!(claims, [0x64010, 0xe4110, 0xe4210, 0xe4310]);
        let mut rig = Rig::new(Some(Sink::new(vec![7; 128])));
        rig.send(0xe4110, DisplayKind::Broadwell, &[0x40, 0, 0x50, 0, 0]);
        let status = rig.send(0xe4110, DisplayKind::Broadwell, &[0x50, 0, 0x50, 15]);
        assert_eq!((status & SIZE) >> SIZE_SHIFT, 17);
        assert_eq!(rig.bar0.load(0xe4114), 0x0007_0707);
        assert_eq!(rig.irq.read(0xc4008), 1 << 25);
    }
}
