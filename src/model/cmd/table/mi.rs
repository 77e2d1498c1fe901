// SPDX-License-Identifier: GPL-2.0

//! Memory interface commands, by bits 28:23 of the header: Broadwell and Skylake PRM volume 2a.

use super::engines::{ALL, RENDER, RENDER_AND_COPY};
use super::{commands, Command, Length, Rule};

/// MI_NOOP.
pub(super) const NOOP: u32 = 0x0;
/// MI_SET_PREDICATE.
pub(super) const SET_PREDICATE: u32 = 0x1;

commands! {
    /// The command with this opcode.
    find, OPCODES:
    0x0 "MI_NOOP" ALL Fixed(1) Free,
    0x1 "MI_SET_PREDICATE" RENDER Fixed(1) Free,
    0x2 "MI_USER_INTERRUPT" ALL Fixed(1) UserInterrupt,
    0x3 "MI_WAIT_FOR_EVENT" RENDER_AND_COPY Fixed(1) Drop,
    0x4 "MI_FLUSH" ALL Fixed(1) Free,
    0x5 "MI_ARB_CHECK" ALL Fixed(1) Free,
    0x6 "MI_RS_CONTROL" RENDER Fixed(1) Free,
    0x7 "MI_REPORT_HEAD" ALL Fixed(1) Drop,
    0x8 "MI_ARB_ON_OFF" ALL Fixed(1) ArbOnOff,
    0x9 "MI_URB_ATOMIC_ALLOC" RENDER Fixed(1) Free,
    0xa "MI_BATCH_BUFFER_END" ALL Fixed(1) BatchEnd,
    0xb "MI_SUSPEND_FLUSH" ALL Fixed(1) Drop,
    0xc "MI_PREDICATE" RENDER Fixed(1) Free,
    0xd "MI_TOPOLOGY_FILTER" ALL Fixed(1) Free,
    0xe "MI_SET_APPID" ALL Fixed(1) Free,
    0xf "MI_RS_CONTEXT" RENDER Fixed(1) Free,
    0x12 "MI_LOAD_SCAN_LINES_INCL" RENDER_AND_COPY Fixed(2) Drop,
    0x14 "MI_DISPLAY_FLIP" RENDER_AND_COPY Field(8) DisplayFlip,
    // Of Gen7, where it can write to the GGTT.
    0x16 "MI_SEMAPHORE_MBOX" ALL Exact(8, 3) Refused,
    0x19 "MI_URB_CLEAR" RENDER Exact(8, 2) Free,
    // Gen8 has six bits for it.
    0x1a "MI_MATH" ALL Within(8, 65) Free,
    0x1b "MI_SEMAPHORE_SIGNAL" ALL Exact(8, 2) Free,
    0x1c "MI_SEMAPHORE_WAIT" ALL Exact(8, 4) SemaphoreWait,
    0x20 "MI_STORE_DATA_IMM" ALL Field(10) StoreDataImm,
    0x21 "MI_STORE_DATA_INDEX" ALL Field(8) StoreDataIndex,
    0x22 "MI_LOAD_REGISTER_IMM" ALL Field(8) LoadRegisterImm,
    0x23 "MI_UPDATE_GTT" ALL Field(10) Refused,
    0x24 "MI_STORE_REGISTER_MEM" ALL Exact(8, 4) StoreRegisterMem,
    0x26 "MI_FLUSH_DW" ALL Within(6, 5) FlushDw,
    0x27 "MI_CLFLUSH" ALL Field(10) GlobalRefused,
    0x28 "MI_REPORT_PERF_COUNT" ALL Exact(6, 4) Refused,
    0x29 "MI_LOAD_REGISTER_MEM" ALL Exact(8, 4) LoadRegisterMem,
    0x2a "MI_LOAD_REGISTER_REG" ALL Exact(8, 3) LoadRegisterReg,
    0x2b "MI_RS_STORE_DATA_IMM" RENDER Exact(8, 4) Free,
    0x2c "MI_LOAD_URB_MEM" RENDER Exact(8, 4) Free,
    0x2d "MI_STORE_URM_MEM" RENDER Field(8) Free,
    0x2e "MI_COPY_MEM_MEM" ALL Exact(8, 5) CopyMemMem,
    0x2f "MI_ATOMIC" ALL Field(8) Atomic,
    0x31 "MI_BATCH_BUFFER_START" ALL Field(8) BatchStart,
    0x36 "MI_CONDITIONAL_BATCH_BUFFER_END" ALL Exact(8, 4) Refused,
}
