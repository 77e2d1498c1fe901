// SPDX-License-Identifier: GPL-2.0
//! Measures what accesses to a mediated device cost: one line of JSON for each case.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use vm_tools::vfio;

/// Measures what accesses to a mediated device cost, from the system call on: one line of JSON for each case, with the
/// nanoseconds of the quickest round.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The device.
    #[arg(long, value_name = "UUID")]
    uuid: String,

    /// How often each case is measured.
    #[arg(long, default_value_t = 5)]
    rounds: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match vfio::bench(&options.uuid, options.rounds) {
        Ok(costs) => {
            for cost in costs {
                println!("{}", json!({ "case": cost.name, "ns": cost.nanoseconds.round() }));
            }
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("vfiobench: {failure}");
            ExitCode::FAILURE
        }
    }
}
