// SPDX-License-Identifier: GPL-2.0

//! Any comings and goings on an engine: it never idles while anybody has work, and those that always have some get their
//! shares.

#![no_main]

use exercise::Source;
use gvt_model::cap::Cap;
use gvt_model::platform::MAX_VGPUS;
use gvt_model::sched::{Queue, Timing};
use gvt_model::types::{HostResources, Pool, VgpuId, TYPES};
use gvt_model::weight::Weight;
use libfuzzer_sys::fuzz_target;

fn ids() -> Vec<VgpuId> {
    let host = HostResources { aperture: 1 << 30, ggtt_total: 4 << 30, fences: 64 };
    let mut pool = Pool::new(&host);
    (0..MAX_VGPUS).map_while(|_| pool.take(&TYPES[0]).ok()).collect()
}

fuzz_target!(|script: &[u8]| {
    let ids = ids();
    let mut source = Source::new(script);
    let slice_us = 100 + source.word() % 99_901;
    let timing = Timing::new(slice_us, 50).expect("a timing");
    let mut queue = Queue::new(timing);
    let mut wants = vec![None; ids.len()];
    let mut weights = vec![1u16; ids.len()];
    while !source.is_empty() {
        let number = usize::from(source.byte()) % ids.len();
        let id = ids[number];
        match source.byte() {
            0..=20 => {
                weights[number] = 1 + source.word() as u16 % 16;
                queue.join(id, Weight::new(weights[number]).expect("a weight"), Cap::NONE);
                wants[number] = Some(false);
            }
            21..=30 => {
                queue.leave(id);
                if source.byte() & 1 == 1 {
                    queue.forget(id);
                }
                wants[number] = None;
            }
            31..=50 => {
                weights[number] = 1 + source.word() as u16 % 16;
                queue.set_weight(id, Weight::new(weights[number]).expect("a weight"));
            }
            51..=110 => {
                if let Some(want) = &mut wants[number] {
                    *want = source.byte() & 1 == 1;
                    queue.set_active(id, *want);
                }
            }
            _ => {
                let wanted =
                    |id: VgpuId| ids.iter().position(|other| *other == id).and_then(|n| wants[n]) == Some(true);
                let next = queue.next(wanted);
                assert_eq!(next.is_some(), wants.contains(&Some(true)), "the engine idles");
                if let Some(next) = next {
                    assert!(wanted(next), "it is not one that wants it");
                    queue.ran(next, u64::from(source.word() % 2_000_000));
                }
            }
        }
    }
    // From here on all of them always have work: shares follow the weights, whatever was before.
    for (number, want) in wants.iter_mut().enumerate() {
        if want.is_some() {
            *want = Some(true);
            queue.set_active(ids[number], true);
        }
    }
    let running = |id: VgpuId| ids.iter().position(|other| *other == id).is_some_and(|n| wants[n].is_some());
    // What was not even before is made up for first.
    for turn in [10_000_000, 1_000_000] {
        for _ in 0..20_000 {
            let Some(next) = queue.next(running) else { return };
            queue.ran(next, turn);
        }
    }
    let before: Vec<u64> = ids.iter().map(|id| queue.total(*id)).collect();
    let all: u64 = (0..ids.len()).filter(|n| wants[*n].is_some()).map(|n| u64::from(weights[n])).sum();
    let rounds = 40 * all;
    for _ in 0..rounds {
        let next = queue.next(running).expect("somebody wants it");
        queue.ran(next, 1_000_000);
    }
    for (number, id) in ids.iter().enumerate().filter(|(n, _)| wants[*n].is_some()) {
        let had = (queue.total(*id) - before[number]) / 1_000_000;
        let due = rounds * u64::from(weights[number]) / all;
        assert!(had.abs_diff(due) <= 2 + due / 50, "weight {} of {all}: {had} of {rounds}, not {due}", weights[number]);
    }
});
