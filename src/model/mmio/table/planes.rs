// SPDX-License-Identifier: GPL-2.0

//! Pipes with their planes and cursors.

use super::{
    ALL,
    GEN9, //
};
use crate::mmio::row::{
    r,
    Handler,
    Row,
    Slot, //
};

pub(super) static PLANES: [Row; 75] = [
    r(ALL, 0x7_0000, "PIPEDSL")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::ScanLine)),
    r(ALL, 0x7_0008, "TRANSCONF")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::TransConf)),
    r(ALL, 0x7_0024, "PIPESTAT").every(0x1000, 3),
    r(ALL, 0x7_0030, "PIPE_MISC").every(0x1000, 3),
    r(GEN9, 0x7_0034, ""),
    r(ALL, 0x7_0040, "PIPE_FRMCOUNT_G4X")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::FrameCount)),
    r(ALL, 0x7_0044, "PIPE_FLIPCOUNT_G4X").every(0x1000, 3),
    r(ALL, 0x7_0080, "CURCNTR").every(0x1000, 3),
    r(ALL, 0x7_0084, "CURBASE").every(0x1000, 3),
    r(ALL, 0x7_0088, "CURPOS").every(0x1000, 3),
    r(ALL, 0x7_0090, "").words(4),
    r(ALL, 0x7_00a0, "CUR_FBC_CTL").every(0x1000, 3),
    r(ALL, 0x7_00ac, ""),
    r(GEN9, 0x7_0140, "CUR_WM").words(8).every(0x1000, 3),
    r(GEN9, 0x7_0168, "CUR_WM_TRANS").every(0x1000, 3),
    r(GEN9, 0x7_017c, "CUR_BUF_CFG").every(0x1000, 3),
    r(ALL, 0x7_0180, "DSPCNTR").every(0x1000, 3),
    r(ALL, 0x7_0184, "DSPADDR").every(0x1000, 3),
    r(ALL, 0x7_0188, "DSPSTRIDE").every(0x1000, 3),
    r(ALL, 0x7_018c, "DSPPOS").every(0x1000, 3),
    r(ALL, 0x7_0190, "DSPSIZE").every(0x1000, 3),
    r(GEN9, 0x7_0194, "PLANE_KEYVAL").every(0x1000, 3),
    r(GEN9, 0x7_0198, "PLANE_KEYMSK").every(0x1000, 3),
    r(ALL, 0x7_019c, "DSPSURF")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::Flip)),
    r(GEN9, 0x7_01a0, "PLANE_KEYMAX").every(0x1000, 3),
    r(ALL, 0x7_01a4, "DSPOFFSET").every(0x1000, 3),
    r(ALL, 0x7_01ac, "DSPSURFLIVE").every(0x1000, 3),
    r(GEN9, 0x7_01c0, "PLANE_AUX_DIST").every(0x100, 4),
    r(GEN9, 0x7_01c4, "PLANE_AUX_OFFSET").every(0x100, 4),
    r(GEN9, 0x7_0240, "PLANE_WM").words(8).every(0x100, 2),
    r(GEN9, 0x7_0268, "PLANE_WM_TRANS").every(0x100, 3),
    r(GEN9, 0x7_0278, "PLANE_NV12_BUF_CFG").every(0x100, 4),
    r(GEN9, 0x7_027c, "PLANE_BUF_CFG").every(0x100, 4),
    r(ALL, 0x7_0280, "SPRCTL").every(0x1000, 3),
    r(ALL, 0x7_0284, "SPRLINOFF").every(0x1000, 3),
    r(ALL, 0x7_0288, "SPRSTRIDE").every(0x1000, 3),
    r(ALL, 0x7_028c, "SPRPOS").every(0x1000, 3),
    r(ALL, 0x7_0290, "SPRSIZE").every(0x1000, 3),
    r(ALL, 0x7_0294, "SPRKEYVAL").every(0x1000, 3),
    r(ALL, 0x7_0298, "SPRKEYMSK").every(0x1000, 3),
    r(ALL, 0x7_029c, "SPRSURF")
        .every(0x1000, 3)
        .by(Handler::Display(Slot::Flip)),
    r(ALL, 0x7_02a0, "SPRKEYMAX").every(0x1000, 3),
    r(ALL, 0x7_02a4, "SPROFFSET").every(0x1000, 3),
    r(ALL, 0x7_02ac, "SPRSURFLIVE").every(0x1000, 3),
    r(ALL, 0x7_0304, "SPRSCALE").every(0x1000, 3),
    r(GEN9, 0x7_0380, "PLANE_CTL").every(0x1000, 3),
    r(GEN9, 0x7_039c, "PLANE_SURF").every(0x1000, 3),
    r(ALL, 0x7_0400, "").words(16),
    r(ALL, 0x7_0440, "PLANE_WM").words(6).every(0x1000, 3),
    r(GEN9, 0x7_0458, "PLANE_WM").words(2),
    r(GEN9, 0x7_1034, ""),
    r(ALL, 0x7_10ac, ""),
    r(GEN9, 0x7_11c0, "PLANE_AUX_DIST").every(0x100, 4),
    r(GEN9, 0x7_11c4, "PLANE_AUX_OFFSET").every(0x100, 4),
    r(GEN9, 0x7_1240, "PLANE_WM").words(8).every(0x100, 2),
    r(GEN9, 0x7_1268, "PLANE_WM_TRANS").every(0x100, 3),
    r(GEN9, 0x7_1278, "PLANE_NV12_BUF_CFG").every(0x100, 4),
    r(GEN9, 0x7_127c, "PLANE_BUF_CFG").every(0x100, 4),
    r(ALL, 0x7_1400, "").words(16),
    r(GEN9, 0x7_1458, "PLANE_WM").words(2),
    r(GEN9, 0x7_2034, ""),
    r(ALL, 0x7_20ac, ""),
    r(GEN9, 0x7_21c0, "PLANE_AUX_DIST").every(0x100, 4),
    r(GEN9, 0x7_21c4, "PLANE_AUX_OFFSET").every(0x100, 4),
    r(GEN9, 0x7_2240, "PLANE_WM").words(8).every(0x100, 2),
    r(GEN9, 0x7_2268, "PLANE_WM_TRANS").every(0x100, 3),
    r(GEN9, 0x7_2278, "PLANE_NV12_BUF_CFG").every(0x100, 4),
    r(GEN9, 0x7_227c, "PLANE_BUF_CFG").every(0x100, 4),
    r(ALL, 0x7_2400, "").words(16),
    r(GEN9, 0x7_2458, "PLANE_WM").words(2),
    r(ALL, 0x7_f000, "PIPEDSL"),
    r(ALL, 0x7_f008, "TRANSCONF").by(Handler::Display(Slot::TransConf)),
    r(ALL, 0x7_f024, "PIPESTAT"),
    r(ALL, 0x7_f040, "PIPE_FRMCOUNT_G4X"),
    r(ALL, 0x7_f044, "PIPE_FLIPCOUNT_G4X"),
];
