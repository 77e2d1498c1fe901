// SPDX-License-Identifier: GPL-2.0

//! The display's part of the PCH.

use super::{
    ALL,
    BDW,
    GEN9, //
};
use crate::mmio::{
    handlers::follow::{
        SOUTH_CHICKEN2, //
    },
    row::{
        r,
        Handler,
        Row,
        Slot, //
    },
};

pub(super) static SOUTH: [Row; 86] = [
    r(ALL, 0xc_2000, "SOUTH_CHICKEN1").host(),
    r(ALL, 0xc_2004, "SOUTH_CHICKEN2").by(Handler::Follow(&SOUTH_CHICKEN2)),
    r(ALL, 0xc_2014, "SFUSE_STRAP").host(),
    r(ALL, 0xc_2020, "SOUTH_DSPCLK_GATE_D").host(),
    r(ALL, 0xc_4030, "PCH_PORT_HOTPLUG").clears(0x303_0303),
    r(GEN9, 0xc_403c, ""),
    r(ALL, 0xc_4040, ""),
    r(ALL, 0xc_5010, "PCH_GPIO_BASE").words(6),
    r(ALL, 0xc_5100, "PCH_GMBUS0")
        .words(4)
        .by(Handler::Display(Slot::Gmbus)),
    r(ALL, 0xc_5110, "PCH_GMBUS4").by(Handler::Display(Slot::Gmbus)),
    r(ALL, 0xc_5120, "PCH_GMBUS5").by(Handler::Display(Slot::Gmbus)),
    r(ALL, 0xc_6000, "SBI_ADDR"),
    r(ALL, 0xc_6004, "SBI_DATA"),
    r(ALL, 0xc_6008, "SBI_CTL_STAT").by(Handler::SbiControl),
    r(ALL, 0xc_6014, "").words(2),
    r(ALL, 0xc_6020, "PIXCLK_GATE"),
    r(ALL, 0xc_6040, "").words(4),
    r(ALL, 0xc_6200, "PCH_DREF_CONTROL").host(),
    r(ALL, 0xc_6204, "PCH_RAWCLK_FREQ").host(),
    r(ALL, 0xc_7000, "PCH_DPLL_SEL"),
    r(ALL, 0xc_7200, "PCH_PP_STATUS"),
    r(ALL, 0xc_7204, "PCH_PP_CONTROL").by(Handler::Display(Slot::PanelPower)),
    r(ALL, 0xc_7208, "PCH_PP_ON_DELAYS"),
    r(ALL, 0xc_720c, "PCH_PP_OFF_DELAYS"),
    r(ALL, 0xc_7210, "PCH_PP_DIVISOR"),
    r(ALL, 0xc_8250, "BLC_PWM_PCH_CTL1"),
    r(ALL, 0xc_8254, "BLC_PWM_PCH_CTL2"),
    r(ALL, 0xc_e044, ""),
    r(ALL, 0xe_0000, "").words(6),
    r(ALL, 0xe_0028, ""),
    r(ALL, 0xe_0030, "").words(8),
    r(ALL, 0xe_0200, "TVIDEO_DIP_CTL").every(0x1000, 3),
    r(ALL, 0xe_0208, "TVIDEO_DIP_DATA").every(0x1000, 3),
    r(ALL, 0xe_0210, "TVIDEO_DIP_GCP").every(0x1000, 3),
    r(ALL, 0xe_0300, "TRANS_DP_CTL").every(0x1000, 3),
    r(ALL, 0xe_1000, "").words(6),
    r(ALL, 0xe_1028, ""),
    r(BDW, 0xe_1100, "PCH_ADPA").by(Handler::Display(Slot::Adpa)),
    r(ALL, 0xe_1180, "PCH_LVDS"),
    r(BDW, 0xe_4110, "PCH_DP_AUX_CH_CTL")
        .every(0x100, 3)
        .by(Handler::Display(Slot::AuxControl)),
    r(BDW, 0xe_4114, "PCH_DP_AUX_CH_DATA")
        .words(5)
        .every(0x100, 3),
    r(ALL, 0xe_4f00, "").words(10),
    r(ALL, 0xe_6500, "").words(2),
    r(ALL, 0xe_651c, "").by(Handler::Display(Slot::PhyStatus)),
    r(ALL, 0xe_6600, "").words(2),
    r(ALL, 0xe_661c, "").by(Handler::Display(Slot::PhyStatus)),
    r(ALL, 0xe_6700, "").words(2),
    r(ALL, 0xe_671c, "").by(Handler::Display(Slot::PhyStatus)),
    r(ALL, 0xe_6800, "").words(2),
    r(ALL, 0xe_681c, "").by(Handler::Display(Slot::PhyStatus)),
    r(ALL, 0xe_6c04, "").by(Handler::Display(Slot::PhyStatus)),
    r(ALL, 0xe_6e1c, "").by(Handler::Display(Slot::PhyStatus)),
    r(ALL, 0xe_c008, "").words(2),
    r(ALL, 0xe_c020, "").words(2),
    r(ALL, 0xe_c038, "").words(2),
    r(ALL, 0xe_c050, "").words(2),
    r(ALL, 0xe_c408, "").words(2),
    r(ALL, 0xe_c420, "").words(2),
    r(ALL, 0xe_c438, "").words(2),
    r(ALL, 0xe_c450, "").words(2),
    r(ALL, 0xf_0008, "PCH_TRANSCONF").by(Handler::Display(Slot::PchTransConf)),
    r(ALL, 0xf_000c, "FDI_RX_CTL")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::FdiRx)),
    r(ALL, 0xf_0010, ""),
    r(ALL, 0xf_0014, "FDI_RX_IIR")
        .every(0x1000, 3)
        .clears(u32::MAX),
    r(ALL, 0xf_0018, "FDI_RX_IMR")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::FdiRx)),
    r(ALL, 0xf_0030, ""),
    r(ALL, 0xf_0038, ""),
    r(ALL, 0xf_0060, "").words(2),
    r(ALL, 0xf_1008, "PCH_TRANSCONF").by(Handler::Display(Slot::PchTransConf)),
    r(ALL, 0xf_1010, ""),
    r(ALL, 0xf_1030, ""),
    r(ALL, 0xf_1038, ""),
    r(ALL, 0xf_1060, "").words(2),
    r(ALL, 0xf_c810, ""),
    r(ALL, 0xf_c81c, ""),
    r(ALL, 0xf_c828, ""),
    r(ALL, 0xf_c834, ""),
    r(ALL, 0xf_cc00, ""),
    r(ALL, 0xf_cc0c, ""),
    r(ALL, 0xf_cc18, ""),
    r(ALL, 0xf_cc24, ""),
    r(ALL, 0xf_d000, ""),
    r(ALL, 0xf_d00c, ""),
    r(ALL, 0xf_d018, ""),
    r(ALL, 0xf_d024, ""),
    r(ALL, 0xf_d034, ""),
];
