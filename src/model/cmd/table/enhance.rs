// SPDX-License-Identifier: GPL-2.0

//! Video enhancement, by bits 31:16 of the header: PRM volume 2a.

use super::engines::ENHANCE;
use super::{commands, Command, Length, Rule};

commands! {
    /// The command with this opcode.
    find, OPCODES:
    0x7400 "VEBOX_SURFACE_STATE" ENHANCE Field(12) Free,
    0x7402 "VEBOX_STATE" ENHANCE Field(12) Free,
    0x7403 "VEB_DI_IECP" ENHANCE Field(12) Free,
}
