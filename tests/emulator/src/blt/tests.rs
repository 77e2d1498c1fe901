// SPDX-License-Identifier: GPL-2.0
//! Blits against a model that moves one pixel at a time.

use std::cell::Cell;

use super::*;
use crate::gtt::FaultKind;

const SIZE: usize = 1 << 20;
const PAGE: u64 = 4096;

/// One flat piece of memory in which single pages may be missing.
struct Flat {
    bytes: Vec<u8>,
    hole: Option<u64>,
    calls: usize,
}

impl Flat {
    fn new(random: &mut Random) -> Self {
        // Noise is slow to make; a page and a half of it, repeated, never looks the same at two places of a tile.
        let noise: Vec<u8> = (0..6007).map(|_| random.next() as u8).collect();
        let bytes = noise.repeat(SIZE / noise.len() + 1)[..SIZE].to_vec();
        Self { bytes, hole: None, calls: 0 }
    }

    fn check(&mut self, address: u64, length: usize, write: bool) -> Result<usize, Fault> {
        self.calls += 1;
        let end = address.saturating_add(length as u64);
        let missing = self.hole.filter(|hole| address < (hole + 1) * PAGE && end > hole * PAGE);
        if missing.is_some() || end > SIZE as u64 {
            return Err(Fault { space: Space::Ppgtt, address, write, kind: FaultKind::NotPresent(0) });
        }
        Ok(address as usize)
    }
}

impl GpuMemory for Flat {
    fn read(&mut self, _: Space, address: u64, data: &mut [u8]) -> Result<(), Fault> {
        let start = self.check(address, data.len(), false)?;
        data.copy_from_slice(&self.bytes[start..start + data.len()]);
        Ok(())
    }

    fn write(&mut self, _: Space, address: u64, data: &[u8]) -> Result<(), Fault> {
        let start = self.check(address, data.len(), true)?;
        self.bytes[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// Xorshift: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    Linear,
    X,
    Y,
}

const LAYOUTS: [Layout; 3] = [Layout::Linear, Layout::X, Layout::Y];

/// A surface as a test describes it; the pitch is in bytes.
#[derive(Clone, Copy, Debug)]
struct Image {
    base: u64,
    pitch: i64,
    layout: Layout,
}

impl Image {
    /// Address of a byte, straight from the definition of the layouts.
    fn at(&self, x: i64, y: i64) -> usize {
        let offset = match self.layout {
            Layout::Linear => y * self.pitch + x,
            Layout::X => (y / 8 * (self.pitch / 512) + x / 512) * 4096 + y % 8 * 512 + x % 512,
            Layout::Y => (y / 32 * (self.pitch / 128) + x / 128) * 4096 + x % 128 / 16 * 512 + y % 32 * 16 + x % 16,
        };
        (self.base as i64 + offset) as usize
    }

    fn pitch_field(&self) -> u32 {
        (if self.layout == Layout::Linear { self.pitch } else { self.pitch / 4 }) as u16 as u32
    }
}

/// A drawing command with all that the model needs to know.
#[derive(Clone, Copy, Debug)]
struct Blit {
    to: Image,
    from: Option<(Image, i64, i64)>,
    rect: (i64, i64, i64, i64),
    clip: Option<(i64, i64, i64, i64)>,
    depth: u32,
    rop: u8,
    color: u32,
    rgb: bool,
    alpha: bool,
}

fn corner(x: i64, y: i64) -> u32 {
    (y as u16 as u32) << 16 | x as u16 as u32
}

fn split(address: u64) -> [u32; 2] {
    [address as u32, (address >> 32) as u32]
}

impl Blit {
    fn pixel(&self) -> i64 {
        [1, 2, 2, 4][self.depth as usize]
    }

    fn swctrl(&self) -> u32 {
        let source = self.from.is_some_and(|(image, ..)| image.layout == Layout::Y);
        u32::from(source) | u32::from(self.to.layout == Layout::Y) << 1
    }

    fn command(&self) -> Vec<u32> {
        let tiled = |image: Image, bit: u32| if image.layout == Layout::Linear { 0 } else { bit };
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        let header = 2 << 29 | bit(self.alpha, 1 << 21) | bit(self.rgb, 1 << 20) | tiled(self.to, 1 << 11);
        let control = bit(self.clip.is_some(), 1 << 30) | self.depth << 24 | u32::from(self.rop) << 16;
        let (x1, y1, x2, y2) = self.rect;
        let mut command = vec![header, control | self.to.pitch_field(), corner(x1, y1), corner(x2, y2)];
        command.extend(split(self.to.base));
        match self.from {
            Some((image, x, y)) => {
                command[0] |= 0x53 << 22 | 8 | tiled(image, 1 << 15);
                command.extend([corner(x, y), image.pitch_field()]);
                command.extend(split(image.base));
            }
            None => {
                command[0] |= 0x50 << 22 | 5;
                command.push(self.color);
            }
        }
        command
    }

    /// Executes the command on `memory`, clip rectangle and all.
    fn execute(&self, memory: &mut Flat, state: &mut BltState) -> Result<Cost, BltError> {
        if let Some((x1, y1, x2, y2)) = self.clip {
            let setup = [2 << 29 | 3 << 22 | 1, corner(x1, y1), corner(x2, y2)];
            assert_eq!(execute(memory, Space::Ppgtt, &setup, 0, state, &|| false), Ok(Cost::default()));
        }
        execute(memory, Space::Ppgtt, &self.command(), self.swctrl(), state, &|| false)
    }

    /// The model: pixel after pixel, byte after byte, bit after bit.
    fn model(&self, bytes: &mut [u8]) {
        let before = bytes.to_vec();
        let (x1, y1, x2, y2) = self.rect;
        let size = self.pixel();
        for y in y1..y2 {
            for x in x1..x2 {
                if self.clip.is_some_and(|(cx1, cy1, cx2, cy2)| x < cx1 || y < cy1 || x >= cx2 || y >= cy2) {
                    continue;
                }
                for byte in 0..size {
                    if size == 4 && !(if byte == 3 { self.alpha } else { self.rgb }) {
                        continue;
                    }
                    let place = self.to.at(x * size + byte, y);
                    // An overlapping copy moves what was there before the command.
                    let source = self
                        .from
                        .map_or(0, |(image, sx, sy)| before[image.at((sx + x - x1) * size + byte, sy + y - y1)]);
                    let pattern = if self.from.is_some() { 0 } else { self.color.to_le_bytes()[byte as usize] };
                    let old = bytes[place];
                    bytes[place] = match self.rop {
                        0xcc => source,
                        0xf0 => pattern,
                        rop => (0..8).fold(0, |new, bit| {
                            let index = (pattern >> bit & 1) << 2 | (source >> bit & 1) << 1 | old >> bit & 1;
                            new | (rop >> index & 1) << bit
                        }),
                    };
                }
            }
        }
    }

    /// Compares blitter and model.
    fn check(&self, random: &mut Random, state: &mut BltState) {
        let mut memory = Flat::new(random);
        let mut expected = memory.bytes.clone();
        self.model(&mut expected);
        self.execute(&mut memory, state).unwrap_or_else(|error| panic!("{self:?}: {error}"));
        assert!(memory.bytes == expected, "{self:?}");
    }
}

/// Rows of a test image.
const ROWS: u64 = 96;

fn image(random: &mut Random, layout: Layout, base: u64) -> Image {
    let pitch = match layout {
        Layout::Linear => 600 + 4 * random.below(300) as i64,
        Layout::X => 1024 + 512 * random.below(3) as i64,
        Layout::Y => 640 + 128 * random.below(10) as i64,
    };
    let base = if layout == Layout::Linear { base + random.below(64) } else { base };
    Image { base, pitch, layout }
}

fn random_blit(random: &mut Random, to: Layout, from: Option<Layout>) -> Blit {
    let depth = random.below(4) as u32;
    let (width, height) = (1 + random.below(120) as i64, 1 + random.below(60) as i64);
    let place = |random: &mut Random| (random.below(28) as i64, random.below(ROWS - 60) as i64);
    let (x, y) = place(random);
    let rops = [0xf0, 0xcc, 0x00, 0xff, random.next() as u8, random.next() as u8];
    let clipped = random.below(3) == 0;
    Blit {
        to: image(random, to, 0x1000),
        from: from.map(|from| {
            let (x, y) = place(random);
            (image(random, from, 0x8_0000), x, y)
        }),
        rect: (x, y, x + width, y + height),
        clip: clipped.then(|| {
            let (x, y) = (random.below(60) as i64, random.below(40) as i64);
            (x - 5, y - 5, x + random.below(80) as i64, y + random.below(40) as i64)
        }),
        depth,
        rop: rops[random.below(6) as usize],
        color: random.next() as u32,
        rgb: random.below(4) != 0,
        alpha: random.below(4) != 0,
    }
}

#[test]
fn fills_equal_the_model() {
    let (mut random, mut state) = (Random(1), BltState::default());
    for round in 0..90 {
        random_blit(&mut random, LAYOUTS[round % 3], None).check(&mut random, &mut state);
    }
}

#[test]
fn copies_equal_the_model() {
    let (mut random, mut state) = (Random(2), BltState::default());
    for round in 0..180 {
        let blit = random_blit(&mut random, LAYOUTS[round % 3], Some(LAYOUTS[round / 3 % 3]));
        blit.check(&mut random, &mut state);
    }
}

#[test]
fn copies_within_a_surface_move_what_was_there() {
    let (mut random, mut state) = (Random(3), BltState::default());
    for round in 0..90 {
        let layout = LAYOUTS[round % 3];
        let mut blit = random_blit(&mut random, layout, Some(layout));
        if let Some((from, ..)) = &mut blit.from {
            *from = blit.to;
        }
        // Without the old destination the model of a moving picture is exact.
        blit.rop = 0xcc;
        blit.check(&mut random, &mut state);
    }
}

#[test]
fn large_copies_within_a_surface_span_many_bands() {
    let (mut random, mut state) = (Random(4), BltState::default());
    for (from, to) in [((0, 0), (3, 7)), ((3, 7), (0, 0)), ((0, 7), (3, 0)), ((3, 0), (0, 7)), ((0, 0), (5, 0))] {
        for layout in LAYOUTS {
            let surface = Image { base: 0, pitch: 2048, layout };
            let blit = Blit {
                to: surface,
                from: Some((surface, from.0, from.1)),
                rect: (to.0, to.1, to.0 + 500, to.1 + 450),
                clip: None,
                depth: 3,
                rop: 0xcc,
                color: 0,
                rgb: true,
                alpha: true,
            };
            blit.check(&mut random, &mut state);
        }
    }
}

#[test]
fn upside_down_surfaces() {
    let (mut random, mut state) = (Random(5), BltState::default());
    for round in 0..20 {
        let mut blit = random_blit(&mut random, Layout::Linear, Some(Layout::Linear));
        blit.to = Image { base: 0x4_0000, pitch: -blit.to.pitch, ..blit.to };
        if let (0, Some((from, ..))) = (round % 2, &mut blit.from) {
            *from = Image { base: 0xe_0000, pitch: -from.pitch, ..*from };
        }
        blit.check(&mut random, &mut state);
    }
}

/// XY_FAST_COPY_BLT as the model's blit.
fn fast_copy(blit: &Blit, depth: u32) -> Vec<u32> {
    let mode = |image: Image| image.layout as u32;
    let (from, x, y) = blit.from.unwrap();
    let header = 2 << 29 | 0x42 << 22 | mode(from) << 20 | mode(blit.to) << 13 | 8;
    let (x1, y1, x2, y2) = blit.rect;
    let mut command = vec![header, depth << 24 | blit.to.pitch_field(), corner(x1, y1), corner(x2, y2)];
    command.extend(split(blit.to.base));
    command.extend([corner(x, y), from.pitch_field()]);
    command.extend(split(from.base));
    command
}

#[test]
fn fast_copies_equal_the_model() {
    let (mut random, mut state) = (Random(6), BltState::default());
    for round in 0..90 {
        let blit = random_blit(&mut random, LAYOUTS[round % 3], Some(LAYOUTS[round / 3 % 3]));
        let blit = Blit { clip: None, rop: 0xcc, rgb: true, alpha: true, ..blit };
        let mut memory = Flat::new(&mut random);
        let mut expected = memory.bytes.clone();
        blit.model(&mut expected);
        // The tiling register and the clip rectangle belong to other commands.
        state.clip = Some(Rect { x1: 0, y1: 0, x2: 1, y2: 1 });
        let command = fast_copy(&blit, [0, 1, 1, 3][blit.depth as usize]);
        execute(&mut memory, Space::Ppgtt, &command, 3, &mut state, &|| false).unwrap();
        assert!(memory.bytes == expected, "{blit:?}");
    }
}

#[test]
fn wide_pixels_of_fast_copies() {
    for (depth, factor) in [(4, 2), (5, 4)] {
        let mut random = Random(7);
        let mut memory = Flat::new(&mut random);
        let mut blit = random_blit(&mut random, Layout::Y, Some(Layout::X));
        blit.to.pitch = 2048;
        blit.from = blit.from.map(|(from, ..)| (Image { pitch: 4096, ..from }, 4, 2));
        blit = Blit { clip: None, rop: 0xcc, rgb: true, alpha: true, depth: 3, ..blit };
        blit.rect = (8 / factor, 3, 8 / factor + 30, 40);
        let command = fast_copy(&blit, depth);
        // The same in pixels of 32 bits.
        blit.rect = (8, 3, 8 + 30 * factor, 40);
        blit.from = blit.from.map(|(from, x, y)| (from, x * factor, y));
        let mut expected = memory.bytes.clone();
        blit.model(&mut expected);
        execute(&mut memory, Space::Ppgtt, &command, 0, &mut BltState::default(), &|| false).unwrap();
        assert!(memory.bytes == expected, "{blit:?}");
    }
}

#[test]
fn blits_by_address() {
    let mut random = Random(8);
    let mut memory = Flat::new(&mut random);
    let mut state = BltState::default();
    let mut expected = memory.bytes.clone();
    // Three rows of 10 bytes, 16-bit colour, inverted by exclusive or.
    let color = [2 << 29 | 0x40 << 22 | 4, 1 << 24 | 0x5a << 16 | 100, 3 << 16 | 10, 0x2001, 0, 0x1234];
    let cost = execute(&mut memory, Space::Ppgtt, &color, 0, &mut state, &|| false);
    assert_eq!(cost, Ok(Cost { read: 30, written: 30 }));
    for row in 0..3 {
        for byte in 0..10 {
            expected[0x2001 + row * 100 + byte] ^= [0x34, 0x12][byte % 2];
        }
    }
    assert!(memory.bytes == expected);
    // The same place moved by three bytes to the right, given from the right end, last row first.
    let end = 0x2001 + 2 * 100 + 9u32;
    let up = -100i16 as u16 as u32;
    let copy =
        [2 << 29 | 0x43 << 22 | 3 << 20 | 6, 1 << 30 | 3 << 24 | 0xcc << 16 | up, 3 << 16 | 10, end + 3, 0, up, end, 0];
    let cost = execute(&mut memory, Space::Ppgtt, &copy, 0, &mut state, &|| false);
    assert_eq!(cost, Ok(Cost { read: 30, written: 30 }));
    for row in 0..3 {
        let start = 0x2001 + row * 100;
        expected.copy_within(start..start + 10, start + 3);
    }
    assert!(memory.bytes == expected);
}

#[test]
fn prepared_pixels_and_scanlines() {
    let mut random = Random(9);
    let mut memory = Flat::new(&mut random);
    let mut state = BltState::default();
    let mut run = |memory: &mut Flat, command: &[u32]| execute(memory, Space::Ppgtt, command, 0, &mut state, &|| false);
    assert!(matches!(run(&mut memory, &[2 << 29 | 0x24 << 22, 0]), Err(BltError::Reserved(_))));
    let mut expected = memory.bytes.clone();
    let control = 1 << 31 | 1 << 30 | 3 << 24 | 0xf0 << 16;
    let setup = [
        2 << 29 | 0x11 << 22 | 3 << 20 | 1 << 11 | 8,
        control | 256,
        corner(10, 10),
        corner(50, 20),
        0x1_0000,
        0,
        1,
        0xaabb_ccdd,
        0,
        0,
    ];
    run(&mut memory, &setup).unwrap();
    run(&mut memory, &[2 << 29 | 0x25 << 22 | 1, corner(0, 15), corner(20, 100)]).unwrap();
    run(&mut memory, &[2 << 29 | 0x24 << 22, corner(49, 10)]).unwrap();
    run(&mut memory, &[2 << 29 | 0x24 << 22, corner(50, 10)]).unwrap();
    let surface = Image { base: 0x1_0000, pitch: 1024, layout: Layout::X };
    let drawn = (15..20).flat_map(|y| (10..20).map(move |x| (x, y))).chain([(49, 10)]);
    for (x, y) in drawn {
        let at = surface.at(4 * x, y);
        expected[at..at + 4].copy_from_slice(&0xaabb_ccddu32.to_le_bytes());
    }
    assert!(memory.bytes == expected);
}

#[test]
fn a_fault_ends_the_command_behind_finished_rows() {
    for from in [None, Some(Layout::Linear)] {
        let mut random = Random(10);
        let mut memory = Flat::new(&mut random);
        // 64 rows of a page each; the page of row 40 is missing.
        memory.hole = Some(16 + 40);
        let blit = Blit {
            to: Image { base: 16 * PAGE, pitch: PAGE as i64, layout: Layout::Linear },
            from: from.map(|layout| (Image { base: 128 * PAGE, pitch: PAGE as i64, layout }, 0, 0)),
            rect: (0, 0, 1024, 64),
            clip: None,
            depth: 3,
            rop: if from.is_some() { 0xcc } else { 0xf0 },
            color: 0x1122_3344,
            rgb: true,
            alpha: true,
        };
        let mut expected = memory.bytes.clone();
        blit.model(&mut expected);
        let error = blit.execute(&mut memory, &mut BltState::default()).unwrap_err();
        assert!(matches!(error, BltError::Fault(Fault { write: true, .. })), "{error}");
        let rows = |from: u64, to: u64| (16 + from) as usize * 4096..(16 + to) as usize * 4096;
        assert!(memory.bytes[rows(0, 32)] == expected[rows(0, 32)]);
        assert!(memory.bytes[rows(41, 64)] != expected[rows(41, 64)]);
    }
    let mut memory = Flat::new(&mut Random(11));
    let blit = random_blit(&mut Random(12), Layout::Y, Some(Layout::Y));
    let blit = Blit { rop: 0xcc, clip: None, ..blit };
    memory.hole = blit.from.map(|(image, x, y)| image.at(x * blit.pixel(), y + 5) as u64 / PAGE);
    let error = blit.execute(&mut memory, &mut BltState::default()).unwrap_err();
    assert!(matches!(error, BltError::Fault(Fault { write: false, .. })), "{error}");
}

#[test]
fn an_interruption_ends_the_command_early() {
    let mut memory = Flat::new(&mut Random(13));
    let before = memory.bytes.clone();
    let asked = Cell::new(0);
    let interrupted = || {
        asked.set(asked.get() + 1);
        asked.get() > 2
    };
    let command = [2 << 29 | 0x50 << 22 | 3 << 20 | 5, 3 << 24 | 0xf0 << 16 | 4096, 0, 200 << 16 | 1024, 0, 0, 1];
    let result = execute(&mut memory, Space::Ppgtt, &command, 0, &mut BltState::default(), &interrupted);
    assert_eq!(result, Err(BltError::Interrupted));
    let changed = memory.bytes.iter().zip(&before).rposition(|(new, old)| new != old).unwrap();
    assert!((64 << 10..160 << 10).contains(&changed), "{changed:#x}");
}

#[test]
fn tiled_surfaces_have_no_negative_coordinates() {
    let (mut random, mut state) = (Random(14), BltState::default());
    for layout in [Layout::X, Layout::Y] {
        let mut memory = Flat::new(&mut random);
        let mut expected = memory.bytes.clone();
        let mut blit = random_blit(&mut random, layout, Some(layout));
        blit = Blit { depth: 3, rop: 0xcc, clip: None, rgb: true, alpha: true, ..blit };
        blit.rect = (-4, -3, 40, 30);
        blit.from = blit.from.map(|(image, ..)| (image, -2, -9));
        blit.execute(&mut memory, &mut state).unwrap();
        blit.rect = (0, 6, 40, 30);
        blit.from = blit.from.map(|(image, ..)| (image, 2, 0));
        blit.model(&mut expected);
        assert!(memory.bytes == expected, "{layout:?}");
    }
}

#[test]
fn memory_is_accessed_in_long_runs() {
    for (layout, most) in [(Layout::Linear, 16), (Layout::X, 2 * 2048), (Layout::Y, 2 * 256)] {
        let mut memory = Flat::new(&mut Random(15));
        let blit = Blit {
            to: Image { base: 0, pitch: 4096, layout },
            from: Some((Image { base: 0x8_0000, pitch: 4096, layout }, 0, 0)),
            rect: (0, 0, 1024, 96),
            clip: None,
            depth: 3,
            rop: 0xcc,
            color: 0,
            rgb: true,
            alpha: true,
        };
        let cost = blit.execute(&mut memory, &mut BltState::default()).unwrap();
        assert_eq!(cost, Cost { read: 96 * 4096, written: 96 * 4096 });
        assert!(memory.calls <= most, "{layout:?}: {} calls", memory.calls);
    }
}

#[test]
fn the_wrong_length_is_an_error() {
    let mut memory = Flat::new(&mut Random(16));
    let mut state = BltState::default();
    for opcode in 0..128u32 {
        let header = 2 << 29 | opcode << 22;
        for length in 0..20 {
            let mut command = vec![0; length];
            command.iter_mut().take(1).for_each(|first| *first = header);
            let result = execute(&mut memory, Space::Ppgtt, &command, 0, &mut state, &|| false);
            match lengths(header) {
                _ if length == 0 => assert_eq!(result, Err(BltError::Length(0))),
                None => assert_eq!(result, Err(BltError::Unknown)),
                Some(known) if known.contains(&length) => assert_ne!(result, Err(BltError::Length(length))),
                Some(_) => assert_eq!(result, Err(BltError::Length(length))),
            }
        }
        assert_eq!(is_known(header), lengths(header).is_some());
    }
}

#[test]
fn unknown_tiles_and_depths_are_reserved() {
    let mut memory = Flat::new(&mut Random(17));
    let base = fast_copy(&random_blit(&mut Random(18), Layout::Y, Some(Layout::Y)), 3);
    for (dword, bits) in [(0, 3 << 20), (0, 3 << 13), (1, 1 << 31), (1, 1 << 30), (1, 7 << 24)] {
        let mut command = base.clone();
        command[dword] |= bits;
        let result = execute(&mut memory, Space::Ppgtt, &command, 0, &mut BltState::default(), &|| false);
        assert!(matches!(result, Err(BltError::Reserved(_))), "{dword} {bits:#x}");
    }
}

#[test]
fn random_commands_never_panic() {
    let (mut random, mut state) = (Random(19), BltState::default());
    let mut memory = Flat::new(&mut random);
    let opcodes: Vec<u32> = (0..128).filter(|opcode| is_known(opcode << 22)).collect();
    let mut done = 0;
    for _ in 0..20_000 {
        let header =
            2 << 29 | opcodes[random.below(opcodes.len() as u64) as usize] << 22 | random.next() as u32 & 0x3f_ffff;
        let length = *lengths(header).unwrap().start();
        let mut command: Vec<u32> = (0..length)
            .map(|_| match random.below(4) {
                0 => random.next() as u32 & 0x000f_00ff,
                1 => [0, u32::MAX, 0x7fff_7fff, 0x8000_8000, 0x8000_7fff][random.below(5) as usize],
                _ => random.next() as u32,
            })
            .collect();
        command[0] = header;
        let budget = Cell::new(8);
        let interrupted = || {
            budget.set(budget.get() - 1);
            budget.get() < 0
        };
        let swctrl = random.next() as u32;
        done += u32::from(execute(&mut memory, Space::Ppgtt, &command, swctrl, &mut state, &interrupted).is_ok());
    }
    assert!(done > 500, "only {done} commands came to their end");
}
