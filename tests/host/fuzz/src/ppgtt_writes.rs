// SPDX-License-Identifier: GPL-2.0

//! Any writes to page tables: after each submission every shadow is what the guest's tables say, to the frame, and what
//! the GPU has at the top stays until it is through.

#![no_main]

use exercise::{Env, Source};
use gvt_model::addr::{Gfn, GmRange};
use gvt_model::ports::HostPpgtt;
use gvt_model::ppgtt::{entry::Level, Addressing, Ppgtt, Roots};
use libfuzzer_sys::fuzz_target;

/// Frames with tables; of two that follow one another the second one is no memory.
const FIRST: u64 = 0x1000;
const FRAMES: u64 = 8;

/// What the GPU has.
struct Use {
    roots: Roots,
    epoch: u32,
    tops: [u64; 4],
}

impl Use {
    fn check(&self, env: &mut Env) {
        let scratch = env.scratch_table(Level::Directory);
        for top in self.tops.iter().filter(|top| **top != 0 && **top != scratch) {
            assert!(env.has_table(*top), "{top:#x} of {:x?} is gone", self.roots);
        }
    }
}

fuzz_target!(|script: &[u8]| {
    let mut env = Env::new(GmRange::new(64 << 20, 64 << 20).expect("a range"));
    let mut ppgtt = Ppgtt::new(false).expect("memory");
    for frame in 0..FRAMES {
        env.add_page(FIRST + 2 * frame);
    }
    let mut source = Source::new(script);
    let mut has_64k = false;
    let mut held: Vec<Use> = Vec::new();
    while !source.is_empty() {
        let gfn = FIRST + 2 * u64::from(source.byte() % FRAMES as u8);
        let index = u64::from(source.byte() % 20);
        match source.byte() {
            0..=160 => {
                let target = FIRST + u64::from(source.byte() % (2 * FRAMES as u8 + 4));
                let bits = u64::from(source.word()) & 0x8_0fff | u64::from(source.byte()) << 46;
                let raw = if source.byte() < 8 { 0 } else { target * 4096 | bits };
                env.put(gfn * 4096 + index * 8, &raw.to_le_bytes());
                if env.is_watched(Gfn::new(gfn)) {
                    ppgtt.written(Gfn::new(gfn), &mut env);
                }
            }
            161..=170 => ppgtt.clear(&mut env),
            171..=175 => {
                has_64k = !has_64k;
                ppgtt.set_64k(has_64k, &mut env);
            }
            176..=185 => {
                env.forget_watches(Gfn::new(gfn));
                ppgtt.removed(gfn, 1);
            }
            186..=200 => {
                if !held.is_empty() {
                    let done = held.swap_remove(usize::from(source.byte()) % held.len());
                    ppgtt.release(&done.roots, done.epoch, &mut env);
                }
            }
            kind => {
                let addressing = if kind & 1 == 0 { Addressing::Legacy48 } else { Addressing::Legacy32 };
                let pdps = [gfn * 4096, u64::from(source.word()), 0, gfn * 4096];
                let roots = Roots { addressing, pdps };
                if source.byte() < 40 {
                    ppgtt.destroy(&roots, &mut env);
                    continue;
                }
                env.pressed = source.byte() < 20;
                let Ok(tops) = ppgtt.prepare(&roots, &mut env) else { continue };
                for page in (0..20).flat_map(|n| [n, n * 512, n * 512 + 5, n * 512 * 512]) {
                    let level = if addressing == Addressing::Legacy48 { 3 } else { 1 };
                    let found = env.walk(tops[0], level, page);
                    assert_eq!(found, env.guest_walk(gfn, level, page, has_64k), "page {page:#x} of {roots:x?}");
                    // With four directories those bits say which.
                    if level == 3 || page < 512 * 512 {
                        assert_eq!(ppgtt.translate(&roots, page * 4096).map(Gfn::raw), found, "page {page:#x}");
                    }
                }
                env.check_tables();
                held.push(Use { roots, epoch: ppgtt.epoch(), tops });
            }
        }
        held.iter().for_each(|held| held.check(&mut env));
    }
    for Use { roots, epoch, .. } in held {
        ppgtt.release(&roots, epoch, &mut env);
    }
    ppgtt.clear(&mut env);
    env.check_empty();
});
