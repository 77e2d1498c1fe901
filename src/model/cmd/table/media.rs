// SPDX-License-Identifier: GPL-2.0

//! Media and GPGPU, by bits 31:16 of the header: PRM volume 2a.

use super::engines::RENDER;
use super::{commands, Command, Length, Rule};

/// MEDIA_POOL_STATE.
pub(super) const POOL_STATE: u32 = 0x7005;

commands! {
    /// The command with this opcode.
    find, OPCODES:
    0x7000 "MEDIA_VFE_STATE" RENDER Field(16) Free,
    0x7001 "MEDIA_CURBE_LOAD" RENDER Field(16) Free,
    0x7002 "MEDIA_INTERFACE_DESCRIPTOR_LOAD" RENDER Field(16) Free,
    0x7003 "MEDIA_GATEWAY_STATE" RENDER Field(16) Free,
    0x7004 "MEDIA_STATE_FLUSH" RENDER Field(16) Free,
    0x7005 "MEDIA_POOL_STATE" RENDER Field(16) Free,
    0x7100 "MEDIA_OBJECT" RENDER Field(16) Free,
    0x7102 "MEDIA_OBJECT_PRT" RENDER Field(16) Free,
    0x7103 "MEDIA_OBJECT_WALKER" RENDER Field(16) Free,
    0x7105 "GPGPU_WALKER" RENDER Field(8) Free,
}
