// SPDX-License-Identifier: GPL-2.0
//! Pictures made of rectangles, one for each guest: what `blitshow` has the blitter draw, and what `vgpushot` must see.

use crate::blt::Rect;

/// Cells along each side of the shape in the middle.
const CELLS: u32 = 48;
/// Bands of the background.
const BANDS: u32 = 32;

/// From where to where the background goes, and the colour of the shape, for each guest in turn.
const PALETTES: [[u32; 3]; 4] = [
    [0x0b_1d3a, 0x2d_7dd2, 0xf9_c846],
    [0x2a_0d2e, 0xd1_495b, 0x9b_e564],
    [0x06_2b1f, 0x1f_a37a, 0xff_e3d8],
    [0x2b_1a06, 0xd9_8e04, 0x8f_d3ff],
];

fn palette(number: u32) -> [u32; 3] {
    PALETTES[number.wrapping_sub(1) as usize % PALETTES.len()]
}

/// A colour on the way from one to another.
fn between(from: u32, to: u32, step: u32, steps: u32) -> u32 {
    let part = |shift: u32| {
        let (from, to) = (from >> shift & 0xff, to >> shift & 0xff);
        (from * (steps - step) + to * step) / steps << shift
    };
    part(16) | part(8) | part(0)
}

/// Whether the shape of a guest has this cell: a triangle of triangles, a disc, a diamond, a ring.
fn has(number: u32, column: u32, row: u32) -> bool {
    let away = |cell: u32| (2 * cell + 1).abs_diff(CELLS);
    let (x, y) = (away(column), away(row));
    let radius = x * x + y * y;
    match number % 4 {
        1 => column & row == 0,
        2 => radius < CELLS * CELLS,
        3 => x + y < CELLS,
        _ => radius < CELLS * CELLS && radius > CELLS * CELLS / 4,
    }
}

/// What a guest draws on a screen of this size, in this order.
pub fn rectangles(number: u32, width: u32, height: u32) -> Vec<(Rect, u32)> {
    let [top, bottom, shape] = palette(number);
    let edge = |band: u32| height * band / BANDS;
    let bands = (0..BANDS).map(|band| {
        let area = Rect { x1: 0, y1: edge(band), x2: width, y2: edge(band + 1) };
        (area, between(top, bottom, band, BANDS - 1))
    });
    let cell = (width.min(height) * 3 / 4 / CELLS).max(1);
    let (left, upper) = ((width - cell * CELLS) / 2, (height - cell * CELLS) / 2);
    let cells = (0..CELLS * CELLS).map(|n| (n % CELLS, n / CELLS)).filter(|(column, row)| has(number, *column, *row));
    let squares = cells.map(|(column, row)| {
        let (x1, y1) = (left + column * cell, upper + row * cell);
        let area = Rect { x1, y1, x2: x1 + cell, y2: y1 + cell };
        (area, between(shape, 0xff_ffff, column + row, 4 * CELLS))
    });
    bands.chain(squares).collect()
}

/// The same, pixel by pixel: red, green and blue.
pub fn picture(number: u32, width: u32, height: u32) -> Vec<u8> {
    let mut pixels = vec![0; (width * height * 3) as usize];
    for (area, colour) in rectangles(number, width, height) {
        let [blue, green, red, _] = colour.to_le_bytes();
        for y in area.y1..area.y2 {
            for x in area.x1..area.x2 {
                let place = ((y * width + x) * 3) as usize;
                pixels[place..place + 3].copy_from_slice(&[red, green, blue]);
            }
        }
    }
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_guest_has_a_picture_of_its_own() {
        let pictures: Vec<_> = (1..=4).map(|number| picture(number, 320, 200)).collect();
        for (number, one) in pictures.iter().enumerate() {
            assert!(pictures.iter().skip(number + 1).all(|other| other != one));
        }
    }

    #[test]
    fn all_of_it_is_on_the_screen() {
        for (width, height) in [(1024, 768), (640, 480), (1920, 1200), (49, 48)] {
            for (area, _) in rectangles(1, width, height) {
                assert!(area.x1 < area.x2 && area.x2 <= width && area.y2 <= height, "{area:?}");
            }
        }
    }
}
