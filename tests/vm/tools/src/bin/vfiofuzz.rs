// SPDX-License-Identifier: GPL-2.0
//! Throws random requests at a mediated device, through its real descriptor, and looks whether it stands them.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use vm_tools::report::{Report, Status};
use vm_tools::vfio::Fuzz;

/// Throws random requests at a mediated device: reads and writes of any place and size, ioctls with any argument,
/// mappings, interrupts, resets, closing and opening. Each must be answered as it may be, and the device must work
/// as before afterwards. The same seed makes the same requests.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The device.
    #[arg(long, value_name = "UUID")]
    uuid: String,

    /// Where the random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,

    /// How many requests.
    #[arg(long, default_value_t = 100_000)]
    requests: u64,
}

fn run(options: &Options) -> Result<Report> {
    let mut report = Report::default();
    let begin = Instant::now();
    let mut fuzz = Fuzz::new(&options.uuid, options.seed).context("cannot open the device")?;
    let tallies = fuzz.run(options.requests).context("cannot go on")?;
    let took = begin.elapsed();
    for (kind, tally) in tallies {
        for complaint in &tally.wrong {
            println!("seed {}, {complaint}", options.seed);
        }
        println!("{kind}: {tally}");
        let (status, reason) = match tally.failures {
            0 => (Status::Pass, String::new()),
            count => (Status::Fail, format!("{count} of {} requests", tally.requests)),
        };
        report.check(format!("fuzz/{kind}"), status, reason, tally.took);
    }
    let begin = Instant::now();
    let (status, reason) = match fuzz.sane() {
        Ok(()) => (Status::Pass, String::new()),
        Err(failure) => (Status::Fail, failure.to_string()),
    };
    report.check("fuzz/sane-afterwards".to_owned(), status, reason, begin.elapsed());
    report.metric("requests", options.requests as f64 / took.as_secs_f64(), "1/s");
    Ok(report)
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(report) if report.count(Status::Fail) == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("vfiofuzz: {error:#}");
            ExitCode::from(2)
        }
    }
}
