// SPDX-License-Identifier: GPL-2.0

//! Fences, power control unit, and what of the memory controller's registers a guest sees.

use super::{
    ALL,
    GEN9, //
};
use crate::mmio::{
    handlers::follow::{
        LCPLL, //
    },
    row::{
        r,
        Handler,
        Row, //
    },
};

pub(super) static UNCORE: [Row; 21] = [
    r(ALL, 0x10_0000, "FENCE_REG_GEN6_LO")
        .words(32)
        .by(Handler::Fence),
    r(ALL, 0x10_1000, "TILECTL").host(),
    r(ALL, 0x10_1008, "GFX_FLSH_CNTL_GEN6"),
    r(GEN9, 0x10_82c0, "GEN6_STOLEN_RESERVED"),
    r(ALL, 0x11_0000, ""),
    r(ALL, 0x12_0000, "GTFIFODBG").commands(),
    r(ALL, 0x12_0008, "GTFIFOCTL").commands(),
    r(ALL, 0x12_0010, "HSW_EDRAM_CAP").host(),
    r(ALL, 0x13_0040, "LCPLL_CTL")
        .host()
        .by(Handler::Follow(&LCPLL)),
    r(ALL, 0x13_0044, "FORCEWAKE_ACK_HSW"),
    r(ALL, 0x13_0090, "FORCEWAKE_ACK"),
    r(ALL, 0x13_805c, "GEN6_GT_THREAD_STATUS_REG"),
    r(ALL, 0x13_8060, "GEN6_GT_CORE_STATUS"),
    r(ALL, 0x13_8124, "GEN6_PCODE_MAILBOX").by(Handler::PcodeMailbox),
    r(ALL, 0x13_8128, "GEN6_PCODE_DATA"),
    r(ALL, 0x13_812c, "GEN6_PCODE_DATA1"),
    r(ALL, 0x14_5000, "MAD_DIMM").words(5).host(),
    r(ALL, 0x14_5948, "GEN6_GT_PERF_STATUS").host(),
    r(ALL, 0x14_5994, "GEN6_RP_STATE_LIMITS").words(2).host(),
    r(ALL, 0x14_5d10, "MCH_SSKPD").words(2).host(),
    r(ALL, 0x14_5e04, "MC_BIOS_DATA").host(),
];
