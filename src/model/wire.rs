// SPDX-License-Identifier: GPL-2.0

//! Little-endian numbers in byte strings.

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

/// Puts `data` at `offset`, as far as there is room.
pub(crate) fn put(bytes: &mut [u8], offset: usize, data: &[u8]) {
    let rest = bytes.get_mut(offset..).unwrap_or_default();
    for (to, from) in rest.iter_mut().zip(data) {
        *to = *from;
    }
}
