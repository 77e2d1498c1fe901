// SPDX-License-Identifier: GPL-2.0
//! The audit file: one JSON object a line.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use serde::Serialize;

use super::{Block, Counts, Rule, TouchedPages};
use crate::json::Hex;

/// After so many lines that a guest can cause at will (faults, drops, violations) the file takes no more of them.
const REPEATABLE_MAX: u64 = 100_000;

/// What a line says; see the module documentation of [`super`] for the fields.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event<'a> {
    Pages(&'a TouchedPages),
    Fault(FaultEvent),
    Dropped { client: Block, context: Option<Hex>, lrca: Option<Hex>, what: &'static str, at: Hex },
    Violation(ViolationEvent),
    Armed { id: u32, terms: &'a Rule },
    Cleared,
    Truncated { after: u64 },
    Summary { counts: &'a Counts },
}

#[derive(Serialize)]
pub(super) struct FaultEvent {
    pub client: Block,
    pub context: Option<Hex>,
    pub lrca: Option<Hex>,
    pub space: &'static str,
    pub address: Hex,
    pub write: bool,
    pub cause: String,
}

#[derive(Serialize)]
pub(super) struct ViolationEvent {
    pub rule: u32,
    pub client: Block,
    pub context: Option<Hex>,
    pub lrca: Option<Hex>,
    /// Absent where the access was made before the rule was armed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub space: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Hex>,
    pub page: u64,
    pub write: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    us: u64,
    #[serde(flatten)]
    event: &'a Event<'a>,
}

pub(super) struct Journal {
    file: Mutex<Option<File>>,
    origin: Instant,
    repeatable: AtomicU64,
}

impl Default for Journal {
    fn default() -> Self {
        Self { file: Mutex::new(None), origin: Instant::now(), repeatable: AtomicU64::new(0) }
    }
}

impl Journal {
    pub fn open(&self, path: &Path) -> Result<()> {
        let file = File::create(path).with_context(|| format!("creating the audit file {}", path.display()))?;
        *self.file.lock() = Some(file);
        Ok(())
    }

    /// Microseconds since the device came to be.
    pub fn time(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64
    }

    /// Writes a line of a kind that is rare by nature.
    pub fn write(&self, event: &Event) {
        // Each line goes out whole and at once: the file is complete even if the process is killed.
        let Some(file) = &mut *self.file.lock() else { return };
        let line = Line { us: self.time(), event };
        let result = serde_json::to_vec(&line).map_err(std::io::Error::from).and_then(|mut text| {
            text.push(b'\n');
            file.write_all(&text)
        });
        if let Err(error) = result {
            log::error!("the audit file misses a line: {error}; is the disk full?");
        }
    }

    /// Writes a line of a kind that a guest can cause as often as it likes.
    pub fn write_repeatable(&self, event: &Event) {
        match self.repeatable.fetch_add(1, Ordering::Relaxed) {
            count if count < REPEATABLE_MAX => self.write(event),
            REPEATABLE_MAX => self.write(&Event::Truncated { after: REPEATABLE_MAX }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_are_cut_and_say_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit");
        let journal = Journal::default();
        journal.open(&path).unwrap();
        journal.repeatable.store(REPEATABLE_MAX - 1, Ordering::Relaxed);
        for _ in 0..5 {
            journal.write_repeatable(&Event::Cleared);
        }
        let text = std::fs::read_to_string(path).unwrap();
        let events: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.len(), 2, "{text}");
        assert_eq!(events[0]["event"], "cleared");
        assert_eq!(events[1]["event"], "truncated");
        assert_eq!(events[1]["after"], REPEATABLE_MAX);
    }

    #[test]
    fn a_file_that_cannot_be_made_is_named() {
        let error = Journal::default().open(Path::new("/nonexistent/audit")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/audit"), "{error}");
    }
}
