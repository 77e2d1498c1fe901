// SPDX-License-Identifier: GPL-2.0

//! Registers of the GT outside of the ranges that all engines have: render and its fixed functions, memory
//! arbiter, clocks, power, GuC, caching.

use super::{
    ALL,
    BDW,
    BDW_BXT,
    BDW_CML,
    BXT,
    GEN9,
    KBL_CML,
    SKL_CML, //
};
use crate::mmio::row::{
    r,
    Handler,
    Row, //
};

pub(super) static GT: [Row; 219] = [
    r(ALL, 0x3c, ""),
    r(ALL, 0x860, ""),
    r(GEN9, 0xd00, "RPM_CONFIG0").host(),
    r(GEN9, 0xd08, ""),
    r(GEN9, 0xd40, "RC6_LOCATION"),
    r(BXT, 0xd48, "RC6_CTX_BASE"),
    r(GEN9, 0xd84, "FORCEWAKE_ACK_RENDER_GEN9"),
    r(GEN9, 0xd88, "FORCEWAKE_ACK_MEDIA_GEN9"),
    r(ALL, 0xfdc, ""),
    r(BXT, 0x2024, "PGTBL_ER"),
    r(ALL, 0x2054, "RING_MAX_IDLE"),
    r(ALL, 0x2088, "").commands().masked().host(),
    r(ALL, 0x2090, "_3D_CHICKEN3").commands().masked().host(),
    r(ALL, 0x20a0, "").commands().host(),
    r(BXT, 0x20b0, "EIR"),
    r(BXT, 0x20d8, "").commands(),
    r(ALL, 0x20dc, "").commands().masked().host(),
    r(GEN9, 0x20e0, "GEN7_FF_SLICE_CS_CHICKEN1")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x20e4, "FF_SLICE_CS_CHICKEN2")
        .commands()
        .masked()
        .host(),
    r(GEN9, 0x20ec, "GEN9_CS_DEBUG_MODE1")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x2120, "CACHE_MODE_0").commands().masked().host(),
    r(ALL, 0x2124, "").commands().masked().host(),
    r(ALL, 0x2128, "ILK_FBC_RT_BASE"),
    r(ALL, 0x2148, "").commands(),
    r(ALL, 0x215c, "").commands(),
    r(ALL, 0x2178, "").words(2).commands(),
    r(ALL, 0x2180, "CCID").commands(),
    r(ALL, 0x21a8, "GEN7_CXT_SIZE").host(),
    r(ALL, 0x21d0, "ECOSKPD").host(),
    r(ALL, 0x21f0, "").commands(),
    r(ALL, 0x2220, "").commands(),
    r(BDW_BXT, 0x2248, "GEN9_CTX_PREEMPT_REG").commands().host(),
    r(SKL_CML, 0x2248, "GEN9_CTX_PREEMPT_REG").host(),
    r(ALL, 0x2290, "").words(2).commands(),
    r(ALL, 0x2300, "HS_INVOCATION_COUNT").words(2).commands(),
    r(ALL, 0x2308, "DS_INVOCATION_COUNT").words(2).commands(),
    r(ALL, 0x2310, "IA_VERTICES_COUNT").words(2).commands(),
    r(ALL, 0x2318, "IA_PRIMITIVES_COUNT").words(2).commands(),
    r(ALL, 0x2320, "VS_INVOCATION_COUNT").words(2).commands(),
    r(ALL, 0x2328, "GS_INVOCATION_COUNT").words(2).commands(),
    r(ALL, 0x2330, "GS_PRIMITIVES_COUNT").words(2).commands(),
    r(ALL, 0x2338, "CL_INVOCATION_COUNT").words(2).commands(),
    r(ALL, 0x2340, "CL_PRIMITIVES_COUNT").words(2).commands(),
    r(ALL, 0x2348, "PS_INVOCATION_COUNT").words(2).commands(),
    r(ALL, 0x2350, "PS_DEPTH_COUNT").words(2).commands(),
    r(ALL, 0x2360, ""),
    r(ALL, 0x2420, "GEN7_3DPRIM_END_OFFSET").commands(),
    r(ALL, 0x2430, "GEN7_3DPRIM_START_VERTEX")
        .words(4)
        .commands(),
    r(ALL, 0x2470, "").commands().masked().host(),
    r(ALL, 0x24d0, "RING_FORCE_TO_NONPRIV")
        .words(12)
        .commands()
        .by(Handler::ForceNonpriv),
    r(ALL, 0x2580, "GEN8_CS_CHICKEN1")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x2b00, ""),
    r(GEN9, 0x2b20, ""),
    r(ALL, 0x4024, "HSW_GTT_CACHE_EN").host(),
    r(ALL, 0x4030, "ARB_MODE").commands().masked().host(),
    r(GEN9, 0x4068, ""),
    r(ALL, 0x4080, "GEN8_GAMW_ECO_DEV_RW_IA")
        .host()
        .by(Handler::GamwEco),
    r(ALL, 0x4090, "GAM_ECOCHK").commands().host(),
    r(ALL, 0x4094, "").commands().host(),
    r(BXT, 0x40a0, "ERROR_GEN6"),
    r(BXT, 0x40b0, "DONE_REG"),
    r(BDW_CML, 0x40e0, "GEN8_PRIVATE_PAT_LO").host(),
    r(BXT, 0x40e0, "GEN8_PRIVATE_PAT_LO")
        .host()
        .by(Handler::BxtPpat),
    r(ALL, 0x40e4, "GEN8_PRIVATE_PAT_HI").host(),
    r(ALL, 0x4180, "BSD_HWS_PGA_GEN7").commands(),
    r(BXT, 0x4194, ""),
    r(ALL, 0x41d0, ""),
    r(ALL, 0x4260, "")
        .words(5)
        .by(Handler::ForcedZero(u32::MAX)),
    r(ALL, 0x4280, "BLT_HWS_PGA_GEN7").commands(),
    r(BXT, 0x4294, ""),
    r(ALL, 0x4380, "VEBOX_HWS_PGA_GEN7").commands(),
    r(BXT, 0x4494, ""),
    r(ALL, 0x4a08, "GAMTARBMODE").host(),
    r(GEN9, 0x4ab0, "GEN9_GAMT_ECO_REG_RW_IA").commands().host(),
    r(KBL_CML, 0x4ab8, "GAMT_CHKN_BIT_REG").commands().host(),
    r(BXT, 0x4b10, "GEN8_FAULT_TLB_DATA0"),
    r(BXT, 0x4b14, "GEN8_FAULT_TLB_DATA1"),
    r(ALL, 0x4dd4, "GEN8_L3_LRA_1_GPGPU").host(),
    r(GEN9, 0x4ddc, "MMCD_MISC_CTRL").commands().host(),
    r(GEN9, 0x4de0, "TRVATTL3PTRDW").words(4).commands(),
    r(GEN9, 0x4df0, "TRVADR").commands(),
    r(GEN9, 0x4df4, "TRTTE")
        .commands()
        .kept()
        .by(Handler::Trtte),
    r(GEN9, 0x4dfc, "").kept(),
    r(ALL, 0x5200, "GEN7_SO_NUM_PRIMS_WRITTEN")
        .words(8)
        .commands(),
    r(ALL, 0x5240, "GEN7_SO_PRIM_STORAGE_NEEDED")
        .words(8)
        .commands(),
    r(ALL, 0x5280, "GEN7_SO_WRITE_OFFSET").words(4).commands(),
    r(GEN9, 0x5588, "GEN9_WM_CHICKEN3")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x6200, "").words(3),
    r(ALL, 0x7000, "CACHE_MODE_0_GEN7")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x7004, "CACHE_MODE_1").commands().masked().host(),
    r(ALL, 0x7008, "GEN7_GT_MODE").commands().masked().host(),
    r(ALL, 0x7010, "GEN7_COMMON_SLICE_CHICKEN1")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x7014, "COMMON_SLICE_CHICKEN2")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x7018, "").commands().masked().host(),
    r(BXT, 0x7034, "GEN8_L3CNTLREG").commands(),
    r(ALL, 0x7100, "GEN7_SC_INSTDONE"),
    r(ALL, 0x7118, ""),
    r(ALL, 0x7180, ""),
    r(ALL, 0x7300, "HDC_CHICKEN0").commands().masked().host(),
    r(GEN9, 0x7304, "GEN8_HDC_CHICKEN1")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x7408, ""),
    r(ALL, 0x7c00, ""),
    r(BDW, 0x83a4, "").commands().host(),
    r(BDW, 0x8430, "").commands().host(),
    r(ALL, 0x9008, "HSW_IDICR").host(),
    r(ALL, 0x900c, "GEN6_MBCUNIT_SNPCR").host(),
    r(ALL, 0x902c, "").host(),
    r(ALL, 0x9030, "").commands().host(),
    r(ALL, 0x907c, "GEN6_MBCTL")
        .host()
        .by(Handler::ForcedZero(1 << 4)),
    r(ALL, 0x911c, "GEN8_FUSE2").words(2).host(),
    r(ALL, 0x9134, "GEN8_EU_DISABLE0").host(),
    r(ALL, 0x9138, "GEN8_EU_DISABLE1").host(),
    r(ALL, 0x913c, "GEN8_EU_DISABLE2").host(),
    r(ALL, 0x9400, "GEN6_UCGCTL1").host(),
    r(ALL, 0x9404, "GEN6_UCGCTL2").host(),
    r(ALL, 0x940c, "GEN7_UCGCTL4").commands().host(),
    r(ALL, 0x941c, "GEN6_GDRST").by(Handler::Gdrst),
    r(ALL, 0x9424, "GEN7_MISCCPCTL").host(),
    r(ALL, 0x9430, "GEN8_UCGCTL6").commands().host(),
    r(BXT, 0xa000, "GEN6_GFXPAUSE"),
    r(ALL, 0xa008, "GEN6_RPNSWREQ"),
    r(ALL, 0xa00c, "GEN6_RC_VIDEO_FREQ"),
    r(ALL, 0xa010, "GEN6_RP_DOWN_TIMEOUT"),
    r(ALL, 0xa014, "GEN6_RP_INTERRUPT_LIMITS"),
    r(ALL, 0xa01c, "GEN6_RPSTAT1"),
    r(ALL, 0xa024, "GEN6_RP_CONTROL"),
    r(ALL, 0xa02c, "GEN6_RP_UP_THRESHOLD"),
    r(ALL, 0xa030, "GEN6_RP_DOWN_THRESHOLD"),
    r(ALL, 0xa050, "GEN6_RP_CUR_UP_EI"),
    r(ALL, 0xa054, "GEN6_RP_CUR_UP"),
    r(ALL, 0xa058, "GEN6_RP_PREV_UP"),
    r(ALL, 0xa05c, "GEN6_RP_CUR_DOWN_EI"),
    r(ALL, 0xa060, "GEN6_RP_CUR_DOWN"),
    r(ALL, 0xa064, "GEN6_RP_PREV_DOWN"),
    r(ALL, 0xa068, "GEN6_RP_UP_EI"),
    r(ALL, 0xa06c, "GEN6_RP_DOWN_EI"),
    r(ALL, 0xa070, "GEN6_RP_IDLE_HYSTERSIS"),
    r(ALL, 0xa090, "GEN6_RC_CONTROL"),
    r(ALL, 0xa094, "GEN6_RC_STATE"),
    r(ALL, 0xa098, "GEN6_RC1_WAKE_RATE_LIMIT"),
    r(ALL, 0xa09c, "GEN6_RC6_WAKE_RATE_LIMIT"),
    r(ALL, 0xa0a0, "GEN6_RC6pp_WAKE_RATE_LIMIT"),
    r(ALL, 0xa0a8, "GEN6_RC_EVALUATION_INTERVAL"),
    r(ALL, 0xa0ac, "GEN6_RC_IDLE_HYSTERSIS"),
    r(ALL, 0xa0b0, "GEN6_RC_SLEEP"),
    r(ALL, 0xa0b4, "GEN6_RC1e_THRESHOLD"),
    r(ALL, 0xa0b8, "GEN6_RC6_THRESHOLD"),
    r(ALL, 0xa0bc, "GEN6_RC6p_THRESHOLD"),
    r(ALL, 0xa0c0, "GEN6_RC6pp_THRESHOLD"),
    r(GEN9, 0xa0c4, "GEN9_MEDIA_PG_IDLE_HYSTERESIS"),
    r(GEN9, 0xa0c8, "GEN9_RENDER_PG_IDLE_HYSTERESIS"),
    r(ALL, 0xa168, "GEN6_PMINTRMSK"),
    r(ALL, 0xa180, "ECOBUS"),
    r(ALL, 0xa188, "FORCEWAKE_MT")
        .masked()
        .by(Handler::Forcewake { ack: 0x13_0044 }),
    r(ALL, 0xa18c, "FORCEWAKE"),
    r(GEN9, 0xa210, "GEN9_PG_ENABLE"),
    r(BXT, 0xa248, "GEN8_PUSHBUS_CONTROL"),
    r(BXT, 0xa250, "GEN8_PUSHBUS_ENABLE"),
    r(BXT, 0xa25c, "GEN8_PUSHBUS_SHIFT"),
    r(GEN9, 0xa270, "FORCEWAKE_MEDIA_GEN9")
        .masked()
        .by(Handler::Forcewake { ack: 0xd88 }),
    r(GEN9, 0xa278, "FORCEWAKE_RENDER_GEN9")
        .masked()
        .by(Handler::Forcewake { ack: 0xd84 }),
    r(GEN9, 0xb004, "GEN8_GARBCNTL").commands().host(),
    r(ALL, 0xb008, "GEN9_SCRATCH_LNCF1").host(),
    r(GEN9, 0xb020, "GEN7_L3CNTLREG2")
        .words(32)
        .commands()
        .host(),
    r(BDW_BXT, 0xb100, "GEN8_L3SQCREG1").commands().host(),
    r(BDW, 0xb10c, "").commands().host(),
    r(BDW, 0xb110, "").host(),
    r(ALL, 0xb118, "GEN8_L3SQCREG4").commands().host(),
    r(GEN9, 0xb11c, "BDW_SCRATCH1").commands().host(),
    r(BDW, 0xb1c0, "").commands().host(),
    r(BDW, 0xb1f0, "").commands().host(),
    r(ALL, 0xc000, "GUC_STATUS")
        .starts(1)
        .by(Handler::GucStatus),
    r(BXT, 0xc180, "SOFT_SCRATCH").words(16),
    r(GEN9, 0xc314, "DMA_CTRL").by(Handler::ForcedZero(1)),
    r(GEN9, 0xc800, "GEN9_GFX_MOCS").words(64).commands().host(),
    r(GEN9, 0xc900, "GEN9_MFX0_MOCS")
        .words(64)
        .commands()
        .host(),
    r(GEN9, 0xca00, "GEN9_MFX1_MOCS")
        .words(64)
        .commands()
        .host(),
    r(GEN9, 0xcb00, "GEN9_VEBOX_MOCS")
        .words(64)
        .commands()
        .host(),
    r(GEN9, 0xcc00, "GEN9_BLT_MOCS").words(64).commands().host(),
    r(GEN9, 0xcd00, "").words(190),
    r(ALL, 0xe100, "GEN7_HALF_SLICE_CHICKEN1")
        .commands()
        .masked()
        .host(),
    r(BXT, 0xe160, "GEN7_SAMPLER_INSTDONE"),
    r(BXT, 0xe164, "GEN7_ROW_INSTDONE"),
    r(ALL, 0xe180, "HALF_SLICE_CHICKEN2")
        .commands()
        .masked()
        .host(),
    r(ALL, 0xe184, "HSW_HALF_SLICE_CHICKEN3")
        .commands()
        .masked()
        .host(),
    r(ALL, 0xe188, "").commands().masked().host(),
    r(ALL, 0xe194, "").commands().masked().host(),
    r(ALL, 0xe220, "").commands(),
    r(ALL, 0xe230, "").commands(),
    r(ALL, 0xe240, "").commands(),
    r(ALL, 0xe260, "").commands(),
    r(ALL, 0xe270, "").commands(),
    r(ALL, 0xe280, "").commands(),
    r(ALL, 0xe2a0, "").commands(),
    r(ALL, 0xe2b0, "").commands(),
    r(ALL, 0xe2c0, "").commands(),
    r(BDW, 0xe4cc, ""),
    r(GEN9, 0xe4cc, "").commands(),
    r(ALL, 0xe4f0, "GEN8_ROW_CHICKEN")
        .commands()
        .masked()
        .host(),
    r(ALL, 0xe4f4, "GEN7_ROW_CHICKEN2")
        .commands()
        .masked()
        .host(),
    r(ALL, 0x1_11b8, "RSTDBYCTL"),
    r(ALL, 0x1_2054, "RING_MAX_IDLE"),
    r(ALL, 0x1_2178, "").words(2).commands(),
    r(ALL, 0x1_2198, "").commands(),
    r(ALL, 0x1_21d0, "").host(),
    r(ALL, 0x1_2220, "").commands(),
    r(ALL, 0x1_4090, "GAC_ECO_BITS").host(),
    r(ALL, 0x1_a054, "RING_MAX_IDLE"),
    r(ALL, 0x1_a178, "").words(2).commands(),
    r(ALL, 0x1_c054, "RING_MAX_IDLE"),
    r(ALL, 0x1_c178, "").words(2).commands(),
    r(ALL, 0x1_c1d0, "").host(),
    r(ALL, 0x2_2054, "RING_MAX_IDLE"),
    r(ALL, 0x2_2178, "").words(2).commands(),
    r(ALL, 0x2_21d0, "ECOSKPD").host(),
    r(ALL, 0x2_2200, "BCS_SWCTRL").commands(),
    r(ALL, 0x2_2220, "").commands(),
    r(ALL, 0x2_4000, "GAB_CTL").host(),
    r(GEN9, 0x3_20f0, ""),
];
