// SPDX-License-Identifier: GPL-2.0
//! A picture that the GPU draws: proof for the eye.

use std::path::Path;

use anyhow::{ensure, Context as _, Result};

use crate::batch::Batch;
use crate::blt::{copy, fill, Rect, Surface};
use crate::checks::Env;
use crate::drm::Class;
use crate::gem::{Bo, Context};
use crate::screen::write_png;
use crate::tiling::Tiling;

/// Cells along each side; a power of two makes the triangle whole.
const CELLS: u32 = 64;
const CELL: u32 = 8;
const SIDE: u32 = CELLS * CELL;
const PITCH: u32 = SIDE * 4;
const BACKGROUND: u32 = 0x0010_1828;
const WHOLE: Rect = Rect { x1: 0, y1: 0, x2: SIDE, y2: SIDE };

/// Colour of the cell in this column and row: Sierpinski's triangle, red to the right, green downwards.
fn colour(column: u32, row: u32) -> u32 {
    if column & row != 0 {
        return BACKGROUND;
    }
    let shade = |part: u32| 64 + part * 191 / (CELLS - 1);
    shade(column) << 16 | shade(row) << 8 | (319 - shade(column.max(row)))
}

/// Draws with the blitter into an X-tiled surface, copies it into a linear one, checks every pixel, and writes a PNG.
///
/// # Errors
///
/// There is no blitter, a batch fails, a pixel is wrong, or the file cannot be written.
pub fn draw(env: &Env, path: &Path) -> Result<()> {
    let engine = env
        .device
        .engines
        .iter()
        .find(|engine| engine.class == Class::Copy)
        .context("the device has no blitter; i915 reports none")?;
    let size = u64::from(PITCH * SIDE);
    let (canvas, result) = (Bo::new(&env.device, size)?, Bo::new(&env.device, size)?);
    let tiled = Surface { address: canvas.address, pitch: PITCH, tiling: Tiling::X };
    let linear = Surface { address: result.address, pitch: PITCH, tiling: Tiling::Linear };
    let mut batch = Batch::new();
    fill(&mut batch, tiled, WHOLE, BACKGROUND);
    for (column, row) in (0..CELLS).flat_map(|column| (0..CELLS).map(move |row| (column, row))) {
        if column & row == 0 {
            let (x1, y1) = (column * CELL, row * CELL);
            let cell = Rect { x1, y1, x2: x1 + CELL - 1, y2: y1 + CELL - 1 };
            fill(&mut batch, tiled, cell, colour(column, row));
        }
    }
    copy(&mut batch, linear, WHOLE, tiled, 0, 0);
    env.run_in(&Context::new(&env.device)?, engine, &batch, &[&result, &canvas])?;

    let mut pixels = Vec::with_capacity((SIDE * SIDE * 3) as usize);
    for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
        let found = result.read32(u64::from(y * PITCH + x * 4));
        let seam = x % CELL == CELL - 1 || y % CELL == CELL - 1;
        let wanted = if seam { BACKGROUND } else { colour(x / CELL, y / CELL) };
        ensure!(found == wanted, "pixel ({x}, {y}) of the picture is {found:#x} instead of {wanted:#x}");
        pixels.extend([(found >> 16) as u8, (found >> 8) as u8, found as u8]);
    }
    write_png(path, SIDE, SIDE, &pixels).with_context(|| format!("writing the picture {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_triangle_has_three_to_the_sixth_cells() {
        let lit =
            (0..CELLS).flat_map(|c| (0..CELLS).map(move |r| (c, r))).filter(|(c, r)| colour(*c, *r) != BACKGROUND);
        assert_eq!(lit.count(), 729);
    }
}
