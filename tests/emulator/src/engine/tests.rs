// SPDX-License-Identifier: GPL-2.0
//! Suites over whole engines: submission, switching, privilege, faults.

use super::port::event;
use super::testing::{Bench, BB_END, BB_START_GGTT, BB_START_PPGTT, PPGTT_BUS, STATUS_PAGE};
use super::{regs, EngineId, Step};

const SDI: u32 = 0x20 << 23 | 2;
const SDI_GGTT: u32 = SDI | 1 << 22;
const LRI: u32 = 0x22 << 23 | 1;
const ARB_OFF: u32 = 0x08 << 23;
const ARB_ON: u32 = ARB_OFF | 1;
/// MI_SEMAPHORE_WAIT in the PPGTT, polling, until memory is at least the operand.
const WAIT_GTE: u32 = 0x1c << 23 | 1 << 15 | 1 << 12 | 2;

fn rcs() -> Bench {
    Bench::new("skl", EngineId::Rcs)
}

#[test]
fn one_context_runs_and_reports() {
    let bench = rcs();
    assert_eq!(bench.run(&[SDI, 0x40, 0, 0xc0ffee]), Step::Idle);
    assert_eq!(bench.ppgtt(0x40), 0xc0ffee);
    let done = event::COMPLETE | event::ACTIVE_TO_IDLE;
    assert_eq!(bench.events(), [(event::IDLE_TO_ACTIVE, 0), (done, 1)]);
    assert_eq!(bench.saved(1, regs::RING_HEAD), 16);
    assert_eq!(bench.get(regs::RING_EXECLIST_STATUS_LO), 0);
    assert_eq!(bench.saved(1, regs::RING_CONTEXT_CONTROL) & 1, 0, "the next load is not inhibited");
}

#[test]
fn two_elements_run_in_turn() {
    let bench = rcs();
    bench.create(1, &[SDI, 0x40, 0, 1]);
    bench.create(2, &[SDI, 0x40, 0, 2]);
    bench.submit(Bench::descriptor(1), Bench::descriptor(2));
    assert_eq!(Bench::settle(&mut bench.runner()), Step::Idle);
    assert_eq!(bench.ppgtt(0x40), 2);
    let expected = [
        (event::IDLE_TO_ACTIVE, 0),
        (event::COMPLETE | event::ELEMENT_SWITCH, 1),
        (event::COMPLETE | event::ACTIVE_TO_IDLE, 2),
    ];
    assert_eq!(bench.events(), expected);
}

#[test]
fn the_same_context_again_is_a_lite_restore() {
    let bench = rcs();
    bench.create(1, &[WAIT_GTE, 1, 0x40, 0]);
    bench.submit(Bench::descriptor(1), 0);
    let mut runner = bench.runner();
    assert_eq!(Bench::settle(&mut runner), Step::Waiting);
    bench.append(1, &[SDI, 0x80, 0, 5]);
    bench.submit(Bench::descriptor(1), 0);
    assert_eq!(Bench::settle(&mut runner), Step::Waiting);
    bench.put(PPGTT_BUS + 0x40, &[1]);
    assert_eq!(Bench::settle(&mut runner), Step::Idle);
    assert_eq!(bench.ppgtt(0x80), 5);
    assert_eq!(bench.events()[1], (event::PREEMPTED | event::LITE_RESTORE, 1));
}

#[test]
fn another_context_preempts_in_the_middle_of_a_batch() {
    let bench = rcs();
    bench.put(PPGTT_BUS + 0x1000, &[WAIT_GTE, 1, 0x40, 0, SDI, 0x80, 0, 1, BB_END]);
    bench.create(1, &[BB_START_PPGTT, 0x1000, 0]);
    bench.create(2, &[SDI, 0x40, 0, 1]);
    bench.submit(Bench::descriptor(1), 0);
    let mut runner = bench.runner();
    assert_eq!(Bench::settle(&mut runner), Step::Waiting);
    bench.submit(Bench::descriptor(2), Bench::descriptor(1));
    assert_eq!(Bench::settle(&mut runner), Step::Idle);
    assert_eq!(bench.ppgtt(0x80), 1, "the first context went on in its batch");
    assert_eq!(bench.events()[1], (event::PREEMPTED, 1));
}

#[test]
fn an_empty_submission_preempts_to_idle() {
    let bench = rcs();
    bench.create(1, &[WAIT_GTE, 1, 0x40, 0]);
    bench.submit(Bench::descriptor(1), 0);
    let mut runner = bench.runner();
    assert_eq!(Bench::settle(&mut runner), Step::Waiting);
    bench.submit(0, 0);
    assert_eq!(Bench::settle(&mut runner), Step::Idle);
    assert_eq!(bench.events()[1], (event::PREEMPTED, 1));
    assert_eq!(bench.get(regs::RING_EXECLIST_STATUS_LO), 0);
}

#[test]
fn no_preemption_while_arbitration_is_off() {
    let bench = rcs();
    bench.create(1, &[ARB_OFF, WAIT_GTE, 1, 0x40, 0, ARB_ON, SDI, 0x80, 0, 1]);
    bench.create(2, &[SDI, 0x84, 0, 2]);
    bench.submit(Bench::descriptor(1), 0);
    let mut runner = bench.runner();
    assert_eq!(Bench::settle(&mut runner), Step::Waiting);
    bench.submit(Bench::descriptor(2), 0);
    assert_eq!(Bench::settle(&mut runner), Step::Waiting);
    assert_eq!(bench.ppgtt(0x84), 0);
    bench.put(PPGTT_BUS + 0x40, &[1]);
    assert_eq!(Bench::settle(&mut runner), Step::Idle);
    assert_eq!((bench.ppgtt(0x84), bench.ppgtt(0x80)), (2, 0), "preempted as soon as arbitration was on again");
}

#[test]
fn broadwell_saves_its_mode_as_a_command() {
    let bench = Bench::new("bdw", EngineId::Rcs);
    bench.run(&[]);
    let state = Bench::image(1) + 0x1000;
    let saved: Vec<u32> = (0x57..0x5a).map(|place| bench.gpu.memory.load32(state + 4 * place).unwrap()).collect();
    assert_eq!(saved[..2], [0x1100_0001, 0x209c]);
    assert_eq!(saved[2] >> 16, 0xffff, "all bits of the mode are restored");
}

#[test]
fn registers_travel_with_the_context() {
    let bench = rcs();
    bench.create(1, &[LRI, 0x2600, 0x1111]);
    bench.create(2, &[LRI, 0x2600, 0x2222]);
    bench.submit(Bench::descriptor(1), Bench::descriptor(2));
    let mut runner = bench.runner();
    assert_eq!(Bench::settle(&mut runner), Step::Idle);
    // MI_STORE_REGISTER_MEM
    bench.append(1, &[0x24 << 23 | 2, 0x2600, 0x80, 0]);
    bench.submit(Bench::descriptor(1), 0);
    assert_eq!(Bench::settle(&mut runner), Step::Idle);
    assert_eq!(bench.ppgtt(0x80), 0x1111);
}

#[test]
fn an_unmapped_access_hangs_until_the_reset() {
    let bench = rcs();
    assert_eq!(bench.run(&[SDI, 0, 1, 7]), Step::Hung);
    assert_eq!(bench.gpu.mmio_read(0x4094) & 1, 1, "the fault register is valid");
    bench.gpu.mmio_write(0x941c, 1 << 1);
    assert_eq!(bench.gpu.mmio_read(0x941c), 0);
    bench.set(regs::RING_HWS_PGA, 0x1000);
    assert_eq!(bench.run(&[SDI, 0x40, 0, 8]), Step::Idle);
    assert_eq!(bench.ppgtt(0x40), 8);
}

#[test]
fn a_ring_that_resets_its_own_engine_ends_there() {
    let bench = rcs();
    bench.create(1, &[SDI, 0x44, 0, 1, LRI, 0x941c, 1 << 1, SDI, 0x40, 0, 7]);
    let engine = bench.gpu.engine(EngineId::Rcs).unwrap();
    let took = std::thread::scope(|scope| {
        scope.spawn(|| engine.run(&bench.gpu));
        let begin = std::time::Instant::now();
        bench.submit(Bench::descriptor(1), 0);
        while bench.ppgtt(0x44) == 0 || bench.get(regs::RING_EXECLIST_STATUS_LO) != 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        engine.shut_down();
        begin.elapsed()
    });
    assert_eq!(bench.ppgtt(0x40), 0, "nothing after the reset was executed");
    assert!(took < super::RESET_PATIENCE, "the engine did not wait for itself, but {took:?} passed");
}

#[test]
fn an_unknown_command_hangs() {
    assert_eq!(rcs().run(&[0x3f << 23]), Step::Hung);
    assert_eq!(rcs().run(&[0xffff_ffff]), Step::Hung);
    assert_eq!(Bench::new("skl", EngineId::Vecs).run(&[0x7a00_0004, 0, 0, 0, 0, 0]), Step::Hung);
}

#[test]
fn a_batch_without_privilege_is_held_back() {
    let bench = rcs();
    bench.put(0x3000, &[0]);
    let step = bench.run_batch(&[SDI_GGTT, 0x3000, 0, 7, LRI, 0x2084, 7, LRI, 0x2608, 9, SDI, 0x40, 0, 1]);
    assert_eq!(step, Step::Idle);
    assert_eq!(bench.gpu.memory.load32(0x3000), Ok(0), "the GGTT is out of reach");
    assert_eq!(bench.get(0x84), 0, "so is a register that is not on the list");
    assert_eq!(bench.get(0x608), 9);
    assert_eq!(bench.ppgtt(0x40), 1, "the batch itself goes on");
}

#[test]
fn a_batch_in_the_ggtt_has_privilege() {
    let bench = rcs();
    bench.put(0x5000, &[SDI_GGTT, 0x3000, 0, 7, LRI, 0x2084, 7, BB_END]);
    assert_eq!(bench.run(&[BB_START_GGTT, 0x5000, 0]), Step::Idle);
    assert_eq!(bench.gpu.memory.load32(0x3000), Ok(7));
    assert_eq!(bench.get(0x84), 7);
}

#[test]
fn a_second_level_batch_returns_to_the_first() {
    let bench = rcs();
    bench.put(PPGTT_BUS + 0x2000, &[SDI, 0x44, 0, 2, BB_END]);
    let step = bench.run_batch(&[BB_START_PPGTT | 1 << 22, 0x2000, 0, SDI, 0x40, 0, 1]);
    assert_eq!(step, Step::Idle);
    assert_eq!((bench.ppgtt(0x40), bench.ppgtt(0x44)), (1, 2));
}

#[test]
fn conditional_end_compares_memory_with_the_operand() {
    const CONDITIONAL_END: u32 = 0x36 << 23 | 1 << 21 | 2;
    for (memory, operand, goes_on) in [(5, 4, true), (5, 5, false), (4, 5, false)] {
        let bench = rcs();
        bench.put(PPGTT_BUS + 0x40, &[memory]);
        assert_eq!(bench.run_batch(&[CONDITIONAL_END, operand, 0x40, 0, SDI, 0x80, 0, 1]), Step::Idle);
        assert_eq!(bench.ppgtt(0x80) == 1, goes_on, "{memory} against {operand}");
    }
}

#[test]
fn workaround_batches_run_at_every_load() {
    let bench = rcs();
    bench.create(1, &[0, 0]);
    let state = Bench::descriptor(1) & 0xffff_f000;
    // Slots of BB_PER_CTX_PTR, INDIRECT_CTX: 12th and 13th pair of the first list.
    bench.put(state + 0x1000 + 4 * 0x19, &[0x5001]);
    bench.put(state + 0x1000 + 4 * 0x1b, &[0x6001]);
    bench.put(0x5000, &[SDI_GGTT, 0x3000, 0, 1, BB_END]);
    bench.put(0x6000, &[0x7a00_0004, 1 << 27 | 1 << 21 | 1 << 20 | 1 << 14, 0xd0, 0, 3, 0, SDI_GGTT, 0x3004, 0, 2]);
    bench.submit(Bench::descriptor(1), 0);
    assert_eq!(Bench::settle(&mut bench.runner()), Step::Idle);
    assert_eq!((bench.gpu.memory.load32(0x3000), bench.gpu.memory.load32(0x3004)), (Ok(1), Ok(2)));
    // Indexed, as i915's clears shared local memory.
    assert_eq!(bench.gpu.memory.load32(STATUS_PAGE + 0xd0), Ok(3));
}

#[test]
fn flushes_write_after_the_sync() {
    let bench = Bench::new("skl", EngineId::Bcs);
    const FLUSH_DW: u32 = 0x26 << 23 | 1 << 14;
    assert_eq!(bench.run(&[FLUSH_DW | 3, 0x40, 0, 0x11, 0x22, FLUSH_DW | 2, 0x3004, 0, 0x33, 0]), Step::Idle);
    assert_eq!((bench.ppgtt(0x40), bench.ppgtt(0x44)), (0x11, 0x22));
    assert_eq!(bench.gpu.memory.load32(0x3000), Ok(0x33), "bit 2 of the address selects the GGTT");
    let bench = rcs();
    bench.run(&[0x7a00_0004, 1 << 14 | 1 << 24 | 1 << 8, 0x3008, 0, 5, 6]);
    assert_eq!((bench.gpu.memory.load32(0x3008), bench.gpu.memory.load32(0x300c)), (Ok(5), Ok(6)));
}

#[test]
fn math_works_on_the_general_purpose_registers() {
    let bench = rcs();
    let alu = |operation: u32, first: u32, second: u32| operation << 20 | first << 10 | second;
    let program = [
        0x22 << 23 | 7,
        0x2600,
        0xffff_ffff,
        0x2604,
        0,
        0x2608,
        1,
        0x260c,
        0,
        0x1a << 23 | 3,
        alu(0x080, 0x20, 0),
        alu(0x080, 0x21, 1),
        alu(0x100, 0, 0),
        alu(0x180, 2, 0x31),
    ];
    assert_eq!(bench.run_batch(&program), Step::Idle);
    assert_eq!((bench.get(0x610), bench.get(0x614)), (0, 1));
}

#[test]
fn predication_skips_until_it_ends() {
    let bench = rcs();
    const SET_PREDICATE: u32 = 1 << 23;
    let step = bench.run_batch(&[SET_PREDICATE | 0xf, SDI, 0x40, 0, 1, SET_PREDICATE, SDI, 0x44, 0, 1]);
    assert_eq!(step, Step::Idle);
    assert_eq!((bench.ppgtt(0x40), bench.ppgtt(0x44)), (0, 1));
}

#[test]
fn every_engine_stores() {
    for id in [EngineId::Rcs, EngineId::Bcs, EngineId::Vcs0, EngineId::Vecs] {
        for platform in ["bdw", "skl", "bxt"] {
            let bench = Bench::new(platform, id);
            assert_eq!(bench.run_batch(&[SDI, 0x40, 0, 0xabc]), Step::Idle, "{platform} {id:?}");
            assert_eq!(bench.ppgtt(0x40), 0xabc);
        }
    }
}

#[test]
fn random_rings_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32
    };
    for round in 0..48 {
        let id = EngineId::ALL[round % 4];
        let bench = Bench::new(["bdw", "skl"][round % 2], id);
        let commands: Vec<u32> = (0..200)
            .map(|_| match random() % 4 {
                0 => (random() & 0x3f) << 23 | random() & 0x0040_00ff,
                1 => random() & 0x1f_ffff,
                2 => 0x40 << 24 | random() & 0x1fff_ffff,
                _ => random(),
            })
            .collect();
        bench.create(1, &commands);
        bench.submit(Bench::descriptor(1), 0);
        let mut runner = bench.runner();
        for _ in 0..50 {
            runner.step(64);
        }
    }
}
