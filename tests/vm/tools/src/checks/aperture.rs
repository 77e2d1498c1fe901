// SPDX-License-Identifier: GPL-2.0
//! The aperture: the processor's window into the global GTT, with fence registers that undo tiling. Every access is a
//! trap on an emulated GPU, so these run by name only.

use std::sync::atomic::Ordering;

use anyhow::{ensure, Result};

use super::{Check, Env};
use crate::gem::Bo;
use crate::tiling::Tiling;
use crate::uapi;

pub(super) const CHECKS: &[Check] = &[
    Check::device("aperture-linear", "the aperture shows a buffer as it is", |env| window(env, Tiling::Linear))
        .only_by_name(),
    Check::device("aperture-x", "a fence undoes X tiles", |env| window(env, Tiling::X)).only_by_name(),
    Check::device("aperture-y", "a fence undoes Y tiles", |env| window(env, Tiling::Y)).only_by_name(),
];

/// Bytes per row: two X tiles, eight Y tiles.
const PITCH: u64 = 1024;
const HEIGHT: u64 = 32;

fn window(env: &Env, tiling: Tiling) -> Result<()> {
    let bo = Bo::new(&env.device, PITCH * HEIGHT)?;
    bo.set_uncached()?;
    if tiling != Tiling::Linear {
        bo.set_tiling(tiling.uapi(), u32::try_from(PITCH)?)?;
    }
    let aperture = bo.map_aperture()?;
    // Few enough accesses to end in a second, enough to meet every tile and both halves of each.
    let points = || (0..HEIGHT).flat_map(|y| (0..PITCH).step_by(52).map(move |x| (x & !3, y)));

    bo.set_domain(uapi::I915_GEM_DOMAIN_CPU)?;
    for (x, y) in points() {
        bo.write32(tiling.offset(PITCH, x, y), 0x4000_0000 | ((y << 12) | x) as u32);
    }
    bo.set_domain(uapi::I915_GEM_DOMAIN_GTT)?;
    for (x, y) in points() {
        let word = &aperture.words()[((y * PITCH + x) / 4) as usize];
        let (found, expected) = (word.load(Ordering::Acquire), 0x4000_0000 | ((y << 12) | x) as u32);
        ensure!(found == expected, "the aperture shows {found:#x} instead of {expected:#x} in column {x} of row {y}");
        word.store(!expected, Ordering::Release);
    }
    bo.set_domain(uapi::I915_GEM_DOMAIN_CPU)?;
    for (x, y) in points() {
        let found = bo.read32(tiling.offset(PITCH, x, y));
        let expected = !(0x4000_0000 | ((y << 12) | x) as u32);
        ensure!(found == expected, "memory holds {found:#x} instead of {expected:#x} for column {x} of row {y}");
    }
    Ok(())
}
