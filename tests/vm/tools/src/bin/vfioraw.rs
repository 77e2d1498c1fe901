// SPDX-License-Identifier: GPL-2.0
//! Runs a script of raw VFIO requests on mediated devices; [`vm_tools::vfio`] describes the language.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use vm_tools::vfio;

/// Runs a script of raw VFIO requests on mediated devices.
#[derive(Debug, Parser)]
#[command(version, after_long_help = vfio::LANGUAGE)]
struct Options {
    /// The script; without it standard input.
    script: Option<PathBuf>,

    /// Where the answers go; without it standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// A mediated device; the first one is $1 in the script, and so on.
    #[arg(long, value_name = "UUID")]
    uuid: Vec<String>,
}

fn run(options: &Options) -> Result<vfio::Summary> {
    let output: Box<dyn io::Write> = match &options.output {
        Some(path) => Box::new(File::create(path).with_context(|| format!("cannot create {}", path.display()))?),
        None => Box::new(io::stdout().lock()),
    };
    match &options.script {
        Some(path) => {
            let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            vfio::run(BufReader::new(file), output, &options.uuid)
        }
        None => vfio::run(io::stdin().lock(), output, &options.uuid),
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(summary) if summary.unexpected == 0 => ExitCode::SUCCESS,
        Ok(summary) => {
            eprintln!("vfioraw: {} of {} answers were not as expected", summary.unexpected, summary.requests);
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("vfioraw: {error:#}");
            ExitCode::from(2)
        }
    }
}
