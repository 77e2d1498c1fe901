// SPDX-License-Identifier: GPL-2.0

//! Display clocks and PHYs of Broxton.

use super::{
    BXT, //
};
use crate::mmio::{
    handlers::follow::{
        ENABLE, //
    },
    row::{
        r,
        Handler,
        Row,
        Slot, //
    },
};

pub(super) static BROXTON: [Row; 73] = [
    r(BXT, 0x4_6070, "BXT_DE_PLL_ENABLE")
        .host()
        .by(Handler::Follow(&ENABLE)),
    r(BXT, 0x4_6074, "BXT_PORT_PLL_ENABLE")
        .words(3)
        .by(Handler::Follow(&ENABLE)),
    r(BXT, 0x4_6080, "BXT_DSI_PLL_ENABLE"),
    r(BXT, 0x4_6530, "GEN9_CLKGATE_DIS_0").host(),
    r(BXT, 0x4_653c, "GEN9_CLKGATE_DIS_4").host(),
    r(BXT, 0x6_0210, "HSW_TVIDEO_DIP_GCP").every(0x1000, 3),
    r(BXT, 0x6_4c00, "BXT_PHY_CTL").every(0x10, 3),
    r(BXT, 0x6_4c80, "BXT_PHY_CTL_FAMILY")
        .every(0x10, 2)
        .by(Handler::Display(Slot::BxtPhyCtlFamily)),
    r(BXT, 0x6_c000, "BXT_PORT_CL1CM_DW0"),
    r(BXT, 0x6_c024, "BXT_PORT_CL1CM_DW9"),
    r(BXT, 0x6_c028, "BXT_PORT_CL1CM_DW10"),
    r(BXT, 0x6_c034, "BXT_PORT_PLL_EBB_0").every(0x30c, 2),
    r(BXT, 0x6_c038, "BXT_PORT_PLL_EBB_4").every(0x30c, 2),
    r(BXT, 0x6_c070, "BXT_PORT_CL1CM_DW28"),
    r(BXT, 0x6_c078, "BXT_PORT_CL1CM_DW30"),
    r(BXT, 0x6_c100, "BXT_PORT_PLL").words(4),
    r(BXT, 0x6_c118, "BXT_PORT_PLL"),
    r(BXT, 0x6_c120, "BXT_PORT_PLL").words(3),
    r(BXT, 0x6_c18c, "BXT_PORT_REF_DW3"),
    r(BXT, 0x6_c198, "BXT_PORT_REF_DW6"),
    r(BXT, 0x6_c1a0, "BXT_PORT_REF_DW8"),
    r(BXT, 0x6_c358, "BXT_PORT_CL2CM_DW6"),
    r(BXT, 0x6_c380, "BXT_PORT_PLL").words(4),
    r(BXT, 0x6_c398, "BXT_PORT_PLL"),
    r(BXT, 0x6_c3a0, "BXT_PORT_PLL").words(3),
    r(BXT, 0x6_c428, "BXT_PORT_PCS_DW10_LN01").every(0x400, 2),
    r(BXT, 0x6_c430, "BXT_PORT_PCS_DW12_LN01").every(0x400, 2),
    r(BXT, 0x6_c508, "BXT_PORT_TX_DW2_LN").every(0x400, 2),
    r(BXT, 0x6_c50c, "BXT_PORT_TX_DW3_LN")
        .every(0x400, 2)
        .by(Handler::Display(Slot::BxtTxDw3)),
    r(BXT, 0x6_c510, "BXT_PORT_TX_DW4_LN").every(0x400, 2),
    r(BXT, 0x6_c538, "BXT_PORT_TX_DW14_LN").every(0x80, 2),
    r(BXT, 0x6_c630, "BXT_PORT_PCS_DW12_LN23").every(0x400, 2),
    r(BXT, 0x6_c738, "BXT_PORT_TX_DW14_LN").every(0x80, 2),
    r(BXT, 0x6_c938, "BXT_PORT_TX_DW14_LN").every(0x80, 2),
    r(BXT, 0x6_cb38, "BXT_PORT_TX_DW14_LN").every(0x80, 2),
    r(BXT, 0x6_cc28, "BXT_PORT_PCS_DW10_GRP").every(0x200, 2),
    r(BXT, 0x6_cc30, "BXT_PORT_PCS_DW12_GRP")
        .every(0x200, 2)
        .by(Handler::Display(Slot::BxtPcsDw12)),
    r(BXT, 0x6_cd08, "BXT_PORT_TX_DW2_GRP").every(0x200, 2),
    r(BXT, 0x6_cd0c, "BXT_PORT_TX_DW3_GRP").every(0x200, 2),
    r(BXT, 0x6_cd10, "BXT_PORT_TX_DW4_GRP").every(0x200, 2),
    r(BXT, 0x6_d000, "BXT_DE_PLL_CTL"),
    r(BXT, 0x13_8090, "BXT_P_CR_GT_DISP_PWRON").by(Handler::Display(Slot::BxtDisplayPower)),
    r(BXT, 0x13_8170, "BXT_RP_STATE_CAP").host(),
    r(BXT, 0x14_1000, "BXT_D_CR_DRP0_DUNIT")
        .every(0x200, 4)
        .host(),
    r(BXT, 0x14_7070, "BXT_GT_PERF_STATUS").host(),
    r(BXT, 0x16_1000, "BXT_DSI_PLL_CTL"),
    r(BXT, 0x16_2000, "BXT_PORT_CL1CM_DW0"),
    r(BXT, 0x16_2024, "BXT_PORT_CL1CM_DW9"),
    r(BXT, 0x16_2028, "BXT_PORT_CL1CM_DW10"),
    r(BXT, 0x16_2034, "BXT_PORT_PLL_EBB_0"),
    r(BXT, 0x16_2038, "BXT_PORT_PLL_EBB_4"),
    r(BXT, 0x16_2070, "BXT_PORT_CL1CM_DW28"),
    r(BXT, 0x16_2078, "BXT_PORT_CL1CM_DW30"),
    r(BXT, 0x16_2100, "BXT_PORT_PLL").words(4),
    r(BXT, 0x16_2118, "BXT_PORT_PLL"),
    r(BXT, 0x16_2120, "BXT_PORT_PLL").words(3),
    r(BXT, 0x16_218c, "BXT_PORT_REF_DW3"),
    r(BXT, 0x16_2198, "BXT_PORT_REF_DW6"),
    r(BXT, 0x16_21a0, "BXT_PORT_REF_DW8"),
    r(BXT, 0x16_2358, "BXT_PORT_CL2CM_DW6"),
    r(BXT, 0x16_2428, "BXT_PORT_PCS_DW10_LN01"),
    r(BXT, 0x16_2430, "BXT_PORT_PCS_DW12_LN01"),
    r(BXT, 0x16_2508, "BXT_PORT_TX_DW2_LN"),
    r(BXT, 0x16_250c, "BXT_PORT_TX_DW3_LN").by(Handler::Display(Slot::BxtTxDw3)),
    r(BXT, 0x16_2510, "BXT_PORT_TX_DW4_LN"),
    r(BXT, 0x16_2538, "BXT_PORT_TX_DW14_LN").every(0x80, 2),
    r(BXT, 0x16_2630, "BXT_PORT_PCS_DW12_LN23"),
    r(BXT, 0x16_2738, "BXT_PORT_TX_DW14_LN").every(0x80, 2),
    r(BXT, 0x16_2c28, "BXT_PORT_PCS_DW10_GRP"),
    r(BXT, 0x16_2c30, "BXT_PORT_PCS_DW12_GRP").by(Handler::Display(Slot::BxtPcsDw12)),
    r(BXT, 0x16_2d08, "BXT_PORT_TX_DW2_GRP"),
    r(BXT, 0x16_2d0c, "BXT_PORT_TX_DW3_GRP"),
    r(BXT, 0x16_2d10, "BXT_PORT_TX_DW4_GRP"),
];
