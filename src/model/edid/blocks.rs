// SPDX-License-Identifier: GPL-2.0

//! An EDID with extensions: that of a monitor of any size, and what a VMM gives.

use super::{
    colours,
    descriptor,
    detailed,
    low,
    mode::{
        Limits,
        Mode,
        ModeDefect,
        Sweep,
        MIN_REFRESH, //
    },
    sum,
    validate,
    width_code,
    Defect,
    Edid,
    CHECKSUM_AT,
    EDID_SIZE,
    ESTABLISHED,
    EXTENSIONS_AT,
    GAMMA,
    HEADER,
    INPUT,
    MANUFACTURER,
    NAME,
    PRODUCT,
    REVISION,
    SERIAL,
    STANDARD,
    TAG_NAME,
    TAG_RANGE,
    TAG_SERIAL,
    VERSION,
    WEEK,
    YEAR, //
};
use crate::{
    types::Resolution,
    wire::{
        put,
        u16_at,
        Cursor, //
    },
};

/// Size of an EDID with one extension, in bytes; there can be no more.
pub const MAX_SIZE: usize = 2 * EDID_SIZE;

/// Where the detailed timing of the native mode is.
const NATIVE_AT: usize = 54;
/// RGB 4:4:4, the first detailed timing is the native one.
const FEATURES: u8 = 0x22;
/// Unused standard timing.
const NO_TIMING: [u8; 2] = [1, 1];
/// Tag and revision of a CTA-861 extension.
const CTA: [u8; 2] = [2, 3];
/// Where its detailed timings are if there are no data blocks, and no audio and no YCbCr.
const CTA_TIMINGS: [u8; 2] = [4, 0];
/// Detailed timings for which there is room.
const CTA_ROOM: usize = 6;
/// Range limits and nothing else: no formula for further timings.
const RANGE_ONLY: u8 = 1;
/// 255 kHz have to be added to the highest line frequency.
const RANGE_FAST_LINES: u8 = 1 << 3;
/// The lowest line frequency, in kHz, unless that of the native mode is lower still.
const SLOWEST_LINES: u64 = 24;

/// Sizes that a monitor offers beyond its native one, those for which there is room. Each is at
/// 60 Hz and a detailed timing of the extension.
const SIZES: [(u16, u16); 9] = [
    (3840, 2160),
    (3440, 1440),
    (2560, 1600),
    (2560, 1440),
    (1920, 1200),
    (1920, 1080),
    (1600, 900),
    (1366, 768),
    (1280, 800),
];
const REFRESH: u16 = 60;

/// One or two blocks that make a valid EDID.
///
/// # Invariants
///
/// `size` is 128 or 256, and the bytes before it pass the checks of [`Blocks::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    bytes: [u8; MAX_SIZE],
    size: usize,
}

impl Blocks {
    /// Takes the bytes that a VMM gives; those beyond the last block that they count are ignored.
    ///
    /// # Errors
    ///
    /// The first defect: what [`super::validate`] finds in the first block, and then what is wrong
    /// with the extension.
    pub fn parse(given: &[u8]) -> Result<Self, Defect> {
        let (base, rest) = given
            .split_first_chunk::<EDID_SIZE>()
            .ok_or(Defect::Length(given.len()))?;
        validate(base)?;
        let mut bytes = [0; MAX_SIZE];
        put(&mut bytes, 0, base);
        let counted = base.get(EXTENSIONS_AT).copied().unwrap_or(0);
        let size = match (counted, rest.first_chunk::<EDID_SIZE>()) {
            (0, _) => EDID_SIZE,
            (1, Some(extension)) if sum(extension) != 0 => return Err(Defect::Extension),
            (1, Some(extension)) => {
                put(&mut bytes, EDID_SIZE, extension);
                MAX_SIZE
            }
            (1, None) => return Err(Defect::Length(given.len())),
            (count, _) => return Err(Defect::TooMany(count)),
        };
        // INVARIANT: all checks were made above.
        Ok(Self { bytes, size })
    }

    /// The EDID that a vGPU of this resolution has if nobody gives another: one block.
    pub fn classic(resolution: Resolution) -> Self {
        let mut bytes = [0; MAX_SIZE];
        put(&mut bytes, 0, &super::monitor(resolution));
        // INVARIANT: these pass, as a test shows.
        Self {
            bytes,
            size: EDID_SIZE,
        }
    }

    /// The EDID of a monitor with this native mode, and with the common ones that fit into the
    /// limits and into the native one.
    ///
    /// # Errors
    ///
    /// [`ModeDefect::Memory`] if the native mode does not fit.
    pub fn monitor(native: &Mode, limits: Limits) -> Result<Self, ModeDefect> {
        limits.check(native.horizontal.active, native.vertical.active)?;
        let mut bytes = [0; MAX_SIZE];
        put(&mut bytes, 0, &base(native));
        put(&mut bytes, EDID_SIZE, &extension(native));
        // INVARIANT: as the block says that there is an extension, and both are sealed.
        Ok(Self {
            bytes,
            size: MAX_SIZE,
        })
    }

    /// The bytes, 128 or 256.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or(&self.bytes)
    }

    /// The native mode, if the first detailed timing is one.
    pub fn native(&self) -> Option<Mode> {
        let timing = self.bytes.get(NATIVE_AT..)?.first_chunk()?;
        parse_timing(timing)
    }
}

/// Makes the bytes add up to 0.
fn seal(block: &mut Edid) {
    put(block, CHECKSUM_AT, &[0]);
    let checksum = sum(block).wrapping_neg();
    put(block, CHECKSUM_AT, &[checksum]);
}

fn base(native: &Mode) -> Edid {
    let (width, height) = (native.horizontal.active, native.vertical.active);
    let mut block = [0; EDID_SIZE];
    let mut out = Cursor::new(&mut block);
    out.put(&HEADER)
        .put(&MANUFACTURER)
        .put(&PRODUCT.to_le_bytes())
        .skip(4)
        .put(&[WEEK, YEAR, VERSION, REVISION])
        .put(&[INPUT])
        .put(&[low(millimetres(width) / 10), low(millimetres(height) / 10)])
        .put(&[GAMMA, FEATURES])
        .put(&colours())
        .put(if width >= 1024 && height >= 768 {
            &ESTABLISHED
        } else {
            &[0; 3]
        });
    for (standard, aspect) in STANDARD {
        if standard <= width && aspect.height(standard) <= height {
            out.put(&[width_code(standard), aspect.code()]);
        } else {
            out.put(&NO_TIMING);
        }
    }
    out.put(&NO_TIMING)
        .put(&timing(native))
        .put(&range(native))
        .put(&descriptor(TAG_NAME, 0, NAME))
        .put(&descriptor(TAG_SERIAL, 0, SERIAL))
        .put(&[1]);
    seal(&mut block);
    block
}

fn extension(native: &Mode) -> Edid {
    let (width, height) = (native.horizontal.active, native.vertical.active);
    let mut block = [0; EDID_SIZE];
    let mut out = Cursor::new(&mut block);
    out.put(&CTA).put(&CTA_TIMINGS);
    let smaller = SIZES
        .into_iter()
        .filter(|(x, y)| *x <= width && *y <= height && (*x, *y) != (width, height))
        .filter_map(|(x, y)| Mode::reduced(x, y, REFRESH).ok())
        .filter(|mode| mode.clock_khz <= native.clock_khz);
    for mode in smaller.take(CTA_ROOM) {
        out.put(&timing(&mode));
    }
    seal(&mut block);
    block
}

/// The ranges of frame and line frequencies and of the pixel clock that all modes are in.
fn range(native: &Mode) -> [u8; 18] {
    let byte = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
    let frames = native.refresh_millihertz().div_ceil(1000);
    let lines = u64::from(native.clock_khz)
        .checked_div(native.horizontal.total().into())
        .unwrap_or(0);
    let highest = lines.saturating_add(1);
    let (flags, highest) = match highest.checked_sub(255) {
        Some(above) if above > 0 => (RANGE_FAST_LINES, above),
        _ => (0, highest),
    };
    let content = [
        byte(MIN_REFRESH.into()),
        byte(frames.max(REFRESH.into())),
        byte(lines.clamp(1, SLOWEST_LINES)),
        byte(highest),
        byte(native.clock_khz.div_ceil(10_000).into()),
        RANGE_ONLY,
    ];
    descriptor(TAG_RANGE, flags, &content)
}

/// At 96 dots for an inch.
fn millimetres(dots: u16) -> u16 {
    let length = u32::from(dots).saturating_mul(254) / 960;
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn timing(mode: &Mode) -> [u8; 18] {
    let (width, height) = (mode.horizontal.active, mode.vertical.active);
    detailed(mode, [millimetres(width), millimetres(height)])
}

/// Takes a detailed timing apart; `None` if it is a descriptor of something else.
fn parse_timing(bytes: &[u8; 18]) -> Option<Mode> {
    let [_, _, x, x_blank, x_high, y, y_blank, y_high, x_front, x_sync, y_low, highest, ..] =
        *bytes;
    let clock = u16_at(bytes, 0);
    let twelve = |low: u8, high: u8| u16::from_le_bytes([low, high & 0xf]);
    let ten = |low: u8, high: u8| u16::from_le_bytes([low, high & 3]);
    let six = |low: u8, high: u8| u16::from((low & 0xf) | ((high & 3) << 4));
    let mode = Mode {
        clock_khz: u32::from(clock).saturating_mul(10),
        horizontal: Sweep {
            active: twelve(x, x_high >> 4),
            blank: twelve(x_blank, x_high),
            front: ten(x_front, highest >> 6),
            sync: ten(x_sync, highest >> 4),
        },
        vertical: Sweep {
            active: twelve(y, y_high >> 4),
            blank: twelve(y_blank, y_high),
            front: six(y_low >> 4, highest >> 2),
            sync: six(y_low, highest),
        },
    };
    (clock != 0 && mode.horizontal.active != 0 && mode.vertical.active != 0).then_some(mode)
}
