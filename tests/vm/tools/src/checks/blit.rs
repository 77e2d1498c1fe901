// SPDX-License-Identifier: GPL-2.0
//! The blitter: fills and copies between all layouts, every pixel of the result compared.

use anyhow::{ensure, Result};

use super::{Check, Env};
use crate::batch::Batch;
use crate::blt::{copy, fast_copy, fill, Rect, Surface};
use crate::drm::{Class, Engine};
use crate::gem::{Bo, Context};
use crate::tiling::Tiling;

pub(super) const CHECKS: &[Check] = &[
    Check::of(Class::Copy, "fill", "XY_COLOR_BLT, linear", |env, engine| fill_one(env, engine, Tiling::Linear)),
    Check::of(Class::Copy, "fill-tiled", "XY_COLOR_BLT, X and Y tiles", |env, engine| {
        fill_one(env, engine, Tiling::X)?;
        fill_one(env, engine, Tiling::Y)
    }),
    Check::of(Class::Copy, "blit", "XY_SRC_COPY_BLT, linear", |env, engine| {
        copy_one(env, engine, copy, Tiling::Linear, Tiling::Linear)
    }),
    Check::of(Class::Copy, "blit-tiled", "XY_SRC_COPY_BLT between linear, X and Y tiles", |env, engine| {
        copy_all(env, engine, copy)
    }),
    Check::of(Class::Copy, "fast-copy", "XY_FAST_COPY_BLT between linear, X and Y tiles", |env, engine| {
        copy_all(env, engine, fast_copy)
    })
    .unless(|env, _| (env.device.version < 9).then(|| "graphics version 8 has no XY_FAST_COPY_BLT".to_owned())),
    Check::of(Class::Copy, "blit-large", "XY_SRC_COPY_BLT of four megabytes", large),
];

type Copy = fn(&mut Batch, Surface, Rect, Surface, u32, u32);

/// 256 by 64 pixels: two X tiles by eight, eight Y tiles by two.
const WIDTH: u32 = 256;
const HEIGHT: u32 = 64;
const PITCH: u32 = WIDTH * 4;

/// A rectangle that neither starts nor ends on a tile's edge.
const AREA: Rect = Rect { x1: 13, y1: 5, x2: 203, y2: 51 };

/// The content of the source: every pixel tells its place.
fn pattern(x: u32, y: u32) -> u32 {
    0x5000_0000 | (y << 12) | x
}

const BACKGROUND: u32 = 0x0bad_cafe;

fn surface(bo: &Bo, tiling: Tiling) -> Surface {
    Surface { address: bo.address, pitch: PITCH, tiling }
}

fn place(tiling: Tiling, x: u32, y: u32) -> u64 {
    tiling.offset(PITCH.into(), u64::from(x) * 4, y.into())
}

fn compare(bo: &Bo, tiling: Tiling, expected: impl Fn(u32, u32) -> u32) -> Result<()> {
    let mut wrong = 0;
    let mut first = None;
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (found, expected) = (bo.read32(place(tiling, x, y)), expected(x, y));
            if found != expected {
                wrong += 1;
                first.get_or_insert((x, y, found, expected));
            }
        }
    }
    if let Some((x, y, found, expected)) = first {
        ensure!(
            wrong == 0,
            "{wrong} of {} pixels are wrong, the first at ({x}, {y}): {found:#x} instead of {expected:#x}",
            WIDTH * HEIGHT
        );
    }
    Ok(())
}

fn fill_one(env: &Env, engine: &Engine, tiling: Tiling) -> Result<()> {
    let target = Bo::new(&env.device, u64::from(PITCH * HEIGHT))?;
    target.fill(|_| BACKGROUND);
    let mut batch = Batch::new();
    fill(&mut batch, surface(&target, tiling), AREA, 0x89ab_cdef);
    env.run_batch(engine, &batch, &target)?;
    compare(&target, tiling, |x, y| if AREA.contains(x, y) { 0x89ab_cdef } else { BACKGROUND })
        .map_err(|error| error.context(tiling.name()))
}

fn copy_one(env: &Env, engine: &Engine, copy: Copy, from: Tiling, to: Tiling) -> Result<()> {
    let size = u64::from(PITCH * HEIGHT);
    let (source, target) = (Bo::new(&env.device, size)?, Bo::new(&env.device, size)?);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            source.write32(place(from, x, y), pattern(x, y));
        }
    }
    target.fill(|_| BACKGROUND);
    let (from_x, from_y) = (31, 9);
    let mut batch = Batch::new();
    copy(&mut batch, surface(&target, to), AREA, surface(&source, from), from_x, from_y);
    let context = Context::new(&env.device)?;
    env.run_in(&context, engine, &batch, &[&target, &source])?;
    compare(&target, to, |x, y| {
        if AREA.contains(x, y) {
            pattern(x - AREA.x1 + from_x, y - AREA.y1 + from_y)
        } else {
            BACKGROUND
        }
    })
    .and_then(|()| compare(&source, from, pattern))
    .map_err(|error| error.context(format!("{} to {}", from.name(), to.name())))
}

fn copy_all(env: &Env, engine: &Engine, copy: Copy) -> Result<()> {
    for from in Tiling::ALL {
        for to in Tiling::ALL {
            copy_one(env, engine, copy, from, to)?;
        }
    }
    Ok(())
}

/// 1024 by 1024 pixels, so that page tables, not only pages, are crossed.
fn large(env: &Env, engine: &Engine) -> Result<()> {
    let (width, height) = (1024u32, 1024u32);
    let size = u64::from(width * height * 4);
    let (source, target) = (Bo::new(&env.device, size)?, Bo::new(&env.device, size)?);
    source.fill(|number| number as u32 ^ 0x5a5a_5a5a);
    let area = Rect { x1: 0, y1: 0, x2: width, y2: height };
    let surface = |bo: &Bo| Surface { address: bo.address, pitch: width * 4, tiling: Tiling::Linear };
    let mut batch = Batch::new();
    copy(&mut batch, surface(&target), area, surface(&source), 0, 0);
    let context = Context::new(&env.device)?;
    env.run_in(&context, engine, &batch, &[&target, &source])?;
    for number in 0..u64::from(width * height) {
        let (found, expected) = (target.read32(4 * number), number as u32 ^ 0x5a5a_5a5a);
        ensure!(found == expected, "pixel {number} is {found:#x} instead of {expected:#x}");
    }
    Ok(())
}
