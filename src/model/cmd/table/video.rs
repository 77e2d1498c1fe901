// SPDX-License-Identifier: GPL-2.0

//! Video codecs, by bits 31:16 of the header: PRM volume 2a.

use super::engines::VIDEO;
use super::{commands, Command, Length, Rule};

commands! {
    /// The command with this opcode.
    find, OPCODES:
    // What its header has for a length counts in another way: it is one word, whatever that says.
    0x6800 "MFX_WAIT" VIDEO Fixed(1) Free,
    0x7000 "MFX_PIPE_MODE_SELECT" VIDEO Field(12) Free,
    0x7001 "MFX_SURFACE_STATE" VIDEO Field(12) Free,
    0x7002 "MFX_PIPE_BUF_ADDR_STATE" VIDEO Field(12) Free,
    0x7003 "MFX_IND_OBJ_BASE_ADDR_STATE" VIDEO Field(12) Free,
    0x7004 "MFX_BSP_BUF_BASE_ADDR_STATE" VIDEO Field(12) Free,
    0x7005 "OP_2_0_0_5" VIDEO Field(12) Free,
    0x7006 "MFX_STATE_POINTER" VIDEO Field(12) Free,
    0x7007 "MFX_QM_STATE" VIDEO Field(12) Free,
    0x7008 "MFX_FQM_STATE" VIDEO Field(12) Free,
    0x7029 "MFD_IT_OBJECT" VIDEO Field(12) Free,
    0x7048 "MFX_PAK_INSERT_OBJECT" VIDEO Field(12) Free,
    0x704a "MFX_STITCH_OBJECT" VIDEO Field(12) Free,
    0x7100 "MFX_AVC_IMG_STATE" VIDEO Field(12) Free,
    0x7101 "MFX_AVC_QM_STATE" VIDEO Field(12) Free,
    0x7102 "MFX_AVC_DIRECTMODE_STATE" VIDEO Field(12) Free,
    0x7103 "MFX_AVC_SLICE_STATE" VIDEO Field(12) Free,
    0x7104 "MFX_AVC_REF_IDX_STATE" VIDEO Field(12) Free,
    0x7105 "MFX_AVC_WEIGHTOFFSET_STATE" VIDEO Field(12) Free,
    0x7125 "MFD_AVC_PICID_STATE" VIDEO Field(12) Free,
    0x7126 "MFD_AVC_DPB_STATE" VIDEO Field(12) Free,
    0x7127 "MFD_AVC_SLICEADDR" VIDEO Field(12) Free,
    0x7128 "MFD_AVC_BSD_OBJECT" VIDEO Field(12) Free,
    0x7149 "MFC_AVC_PAK_OBJECT" VIDEO Field(12) Free,
    0x7201 "MFX_VC1_PRED_PIPE_STATE" VIDEO Field(12) Free,
    0x7202 "MFX_VC1_DIRECTMODE_STATE" VIDEO Field(12) Free,
    0x7220 "MFD_VC1_SHORT_PIC_STATE" VIDEO Field(12) Free,
    0x7221 "MFD_VC1_LONG_PIC_STATE" VIDEO Field(12) Free,
    0x7228 "MFD_VC1_BSD_OBJECT" VIDEO Field(12) Free,
    0x7300 "MFX_MPEG2_PIC_STATE" VIDEO Field(12) Free,
    0x7301 "MFX_MPEG2_QM_STATE" VIDEO Field(12) Free,
    0x7328 "MFD_MPEG2_BSD_OBJECT" VIDEO Field(12) Free,
    0x7343 "MFC_MPEG2_SLICEGROUP_STATE" VIDEO Field(12) Free,
    0x7349 "MFC_MPEG2_PAK_OBJECT" VIDEO Field(12) Free,
    0x7600 "MFX_2_6_0_0" VIDEO Field(16) Free,
    0x7608 "MFX_2_6_0_8" VIDEO Field(16) Free,
    0x7609 "MFX_2_6_0_9" VIDEO Field(16) Free,
    0x7700 "MFX_JPEG_PIC_STATE" VIDEO Field(12) Free,
    0x7702 "MFX_JPEG_HUFF_TABLE_STATE" VIDEO Field(12) Free,
    0x7728 "MFD_JPEG_BSD_OBJECT" VIDEO Field(12) Free,
}
