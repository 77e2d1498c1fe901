// SPDX-License-Identifier: GPL-2.0

//! What an access costs in the model. Figures only, nothing is asserted.

#![expect(missing_docs, reason = "criterion's macro makes a function without")]

use std::hint::black_box;

use criterion::{criterion_group, criterion_main, Criterion};
use exercise::{Rig, LOW};
use gvt_model::region::Position;

/// Offset of the page table entry of the first page of the vGPU.
const PTE: u64 = (8 << 20) + LOW.0 / 512;

fn at(index: u32, offset: u64) -> Position {
    Position::new(index, offset).expect("an offset of less than 40 bits")
}

fn accesses(criterion: &mut Criterion) {
    let mut rig = Rig::new().expect("a vGPU");
    let mut data = [0; 8];
    for (name, at, width) in [
        ("config read", at(7, 0x10), 4),
        ("register read", at(0, 0x2030), 4),
        ("untracked register read", at(0, 0x2_8000), 4),
        ("pvinfo read", at(0, 0x7_8040), 4),
        ("pte read", at(0, PTE), 8),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| rig.read_piece(black_box(at), &mut data[..width]));
        });
    }
    for (name, at, width) in [
        ("config write", at(7, 0x10), 4),
        ("register write", at(0, 0x2030), 4),
        ("masked register write", at(0, 0x2580), 4),
        ("byte of a register write", at(0, 0x2031), 1),
        ("interrupt identity write", at(0, 0x4_4308), 4),
        ("pvinfo write", at(0, 0x7_8830), 4),
        ("pte write", at(0, PTE), 8),
        ("half pte write", at(0, PTE), 4),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| rig.write_piece(black_box(at), &data[..width]));
        });
    }
}

fn splits(criterion: &mut Criterion) {
    for (name, at, length) in
        [("split 4", at(0, 0x2030), 4), ("split 8", at(0, PTE), 8), ("split 4096 odd", at(0, PTE + 1), 4096)]
    {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                black_box(at).pieces(black_box(length)).map(|pieces| pieces.map(|piece| piece.offset).sum::<u64>())
            });
        });
    }
}

fn life(criterion: &mut Criterion) {
    let mut rig = Rig::new().expect("a vGPU");
    criterion.bench_function("reset", |bencher| bencher.iter(|| rig.reset()));
}

criterion_group!(benches, accesses, splits, life);
criterion_main!(benches);
