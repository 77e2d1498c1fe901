// SPDX-License-Identifier: GPL-2.0
//! Registers of a command streamer, as offsets from its base. Names are i915's (`intel_engine_regs.h`).

/// Head of the ring being executed, in bytes from its start.
pub const RING_HEAD: u32 = 0x34;
/// Where software stopped writing the ring.
pub const RING_TAIL: u32 = 0x30;
/// GGTT address of the ring.
pub const RING_START: u32 = 0x38;
/// Size and enable of the ring.
pub const RING_CTL: u32 = 0x3c;
/// Upper half of the address of the command being executed.
pub const RING_ACTHD_UDW: u32 = 0x5c;
/// Header of the command being executed, for error dumps.
pub const RING_IPEHR: u32 = 0x68;
/// All ones when every unit is idle.
pub const RING_INSTDONE: u32 = 0x6c;
/// Lower half of the address of the command being executed.
pub const RING_ACTHD: u32 = 0x74;
/// GGTT address of the hardware status page.
pub const RING_HWS_PGA: u32 = 0x80;
/// Masked; stop request and idle state.
pub const RING_MI_MODE: u32 = 0x9c;
/// Interrupt mask of the engine itself.
pub const RING_IMR: u32 = 0xa8;
/// Error identity, cleared by writing ones.
pub const RING_EIR: u32 = 0xb0;
/// Reset handshake.
pub const RING_RESET_CTL: u32 = 0xd0;
/// State of the first-level batch buffer.
pub const RING_BBSTATE: u32 = 0x110;
/// Lower address of the second-level batch buffer.
pub const RING_SBBADDR: u32 = 0x114;
/// State of the second-level batch buffer.
pub const RING_SBBSTATE: u32 = 0x118;
/// Upper address of the second-level batch buffer.
pub const RING_SBBADDR_UDW: u32 = 0x11c;
/// Lower address of the first-level batch buffer; bit 0: valid.
pub const RING_BBADDR: u32 = 0x140;
/// Upper address of the first-level batch buffer.
pub const RING_BBADDR_UDW: u32 = 0x168;
/// Batch run after every context restore.
pub const RING_BB_PER_CTX_PTR: u32 = 0x1c0;
/// Batch run in the middle of a context restore.
pub const RING_INDIRECT_CTX: u32 = 0x1c4;
/// Execlist submission port.
pub const RING_ELSP: u32 = 0x230;
/// What the submission port holds.
pub const RING_EXECLIST_STATUS_LO: u32 = 0x234;
/// Id of the running context.
pub const RING_EXECLIST_STATUS_HI: u32 = 0x238;
/// Masked; restore and save inhibit.
pub const RING_CONTEXT_CONTROL: u32 = 0x244;
/// Page directory pointer 0, low dword; eight dwords in all.
pub const RING_PDP0_LDW: u32 = 0x270;
/// Masked; execlist and PPGTT enable.
pub const RING_MODE: u32 = 0x29c;
/// Timestamp counter.
pub const RING_TIMESTAMP: u32 = 0x358;
/// Upper half of the timestamp counter.
pub const RING_TIMESTAMP_UDW: u32 = 0x35c;
/// Six context status entries of two dwords.
pub const RING_CONTEXT_STATUS_BUF: u32 = 0x370;
/// Write pointer (2:0) and read pointer (10:8) of the context status entries.
pub const RING_CONTEXT_STATUS_PTR: u32 = 0x3a0;
/// Time that the context has run, in timestamp ticks.
pub const RING_CTX_TIMESTAMP: u32 = 0x3a8;
/// Operands, data and result of MI_PREDICATE.
pub const MI_PREDICATE_SRC0: u32 = 0x400;
/// Second operand of MI_PREDICATE.
pub const MI_PREDICATE_SRC1: u32 = 0x408;
/// Intermediate value of MI_PREDICATE.
pub const MI_PREDICATE_DATA: u32 = 0x410;
/// What predicated commands look at.
pub const MI_PREDICATE_RESULT: u32 = 0x418;
/// What MI_SET_PREDICATE looks at.
pub const MI_PREDICATE_RESULT_2: u32 = 0x3bc;
/// First of twelve registers that allow non-privileged batches one more register each.
pub const RING_FORCE_TO_NONPRIV: u32 = 0x4d0;
/// First of sixteen 64-bit general purpose registers.
pub const CS_GPR: u32 = 0x600;

/// In [`RING_MI_MODE`]: software asks the ring to stop.
pub const STOP_RING: u32 = 1 << 8;
/// In [`RING_MI_MODE`]: the ring is idle.
pub const MODE_IDLE: u32 = 1 << 9;

/// Engine event: MI_USER_INTERRUPT.
pub const GT_USER_INTERRUPT: u32 = 1 << 0;
/// Engine event: PIPE_CONTROL or MI_FLUSH_DW with notify.
pub const GT_FLUSH_NOTIFY: u32 = 1 << 4;
/// Engine event: a context status entry was written.
pub const GT_CONTEXT_SWITCH: u32 = 1 << 8;
/// Engine event: a semaphore wait did not pass at once.
pub const GT_WAIT_SEMAPHORE: u32 = 1 << 11;
