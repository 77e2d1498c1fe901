// SPDX-License-Identifier: GPL-2.0
//! Power wells, PLLs and clocks of the display: requests that are granted at once.
//!
//! Source: Skylake PRM volume 12 "Display", sections on power wells, DBUF and CDCLK; Broadwell PRM volume 2c,
//! `LCPLL_CTL`, `PWR_WELL_CTL`.

use crate::bar0::Bar0;
use crate::platform::{DisplayKind, Platform};

/// Requests of the BIOS, the driver, KVMR and debug; a well is on while any of them asks for it.
const PWR_WELL_CTL: [u32; 4] = [0x45400, 0x45404, 0x45408, 0x4540c];
/// Request bits; each well's state is the bit below.
const WELL_REQUESTS: u32 = 0xaaaa_aaaa;
const WELL_1: u32 = 1 << 28;
const WELL_2: u32 = 1 << 30;
const FUSE_STATUS: u32 = 0x42000;
const DBUF_CTL: u32 = 0x45008;
const CDCLK_PLL_BXT: u32 = 0x46070;
const PORT_PLLS_BXT: [u32; 3] = [0x46074, 0x46078, 0x4607c];
/// Enable registers of DPLL 0 to 3.
const DPLLS: [u32; 4] = [0x46010, 0x46014, 0x46040, 0x46060];
const DPLL_STATUS: u32 = 0x6c060;
const LCPLL_CTL: u32 = 0x13_0040;
const SOUTH_CHICKEN2: u32 = 0xc2004;
const PP_STATUS: u32 = 0xc7200;
const PP_CONTROL: u32 = 0xc7204;
/// Underrun summary of the PCH.
const SERR_INT: u32 = 0xc4040;
const EDP_PSR_IIR: u32 = 0x64838;
/// Power of the two PHYs, and where each shows that it has it.
const PHY_POWER_BXT: u32 = 0x13_8090;
const PHYS_BXT: [u32; 2] = [0x6c000, 0x16_2000];
/// Start and length of the registers that write several lanes of a PHY at once, from the PHY's base.
const PHY_GROUPS: (u32, u32) = (0xc00, 0x400);

const ENABLE: u32 = 1 << 31;
const LOCKED: u32 = 1 << 30;

/// Offsets that this block answers for.
pub fn claims(platform: &Platform) -> Vec<u32> {
    let mut claims = PWR_WELL_CTL.to_vec();
    claims.extend([EDP_PSR_IIR, PP_CONTROL]);
    match platform.display {
        DisplayKind::Broadwell => claims.extend([LCPLL_CTL, SOUTH_CHICKEN2, SERR_INT]),
        DisplayKind::Skylake => {
            claims.push(DBUF_CTL);
            claims.extend(DPLLS);
        }
        DisplayKind::Broxton => {
            claims.extend([DBUF_CTL, CDCLK_PLL_BXT, PHY_POWER_BXT]);
            claims.extend(PORT_PLLS_BXT);
            let (start, length) = PHY_GROUPS;
            claims.extend(PHYS_BXT.iter().flat_map(|phy| (phy + start..phy + start + length).step_by(4)));
        }
    }
    claims
}

/// Sets what firmware or straps leave behind.
pub fn reset(platform: &Platform, bar0: &Bar0) {
    // VGA is off: nobody showed a picture before the driver.
    bar0.store(0x41000, ENABLE);
    // The PCH's clock runs at 24 MHz.
    bar0.store(0xc6204, 24);
    // SFUSE_STRAP: ports B, C and D exist, there is no analogue output, the raw clock is 24 MHz.
    bar0.store(0xc2014, 0x0147);
    match platform.display {
        // Firmware leaves the PLL on with a display clock of 540 MHz, the most of a U part.
        DisplayKind::Broadwell => {
            bar0.store(LCPLL_CTL, LOCKED | 1 << 26);
            // MCH_SSKPD: memory latencies, 2 us for the lowest level and 2, 18, 45 and 80 us in units of 0.5 us.
            bar0.store_pair(0x14_5d10, 20 << 56 | 160 << 32 | 90 << 20 | 36 << 12 | 4 << 4);
        }
        DisplayKind::Skylake => settle_wells(bar0, platform.display),
        DisplayKind::Broxton => {
            settle_wells(bar0, platform.display);
            // D_CR_DRP0 of the four memory units: 8 Gbit DDR4 devices of 16 bits in one rank, in two of them.
            for (unit, value) in [0x0100_0091, 0x0100_0091, u32::MAX, u32::MAX].into_iter().enumerate() {
                bar0.store(0x14_1000 + 0x200 * unit as u32, value);
            }
        }
    }
}

/// Handles a write; `offset` is one of [`claims`].
pub fn write(platform: &Platform, bar0: &Bar0, offset: u32, value: u32) {
    match offset {
        _ if PWR_WELL_CTL.contains(&offset) => {
            bar0.store(offset, value & WELL_REQUESTS);
            settle_wells(bar0, platform.display);
        }
        _ if DPLLS.contains(&offset) => {
            lock(bar0, offset, value);
            let locked = |index: usize| bar0.load(DPLLS[index]) >> 30 & 1;
            bar0.store(DPLL_STATUS, (0..DPLLS.len()).fold(0, |bits, index| bits | locked(index) << (8 * index)));
        }
        DBUF_CTL | CDCLK_PLL_BXT => lock(bar0, offset, value),
        _ if PORT_PLLS_BXT.contains(&offset) => lock(bar0, offset, value),
        LCPLL_CTL => {
            // Bit 31 disables; bit 19 says that the clock comes from FCLK, as bit 21 asks.
            let state = (if value & ENABLE == 0 { LOCKED } else { 0 }) | (value >> 21 & 1) << 19;
            bar0.store(offset, value & !(LOCKED | 1 << 19) | state);
        }
        // The reset of the FDI's MPHY is acknowledged.
        SOUTH_CHICKEN2 => bar0.store(offset, value & !(1 << 13) | (value & 1 << 12) << 1),
        PP_CONTROL => {
            bar0.store(offset, value);
            // On and idle, or off and idle, without the delays of a real panel.
            bar0.store(PP_STATUS, if value & 1 != 0 { ENABLE | 0x8 } else { 0 });
        }
        SERR_INT | EDP_PSR_IIR => {
            bar0.store(offset, bar0.load(offset) & !value);
        }
        PHY_POWER_BXT => {
            bar0.store(offset, value);
            for (index, phy) in PHYS_BXT.into_iter().enumerate() {
                let on = value >> index & 1;
                bar0.modify(phy, 1 << 16, on << 16);
                // The resistor calibration is done, with a code in the middle of its range.
                bar0.modify(phy + 0x18c, 1 << 22, on << 22);
                bar0.modify(phy + 0x198, 0xff << 24, 0x80 << 24);
            }
        }
        _ => write_phy_group(bar0, offset, value),
    }
}

fn lock(bar0: &Bar0, offset: u32, value: u32) {
    bar0.store(offset, value & !LOCKED | (value & ENABLE) >> 1);
}

fn settle_wells(bar0: &Bar0, kind: DisplayKind) {
    let requests = PWR_WELL_CTL.iter().fold(0, |bits, ctl| bits | bar0.load(*ctl) & WELL_REQUESTS);
    let on = requests >> 1;
    for ctl in PWR_WELL_CTL {
        bar0.store(ctl, bar0.load(ctl) & WELL_REQUESTS | on);
    }
    if kind != DisplayKind::Broadwell {
        // Fuses have been downloaded, and distributed to power gate 0 and to those of the wells that are on.
        let gate = |well: u32, bit: u32| if on & well != 0 { 1 << bit } else { 0 };
        bar0.store(FUSE_STATUS, ENABLE | 1 << 27 | gate(WELL_1, 26) | gate(WELL_2, 25));
    }
}

/// A write to a group of lanes: to each lane's own register.
///
/// Groups lie in the last 1 KiB of the PHY: sublayer and transmitter registers of channel 0, then of channel 1; the
/// lanes' registers follow from 0x400 on, channel 1 0x400 behind channel 0.
fn write_phy_group(bar0: &Bar0, offset: u32, value: u32) {
    bar0.store(offset, value);
    let (base, inside) = (offset & !0xfff, offset & 0xfff);
    let channel = (inside >> 9 & 1) * 0x400;
    let transmitter = inside & 0x100 != 0;
    let lanes: &[u32] = if transmitter { &[0, 0x80, 0x200, 0x280] } else { &[0, 0x200] };
    let first = base + 0x400 + channel + (inside & 0x1ff);
    lanes.iter().for_each(|lane| bar0.store(first + lane, value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(name: &str) -> (&'static Platform, Bar0) {
        let platform = Platform::by_name(name).unwrap();
        let bar0 = Bar0::new().unwrap();
        reset(platform, &bar0);
        (platform, bar0)
    }

    #[test]
    fn a_well_is_on_while_anyone_asks() {
        let (skl, bar0) = platform("skl");
        assert_eq!(bar0.load(FUSE_STATUS), 0x8800_0000);
        write(skl, &bar0, 0x45404, 1 << 29);
        assert_eq!(bar0.load(0x45404), 3 << 28);
        assert_eq!(bar0.load(0x45400), 1 << 28, "the others see the state, not the request");
        assert_eq!(bar0.load(FUSE_STATUS), 0x8c00_0000);
        write(skl, &bar0, 0x45400, bar0.load(0x45400) | 1 << 29);
        write(skl, &bar0, 0x45404, 0);
        assert_eq!(bar0.load(0x45404), 1 << 28, "the BIOS still asks");
        write(skl, &bar0, 0x45400, 0);
        assert_eq!(bar0.load(0x45404), 0);
        assert_eq!(bar0.load(FUSE_STATUS), 0x8800_0000);
    }

    #[test]
    fn plls_lock_and_unlock() {
        let (skl, bar0) = platform("skl");
        write(skl, &bar0, 0x46010, ENABLE);
        write(skl, &bar0, 0x46040, ENABLE);
        assert_eq!(bar0.load(0x46010), ENABLE | LOCKED);
        assert_eq!(bar0.load(DPLL_STATUS), 1 | 1 << 16);
        write(skl, &bar0, 0x46010, 0);
        assert_eq!(bar0.load(DPLL_STATUS), 1 << 16);
        write(skl, &bar0, DBUF_CTL, ENABLE);
        assert_eq!(bar0.load(DBUF_CTL), ENABLE | LOCKED);
    }

    #[test]
    fn broadwell_changes_its_display_clock() {
        let (bdw, bar0) = platform("bdw");
        let start = bar0.load(LCPLL_CTL);
        assert_eq!(start & (ENABLE | LOCKED), LOCKED);
        write(bdw, &bar0, LCPLL_CTL, start | 1 << 21);
        assert_eq!(bar0.load(LCPLL_CTL) & (1 << 19 | LOCKED), 1 << 19 | LOCKED);
        write(bdw, &bar0, LCPLL_CTL, start & !(3 << 26) | 2 << 26);
        assert_eq!(bar0.load(LCPLL_CTL) & (1 << 19 | 3 << 26), 2 << 26);
        write(bdw, &bar0, 0x45404, ENABLE);
        assert_eq!(bar0.load(0x45404), ENABLE | LOCKED);
    }

    #[test]
    fn broxton_phys_power_up_and_write_groups() {
        let (bxt, bar0) = platform("bxt");
        write(bxt, &bar0, PHY_POWER_BXT, 2);
        assert_eq!(bar0.load(0x16_2000) & 1 << 16, 1 << 16);
        assert_eq!(bar0.load(0x6c000) & 1 << 16, 0);
        write(bxt, &bar0, 0x6cc30, 0x5a);
        assert_eq!((bar0.load(0x6c430), bar0.load(0x6c630), bar0.load(0x6c830)), (0x5a, 0x5a, 0));
        write(bxt, &bar0, 0x6ce28, 0x77);
        assert_eq!((bar0.load(0x6c828), bar0.load(0x6ca28)), (0x77, 0x77));
        write(bxt, &bar0, 0x6cd14, 9);
        assert_eq!([0x6c514, 0x6c594, 0x6c714, 0x6c794].map(|lane| bar0.load(lane)), [9; 4]);
    }

    #[test]
    fn error_bits_are_cleared_by_writing_them() {
        let (bdw, bar0) = platform("bdw");
        bar0.store(SERR_INT, 0x9);
        write(bdw, &bar0, SERR_INT, 0x8);
        assert_eq!(bar0.load(SERR_INT), 1);
        write(bdw, &bar0, EDP_PSR_IIR, u32::MAX);
        assert_eq!(bar0.load(EDP_PSR_IIR), 0);
    }
}
