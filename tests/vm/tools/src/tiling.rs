// SPDX-License-Identifier: GPL-2.0
//! The layouts of a surface in memory, worked out by the processor to check what the GPU did.

use crate::uapi;

/// Layout of a surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiling {
    /// Row after row.
    Linear,
    /// Tiles of 512 bytes by 8 rows, rows inside a tile.
    X,
    /// Tiles of 128 bytes by 32 rows, columns of 16 bytes inside a tile.
    Y,
}

impl Tiling {
    /// All layouts.
    pub const ALL: [Tiling; 3] = [Tiling::Linear, Tiling::X, Tiling::Y];

    /// Name for messages.
    pub fn name(self) -> &'static str {
        match self {
            Tiling::Linear => "linear",
            Tiling::X => "x",
            Tiling::Y => "y",
        }
    }

    /// The kernel's number.
    pub fn uapi(self) -> u32 {
        match self {
            Tiling::Linear => uapi::I915_TILING_NONE,
            Tiling::X => uapi::I915_TILING_X,
            Tiling::Y => uapi::I915_TILING_Y,
        }
    }

    /// Where the byte in column `x` of row `y` stands, for a surface of `pitch` bytes per row, a multiple of the tile's
    /// width. Graphics versions 8 and 9 swizzle no address bits on top.
    pub fn offset(self, pitch: u64, x: u64, y: u64) -> u64 {
        let (width, height) = match self {
            Tiling::Linear => return y * pitch + x,
            Tiling::X => (512, 8),
            Tiling::Y => (128, 32),
        };
        let tile = (y / height) * (pitch / width) + x / width;
        let (x, y) = (x % width, y % height);
        let inside = match self {
            Tiling::Y => (x / 16) * 16 * height + y * 16 + x % 16,
            Tiling::Linear | Tiling::X => y * width + x,
        };
        tile * 4096 + inside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_places() {
        // (layout, x, y, offset) for a pitch of 1024 bytes.
        for (tiling, x, y, offset) in [
            (Tiling::Linear, 4, 2, 2052),
            (Tiling::X, 0, 1, 512),
            (Tiling::X, 512, 0, 4096),
            (Tiling::X, 516, 9, 3 * 4096 + 512 + 4),
            (Tiling::Y, 15, 0, 15),
            (Tiling::Y, 16, 0, 512),
            (Tiling::Y, 0, 1, 16),
            (Tiling::Y, 128, 0, 4096),
            (Tiling::Y, 132, 33, 9 * 4096 + 16 + 4),
        ] {
            assert_eq!(tiling.offset(1024, x, y), offset, "{tiling:?} {x} {y}");
        }
    }

    #[test]
    fn every_byte_has_its_own_place() {
        for tiling in Tiling::ALL {
            let mut seen = vec![false; 1024 * 64];
            for y in 0..64 {
                for x in 0..1024 {
                    let place = &mut seen[tiling.offset(1024, x, y) as usize];
                    assert!(!*place, "{tiling:?} {x} {y}");
                    *place = true;
                }
            }
        }
    }
}
