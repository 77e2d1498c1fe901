// SPDX-License-Identifier: GPL-2.0

//! From the registers of clocks and transcoders to refresh rates and vertical blanks
//! (gvt-spec 10.4).
//!
//! Everything is in integers, and nothing is divided by what a guest says may be 0. A rate is
//! limited to what a monitor can have, so that no guest makes the host's timers run wild.

use kernel::bitfield;

use super::{
    Ddi,
    Transcoder, //
};
use crate::platform::Platform;

/// Gives the value of the register at an offset in BAR0.
pub type Registers<'a> = &'a dyn Fn(u32) -> u32;

bitfield! {
    /// `PORT_CLK_SEL` of Broadwell: where the clock of a port comes from.
    struct PortClockSelect(u32) {
        31:29 source;
    }
}

bitfield! {
    /// `SPLL_CTL` of Broadwell.
    struct Spll(u32) {
        27:26 frequency;
    }
}

bitfield! {
    /// `WRPLL_CTL` of Broadwell.
    struct Wrpll(u32) {
        29:28 reference;
        23:16 feedback;
        13:8 post;
        7:0 divider;
    }
}

bitfield! {
    /// Enable register of a port's PLL of Broxton.
    struct PortPllEnable(u32) {
        31:31 enable => bool;
        30:30 lock => bool;
    }
}

const PORT_CLK_SEL: u32 = 0x46100;
const SPLL_CTL: u32 = 0x46020;
const WRPLL_CTL: [u32; 2] = [0x46040, 0x46060];
const DPLL_CTRL1: u32 = 0x6c058;
const DPLL_CTRL2: u32 = 0x6c05c;
const PORT_PLL_ENABLE: u32 = 0x46074;

/// Link clocks of the outputs of LCPLL, and of SPLL, in kHz: by the number in the register.
const LCPLL_CLOCKS: [u32; 3] = [540_000, 270_000, 162_000];
const SPLL_CLOCKS: [u32; 3] = [162_000, 270_000, 540_000];
/// Link clocks of a DPLL of Skylake, in kHz: by the number in `DPLL_CTRL1`.
const DPLL_CLOCKS: [u32; 6] = [540_000, 270_000, 162_000, 324_000, 216_000, 432_000];
/// References of WRPLL, in units of 1 kHz and of 100 Hz: by the number in the register.
const WRPLL_REFERENCES: [Option<u64>; 4] = [None, Some(135_000), Some(135_000), Some(2_700_000)];
/// Reference of the PLLs of Broxton, in kHz, and the first feedback divider.
const BROXTON_REFERENCE: u64 = 100_000;
const BROXTON_M1: u64 = 2;
/// Bits of the second feedback divider behind the point.
const M2_FRACTION: u32 = 22;

/// The entry of a table that a field of a register selects.
fn entry<T: Copy>(table: &[T], number: u32) -> Option<T> {
    table.get(usize::try_from(number).ok()?).copied()
}

/// The link clock of a DisplayPort port, in kHz: a tenth of the bit rate of a lane. `None` if no
/// clock is on, or none that there is on this platform.
pub fn link_clock(platform: Platform, port: Ddi, registers: Registers<'_>) -> Option<u32> {
    match platform {
        Platform::Broadwell => broadwell(port, registers),
        Platform::Broxton => broxton(port, registers),
        Platform::Skylake | Platform::KabyLake | Platform::CoffeeLake | Platform::CometLake => {
            skylake(port, registers)
        }
    }
    .filter(|clock| *clock != 0)
}

fn broadwell(port: Ddi, registers: Registers<'_>) -> Option<u32> {
    let offset = PORT_CLK_SEL.checked_add(port.index().checked_mul(4)?)?;
    let source = PortClockSelect::from_raw(registers(offset)).source().get();
    match source {
        0..=2 => entry(&LCPLL_CLOCKS, source),
        3 => {
            let spll = Spll::from_raw(registers(SPLL_CTL));
            entry(&SPLL_CLOCKS, spll.frequency().get())
        }
        4 | 5 => {
            let offset = entry(&WRPLL_CTL, source.checked_sub(4)?)?;
            let pll = Wrpll::from_raw(registers(offset));
            let reference = entry(&WRPLL_REFERENCES, pll.reference().get())??;
            // Feedback and divider count halves.
            let divider = pll.post().get().checked_mul(pll.divider().get())?;
            let clock = reference.checked_mul(pll.feedback().get().into())? / 10;
            let clock = clock.checked_div(divider.into())?.checked_mul(2)?;
            u32::try_from(clock).ok()
        }
        _ => None,
    }
}

fn skylake(port: Ddi, registers: Registers<'_>) -> Option<u32> {
    // Each port has a bit that its clock is off, and a group of three: override, and which PLL.
    let select = registers(DPLL_CTRL2);
    let is_off = select & 1u32.checked_shl(port.index().checked_add(15)?)? != 0;
    let group = select.checked_shr(port.index().checked_mul(3)?)?;
    if is_off || group & 1 == 0 {
        return None;
    }
    let pll = (group >> 1) & 3;
    // Each PLL has six bits: override, rate, spread spectrum, mode for HDMI.
    let control = registers(DPLL_CTRL1).checked_shr(pll.checked_mul(6)?)?;
    let is_hdmi = control & (1 << 5) != 0;
    entry(&DPLL_CLOCKS, (control >> 1) & 7).filter(|_| !is_hdmi)
}

fn broxton(port: Ddi, registers: Registers<'_>) -> Option<u32> {
    // The first register of the dividers after the VCO, and of those before it.
    let (after, before): (u32, u32) = match port {
        Ddi::A => (0x16_2034, 0x16_2100),
        Ddi::B => (0x6_c034, 0x6_c100),
        Ddi::C => (0x6_c340, 0x6_c380),
        Ddi::D | Ddi::E => return None,
    };
    let offset = PORT_PLL_ENABLE.checked_add(port.index().checked_mul(4)?)?;
    let enable = PortPllEnable::from_raw(registers(offset));
    if !enable.enable() || !enable.lock() {
        return None;
    }
    let register = |number: u32| before.checked_add(number.checked_mul(4)?).map(registers);
    let mut m2 = u64::from(register(0)? & 0xff) << M2_FRACTION;
    if register(3)? & (1 << 16) != 0 {
        m2 |= u64::from(register(2)? & 0x3f_ffff);
    }
    let n = u64::from((register(1)? >> 8) & 0xf) << M2_FRACTION;
    let post = registers(after);
    let p = u64::from((post >> 13) & 7).checked_mul(u64::from((post >> 8) & 0x1f))?;
    let vco = divide(
        BROXTON_REFERENCE.checked_mul(BROXTON_M1.checked_mul(m2)?)?,
        n,
    )?;
    u32::try_from(divide(vco, p.checked_mul(5)?)?).ok()
}

/// The quotient, to the nearest number; `None` for a division by 0.
fn divide(dividend: u64, divisor: u64) -> Option<u64> {
    dividend.saturating_add(divisor / 2).checked_div(divisor)
}

/// Frames in a thousand seconds, of a monitor that can be.
///
/// # Invariants
///
/// Between [`Refresh::MIN`] and [`Refresh::MAX`], so that it is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refresh(u32);

impl Refresh {
    /// 24 Hz.
    pub const MIN: Self = Self(24_000);
    /// 240 Hz.
    pub const MAX: Self = Self(240_000);
    /// 60 Hz, where nothing else is known.
    pub const DEFAULT: Self = Self(60_000);

    /// So many frames in a thousand seconds, or the closest rate that can be.
    pub fn new(millihertz: u64) -> Self {
        let millihertz = u32::try_from(millihertz).unwrap_or(u32::MAX);
        // INVARIANT: by the limits.
        Self(millihertz.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Frames in a thousand seconds.
    pub const fn millihertz(self) -> u32 {
        self.0
    }

    /// The time of a frame, in nanoseconds, to the nearest number: 4 to 42 million.
    pub fn period_ns(self) -> u64 {
        // By the invariant there is a quotient.
        divide(1_000_000_000_000, self.0.into()).unwrap_or(u64::MAX)
    }
}

/// The registers of a transcoder that tell its pixel clock and its timing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// `PIPE_LINK_M1`: pixels ...
    pub link_m: u32,
    /// `PIPE_LINK_N1`: ... for so many symbols of the link.
    pub link_n: u32,
    /// `TRANS_HTOTAL`.
    pub htotal: u32,
    /// `TRANS_VTOTAL`.
    pub vtotal: u32,
}

bitfield! {
    /// `TRANS_HTOTAL` and `TRANS_VTOTAL`; both fields are one less than what they mean.
    struct Total(u32) {
        28:16 total;
        12:0 active;
    }
}

/// The valid bits of `PIPE_LINK_M1` and `PIPE_LINK_N1`.
const LINK_BITS: u32 = 0xff_ffff;

impl Timing {
    /// Reads the registers of a transcoder.
    pub fn read(transcoder: Transcoder, registers: Registers<'_>) -> Self {
        let register = |offset: u32| registers(transcoder.base().saturating_add(offset));
        Self {
            link_m: register(0x40),
            link_n: register(0x44),
            htotal: register(0x00),
            vtotal: register(0x0c),
        }
    }

    /// Lines that are seen, and lines in all.
    pub fn lines(&self) -> (u32, u32) {
        let vertical = Total::from_raw(self.vtotal);
        let active = vertical.active().get().saturating_add(1);
        (active, vertical.total().get().saturating_add(1))
    }

    /// The refresh rate with a link of this clock, in kHz. `None` if the registers do not tell.
    pub fn refresh(&self, link_clock: u32) -> Option<Refresh> {
        let horizontal = u64::from(Total::from_raw(self.htotal).total().get());
        let vertical = u64::from(Total::from_raw(self.vtotal).total().get());
        let (m, n) = (self.link_m & LINK_BITS, self.link_n & LINK_BITS);
        if horizontal == 0 || vertical == 0 || m == 0 {
            return None;
        }
        let pixels = horizontal
            .saturating_add(1)
            .saturating_mul(vertical.saturating_add(1));
        let clock_khz = u64::from(link_clock)
            .saturating_mul(m.into())
            .checked_div(n.into())?;
        let millihertz = divide(clock_khz.saturating_mul(1_000_000), pixels)?;
        Some(Refresh::new(millihertz))
    }
}

/// The refresh rate of a transcoder that sends to a DisplayPort port.
pub fn refresh(
    platform: Platform,
    transcoder: Transcoder,
    registers: Registers<'_>,
) -> Option<Refresh> {
    let port = transcoder.port(registers)?;
    let clock = link_clock(platform, port, registers)?;
    Timing::read(transcoder, registers).refresh(clock)
}

/// The vertical blanks of a pipe that is on. Times are in nanoseconds of one clock that never goes
/// back.
///
/// Blanks are counted from the start, so that none is lost if a timer is late, and the picture does
/// not drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vblank {
    refresh: Refresh,
    next: u64,
}

impl Vblank {
    /// Starts with a frame at `now`.
    pub fn new(now: u64, refresh: Refresh) -> Self {
        Self {
            refresh,
            next: now.saturating_add(refresh.period_ns()),
        }
    }

    /// The rate.
    pub const fn refresh(&self) -> Refresh {
        self.refresh
    }

    /// Changes the rate. A frame starts at `now`, unless the rate is what it was.
    pub fn set_refresh(&mut self, now: u64, refresh: Refresh) {
        if self.refresh != refresh {
            *self = Self::new(now, refresh);
        }
    }

    /// When the next blank is: the time for a timer.
    pub const fn deadline(&self) -> u64 {
        self.next
    }

    /// Counts the blanks since the last call, those that a late timer missed too. The frame counter
    /// of the pipe goes on by this number, and there is one interrupt if it is not 0.
    pub fn pass(&mut self, now: u64) -> u64 {
        let Some(late) = now.checked_sub(self.next) else {
            return 0;
        };
        let period = self.refresh.period_ns();
        let passed = late.checked_div(period).unwrap_or(0).saturating_add(1);
        self.next = self.next.saturating_add(passed.saturating_mul(period));
        passed
    }

    /// The line that is sent at `now`, for `PIPEDSL`: a blank starts with the first line after those
    /// that are seen. `lines` are those of [`Timing::lines`].
    pub fn scan_line(&self, now: u64, lines: (u32, u32)) -> u32 {
        let (active, total) = lines;
        let period = self.refresh.period_ns();
        let left = self.next.saturating_sub(now).min(period);
        let line = period
            .saturating_sub(left)
            .saturating_mul(total.into())
            .checked_div(period)
            .unwrap_or(0)
            .saturating_add(active.into())
            .checked_rem(total.into())
            .unwrap_or(0);
        u32::try_from(line).unwrap_or(0)
    }
}

/// The frame counter of a pipe, `PIPE_FRMCOUNT`, after so many blanks: 32 bits, which wrap.
pub fn frames_after(counter: u32, passed: u64) -> u32 {
    u32::try_from(passed & u64::from(u32::MAX))
        .map_or(counter, |passed| counter.wrapping_add(passed))
}
