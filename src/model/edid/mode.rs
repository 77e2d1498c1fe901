// SPDX-License-Identifier: GPL-2.0

//! Video modes with reduced blanking, computed (VESA Coordinated Video Timings 1.1, section 5.2).

use core::fmt;

use crate::wire;

/// Bytes of a pixel in the formats that desktops are drawn in.
const PIXEL_BYTES: u64 = 4;
/// Surfaces are tiled: their lines are multiples of 512 bytes, and they have a multiple of 32 lines.
const TILE_WIDTH: u64 = 512;
const TILE_HEIGHT: u64 = 32;

/// Pixels of a line that are blank: front porch, sync pulse and back porch.
const H_BLANK: u16 = 160;
const H_FRONT: u16 = 48;
const H_SYNC: u16 = 32;
/// Lines of the vertical front porch, and the fewest of the back porch.
const V_FRONT: u16 = 3;
const MIN_V_BACK: u16 = 6;
/// The shortest vertical blanking, in microseconds.
const MIN_V_BLANK: u64 = 460;
const MICROSECONDS: u64 = 1_000_000;
/// Pixel clocks are multiples of this, in kHz.
const CLOCK_STEP: u64 = 250;

/// What a detailed timing of an EDID can hold: 12 bits of pixels or lines, 16 bits of 10 kHz.
const MAX_ACTIVE: u16 = 4095;
const MAX_CLOCK_KHZ: u32 = 655_350;
/// The smallest picture that drivers of guests are known to take.
const MIN_WIDTH: u16 = 320;
const MIN_HEIGHT: u16 = 200;
/// Frames in a second, from and to: what the vertical blanks of a vGPU are limited to.
pub(super) const MIN_REFRESH: u16 = 24;
const MAX_REFRESH: u16 = 240;
const DEFAULT_REFRESH: u16 = 60;

/// Why a monitor cannot have a mode; print it with `{}`. The answer to user space is `EINVAL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModeDefect {
    /// The text is none for a mode.
    Text,
    /// So many pixels in a line are too few or too many.
    Width(u16),
    /// So many lines are too few or too many.
    Height(u16),
    /// So many frames in a second are too few or too many.
    Refresh(u16),
    /// It needs this pixel clock, in kHz, which an EDID cannot say.
    Clock(u64),
    /// A picture has so many bytes, which is more than the vGPU can spare for one.
    Memory {
        /// Bytes of a picture.
        needed: u64,
        /// Bytes that there are for it.
        limit: u64,
    },
}

impl ModeDefect {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => write!(out, "not a mode: write WIDTHxHEIGHT or WIDTHxHEIGHT@HERTZ"),
            Self::Width(width) => write!(
                out,
                "{width} pixels in a line: take {MIN_WIDTH} to {MAX_ACTIVE}"
            ),
            Self::Height(height) => {
                write!(out, "{height} lines: take {MIN_HEIGHT} to {MAX_ACTIVE}")
            }
            Self::Refresh(refresh) => write!(
                out,
                "{refresh} frames in a second: take {MIN_REFRESH} to {MAX_REFRESH}"
            ),
            Self::Clock(khz) => write!(
                out,
                "a pixel clock of {khz} kHz is beyond {MAX_CLOCK_KHZ}: take a smaller mode"
            ),
            Self::Memory { needed, limit } => write!(
                out,
                "a picture of {needed} bytes where there is room for {limit}: \
                 take a smaller mode or a bigger mdev type"
            ),
        }
    }
}

display!(ModeDefect);

/// What the monitor of a vGPU can show at most, by the memory that the vGPU has for pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    picture: u64,
}

impl Limits {
    /// Limits for pictures of so many bytes.
    pub const fn new(picture: u64) -> Self {
        Self { picture }
    }

    /// Limits for a vGPU with so many bytes of aperture. A guest draws one picture while another
    /// is shown, and it draws through the aperture.
    pub const fn for_aperture(aperture: u64) -> Self {
        Self::new(aperture / 2)
    }

    /// Whether there is room for pictures of this size.
    ///
    /// # Errors
    ///
    /// [`ModeDefect::Memory`].
    pub fn check(self, width: u16, height: u16) -> Result<(), ModeDefect> {
        let line = u64::from(width).saturating_mul(PIXEL_BYTES);
        let needed = line
            .next_multiple_of(TILE_WIDTH)
            .saturating_mul(u64::from(height).next_multiple_of(TILE_HEIGHT));
        if needed > self.picture {
            return Err(ModeDefect::Memory {
                needed,
                limit: self.picture,
            });
        }
        Ok(())
    }

    /// The biggest of the common sizes that there is room for, so that there is for every smaller
    /// one, too: pixels in a line, and lines.
    pub fn largest(self) -> (u16, u16) {
        LARGEST
            .into_iter()
            .find(|(width, height)| self.check(*width, *height).is_ok())
            .unwrap_or((MIN_WIDTH, MIN_HEIGHT))
    }
}

/// Sizes that a VMM may be told to keep to, from the biggest that an EDID can say on.
const LARGEST: [(u16, u16); 7] = [
    (MAX_ACTIVE, MAX_ACTIVE),
    (3840, 2400),
    (3840, 2160),
    (2560, 1600),
    (1920, 1200),
    (1024, 768),
    (640, 480),
];

/// One direction of a mode: pixels of a line, or lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// What is seen.
    pub active: u16,
    /// What is not, in all.
    pub blank: u16,
    /// From the end of what is seen to the sync pulse.
    pub front: u16,
    /// The sync pulse.
    pub sync: u16,
}

impl Sweep {
    /// What is seen and what is not.
    pub fn total(&self) -> u32 {
        u32::from(self.active).saturating_add(self.blank.into())
    }
}

/// A video mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Pixels in a second, in thousands.
    pub clock_khz: u32,
    /// A line.
    pub horizontal: Sweep,
    /// A frame.
    pub vertical: Sweep,
}

impl Mode {
    /// The mode of this size with so many frames in a second, or as close to it as the steps of the
    /// pixel clock allow.
    ///
    /// The standard rounds the width to a multiple of 8. This keeps it, since both an EDID and the
    /// display engine take any width.
    ///
    /// # Errors
    ///
    /// A [`ModeDefect`] other than [`ModeDefect::Memory`].
    pub fn reduced(width: u16, height: u16, refresh: u16) -> Result<Self, ModeDefect> {
        if !(MIN_WIDTH..=MAX_ACTIVE).contains(&width) {
            return Err(ModeDefect::Width(width));
        }
        if !(MIN_HEIGHT..=MAX_ACTIVE).contains(&height) {
            return Err(ModeDefect::Height(height));
        }
        if !(MIN_REFRESH..=MAX_REFRESH).contains(&refresh) {
            return Err(ModeDefect::Refresh(refresh));
        }
        let vertical = vertical(width, height, refresh);
        let horizontal = Sweep {
            active: width,
            blank: H_BLANK,
            front: H_FRONT,
            sync: H_SYNC,
        };
        let clock = u64::from(horizontal.total())
            .saturating_mul(vertical.total().into())
            .saturating_mul(refresh.into())
            / 1000;
        let clock = clock.saturating_sub(clock % CLOCK_STEP);
        match u32::try_from(clock) {
            Ok(clock_khz) if clock_khz <= MAX_CLOCK_KHZ => Ok(Self {
                clock_khz,
                horizontal,
                vertical,
            }),
            _ => Err(ModeDefect::Clock(clock)),
        }
    }

    /// Reads a mode as a write to a sysfs file gives it: pixels in a line, `x`, lines, and maybe `@`
    /// and frames in a second, which are 60 otherwise; and maybe a newline.
    ///
    /// # Errors
    ///
    /// [`ModeDefect::Text`] for anything else; those of [`Mode::reduced`].
    pub fn parse(text: &[u8]) -> Result<Self, ModeDefect> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let (size, refresh) = match split(text, b'@') {
            Some((size, refresh)) => (size, wire::decimal(refresh)),
            None => (text, Some(DEFAULT_REFRESH)),
        };
        let (width, height) = split(size, b'x').ok_or(ModeDefect::Text)?;
        match (wire::decimal(width), wire::decimal(height), refresh) {
            (Some(width), Some(height), Some(refresh)) => Self::reduced(width, height, refresh),
            _ => Err(ModeDefect::Text),
        }
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refresh = self.refresh_millihertz().saturating_add(500) / 1000;
        let (width, height) = (self.horizontal.active, self.vertical.active);
        write!(out, "{width}x{height}@{refresh}")
    }

    /// Frames in a thousand seconds; 0 for a mode without pixels.
    pub fn refresh_millihertz(&self) -> u64 {
        let pixels =
            u64::from(self.horizontal.total()).saturating_mul(self.vertical.total().into());
        u64::from(self.clock_khz)
            .saturating_mul(1_000_000)
            .checked_div(pixels)
            .unwrap_or(0)
    }
}

display!(Mode);

/// What is before and what is after the first `mark`.
fn split(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|byte| *byte == mark)?;
    let (before, after) = text.split_at_checked(at)?;
    Some((before, after.get(1..)?))
}

/// The vertical blanking is the shortest that takes [`MIN_V_BLANK`].
fn vertical(width: u16, height: u16, refresh: u16) -> Sweep {
    let sync = sync_lines(width, height);
    // A frame takes 1 / refresh, of which all but MIN_V_BLANK is for the lines that are seen.
    let blank_time = MIN_V_BLANK.saturating_mul(refresh.into());
    let lines = blank_time
        .saturating_mul(height.into())
        .checked_div(MICROSECONDS.saturating_sub(blank_time))
        .unwrap_or(0)
        .saturating_add(1);
    let fewest = V_FRONT.saturating_add(sync).saturating_add(MIN_V_BACK);
    Sweep {
        active: height,
        blank: u16::try_from(lines).unwrap_or(u16::MAX).max(fewest),
        front: V_FRONT,
        sync,
    }
}

/// The width of the vertical sync pulse tells the shape of the picture.
fn sync_lines(width: u16, height: u16) -> u16 {
    let (width, height) = (u32::from(width), u32::from(height));
    let is = |x: u32, y: u32| width.saturating_mul(y) == height.saturating_mul(x);
    match () {
        () if is(4, 3) => 4,
        () if is(16, 9) => 5,
        () if is(16, 10) => 6,
        () if is(5, 4) || is(15, 9) => 7,
        () => 10,
    }
}
