// SPDX-License-Identifier: GPL-2.0
//! Random scripts against a whole device: whatever a guest does, nothing panics, and a batch without privilege stays
//! within what its context maps.

mod device;
#[path = "device/generate.rs"]
mod generate;
#[path = "device/script.rs"]
mod script;

use device::{bytes, drive, new_gpu, place, runners, set_up, submit, TABLES, WINDOW};
use emulated_gpu::engine::{privilege, EngineId};
use emulated_gpu::gpu::Gpu;
use emulated_gpu::server::Device;
use generate::{commands, Random};
use serde_json::json;

/// Names the seed of a failure.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed was {:#x}", self.0);
        }
    }
}

#[test]
fn random_scripts_do_no_harm() {
    const DEVICES: u64 = 4;
    const SCRIPTS: u64 = 250;
    for number in 0..DEVICES {
        let gpu = new_gpu();
        let mut device = Device::new(gpu.clone());
        for script in 0..SCRIPTS {
            let seed = Seed(number << 32 | script);
            script::run(&mut device, &gpu, &generate::script(&mut Random(seed.0)));
        }
        assert!(gpu.stats.snapshot(&gpu).engines["rcs0"].commands.total > 0, "the scripts ran nothing");
    }
}

/// The registers that a batch without privilege on an engine must leave alone.
fn guarded(gpu: &Gpu, id: EngineId) -> Vec<u32> {
    // The engine's own view of what it does, and what a fault leaves behind.
    let own = |offset: u32| match offset.wrapping_sub(id.base()) {
        0x30..=0x7f | 0x94 | 0x9c | 0xb0 | 0xd0 | 0x108..=0x17f | 0x234..=0x247 | 0x270..=0x28f => true,
        0x358..=0x3a8 => true,
        _ => privilege::may_write(gpu, id, offset),
    };
    let fault = |offset: u32| matches!(offset, 0x4094 | 0x4b10 | 0x4b14);
    (0..0x20_0000).step_by(4).filter(|offset| !own(*offset) && !fault(*offset)).collect()
}

/// What a batch without privilege must leave alone.
#[derive(PartialEq, Eq)]
struct State {
    registers: Vec<(u32, u32)>,
    ggtt: Vec<u64>,
}

impl State {
    fn of(gpu: &Gpu, guarded: &[u32]) -> Self {
        let registers = guarded.iter().map(|offset| (*offset, gpu.bar0.load(*offset))).collect();
        Self { registers, ggtt: (0..8192).map(|index| gpu.bar0.pte(index)).collect() }
    }

    fn check(&self, before: &Self) {
        let changed = self.registers.iter().zip(&before.registers).find(|(now, then)| now != then);
        assert_eq!(changed, None, "(offset, now) and (offset, before) of a register");
        let changed = self.ggtt.iter().zip(&before.ggtt).position(|(now, then)| now != then);
        assert_eq!(changed, None, "number of a GGTT entry");
    }
}

#[test]
fn batches_without_privilege_stay_within_their_context() {
    const BATCHES: u64 = 100;
    // MI_BATCH_BUFFER_START in the PPGTT without privilege, at the start of the window.
    let ring = bytes(&[0x1880_0101, 0, 0, 0]);
    let gpu = new_gpu();
    for (index, id) in EngineId::ALL.into_iter().enumerate() {
        let places = place(index);
        let frames = |address: u64, pages: u64| [address >> 12, (address >> 12) + pages - 1];
        let own = [
            frames(TABLES.start, 4),
            frames(WINDOW.start, (WINDOW.end - WINDOW.start) >> 12),
            frames(places.status, 1),
            frames(places.image, 3),
            frames(places.ring, device::RING_SIZE >> 12),
        ];
        let rule = json!({"rule": "confine", "contexts": [{"client": id.name()}], "pages": own});
        gpu.auditor.clear();
        gpu.auditor.add_rule(serde_json::from_value(rule).unwrap(), false).unwrap();
        let guarded = guarded(&gpu, id);
        let mut executed = 0;
        for batch in 0..BATCHES {
            let seed = Seed((index as u64) << 32 | batch);
            let engine = gpu.engine(id).unwrap();
            engine.reset(&gpu);
            engine.set_reset_values(&gpu);
            set_up(&gpu);
            gpu.memory.write(WINDOW.start, &commands(&mut Random(seed.0), 12)).unwrap();
            let before = State::of(&gpu, &guarded);
            gpu.stats.reset(&gpu);
            submit(&gpu, index, 1, &ring);
            drive(&mut runners(&gpu)[index], 8);
            State::of(&gpu, &guarded).check(&before);
            assert_eq!(gpu.auditor.rules()[0].violations, 0, "the batch left its pages: {:?}", gpu.auditor.touched());
            executed += gpu.stats.snapshot(&gpu).engines[id.name()].commands.total;
        }
        assert!(executed > 2 * BATCHES, "{}: only {executed} commands were executed", id.name());
    }
}
