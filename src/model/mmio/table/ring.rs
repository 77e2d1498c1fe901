// SPDX-License-Identifier: GPL-2.0

//! Registers that every engine has.

use super::{
    ALL,
    BXT,
    GEN9, //
};
use crate::mmio::row::{
    ring,
    Handler,
    Row, //
};

pub(super) static RING: [Row; 37] = [
    ring(ALL, 0x28, "").commands(),
    ring(ALL, 0x30, "RING_TAIL"),
    ring(ALL, 0x34, "RING_HEAD"),
    ring(ALL, 0x38, "RING_START"),
    ring(ALL, 0x3c, "RING_CTL"),
    ring(ALL, 0x40, "RING_SYNC_0").commands(),
    ring(ALL, 0x44, "RING_SYNC_1").commands(),
    ring(BXT, 0x50, "RING_PSMI_CTL"),
    ring(ALL, 0x5c, "RING_ACTHD_UDW"),
    ring(BXT, 0x60, "RING_DMA_FADD_UDW"),
    ring(BXT, 0x64, "RING_IPEIR"),
    ring(BXT, 0x68, "RING_IPEHR"),
    // All units are done.
    ring(ALL, 0x6c, "RING_INSTDONE").starts(u32::MAX),
    ring(BXT, 0x70, "RING_INSTPS"),
    ring(ALL, 0x74, "RING_ACTHD"),
    ring(BXT, 0x78, "RING_DMA_FADD"),
    ring(ALL, 0x80, "RING_HWS_PGA").by(Handler::HwsPga),
    ring(ALL, 0x98, "RING_HWSTAM").starts(u32::MAX),
    ring(ALL, 0x9c, "RING_MI_MODE")
        .commands()
        .masked()
        .read_only(0x200)
        .starts(1 << 9),
    ring(ALL, 0xa8, "RING_IMR").starts(u32::MAX),
    ring(ALL, 0xc0, "RING_INSTPM").commands().masked().host(),
    ring(ALL, 0xd0, "RING_RESET_CTL")
        .masked()
        .read_only(0xfffe)
        .by(Handler::ResetCtl),
    ring(GEN9, 0xd4, "CSFE_CHICKEN1_REG")
        .commands()
        .masked()
        .host()
        .by(Handler::CsfeChicken1),
    ring(BXT, 0x110, "RING_BBSTATE"),
    ring(ALL, 0x134, "RING_UHPTR").commands(),
    ring(ALL, 0x140, "RING_BBADDR"),
    ring(BXT, 0x168, "RING_BBADDR_UDW"),
    ring(ALL, 0x230, "RING_ELSP").by(Handler::Elsp),
    ring(ALL, 0x234, "RING_EXECLIST_STATUS_LO")
        .words(2)
        .read_only(u32::MAX),
    ring(ALL, 0x244, "RING_CONTEXT_CONTROL").commands(),
    ring(ALL, 0x270, "GEN8_RING_PDP_LDW").words(8).commands(),
    ring(ALL, 0x29c, "RING_MODE_GEN7")
        .commands()
        .masked()
        .by(Handler::RingMode),
    ring(ALL, 0x358, "RING_TIMESTAMP")
        .commands()
        .by(Handler::Timestamp),
    ring(ALL, 0x35c, "RING_TIMESTAMP_UDW")
        .commands()
        .by(Handler::Timestamp),
    ring(ALL, 0x370, "RING_CONTEXT_STATUS_BUF")
        .words(12)
        .read_only(u32::MAX),
    ring(ALL, 0x3a0, "RING_CONTEXT_STATUS_PTR").masked(),
    ring(BXT, 0x600, "GEN8_RING_CS_GPR").words(16).commands(),
];
