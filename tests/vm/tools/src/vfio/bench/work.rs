// SPDX-License-Identifier: GPL-2.0
//! What the work of a guest costs: submissions, the audit of commands, and page tables.

use super::{least, quickest, timed, Cost};
use crate::vfio::driver::{Driver, BATCH_ROOM, EMPTY_BATCH, FREE, NOTHING};
use crate::vfio::guest::Stores;
use crate::vfio::machine::Machine;
use crate::vfio::space::{Space, ENTRIES, PAGE};
use crate::vfio::Failure;

const MIB: u64 = 1 << 20;
/// Memory of the guest: two address spaces, and the pages that they lead to.
const SMALL: u64 = FREE;
const LARGE: u64 = 2 * MIB;
const FRAMES: u64 = 8 * MIB;
const FRAME_COUNT: u64 = ENTRIES * ENTRIES;
const MEMORY: u64 = FRAMES + FRAME_COUNT * PAGE + MIB;

/// Sizes of what is audited; what counts is how much longer the larger one takes.
const FEW: u64 = 4 << 10;
const MANY: u64 = BATCH_ROOM / 2;
const REPEATS: u64 = 20;
/// Submissions after which no table has changed lately.
const REST: u64 = 10;

struct Bench {
    driver: Driver,
    rounds: u64,
    small: Space,
    large: Space,
    costs: Vec<Cost>,
}

impl Bench {
    fn note(&mut self, name: &'static str, nanoseconds: f64) {
        self.costs.push(Cost::time(name, nanoseconds));
    }

    /// A submission of nothing, and its end.
    fn round_trip(&mut self) -> Result<(), Failure> {
        self.driver.nothing()?;
        self.driver.submit()?;
        self.driver.finish()
    }

    fn batches(&mut self) -> Result<(), Failure> {
        const TIMES: u64 = 16;
        let cost = quickest(self.rounds, TIMES, |_| (0..TIMES).try_for_each(|_| self.round_trip()))?;
        self.note("an empty batch, until nothing runs", cost);
        const BATCHES: u32 = 64;
        for (name, depth) in [("an empty batch, one at a time", 1), ("an empty batch, eight in the queue", 8)] {
            let cost = quickest(self.rounds, BATCHES.into(), |_| self.driver.keep_busy(BATCHES, depth))?;
            self.note(name, cost);
        }
        Ok(())
    }

    /// How much longer it takes to submit more of something, for each KiB.
    fn audit(
        &mut self,
        name: &'static str,
        make: impl Fn(&mut Driver, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut submit = |bytes| {
            // One alone is over too soon to be measured well.
            least(self.rounds * REPEATS, |_| {
                make(&mut self.driver, bytes)?;
                let taken = timed(|| self.driver.submit())?;
                self.driver.finish()?;
                Ok(taken)
            })
        };
        let more = submit(MANY)? - submit(FEW)?;
        self.note(name, more / ((MANY - FEW) / 1024) as f64);
        Ok(())
    }

    fn audits(&mut self) -> Result<(), Failure> {
        self.audit("audit 1 KiB of a ring: MI_NOOP", |driver, bytes| driver.repeat(NOTHING, bytes))?;
        let store = self.driver.store(0);
        self.audit("audit 1 KiB of a ring: MI_STORE_DATA_IMM", |driver, bytes| driver.repeat(store, bytes))?;
        self.audit("audit 1 KiB of a batch: MI_STORE_DATA_IMM", |driver, bytes| {
            driver.write_batch(store, bytes)?;
            driver.privileged()
        })
    }

    fn store(&mut self, stores: Stores) -> Result<(), Failure> {
        let (processor, memory) = self.driver.machine().processor()?;
        processor.store(memory, stores)
    }

    /// Submissions until no table has changed lately.
    fn rest(&mut self) -> Result<(), Failure> {
        (0..REST).try_for_each(|_| self.round_trip())
    }

    /// Stores of the guest's to a page table, and the submission that heeds them.
    fn rewrite(&mut self, stores: Stores) -> Result<f64, Failure> {
        self.rest()?;
        timed(|| {
            self.store(stores)?;
            self.round_trip()
        })
    }

    /// A page table whose entries all lead to one page, as i915's do that are not in use.
    fn one_table(&mut self) -> Result<(), Failure> {
        let entry = |frame: u64, step| Stores {
            gpa: self.small.entry(0, 1),
            stride: 8,
            count: ENTRIES - 1,
            value: self.small.leads_to(FRAMES, frame),
            step,
        };
        let (nowhere, pages) = (entry(0, 0), entry(1, PAGE));
        self.round_trip()?;
        let (mut map, mut unmap) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..self.rounds {
            map = map.min(self.rewrite(pages)?);
            unmap = unmap.min(self.rewrite(nowhere)?);
        }
        self.note("write 511 entries of a page table, and submit", map);
        self.note("clear 511 entries of a page table, and submit", unmap);
        Ok(())
    }

    /// An address space of 1 GiB, while it is there.
    fn many_tables(&mut self) -> Result<(), Failure> {
        let tables = self.large.tables();
        let (mut trap, mut all) = (f64::INFINITY, f64::INFINITY);
        for round in 0..self.rounds {
            self.rest()?;
            let stores = Stores {
                gpa: self.large.entry(0, 1 + round),
                stride: PAGE,
                count: tables,
                value: self.large.leads_to(FRAMES, round),
                step: 0,
            };
            let stored = timed(|| self.store(stores))?;
            trap = trap.min(stored / tables as f64);
            all = all.min(stored + timed(|| self.round_trip())?);
        }
        self.note("write an entry of a page table that is watched", trap);
        self.note("write an entry in each of 512 tables, and submit", all);
        Ok(())
    }

    fn spaces(&mut self) -> Result<(), Failure> {
        let (mut make, mut destroy) = (f64::INFINITY, f64::INFINITY);
        for round in 0..2 {
            self.driver.enter(&self.large)?;
            make = make.min(timed(|| {
                self.driver.created(&self.large)?;
                self.round_trip()
            })?);
            if round == 0 {
                self.many_tables()?;
                self.large.write(self.driver.machine().memory(), EMPTY_BATCH, FRAMES)?;
            }
            self.driver.enter(&self.small)?;
            self.round_trip()?;
            destroy = destroy.min(timed(|| self.driver.destroyed(&self.large))?);
        }
        self.note("make an address space of 1 GiB, and submit", make);
        self.note("destroy an address space of 1 GiB", destroy);
        Ok(())
    }
}

/// Measures what the work of a guest costs, each case so many times.
///
/// # Errors
///
/// The kernel's refusal, or that work does not get through.
pub fn work(uuid: &str, rounds: u64) -> Result<Vec<Cost>, Failure> {
    let machine = Machine::new(MEMORY, true)?;
    for page in (0..MEMORY).step_by(PAGE as usize) {
        machine.memory().write(page, 8, 0)?;
    }
    let small = Space::new(SMALL, 1, FRAME_COUNT);
    let large = Space::new(LARGE, ENTRIES, FRAME_COUNT);
    Space::new(SMALL, 1, 1).write(machine.memory(), EMPTY_BATCH, FRAMES)?;
    large.write(machine.memory(), EMPTY_BATCH, FRAMES)?;
    let driver = Driver::new(machine, uuid, &small)?;
    let mut bench = Bench { driver, rounds: rounds.max(1), small, large, costs: Vec::new() };
    bench.batches()?;
    bench.audits()?;
    bench.one_table()?;
    bench.spaces()?;
    Ok(bench.costs)
}
