// SPDX-License-Identifier: GPL-2.0
//! Pseudo-random commands and scripts: the same for the same seed, on every machine.

use emulated_gpu::engine::EngineId;

use crate::device::{bytes, place, WINDOW};

/// A small generator (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// Commands with operands: header without length and flags, and the numbers of operands worth trying.
const COMMANDS: [(u32, &[usize]); 38] = [
    (0x20 << 23, &[3, 4, 10]),
    (0x21 << 23, &[2, 3]),
    (0x22 << 23, &[2, 4, 8, 3]),
    (0x22 << 23, &[2]),
    (0x23 << 23, &[2, 3, 9]),
    (0x24 << 23, &[3]),
    (0x26 << 23, &[4, 2]),
    (0x27 << 23, &[2]),
    (0x28 << 23, &[3]),
    (0x29 << 23, &[3]),
    (0x2a << 23, &[2]),
    (0x2b << 23, &[3]),
    (0x2c << 23, &[2]),
    (0x2d << 23, &[2]),
    (0x2e << 23, &[4]),
    (0x2f << 23, &[2, 10]),
    (0x2f << 23, &[2]),
    (0x31 << 23, &[2]),
    (0x36 << 23, &[3]),
    (0x1a << 23, &[1, 4, 12]),
    (0x1b << 23, &[1]),
    (0x1c << 23, &[3]),
    (0x1d << 23, &[1]),
    (0x14 << 23, &[2]),
    (0x12 << 23, &[1]),
    (0x18 << 23, &[1]),
    (0x19 << 23, &[1]),
    (0x5000_0000 | 0x42 << 22, &[9]),
    (0x4000_0000 | 0x50 << 22, &[6]),
    (0x4000_0000 | 0x53 << 22, &[9]),
    (0x4000_0000 | 0x51 << 22, &[7]),
    (0x7a00_0000, &[5]),
    (0x7a00_0000, &[5, 4]),
    (0x7b00_0000, &[6]),
    (0x6101_0000, &[18]),
    (0x7105_0000, &[14]),
    (0x7820_0000, &[11]),
    (0x7000_0000, &[4, 20]),
];
/// MI commands of one dword.
const SINGLE: [u32; 10] = [0x00, 0x01, 0x02, 0x03, 0x05, 0x07, 0x08, 0x0a, 0x0c, 0x0e];
/// Registers worth writing: those that would do most harm, and some that are open to all.
const REGISTERS: [u32; 20] = [
    0x230, 0x34, 0x30, 0x38, 0x3c, 0x80, 0x9c, 0xa8, 0x29c, 0x270, 0x274, 0x4d0, 0x4d4, 0x600, 0x608, 0x418, 0x400,
    0x3a0, 0x1c0, 0x1c4,
];
const GLOBAL_REGISTERS: [u32; 10] =
    [0x941c, 0xa188, 0xa278, 0x4260, 0x4_4200, 0x4_430c, 0x10_1008, 0x13_8124, 0x7000, 0x2_2200];

/// An address or a register, or any number.
fn operand(random: &mut Random) -> u32 {
    let within = (random.next() as u32 % (WINDOW.end - WINDOW.start) as u32) & !3;
    match random.below(16) {
        0..=3 => within,
        4 => within & !0x3f,
        5 => random.one_of(&EngineId::ALL).base() + random.one_of(&REGISTERS),
        6 => random.one_of(&GLOBAL_REGISTERS),
        7 => {
            let place = place(random.below(EngineId::ALL.len()));
            let at = random.one_of(&[place.status, place.image, place.image + 0x1000, place.ring]);
            at as u32 + (random.next() as u32 & 0xffc)
        }
        8 => random.next() as u32,
        9 => random.one_of(&[u32::MAX, 0x8000_0000, 0x7fff_ffff, 0xffff_f000]),
        _ => random.next() as u32 & 0xff,
    }
}

/// A command that often makes sense.
pub fn command(random: &mut Random) -> Vec<u32> {
    if random.below(5) == 0 {
        return vec![random.one_of(&SINGLE) << 23 | random.next() as u32 & random.one_of(&[0, 1, 0x7f_ffff])];
    }
    let (base, lengths) = random.one_of(&COMMANDS);
    let operands = random.one_of(lengths);
    let flags = match random.below(4) {
        0 => 1 << 22,
        1 => random.next() as u32 & 0x007f_ff00,
        2 => 1 << (8 + random.below(15)),
        _ => 0,
    };
    let mut command = vec![base | flags | (operands as u32 - 1)];
    command.extend((0..operands).map(|_| operand(random)));
    // The upper half of an address is 0 more often than not.
    if random.below(3) != 0 && operands >= 2 {
        command[2] = 0;
    }
    command
}

/// A stream of such commands with its end.
pub fn commands(random: &mut Random, count: usize) -> Vec<u8> {
    let mut stream: Vec<u32> = (0..count).flat_map(|_| command(random)).collect();
    stream.push(0x0a << 23);
    bytes(&stream)
}

/// A script for [`crate::script::run`].
pub fn script(random: &mut Random) -> Vec<u8> {
    let mut script = Vec::new();
    for _ in 0..random.below(24) {
        match random.below(4) {
            0 => {
                // A submission with a ring that makes sense.
                let count = 1 + random.below(16);
                let ring = commands(random, count);
                script.extend([11, random.next() as u8, random.next() as u8]);
                script.extend((ring.len() as u16).to_le_bytes());
                script.extend(ring);
            }
            1 => {
                let (index, value) = (random.next() as u16, operand(random));
                script.push(4);
                script.extend(index.to_le_bytes());
                script.extend(value.to_le_bytes());
            }
            _ => {
                let count = random.below(20);
                script.extend((0..count).map(|_| random.next() as u8));
            }
        }
    }
    script
}
