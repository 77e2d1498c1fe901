// SPDX-License-Identifier: GPL-2.0
//! Raster operations: every boolean function of pattern, source and destination.
//!
//! Bit `4 * pattern + 2 * source + destination` of the code is the result for those three input bits.

/// Code of "the source as it is".
pub const SOURCE_COPY: u8 = 0xcc;

/// Whether the result depends on the source.
pub const fn uses_source(code: u8) -> bool {
    (code >> 2 ^ code) & 0x33 != 0
}

/// Whether the result depends on the destination.
pub const fn uses_destination(code: u8) -> bool {
    (code >> 1 ^ code) & 0x55 != 0
}

/// The result for 64 bits at once.
pub const fn combine(code: u8, pattern: u64, source: u64, destination: u64) -> u64 {
    let mut result = 0;
    let mut term = 0;
    while term < 8 {
        if code >> term & 1 != 0 {
            let p = if term & 4 != 0 { pattern } else { !pattern };
            let s = if term & 2 != 0 { source } else { !source };
            let d = if term & 1 != 0 { destination } else { !destination };
            result |= p & s & d;
        }
        term += 1;
    }
    result
}

/// How rows are combined.
#[derive(Clone, Copy, Debug)]
pub struct Combination {
    /// Raster operation.
    pub code: u8,
    /// The pattern from the left edge on, repeated every 8 bytes.
    pub pattern: u64,
    /// The bits of the destination that change, repeated every 8 bytes.
    pub mask: u64,
}

impl Combination {
    /// Whether the destination has to be known.
    pub const fn reads_destination(&self) -> bool {
        uses_destination(self.code) || self.mask != u64::MAX
    }

    /// Replaces `destination`, one row, by its combination with `source`. A source that is not used may be empty.
    pub fn apply(&self, source: &[u8], destination: &mut [u8]) {
        let table = self.table();
        let whole = destination.len() / 8 * 8;
        let (words, rest) = destination.split_at_mut(whole);
        let words = words.chunks_exact_mut(8);
        if source.is_empty() {
            words.for_each(|word| word.copy_from_slice(&table.look_up(0, load(word)).to_le_bytes()));
        } else {
            words.zip(source.chunks_exact(8)).for_each(|(word, source)| {
                word.copy_from_slice(&table.look_up(load(source), load(word)).to_le_bytes());
            });
        }
        let source = source.get(whole..).map_or(&[][..], |source| &source[..source.len().min(rest.len())]);
        let new = table.look_up(load(source), load(rest)).to_le_bytes();
        rest.copy_from_slice(&new[..rest.len()]);
    }

    /// What becomes of each bit for the four pairs of source and destination. Pattern and mask are the same for every
    /// 8 bytes, so that they are folded in here once.
    fn table(&self) -> Table {
        let result = |source: u64, destination: u64| {
            combine(self.code, self.pattern, source, destination) & self.mask | destination & !self.mask
        };
        Table { neither: result(0, 0), destination: result(0, !0), source: result(!0, 0), both: result(!0, !0) }
    }
}

/// Results by which of the two inputs are set.
struct Table {
    neither: u64,
    destination: u64,
    source: u64,
    both: u64,
}

impl Table {
    fn look_up(&self, source: u64, destination: u64) -> u64 {
        let with = destination & self.both | !destination & self.source;
        let without = destination & self.destination | !destination & self.neither;
        source & with | !source & without
    }
}

/// Up to 8 bytes as a number, missing ones 0.
fn load(bytes: &[u8]) -> u64 {
    match bytes.try_into() {
        Ok(whole) => u64::from_le_bytes(whole),
        Err(_) => {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(whole)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: u64 = 0xf0f0_1234_5678_9abc;
    const S: u64 = 0xcccc_fedc_ba98_7654;
    const D: u64 = 0xaaaa_0f1e_2d3c_4b5a;

    #[test]
    fn well_known_codes() {
        let cases = [
            (0x00, 0),
            (0xff, u64::MAX),
            (0xf0, P),
            (0xcc, S),
            (0xaa, D),
            (0x55, !D),
            (0x33, !S),
            (0x66, S ^ D),
            (0x88, S & D),
            (0xee, S | D),
            (0x5a, P ^ D),
            (0xb8, P & !S & !D | P & !S & D | !P & S & D | P & S & D),
        ];
        for (code, expected) in cases {
            assert_eq!(combine(code, P, S, D), expected, "{code:#x}");
        }
    }

    #[test]
    fn dependencies_are_those_of_the_function() {
        for code in 0..=255u8 {
            let changes = |p: u64, s: u64, d: u64| combine(code, P, S, D) != combine(code, P ^ p, S ^ s, D ^ d);
            assert_eq!(uses_source(code), changes(0, u64::MAX, 0), "{code:#x}");
            assert_eq!(uses_destination(code), changes(0, 0, u64::MAX), "{code:#x}");
        }
    }

    #[test]
    fn rows_of_any_length_keep_what_is_masked() {
        for length in 0..40usize {
            let source: Vec<u8> = (0..length as u8).map(|byte| byte.wrapping_mul(37)).collect();
            let old: Vec<u8> = (0..length as u8).map(|byte| byte ^ 0xa5).collect();
            let combination = Combination { code: 0x66, pattern: 0, mask: 0x00ff_ffff_00ff_ffff };
            let mut row = old.clone();
            combination.apply(&source, &mut row);
            for at in 0..length {
                let expected = if at % 4 == 3 { old[at] } else { old[at] ^ source[at] };
                assert_eq!(row[at], expected);
            }
        }
    }
}
