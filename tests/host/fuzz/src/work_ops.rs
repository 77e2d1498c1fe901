// SPDX-License-Identifier: GPL-2.0

//! A guest that submits any contexts with any images, rings and page tables to an engine, while anything happens to it.

#![no_main]

use exercise::audit::check;
use exercise::{Image, Rig, Source, HIGH, LOW};
use gvt_model::addr::{Gfn, PAGE_SIZE};
use gvt_model::engine::EngineId;
use gvt_model::platform::{Platform, GGTT_OFFSET};
use gvt_model::region::Position;
use libfuzzer_sys::fuzz_target;

/// Pages of graphics memory from the start of the lower part on, each in a frame of its own.
const PAGES: u64 = 12;
const FIRST: u64 = 0x2000;
const WORDS: usize = 1024;
const LOAD: u32 = 0x22 << 23;
const END: u32 = 0x0a << 23;

fn map(rig: &mut Rig, page: u64, gfn: u64) {
    let entry = gfn * PAGE_SIZE | 1;
    rig.put(GGTT_OFFSET + (LOW.0 / PAGE_SIZE + page) * 8, &entry.to_le_bytes());
}

fn enable(rig: &mut Rig, base: u32) {
    rig.set(base | 0x80, LOW.0 as u32);
    rig.set(base | 0x29c, 0x8000_8000);
}

/// What a fresh context has: the place of each word that is no value.
fn fresh(base: u32) -> (Vec<u32>, Vec<usize>) {
    let mut words = vec![0; WORDS];
    let state = [LOAD | 5, base | 0x28, 1, base | 0x600, 2, base | 0x9c, 3, 0, LOAD | 1, base | 0x244, 4, END];
    words[0x50..0x50 + state.len()].copy_from_slice(&state);
    let values = [0x52, 0x54, 0x56, 0x5a];
    let fixed = (0x50..WORDS).filter(|place| !values.contains(place)).collect();
    (words, fixed)
}

fuzz_target!(|script: &[u8]| {
    let mut rig = Rig::new().expect("a vGPU");
    let mut source = Source::new(script);
    let id = [EngineId::Rcs0, EngineId::Bcs0, EngineId::Vecs0][usize::from(source.byte() % 3)];
    let base = id.mmio_base();
    let low = LOW.0 as u32;
    for page in 0..PAGES {
        rig.env.add_page(FIRST + 2 * page);
        map(&mut rig, page, FIRST + 2 * page);
    }
    rig.read_piece(Position::new(0, 0x7_8000).expect("a place"), &mut [0; 4]).expect("a register");
    enable(&mut rig, base);
    // Two contexts that share a ring and page tables.
    for context in [2, 4] {
        let state = (FIRST + 2 * (context + 1)) * PAGE_SIZE;
        for (place, value) in [(9, low + 0x1000), (11, 1), (51, ((FIRST + 16) * PAGE_SIZE) as u32)] {
            rig.env.put(state + place * 4, &u32::to_le_bytes(value));
        }
    }
    let (fresh, fixed) = fresh(base);
    let mut image = Image(vec![0; WORDS]);
    let mut launched = 0;
    let own = |address: u64, length: u64| {
        let inside = |(start, size): (u64, u64)| {
            address >= start && address.checked_add(length).is_some_and(|end| end <= start + size)
        };
        inside(LOW) || inside(HIGH)
    };
    while !source.is_empty() {
        match source.byte() {
            // The guest writes to its memory: mostly to rings, and to state pages.
            kind @ 0..=119 => {
                let page = match kind {
                    0..=49 => 1,
                    50..=89 => [3, 5][usize::from(kind & 1)],
                    _ => u64::from(source.byte()) % PAGES,
                };
                let place = if kind & 2 == 0 { source.byte() & 0x3f } else { source.byte() };
                let gpa = (FIRST + 2 * page) * PAGE_SIZE + u64::from(place) * 4;
                for _ in 0..source.byte() & 7 {
                    let word = source.word();
                    rig.env.put(gpa, &word.to_le_bytes());
                }
                let gfn = Gfn::new(gpa / PAGE_SIZE);
                if rig.env.is_watched(gfn) {
                    rig.with(|vgpu, host| vgpu.page_written(gfn, host.env));
                }
            }
            // The tail of a ring.
            120..=149 => {
                let context = [3, 5][usize::from(source.byte() & 1)];
                let gpa = (FIRST + 2 * context) * PAGE_SIZE + 7 * 4;
                rig.env.put(gpa, &u32::from(source.byte() & 0x7e).wrapping_mul(4).to_le_bytes());
            }
            150..=189 => {
                let mut descriptor = || match source.byte() {
                    0..=100 => u64::from(low + 0x2000) | 0x119 | 7 << 32,
                    101..=180 => u64::from(low + 0x4000) | 0x119 | 8 << 32,
                    181..=200 => source.long(),
                    201..=215 => u64::from(low + 0x2000) | 0x109 | 7 << 32,
                    _ => 0,
                };
                let (first, second) = (descriptor(), descriptor());
                for half in [second >> 32, second, first >> 32, first] {
                    rig.set(base | 0x230, half as u32);
                }
            }
            190..=219 => {
                let launch = rig.with(|vgpu, host| vgpu.launch(id, &mut image, &fresh, host));
                let Some(launch) = launch else { continue };
                launched += 1;
                assert!(launch.commands.len() % 2 == 0);
                let map = rig.registers;
                let open = |register: u32| map.writers(register).contains(id) && register != base | 0x29c;
                check(&launch.commands, id, Platform::Skylake, &own, &open);
                for place in &fixed {
                    assert_eq!(image.0[*place], fresh[*place], "word {place:#x} of the image");
                }
                // The top of the page tables is one of the host's, or nothing.
                let root = u64::from(image.0[49]) << 32 | u64::from(image.0[51]);
                assert!(root == 0xdead_0000 || root >= 1 << 44, "a root of {root:#x}");
            }
            220..=239 if launched > 0 => {
                let done = source.byte() >= 16;
                rig.with(|vgpu, host| vgpu.complete(id, done, &image, host));
                launched -= 1;
            }
            240 => {
                rig.set(0x941c, 0x1e);
                enable(&mut rig, base);
            }
            241 => rig.reset(),
            242 => {
                let start = (FIRST + u64::from(source.byte() & 31)) * PAGE_SIZE;
                rig.with(|vgpu, host| vgpu.withdraw(start, 4 * PAGE_SIZE, host.env));
            }
            243 => {
                let page = u64::from(source.byte()) % PAGES;
                map(&mut rig, page, FIRST + 2 * (u64::from(source.byte()) % PAGES));
            }
            244 => rig.set(base | u32::from(source.byte()) << 2 | 0x200, source.word()),
            245 => {
                for (offset, value) in [(0x838, (FIRST + 16) << 12), (0x83c, 0), (0x818, 5)] {
                    rig.set(0x7_8000 | offset, value as u32);
                }
            }
            _ => {}
        }
    }
    while launched > 0 {
        rig.with(|vgpu, host| vgpu.complete(id, true, &image, host));
        launched -= 1;
    }
    rig.reset();
    rig.env.check_empty_tables();
});
