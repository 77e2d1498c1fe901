// SPDX-License-Identifier: GPL-2.0
//! Reads and writes GPU registers through the first BAR of its PCI device.
//!
//! Registers of a power well that sleeps read as zero on hardware; nothing here wakes it.
#![forbid(unsafe_code)]

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use clap::{Parser, Subcommand};
use vm_tools::mapping::Mapping;
use vm_tools::registers;

/// Reads and writes GPU registers through the first BAR of its PCI device.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// PCI device, such as 0000:00:02.0; without it the first Intel display controller.
    #[arg(long, value_name = "ADDRESS")]
    device: Option<String>,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print registers: an offset, a name, or a range FIRST..BEHIND of offsets.
    Read {
        /// What to read.
        #[arg(required = true)]
        registers: Vec<String>,
        /// Bytes of one access.
        #[arg(long, default_value = "4", value_parser = ["1", "2", "4", "8"])]
        width: String,
    },
    /// Change one register and print what it reads afterwards.
    Write {
        /// Offset or name.
        register: String,
        /// The value; hexadecimal with 0x.
        value: String,
    },
    /// Print all registers that have a name here.
    Dump,
    /// Print registers whenever they change.
    Watch {
        /// Offsets or names.
        #[arg(required = true)]
        registers: Vec<String>,
        /// Milliseconds between two looks.
        #[arg(long, default_value_t = 100)]
        interval: u64,
        /// Seconds after which to end.
        #[arg(long, default_value_t = 10)]
        seconds: u64,
    },
    /// Measure how long a read and a write of the same value take.
    Time {
        /// Offset or name.
        register: String,
        /// Number of accesses.
        #[arg(long, default_value_t = 1000)]
        count: u32,
    },
}

/// The first Intel display controller on the PCI bus.
fn find_device() -> Result<PathBuf> {
    let bus = Path::new("/sys/bus/pci/devices");
    let mut devices: Vec<_> = fs::read_dir(bus)
        .with_context(|| format!("cannot list {}: is sysfs mounted?", bus.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    devices.sort();
    let starts = |path: &Path, file: &str, text: &str| {
        fs::read_to_string(path.join(file)).is_ok_and(|content| content.starts_with(text))
    };
    devices
        .into_iter()
        .find(|path| starts(path, "vendor", "0x8086") && starts(path, "class", "0x03"))
        .context("there is no Intel display controller on the PCI bus; name one with --device")
}

/// Maps the registers.
fn open(device: &Path, writable: bool) -> Result<Mapping> {
    let path = device.join("resource0");
    let file = OpenOptions::new()
        .read(true)
        .write(writable)
        .open(&path)
        .with_context(|| format!("cannot open {} (run as root; does the device exist?)", path.display()))?;
    // The second half of the BAR is the GGTT, which i915 maps write-combined; the kernel refuses a second mapping of
    // another kind.
    let size = file.metadata()?.len() / 2;
    Mapping::new(&file, 0, size, writable).with_context(|| {
        format!(
            "cannot map {}: is memory decoding off in the PCI command register, or does the kernel reserve the \
             BAR for a driver (boot with iomem=relaxed)?",
            path.display()
        )
    })
}

fn register(text: &str) -> Result<u64> {
    registers::parse(text)
        .map(u64::from)
        .with_context(|| format!("{text} is neither a number nor the name of a register; dump shows the names"))
}

fn number(text: &str) -> Result<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
    .with_context(|| format!("{text} is not a number"))
}

/// Offsets of a range or of a single register.
fn offsets(text: &str, width: u64) -> Result<Vec<u64>> {
    match text.split_once("..") {
        None => Ok(vec![register(text)?]),
        Some((first, behind)) => {
            let (first, behind) = (register(first)?, register(behind)?);
            if behind <= first {
                bail!("the range {text} is empty");
            }
            Ok((first..behind).step_by(usize::try_from(width)?).collect())
        }
    }
}

fn print(bar: &Mapping, offset: u64, width: usize) -> Result<()> {
    let value = bar.read(offset, width).with_context(|| format!("at {offset:#x}"))?;
    let name = u32::try_from(offset).ok().and_then(registers::name_of).unwrap_or_default();
    println!("{offset:#08x} {value:#0digits$x} {name}", digits = 2 + 2 * width);
    Ok(())
}

fn watch(bar: &Mapping, texts: &[String], interval: Duration, limit: Duration) -> Result<()> {
    let places = texts.iter().map(|text| register(text)).collect::<Result<Vec<_>>>()?;
    let mut before = vec![None; places.len()];
    let start = Instant::now();
    loop {
        for (place, before) in places.iter().zip(&mut before) {
            let now = bar.read(*place, 4).with_context(|| format!("at {place:#x}"))?;
            if *before != Some(now) {
                let name = u32::try_from(*place).ok().and_then(registers::name_of).unwrap_or_default();
                println!("{:9.3} {place:#08x} {now:#010x} {name}", start.elapsed().as_secs_f64());
                *before = Some(now);
            }
        }
        if start.elapsed() >= limit {
            return Ok(());
        }
        sleep(interval);
    }
}

fn time(bar: &Mapping, text: &str, count: u32) -> Result<()> {
    let place = register(text)?;
    let mut value = 0;
    let start = Instant::now();
    for _ in 0..count {
        value = bar.read(place, 4)?;
    }
    println!("read {:.3} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(count.max(1)));
    let start = Instant::now();
    for _ in 0..count {
        bar.write(place, 4, value)?;
    }
    println!("write {:.3} us", start.elapsed().as_secs_f64() * 1e6 / f64::from(count.max(1)));
    Ok(())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gpureg: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let device = match &options.device {
        Some(address) => Path::new("/sys/bus/pci/devices").join(address),
        None => find_device()?,
    };
    let writable = matches!(options.action, Action::Write { .. } | Action::Time { .. });
    let bar = open(&device, writable)?;
    match &options.action {
        Action::Read { registers, width } => {
            let width: usize = width.parse()?;
            for text in registers {
                for offset in offsets(text, width as u64)? {
                    print(&bar, offset, width)?;
                }
            }
            Ok(())
        }
        Action::Write { register: text, value } => {
            let place = register(text)?;
            bar.write(place, 4, number(value)?).with_context(|| format!("at {place:#x}"))?;
            print(&bar, place, 4)
        }
        Action::Dump => registers::all().iter().try_for_each(|(_, place)| print(&bar, u64::from(*place), 4)),
        Action::Watch { registers, interval, seconds } => {
            watch(&bar, registers, Duration::from_millis(*interval), Duration::from_secs(*seconds))
        }
        Action::Time { register, count } => time(&bar, register, *count),
    }
}
