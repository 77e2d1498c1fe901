// SPDX-License-Identifier: GPL-2.0
//! What an access to a device costs, from the system call on.

use std::os::fd::BorrowedFd;

use rustix::io::{pread, pwrite};

use super::{quickest, Cost};
use crate::vfio::machine::Machine;
use crate::vfio::opened::Opened;
use crate::vfio::request::Base;
use crate::vfio::{ioctl, Failure};

const BAR0: u64 = 0;
const CONFIG: u64 = 7 << 40;
const APERTURE: u64 = 2 << 40;

/// A register that is only kept: RING_TAIL of the render engine.
const PLAIN: u64 = 0x2030;
/// A register whose upper half says which bits of the lower one are written: CS_DEBUG_MODE1.
const MODE_MASK: u64 = 0x20ec;
/// The mask of the interrupts of pipe A.
const PIPE_IMR: u64 = 0x4_4404;
const PVINFO: u64 = 0x7_8000;
/// No register is there.
const UNTRACKED: u64 = 0x2_8000;
/// The line that is being sent, which i915 polls.
const PIPEDSL: u64 = 0x7_0000;
/// Makes the GPU look at its page table anew.
const FLUSH: u64 = 0x10_1008;

const PAGE: u64 = 4096;
const PTE: u64 = 8;
const PRESENT: u64 = 1;
const BURST: u64 = 512;
/// Guest memory, in bytes, and where of it pages are mapped.
const MEMORY: u64 = 64 << 20;
const FRAMES: u64 = 4096;

/// How often something short is done in a round, and how many rounds of it there are in one.
const SHORT_TIMES: u64 = 200;
const SHORT_ROUNDS: u64 = 100;

/// A device and what it has.
struct Bench<'a> {
    device: BorrowedFd<'a>,
    rounds: u64,
    /// First page table entry, and number of them, of both parts.
    low: (u64, u64),
    high: (u64, u64),
    aperture: u64,
    costs: Vec<Cost>,
}

impl Bench<'_> {
    fn read(&self, at: u64, width: usize) -> Result<(), Failure> {
        let mut data = [0; 8];
        pread(self.device, &mut data[..width], at)?;
        Ok(())
    }

    fn write(&self, at: u64, width: usize, value: u64) -> Result<(), Failure> {
        pwrite(self.device, &value.to_le_bytes()[..width], at)?;
        Ok(())
    }

    /// Does something so many times in each round; no number comes twice.
    fn case(
        &mut self,
        name: &'static str,
        times: u64,
        body: impl Fn(&Self, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let nanoseconds = quickest(self.rounds, times, |round| {
            (round * times..(round + 1) * times).try_for_each(|number| body(self, number))
        })?;
        self.costs.push(Cost::time(name, nanoseconds));
        Ok(())
    }

    /// The same for what takes so little that many rounds are needed to meet a moment without disturbance.
    fn short_case(
        &mut self,
        name: &'static str,
        body: impl Fn(&Self, u64) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let rounds = self.rounds;
        self.rounds = rounds.saturating_mul(SHORT_ROUNDS);
        let result = self.case(name, SHORT_TIMES, body);
        self.rounds = rounds;
        result
    }

    fn registers(&mut self) -> Result<(), Failure> {
        self.short_case("read a plain register", |bench, _| bench.read(BAR0 + PLAIN, 4))?;
        self.short_case("write a plain register", |bench, number| bench.write(BAR0 + PLAIN, 4, number << 3))?;
        self.short_case("read a register with a mask", |bench, _| bench.read(BAR0 + MODE_MASK, 4))?;
        self.short_case("write a register with a mask", |bench, number| {
            bench.write(BAR0 + MODE_MASK, 4, 0x0100_0000 | (number & 1) << 8)
        })?;
        self.short_case("write an interrupt mask", |bench, _| bench.write(BAR0 + PIPE_IMR, 4, 0xffff_ffff))?;
        self.short_case("read PIPEDSL", |bench, _| bench.read(BAR0 + PIPEDSL, 4))?;
        self.short_case("read PVINFO", |bench, _| bench.read(BAR0 + PVINFO, 4))?;
        self.short_case("read a register that is not modelled", |bench, _| bench.read(BAR0 + UNTRACKED, 4))?;
        self.short_case("read configuration space", |bench, _| bench.read(CONFIG, 4))?;
        self.case("read the aperture", 200, |bench, _| bench.read(APERTURE + bench.aperture, 4))
    }

    fn page_table(&mut self) -> Result<(), Failure> {
        let (first, count) = self.low;
        let entry = |number: u64| BAR0 + first + number % count * PTE;
        let frame = |number: u64| number % FRAMES * PAGE | PRESENT;
        self.short_case("read an entry", move |bench, number| bench.read(entry(number), 8))?;
        // Each of these changes its entry: what is in it is of another time around.
        self.case("write an entry: a frame that nothing uses", 512, move |bench, number| {
            bench.write(entry(number), 8, frame(number))
        })?;
        self.case("clear an entry, the last of its frame", 512, move |bench, number| bench.write(entry(number), 8, 0))?;
        (0..count).try_for_each(|number| self.write(entry(number), 8, frame(number)))?;
        self.case("write an entry: a frame in use", 512, move |bench, number| {
            bench.write(entry(number), 8, frame(number + 1))
        })?;
        self.case("write an entry in two halves", 512, move |bench, number| {
            bench.write(entry(number), 4, frame(number + 2))?;
            bench.write(entry(number) + 4, 4, 0)
        })?;
        self.case("write the same entry again", 512, move |bench, _| bench.write(entry(0), 8, frame(7)))?;
        self.case("write 512 entries, and flush", 4, move |bench, burst| {
            (burst * BURST..(burst + 1) * BURST)
                .try_for_each(|number| bench.write(entry(number), 8, frame(number + 3)))?;
            bench.write(BAR0 + FLUSH, 4, 1)
        })
    }

    /// All of the device's page table, as i915 does when it starts and when it ends.
    fn sweeps(&mut self) -> Result<(), Failure> {
        let parts = [self.low, self.high];
        let entries = self.low.1 + self.high.1;
        for (name, value) in [("sweep all entries: one frame", PRESENT | PAGE), ("sweep all entries: none", 0)] {
            let nanoseconds = quickest(1, entries, |_| {
                for (first, count) in parts {
                    (0..count).try_for_each(|number| self.write(BAR0 + first + number * PTE, 8, value))?;
                }
                self.write(BAR0 + FLUSH, 4, 1)
            })?;
            self.costs.push(Cost::time(name, nanoseconds));
        }
        Ok(())
    }

    fn resets(&mut self) -> Result<(), Failure> {
        self.case("reset", 4, |bench, _| ioctl::vfio_number(bench.device, "DEVICE_RESET", 0).map(|_| ()))
    }
}

/// Measures what accesses to a device cost, each case so many times.
///
/// # Errors
///
/// The kernel's refusal.
pub fn accesses(uuid: &str, rounds: u64) -> Result<Vec<Cost>, Failure> {
    let mut machine = Machine::new(MEMORY, true)?;
    let nanoseconds = quickest(rounds, 1, |_| {
        Opened::new(uuid, "0", &mut machine, true)?.close(&machine)?;
        // Only an empty container lets a group in again.
        machine.emptied();
        Ok(())
    })?;
    let opened = Opened::new(uuid, "0", &mut machine, true)?;
    let part = |base, size: u64| Ok::<_, Failure>((opened.counted(base, 0)?, size / PAGE));
    let mut bench = Bench {
        device: opened.device(),
        rounds,
        low: part(Base::LowPte, opened.low_size()?)?,
        high: part(Base::HighPte, opened.high_size()?)?,
        aperture: opened.counted(Base::Low, 0)?,
        costs: vec![Cost::time("open and close", nanoseconds)],
    };
    bench.resets()?;
    bench.registers()?;
    bench.page_table()?;
    bench.sweeps()?;
    Ok(bench.costs)
}
