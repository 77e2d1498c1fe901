// SPDX-License-Identifier: GPL-2.0
//! The precision palettes: colour tables behind an index that counts up by itself.
//!
//! Source: Skylake PRM volume 2c, `PAL_PREC_INDEX` and `PAL_PREC_DATA`; Broadwell has the same registers.

const INDEX: u32 = 0x4a400;
const DATA: u32 = 0x4a404;
const PIPE_STRIDE: u32 = 0x800;
const ENTRIES: usize = 1024;
const AUTO_INCREMENT: u32 = 1 << 15;
const INDEX_MASK: u32 = 0x3ff;

/// Offsets that this block answers for.
pub fn claims() -> impl Iterator<Item = u32> {
    (0..3).flat_map(|pipe| [INDEX, DATA].map(|register| register + pipe * PIPE_STRIDE))
}

/// Pipe of a register of this block, and whether it is the data register.
pub fn locate(offset: u32) -> (usize, bool) {
    let inside = offset.wrapping_sub(INDEX);
    ((inside / PIPE_STRIDE) as usize, inside % PIPE_STRIDE != 0)
}

/// The palette of one pipe.
#[derive(Debug)]
pub struct Palette {
    index: u32,
    entries: Vec<u32>,
}

impl Default for Palette {
    fn default() -> Self {
        Self { index: 0, entries: vec![0; ENTRIES] }
    }
}

impl Palette {
    fn entry(&mut self) -> Option<&mut u32> {
        let position = self.index & INDEX_MASK;
        if self.index & AUTO_INCREMENT != 0 {
            self.index = (self.index & !INDEX_MASK) | (position + 1) & INDEX_MASK;
        }
        self.entries.get_mut(position as usize)
    }

    /// Reads the index or the entry at it.
    pub fn read(&mut self, data: bool) -> u32 {
        if data {
            self.entry().map_or(0, |entry| *entry)
        } else {
            self.index
        }
    }

    /// Writes the index or the entry at it.
    pub fn write(&mut self, data: bool, value: u32) {
        if !data {
            self.index = value;
        } else if let Some(entry) = self.entry() {
            *entry = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_counts_up_only_when_told_to() {
        let mut palette = Palette::default();
        palette.write(false, AUTO_INCREMENT | 1022);
        for value in [1, 2, 3] {
            palette.write(true, value);
        }
        palette.write(false, 1023);
        assert_eq!(palette.read(true), 2);
        assert_eq!(palette.read(true), 2);
        palette.write(false, AUTO_INCREMENT);
        assert_eq!(palette.read(true), 3, "the index wraps");
        assert_eq!(palette.read(false), AUTO_INCREMENT | 1);
    }

    #[test]
    fn registers_belong_to_their_pipe() {
        assert_eq!(locate(0x4a400), (0, false));
        assert_eq!(locate(0x4ac04), (1, true));
        assert_eq!(locate(0x4b400), (2, false));
    }
}
