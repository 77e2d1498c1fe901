// SPDX-License-Identifier: GPL-2.0
//! Tests a GPU through the i915 driver: commands, address spaces, fences, scheduling, recovery, speed.
//!
//! Each check prints one line: `PASS name [milliseconds]`, `FAIL name reason [milliseconds]` or
//! `SKIP name reason`; figures come as
//! `METRIC name value unit`. The exit code is 0 when nothing failed, 1 when something did, 2 when nothing could run.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::json;
use vm_tools::checks::{self, Env};
use vm_tools::drm::Device;
use vm_tools::picture;
use vm_tools::report::{Report, Status};

/// Tests a GPU through the i915 driver.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Checks to run: a name, NAME/ENGINE, or the start of one with a * behind it. Without names: all that suit.
    names: Vec<String>,

    /// Leave this check out; may be given several times.
    #[arg(long, value_name = "NAME")]
    skip: Vec<String>,

    /// Show the names of all checks and end.
    #[arg(long)]
    list: bool,

    /// Show device, engines and abilities as JSON and end.
    #[arg(long)]
    info: bool,

    /// Device node; without it the first one that i915 drives.
    #[arg(long, value_name = "NODE")]
    device: Option<PathBuf>,

    /// Write all results into a file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Seconds after which a batch counts as stuck.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    limit: u64,

    /// Instead of checks: N batches one after the other and N at once on the render engine, with progress.
    #[arg(long, value_name = "N", conflicts_with = "names")]
    stress: Option<u32>,

    /// Also draw a picture with the blitter, check its pixels, and write it to this PNG file.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,

    /// Batches per measurement.
    #[arg(long, value_name = "N", default_value_t = 200)]
    count: u32,
}

fn describe(device: &Device) -> serde_json::Value {
    json!({
        "node": device.path,
        "chipset": format!("{:#06x}", device.chipset),
        "version": device.version,
        "engines": device.engines,
        "preemption": device.preempts(),
        "kernel_semaphores": device.kernel_semaphores(),
    })
}

fn run(options: &Options) -> Result<bool> {
    if options.list {
        print!("{}", checks::list());
        return Ok(true);
    }
    let device = match &options.device {
        Some(path) => Device::open(path).with_context(|| path.display().to_string())?,
        None => Device::find()?,
    };
    if options.info {
        println!("{:#}", describe(&device));
        return Ok(true);
    }
    let mut report = Report { device: describe(&device), ..Report::default() };
    let env = Env::new(device, Duration::from_secs(options.limit), options.count);
    match options.stress {
        Some(batches) => checks::speed::stress(&env, batches, &mut report)?,
        None => checks::run(&env, &options.names, &options.skip, &mut report)?,
    }
    if let Some(path) = &options.picture {
        let begin = Instant::now();
        let (status, reason) = match picture::draw(&env, path) {
            Ok(()) => (Status::Pass, String::new()),
            Err(error) => (Status::Fail, format!("{error:#}")),
        };
        report.check("picture".to_owned(), status, reason, begin.elapsed());
    }
    println!(
        "gemtest: {} passed, {} failed, {} skipped",
        report.count(Status::Pass),
        report.count(Status::Fail),
        report.count(Status::Skip)
    );
    if let Some(path) = &options.json {
        report.save(path)?;
    }
    Ok(report.count(Status::Fail) == 0)
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("gemtest: {error:#}");
            ExitCode::from(2)
        }
    }
}
