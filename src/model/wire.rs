// SPDX-License-Identifier: GPL-2.0

//! Numbers in byte strings, little-endian ones and decimal digits.

/// The 16-bit number at `offset`; 0 where the bytes end before it does.
pub(crate) fn u16_at(bytes: &[u8], offset: usize) -> u16 {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |number| u16::from_le_bytes(*number))
}

/// The 32-bit number at `offset`; 0 where the bytes end before it does.
pub(crate) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |number| u32::from_le_bytes(*number))
}

/// The number that decimal digits say, if it is no more than 16 bits.
pub(crate) fn decimal(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u16, |number, digit| {
        let value = digit.checked_sub(b'0').filter(|value| *value < 10)?;
        number.checked_mul(10)?.checked_add(value.into())
    })
}

/// Puts a 32-bit number at `offset`, if there is room.
pub(crate) fn put_u32(bytes: &mut [u8], offset: usize, number: u32) {
    let rest = bytes.get_mut(offset..).unwrap_or_default();
    if let Some(place) = rest.first_chunk_mut() {
        *place = number.to_le_bytes();
    }
}

/// Puts `data` at `offset`, as far as there is room.
pub(crate) fn put(bytes: &mut [u8], offset: usize, data: &[u8]) {
    let rest = bytes.get_mut(offset..).unwrap_or_default();
    for (to, from) in rest.iter_mut().zip(data) {
        *to = *from;
    }
}

/// Writes byte strings one after the other, as far as there is room.
pub(crate) struct Cursor<'a> {
    rest: &'a mut [u8],
}

impl<'a> Cursor<'a> {
    /// Starts at the start of `bytes`.
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Writes `data`.
    pub(crate) fn put(&mut self, data: &[u8]) -> &mut Self {
        put(self.rest, 0, data);
        self.skip(data.len())
    }

    /// Leaves `count` bytes as they are.
    pub(crate) fn skip(&mut self, count: usize) -> &mut Self {
        let rest = core::mem::take(&mut self.rest);
        self.rest = rest.get_mut(count..).unwrap_or_default();
        self
    }
}
