// SPDX-License-Identifier: GPL-2.0
//! The blitter's commands on graphics versions 8 and 9, for surfaces of 32 bits per pixel.

use crate::batch::Batch;
use crate::tiling::Tiling;

/// Register of the blitter that says whether "tiled" means Y (set) or X; bit 0 source, bit 1 destination, the upper
/// half enables the write.
const BCS_SWCTRL: u32 = 0x22200;
const SOURCE_Y: u32 = 1 << 0;
const DESTINATION_Y: u32 = 1 << 1;

const CLIENT: u32 = 2 << 29;
const WRITE_RGBA: u32 = 3 << 20;
const DEPTH_32: u32 = 3 << 24;
const ROP_FILL: u32 = 0xf0 << 16;
const ROP_COPY: u32 = 0xcc << 16;
const SOURCE_TILED: u32 = 1 << 15;
const DESTINATION_TILED: u32 = 1 << 11;

/// A surface of 32-bit pixels in the context's address space.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    /// Address of its first byte.
    pub address: u64,
    /// Bytes from one row to the next.
    pub pitch: u32,
    /// Layout.
    pub tiling: Tiling,
}

impl Surface {
    /// The pitch as the commands take it: bytes when linear, dwords when tiled.
    fn pitch_field(&self) -> u32 {
        match self.tiling {
            Tiling::Linear => self.pitch,
            Tiling::X | Tiling::Y => self.pitch / 4,
        }
    }
}

/// A rectangle of pixels; right and bottom are outside.
#[derive(Clone, Copy, Debug)]
pub struct Rect {
    /// First column.
    pub x1: u32,
    /// First row.
    pub y1: u32,
    /// Column behind the last.
    pub x2: u32,
    /// Row behind the last.
    pub y2: u32,
}

impl Rect {
    /// Whether a pixel lies inside.
    pub fn contains(&self, x: u32, y: u32) -> bool {
        (self.x1..self.x2).contains(&x) && (self.y1..self.y2).contains(&y)
    }
}

fn point(x: u32, y: u32) -> u32 {
    (y << 16) | x
}

fn address(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Says which kind of tiles the following fills and copies mean. The register belongs to the context.
fn select_tiles(batch: &mut Batch, source: Tiling, destination: Tiling) {
    let mut value = (SOURCE_Y | DESTINATION_Y) << 16;
    if source == Tiling::Y {
        value |= SOURCE_Y;
    }
    if destination == Tiling::Y {
        value |= DESTINATION_Y;
    }
    batch.load_registers(&[(BCS_SWCTRL, value)]);
    // The blitter must be idle when the meaning changes: MI_FLUSH_DW without a write.
    batch.raw(&[(0x26 << 23) | 3, 0, 0, 0, 0]);
}

/// XY_COLOR_BLT: fills a rectangle.
pub fn fill(batch: &mut Batch, to: Surface, area: Rect, colour: u32) {
    select_tiles(batch, Tiling::Linear, to.tiling);
    let tiled = if to.tiling == Tiling::Linear { 0 } else { DESTINATION_TILED };
    let [low, high] = address(to.address);
    batch.raw(&[
        CLIENT | (0x50 << 22) | WRITE_RGBA | tiled | 5,
        DEPTH_32 | ROP_FILL | to.pitch_field(),
        point(area.x1, area.y1),
        point(area.x2, area.y2),
        low,
        high,
        colour,
    ]);
}

/// XY_SRC_COPY_BLT: copies a rectangle from a place in another surface.
pub fn copy(batch: &mut Batch, to: Surface, area: Rect, from: Surface, from_x: u32, from_y: u32) {
    select_tiles(batch, from.tiling, to.tiling);
    let mut command = CLIENT | (0x53 << 22) | WRITE_RGBA | 8;
    if from.tiling != Tiling::Linear {
        command |= SOURCE_TILED;
    }
    if to.tiling != Tiling::Linear {
        command |= DESTINATION_TILED;
    }
    let [to_low, to_high] = address(to.address);
    let [from_low, from_high] = address(from.address);
    batch.raw(&[
        command,
        DEPTH_32 | ROP_COPY | to.pitch_field(),
        point(area.x1, area.y1),
        point(area.x2, area.y2),
        to_low,
        to_high,
        point(from_x, from_y),
        from.pitch_field(),
        from_low,
        from_high,
    ]);
}

/// XY_FAST_COPY_BLT, from graphics version 9 on: the same with the layouts in the command.
pub fn fast_copy(batch: &mut Batch, to: Surface, area: Rect, from: Surface, from_x: u32, from_y: u32) {
    let mode = |tiling| match tiling {
        Tiling::Linear => 0,
        Tiling::X => 1,
        Tiling::Y => 2,
    };
    let [to_low, to_high] = address(to.address);
    let [from_low, from_high] = address(from.address);
    batch.raw(&[
        CLIENT | (0x42 << 22) | (mode(from.tiling) << 20) | (mode(to.tiling) << 13) | 8,
        DEPTH_32 | to.pitch_field(),
        point(area.x1, area.y1),
        point(area.x2, area.y2),
        to_low,
        to_high,
        point(from_x, from_y),
        from.pitch_field(),
        from_low,
        from_high,
    ]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect { x1: 1, y1: 2, x2: 3, y2: 4 };

    fn surface(tiling: Tiling) -> Surface {
        Surface { address: 0x1_0000_2000, pitch: 1024, tiling }
    }

    fn words(build: impl FnOnce(&mut Batch)) -> Vec<u32> {
        let mut batch = Batch::new();
        build(&mut batch);
        let mut words = batch.finished();
        // Without the end of the batch and its padding.
        while words.last() != Some(&0x0500_0000) {
            words.pop();
        }
        words.pop();
        words
    }

    #[test]
    fn fills() {
        let linear = words(|b| fill(b, surface(Tiling::Linear), AREA, 0xabcd));
        assert_eq!(linear[..3], [0x1100_0001, 0x22200, 0x0003_0000]);
        assert_eq!(linear[8..], [0x5430_0005, 0x03f0_0400, 0x0002_0001, 0x0004_0003, 0x2000, 1, 0xabcd]);
        let tiled = words(|b| fill(b, surface(Tiling::Y), AREA, 0xabcd));
        assert_eq!(tiled[2], 0x0003_0002);
        assert_eq!(tiled[8..10], [0x5430_0805, 0x03f0_0100]);
    }

    #[test]
    fn copies() {
        let both = words(|b| copy(b, surface(Tiling::X), AREA, surface(Tiling::Y), 5, 6));
        assert_eq!(both[2], 0x0003_0001);
        assert_eq!(
            both[8..],
            [0x54f0_8808, 0x03cc_0100, 0x0002_0001, 0x0004_0003, 0x2000, 1, 0x0006_0005, 256, 0x2000, 1]
        );
    }

    #[test]
    fn fast_copies() {
        let both = words(|b| fast_copy(b, surface(Tiling::X), AREA, surface(Tiling::Y), 5, 6));
        assert_eq!(both, [0x50a0_2008, 0x0300_0100, 0x0002_0001, 0x0004_0003, 0x2000, 1, 0x0006_0005, 256, 0x2000, 1]);
    }
}
