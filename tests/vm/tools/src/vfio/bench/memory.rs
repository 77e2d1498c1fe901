// SPDX-License-Identifier: GPL-2.0
//! How much of the host's memory a device takes.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::{Cost, Unit};
use crate::vfio::driver::{Driver, EMPTY_BATCH, FREE};
use crate::vfio::machine::Machine;
use crate::vfio::space::{Space, ENTRIES, PAGE};
use crate::vfio::Failure;

/// Memory of each guest: an address space of 16 MiB, and as many pages.
const TABLES: u64 = 8;
const FRAMES: u64 = 2 << 20;
const FRAME_COUNT: u64 = TABLES * ENTRIES;
const MEMORY: u64 = FRAMES + FRAME_COUNT * PAGE + (1 << 20);
/// What each guest does.
const BATCHES: u32 = 64;
const QUEUED: u32 = 8;

/// How long memory that is free may take to be seen as such, and how much comes and goes by itself.
const SETTLING: Duration = Duration::from_millis(200);
const SETTLINGS: u32 = 50;
const NOISE: i64 = 8;

/// The sum of the numbers that follow a name in a text.
fn sum_of(text: &str, name: &str) -> i64 {
    let number = |line: &str| line.trim().strip_prefix(name)?.split_whitespace().next()?.parse::<i64>().ok();
    text.lines().filter_map(number).sum()
}

/// Pages that are free, of all zones.
fn free_pages() -> Result<i64, Failure> {
    fs::write("/proc/sys/vm/drop_caches", "3")?;
    // Counts that processors keep for themselves.
    fs::write("/proc/sys/vm/stat_refresh", "1")?;
    let zones = fs::read_to_string("/proc/zoneinfo")?;
    // Free pages that processors keep for themselves are not in the first number.
    Ok(sum_of(&zones, "pages free") + sum_of(&zones, "count:"))
}

/// The same when it stays so: what was freed may be free later.
fn settled_pages() -> Result<i64, Failure> {
    let mut before = free_pages()?;
    for _ in 0..SETTLINGS {
        thread::sleep(SETTLING);
        let now = free_pages()?;
        if (now - before).abs() <= NOISE {
            return Ok(now);
        }
        before = now;
    }
    Ok(before)
}

/// A device, until this is dropped.
struct Device {
    uuid: String,
}

impl Device {
    fn new(kind: &Path, number: usize) -> Result<Device, Failure> {
        let uuid = format!("00000000-0000-4000-8000-0000000001{number:02x}");
        fs::write(kind.join("create"), &uuid)?;
        Ok(Device { uuid })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let remove = PathBuf::from("/sys/bus/mdev/devices").join(&self.uuid).join("remove");
        if let Err(error) = fs::write(&remove, "1") {
            eprintln!("{} cannot be removed: {error}", self.uuid);
        }
    }
}

/// Measures the memory of so many devices of a type, which is the folder of it in sysfs.
///
/// # Errors
///
/// The kernel's refusal, or that work does not get through.
pub fn memory(kind: &Path, count: usize) -> Result<Vec<Cost>, Failure> {
    let space = Space::new(FREE, TABLES, FRAME_COUNT);
    let mut machines = Vec::new();
    for _ in 0..count {
        let machine = Machine::new(MEMORY, true)?;
        for page in (0..MEMORY).step_by(PAGE as usize) {
            machine.memory().write(page, 8, 0)?;
        }
        space.write(machine.memory(), EMPTY_BATCH, FRAMES)?;
        machines.push(machine);
    }
    let mut costs = Vec::new();
    let before = settled_pages()?;
    let mut note = |name| {
        let pages = before - settled_pages()?;
        let amount = pages as f64 * PAGE as f64 / count.max(1) as f64;
        costs.push(Cost { name, amount, unit: Unit::Bytes });
        Ok::<_, Failure>(())
    };
    let devices = (0..count).map(|number| Device::new(kind, number)).collect::<Result<Vec<_>, _>>()?;
    note("memory of a device")?;
    let mut drivers = Vec::new();
    for (machine, device) in machines.into_iter().zip(&devices) {
        drivers.push(Driver::new(machine, &device.uuid, &space)?);
    }
    note("memory of one that is open")?;
    for driver in &mut drivers {
        driver.keep_busy(BATCHES, QUEUED)?;
    }
    note("memory of one that has worked in 16 MiB")?;
    Ok(costs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summed() {
        let zones = "Node 0, zone DMA\n  pages free     12\n        min  3\n    cpu: 0\n  count:    4\n  pages free 5\n count: x\n";
        assert_eq!(sum_of(zones, "pages free"), 17);
        assert_eq!(sum_of(zones, "count:"), 4);
    }
}
