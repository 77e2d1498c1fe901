// SPDX-License-Identifier: GPL-2.0
//! Bands of rows between a surface in GPU memory and a linear buffer.
//!
//! Memory is accessed in the longest runs that the layout has: a whole band where rows follow each other, a row, 512
//! bytes of an X tile, or a whole Y tile that is then taken apart here.

use crate::gtt::{Fault, GpuMemory, Space};
use crate::tiling::{Tiling, TILE_SIZE};

/// Addresses have 48 bits; drivers extend the sign of the uppermost.
const ADDRESS_MASK: u64 = (1 << 48) - 1;
/// Width of a column of a Y tile.
const COLUMN: usize = 16;

/// A surface in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surface {
    /// Address of byte 0 of row 0.
    pub base: u64,
    /// Bytes from a row to the next; only a linear surface can have a negative one.
    pub pitch: i64,
    /// Layout.
    pub tiling: Tiling,
}

/// Part of a surface: whole bytes of some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Area {
    /// First byte of each row.
    pub x: i64,
    /// First row.
    pub y: i64,
    /// Bytes of each row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
}

/// A rectangle of bytes inside of one tile, and where it is in the band.
#[derive(Clone, Copy)]
struct Piece {
    /// Address of the tile.
    tile: u64,
    /// First byte and row in the tile.
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// Position of its first byte in the band.
    band: usize,
}

impl Surface {
    /// Address of a byte. Tiled surfaces have no negative coordinates, the caller sees to it.
    fn address(&self, x: i64, y: i64) -> u64 {
        let offset = match self.tiling {
            Tiling::Linear => y.wrapping_mul(self.pitch).wrapping_add(x) as u64,
            tiling => tiling.offset(self.pitch as u64, x as u64, y as u64),
        };
        self.base.wrapping_add(offset) & ADDRESS_MASK
    }

    /// Reads `area` into `band`, row after row.
    ///
    /// # Errors
    ///
    /// The first page that cannot be read.
    pub fn load(&self, memory: &mut impl GpuMemory, space: Space, area: &Area, band: &mut [u8]) -> Result<(), Fault> {
        if self.tiling == Tiling::Y {
            let mut tile = [0; TILE_SIZE as usize];
            return self.tiles(area).try_for_each(|piece| {
                memory.read(space, piece.tile, &mut tile)?;
                piece.detile(&tile, area.width, band);
                Ok(())
            });
        }
        self.runs(area).try_for_each(|(address, start, length)| {
            band.get_mut(start..start + length).map_or(Ok(()), |data| memory.read(space, address, data))
        })
    }

    /// Writes `band` to `area`.
    ///
    /// # Errors
    ///
    /// The first page that cannot be written; what comes before it has been.
    pub fn store(&self, memory: &mut impl GpuMemory, space: Space, area: &Area, band: &[u8]) -> Result<(), Fault> {
        if self.tiling == Tiling::Y {
            let mut tile = [0; TILE_SIZE as usize];
            return self.tiles(area).try_for_each(|piece| {
                piece.tile(band, area.width, &mut tile);
                piece.write(memory, space, &tile)
            });
        }
        self.runs(area).try_for_each(|(address, start, length)| {
            band.get(start..start + length).map_or(Ok(()), |data| memory.write(space, address, data))
        })
    }

    /// The runs of a linear or X-tiled area: address, position in the band, length.
    fn runs(&self, area: &Area) -> impl Iterator<Item = (u64, usize, usize)> + '_ {
        let mut area = *area;
        if self.tiling == Tiling::Linear && i64::try_from(area.width) == Ok(self.pitch) {
            area = Area { width: area.width * area.height, height: area.height.min(1), ..area };
        }
        (0..area.height).flat_map(move |row| {
            let y = area.y.wrapping_add(row as i64);
            let mut done = 0;
            std::iter::from_fn(move || {
                let rest = area.width.checked_sub(done).filter(|rest| *rest > 0)?;
                let x = area.x.wrapping_add(done as i64);
                let length = usize::try_from(self.tiling.run(x as u64)).unwrap_or(rest).min(rest);
                let start = row * area.width + done;
                done += length;
                Some((self.address(x, y), start, length))
            })
        })
    }

    /// The tiles that a Y-tiled area touches, row of tiles by row of tiles.
    fn tiles(&self, area: &Area) -> impl Iterator<Item = Piece> + '_ {
        let area = *area;
        let steps = |first: i64, length: usize, size: u64| {
            let mut done = 0;
            std::iter::from_fn(move || {
                let rest = length.checked_sub(done).filter(|rest| *rest > 0)?;
                let at = first as u64 + done as u64;
                let inside = at % size;
                let count = ((size - inside) as usize).min(rest);
                let start = done;
                done += count;
                Some((at - inside, inside as usize, count, start))
            })
        };
        let (width, rows) = (self.tiling.width(), self.tiling.rows());
        steps(area.y, area.height, rows).flat_map(move |(tile_y, y, height, row)| {
            steps(area.x, area.width, width).map(move |(tile_x, x, width, column)| Piece {
                tile: self.address(tile_x as i64, tile_y as i64),
                x,
                y,
                width,
                height,
                band: row * area.width + column,
            })
        })
    }
}

impl Piece {
    /// Offset in the tile.
    fn offset(x: usize, y: usize) -> usize {
        x / COLUMN * (COLUMN * Tiling::Y.rows() as usize) + y * COLUMN + x % COLUMN
    }

    /// Width of what belongs to a column that begins further left, and of the rest.
    fn split(self) -> (usize, usize) {
        let head = (self.x.next_multiple_of(COLUMN) - self.x).min(self.width);
        (head, self.width - head)
    }

    /// Copies the piece from a tile to the band.
    fn detile(self, tile: &[u8], pitch: usize, band: &mut [u8]) {
        let (head, _) = self.split();
        for row in 0..self.height {
            let (left, columns) = band[self.band + row * pitch..][..self.width].split_at_mut(head);
            let at = Self::offset(self.x, self.y + row);
            left.copy_from_slice(&tile[at..at + head]);
            for (index, column) in columns.chunks_mut(COLUMN).enumerate() {
                let at = Self::offset(self.x + head + COLUMN * index, self.y + row);
                copy(&tile[at..at + column.len()], column);
            }
        }
    }

    /// Copies the piece from the band to its place in a tile.
    fn tile(self, band: &[u8], pitch: usize, tile: &mut [u8]) {
        let (head, _) = self.split();
        for row in 0..self.height {
            let (left, columns) = band[self.band + row * pitch..][..self.width].split_at(head);
            let at = Self::offset(self.x, self.y + row);
            tile[at..at + head].copy_from_slice(left);
            for (index, column) in columns.chunks(COLUMN).enumerate() {
                let at = Self::offset(self.x + head + COLUMN * index, self.y + row);
                copy(column, &mut tile[at..at + column.len()]);
            }
        }
    }

    /// Writes the piece, and nothing else of the tile, to memory.
    fn write(self, memory: &mut impl GpuMemory, space: Space, tile: &[u8]) -> Result<(), Fault> {
        let mut put =
            |from: usize, length: usize| memory.write(space, self.tile + from as u64, &tile[from..][..length]);
        if self.width * self.height == tile.len() {
            return put(0, tile.len());
        }
        let (head, rest) = self.split();
        let whole = self.x + head..self.x + head + rest / COLUMN * COLUMN;
        // Rows of a whole column follow each other.
        whole.clone().step_by(COLUMN).try_for_each(|x| put(Self::offset(x, self.y), COLUMN * self.height))?;
        for (x, width) in [(self.x, head), (whole.end, rest % COLUMN)] {
            let rows = if width == 0 { 0 } else { self.height };
            (0..rows).try_for_each(|row| put(Self::offset(x, self.y + row), width))?;
        }
        Ok(())
    }
}

/// Copies equally long slices; whole columns without a call.
fn copy(from: &[u8], to: &mut [u8]) {
    match (<&[u8; COLUMN]>::try_from(from), <&mut [u8; COLUMN]>::try_from(&mut *to)) {
        (Ok(from), Ok(to)) => *to = *from,
        _ => to.copy_from_slice(from),
    }
}
