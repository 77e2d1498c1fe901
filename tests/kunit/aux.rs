// SPDX-License-Identifier: GPL-2.0

//! The AUX channel, and the DisplayPort sink and the I2C bus of the monitor behind it.

use kernel::prelude::*;

#[kunit_tests(gvt_aux)]
mod gvt_aux {
    use super::*;
    use gvt_model::{
        display::{
            aux::{
                Channel,
                Sink, //
            },
            ddc::Ddc, //
        },
        edid::{
            mode::{
                Limits,
                Mode, //
            },
            Blocks, //
        },
        types::Resolution, //
    };

    const SEND: u32 = 1 << 31;
    const DONE: u32 = 1 << 30;
    const INTERRUPT: u32 = 1 << 29;
    const TIME_OUT: u32 = 1 << 28;
    const RECEIVE_ERROR: u32 = 1 << 25;
    const STATUS: u32 = SEND | DONE | TIME_OUT | RECEIVE_ERROR;

    /// The size of a reply, from the control register.
    fn size(control: u32) -> u32 {
        control >> 20 & 0x1f
    }

    fn classic() -> Result<Sink> {
        Sink::new(Blocks::classic(Resolution::Wuxga))
    }

    fn big() -> Blocks {
        Mode::reduced(2560, 1440, 60)
            .and_then(|mode| Blocks::monitor(&mode, Limits::new(1 << 30)))
            .unwrap_or(Blocks::classic(Resolution::Xga))
    }

    #[test]
    fn a_native_read_returns_what_there_is() -> Result {
        let mut sink = classic()?;
        for (request, reply) in [
            ([0x90, 0, 0, 2], &[0, 0x12, 0x14, 0x84][..]),
            ([0x90, 0, 0, 0], &[0, 0x12]),
            (
                [0x90, 0, 2, 15],
                &[0, 0x84, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            ),
            ([0x90, 2, 0, 1], &[0, 1, 0]),
            // The end of the data, and beyond: zeros, with an acknowledgement.
            ([0x90, 6, 0xff, 1], &[0, 0, 0]),
            ([0x90, 7, 0, 0], &[0, 0]),
            ([0x9f, 0xff, 0xff, 3], &[0, 0, 0, 0, 0]),
        ] {
            assert_eq!(sink.transact(&request).as_bytes(), reply);
        }
        Ok(())
    }

    #[test]
    fn a_native_write_stays() -> Result {
        let mut sink = classic()?;
        let ack = sink.transact(&[0x80, 1, 0, 1, 0x14, 0x84]);
        assert_eq!(ack.as_bytes(), [0]);
        let read = sink.transact(&[0x90, 1, 0, 1]);
        assert_eq!(read.as_bytes(), [0, 0x14, 0x84]);
        // Capabilities and status do not change.
        for at in [[0, 0], [0, 0xff], [2, 0], [2, 2], [2, 0xff]] {
            let [high, low] = at;
            let before = sink.transact(&[0x90, high, low, 0]);
            let ack = sink.transact(&[0x80, high, low, 0, 0x55]);
            assert_eq!(ack.as_bytes(), [0]);
            assert_eq!(sink.transact(&[0x90, high, low, 0]), before);
        }
        // The last address that there is.
        assert_eq!(sink.transact(&[0x80, 6, 0xff, 0, 9]).as_bytes(), [0]);
        assert_eq!(sink.transact(&[0x90, 6, 0xff, 0]).as_bytes(), [0, 9]);
        sink.reset();
        assert_eq!(sink.transact(&[0x90, 6, 0xff, 0]).as_bytes(), [0, 0]);
        assert_eq!(sink.transact(&[0x90, 0, 0, 0]).as_bytes(), [0, 0x12]);
        Ok(())
    }

    #[test]
    fn a_wrong_message_is_not_acknowledged() -> Result {
        let mut sink = classic()?;
        let long = |first, length| {
            let mut message = [0; 21];
            let [a, _, _, b, ..] = &mut message;
            (*a, *b) = (first, length);
            message
        };
        // Beyond the end, all or a part of it; less data than said.
        for request in [
            &[0x80, 7, 0, 0, 1][..],
            &[0x80, 6, 0xff, 1, 1, 2],
            &[0x8f, 0xff, 0xff, 0, 1],
            &[0x80, 1, 0, 1, 1],
            &[0x80, 1, 0, 0],
            &[0x80, 1, 0],
            // 17 bytes and more.
            &[0x80, 1, 0, 16],
            &[0x80, 1, 0, 0xff],
            &[0x90, 0, 0, 16],
            &long(0x80, 15),
            &long(0x90, 0),
        ] {
            let reply = sink.transact(request);
            assert_eq!(reply.as_bytes().first(), Some(&0x10));
            assert_eq!(reply.as_bytes().get(1).copied().unwrap_or(0), 0);
        }
        assert_eq!(sink.transact(&[0x90, 1, 0, 0]).as_bytes(), [0, 0]);
        for request in [
            &[0x40, 0, 0x50, 16][..],
            &[0x50, 0, 0x50, 16],
            &[0x40, 0, 0x50, 1, 0],
            &long(0x50, 0),
        ] {
            let reply = sink.transact(request);
            assert_eq!(reply.as_bytes().first(), Some(&0x40));
        }
        // No such request.
        for first in [0xa0, 0xb0, 0xc0, 0xf0] {
            let mut reply = sink.transact(&[first, 0, 0, 0]);
            if first >= 0xc0 {
                // Bit 2 means nothing to a native request.
                reply = sink.transact(&[first | 0x20, 0, 0, 0]);
            }
            assert_eq!(reply.as_bytes(), [0x10]);
        }
        // Not even an address.
        for request in [&[][..], &[0x90], &[0x90, 0]] {
            assert_eq!(sink.transact(request).as_bytes(), []);
        }
        Ok(())
    }

    /// The status of the lanes, their alignment and the receive ports.
    fn link(sink: &mut Sink) -> [u8; 4] {
        let reply = sink.transact(&[0x90, 2, 2, 3]);
        reply.as_bytes().last_chunk().copied().unwrap_or([0xff; 4])
    }

    #[test]
    fn a_link_is_trained_in_steps() -> Result {
        let mut sink = classic()?;
        let pattern = |sink: &mut Sink, value| {
            sink.transact(&[0x80, 1, 2, 0, value]);
            link(sink)
        };
        assert_eq!(link(&mut sink), [0, 0, 0, 0]);
        // Nothing was trained, so nothing is in synchronization.
        assert_eq!(pattern(&mut sink, 0), [0, 0, 0, 0]);
        assert_eq!(pattern(&mut sink, 0x21), [0x11, 0x11, 0, 0]);
        assert_eq!(pattern(&mut sink, 0x22), [0x77, 0x77, 1, 0]);
        assert_eq!(pattern(&mut sink, 0), [0x77, 0x77, 1, 3]);
        // Once more, from the start, with pattern 3 and in one message with the lanes.
        assert_eq!(pattern(&mut sink, 1), [0x11, 0x11, 0, 0]);
        sink.transact(&[0x80, 1, 2, 4, 3, 0, 0, 0, 0]);
        assert_eq!(link(&mut sink), [0x77, 0x77, 1, 0]);
        assert_eq!(pattern(&mut sink, 0), [0x77, 0x77, 1, 3]);
        // Power off and on.
        sink.transact(&[0x80, 6, 0, 0, 1]);
        assert_eq!(link(&mut sink), [0x77, 0x77, 1, 3]);
        sink.transact(&[0x80, 6, 0, 0, 2]);
        assert_eq!(link(&mut sink), [0, 0, 0, 0]);
        Ok(())
    }

    #[test]
    fn nobody_is_there_without_a_plug() -> Result {
        let mut sink = classic()?;
        sink.transact(&[0x80, 1, 0, 0, 7]);
        sink.plug(true);
        assert_eq!(sink.transact(&[0x90, 1, 0, 0]).as_bytes(), [0, 7]);
        sink.plug(false);
        assert_eq!(sink.transact(&[0x90, 1, 0, 0]).as_bytes(), []);
        assert_eq!(sink.transact(&[0x50, 0, 0x50, 0]).as_bytes(), []);
        sink.plug(true);
        assert_eq!(sink.transact(&[0x90, 1, 0, 0]).as_bytes(), [0, 0]);
        Ok(())
    }

    /// Reads a block as `drm_do_probe_ddc_edid` does, over `i2c_aux_transfer` in pieces of `step`.
    fn read_block(sink: &mut Sink, block: u8, step: u8) -> Result<[u8; 128]> {
        let segment = block >> 1;
        let ack = |reply: &[u8]| (reply == [0]).then_some(()).ok_or(EIO);
        if segment != 0 {
            ack(sink.transact(&[0x40, 0, 0x30]).as_bytes())?;
            ack(sink.transact(&[0x40, 0, 0x30, 0, segment]).as_bytes())?;
        }
        let offset = (block & 1) << 7;
        ack(sink.transact(&[0x40, 0, 0x50]).as_bytes())?;
        ack(sink.transact(&[0x40, 0, 0x50, 0, offset]).as_bytes())?;
        ack(sink.transact(&[0x50, 0, 0x50]).as_bytes())?;
        let mut data = [0; 128];
        for chunk in data.chunks_mut(step.into()) {
            let length = u8::try_from(chunk.len()).map_err(|_| EINVAL)?;
            let reply = sink.transact(&[0x50, 0, 0x50, length.wrapping_sub(1)]);
            let Some((0, bytes)) = reply.as_bytes().split_first() else {
                return Err(EIO);
            };
            if bytes.len() != chunk.len() {
                return Err(EIO);
            }
            chunk.copy_from_slice(bytes);
        }
        ack(sink.transact(&[0x10, 0, 0x50]).as_bytes())?;
        Ok(data)
    }

    #[test]
    fn the_edid_comes_in_pieces_of_any_size() -> Result {
        let edid = big();
        let mut sink = Sink::new(edid)?;
        for step in 1..=16 {
            for (block, bytes) in (0..).zip(edid.as_bytes().chunks(128)) {
                assert_eq!(read_block(&mut sink, block, step)?, bytes);
            }
        }
        // There is nothing in the second segment, and the first comes back after the stop.
        assert_eq!(read_block(&mut sink, 2, 16)?, [0xff; 128]);
        let first = edid.as_bytes().first_chunk().copied();
        assert_eq!(read_block(&mut sink, 0, 16).ok(), first);
        // Another monitor.
        let classic = Blocks::classic(Resolution::Wuxga);
        sink.ddc().set_edid(classic);
        let first = classic.as_bytes().first_chunk().copied();
        assert_eq!(read_block(&mut sink, 0, 16).ok(), first);
        Ok(())
    }

    #[test]
    fn no_other_device_is_on_the_bus() -> Result {
        let mut sink = classic()?;
        for address in [0, 0x2f, 0x31, 0x37, 0x4f, 0x51, 0x7f] {
            for first in [0x00, 0x10, 0x40, 0x50] {
                let reply = sink.transact(&[first, 0, address]);
                assert_eq!(reply.as_bytes(), [0x40]);
            }
        }
        // The segment pointer cannot be read.
        assert_eq!(sink.transact(&[0x50, 0, 0x30, 0]).as_bytes(), [0x40]);
        // How a write went: it is done.
        assert_eq!(sink.transact(&[0x20, 0, 0x50]).as_bytes(), [0]);
        Ok(())
    }

    #[test]
    fn a_bus_without_a_device_is_high() {
        let mut ddc = Ddc::new(big());
        assert!(!ddc.write(0x37, &[1]));
        assert_eq!(ddc.read(0x37), 0xff);
        assert_eq!(ddc.read(0x30), 0xff);
        // The offset wraps within the segment.
        assert!(ddc.write(0x50, &[255]));
        let last = ddc.edid().as_bytes().last().copied();
        assert_eq!(Some(ddc.read(0x50)), last);
        assert_eq!(ddc.read(0x50), 0);
        assert_eq!(ddc.read(0x50), 0xff);
        // Every segment and offset can be asked for.
        for segment in 0..=255 {
            assert!(ddc.write(0x30, &[segment]));
            for offset in [0, 127, 128, 255] {
                ddc.write(0x50, &[offset]);
                assert!(segment == 0 || ddc.read(0x50) == 0xff);
            }
        }
    }

    #[test]
    fn a_channel_sends_and_is_done() -> Result {
        let mut sink = classic()?;
        let mut channel = Channel {
            control: 0,
            data: [0x9000_0002, 5, 6, 7, 8],
        };
        // As i915 does it: all status bits are cleared along with the start.
        let command = STATUS | INTERRUPT | 3 << 26 | 0x3ff | 4 << 20;
        assert!(channel.write_control(command, Some(&mut sink)));
        let control = channel.control;
        assert_eq!(control & STATUS, DONE);
        assert_eq!(size(control), 4);
        assert_eq!(control & 0x0c00_03ff, 0x0c00_03ff);
        assert_eq!(channel.data, [0x0012_1484, 5, 6, 7, 8]);
        // And then clears what it saw.
        assert!(!channel.write_control(control | DONE | TIME_OUT | RECEIVE_ERROR, Some(&mut sink)));
        assert_eq!(channel.control & STATUS, 0);
        // Without the interrupt.
        assert!(!channel.write_control(SEND | 4 << 20, Some(&mut sink)));
        assert_eq!(channel.control & STATUS, DONE);
        // What is not written as 1 stays.
        assert!(!channel.write_control(TIME_OUT, Some(&mut sink)));
        assert_eq!(channel.control & STATUS, DONE);
        Ok(())
    }

    #[test]
    fn a_channel_without_a_monitor_times_out() -> Result {
        let mut channel = Channel {
            control: 0,
            data: [0x9000_0000; 5],
        };
        assert!(channel.write_control(SEND | INTERRUPT | 4 << 20, None));
        assert_eq!(channel.control & STATUS, DONE | TIME_OUT);
        assert_eq!(size(channel.control), 0);
        assert_eq!(channel.data, [0x9000_0000; 5]);
        let mut sink = classic()?;
        sink.plug(false);
        channel.write_control(SEND | 4 << 20, Some(&mut sink));
        assert_eq!(channel.control & STATUS, DONE | TIME_OUT);
        Ok(())
    }

    #[test]
    fn any_size_of_a_message_has_an_end() -> Result {
        let mut sink = classic()?;
        for length_of_message in 0..32 {
            for first in 0..=255 {
                for length in [0, 15, 16, 255] {
                    let head = u32::from_be_bytes([first, 0, 0x50, length]);
                    let mut channel = Channel {
                        control: 0,
                        data: [head, 0, 0, 0, 0],
                    };
                    channel.write_control(SEND | length_of_message << 20, Some(&mut sink));
                    assert_eq!(channel.control & (SEND | DONE), DONE);
                    let timed_out = channel.control & TIME_OUT != 0;
                    let too_short = length_of_message < 3;
                    assert_eq!(timed_out, too_short);
                    assert!(size(channel.control) <= 17);
                }
            }
        }
        Ok(())
    }
}
