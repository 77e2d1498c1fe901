// SPDX-License-Identifier: GPL-2.0

//! From the registers of planes and cursors to the pictures that they show (Skylake PRM volume 2c,
//! `PLANE_CTL`, `CUR_CTL`; Broadwell PRM volume 2c, `PRI_CTL`, `SPR_CTL`; gvt-spec 10.5).
//!
//! A plane that comes out of here lies in the memory of the vGPU, whatever the guest wrote; that
//! the memory is mapped is for the GGTT to say. Different from the C driver on purpose: all pipes
//! can be asked for, and sprites; positions have their signs; what cannot be told to a VMM, such as
//! a rotated or compressed surface, is refused instead of shown wrong.

mod format;

use core::fmt;

use kernel::{
    bitfield,
    prelude::*, //
};

use super::{
    timing::Registers,
    Pipe, //
};
use crate::{
    addr::{
        GmRange,
        PAGE_SIZE, //
    },
    platform::Platform,
};
pub use format::{
    Format,
    Tiling, //
};

/// What of a pipe is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The primary plane, at the bottom.
    Primary,
    /// A sprite above it, from 0 on: one on Gen8, two on Gen9.
    Sprite(u8),
    /// The cursor, on top.
    Cursor,
}

/// A picture in graphics memory, and where on the screen it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// What its pixels are.
    pub format: Format,
    /// How it lies in memory.
    pub tiling: Tiling,
    /// Pixels in a line.
    pub width: u32,
    /// Lines.
    pub height: u32,
    /// Bytes from a line to the next; of tiles, bytes of a row of tiles for each line of it.
    pub stride: u32,
    /// The address in graphics memory, which is that of a page.
    pub start: u64,
    /// Bytes from there on, whole pages.
    pub size: u64,
    /// Pixel and line of the surface that the picture starts with.
    pub source: (u32, u32),
    /// Pixel and line of the screen where it starts; a cursor can start outside.
    pub position: (i32, i32),
    /// It is shown upside down.
    pub turned: bool,
    /// The pixel of a cursor that points, if the guest said and it is one of the cursor.
    pub hot_spot: Option<(u32, u32)>,
}

/// Why a plane that is on cannot be told to a VMM; print it with `{}`. A guest can cause as many of
/// these as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneFault {
    /// Nothing is known of this format. The control register tells it.
    Format(u32),
    /// Nothing is known of this tiling. The control register tells it.
    Tiling(u32),
    /// It is rotated by 90 or 270 degrees.
    Rotated,
    /// It is compressed.
    Compressed,
    /// The picture does not begin where its buffer does, but at this pixel and line.
    Source((u32, u32)),
    /// Nothing is known of this mode of a cursor.
    CursorMode(u32),
    /// A line is longer than what lies between two lines.
    Stride {
        /// Bytes between lines.
        stride: u32,
        /// Bytes of a line.
        line: u64,
    },
    /// It is not in the memory of the vGPU, or not all of it.
    Memory {
        /// Its address.
        start: u64,
        /// Bytes of it.
        size: u64,
    },
}

impl PlaneFault {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(control) => write!(out, "a plane has an unknown format: {control:#x}"),
            Self::Tiling(control) => write!(out, "a plane has an unknown tiling: {control:#x}"),
            Self::Rotated => write!(out, "a plane is rotated"),
            Self::Compressed => write!(out, "a plane is compressed"),
            Self::Source((x, y)) => write!(
                out,
                "a plane shows its surface from pixel {x} of line {y} on"
            ),
            Self::CursorMode(mode) => write!(out, "a cursor has an unknown mode: {mode:#x}"),
            Self::Stride { stride, line } => write!(
                out,
                "a plane has lines of {line} bytes, of which one is {stride} bytes after the other"
            ),
            Self::Memory { start, size } => write!(
                out,
                "a plane of {size} bytes at {start:#x} is outside the memory of the vGPU"
            ),
        }
    }
}

display!(PlaneFault);

/// The registers of a plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneRegisters {
    /// `PLANE_CTL`, `DSPCNTR`, `SPRCTL`.
    pub control: u32,
    /// `PLANE_STRIDE` and so on.
    pub stride: u32,
    /// `PLANE_POS`, `SPRPOS`; the primary plane of Gen8 has none.
    pub position: u32,
    /// `PLANE_SIZE`, `SPRSIZE`; the primary plane of Gen8 has none.
    pub size: u32,
    /// `PLANE_SURF` and so on.
    pub surface: u32,
    /// `PLANE_OFFSET` and so on.
    pub offset: u32,
}

/// The registers of a cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorRegisters {
    /// `CUR_CTL`.
    pub control: u32,
    /// `CUR_BASE`.
    pub base: u32,
    /// `CUR_POS`.
    pub position: u32,
    /// `CUR_FBC_CTL`.
    pub height: u32,
    /// The hot spot in the PVINFO page: pixel and line.
    pub hot_spot: (u32, u32),
}

bitfield! {
    /// A pair of numbers in a register: pixels and lines.
    struct Pair(u32) {
        28:16 lines;
        12:0 pixels;
    }
}

impl Pair {
    fn get(self) -> (u32, u32) {
        (self.pixels().get(), self.lines().get())
    }

    /// The numbers, of registers that hold one less.
    fn size(self) -> (u32, u32) {
        let (pixels, lines) = self.get();
        (pixels.saturating_add(1), lines.saturating_add(1))
    }
}

bitfield! {
    /// `PIPESRC`: the size of the pipe's picture, the other way round and each one less.
    struct PipeSource(u32) {
        28:16 pixels;
        11:0 lines;
    }
}

bitfield! {
    /// `CUR_CTL`.
    struct CursorControl(u32) {
        15:15 turned => bool;
        5:5 argb => bool;
        2:0 mode;
    }
}

bitfield! {
    /// `CUR_POS`: signs and magnitudes.
    struct CursorPosition(u32) {
        31:31 above => bool;
        30:16 lines;
        15:15 left => bool;
        14:0 pixels;
    }
}

bitfield! {
    /// `CUR_FBC_CTL`.
    struct CursorHeight(u32) {
        /// The height is not that of the mode.
        31:31 enable => bool;
        /// Lines, one less.
        7:0 lines;
    }
}

/// The bits of a surface register that are an address.
const ADDRESS: u32 = 0xffff_f000;
/// Bytes of a pixel of a cursor.
const CURSOR_PIXEL: u32 = 4;

/// The memory of a vGPU.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Its part of the aperture.
    pub low: GmRange,
    /// Its part of the graphics memory beyond.
    pub high: GmRange,
}

impl Memory {
    /// The pages that `size` bytes at `start` take.
    fn pages(&self, start: u64, size: u64) -> Result<u64, PlaneFault> {
        let outside = PlaneFault::Memory { start, size };
        let pages = size.checked_next_multiple_of(PAGE_SIZE).ok_or(outside)?;
        let is_inside = self.low.contains(start, pages) || self.high.contains(start, pages);
        if !is_inside || pages == 0 {
            return Err(outside);
        }
        Ok(pages)
    }

    /// If a surface register has no address yet. i915 turns a plane on before it writes the address,
    /// and leaves 0 there when it turns it off: a VMM that asks in between must not hear of a fault.
    fn is_unset(&self, surface: u32) -> bool {
        surface & ADDRESS == 0 && !self.low.contains(0, PAGE_SIZE)
    }
}

impl PlaneRegisters {
    /// Reads the registers of a plane: `number` 0 is the primary plane.
    fn read(pipe: Pipe, number: u8, registers: Registers<'_>) -> Self {
        let base = u32::from(number)
            .saturating_mul(0x100)
            .saturating_add(0x7_0180)
            .saturating_add(pipe.offset());
        let register = |offset: u32| registers(base.saturating_add(offset));
        Self {
            control: register(0x00),
            stride: register(0x08),
            position: register(0x0c),
            size: register(0x10),
            surface: register(0x1c),
            offset: register(0x24),
        }
    }

    /// What the primary plane shows, on a pipe with this `PIPESRC`; `None` if it is off.
    ///
    /// # Errors
    ///
    /// A [`PlaneFault`].
    pub fn primary(
        &self,
        platform: Platform,
        pipe_source: u32,
        memory: &Memory,
    ) -> Result<Option<Plane>, PlaneFault> {
        if !self.is_on() || memory.is_unset(self.surface) {
            return Ok(None);
        }
        if platform != Platform::Broadwell {
            return self.universal(memory).map(Some);
        }
        let source = PipeSource::from_raw(pipe_source);
        let pixels = source.pixels().get().saturating_add(1);
        let lines = source.lines().get().saturating_add(1);
        let format = Format::broadwell_primary(self.control)?;
        let mut plane = self.broadwell(format);
        (plane.width, plane.height) = (pixels, lines);
        plane.position = (0, 0);
        plane.placed(memory).map(Some)
    }

    /// What a sprite shows; `None` if it is off.
    ///
    /// # Errors
    ///
    /// A [`PlaneFault`].
    pub fn sprite(&self, platform: Platform, memory: &Memory) -> Result<Option<Plane>, PlaneFault> {
        if !self.is_on() || memory.is_unset(self.surface) {
            return Ok(None);
        }
        if platform != Platform::Broadwell {
            return self.universal(memory).map(Some);
        }
        let format = Format::broadwell_sprite(self.control)?;
        self.broadwell(format).placed(memory).map(Some)
    }

    fn is_on(&self) -> bool {
        self.control & (1 << 31) != 0
    }

    /// What all planes have in common.
    fn plane(&self, format: Format, tiling: Tiling, stride: u32, turned: bool) -> Plane {
        let (width, height) = Pair::from_raw(self.size).size();
        let (x, y) = Pair::from_raw(self.position).get();
        Plane {
            format,
            tiling,
            width,
            height,
            stride,
            start: (self.surface & ADDRESS).into(),
            size: 0,
            source: Pair::from_raw(self.offset).get(),
            position: (signed(x, false), signed(y, false)),
            turned,
            hot_spot: None,
        }
    }

    fn broadwell(&self, format: Format) -> Plane {
        let control = format::OldControl::from_raw(self.control);
        let tiling = if control.tiled() {
            Tiling::X
        } else {
            Tiling::Linear
        };
        self.plane(format, tiling, self.stride & 0xffc0, control.turned())
    }

    fn universal(&self, memory: &Memory) -> Result<Plane, PlaneFault> {
        let control = format::UniversalControl::from_raw(self.control);
        let format = Format::universal(self.control)?;
        let tiling = Tiling::universal(self.control)?;
        if control.compressed() {
            return Err(PlaneFault::Compressed);
        }
        let turned = match control.rotation().get() {
            0 => false,
            2 => true,
            _ => return Err(PlaneFault::Rotated),
        };
        let stride = (self.stride & 0x3ff).saturating_mul(tiling.stride_unit(format));
        self.plane(format, tiling, stride, turned).placed(memory)
    }
}

impl Plane {
    /// The plane with its size, if all of it is in this memory.
    fn placed(mut self, memory: &Memory) -> Result<Self, PlaneFault> {
        let (x, y) = self.source;
        let pixels = u64::from(x).saturating_add(self.width.into());
        let line = pixels.saturating_mul(self.format.bytes().into());
        let stride = u64::from(self.stride);
        if line > stride {
            return Err(PlaneFault::Stride {
                stride: self.stride,
                line,
            });
        }
        let lines = u64::from(y)
            .saturating_add(self.height.into())
            .next_multiple_of(self.tiling.lines(self.format).into());
        self.size = memory.pages(self.start, stride.saturating_mul(lines))?;
        Ok(self)
    }
}

impl CursorRegisters {
    fn read(pipe: Pipe, registers: Registers<'_>) -> Self {
        let register = |offset: u32| registers(pipe.offset().saturating_add(offset));
        Self {
            control: register(0x7_0080),
            base: register(0x7_0084),
            position: register(0x7_0088),
            height: register(0x7_00a0),
            hot_spot: (registers(0x7_8830), registers(0x7_8834)),
        }
    }

    /// What the cursor shows; `None` if it is off.
    ///
    /// # Errors
    ///
    /// A [`PlaneFault`].
    pub fn cursor(&self, memory: &Memory) -> Result<Option<Plane>, PlaneFault> {
        if memory.is_unset(self.base) {
            return Ok(None);
        }
        let control = CursorControl::from_raw(self.control);
        let width: u32 = match (control.argb(), control.mode().get()) {
            (false, 0) => return Ok(None),
            (_, 7) => 64,
            (true, 2) => 128,
            (true, 3) => 256,
            _ => return Err(PlaneFault::CursorMode(self.control)),
        };
        let reduced = CursorHeight::from_raw(self.height);
        let height = if reduced.enable() {
            reduced.lines().get().saturating_add(1).min(width)
        } else {
            width
        };
        let position = CursorPosition::from_raw(self.position);
        let (x, y) = self.hot_spot;
        let plane = Plane {
            format: Format::Argb8888,
            tiling: Tiling::Linear,
            width,
            height,
            stride: width.saturating_mul(CURSOR_PIXEL),
            start: (self.base & ADDRESS).into(),
            size: 0,
            source: (0, 0),
            position: (
                signed(position.pixels().get(), position.left()),
                signed(position.lines().get(), position.above()),
            ),
            turned: control.turned(),
            hot_spot: (x < width && y < height).then_some((x, y)),
        };
        plane.placed(memory).map(Some)
    }
}

/// A number of at most 15 bits with a sign.
fn signed(magnitude: u32, negative: bool) -> i32 {
    let number = i32::try_from(magnitude).unwrap_or(0);
    if negative {
        number.saturating_neg()
    } else {
        number
    }
}

/// The pipes that are on, from A on. What a VMM sees that asks for one screen is the first of them.
pub fn pipes(registers: Registers<'_>) -> impl Iterator<Item = Pipe> + '_ {
    Pipe::ALL
        .into_iter()
        .filter(move |pipe| pipe.transcoder(registers).is_some())
}

/// What a layer of a pipe shows; `None` if the pipe or the layer is off, or if there is no such
/// layer.
///
/// # Errors
///
/// A [`PlaneFault`] if it shows something that cannot be told.
pub fn query(
    platform: Platform,
    pipe: Pipe,
    layer: Layer,
    registers: Registers<'_>,
    memory: &Memory,
) -> Result<Option<Plane>, PlaneFault> {
    if pipe.transcoder(registers).is_none() {
        return Ok(None);
    }
    let sprites = match platform {
        Platform::Broadwell => 1,
        _ => 2,
    };
    match layer {
        Layer::Primary => {
            let pipe_source = registers(pipe.offset().saturating_add(0x6_001c));
            PlaneRegisters::read(pipe, 0, registers).primary(platform, pipe_source, memory)
        }
        Layer::Sprite(number) if number < sprites => {
            let number = number.saturating_add(1);
            PlaneRegisters::read(pipe, number, registers).sprite(platform, memory)
        }
        Layer::Sprite(_) => Ok(None),
        Layer::Cursor => CursorRegisters::read(pipe, registers).cursor(memory),
    }
}
