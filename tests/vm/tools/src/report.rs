// SPDX-License-Identifier: GPL-2.0
//! Results: one line each on standard output, all together as JSON.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// The device did what it should.
    Pass,
    /// It did not.
    Fail,
    /// The check does not suit this device.
    Skip,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Name, with the engine behind a slash where the check runs on each.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// Reason of a failure or of leaving it out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// How long it took.
    pub milliseconds: f64,
}

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// What was measured.
    pub name: String,
    /// The figure.
    pub value: f64,
    /// Its unit.
    pub unit: &'static str,
}

/// All results of one run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// What was tested.
    pub device: serde_json::Value,
    /// The checks in the order in which they ran.
    pub checks: Vec<Line>,
    /// The figures.
    pub metrics: Vec<Metric>,
}

impl Report {
    /// Prints and keeps the result of a check.
    pub fn check(&mut self, name: String, status: Status, reason: String, took: Duration) {
        // One result is one line, whatever the chain of causes contains.
        let reason = reason.replace('\n', " ");
        let milliseconds = (took.as_secs_f64() * 10_000.0).round() / 10.0;
        match status {
            Status::Pass => println!("PASS {name} [{milliseconds:.1}]"),
            Status::Fail => println!("FAIL {name} {reason} [{milliseconds:.1}]"),
            Status::Skip => println!("SKIP {name} {reason}"),
        }
        // Whoever reads the console of a machine that then stops wants the line before.
        let _ = io::stdout().flush();
        self.checks.push(Line { name, status, reason, milliseconds });
    }

    /// Prints and keeps a figure.
    pub fn metric(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        let name = name.into();
        println!("METRIC {name} {value:.4} {unit}");
        let _ = io::stdout().flush();
        self.metrics.push(Metric { name, value, unit });
    }

    /// How many checks ended so.
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|line| line.status == status).count()
    }

    /// Writes everything into a file.
    ///
    /// # Errors
    ///
    /// Names the file that cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        serde_json::to_writer_pretty(&file, self).with_context(|| format!("cannot write {}", path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_json() {
        let mut report = Report::default();
        report.check("a".into(), Status::Pass, String::new(), Duration::from_millis(2));
        report.check("b".into(), Status::Fail, "x\ny".into(), Duration::ZERO);
        report.metric("m", 1.5, "us");
        assert_eq!(report.count(Status::Fail), 1);
        let json = serde_json::to_value(&report).expect("plain data");
        assert_eq!(json["checks"][0]["status"], "pass");
        assert_eq!(json["checks"][0].get("reason"), None);
        assert_eq!(json["checks"][1]["reason"], "x y");
        assert_eq!(json["metrics"][0]["unit"], "us");
    }
}
