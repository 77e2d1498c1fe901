// SPDX-License-Identifier: GPL-2.0

//! All registers that the device model knows.
//!
//! These are those that i915's `intel_gvt_iterate_mmio_table` lists, which are the only ones of
//! which i915 takes the values of the host down. Names are i915's. Every file is sorted by offset.
//! `tests/host` holds the table against the list of the C driver.

mod broxton;
mod gt;
mod interrupts;
mod north;
mod planes;
mod ring;
mod south;
mod uncore;

use super::row::{
    r,
    Handler,
    Row, //
};
use crate::platform::{
    Platform,
    Platforms, //
};

const BDW: Platforms = Platform::Broadwell.alone();
const BXT: Platforms = Platform::Broxton.alone();
const KBL_CML: Platforms = Platform::KabyLake
    .alone()
    .and(Platform::CoffeeLake.alone())
    .and(Platform::CometLake.alone());
/// Gen9 but for Broxton.
const SKL_CML: Platforms = Platform::Skylake.alone().and(KBL_CML);
const GEN9: Platforms = SKL_CML.and(BXT);
const BDW_BXT: Platforms = BDW.and(BXT);
/// All but Broxton.
const BDW_CML: Platforms = BDW.and(SKL_CML);
const ALL: Platforms = GEN9.and(BDW);

/// Ranges of registers of which few are known one by one.
pub(super) static BLOCKS: [Row; 6] = [
    r(ALL, 0x4_a000, "LGC_PALETTE_A").words(256),
    r(ALL, 0x4_a800, "LGC_PALETTE_B").words(256),
    r(ALL, 0x4_b000, "LGC_PALETTE_C").words(256),
    r(ALL, 0x7_8000, "PVINFO").words(1024).by(Handler::Pvinfo),
    r(GEN9, 0x8_0000, "DMC_PROGRAM").words(0xc00),
    // The memory controller's registers, with addresses of the host among them: none is shown.
    r(ALL, 0x14_0000, "MCHBAR_MIRROR").words(0x1_0000),
];

/// All other registers.
pub(super) static TABLES: [&[Row]; 8] = sorted([
    &gt::GT,
    &ring::RING,
    &interrupts::INTERRUPTS,
    &north::NORTH,
    &planes::PLANES,
    &south::SOUTH,
    &uncore::UNCORE,
    &broxton::BROXTON,
]);

/// The tables, if in each of them the rows are in the order of their offsets, all multiples of 4;
/// otherwise this does not compile.
const fn sorted<const N: usize>(tables: [&'static [Row]; N]) -> [&'static [Row]; N] {
    let mut left = tables.as_slice();
    while let [rows, rest @ ..] = left {
        let mut rows = *rows;
        let mut last = 0;
        while let [row, others @ ..] = rows {
            let offset = row.offset();
            assert!(offset >= last && offset % 4 == 0 && row.stride % 4 == 0);
            last = offset;
            rows = others;
        }
        left = rest;
    }
    tables
}
