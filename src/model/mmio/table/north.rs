// SPDX-License-Identifier: GPL-2.0

//! The display engine: power, clocks, colour, transcoders, ports.

use super::{
    ALL,
    BDW,
    BXT,
    GEN9,
    SKL_CML, //
};
use crate::mmio::{
    handlers::follow::{
        ENABLE,
        LCPLL_GEN9,
        POWER_WELLS,
        POWER_WELLS_BXT, //
    },
    row::{
        r,
        Handler,
        Row,
        Slot, //
    },
};

pub(super) static NORTH: [Row; 188] = [
    r(ALL, 0x4_1000, "CPU_VGACNTRL"),
    r(ALL, 0x4_2000, "ILK_DISPLAY_CHICKEN1").host(),
    r(ALL, 0x4_2004, "ILK_DISPLAY_CHICKEN2").host(),
    r(ALL, 0x4_2014, "FUSE_STRAP").host(),
    r(ALL, 0x4_2020, "ILK_DSPCLK_GATE_D").host(),
    r(GEN9, 0x4_2080, "CHICKEN_PAR1_1").host(),
    r(ALL, 0x4_20b0, "CHICKEN_PIPESL_1").words(3).host(),
    r(ALL, 0x4_2300, "FPGA_DBG").by(Handler::ForcedZero(1 << 31)),
    r(ALL, 0x4_3200, "ILK_DPFC_CB_BASE"),
    r(ALL, 0x4_3208, "ILK_DPFC_CONTROL"),
    r(ALL, 0x4_320c, "ILK_DPFC_RECOMP_CTL"),
    r(ALL, 0x4_3210, "ILK_DPFC_STATUS"),
    r(ALL, 0x4_3218, "ILK_DPFC_FENCE_YOFF"),
    r(ALL, 0x4_3224, "ILK_DPFC_CHICKEN"),
    r(ALL, 0x4_3408, "IPS_CTL"),
    r(ALL, 0x4_4030, "DIGITAL_PORT_HOTPLUG_CNTRL"),
    r(ALL, 0x4_4040, "GEN7_ERR_INT"),
    r(ALL, 0x4_4050, "DERRMR"),
    r(ALL, 0x4_4070, ""),
    r(GEN9, 0x4_4500, ""),
    r(ALL, 0x4_5000, "DISP_ARB_CTL").host(),
    r(ALL, 0x4_5004, "DISP_ARB_CTL2").host(),
    r(GEN9, 0x4_5008, "DBUF_CTL_S").by(Handler::Follow(&ENABLE)),
    r(ALL, 0x4_5100, "WM0_PIPE_ILK").words(2),
    r(ALL, 0x4_5108, "WM1_LP_ILK"),
    r(ALL, 0x4_510c, "WM2_LP_ILK"),
    r(ALL, 0x4_5110, "WM3_LP_ILK"),
    r(ALL, 0x4_5120, "WM1S_LP_ILK"),
    r(ALL, 0x4_5124, "WM2S_LP_IVB"),
    r(ALL, 0x4_5128, "WM3S_LP_IVB"),
    r(ALL, 0x4_5200, "WM0_PIPE_ILK"),
    r(BDW, 0x4_5260, "WM_MISC"),
    r(ALL, 0x4_5270, "WM_LINETIME").words(3),
    r(BDW, 0x4_5400, "HSW_PWR_WELL_CTL1").by(Handler::Follow(&ENABLE)),
    r(GEN9, 0x4_5400, "HSW_PWR_WELL_CTL1"),
    r(BDW, 0x4_5404, "HSW_PWR_WELL_CTL2").by(Handler::Follow(&ENABLE)),
    r(SKL_CML, 0x4_5404, "HSW_PWR_WELL_CTL2").by(Handler::Follow(&POWER_WELLS)),
    r(BXT, 0x4_5404, "HSW_PWR_WELL_CTL2").by(Handler::Follow(&POWER_WELLS_BXT)),
    r(BDW, 0x4_5408, "HSW_PWR_WELL_CTL3").by(Handler::Follow(&ENABLE)),
    r(BDW, 0x4_540c, "HSW_PWR_WELL_CTL4").by(Handler::Follow(&ENABLE)),
    r(BDW, 0x4_5410, "HSW_PWR_WELL_CTL5").by(Handler::Follow(&ENABLE)),
    r(BDW, 0x4_5414, "HSW_PWR_WELL_CTL6").by(Handler::Follow(&ENABLE)),
    r(GEN9, 0x4_5504, "DC_STATE_EN"),
    r(GEN9, 0x4_5520, "DC_STATE_DEBUG"),
    r(GEN9, 0x4_6000, "CDCLK_CTL").host(),
    r(GEN9, 0x4_6010, "LCPLL1_CTL")
        .host()
        .by(Handler::Follow(&LCPLL_GEN9)),
    r(GEN9, 0x4_6014, "LCPLL2_CTL")
        .host()
        .by(Handler::Follow(&LCPLL_GEN9)),
    r(ALL, 0x4_6020, "SPLL_CTL"),
    r(ALL, 0x4_6040, "WRPLL_CTL"),
    r(ALL, 0x4_6060, "WRPLL_CTL"),
    r(ALL, 0x4_6100, "PORT_CLK_SEL").words(5),
    r(ALL, 0x4_6140, "TRANS_CLK_SEL").words(3),
    r(ALL, 0x4_6408, "HSW_NDE_RSTWRN_OPT").host(),
    r(GEN9, 0x4_6430, "").host(),
    r(ALL, 0x4_6508, "").host(),
    r(GEN9, 0x4_6520, "").host(),
    r(ALL, 0x4_8250, "BLC_PWM_CPU_CTL2"),
    r(ALL, 0x4_8254, "BLC_PWM_CPU_CTL"),
    r(ALL, 0x4_8268, ""),
    r(ALL, 0x4_8400, "UTIL_PIN_CTL"),
    r(ALL, 0x4_8800, ""),
    r(ALL, 0x4_9010, "PIPE_CSC_COEFF_RY_GY").every(0x100, 3),
    r(ALL, 0x4_9014, "PIPE_CSC_COEFF_BY").every(0x100, 3),
    r(ALL, 0x4_9018, "PIPE_CSC_COEFF_RU_GU").every(0x100, 3),
    r(ALL, 0x4_901c, "PIPE_CSC_COEFF_BU").every(0x100, 3),
    r(ALL, 0x4_9020, "PIPE_CSC_COEFF_RV_GV").every(0x100, 3),
    r(ALL, 0x4_9024, "PIPE_CSC_COEFF_BV").every(0x100, 3),
    r(ALL, 0x4_9028, "PIPE_CSC_MODE").every(0x100, 3),
    r(ALL, 0x4_9030, "PIPE_CSC_PREOFF_HI").every(0x100, 3),
    r(ALL, 0x4_9034, "PIPE_CSC_PREOFF_ME").every(0x100, 3),
    r(ALL, 0x4_9038, "PIPE_CSC_PREOFF_LO").every(0x100, 3),
    r(ALL, 0x4_9040, "PIPE_CSC_POSTOFF_HI").every(0x100, 3),
    r(ALL, 0x4_9044, "PIPE_CSC_POSTOFF_ME").every(0x100, 3),
    r(ALL, 0x4_9048, "PIPE_CSC_POSTOFF_LO").every(0x100, 3),
    r(ALL, 0x4_9080, ""),
    r(ALL, 0x4_9090, "").words(5),
    r(ALL, 0x4_9180, ""),
    r(ALL, 0x4_9190, "").words(5),
    r(ALL, 0x4_9280, ""),
    r(ALL, 0x4_9290, "").words(5),
    r(ALL, 0x4_a400, "PREC_PAL_INDEX").every(0x800, 3),
    r(ALL, 0x4_a404, "PREC_PAL_DATA").every(0x800, 3),
    r(ALL, 0x4_a410, "PREC_PAL_GC_MAX").words(3).every(0x800, 3),
    r(ALL, 0x4_a480, "GAMMA_MODE").every(0x800, 3),
    r(ALL, 0x4_f000, "").words(36),
    r(ALL, 0x5_0080, "FLIP_SURFACE").by(Handler::Display(Slot::FlipSurface)),
    r(ALL, 0x5_0088, "REG_50080")
        .words(3)
        .by(Handler::Display(Slot::FlipSurface)),
    r(ALL, 0x5_0098, "REG_50080")
        .words(2)
        .by(Handler::Display(Slot::FlipSurface)),
    r(GEN9, 0x5_1000, "SKL_DFSM").host(),
    r(ALL, 0x6_0000, "TRANS_HTOTAL").every(0x1000, 3),
    r(ALL, 0x6_0004, "TRANS_HBLANK").every(0x1000, 3),
    r(ALL, 0x6_0008, "TRANS_HSYNC").every(0x1000, 3),
    r(ALL, 0x6_000c, "TRANS_VTOTAL").every(0x1000, 3),
    r(ALL, 0x6_0010, "TRANS_VBLANK").every(0x1000, 3),
    r(ALL, 0x6_0014, "TRANS_VSYNC").every(0x1000, 3),
    r(ALL, 0x6_001c, "PIPESRC").every(0x1000, 3),
    r(ALL, 0x6_0020, "BCLRPAT").every(0x1000, 3),
    r(ALL, 0x6_0028, "TRANS_VSYNCSHIFT").every(0x1000, 3),
    r(ALL, 0x6_002c, "TRANS_MULT").every(0x1000, 3),
    r(ALL, 0x6_0030, "PIPE_DATA_M1").every(0x1000, 3),
    r(ALL, 0x6_0034, "PIPE_DATA_N1").every(0x1000, 3),
    r(ALL, 0x6_0038, "PIPE_DATA_M2").every(0x1000, 3),
    r(ALL, 0x6_003c, "PIPE_DATA_N2").every(0x1000, 3),
    r(ALL, 0x6_0040, "PIPE_LINK_M1").every(0x1000, 3),
    r(ALL, 0x6_0044, "PIPE_LINK_N1").every(0x1000, 3),
    r(ALL, 0x6_0048, "PIPE_LINK_M2").every(0x1000, 3),
    r(ALL, 0x6_004c, "PIPE_LINK_N2").every(0x1000, 3),
    r(ALL, 0x6_0110, ""),
    r(ALL, 0x6_0200, "HSW_TVIDEO_DIP_CTL").every(0x1000, 3),
    r(ALL, 0x6_0220, "").words(8),
    r(ALL, 0x6_02a0, ""),
    r(ALL, 0x6_0400, ""),
    r(ALL, 0x6_0410, ""),
    r(ALL, 0x6_1110, ""),
    r(ALL, 0x6_1208, "").words(2),
    r(ALL, 0x6_1400, ""),
    r(ALL, 0x6_1410, ""),
    r(ALL, 0x6_2400, ""),
    r(ALL, 0x6_2410, ""),
    r(ALL, 0x6_4000, "DDI_BUF_CTL")
        .every(0x100, 5)
        .by(Handler::Display(Slot::DdiBufCtl)),
    r(ALL, 0x6_4010, "DP_AUX_CH_CTL")
        .words(6)
        .by(Handler::Display(Slot::AuxChannel)),
    r(ALL, 0x6_4040, "DP_TP_CTL")
        .every(0x100, 5)
        .by(Handler::Display(Slot::DpTpCtl)),
    r(ALL, 0x6_4044, "DP_TP_STATUS")
        .every(0x100, 4)
        .clears(0xd00_0000)
        .by(Handler::Display(Slot::DpTpStatus)),
    r(GEN9, 0x6_4110, "DP_AUX_CH_CTL")
        .words(6)
        .every(0x100, 3)
        .by(Handler::Display(Slot::AuxChannel)),
    r(ALL, 0x6_4444, "DP_TP_STATUS"),
    r(ALL, 0x6_4834, "EDP_PSR_IMR").by(Handler::ForcedZero(u32::MAX)),
    r(ALL, 0x6_4838, "EDP_PSR_IIR").by(Handler::ForcedZero(u32::MAX)),
    r(ALL, 0x6_4e00, "DDI_BUF_TRANS").words(20),
    r(ALL, 0x6_4e60, "DDI_BUF_TRANS").words(20),
    r(ALL, 0x6_4ec0, "DDI_BUF_TRANS").words(20),
    r(ALL, 0x6_4f20, "DDI_BUF_TRANS").words(20),
    r(ALL, 0x6_4f80, "DDI_BUF_TRANS").words(20),
    r(ALL, 0x6_5000, "HSW_AUD_CFG"),
    r(ALL, 0x6_5010, "HSW_AUD_MISC_CTRL"),
    r(ALL, 0x6_5050, ""),
    r(ALL, 0x6_50b4, ""),
    r(ALL, 0x6_50c0, "HSW_AUD_PIN_ELD_CP_VLD"),
    r(GEN9, 0x6_5900, ""),
    r(GEN9, 0x6_5f00, ""),
    r(GEN9, 0x6_5f08, ""),
    r(ALL, 0x6_5f10, ""),
    r(ALL, 0x6_671c, ""),
    r(ALL, 0x6_6c00, "").words(2),
    r(GEN9, 0x6_7054, ""),
    r(ALL, 0x6_8070, "PF_WIN_POS").every(0x800, 3),
    r(ALL, 0x6_8074, "PF_WIN_SZ").every(0x800, 3),
    r(ALL, 0x6_8080, "PF_CTL").every(0x800, 3),
    r(ALL, 0x6_8084, "PF_VSCALE").every(0x800, 3),
    r(ALL, 0x6_8090, "PF_HSCALE").every(0x800, 3),
    r(GEN9, 0x6_8170, "SKL_PS_WIN_POS")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_8174, "SKL_PS_WIN_SZ")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_8180, "SKL_PS_CTRL")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_8970, "SKL_PS_WIN_POS")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_8974, "SKL_PS_WIN_SZ")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_8980, "SKL_PS_CTRL")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_9170, "SKL_PS_WIN_POS")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_9174, "SKL_PS_WIN_SZ")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_9180, "SKL_PS_CTRL")
        .every(0x100, 2)
        .by(Handler::Display(Slot::Scaler)),
    r(GEN9, 0x6_c00c, "DISPIO_CR_TX_BMU_CR0"),
    r(GEN9, 0x6_c040, "").words(6),
    r(GEN9, 0x6_c058, "DPLL_CTRL1"),
    r(GEN9, 0x6_c05c, "DPLL_CTRL2"),
    r(GEN9, 0x6_c060, "DPLL_STATUS").by(Handler::DpllStatus),
    r(GEN9, 0x6_e554, ""),
    r(GEN9, 0x6_e560, ""),
    r(ALL, 0x6_e570, ""),
    r(ALL, 0x6_f000, "TRANS_HTOTAL"),
    r(ALL, 0x6_f004, "TRANS_HBLANK"),
    r(ALL, 0x6_f008, "TRANS_HSYNC"),
    r(ALL, 0x6_f00c, "TRANS_VTOTAL"),
    r(ALL, 0x6_f010, "TRANS_VBLANK"),
    r(ALL, 0x6_f014, "TRANS_VSYNC"),
    r(ALL, 0x6_f020, "BCLRPAT"),
    r(ALL, 0x6_f028, "TRANS_VSYNCSHIFT"),
    r(ALL, 0x6_f030, "PIPE_DATA_M1"),
    r(ALL, 0x6_f034, "PIPE_DATA_N1"),
    r(ALL, 0x6_f038, "PIPE_DATA_M2"),
    r(ALL, 0x6_f03c, "PIPE_DATA_N2"),
    r(ALL, 0x6_f040, "PIPE_LINK_M1"),
    r(ALL, 0x6_f044, "PIPE_LINK_N1"),
    r(ALL, 0x6_f048, "PIPE_LINK_M2"),
    r(ALL, 0x6_f04c, "PIPE_LINK_N2"),
    r(ALL, 0x6_f400, ""),
    r(ALL, 0x6_f410, ""),
    r(BDW, 0x6_f800, ""),
    r(GEN9, 0x8_f004, "DMC_HTP_SKL"),
    r(GEN9, 0x8_f034, "DMC_LAST_WRITE"),
    r(GEN9, 0x8_f074, "DMC_SSP_BASE"),
];
