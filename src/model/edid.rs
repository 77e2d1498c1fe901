// SPDX-License-Identifier: GPL-2.0

//! The EDID of the virtual monitor (VESA E-EDID 1.4; gvt-spec 10.1).

mod blocks;
pub mod mode;

use core::fmt;

pub use blocks::{
    Blocks,
    MAX_SIZE, //
};
use mode::{
    Mode,
    Sweep, //
};

use crate::{
    types::Resolution,
    wire::{
        put,
        Cursor, //
    },
};

/// Size of an EDID without extensions, in bytes.
pub const EDID_SIZE: usize = 128;

/// An EDID without extensions.
pub type Edid = [u8; EDID_SIZE];

const HEADER: [u8; 8] = [0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00];
const VERSION_AT: usize = 18;
const VERSION: u8 = 1;
const REVISION: u8 = 4;
const EXTENSIONS_AT: usize = 126;
const CHECKSUM_AT: usize = 127;

/// Why bytes are not an EDID; print it with `{}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// All bytes are 0.
    Blank,
    /// The first eight bytes are not those of an EDID.
    Header,
    /// The major version is another than 1.
    Version(u8),
    /// The bytes do not add up to 0.
    Checksum,
    /// There are so many bytes, which are not the blocks that it counts.
    Length(usize),
    /// The bytes of the extension do not add up to 0.
    Extension,
    /// It says that so many blocks follow, and there can be one.
    TooMany(u8),
}

impl Defect {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blank => write!(out, "all bytes are 0"),
            Self::Header => write!(out, "it does not start with 00 ff ff ff ff ff ff 00"),
            Self::Version(version) => write!(out, "its version is {version}, not 1"),
            Self::Checksum => write!(out, "its bytes do not add up to 0"),
            Self::Length(bytes) => write!(
                out,
                "{bytes} bytes are not all its blocks, which have {EDID_SIZE} each"
            ),
            Self::Extension => write!(out, "the bytes of its extension do not add up to 0"),
            Self::TooMany(count) => write!(
                out,
                "it counts {count} extension blocks, and there is room for one"
            ),
        }
    }
}

display!(Defect);

/// Checks what `drm_edid_valid` (`drivers/gpu/drm/drm_edid.c`) checks of one block.
///
/// # Errors
///
/// The first defect.
pub fn validate(edid: &Edid) -> Result<(), Defect> {
    if edid.iter().all(|byte| *byte == 0) {
        return Err(Defect::Blank);
    }
    if !edid.starts_with(&HEADER) {
        return Err(Defect::Header);
    }
    if sum(edid) != 0 {
        return Err(Defect::Checksum);
    }
    match edid.get(VERSION_AT).copied().unwrap_or(0) {
        VERSION => Ok(()),
        version => Err(Defect::Version(version)),
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// Three letters, `HWP`, with 5 bits each.
const MANUFACTURER: [u8; 2] = [0x22, 0xf0];
const PRODUCT: u16 = 0x2954;
const WEEK: u8 = 4;
/// 2013, from 1990 on.
const YEAR: u8 = 23;
/// Digital, 8 bits for each colour, DisplayPort.
const INPUT: u8 = 0xa5;
const SIZE_CM: [u8; 2] = [52, 32];
/// 2.2, as hundredths without the first.
const GAMMA: u8 = 120;
/// RGB 4:4:4, the first detailed timing is the native one, frequencies are continuous.
const FEATURES: u8 = 0x23;
/// 640x480, 800x600 and 1024x768, all at 60 Hz.
const ESTABLISHED: [u8; 3] = [0x21, 0x08, 0x00];

/// A colour on the chromaticity diagram, in 1024ths.
struct Colour {
    x: u16,
    y: u16,
}

const RED: Colour = Colour { x: 659, y: 343 };
const GREEN: Colour = Colour { x: 311, y: 628 };
const BLUE: Colour = Colour { x: 150, y: 72 };
const WHITE: Colour = Colour { x: 320, y: 337 };

/// The shape of a standard timing.
#[derive(Clone, Copy)]
enum Aspect {
    Is16By10,
    Is4By3,
    Is5By4,
    Is16By9,
}

impl Aspect {
    const fn code(self) -> u8 {
        match self {
            Self::Is16By10 => 0x00,
            Self::Is4By3 => 0x40,
            Self::Is5By4 => 0x80,
            Self::Is16By9 => 0xc0,
        }
    }

    /// The lines of a picture of this width.
    fn height(self, width: u16) -> u16 {
        let (x, y) = match self {
            Self::Is16By10 => (16, 10),
            Self::Is4By3 => (4, 3),
            Self::Is5By4 => (5, 4),
            Self::Is16By9 => (16, 9),
        };
        width.checked_div(x).unwrap_or(0).saturating_mul(y)
    }
}

/// Widths in pixels and shapes, all at 60 Hz.
const STANDARD: [(u16, Aspect); 7] = [
    (1920, Aspect::Is16By9),
    (1280, Aspect::Is16By9),
    (1280, Aspect::Is4By3),
    (1280, Aspect::Is5By4),
    (1440, Aspect::Is16By10),
    (1600, Aspect::Is4By3),
    (1680, Aspect::Is16By10),
];

/// 1920x1200 at 60 Hz with reduced blanking.
const NATIVE: Mode = Mode {
    clock_khz: 154_000,
    horizontal: Sweep {
        active: 1920,
        blank: 160,
        front: 48,
        sync: 32,
    },
    vertical: Sweep {
        active: 1200,
        blank: 35,
        front: 3,
        sync: 6,
    },
};
const NATIVE_MILLIMETRES: [u16; 2] = [518, 324];
/// Digital separate sync, horizontal positive, vertical negative.
const SYNC_FLAGS: u8 = 0x1a;

const TAG_SERIAL: u8 = 0xff;
const TAG_RANGE: u8 = 0xfd;
const TAG_NAME: u8 = 0xfc;
const NAME: &[u8] = b"HP ZR2440w";
const SERIAL: &[u8] = b"CN43040DXQ";
/// 24 to 60 Hz, 24 to 80 kHz, up to 170 MHz, no formula.
const RANGE: [u8; 6] = [24, 60, 24, 80, 17, 0];

/// The EDID of the monitor of a vGPU.
///
/// One monitor does for both resolutions. That for the smaller one keeps the timings beyond it,
/// but with a width or a clock of 0, by which they are none.
pub fn monitor(resolution: Resolution) -> Edid {
    let mut edid = [0; EDID_SIZE];
    let all = resolution == Resolution::Wuxga;
    let mut out = Cursor::new(&mut edid);
    out.put(&HEADER)
        .put(&MANUFACTURER)
        .put(&PRODUCT.to_le_bytes())
        .skip(4)
        .put(&[WEEK, YEAR, VERSION, REVISION])
        .put(&[INPUT])
        .put(&SIZE_CM)
        .put(&[GAMMA, FEATURES])
        .put(&colours())
        .put(&ESTABLISHED);
    for (width, aspect) in STANDARD {
        out.put(&[if all { width_code(width) } else { 0 }, aspect.code()]);
    }
    out.put(&[u8::from(all), 1]);
    let clock_khz = if all { NATIVE.clock_khz } else { 0 };
    let native = Mode {
        clock_khz,
        ..NATIVE
    };
    out.put(&detailed(&native, NATIVE_MILLIMETRES))
        .put(&descriptor(TAG_RANGE, 0, &RANGE))
        .put(&descriptor(TAG_NAME, 0, NAME))
        .put(&descriptor(TAG_SERIAL, 0, SERIAL));
    let checksum = sum(&edid).wrapping_neg();
    put(&mut edid, CHECKSUM_AT, &[checksum]);
    edid
}

/// The lowest 8 bits.
fn low(number: u16) -> u8 {
    let [low, _] = number.to_le_bytes();
    low
}

/// First the lowest 2 bits of all coordinates, then the upper 8 bits of each.
fn colours() -> [u8; 10] {
    let colours = [RED, GREEN, BLUE, WHITE];
    let mut bytes = [0; 10];
    let mut shift = 16;
    let mut lowest = 0u16;
    let (first, rest) = bytes.split_at_mut(2);
    for (colour, pair) in colours.iter().zip(rest.chunks_exact_mut(2)) {
        for (coordinate, byte) in [colour.x, colour.y].into_iter().zip(pair) {
            shift = u32::saturating_sub(shift, 2);
            lowest |= (coordinate & 3).checked_shl(shift).unwrap_or(0);
            *byte = low(coordinate >> 2);
        }
    }
    first.copy_from_slice(&lowest.to_be_bytes());
    bytes
}

/// The width of a standard timing: in units of 8 pixels, from 248 on.
fn width_code(width: u16) -> u8 {
    low((width / 8).saturating_sub(31))
}

/// A detailed timing for a picture of so many millimetres.
fn detailed(mode: &Mode, millimetres: [u16; 2]) -> [u8; 18] {
    let highs = |first: u16, second: u16| low((first >> 4) & 0xf0) | low((second >> 8) & 0xf);
    let clock = u16::try_from(mode.clock_khz / 10).unwrap_or(u16::MAX);
    let [clock_low, clock_high] = clock.to_le_bytes();
    let (x, y) = (&mode.horizontal, &mode.vertical);
    let [width, height] = millimetres;
    let highest = ((x.front >> 2) & 0xc0)
        | ((x.sync >> 4) & 0x30)
        | ((y.front >> 2) & 0x0c)
        | ((y.sync >> 4) & 0x03);
    [
        clock_low,
        clock_high,
        low(x.active),
        low(x.blank),
        highs(x.active, x.blank),
        low(y.active),
        low(y.blank),
        highs(y.active, y.blank),
        low(x.front),
        low(x.sync),
        low((y.front << 4) & 0xf0) | low(y.sync & 0xf),
        low(highest),
        low(width),
        low(height),
        highs(width, height),
        0,
        0,
        SYNC_FLAGS,
    ]
}

/// A descriptor that is not a timing: `content` ends with a newline and is filled with spaces.
fn descriptor(tag: u8, flags: u8, content: &[u8]) -> [u8; 18] {
    let mut bytes = [b' '; 18];
    Cursor::new(&mut bytes)
        .put(&[0, 0, 0, tag, flags])
        .put(content)
        .put(b"\n");
    bytes
}
