// SPDX-License-Identifier: GPL-2.0
//! Fence registers: ranges of the aperture behind which a tiled surface looks linear.
//!
//! Layout of a register as i915's `intel_ggtt_fencing.c` writes it since Gen6: low dword valid (bit 0), Y instead of X
//! tiles (bit 1), first page (31:12); high dword pitch in units of 128 bytes less one (10:0), last page (31:12).

use crate::bar0::Bar0;
use crate::tiling::Tiling;

/// Offset of the first register.
pub const FENCE_BASE: u32 = 0x10_0000;
/// How many there are.
pub const FENCE_COUNT: u32 = 32;

const VALID: u64 = 1 << 0;
const TILING_Y: u64 = 1 << 1;
const PITCH_SHIFT: u32 = 32;
const PITCH_MASK: u64 = 0x7ff;
const PITCH_UNIT: u64 = 128;
const PAGE_MASK: u64 = 0xffff_f000;
const PAGE: u64 = 4096;

/// One valid fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fence {
    /// GGTT address of the surface.
    pub start: u64,
    /// GGTT address behind the last page.
    pub end: u64,
    /// Bytes from a row to the next.
    pub pitch: u64,
    /// Layout of the surface in memory.
    pub tiling: Tiling,
}

impl Fence {
    /// What a register says; nothing where it is not valid or covers no page.
    pub fn decode(register: u64) -> Option<Self> {
        if register & VALID == 0 {
            return None;
        }
        let start = register & PAGE_MASK;
        let end = (register >> 32 & PAGE_MASK) + PAGE;
        let pitch = ((register >> PITCH_SHIFT & PITCH_MASK) + 1) * PITCH_UNIT;
        let tiling = if register & TILING_Y != 0 { Tiling::Y } else { Tiling::X };
        (start < end).then_some(Self { start, end, pitch, tiling })
    }

    /// The first valid fence around the GGTT address `address`.
    pub fn find(bar0: &Bar0, address: u64) -> Option<Self> {
        let registers = (0..FENCE_COUNT).map(|index| FENCE_BASE + 8 * index);
        let valid = registers.filter(|register| u64::from(bar0.load(*register)) & VALID != 0);
        valid.filter_map(|register| Self::decode(bar0.load_pair(register))).find(|fence| fence.covers(address))
    }

    /// Whether the fence is around `address`.
    pub fn covers(&self, address: u64) -> bool {
        (self.start..self.end).contains(&address)
    }

    /// Where in the GGTT the byte is that the linear view has at `address`, and how many bytes from there on follow
    /// each other in both.
    pub fn translate(&self, address: u64) -> (u64, u64) {
        let offset = address.wrapping_sub(self.start);
        let (x, y) = (offset % self.pitch, offset / self.pitch);
        let run = self.tiling.run(x).min(self.pitch - x).min(self.end.saturating_sub(address));
        (self.start.wrapping_add(self.tiling.offset(self.pitch, x, y)), run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the driver puts a register together.
    fn encode(start: u64, size: u64, pitch: u64, y: bool) -> u64 {
        (start + size - PAGE) << 32 | start | (pitch / 128 - 1) << 32 | if y { TILING_Y } else { 0 } | VALID
    }

    #[test]
    fn registers_are_decoded() {
        let fence = Fence::decode(encode(0x12_0000, 0x8000, 1024, true)).unwrap();
        assert_eq!(fence, Fence { start: 0x12_0000, end: 0x12_8000, pitch: 1024, tiling: Tiling::Y });
        let fence = Fence::decode(encode(0xffff_0000, 0x1_0000, 0x4_0000, false)).unwrap();
        assert_eq!(fence, Fence { start: 0xffff_0000, end: 1 << 32, pitch: 0x4_0000, tiling: Tiling::X });
        assert_eq!(Fence::decode(encode(0x1000, 0x1000, 512, false) & !VALID), None);
    }

    #[test]
    fn an_empty_range_is_no_fence() {
        assert_eq!(Fence::decode(0x1000 << 32 | 0x5000 | VALID), None);
    }

    #[test]
    fn the_linear_view_covers_each_byte_of_the_surface_once() {
        for y in [false, true] {
            let size = 16 * PAGE;
            let fence = Fence::decode(encode(0x4_0000, size, 1024, y)).unwrap();
            let mut seen = vec![false; size as usize];
            let mut address = fence.start;
            while address < fence.end {
                let (tiled, run) = fence.translate(address);
                for byte in 0..run {
                    let place = &mut seen[(tiled + byte - fence.start) as usize];
                    assert!(!std::mem::replace(place, true));
                }
                address += run;
            }
            assert!(seen.into_iter().all(|seen| seen));
        }
    }

    #[test]
    fn the_lowest_register_wins() {
        let bar0 = Bar0::new().unwrap();
        assert_eq!(Fence::find(&bar0, 0x1_0000), None);
        bar0.store_pair(FENCE_BASE + 8 * 31, encode(0x1_0000, 0x1_0000, 512, false));
        assert_eq!(Fence::find(&bar0, 0x1_8000).unwrap().pitch, 512);
        bar0.store_pair(FENCE_BASE + 8 * 3, encode(0x1_8000, 0x1000, 1024, true));
        assert_eq!(Fence::find(&bar0, 0x1_8fff).unwrap().pitch, 1024);
        assert_eq!(Fence::find(&bar0, 0x1_9000).unwrap().pitch, 512);
        assert_eq!(Fence::find(&bar0, 0x2_0000), None);
        bar0.store(FENCE_BASE + 8 * 32, 1);
        assert_eq!(Fence::find(&bar0, 0), None, "there is no 33rd fence");
    }

    #[test]
    fn any_register_value_translates() {
        for register in [u64::MAX, VALID | 0xffff_ffff << 32, 0x8000_07ff_0000_0003] {
            if let Some(fence) = Fence::decode(register) {
                for address in [fence.start, fence.end - 1] {
                    assert!(fence.translate(address).1 >= 1);
                }
            }
        }
    }
}
