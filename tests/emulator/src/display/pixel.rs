// SPDX-License-Identifier: GPL-2.0
//! How fast a pipe scans: the timing registers of its transcoder and the PLL behind its port.
//!
//! Source: Skylake PRM volume 12 "Display Clocks" and volume 2c `DPLL_CTRL1`, `DPLL_CFGCR1/2`; Broadwell PRM volume 2c
//! `PORT_CLK_SEL`, `WRPLL_CTL`; Broxton PRM volume 2c `PORT_PLL`.

use std::time::Duration;

use crate::bar0::Bar0;
use crate::platform::DisplayKind;

/// Offsets of the four transcoders' registers; the last one is that of embedded panels.
pub const TRANSCODERS: [u32; 4] = [0x60000, 0x61000, 0x62000, 0x6f000];

/// Frame rate where the registers do not say.
const DEFAULT_FRAME: Duration = Duration::from_nanos(16_666_667);
/// No display is faster or slower than these, whatever the registers say.
const FASTEST_FRAME: Duration = Duration::from_millis(1);
const SLOWEST_FRAME: Duration = Duration::from_secs(1);

/// The timing of a running transcoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Lines per frame.
    pub lines: u32,
    /// First line of the vertical blank.
    pub vblank_start: u32,
    /// Time of one frame.
    pub frame: Duration,
    /// By how much the scan line register lags behind the line that is scanned.
    pub lag: u32,
}

impl Timing {
    /// What the registers of a transcoder say now.
    pub fn read(bar0: &Bar0, kind: DisplayKind, transcoder: usize) -> Self {
        let base = TRANSCODERS.get(transcoder).copied().unwrap_or(TRANSCODERS[0]);
        let high = |register: u32| (bar0.load(base + register) >> 16 & 0x1fff) + 1;
        let low = |register: u32| (bar0.load(base + register) & 0x1fff) + 1;
        let (columns, lines) = (high(0x0), high(0xc));
        let frame = match pixel_clock_khz(bar0, kind, base) {
            0 => DEFAULT_FRAME,
            clock => Duration::from_nanos(u64::from(columns) * u64::from(lines) * 1_000_000 / clock),
        };
        // The DDI sends HDMI (mode 0) and DVI (mode 1) one line later than it sends DisplayPort.
        let hdmi = bar0.load(base + 0x400) >> 24 & 7 <= 1;
        Self {
            lines,
            vblank_start: low(0x10).min(lines - 1),
            frame: frame.clamp(FASTEST_FRAME, SLOWEST_FRAME),
            lag: if hdmi { 2 } else { 1 },
        }
    }
}

/// The pixel clock of the transcoder at `base` in kHz, 0 where its port has none.
fn pixel_clock_khz(bar0: &Bar0, kind: DisplayKind, base: u32) -> u64 {
    let function = bar0.load(base + 0x400);
    // The embedded panel's transcoder is wired to port A.
    let port = if base == TRANSCODERS[3] { 0 } else { function >> 28 & 7 };
    let port_clock = u64::from(port_clock_khz(bar0, kind, port));
    match function >> 24 & 7 {
        // DisplayPort, single or multi stream: a ratio of the link's symbol clock.
        2 | 3 => {
            let (m, n) = (bar0.load(base + 0x40) & 0xff_ffff, bar0.load(base + 0x44) & 0xff_ffff);
            (port_clock * u64::from(m)).checked_div(u64::from(n)).unwrap_or(0)
        }
        _ => port_clock,
    }
}

/// The symbol clock of a port in kHz: the TMDS clock, or a tenth of a DisplayPort lane's bit rate.
fn port_clock_khz(bar0: &Bar0, kind: DisplayKind, port: u32) -> u32 {
    match kind {
        DisplayKind::Broadwell => match bar0.load(0x46100 + 4 * port) >> 29 {
            0 => 540_000,
            1 => 270_000,
            2 => 162_000,
            3 => [162_000, 270_000, 540_000, 0][(bar0.load(0x46020) >> 26 & 3) as usize],
            4 => wrpll_khz(bar0.load(0x46040)),
            5 => wrpll_khz(bar0.load(0x46060)),
            _ => 0,
        },
        DisplayKind::Skylake => {
            let select = bar0.load(0x6c05c);
            let off = select >> (port + 15) & 1 != 0;
            let pll = select >> (3 * port + 1) & 3;
            let control = bar0.load(0x6c058) >> (6 * pll);
            if off {
                0
            } else if control >> 5 & 1 != 0 && pll > 0 {
                let config = 0x6c040 + 8 * (pll - 1);
                dpll_khz(bar0.load(config), bar0.load(config + 4))
            } else {
                [270_000, 135_000, 81_000, 162_000, 108_000, 216_000, 0, 0][(control >> 1 & 7) as usize] * 2
            }
        }
        DisplayKind::Broxton => port_pll_khz(bar0, port),
    }
}

/// Broadwell's WRPLL; dividers have a fixed point.
fn wrpll_khz(control: u32) -> u32 {
    let reference: u64 = if control >> 28 & 3 == 3 { 2_700_000 } else { 135_000 };
    let (r, p, n) = (control & 0xff, control >> 8 & 0x3f, control >> 16 & 0xff);
    (reference * u64::from(n) / 10 * 2).checked_div(u64::from(p * r)).unwrap_or(0) as u32
}

/// Skylake's DPLL 1 to 3 in HDMI mode, from a 24 MHz reference.
fn dpll_khz(config1: u32, config2: u32) -> u32 {
    const REFERENCE: u64 = 24_000;
    let dco = u64::from(config1 & 0x1ff) * REFERENCE + u64::from(config1 >> 9 & 0x7fff) * REFERENCE / 0x8000;
    let p = [1, 2, 3, 0, 7, 7, 0, 0][(config2 >> 2 & 7) as usize];
    let k = [5, 2, 3, 1][(config2 >> 5 & 3) as usize];
    let q = if config2 >> 7 & 1 != 0 { u64::from(config2 >> 8 & 0xff) } else { 1 };
    dco.checked_div(p * q * k * 5).unwrap_or(0) as u32
}

/// Broxton's port PLL, from a 100 MHz reference; port A has PHY 1, ports B and C the channels of PHY 0.
fn port_pll_khz(bar0: &Bar0, port: u32) -> u32 {
    const REFERENCE: u128 = 100_000;
    let (dividers, pll) = match port {
        0 => (0x16_2034, 0x16_2100),
        1 => (0x6c034, 0x6c100),
        _ => (0x6c340, 0x6c380),
    };
    let field = |offset: u32, shift: u32, mask: u32| u128::from(bar0.load(offset) >> shift & mask);
    let fraction = if field(pll + 12, 16, 1) != 0 { field(pll + 8, 0, 0x3f_ffff) } else { 0 };
    // The feedback divider has 22 fractional bits, and there is a fixed 2 before it.
    let m = 2 * (field(pll, 0, 0xff) << 22 | fraction);
    let post = field(dividers, 13, 7) * field(dividers, 8, 0x1f) * 5;
    (REFERENCE * m).checked_div((field(pll + 4, 8, 0xf) << 22) * post).unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Timing registers of 1920x1080 with 2200x1125 pixels in all, on transcoder A with port B.
    fn full_hd(bar0: &Bar0, mode: u32) {
        bar0.store(0x60000, 2199 << 16 | 1919);
        bar0.store(0x6000c, 1124 << 16 | 1079);
        bar0.store(0x60010, 1124 << 16 | 1079);
        bar0.store(0x60400, 1 << 31 | 1 << 28 | mode << 24);
        // 148.5 / 270 MHz.
        bar0.store(0x60040, 0x46666);
        bar0.store(0x60044, 0x80000);
    }

    fn hertz(timing: &Timing) -> f64 {
        1.0 / timing.frame.as_secs_f64()
    }

    #[test]
    fn skylake_displayport_runs_at_the_rate_of_its_link_ratio() {
        let bar0 = Bar0::new().unwrap();
        full_hd(&bar0, 2);
        // Port B uses DPLL 1 with 1350 MHz, which is 2.7 Gbit/s per lane.
        bar0.store(0x6c05c, 1 << 4);
        bar0.store(0x6c058, 1 << 7);
        let timing = Timing::read(&bar0, DisplayKind::Skylake, 0);
        assert_eq!((timing.lines, timing.vblank_start, timing.lag), (1125, 1080, 1));
        assert!((hertz(&timing) - 60.0).abs() < 0.01, "{}", hertz(&timing));
    }

    #[test]
    fn skylake_hdmi_runs_at_the_rate_of_its_pll() {
        let bar0 = Bar0::new().unwrap();
        full_hd(&bar0, 0);
        bar0.store(0x6c05c, 1 << 4);
        bar0.store(0x6c058, 1 << 11);
        // 8910 MHz / (3 * 2 * 2 * 5).
        bar0.store(0x6c040, 371 | 0x2000 << 9);
        bar0.store(0x6c044, 2 << 2 | 1 << 5 | 1 << 7 | 2 << 8);
        let timing = Timing::read(&bar0, DisplayKind::Skylake, 0);
        assert!((hertz(&timing) - 60.0).abs() < 0.01, "{}", hertz(&timing));
        assert_eq!(timing.lag, 2);
    }

    #[test]
    fn broadwell_knows_both_kinds_of_pll() {
        let bar0 = Bar0::new().unwrap();
        full_hd(&bar0, 2);
        // LCPLL with 1350 MHz, which is 2.7 Gbit/s per lane.
        bar0.store(0x46104, 1 << 29);
        assert!((hertz(&Timing::read(&bar0, DisplayKind::Broadwell, 0)) - 60.0).abs() < 0.01);
        // SPLL with as much.
        bar0.store(0x46104, 3 << 29);
        bar0.store(0x46020, 1 << 26);
        assert!((hertz(&Timing::read(&bar0, DisplayKind::Broadwell, 0)) - 60.0).abs() < 0.01);
        full_hd(&bar0, 0);
        bar0.store(0x46104, 4 << 29);
        // 2700 MHz * 2.2 * 2 / (40 * 2).
        bar0.store(0x46040, 3 << 28 | 22 << 16 | 40 << 8 | 2);
        let timing = Timing::read(&bar0, DisplayKind::Broadwell, 0);
        assert!((hertz(&timing) - 60.0).abs() < 0.01, "{}", hertz(&timing));
    }

    #[test]
    fn broxton_computes_from_its_port_pll() {
        let bar0 = Bar0::new().unwrap();
        full_hd(&bar0, 0);
        // 100 MHz * 2 * 59.4 / 1 / (4 * 4 * 5).
        bar0.store(0x6c034, 4 << 13 | 4 << 8);
        bar0.store(0x6c100, 59);
        bar0.store(0x6c104, 1 << 8);
        bar0.store(0x6c108, (0.4 * 4_194_304.0) as u32);
        bar0.store(0x6c10c, 1 << 16);
        let timing = Timing::read(&bar0, DisplayKind::Broxton, 0);
        assert!((hertz(&timing) - 60.0).abs() < 0.01, "{}", hertz(&timing));
    }

    #[test]
    fn nonsense_gives_a_sane_rate() {
        let bar0 = Bar0::new().unwrap();
        for kind in [DisplayKind::Broadwell, DisplayKind::Skylake, DisplayKind::Broxton] {
            let timing = Timing::read(&bar0, kind, 3);
            assert!((FASTEST_FRAME..=SLOWEST_FRAME).contains(&timing.frame));
        }
        bar0.store(0x6000c, u32::MAX);
        bar0.store(0x60010, u32::MAX);
        let timing = Timing::read(&bar0, DisplayKind::Skylake, 9);
        assert!(timing.vblank_start < timing.lines);
    }
}
