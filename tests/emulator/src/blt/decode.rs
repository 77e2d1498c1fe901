// SPDX-License-Identifier: GPL-2.0
//! From command dwords to an [`Operation`].
//!
//! Layouts: Broadwell and Skylake PRM volume 2a, "Blitter Engine Instructions"; i915 and IGT write the same ones. An
//! address takes two dwords since Gen8, so that every command with one is longer than before.

use std::ops::RangeInclusive;

use super::rop::{self, Combination};
use super::surface::Surface;
use super::{BltError, BltState, Setup};
use crate::tiling::Tiling;

/// `BCS_SWCTRL`: tiled sources are Y-tiled.
const SOURCE_Y: u32 = 1 << 0;
/// `BCS_SWCTRL`: tiled destinations are Y-tiled.
const DESTINATION_Y: u32 = 1 << 1;

const HEADER_DESTINATION_TILED: u32 = 1 << 11;
const HEADER_SOURCE_TILED: u32 = 1 << 15;
const HEADER_WRITE_RGB: u32 = 1 << 20;
const HEADER_WRITE_ALPHA: u32 = 1 << 21;
/// In the control dword of most commands: the clip rectangle counts.
const CONTROL_CLIP: u32 = 1 << 30;
/// In the same place of SRC_COPY_BLT: rows are given from their right end.
const CONTROL_BACKWARDS: u32 = 1 << 30;
/// In the control dword of the pattern set-up: the pattern is all foreground.
const CONTROL_SOLID: u32 = 1 << 31;

/// Opcodes (bits 28:22) of the commands that are executed.
pub mod opcode {
    /// State for the commands without an own destination, with a colour pattern in memory.
    pub const SETUP: u32 = 0x01;
    /// Clip rectangle.
    pub const SETUP_CLIP: u32 = 0x03;
    /// As [`SETUP`], with a pattern of two colours.
    pub const SETUP_MONO_PATTERN: u32 = 0x11;
    /// One pixel of the prepared pattern.
    pub const PIXEL: u32 = 0x24;
    /// A rectangle of the prepared pattern.
    pub const SCANLINES: u32 = 0x25;
    /// Fill by address.
    pub const COLOR: u32 = 0x40;
    /// Copy without raster operation, with its own tiling.
    pub const XY_FAST_COPY: u32 = 0x42;
    /// Copy by address.
    pub const SRC_COPY: u32 = 0x43;
    /// Fill.
    pub const XY_COLOR: u32 = 0x50;
    /// Copy.
    pub const XY_SRC_COPY: u32 = 0x53;
}

/// Longest command that the 8 bits of the length field can say.
const LONGEST: usize = 257;

/// How many dwords the 2D command with this header may have; nothing where there is no such command.
pub fn lengths(header: u32) -> Option<RangeInclusive<usize>> {
    Some(match header >> 22 & 0x7f {
        opcode::SETUP | opcode::SETUP_MONO_PATTERN => 10..=10,
        opcode::SETUP_CLIP | opcode::SCANLINES => 3..=3,
        opcode::PIXEL => 2..=2,
        // XY_TEXT_BLT, XY_TEXT_IMMEDIATE_BLT.
        0x26 => 5..=5,
        0x31 => 4..=LONGEST,
        opcode::COLOR => 6..=6,
        opcode::SRC_COPY => 8..=8,
        opcode::XY_FAST_COPY | opcode::XY_SRC_COPY => 10..=10,
        opcode::XY_COLOR => 7..=7,
        // Patterns and monochrome sources: XY_PAT_BLT, XY_MONO_PAT_BLT, XY_MONO_SRC_COPY_BLT, the XY_FULL family,
        // XY_MONO_PAT_FIXED_BLT, the immediate and the chroma key forms.
        0x51 => 8..=8,
        0x52 | 0x54 | 0x76 => 10..=10,
        0x55 | 0x56 | 0x73 => 12..=12,
        0x57 | 0x58 => 14..=14,
        0x59 => 8..=8,
        0x71 | 0x72 | 0x74 | 0x75 | 0x77 => 8..=LONGEST,
        _ => return None,
    })
}

/// A rectangle of pixels; right and bottom edges do not belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x1: i64,
    /// Upper edge.
    pub y1: i64,
    /// Right edge.
    pub x2: i64,
    /// Lower edge.
    pub y2: i64,
}

impl Rect {
    /// From the two dwords of the corners, each with y above x.
    fn new(first: u32, second: u32) -> Self {
        let ((x1, y1), (x2, y2)) = (point(first), point(second));
        Self { x1, y1, x2, y2 }
    }

    /// What both have in common.
    pub fn intersect(self, other: Self) -> Self {
        Self {
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
            x2: self.x2.min(other.x2),
            y2: self.y2.min(other.y2),
        }
    }
}

/// Where a copy comes from.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// The surface.
    pub surface: Surface,
    /// The pixel that goes to the left upper one of the rectangle, before any clipping.
    pub x: i64,
    /// Its row.
    pub y: i64,
}

/// What a command does to memory.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Where it goes.
    pub destination: Surface,
    /// Which pixels.
    pub rect: Rect,
    /// Bytes of a pixel.
    pub pixel: usize,
    /// Where it comes from.
    pub source: Option<Source>,
    /// How both, and the colour, become the result.
    pub combination: Combination,
    /// Whether the hardware chooses the order of rows such that an overlap on one surface does no harm.
    pub ordered: bool,
}

/// Decodes a command that moves pixels; [`None`] where it changed only `state`.
///
/// # Errors
///
/// The command is too short or too long, not executed here, or uses a reserved value.
pub fn decode(command: &[u32], swctrl: u32, state: &mut BltState) -> Result<Option<Operation>, BltError> {
    let Some(&header) = command.first() else { return Err(BltError::Length(0)) };
    let known = lengths(header).ok_or(BltError::Unknown)?;
    if !known.contains(&command.len()) {
        return Err(BltError::Length(command.len()));
    }
    let fields = Fields { command, header, swctrl };
    match header >> 22 & 0x7f {
        opcode::SETUP_CLIP => {
            state.clip = Some(fields.rect(1));
            Ok(None)
        }
        opcode::SETUP | opcode::SETUP_MONO_PATTERN => {
            fields.setup(state);
            Ok(None)
        }
        opcode::PIXEL => {
            let (x1, y1) = point(fields.at(1));
            prepared(state, Rect { x1, y1, x2: x1 + 1, y2: y1 + 1 })
        }
        opcode::SCANLINES => prepared(state, fields.rect(1)),
        opcode::COLOR => Ok(Some(fields.color())),
        opcode::SRC_COPY => Ok(Some(fields.src_copy())),
        opcode::XY_COLOR => {
            let combination = fields.combination(fields.at(6));
            Ok(Some(fields.drawing(state, combination, None)))
        }
        opcode::XY_SRC_COPY => {
            let tiling = fields.tiling(HEADER_SOURCE_TILED, SOURCE_Y);
            let surface = surface(fields.address(8), fields.at(7), tiling);
            let (x, y) = point(fields.at(6));
            let source = Source { surface, x, y };
            Ok(Some(fields.drawing(state, fields.combination(0), Some(source))))
        }
        opcode::XY_FAST_COPY => fields.fast_copy().map(Some),
        _ => Err(BltError::NotExecuted),
    }
}

/// A rectangle drawn with the state of the last set-up command.
fn prepared(state: &BltState, rect: Rect) -> Result<Option<Operation>, BltError> {
    match state.setup {
        Setup::None => Err(BltError::Reserved("there was no set-up command")),
        Setup::Pattern => Err(BltError::NotExecuted),
        Setup::Solid { destination, pixel, combination, clip } => {
            let rect = if clip { state.clip.map_or(rect, |clip| rect.intersect(clip)) } else { rect };
            Ok(Some(Operation { destination, rect, pixel, source: None, combination, ordered: false }))
        }
    }
}

/// One command whose length is known to be right.
struct Fields<'c> {
    command: &'c [u32],
    header: u32,
    swctrl: u32,
}

impl Fields<'_> {
    fn at(&self, index: usize) -> u32 {
        self.command.get(index).copied().unwrap_or(0)
    }

    fn address(&self, index: usize) -> u64 {
        u64::from(self.at(index)) | u64::from(self.at(index + 1)) << 32
    }

    fn rect(&self, index: usize) -> Rect {
        Rect::new(self.at(index), self.at(index + 1))
    }

    fn tiling(&self, header: u32, swctrl: u32) -> Tiling {
        match (self.header & header != 0, self.swctrl & swctrl != 0) {
            (false, _) => Tiling::Linear,
            (true, false) => Tiling::X,
            (true, true) => Tiling::Y,
        }
    }

    /// Bytes of a pixel: 8 bits, 16 bits in two formats, 32 bits.
    fn pixel(&self) -> usize {
        match self.at(1) >> 24 & 3 {
            0 => 1,
            3 => 4,
            _ => 2,
        }
    }

    fn combination(&self, color: u32) -> Combination {
        let (pattern, mask) = match self.pixel() {
            1 => (u64::from(color & 0xff) * 0x0101_0101_0101_0101, u64::MAX),
            2 => (u64::from(color & 0xffff) * 0x0001_0001_0001_0001, u64::MAX),
            // Only pixels of 32 bits have bytes of their own.
            _ => (u64::from(color) * 0x1_0000_0001, channels(self.header)),
        };
        Combination { code: (self.at(1) >> 16) as u8, pattern, mask }
    }

    /// The commands with a destination rectangle in dwords 2 and 3, and clipping.
    fn drawing(&self, state: &BltState, combination: Combination, source: Option<Source>) -> Operation {
        let mut rect = self.rect(2);
        let mut source = source;
        if let (true, Some(clip)) = (self.at(1) & CONTROL_CLIP != 0, state.clip) {
            let clipped = rect.intersect(clip);
            if let Some(source) = &mut source {
                source.x += clipped.x1 - rect.x1;
                source.y += clipped.y1 - rect.y1;
            }
            rect = clipped;
        }
        let tiling = self.tiling(HEADER_DESTINATION_TILED, DESTINATION_Y);
        let destination = surface(self.address(4), self.at(1), tiling);
        Operation { destination, rect, pixel: self.pixel(), source, combination, ordered: true }
    }

    fn setup(&self, state: &mut BltState) {
        state.clip = Some(self.rect(2));
        let mono = self.header >> 22 & 0x7f == opcode::SETUP_MONO_PATTERN;
        let control = self.at(1);
        let tiling = self.tiling(HEADER_DESTINATION_TILED, DESTINATION_Y);
        // Dwords 6 and 7 are background and foreground. A monochrome pattern of one colour is as good as solid.
        let bits = self.address(8);
        let color = match bits {
            _ if control & CONTROL_SOLID != 0 => Some(self.at(7)),
            u64::MAX => Some(self.at(7)),
            0 => Some(self.at(6)),
            _ => None,
        };
        state.setup = match color {
            Some(color) if mono => Setup::Solid {
                destination: surface(self.address(4), control, tiling),
                pixel: self.pixel(),
                combination: self.combination(color),
                clip: control & CONTROL_CLIP != 0,
            },
            _ => Setup::Pattern,
        };
    }

    /// COLOR_BLT: rows and bytes from an address on.
    fn color(&self) -> Operation {
        let size = self.at(2);
        Operation {
            destination: surface(self.address(3), self.at(1), Tiling::Linear),
            rect: Rect { x1: 0, y1: 0, x2: i64::from(size & 0xffff), y2: i64::from(size >> 16) },
            pixel: 1,
            source: None,
            combination: self.combination(self.at(5)),
            ordered: false,
        }
    }

    /// SRC_COPY_BLT: the same with a source. Backwards, both addresses are those of the last byte of the row.
    fn src_copy(&self) -> Operation {
        let size = self.at(2);
        let (width, height) = (i64::from(size & 0xffff), i64::from(size >> 16));
        let back = if self.at(1) & CONTROL_BACKWARDS != 0 { width.max(1) as u64 - 1 } else { 0 };
        let at = |address: u64, pitch: u32| surface(address.wrapping_sub(back), pitch, Tiling::Linear);
        Operation {
            destination: at(self.address(3), self.at(1)),
            rect: Rect { x1: 0, y1: 0, x2: width, y2: height },
            pixel: 1,
            source: Some(Source { surface: at(self.address(6), self.at(5)), x: 0, y: 0 }),
            combination: self.combination(0),
            ordered: false,
        }
    }

    /// XY_FAST_COPY_BLT: no raster operation, no clipping, pixels of up to 128 bits, overlaps not allowed.
    fn fast_copy(&self) -> Result<Operation, BltError> {
        let control = self.at(1);
        let pixel = match control >> 24 & 7 {
            0 => 1,
            1 => 2,
            3 => 4,
            4 => 8,
            5 => 16,
            _ => return Err(BltError::Reserved("colour depth of XY_FAST_COPY_BLT")),
        };
        let tiling = |mode: u32, new: u32| match (mode & 3, control & new != 0) {
            (0, _) => Ok(Tiling::Linear),
            (1, _) => Ok(Tiling::X),
            (2, false) => Ok(Tiling::Y),
            _ => Err(BltError::Reserved("Yf or Ys tiles of XY_FAST_COPY_BLT, which are not emulated")),
        };
        let from = surface(self.address(8), self.at(7), tiling(self.header >> 20, 1 << 31)?);
        let (x, y) = point(self.at(6));
        Ok(Operation {
            destination: surface(self.address(4), control, tiling(self.header >> 13, 1 << 30)?),
            rect: self.rect(2),
            pixel,
            source: Some(Source { surface: from, x, y }),
            combination: Combination { code: rop::SOURCE_COPY, pattern: 0, mask: u64::MAX },
            ordered: false,
        })
    }
}

/// Signed x in the lower and y in the upper half.
fn point(dword: u32) -> (i64, i64) {
    (i64::from(dword as i16), i64::from((dword >> 16) as i16))
}

/// The bits of 32-bit pixels that a command may write.
fn channels(header: u32) -> u64 {
    let color = if header & HEADER_WRITE_RGB != 0 { 0x00ff_ffff } else { 0 };
    let alpha = if header & HEADER_WRITE_ALPHA != 0 { 0xff00_0000 } else { 0 };
    (color | alpha) * 0x1_0000_0001
}

/// A surface from its address and the dword whose lower half is its pitch: signed bytes, or dwords where it is tiled.
fn surface(address: u64, pitch: u32, tiling: Tiling) -> Surface {
    match tiling {
        Tiling::Linear => Surface { base: address, pitch: i64::from(pitch as i16), tiling },
        // Tiles begin at pages.
        _ => Surface { base: address & !0xfff, pitch: i64::from(pitch & 0xffff) * 4, tiling },
    }
}
