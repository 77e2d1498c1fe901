// SPDX-License-Identifier: GPL-2.0
//! Allow-lists: which pages which clients may touch.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::{Block, Client, ContextTag, PageRanges, Selector};

/// So many violations of a rule are told apart; more of them are only counted, repetitions included.
const KNOWN_MAX: usize = 1 << 16;

/// What must hold for every access from the moment the rule is armed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Rule {
    /// The selected clients touch these pages and no others.
    Confine {
        /// Who is confined.
        contexts: Vec<Selector>,
        /// Where they may go.
        pages: PageRanges,
    },
    /// These pages are touched by the selected clients and nobody else.
    Reserve {
        /// What is reserved.
        pages: PageRanges,
        /// For whom. An empty list reserves the pages from everybody.
        contexts: Vec<Selector>,
    },
    /// No context of an engine touches pages of two groups, whichever group it touches first.
    Separate {
        /// The groups; they have no page in common.
        groups: Vec<PageRanges>,
    },
}

impl Rule {
    /// # Errors
    ///
    /// The rule could never be broken or never be kept, so it is not what its author meant.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Rule::Confine { contexts, .. } if contexts.is_empty() => {
                Err("the rule confines nobody; name who in \"contexts\", [{}] for everybody".into())
            }
            Rule::Reserve { pages, .. } if pages.is_empty() => {
                Err("the rule reserves no page; give ranges [first, last] of page frames in \"pages\"".into())
            }
            Rule::Separate { groups } => {
                if groups.len() < 2 {
                    return Err("one group cannot be separated from another; give two or more in \"groups\"".into());
                }
                for (index, group) in groups.iter().enumerate() {
                    if let Some(frame) = groups.iter().skip(index + 1).find_map(|other| group.common(other)) {
                        return Err(format!("page {frame} is in two groups; take it out of both or of one"));
                    }
                }
                Ok(())
            }
            Rule::Confine { .. } | Rule::Reserve { .. } => Ok(()),
        }
    }
}

#[derive(Default)]
struct State {
    /// The group that each context was found in first.
    bound: HashMap<(Block, u32), usize>,
    /// Violations that were reported.
    known: HashSet<(Block, Option<u32>, u64, bool)>,
}

/// A rule in force.
pub(super) struct Armed {
    pub id: u32,
    pub rule: Rule,
    pub violations: AtomicU64,
    state: Mutex<State>,
}

impl Armed {
    pub fn new(id: u32, rule: Rule) -> Self {
        Self { id, rule, violations: AtomicU64::new(0), state: Mutex::default() }
    }

    /// Whether an access breaks the rule in a way that it has not been broken before.
    pub fn broken_by(&self, client: Client, frame: u64, write: bool) -> bool {
        let allowed = match &self.rule {
            Rule::Confine { contexts, pages } => {
                pages.contains(frame) || !contexts.iter().any(|selector| selector.matches(client))
            }
            Rule::Reserve { pages, contexts } => {
                !pages.contains(frame) || contexts.iter().any(|selector| selector.matches(client))
            }
            Rule::Separate { groups } => self.in_own_group(groups, client, frame),
        };
        !allowed && self.report(client, frame, write)
    }

    fn in_own_group(&self, groups: &[PageRanges], client: Client, frame: u64) -> bool {
        let (Some(ContextTag { lrca, .. }), Some(group)) =
            (client.tag(), groups.iter().position(|group| group.contains(frame)))
        else {
            return true;
        };
        *self.state.lock().bound.entry((client.block(), lrca)).or_insert(group) == group
    }

    fn report(&self, client: Client, frame: u64, write: bool) -> bool {
        let known = &mut self.state.lock().known;
        let new =
            known.len() >= KNOWN_MAX || known.insert((client.block(), client.tag().map(|t| t.lrca), frame, write));
        if new {
            self.violations.fetch_add(1, Ordering::Relaxed);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineId;

    fn rule(json: &str) -> Rule {
        serde_json::from_str(json).unwrap()
    }

    fn context(lrca: u32) -> Client {
        Client::Engine(EngineId::Rcs, ContextTag { id: 1, lrca })
    }

    #[test]
    fn confined_clients_stay_in_and_others_are_free() {
        let armed = Armed::new(1, rule(r#"{"rule":"confine","contexts":[{"lrca":4096}],"pages":[[10,12]]}"#));
        assert!(!armed.broken_by(context(0x1000), 12, true));
        assert!(!armed.broken_by(context(0x2000), 13, true));
        assert!(!armed.broken_by(Client::Aperture, 13, true));
        assert!(armed.broken_by(context(0x1000), 13, true));
        assert!(!armed.broken_by(context(0x1000), 13, true), "the same violation is counted once");
        assert!(armed.broken_by(context(0x1000), 13, false));
        assert_eq!(armed.violations.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn reserved_pages_keep_others_out() {
        let armed = Armed::new(1, rule(r#"{"rule":"reserve","contexts":[{"lrca":4096}],"pages":[[10,12]]}"#));
        assert!(!armed.broken_by(context(0x1000), 10, true));
        assert!(!armed.broken_by(context(0x2000), 9, true));
        assert!(armed.broken_by(context(0x2000), 10, false));
        assert!(armed.broken_by(Client::Pipe(0), 11, false));
    }

    #[test]
    fn contexts_belong_to_the_group_they_touch_first() {
        let armed = Armed::new(1, rule(r#"{"rule":"separate","groups":[[[0,9]],[[20,29]]]}"#));
        assert!(!armed.broken_by(context(0x1000), 15, true));
        assert!(!armed.broken_by(context(0x1000), 25, true));
        assert!(!armed.broken_by(context(0x2000), 5, true));
        assert!(armed.broken_by(context(0x1000), 5, true));
        assert!(armed.broken_by(context(0x2000), 20, true));
        assert!(!armed.broken_by(Client::Aperture, 5, true));
        assert!(!armed.broken_by(Client::Aperture, 25, true));
    }

    #[test]
    fn pointless_rules_are_refused() {
        for (json, cause) in [
            (r#"{"rule":"confine","contexts":[],"pages":[[1,2]]}"#, "nobody"),
            (r#"{"rule":"reserve","contexts":[],"pages":[]}"#, "no page"),
            (r#"{"rule":"separate","groups":[[[1,2]]]}"#, "one group"),
            (r#"{"rule":"separate","groups":[[[1,2]],[],[[2,3]]]}"#, "page 2"),
        ] {
            assert!(rule(json).check().unwrap_err().contains(cause), "{json}");
        }
        assert_eq!(rule(r#"{"rule":"reserve","contexts":[],"pages":[[1,1]]}"#).check(), Ok(()));
        assert!(serde_json::from_str::<Rule>(r#"{"rule":"confine","contexts":[],"pages":[],"page":1}"#).is_err());
    }
}
