// SPDX-License-Identifier: GPL-2.0
//! Who touched which page: every memory access of the GPU, attributed.
//!
//! The auditor is told of each access to a page ([`Auditor::access`]). Unarmed it does nothing. Armed it keeps, for each
//! context of each engine, for each pipe and for the CPU's accesses through the aperture, the set of pages that were read
//! and the set that were written, and holds every access against the [`Rule`]s in force. Faults and privileged
//! operations that the hardware ignores are counted whether it is armed or not.
//!
//! # The audit file
//!
//! One JSON object a line, each written at once. All have `event` and `us`, microseconds since the device came to be.
//! Addresses and ids are hexadecimal strings, page frames (bus address divided by 4096) are numbers, ranges of frames
//! are `[first, last]`. `context` and `lrca` are null where the client is no engine.
//!
//! | `event` | when | further fields |
//! |---|---|---|
//! | `pages` | a context is switched out, on request, at exit; only if there is something new | `client`, `lrca`, `contexts` (ids under which it ran), `read`, `write`: ranges of frames that no earlier line of this client and `lrca` had. The union over all lines is what was touched |
//! | `fault` | an access could not be made | `client`, `context`, `lrca`, `space` (`ggtt`, `ppgtt`), `address`, `write`, `cause` |
//! | `dropped` | a command asked for something above its privilege and was ignored | `client`, `context`, `lrca`, `what`, `at`: the register or the address of the command |
//! | `violation` | an access broke a rule for the first time with this page, direction and context | `rule` (id), `client`, `context`, `lrca`, `page`, `write`; `space` and `address` unless the access was older than the rule |
//! | `armed` | a rule came into force | `id`, `terms` |
//! | `cleared` | rules and pages were forgotten | |
//! | `truncated` | too many of `fault`, `dropped`, `violation`: no more of them in this file, the counters go on | `after` |
//! | `summary` | at exit | `counts` |

mod client;
mod journal;
mod pages;
mod record;
mod rules;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use anyhow::Result;
use parking_lot::{Mutex, RwLock};
use serde::Serialize;

use crate::gtt::{Fault, Space};
use crate::json::Hex;
pub use client::{Block, Client, ContextTag, Selector};
use journal::{Event, FaultEvent, Journal, ViolationEvent};
pub use pages::{PageRanges, PAGE_SHIFT};
use record::Shard;
pub use record::TouchedPages;
use rules::Armed;
pub use rules::Rule;

/// So many faults of one block are logged; all are counted.
const LOGGED_FAULTS_MAX: u64 = 1000;

/// One access to one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// Who.
    pub client: Client,
    /// Through which tables.
    pub space: Space,
    /// GPU address of the access.
    pub address: u64,
    /// Bus address of the page.
    pub page: u64,
    /// Whether it was a write.
    pub write: bool,
}

/// What happened, in total or in one block of the GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BlockCounts {
    /// Accesses that could not be made.
    pub faults: u64,
    /// Privileged operations that were ignored.
    pub dropped: u64,
    /// Accesses that broke a rule, each context, page, direction and rule counted once.
    pub violations: u64,
}

/// What happened since the counters were last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All blocks together.
    #[serde(flatten)]
    pub total: BlockCounts,
    /// Blocks with anything to report.
    pub clients: BTreeMap<Block, BlockCounts>,
}

/// A rule in force, as answers show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleReport {
    /// Its number.
    pub id: u32,
    /// What it says.
    pub terms: Rule,
    /// How often it was broken.
    pub violations: u64,
}

#[derive(Default)]
struct Counters {
    faults: AtomicU64,
    dropped: AtomicU64,
    violations: AtomicU64,
}

/// Aligned so that engines on different CPUs do not share a cache line.
#[repr(align(128))]
struct Slot {
    shard: Mutex<Shard>,
    counters: Counters,
}

/// Collects accesses and faults.
///
/// Lock order: a shard, the list of rules, a rule, the journal.
pub struct Auditor {
    armed: AtomicBool,
    /// Whether pages will go to the audit file.
    reporting: AtomicBool,
    slots: [Slot; Block::COUNT],
    rules: RwLock<Vec<Armed>>,
    last_rule: AtomicU32,
    journal: Journal,
}

impl Default for Auditor {
    fn default() -> Self {
        let mut blocks = Block::all();
        let slots = std::array::from_fn(|_| Slot {
            shard: Mutex::new(Shard::new(blocks.next().unwrap_or(Block::Aperture))),
            counters: Counters::default(),
        });
        Self {
            armed: AtomicBool::new(false),
            reporting: AtomicBool::new(false),
            slots,
            rules: RwLock::default(),
            last_rule: AtomicU32::new(0),
            journal: Journal::default(),
        }
    }
}

fn space_name(space: Space) -> &'static str {
    match space {
        Space::Ggtt => "ggtt",
        Space::Ppgtt => "ppgtt",
    }
}

impl Auditor {
    /// Writes an audit file from now on, and arms.
    ///
    /// # Errors
    ///
    /// The file cannot be created.
    pub fn log_to(&self, path: &Path) -> Result<()> {
        self.journal.open(path)?;
        self.reporting.store(true, Ordering::Relaxed);
        self.arm();
        Ok(())
    }

    /// Starts to record pages and to check rules.
    pub fn arm(&self) {
        self.armed.store(true, Ordering::Relaxed);
    }

    /// Stops to record pages and to check rules; keeps what was recorded.
    pub fn disarm(&self) {
        self.armed.store(false, Ordering::Relaxed);
    }

    /// Whether pages are recorded and rules checked.
    pub fn is_armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    /// Records an access that was made.
    #[inline]
    pub fn access(&self, access: &Access) {
        if self.is_armed() {
            self.record(access);
        }
    }

    fn record(&self, access: &Access) {
        let Access { client, space, address, page, write } = *access;
        let frame = page >> PAGE_SHIFT;
        let to_check = {
            let mut shard = self.slot(client.block()).shard.lock();
            shard.touch(client, frame, write, self.reporting.load(Ordering::Relaxed))
        };
        if to_check {
            for armed in self.rules.read().iter() {
                self.check(armed, client, frame, write, Some((space, address)));
            }
        }
    }

    fn check(&self, armed: &Armed, client: Client, frame: u64, write: bool, at: Option<(Space, u64)>) {
        if !armed.broken_by(client, frame, write) {
            return;
        }
        self.slot(client.block()).counters.violations.fetch_add(1, Ordering::Relaxed);
        let (context, lrca) = identity(client);
        let event = ViolationEvent {
            rule: armed.id,
            client: client.block(),
            context,
            lrca,
            space: at.map(|(space, _)| space_name(space)),
            address: at.map(|(_, address)| Hex(address)),
            page: frame,
            write,
        };
        self.journal.write_repeatable(&Event::Violation(event));
    }

    /// Records an access that could not be made.
    pub fn fault(&self, client: Client, fault: &Fault) {
        let before = self.slot(client.block()).counters.faults.fetch_add(1, Ordering::Relaxed);
        match before {
            0..LOGGED_FAULTS_MAX => log::warn!("{client:?}: {fault}"),
            LOGGED_FAULTS_MAX => {
                log::warn!("{}: more than {LOGGED_FAULTS_MAX} faults; further ones are only counted", client.block());
            }
            _ => {}
        }
        let (context, lrca) = identity(client);
        self.journal.write_repeatable(&Event::Fault(FaultEvent {
            client: client.block(),
            context,
            lrca,
            space: space_name(fault.space),
            address: Hex(fault.address),
            write: fault.write,
            cause: format!("{:?}", fault.kind),
        }));
    }

    /// Records an operation that was ignored for want of privilege; `at` is the register or the command's address.
    pub fn dropped(&self, client: Client, what: &'static str, at: u64) {
        log::debug!("{client:?}: no privilege for {what} {at:#x}");
        self.slot(client.block()).counters.dropped.fetch_add(1, Ordering::Relaxed);
        let (context, lrca) = identity(client);
        let event = Event::Dropped { client: client.block(), context, lrca, what, at: Hex(at) };
        self.journal.write_repeatable(&event);
    }

    /// Microseconds since the device came to be, as lines of the audit file have them.
    pub fn time(&self) -> u64 {
        self.journal.time()
    }

    /// Reports what a context touched that was not reported before; engines call this when they switch it out.
    pub fn switch_out(&self, client: Client) {
        if !self.is_armed() || !self.reporting.load(Ordering::Relaxed) {
            return;
        }
        let mut shard = self.slot(client.block()).shard.lock();
        if let Some(pages) = shard.take_fresh(client.tag().map(|tag| tag.lrca)) {
            self.journal.write(&Event::Pages(&pages));
        }
    }

    /// Reports everything that was not reported before.
    pub fn report(&self) {
        for slot in &self.slots {
            for pages in slot.shard.lock().take_all_fresh() {
                self.journal.write(&Event::Pages(&pages));
            }
        }
    }

    /// Completes the audit file; to be called when the device goes away.
    pub fn finish(&self) {
        self.report();
        self.journal.write(&Event::Summary { counts: &self.counts() });
    }

    /// Everything that was touched, by block and context.
    pub fn touched(&self) -> Vec<TouchedPages> {
        self.slots.iter().flat_map(|slot| slot.shard.lock().touched()).collect()
    }

    /// Puts a rule in force and arms; returns its number. With `past`, what was recorded so far is held against it too.
    ///
    /// # Errors
    ///
    /// The rule makes no sense; the text says why.
    pub fn add_rule(&self, rule: Rule, past: bool) -> Result<u32, String> {
        rule.check()?;
        let id = self.last_rule.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        self.journal.write(&Event::Armed { id, terms: &rule });
        self.rules.write().push(Armed::new(id, rule));
        // What was touched before the rule existed must reach it when it is touched again.
        for slot in &self.slots {
            let mut shard = slot.shard.lock();
            shard.forget_checked();
            let rules = self.rules.read();
            if let Some(armed) = rules.iter().find(|armed| past && armed.id == id) {
                shard.each_touched(|client, frame, write| self.check(armed, client, frame, write, None));
            }
        }
        self.arm();
        Ok(id)
    }

    /// The rules in force.
    pub fn rules(&self) -> Vec<RuleReport> {
        let report = |armed: &Armed| RuleReport {
            id: armed.id,
            terms: armed.rule.clone(),
            violations: armed.violations.load(Ordering::Relaxed),
        };
        self.rules.read().iter().map(report).collect()
    }

    /// Forgets all rules and all recorded pages, which are reported first. The counters stay.
    pub fn clear(&self) {
        self.report();
        self.rules.write().clear();
        for slot in &self.slots {
            slot.shard.lock().clear();
        }
        self.journal.write(&Event::Cleared);
    }

    /// The counters.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for (block, slot) in Block::all().zip(&self.slots) {
            let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            let Counters { faults, dropped, violations } = &slot.counters;
            let of_block = BlockCounts { faults: load(faults), dropped: load(dropped), violations: load(violations) };
            if of_block != BlockCounts::default() {
                counts.clients.insert(block, of_block);
            }
            counts.total.faults += of_block.faults;
            counts.total.dropped += of_block.dropped;
            counts.total.violations += of_block.violations;
        }
        counts
    }

    /// Sets the counters to 0; rules keep theirs.
    pub fn reset_counts(&self) {
        for slot in &self.slots {
            let Counters { faults, dropped, violations } = &slot.counters;
            [faults, dropped, violations].into_iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
        }
    }

    fn slot(&self, block: Block) -> &Slot {
        &self.slots[block.index()]
    }
}

fn identity(client: Client) -> (Option<Hex>, Option<Hex>) {
    (client.tag().map(|tag| tag.id.into()), client.tag().map(|tag| tag.lrca.into()))
}

#[cfg(test)]
mod tests;
