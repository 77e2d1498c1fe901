// SPDX-License-Identifier: GPL-2.0
//! The requests of the control socket and what they do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{json, Value};

use super::display;
use super::dump;
use super::late::LateMessages;
use crate::audit::{PageRanges, Rule};
use crate::engine::{Engine, EngineFault};
use crate::gpu::Gpu;
use crate::irq::MsiFault;
use crate::json::Hex;

/// Named page sets at once.
const PAGE_SETS_MAX: usize = 256;
/// Ranges in a named page set.
const RANGES_MAX: usize = 1 << 20;
/// The longest delay that can be injected.
const DELAY_MAX_US: u64 = 60_000_000;

/// One request; in JSON the name is in `request` and the fields are beside it.
#[derive(Debug, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The counters, as [`crate::stats::Snapshot`].
    Statistics,
    /// Sets all counters to 0.
    ResetStatistics,
    /// What `us` would be in a line of the audit file now.
    Time,
    /// Values of `count` registers from offset `first` on. Reading them has no side effect and is not counted.
    Registers {
        /// Offset in BAR0.
        first: Hex,
        /// How many.
        #[serde(default = "one")]
        count: u32,
    },
    /// What each engine does: its registers, whether it is active or hung, what is injected.
    Engines,
    /// Present GGTT entries in runs `{first, count, entry, step}`; `next` is where to go on if there are too many.
    Ggtt {
        /// Number of the first entry to look at.
        #[serde(default)]
        first: Hex,
        /// How many entries to look at; all if absent.
        count: Option<Hex>,
    },
    /// All interrupt registers and message counts.
    Interrupts,
    /// Starts to record pages and to check rules.
    AuditArm,
    /// Stops to record pages and to check rules.
    AuditDisarm,
    /// Adds pages to a named set, for rules too large for one request.
    AuditPageSet {
        /// What rules call it.
        name: String,
        /// What to add.
        pages: PageRanges,
    },
    /// Puts a [`Rule`] in force and arms; the answer is its number. Where the rule wants pages, the name of a set will do.
    AuditAllow {
        /// The rule.
        terms: Value,
        /// Whether to hold against it what was recorded before.
        #[serde(default)]
        past: bool,
    },
    /// The rules in force and how often each was broken.
    AuditRules,
    /// Every page that was touched, by block and context.
    AuditPages,
    /// Writes what is new to the audit file.
    AuditReport,
    /// Forgets rules, named page sets and recorded pages.
    AuditClear,
    /// Hangs an engine at its next command.
    Hang {
        /// Its name, such as `rcs0`.
        engine: String,
    },
    /// Lets every context that the engine enters from now on stand still first.
    DelayCompletion {
        /// Its name.
        engine: String,
        /// For how long, in microseconds; 0 ends it.
        us: u64,
    },
    /// Lets an engine keep what is in its TLB: it does not answer registers that ask it to forget.
    KeepTranslations {
        /// Its name.
        engine: String,
    },
    /// Loses the next interrupt messages.
    DropInterrupts {
        /// How many.
        #[serde(default = "one")]
        count: u32,
    },
    /// Delivers the next interrupt messages late.
    DelayInterrupts {
        /// How many.
        #[serde(default = "one")]
        count: u32,
        /// By how much, in microseconds; up to a millisecond comes on top.
        us: u64,
    },
    /// Disarms every injected fault of engines and interrupts.
    ClearFaults,
    /// Which pipes run, at what rate, and which ports have a monitor.
    Display,
    /// Connects or disconnects the monitor of a port.
    Monitor {
        /// Letter of the port, such as `B`.
        port: char,
        /// Whether it is to be connected.
        connected: bool,
        /// Exchanges the monitor for one of this kind first: `dp` or `hdmi`.
        #[serde(default)]
        input: Option<display::Input>,
        /// Preferred mode of the new monitor: `1080p` or `720p`.
        #[serde(default)]
        mode: Option<display::Mode>,
    },
    /// Writes what a pipe shows to a PNG file in the folder for pictures; the answer is its path and size.
    Picture {
        /// Letter of the pipe, such as `A`.
        pipe: char,
        /// The file's name without the ending, of letters, digits and hyphens.
        name: String,
    },
}

fn one() -> u32 {
    1
}

/// What all clients of a control socket share.
pub(super) struct Session {
    /// Where pictures go.
    pub(super) pictures: Option<PathBuf>,
    page_sets: BTreeMap<String, PageRanges>,
    late: LateMessages,
}

impl Request {
    /// Carries the request out.
    ///
    /// # Errors
    ///
    /// Cause and cure, in words.
    pub(super) fn run(self, gpu: &Arc<Gpu>, session: &Mutex<Session>) -> Result<Value, String> {
        match self {
            Request::Statistics => return serde_json::to_value(gpu.stats.snapshot(gpu)).map_err(|e| e.to_string()),
            Request::ResetStatistics => gpu.stats.reset(gpu),
            Request::Time => return Ok(json!(gpu.auditor.time())),
            Request::Registers { first, count } => return dump::registers(gpu, first, count),
            Request::Engines => return Ok(dump::engines(gpu)),
            Request::Ggtt { first, count } => return Ok(dump::ggtt(gpu, first.0, count.map(|count| count.0))),
            Request::Interrupts => return Ok(dump::interrupts(gpu)),
            Request::AuditArm => gpu.auditor.arm(),
            Request::AuditDisarm => gpu.auditor.disarm(),
            Request::AuditPageSet { name, pages } => return session.lock().add_pages(name, pages),
            Request::AuditAllow { terms, past } => {
                let terms = session.lock().with_page_sets(terms)?;
                let rule = serde_json::from_value::<Rule>(terms)
                    .map_err(|error| format!("this is no rule: {error}; see the README of the emulator for rules"))?;
                return gpu.auditor.add_rule(rule, past).map(|id| json!(id));
            }
            Request::AuditRules => return Ok(json!(gpu.auditor.rules())),
            Request::AuditPages => return Ok(json!(gpu.auditor.touched())),
            Request::AuditReport => gpu.auditor.report(),
            Request::AuditClear => {
                session.lock().page_sets.clear();
                gpu.auditor.clear();
            }
            Request::Hang { engine } => find(gpu, &engine)?.inject(EngineFault::Hang),
            Request::DelayCompletion { engine, us } => {
                find(gpu, &engine)?.inject(EngineFault::DelayCompletion(delay(us)?));
            }
            Request::KeepTranslations { engine } => find(gpu, &engine)?.inject(EngineFault::KeepTranslations),
            Request::DropInterrupts { count } => gpu.irq.set_fault(Some(MsiFault::Drop(count))),
            Request::DelayInterrupts { count, us } => {
                gpu.irq.set_fault(Some(MsiFault::Delay(count, delay(us)?)));
                session.lock().late.deliver(gpu)?;
            }
            Request::ClearFaults => {
                gpu.engines.iter().for_each(|engine| engine.faults.clear());
                gpu.irq.set_fault(None);
            }
            Request::Display => return Ok(json!(gpu.display.report())),
            Request::Monitor { port, connected, input, mode } => display::monitor(gpu, port, connected, input, mode)?,
            Request::Picture { pipe, name } => {
                let folder = session.lock().pictures.clone();
                return display::picture(gpu, pipe, folder.as_deref(), &name);
            }
        }
        // There is nothing to tell beyond that it was done.
        Ok(Value::Null)
    }
}

fn delay(us: u64) -> Result<Duration, String> {
    if us > DELAY_MAX_US {
        return Err(format!("a delay of {us} us is too long to make sense; give at most {DELAY_MAX_US}"));
    }
    Ok(Duration::from_micros(us))
}

fn find<'g>(gpu: &'g Gpu, name: &str) -> Result<&'g Engine, String> {
    gpu.engines.iter().find(|engine| engine.id.name() == name).ok_or_else(|| {
        let known: Vec<_> = gpu.engines.iter().map(|engine| engine.id.name()).collect();
        format!("this device has no engine {name:?}; choose one of {}", known.join(", "))
    })
}

impl Session {
    pub(super) fn new(pictures: Option<PathBuf>) -> Self {
        Self { pictures, page_sets: BTreeMap::new(), late: LateMessages::default() }
    }

    fn add_pages(&mut self, name: String, pages: PageRanges) -> Result<Value, String> {
        if self.page_sets.len() >= PAGE_SETS_MAX && !self.page_sets.contains_key(&name) {
            return Err(format!("there are {PAGE_SETS_MAX} page sets already; audit-clear forgets them"));
        }
        let set = self.page_sets.entry(name).or_default();
        if set.ranges().len() + pages.ranges().len() > RANGES_MAX {
            return Err(format!("the page set would have more than {RANGES_MAX} ranges; merge neighbouring ones"));
        }
        let all: Vec<_> = set.ranges().iter().chain(pages.ranges()).copied().collect();
        *set = PageRanges::try_from(all)?;
        Ok(json!({ "ranges": set.ranges().len() }))
    }

    /// Puts the pages of named sets in place of their names.
    fn with_page_sets(&self, mut terms: Value) -> Result<Value, String> {
        let mut places: Vec<&mut Value> = Vec::new();
        if let Some(fields) = terms.as_object_mut() {
            for (field, value) in fields {
                match (field.as_str(), value) {
                    ("pages", value) => places.push(value),
                    ("groups", Value::Array(groups)) => places.extend(groups),
                    _ => {}
                }
            }
        }
        for place in places {
            if let Value::String(name) = place {
                let set = self
                    .page_sets
                    .get(name.as_str())
                    .ok_or_else(|| format!("there is no page set {name:?}; make it with audit-page-set first"))?;
                *place = json!(set);
            }
        }
        Ok(terms)
    }
}
