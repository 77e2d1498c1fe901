// SPDX-License-Identifier: GPL-2.0

//! The interrupt tree.

use super::{
    ALL, //
};
use crate::mmio::row::{
    r,
    Handler,
    Row, //
};

pub(super) static INTERRUPTS: [Row; 27] = [
    r(ALL, 0x4_4200, "GEN8_MASTER_IRQ")
        .read_only(0x7fff_ffff)
        .by(Handler::Interrupts),
    r(ALL, 0x4_4300, "GEN8_GT_ISR").every(0x10, 4),
    r(ALL, 0x4_4304, "GEN8_GT_IMR")
        .every(0x10, 4)
        .starts(u32::MAX),
    r(ALL, 0x4_4308, "GEN8_GT_IIR")
        .every(0x10, 4)
        .clears(u32::MAX)
        .by(Handler::InterruptIdentity),
    r(ALL, 0x4_430c, "GEN8_GT_IER")
        .every(0x10, 4)
        .by(Handler::Interrupts),
    r(ALL, 0x4_4400, "GEN8_DE_PIPE_ISR").every(0x10, 3),
    r(ALL, 0x4_4404, "GEN8_DE_PIPE_IMR")
        .every(0x10, 3)
        .starts(u32::MAX)
        .by(Handler::Interrupts),
    r(ALL, 0x4_4408, "GEN8_DE_PIPE_IIR")
        .every(0x10, 3)
        .clears(u32::MAX)
        .by(Handler::InterruptIdentity),
    r(ALL, 0x4_440c, "GEN8_DE_PIPE_IER")
        .every(0x10, 3)
        .by(Handler::Interrupts),
    r(ALL, 0x4_4440, "GEN8_DE_PORT_ISR"),
    r(ALL, 0x4_4444, "GEN8_DE_PORT_IMR").starts(u32::MAX),
    r(ALL, 0x4_4448, "GEN8_DE_PORT_IIR")
        .clears(u32::MAX)
        .by(Handler::InterruptIdentity),
    r(ALL, 0x4_444c, "GEN8_DE_PORT_IER").by(Handler::Interrupts),
    r(ALL, 0x4_4460, "GEN8_DE_MISC_ISR"),
    r(ALL, 0x4_4464, "GEN8_DE_MISC_IMR").starts(u32::MAX),
    r(ALL, 0x4_4468, "GEN8_DE_MISC_IIR")
        .clears(u32::MAX)
        .by(Handler::InterruptIdentity),
    r(ALL, 0x4_446c, "GEN8_DE_MISC_IER").by(Handler::Interrupts),
    r(ALL, 0x4_4484, ""),
    r(ALL, 0x4_448c, ""),
    r(ALL, 0x4_44e0, "GEN8_PCU_ISR"),
    r(ALL, 0x4_44e4, "GEN8_PCU_IMR").starts(u32::MAX),
    r(ALL, 0x4_44e8, "GEN8_PCU_IIR")
        .clears(u32::MAX)
        .by(Handler::InterruptIdentity),
    r(ALL, 0x4_44ec, "GEN8_PCU_IER").by(Handler::Interrupts),
    r(ALL, 0xc_4000, "SDEISR"),
    r(ALL, 0xc_4004, "SDEIMR").starts(u32::MAX),
    r(ALL, 0xc_4008, "SDEIIR")
        .clears(u32::MAX)
        .by(Handler::InterruptIdentity),
    r(ALL, 0xc_400c, "SDEIER").by(Handler::Interrupts),
];
