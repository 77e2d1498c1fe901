// SPDX-License-Identifier: GPL-2.0
//! What a device costs: accesses to it, the work of its guest, its memory.

mod access;
mod memory;
mod work;

use std::time::Instant;

pub use access::accesses;
pub use memory::memory;
pub use work::work;

use super::Failure;

/// What a cost is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Time.
    Nanoseconds,
    /// Memory.
    Bytes,
}

impl Unit {
    /// Its short name.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "ns",
            Unit::Bytes => "B",
        }
    }
}

/// The cost of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// What was done.
    pub name: &'static str,
    /// For doing it once. A time is that of the quickest of all rounds.
    pub amount: f64,
    /// What that is counted in.
    pub unit: Unit,
}

impl Cost {
    fn time(name: &'static str, amount: f64) -> Cost {
        Cost { name, amount, unit: Unit::Nanoseconds }
    }
}

/// Nanoseconds that something takes.
fn timed(body: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let begin = Instant::now();
    body()?;
    Ok(begin.elapsed().as_nanos() as f64)
}

/// The least of what so many rounds give, which something else disturbed least.
fn least(rounds: u64, mut round: impl FnMut(u64) -> Result<f64, Failure>) -> Result<f64, Failure> {
    (0..rounds.max(1)).try_fold(f64::INFINITY, |least, number| Ok(least.min(round(number)?)))
}

/// The time of the quickest of so many rounds, divided by how often it did it.
fn quickest(rounds: u64, times: u64, mut round: impl FnMut(u64) -> Result<(), Failure>) -> Result<f64, Failure> {
    least(rounds, |number| Ok(timed(|| round(number))? / times as f64))
}
