// SPDX-License-Identifier: GPL-2.0

//! What the registers of the display's PHYs answer (gvt-spec 4.3): power is good and PLLs are locked
//! as soon as they are on. All but [`phy_status`] is of Broxton.

use kernel::bitfield;

/// What the registers of the display's PHYs read that hold one value for ever: calibration is done,
/// and power is good. `None` for other offsets.
pub fn phy_status(offset: u32) -> Option<u32> {
    match offset {
        0xe651c | 0xe661c | 0xe671c | 0xe681c => Some(1 << 17),
        0xe6c04 => Some(3),
        0xe6e1c => Some(0x2f << 16),
        _ => None,
    }
}

bitfield! {
    /// `BXT_PHY_CTL_FAMILY`.
    struct PhyFamily(u32) {
        /// The common lane is out of its reset.
        31:31 running => bool;
    }
}

/// `BXT_PHY_CTL`: lanes are on.
const LANES_ENABLED: u32 = 1 << 8;

/// The registers `BXT_PHY_CTL` of the ports of a PHY, and the value that they have, after a write of
/// `value` to `BXT_PHY_CTL_FAMILY` at `offset`.
pub fn phy_ctl_family(offset: u32, value: u32) -> (&'static [u32], u32) {
    let ports: &[u32] = match offset {
        0x6_4c80 => &[0x6_4c00],
        0x6_4c90 => &[0x6_4c10, 0x6_4c20],
        _ => &[],
    };
    let running = PhyFamily::from_raw(value).running();
    (ports, if running { LANES_ENABLED } else { 0 })
}

bitfield! {
    /// `BXT_P_CR_GT_DISP_PWRON`.
    struct DisplayPower(u32) {
        1:1 phy1 => bool;
        0:0 phy0 => bool;
    }
}

bitfield! {
    /// `BXT_PORT_CL1CM_DW0`.
    struct CommonLane(u32) {
        16:16 power_good => bool;
        7:7 reserved => bool;
    }
}

/// `BXT_PORT_CL1CM_DW0` of PHYs 0 and 1 after a write of `value` to `BXT_P_CR_GT_DISP_PWRON`.
pub fn common_lanes(lanes: [u32; 2], value: u32) -> [u32; 2] {
    let power = DisplayPower::from_raw(value);
    let [phy0, phy1] = lanes;
    let after = |lane: u32, on: bool| {
        if !on {
            return lane;
        }
        CommonLane::from_raw(lane)
            .with_power_good(true)
            .with_reserved(false)
            .into_raw()
    };
    [after(phy0, power.phy0()), after(phy1, power.phy1())]
}

/// The registers of single lanes that a write to the register of their group at `offset` is to,
/// too: those of lanes 0 and 1, and of lanes 2 and 3. `None` if there is no such group.
pub fn group_lanes(offset: u32) -> Option<[u32; 2]> {
    match offset {
        0x16_2c30 => Some([0x16_2430, 0x16_2630]),
        0x6_cc30 => Some([0x6_c430, 0x6_c630]),
        0x6_ce30 => Some([0x6_c830, 0x6_ca30]),
        _ => None,
    }
}

bitfield! {
    /// `BXT_PORT_TX_DW3`.
    struct TxDw3(u32) {
        27:27 unique_transition => bool;
    }
}

/// What a read of `BXT_PORT_TX_DW3` gives.
pub fn tx_dw3(value: u32) -> u32 {
    TxDw3::from_raw(value)
        .with_unique_transition(false)
        .into_raw()
}
