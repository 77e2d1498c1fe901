// SPDX-License-Identifier: GPL-2.0
//! Measures what a mediated device costs: one line of JSON for each case.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde_json::json;
use vm_tools::vfio;

/// Measures what a mediated device costs: one line of JSON for each case. A time is that of the quickest round, in
/// nanoseconds.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// How often each case is measured.
    #[arg(long, default_value_t = 5)]
    rounds: u64,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What accesses to a device cost, from the system call on.
    Accesses {
        /// The device.
        uuid: String,
    },
    /// What the work of its guest costs.
    Work {
        /// The device.
        uuid: String,
    },
    /// How much of the host's memory devices take, which are made for that.
    Memory {
        /// The folder of their type in sysfs.
        kind: PathBuf,
        /// How many.
        count: usize,
    },
}

fn main() -> ExitCode {
    let Options { rounds, what } = Options::parse();
    let measured = match what {
        What::Accesses { uuid } => vfio::accesses(&uuid, rounds),
        What::Work { uuid } => vfio::work(&uuid, rounds),
        What::Memory { kind, count } => vfio::memory(&kind, count),
    };
    match measured {
        Ok(costs) => {
            for cost in costs {
                println!("{}", json!({ "case": cost.name, "unit": cost.unit.name(), "amount": cost.amount.round() }));
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("vfiobench: {failure}");
            ExitCode::FAILURE
        }
    }
}
