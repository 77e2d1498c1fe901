// SPDX-License-Identifier: GPL-2.0

//! Any messages on an AUX channel. Every one gets an answer of the right form, and I2C reads what the EDID holds.

#![no_main]

use exercise::Source;
use gvt_model::display::aux::{Channel, Sink};
use gvt_model::edid::mode::{Limits, Mode};
use gvt_model::edid::Blocks;
use libfuzzer_sys::fuzz_target;

const SEND: u32 = 1 << 31;
const DONE: u32 = 1 << 30;
const TIME_OUT: u32 = 1 << 28;

fuzz_target!(|script: &[u8]| {
    let mode = Mode::reduced(2560, 1440, 60).expect("a mode");
    let edid = Blocks::monitor(&mode, Limits::new(1 << 30)).expect("an EDID");
    let mut sink = Sink::new(edid).expect("memory");
    let mut plugged = true;
    // Where the next byte of the EDID is read, in the words of the standard: segment and offset.
    let (mut segment, mut offset) = (0u8, 0u8);
    let mut source = Source::new(script);
    while !source.is_empty() {
        match source.byte() {
            0..=7 => {
                let plug = source.byte() & 1 != 0;
                if plug != plugged {
                    segment = 0;
                }
                plugged = plug;
                sink.plug(plug);
                continue;
            }
            8..=31 => {
                let mut channel = Channel { control: source.word(), data: [0; 5].map(|_| source.word()) };
                // This one is for the channel: the sink behind it is another one.
                let mut other = Sink::new(edid).expect("memory");
                let value = source.word();
                let interrupt = channel.write_control(value, Some(&mut other));
                assert!(channel.control & SEND == 0);
                assert!(!interrupt || value & (SEND | 1 << 29) == SEND | 1 << 29);
                if value & SEND != 0 {
                    assert!(channel.control & DONE != 0);
                    assert_eq!(channel.control & TIME_OUT != 0, value >> 20 & 0x1f < 3);
                    assert!(channel.control >> 20 & 0x1f <= 17);
                }
                continue;
            }
            _ => {}
        }
        let head: [u8; 3] = match source.byte() {
            0..=63 => [[0x40, 0x50, 0x00, 0x10][usize::from(source.byte() % 4)], 0, 0x50],
            64..=95 => [0x40, 0, 0x30],
            96..=159 => [0x80 | source.byte() & 0x10, source.byte() % 8, source.byte()],
            _ => source.take(),
        };
        let mut message = head.to_vec();
        if source.byte() >= 32 {
            let length = source.byte() % 18;
            message.push(length);
            if head[0] >> 4 & 3 == 0 && source.byte() >= 16 {
                message.extend((0..=length).map(|_| source.byte()));
            }
        }
        let length = message.get(3).map_or(0, |length| usize::from(*length) + 1);
        let data = message.get(4..).unwrap_or_default();
        let reply = sink.transact(&message);
        let reply = reply.as_bytes();
        if !plugged {
            assert!(reply.is_empty());
            continue;
        }
        let (status, read) = reply.split_first().expect("an answer");
        let legal = length <= 16 && message.len() <= 20;
        match (head[0] >> 4, legal) {
            (9 | 13, true) => {
                assert_eq!((*status, read.len()), (0, length));
                let place = usize::from(head[0] & 0xf) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if place >= 0x700 {
                    assert!(read.iter().all(|byte| *byte == 0));
                }
                if place == 0 && length >= 3 {
                    assert_eq!(read[..3], [0x12, 0x14, 0x84]);
                }
            }
            (8.., _) => assert!(matches!(reply, [0] | [0x10] | [0x10, 0])),
            (_, false) => assert_eq!(reply, [0x40, 0]),
            (command, true) => {
                let address = head[2] & 0x7f;
                match (command & 3, address) {
                    (0, 0x50 | 0x30) if data.len() < length => assert_eq!(reply, [0x40]),
                    (0, 0x50 | 0x30) => {
                        assert_eq!(reply, [0]);
                        if let Some(last) = data.get(..length).and_then(<[u8]>::last) {
                            *(if address == 0x50 { &mut offset } else { &mut segment }) = *last;
                        }
                    }
                    (1, 0x50) => {
                        assert_eq!((*status, read.len()), (0, length));
                        for byte in read {
                            let place = usize::from(segment) * 256 + usize::from(offset);
                            assert_eq!(*byte, edid.as_bytes().get(place).copied().unwrap_or(0xff));
                            offset = offset.wrapping_add(1);
                        }
                    }
                    (2, _) => assert_eq!(reply, [0]),
                    _ => assert_eq!(reply, [0x40]),
                }
                if command & 4 == 0 {
                    segment = 0;
                }
            }
        }
    }
});
