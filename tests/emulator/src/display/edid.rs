// SPDX-License-Identifier: GPL-2.0
//! A monitor's identification data, built from a description of its preferred mode.
//!
//! Sources: VESA Enhanced EDID Standard release A2 (EDID 1.4), CTA-861-G section 7.

/// Bytes in one block.
pub const BLOCK: usize = 128;

/// A video mode with progressive scan and positive sync pulses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Pixel clock in kHz.
    pub clock_khz: u32,
    /// Visible pixels, front porch, sync pulse and whole blanking of a line.
    pub horizontal: [u16; 4],
    /// Visible lines, front porch, sync pulse and whole blanking of a frame.
    pub vertical: [u16; 4],
    /// Size of the picture in millimetres.
    pub millimetres: [u16; 2],
}

impl Mode {
    /// 1920x1080 at 60 Hz.
    pub const FULL_HD: Mode = Mode {
        clock_khz: 148_500,
        horizontal: [1920, 88, 44, 280],
        vertical: [1080, 4, 5, 45],
        millimetres: [527, 296],
    };
    /// 1280x720 at 60 Hz.
    pub const HD: Mode = Mode {
        clock_khz: 74_250,
        horizontal: [1280, 110, 40, 370],
        vertical: [720, 5, 5, 30],
        millimetres: [400, 225],
    };

    /// Frames per second.
    pub fn refresh(&self) -> f64 {
        let total = |part: [u16; 4]| f64::from(part[0]) + f64::from(part[3]);
        f64::from(self.clock_khz) * 1000.0 / (total(self.horizontal) * total(self.vertical))
    }

    /// The detailed timing descriptor of this mode.
    fn descriptor(&self) -> [u8; 18] {
        let [hactive, hfront, hsync, hblank] = self.horizontal;
        let [vactive, vfront, vsync, vblank] = self.vertical;
        let [width, height] = self.millimetres;
        let low = |value: u16| value as u8;
        let nibbles = |upper: u16, lower: u16| ((upper >> 8 & 0xf) << 4 | (lower >> 8 & 0xf)) as u8;
        let clock = (self.clock_khz / 10) as u16;
        [
            low(clock),
            (clock >> 8) as u8,
            low(hactive),
            low(hblank),
            nibbles(hactive, hblank),
            low(vactive),
            low(vblank),
            nibbles(vactive, vblank),
            low(hfront),
            low(hsync),
            ((vfront & 0xf) << 4 | (vsync & 0xf)) as u8,
            ((hfront >> 8 & 3) << 6 | (hsync >> 8 & 3) << 4 | (vfront >> 4 & 3) << 2 | (vsync >> 4 & 3)) as u8,
            low(width),
            low(height),
            nibbles(width, height),
            0,
            0,
            // Digital separate sync, both positive.
            0x1e,
        ]
    }
}

/// What kind of input the monitor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// DisplayPort.
    DisplayPort,
    /// HDMI; the data has an extension block that says so.
    Hdmi,
}

/// The whole identification data of a monitor.
pub fn build(mode: &Mode, input: Input) -> Vec<u8> {
    let mut data = base_block(mode, input);
    if input == Input::Hdmi {
        data.extend(cta_block());
    }
    data
}

fn base_block(mode: &Mode, input: Input) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    block[..8].copy_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0]);
    // Manufacturer EMU (three letters of five bits), product 1, serial number 1, week 1 of 2024, version 1.4.
    block[8..20].copy_from_slice(&[0x15, 0xb5, 1, 0, 1, 0, 0, 0, 1, 34, 1, 4]);
    // Digital, 8 bits per colour, and the interface.
    block[20] = 0xa0 | if input == Input::DisplayPort { 5 } else { 2 };
    block[21] = (mode.millimetres[0] / 10) as u8;
    block[22] = (mode.millimetres[1] / 10) as u8;
    // Gamma 2.2; sRGB, and the first descriptor is the native mode.
    block[23] = 120;
    block[24] = 0x06;
    // Chromaticity of sRGB.
    block[25..35].copy_from_slice(&[0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54]);
    // Established timings: 640x480, 800x600 and 1024x768 at 60 Hz.
    block[35] = 0x21;
    block[36] = 0x08;
    // Standard timings: 1280x720 at 60 Hz; 01 01 marks the unused ones.
    block[38..54].fill(1);
    block[38..40].copy_from_slice(&[(1280 / 8 - 31) as u8, 0xc0]);
    block[54..72].copy_from_slice(&mode.descriptor());
    block[72..90].copy_from_slice(&text_descriptor(0xfc, "Emulated"));
    block[90..108].copy_from_slice(&text_descriptor(0xff, "0000000001"));
    // An unused descriptor.
    block[111] = 0x10;
    block[126] = u8::from(input == Input::Hdmi);
    seal(&mut block);
    block
}

/// A CTA-861 extension with the HDMI vendor block, which makes a source use HDMI rather than DVI signalling.
fn cta_block() -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    // Video data block: VIC 16 (1080p60, native), 4 (720p60), 1 (480p60).
    let video = [0x43, 0x90, 4, 1];
    // Vendor block: OUI of HDMI, physical address 1.0.0.0.
    let vendor = [0x65, 0x03, 0x0c, 0x00, 0x10, 0x00];
    let end = 4 + video.len() + vendor.len();
    block[..4].copy_from_slice(&[2, 3, end as u8, 0]);
    block[4..4 + video.len()].copy_from_slice(&video);
    block[4 + video.len()..end].copy_from_slice(&vendor);
    seal(&mut block);
    block
}

fn text_descriptor(tag: u8, text: &str) -> [u8; 18] {
    let mut descriptor = [b' '; 18];
    descriptor[..5].copy_from_slice(&[0, 0, 0, tag, 0]);
    let room = descriptor.len() - 5;
    let bytes = text.bytes().chain(std::iter::once(b'\n')).take(room);
    descriptor[5..].iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
    descriptor
}

/// Sets the last byte so that the block sums to 0.
fn seal(block: &mut [u8]) {
    if let Some((last, rest)) = block.split_last_mut() {
        *last = rest.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_sum_to_zero_and_extensions_are_counted() {
        for input in [Input::DisplayPort, Input::Hdmi] {
            let data = build(&Mode::FULL_HD, input);
            assert_eq!(data.len(), BLOCK * (1 + usize::from(data[126])));
            for block in data.chunks(BLOCK) {
                assert_eq!(block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
            }
        }
    }

    #[test]
    fn the_descriptor_decodes_to_the_mode() {
        let data = build(&Mode::FULL_HD, Input::DisplayPort);
        let d = &data[54..72];
        let wide = |low: u8, high: u8| u32::from(low) | u32::from(high) << 8;
        assert_eq!(wide(d[0], d[1]), 14850);
        assert_eq!(wide(d[2], d[4] >> 4), 1920);
        assert_eq!(wide(d[3], d[4] & 0xf), 280);
        assert_eq!(wide(d[5], d[7] >> 4), 1080);
        assert_eq!(wide(d[6], d[7] & 0xf), 45);
        assert_eq!(wide(d[12], d[14] >> 4), 527);
        assert_eq!((Mode::FULL_HD.refresh() * 1000.0).round(), 60000.0);
    }

    #[test]
    fn texts_end_with_a_line_feed_and_blanks() {
        let descriptor = text_descriptor(0xfc, "Emulated");
        assert_eq!(&descriptor[5..], b"Emulated\n    ");
        assert_eq!(&text_descriptor(0xfc, "fourteen chars")[5..], b"fourteen char");
    }
}
