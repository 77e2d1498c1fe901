// SPDX-License-Identifier: GPL-2.0

//! Commands of the blitter, by bits 31:22 of the header: PRM volume 2a.

use super::engines::COPY;
use super::{commands, Command, Length, Rule};

commands! {
    /// The command with this opcode.
    find, OPCODES:
    0x101 "XY_SETUP_BLT" COPY Field(8) Free,
    0x103 "XY_SETUP_CLIP_BLT" COPY Field(8) Free,
    0x111 "XY_SETUP_MONO_PATTERN_SL_BLT" COPY Field(8) Free,
    0x124 "XY_PIXEL_BLT" COPY Field(8) Free,
    0x125 "XY_SCANLINES_BLT" COPY Field(8) Free,
    0x126 "XY_TEXT_BLT" COPY Field(8) Free,
    0x131 "XY_TEXT_IMMEDIATE_BLT" COPY Field(8) Free,
    0x140 "COLOR_BLT" COPY Field(8) Free,
    0x142 "XY_FAST_COPY_BLT" COPY Field(8) FreeOnGen9,
    0x143 "SRC_COPY_BLT" COPY Field(8) Free,
    0x150 "XY_COLOR_BLT" COPY Field(8) Free,
    0x151 "XY_PAT_BLT" COPY Field(8) Free,
    0x152 "XY_MONO_PAT_BLT" COPY Field(8) Free,
    0x153 "XY_SRC_COPY_BLT" COPY Field(8) Free,
    0x154 "XY_MONO_SRC_COPY_BLT" COPY Field(8) Free,
    0x155 "XY_FULL_BLT" COPY Field(8) Free,
    0x156 "XY_FULL_MONO_SRC_BLT" COPY Field(8) Free,
    0x157 "XY_FULL_MONO_PATTERN_BLT" COPY Field(8) Free,
    0x158 "XY_FULL_MONO_PATTERN_MONO_SRC_BLT" COPY Field(8) Free,
    0x159 "XY_MONO_PAT_FIXED_BLT" COPY Field(8) Free,
    0x171 "XY_MONO_SRC_COPY_IMMEDIATE_BLT" COPY Field(8) Free,
    0x172 "XY_PAT_BLT_IMMEDIATE" COPY Field(8) Free,
    0x173 "XY_SRC_COPY_CHROMA_BLT" COPY Field(8) Free,
    0x174 "XY_FULL_IMMEDIATE_PATTERN_BLT" COPY Field(8) Free,
    0x175 "XY_FULL_MONO_SRC_IMMEDIATE_PATTERN_BLT" COPY Field(8) Free,
    0x176 "XY_PAT_CHROMA_BLT" COPY Field(8) Free,
    0x177 "XY_PAT_CHROMA_BLT_IMMEDIATE" COPY Field(8) Free,
}
