// SPDX-License-Identifier: GPL-2.0
//! Injected faults, the auditor and the counters, seen from a whole device that executes commands.

mod device;

use std::time::{Duration, Instant};

use device::{bytes, drive, new_gpu, place, runners, submit, TABLES, WINDOW};
use emulated_gpu::audit::Block;
use emulated_gpu::engine::{EngineFault, EngineId, Step};
use serde_json::json;

const STORE: u32 = 0x1000_0002;
const STORE_GGTT: u32 = STORE | 1 << 22;
const RCS: usize = 0;
const BCS: usize = 1;

fn store(header: u32, address: u64, value: u32) -> Vec<u8> {
    bytes(&[header, address as u32, (address >> 32) as u32, value])
}

#[test]
fn a_submission_runs_to_its_end() {
    let gpu = new_gpu();
    let mut runners = runners(&gpu);
    submit(&gpu, RCS, 7, &store(STORE_GGTT, 0x60_0000, 0x1234));
    assert_eq!(drive(&mut runners[RCS], 10), Step::Idle);
    assert_eq!(gpu.memory.load32(0x60_0000), Ok(0x1234));
    let counts = serde_json::to_value(gpu.stats.snapshot(&gpu)).unwrap();
    assert_eq!(counts["engines"]["rcs0"]["contexts"], 1);
    assert_eq!(counts["engines"]["rcs0"]["commands"]["opcodes"], json!({"MI_STORE_DATA_IMM": 1}));
}

#[test]
fn a_hang_comes_at_the_next_command_and_a_reset_cures_it() {
    let gpu = new_gpu();
    let mut runners = runners(&gpu);
    let engine = gpu.engine(EngineId::Rcs).unwrap();
    engine.inject(EngineFault::Hang);
    assert_eq!(drive(&mut runners[RCS], 10), Step::Idle, "an idle engine has no next command yet");
    submit(&gpu, RCS, 1, &store(STORE_GGTT, 0x60_0000, 1));
    assert_eq!(drive(&mut runners[RCS], 10), Step::Hung);
    assert!(engine.is_hung());
    assert_eq!(gpu.memory.load32(0x60_0000), Ok(0));
    submit(&gpu, BCS, 1, &store(STORE_GGTT, 0x60_0004, 2));
    assert_eq!(drive(&mut runners[BCS], 10), Step::Idle, "other engines go on");

    drop(runners);
    engine.reset(&gpu);
    engine.set_reset_values(&gpu);
    device::set_up(&gpu);
    let mut runners = device::runners(&gpu);
    submit(&gpu, RCS, 1, &store(STORE_GGTT, 0x60_0000, 3));
    assert_eq!(drive(&mut runners[RCS], 10), Step::Idle);
    assert_eq!(gpu.memory.load32(0x60_0000), Ok(3));
}

#[test]
fn a_delayed_context_stands_still_first() {
    const DELAY: Duration = Duration::from_millis(20);
    let gpu = new_gpu();
    let mut runners = runners(&gpu);
    let engine = gpu.engine(EngineId::Rcs).unwrap();
    engine.inject(EngineFault::DelayCompletion(DELAY));
    submit(&gpu, RCS, 1, &store(STORE_GGTT, 0x60_0000, 1));
    let start = Instant::now();
    let mut waits = 0;
    while drive(&mut runners[RCS], 1) != Step::Idle {
        if start.elapsed() < DELAY / 2 && gpu.memory.load32(0x60_0000) == Ok(0) {
            waits += 1;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "the context stands still for ever");
    }
    assert!(start.elapsed() >= DELAY);
    assert!(waits > 0, "the store came before the delay was over");
    assert_eq!(gpu.memory.load32(0x60_0000), Ok(1));
}

#[test]
fn pages_are_attributed_to_the_context_that_touched_them() {
    let gpu = new_gpu();
    gpu.auditor.arm();
    let mut runners = runners(&gpu);
    submit(&gpu, RCS, 7, &[store(STORE_GGTT, 0x60_0000, 1), store(STORE, 0, 1)].concat());
    submit(&gpu, BCS, 9, &store(STORE_GGTT, 0x70_0000, 1));
    drive(&mut runners[RCS], 10);
    drive(&mut runners[BCS], 10);
    let touched = gpu.auditor.touched();
    let of_rcs = touched.iter().filter(|pages| pages.client == Block::Engine(EngineId::Rcs));
    assert_eq!(of_rcs.filter(|pages| pages.read.contains(TABLES.start >> 12)).count(), 1, "page tables are memory too");
    let written = |engine: EngineId, index: usize, frame: u64| {
        touched
            .iter()
            .filter(|pages| pages.client == Block::Engine(engine))
            .filter(|pages| pages.lrca.map(|lrca| lrca.0) == Some(place(index).image))
            .any(|pages| pages.write.contains(frame))
    };
    assert!(written(EngineId::Rcs, RCS, 0x600) && !written(EngineId::Rcs, RCS, 0x700));
    assert!(written(EngineId::Bcs, BCS, 0x700) && !written(EngineId::Bcs, BCS, 0x600));
}

#[test]
fn a_batch_that_leaves_its_pages_breaks_the_rule() {
    let gpu = new_gpu();
    let rule =
        json!({"rule": "reserve", "contexts": [], "pages": [[0x600, 0x600], [WINDOW.start >> 12, WINDOW.start >> 12]]});
    gpu.auditor.add_rule(serde_json::from_value(rule).unwrap(), false).unwrap();
    let mut runners = runners(&gpu);
    submit(&gpu, RCS, 7, &store(STORE_GGTT, 0x60_1000, 1));
    drive(&mut runners[RCS], 10);
    assert_eq!(gpu.auditor.counts().total.violations, 0);
    submit(&gpu, RCS, 7, &store(STORE_GGTT, 0x60_0ffc, 1));
    drive(&mut runners[RCS], 10);
    assert_eq!(gpu.auditor.counts().total.violations, 1);
}

#[test]
fn an_unmapped_address_is_a_fault_of_the_context() {
    let gpu = new_gpu();
    let mut runners = runners(&gpu);
    submit(&gpu, RCS, 7, &store(STORE_GGTT, 0x4000_0000, 1));
    assert_eq!(drive(&mut runners[RCS], 10), Step::Hung);
    assert_eq!(gpu.auditor.counts().clients[&Block::Engine(EngineId::Rcs)].faults, 1);
}
