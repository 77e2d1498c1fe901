// SPDX-License-Identifier: GPL-2.0
//! From a plane's registers to the rectangle of memory that it shows.
//!
//! Source: Skylake PRM volume 2c, `PLANE_CTL`, `PLANE_STRIDE`, `CUR_CTL`; Broadwell PRM volume 2c, `PRI_CTL`, `SPR_CTL`.

use crate::display::plane::{CursorRegisters, PlaneRegisters};
use crate::platform::DisplayKind;

/// How a surface lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiling {
    /// Line after line.
    Linear,
    /// Tiles of 512 bytes by 8 lines.
    X,
    /// Tiles of 128 bytes by 32 lines, in columns of 16 bytes.
    Y,
}

/// What a pixel's bits are, from the most significant one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Eight bits of alpha or nothing, red, green, blue.
    Xrgb8888,
    /// Eight bits of alpha or nothing, blue, green, red.
    Xbgr8888,
    /// Five, six and five bits.
    Rgb565,
    /// Two unused bits and ten of red, green and blue.
    Xrgb2101010,
    /// Two unused bits and ten of blue, green and red.
    Xbgr2101010,
    /// An index into the pipe's palette.
    Indexed,
}

impl Format {
    /// Bytes per pixel.
    pub fn bytes(self) -> u32 {
        match self {
            Format::Indexed => 1,
            Format::Rgb565 => 2,
            _ => 4,
        }
    }
}

/// What becomes of a pixel's alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blend {
    /// The layer is opaque.
    Opaque,
    /// Colours have been multiplied with alpha.
    Premultiplied,
    /// Colours are to be multiplied with alpha.
    Coverage,
}

/// A rectangle that a plane puts on the pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// GGTT address of the surface.
    pub surface: u32,
    /// Its arrangement.
    pub tiling: Tiling,
    /// Bytes from one line to the next, or of one row of tiles per line.
    pub stride: u32,
    /// Its pixels.
    pub format: Format,
    /// Its alpha.
    pub blend: Blend,
    /// First column and line of the surface that are shown.
    pub source: (u32, u32),
    /// Column and line on the pipe.
    pub target: (i32, i32),
    /// Width and height.
    pub size: (u32, u32),
    /// Shown upside down.
    pub turned: bool,
}

/// What a plane shows: nothing, a layer, or something that this emulator cannot draw and says so.
pub fn plane(
    kind: DisplayKind,
    index: usize,
    registers: &PlaneRegisters,
    pipe_size: (u32, u32),
) -> Result<Option<Layer>, String> {
    if registers.control >> 31 == 0 {
        return Ok(None);
    }
    let unknown =
        |what: &str| format!("plane {index} with control {:#x} has {what}, which is not drawn", registers.control);
    match (kind, index) {
        (DisplayKind::Broadwell, 0) => {
            primary(registers, pipe_size).ok_or_else(|| unknown("a pixel format of the primary plane")).map(Some)
        }
        (DisplayKind::Broadwell, 1) => {
            sprite(registers).ok_or_else(|| unknown("a pixel format of the sprite")).map(Some)
        }
        (DisplayKind::Broadwell, _) => Ok(None),
        (DisplayKind::Skylake | DisplayKind::Broxton, _) => universal(registers, unknown).map(Some),
    }
}

fn halves(value: u32) -> (u32, u32) {
    (value & 0xffff, value >> 16)
}

/// The layer that all planes have in common; each adds its pixel format and what it has else.
fn common(registers: &PlaneRegisters, format: Format) -> Layer {
    let (x, y) = halves(registers.position);
    let (width, height) = halves(registers.size);
    Layer {
        surface: registers.surface & !0xfff,
        tiling: Tiling::Linear,
        stride: registers.stride,
        format,
        blend: Blend::Opaque,
        source: halves(registers.offset),
        target: (x as i32, y as i32),
        size: ((width & 0x1fff) + 1, (height & 0x1fff) + 1),
        turned: false,
    }
}

fn universal(registers: &PlaneRegisters, unknown: impl Fn(&str) -> String) -> Result<Layer, String> {
    let control = registers.control;
    let swapped = control >> 20 & 1 != 0;
    let format = match control >> 24 & 0xf {
        2 if swapped => Format::Xbgr2101010,
        2 => Format::Xrgb2101010,
        4 if swapped => Format::Xbgr8888,
        4 => Format::Xrgb8888,
        12 => Format::Indexed,
        14 => Format::Rgb565,
        _ => return Err(unknown("a pixel format")),
    };
    let (tiling, unit) = match control >> 10 & 7 {
        0 => (Tiling::Linear, 64),
        1 => (Tiling::X, 512),
        4 => (Tiling::Y, 128),
        _ => return Err(unknown("a tiling")),
    };
    let turned = match control & 3 {
        0 => false,
        2 => true,
        _ => return Err(unknown("a rotation by 90 degrees")),
    };
    if control >> 15 & 1 != 0 {
        return Err(unknown("a compressed surface"));
    }
    let blend = match control >> 4 & 3 {
        2 => Blend::Premultiplied,
        3 => Blend::Coverage,
        _ => Blend::Opaque,
    };
    let stride = (registers.stride & 0xfff) * unit;
    Ok(Layer { tiling, stride, turned, blend, ..common(registers, format) })
}

/// Broadwell's primary plane always fills the pipe.
fn primary(registers: &PlaneRegisters, pipe_size: (u32, u32)) -> Option<Layer> {
    let format = match registers.control >> 26 & 0xf {
        2 => Format::Indexed,
        5 => Format::Rgb565,
        6 | 7 => Format::Xrgb8888,
        8 | 9 => Format::Xbgr2101010,
        10 | 11 => Format::Xrgb2101010,
        14 | 15 => Format::Xbgr8888,
        _ => return None,
    };
    Some(Layer { target: (0, 0), size: pipe_size, ..old_style(registers, format) })
}

fn sprite(registers: &PlaneRegisters) -> Option<Layer> {
    let swapped = registers.control >> 20 & 1 != 0;
    let format = match registers.control >> 25 & 7 {
        1 if swapped => Format::Xbgr2101010,
        1 => Format::Xrgb2101010,
        2 if swapped => Format::Xbgr8888,
        2 => Format::Xrgb8888,
        _ => return None,
    };
    Some(old_style(registers, format))
}

fn old_style(registers: &PlaneRegisters, format: Format) -> Layer {
    let tiling = if registers.control >> 10 & 1 != 0 { Tiling::X } else { Tiling::Linear };
    let stride = registers.stride & 0xffff;
    Layer { tiling, stride, turned: registers.control >> 15 & 1 != 0, ..common(registers, format) }
}

/// What a cursor shows.
pub fn cursor(registers: &CursorRegisters) -> Result<Option<Layer>, String> {
    let width = match registers.control & 0x27 {
        0x00 => return Ok(None),
        0x27 => 64,
        0x22 => 128,
        0x23 => 256,
        mode => return Err(format!("the cursor has mode {mode:#x}, which is not drawn")),
    };
    let height = if registers.height >> 31 != 0 { (registers.height & 0xff) + 1 } else { width };
    let signed = |value: u32| {
        let magnitude = (value & 0x7fff) as i32;
        if value & 0x8000 != 0 {
            -magnitude
        } else {
            magnitude
        }
    };
    Ok(Some(Layer {
        surface: registers.base & !0xfff,
        tiling: Tiling::Linear,
        stride: width * 4,
        format: Format::Xrgb8888,
        blend: Blend::Premultiplied,
        source: (0, 0),
        target: (signed(registers.position), signed(registers.position >> 16)),
        size: (width, height.min(width)),
        turned: registers.control >> 15 & 1 != 0,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: (u32, u32) = (1920, 1080);

    #[test]
    fn universal_planes_have_units_of_their_tiling() {
        let registers = PlaneRegisters {
            control: 1 << 31 | 4 << 24 | 1 << 10,
            stride: 15,
            position: 20 << 16 | 10,
            size: 99 << 16 | 199,
            surface: 0x12_3000,
            offset: 4 << 16 | 3,
        };
        let layer = plane(DisplayKind::Skylake, 0, &registers, SIZE).unwrap().unwrap();
        assert_eq!((layer.tiling, layer.stride, layer.format), (Tiling::X, 7680, Format::Xrgb8888));
        assert_eq!((layer.target, layer.size, layer.source), ((10, 20), (200, 100), (3, 4)));
        let layer = PlaneRegisters { control: 1 << 31 | 14 << 24 | 4 << 10 | 2 | 3 << 4, ..registers };
        let layer = plane(DisplayKind::Skylake, 1, &layer, SIZE).unwrap().unwrap();
        assert_eq!((layer.tiling, layer.stride, layer.format), (Tiling::Y, 1920, Format::Rgb565));
        assert_eq!((layer.turned, layer.blend), (true, Blend::Coverage));
    }

    #[test]
    fn what_cannot_be_drawn_is_named() {
        let off = PlaneRegisters { control: 4 << 24, ..PlaneRegisters::default() };
        assert_eq!(plane(DisplayKind::Skylake, 0, &off, SIZE), Ok(None));
        for bits in [1 << 24, 4 << 24 | 1, 4 << 24 | 5 << 10, 4 << 24 | 1 << 15] {
            let registers = PlaneRegisters { control: 1 << 31 | bits, ..PlaneRegisters::default() };
            assert!(plane(DisplayKind::Skylake, 0, &registers, SIZE).unwrap_err().contains("not drawn"));
        }
        assert!(cursor(&CursorRegisters { control: 4, ..CursorRegisters::default() }).is_err());
    }

    #[test]
    fn broadwell_planes_have_their_own_layout() {
        let registers = PlaneRegisters {
            control: 1 << 31 | 6 << 26 | 1 << 10,
            stride: 7680,
            position: 5,
            size: 7,
            ..PlaneRegisters::default()
        };
        let layer = plane(DisplayKind::Broadwell, 0, &registers, SIZE).unwrap().unwrap();
        assert_eq!((layer.size, layer.target, layer.tiling), (SIZE, (0, 0), Tiling::X));
        let registers = PlaneRegisters { control: 1 << 31 | 2 << 25 | 1 << 20, ..registers };
        let layer = plane(DisplayKind::Broadwell, 1, &registers, SIZE).unwrap().unwrap();
        assert_eq!((layer.size, layer.target, layer.format), ((8, 1), (5, 0), Format::Xbgr8888));
    }

    #[test]
    fn cursors_may_hang_over_the_edge() {
        let registers =
            CursorRegisters { control: 0x27, base: 0x8000, position: 0x8005 << 16 | 9, height: 1 << 31 | 31 };
        let layer = cursor(&registers).unwrap().unwrap();
        assert_eq!((layer.target, layer.size, layer.stride), ((9, -5), (64, 32), 256));
    }
}
