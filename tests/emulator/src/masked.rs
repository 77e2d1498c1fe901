// SPDX-License-Identifier: GPL-2.0
//! Registers whose upper half selects which bits of the lower half a write changes.
//!
//! Source: the "Mask" field in each register's page of the Broadwell and Skylake PRM volume 2c; i915 writes them with
//! `REG_MASKED_FIELD()`.

use crate::platform::Gen;

/// Offsets from an engine's base.
const PER_ENGINE: [u32; 3] = [0xc0, 0x29c, 0xd4];
const ENGINE_BASES: [u32; 5] = [0x2000, 0x1_2000, 0x1_a000, 0x1_c000, 0x2_2000];
const COMMON: [u32; 26] = [
    0x2088, 0x2090, 0x20dc, 0x20e0, 0x20e4, 0x20ec, 0x2120, 0x2124, 0x2470, 0x2580, 0x21d0, 0x4030, 0x7000, 0x7004,
    0x7008, 0x7010, 0x7014, 0x7018, 0x7300, 0xe100, 0xe180, 0xe184, 0xe188, 0xe194, 0xe4f0, 0xe4f4,
];
const GEN9: [u32; 4] = [0x5588, 0x7304, 0xe48c, 0x2_21d0];
/// Blitter tiling selection, `BCS_SWCTRL`.
const BCS_SWCTRL: u32 = 0x2_2200;

/// All such registers of a generation without further side effects.
pub fn registers(gen: Gen) -> impl Iterator<Item = u32> {
    let engines = ENGINE_BASES.into_iter().flat_map(|base| PER_ENGINE.into_iter().map(move |offset| base + offset));
    let newer = GEN9.into_iter().filter(move |_| gen >= Gen::Gen9);
    engines.chain(COMMON).chain([BCS_SWCTRL]).chain(newer)
}
