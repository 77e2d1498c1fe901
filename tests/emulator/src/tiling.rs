// SPDX-License-Identifier: GPL-2.0
//! Where a byte of a tiled surface is in memory, and which byte of a surface a memory offset is.
//!
//! A tile is one page. X tiles are 512 bytes wide and 8 rows high, row after row. Y tiles are 128 bytes wide and 32
//! rows high, in columns of 16 bytes. Tiles follow each other from left to right, then down (Skylake PRM volume 5,
//! "Address Tiling Function"). Gen8 and Gen9 memory controllers interleave channels by themselves, so that no address
//! bit 6 is swizzled; i915 finds the same out from the registers it reads.

/// Bytes of one tile.
pub const TILE_SIZE: u64 = 4096;
/// Width in bytes of a column of a Y tile.
const Y_COLUMN: u64 = 16;

/// How a surface is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiling {
    /// Rows follow each other.
    Linear,
    /// 512 bytes by 8 rows.
    X,
    /// 128 bytes by 32 rows, in columns.
    Y,
}

impl Tiling {
    /// Rows that share a row of tiles.
    pub const fn rows(self) -> u64 {
        match self {
            Tiling::Linear => 1,
            Tiling::X => 8,
            Tiling::Y => 32,
        }
    }

    /// Width of a tile in bytes; 1 for a linear surface.
    pub const fn width(self) -> u64 {
        match self {
            Tiling::Linear => 1,
            Tiling::X => 512,
            Tiling::Y => 128,
        }
    }

    /// How many bytes of a row, counted from its byte `x` on, follow each other in memory.
    pub const fn run(self, x: u64) -> u64 {
        match self {
            Tiling::Linear => u64::MAX,
            Tiling::X => 512 - x % 512,
            Tiling::Y => Y_COLUMN - x % Y_COLUMN,
        }
    }

    /// Offset in memory of byte `x` of row `y`, where a row takes `pitch` bytes.
    ///
    /// Arithmetic is modulo 2^64, as the offset is added to an address that is.
    pub const fn offset(self, pitch: u64, x: u64, y: u64) -> u64 {
        let (rows, width) = (self.rows(), self.width());
        let inside = match self {
            Tiling::Linear => return y.wrapping_mul(pitch).wrapping_add(x),
            Tiling::X => y % rows * width + x % width,
            Tiling::Y => x % width / Y_COLUMN * (Y_COLUMN * rows) + y % rows * Y_COLUMN + x % Y_COLUMN,
        };
        let above = (y / rows).wrapping_mul(pitch.wrapping_mul(rows));
        above.wrapping_add((x / width).wrapping_mul(TILE_SIZE)).wrapping_add(inside)
    }

    /// The byte and row that the memory offset `offset` holds: the inverse of [`Self::offset`] where `pitch` is a whole
    /// number of tiles. A pitch of 0 counts as one tile.
    pub const fn position(self, pitch: u64, offset: u64) -> (u64, u64) {
        let (rows, width) = (self.rows(), self.width());
        let columns = match pitch / width {
            0 => 1,
            columns => columns,
        };
        let (tile, inside) = match self {
            Tiling::Linear => return (offset % columns, offset / columns),
            Tiling::X | Tiling::Y => (offset / TILE_SIZE, offset % TILE_SIZE),
        };
        let (x, y) = match self {
            Tiling::Y => {
                let column = inside / (Y_COLUMN * rows);
                (column * Y_COLUMN + inside % Y_COLUMN, inside / Y_COLUMN % rows)
            }
            _ => (inside % width, inside / width),
        };
        (tile % columns * width + x, tile / columns * rows + y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Tiling; 3] = [Tiling::Linear, Tiling::X, Tiling::Y];

    #[test]
    fn known_places() {
        // Second row, second tile, second row of tiles; by hand from the shape of the tiles.
        assert_eq!(Tiling::X.offset(1024, 3, 1), 512 + 3);
        assert_eq!(Tiling::X.offset(1024, 513, 0), 4096 + 1);
        assert_eq!(Tiling::X.offset(1024, 0, 8), 8192);
        assert_eq!(Tiling::X.offset(1024, 1023, 15), 4 * 4096 - 1);
        assert_eq!(Tiling::Y.offset(256, 3, 1), 16 + 3);
        assert_eq!(Tiling::Y.offset(256, 17, 0), 512 + 1);
        assert_eq!(Tiling::Y.offset(256, 128, 0), 4096);
        assert_eq!(Tiling::Y.offset(256, 0, 32), 8192);
        assert_eq!(Tiling::Y.offset(256, 255, 63), 4 * 4096 - 1);
        assert_eq!(Tiling::Linear.offset(100, 7, 3), 307);
    }

    #[test]
    fn every_byte_has_its_own_place_and_is_found_back() {
        for tiling in ALL {
            let (pitch, height) = (3 * 512u64, 64u64);
            let mut seen = vec![false; (pitch * height) as usize];
            for y in 0..height {
                for x in 0..pitch {
                    let offset = tiling.offset(pitch, x, y);
                    assert!(!std::mem::replace(&mut seen[offset as usize], true), "{tiling:?} {x} {y} is taken");
                    assert_eq!(tiling.position(pitch, offset), (x, y), "{tiling:?} {offset:#x}");
                }
            }
            assert!(seen.into_iter().all(|seen| seen));
        }
    }

    #[test]
    fn runs_are_contiguous_and_end_where_memory_jumps() {
        let pitch = 1024;
        for tiling in [Tiling::X, Tiling::Y] {
            for x in 0..pitch {
                let (run, y) = (tiling.run(x), 5);
                let start = tiling.offset(pitch, x, y);
                for step in 1..run {
                    assert_eq!(tiling.offset(pitch, x + step, y), start + step);
                }
                assert_ne!(tiling.offset(pitch, x + run, y), start + run);
            }
        }
    }

    #[test]
    fn any_numbers_are_accepted() {
        for tiling in ALL {
            for pitch in [0, 1, 127, u64::MAX] {
                for value in [0, 4095, u64::MAX] {
                    let offset = tiling.offset(pitch, value, value);
                    let (x, y) = tiling.position(pitch, offset);
                    assert!(x <= offset.max(4095) && y <= offset.max(4095));
                }
            }
        }
    }
}
