// SPDX-License-Identifier: GPL-2.0
//! Who makes accesses, and how requests name them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::EngineId;
use crate::json::Hex;

/// Identity of a context: its descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContextTag {
    /// Upper dword of the descriptor: the id that software chose. i915 hands out a new one at every submission, so it
    /// does not tell one context from another for long.
    pub id: u32,
    /// GGTT address of the context image: the same for as long as the context lives.
    pub lrca: u32,
}

/// Who made an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// A command streamer, on behalf of a context.
    Engine(EngineId, ContextTag),
    /// Scan-out of a pipe (0 is pipe A).
    Pipe(u8),
    /// The CPU, through the aperture.
    Aperture,
}

impl Client {
    /// The block, without the context.
    pub fn block(self) -> Block {
        match self {
            Client::Engine(engine, _) => Block::Engine(engine),
            Client::Pipe(pipe) => Block::Pipe(pipe % Block::PIPES),
            Client::Aperture => Block::Aperture,
        }
    }

    /// The context, where there is one.
    pub fn tag(self) -> Option<ContextTag> {
        match self {
            Client::Engine(_, tag) => Some(tag),
            Client::Pipe(_) | Client::Aperture => None,
        }
    }
}

/// A part of the GPU that accesses memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Block {
    /// A command streamer.
    Engine(EngineId),
    /// Scan-out of a pipe.
    Pipe(u8),
    /// The CPU's window into the GGTT.
    Aperture,
}

impl Block {
    const PIPES: u8 = 4;
    /// How many there are.
    pub(super) const COUNT: usize = EngineId::ALL.len() + Self::PIPES as usize + 1;

    /// All of them, in the order of their indices.
    pub fn all() -> impl Iterator<Item = Block> {
        let engines = EngineId::ALL.into_iter().map(Block::Engine);
        engines.chain((0..Self::PIPES).map(Block::Pipe)).chain([Block::Aperture])
    }

    /// Position below [`Self::COUNT`].
    pub(super) fn index(self) -> usize {
        match self {
            Block::Engine(engine) => engine as usize,
            Block::Pipe(pipe) => EngineId::ALL.len() + usize::from(pipe % Self::PIPES),
            Block::Aperture => Self::COUNT - 1,
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Block::Engine(engine) => f.write_str(engine.name()),
            Block::Pipe(pipe) => write!(f, "pipe-{}", char::from(b'a' + pipe % Self::PIPES)),
            Block::Aperture => f.write_str("aperture"),
        }
    }
}

impl From<Block> for String {
    fn from(block: Block) -> Self {
        block.to_string()
    }
}

impl TryFrom<String> for Block {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Block::all().find(|block| block.to_string() == name).ok_or_else(|| {
            let known: Vec<_> = Block::all().map(|block| block.to_string()).collect();
            format!("nothing called {name:?} accesses memory; choose one of {}", known.join(", "))
        })
    }
}

/// Names a set of clients: every field that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// The block, such as `"rcs0"`, `"pipe-a"` or `"aperture"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Block>,
    /// [`ContextTag::id`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Hex>,
    /// [`ContextTag::lrca`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lrca: Option<Hex>,
}

impl Selector {
    /// Whether a client is meant.
    pub fn matches(&self, client: Client) -> bool {
        let field = |wanted: Option<Hex>, actual: Option<u32>| match wanted {
            Some(wanted) => actual.map(Hex::from) == Some(wanted),
            None => true,
        };
        self.client.is_none_or(|block| block == client.block())
            && field(self.context, client.tag().map(|tag| tag.id))
            && field(self.lrca, client.tag().map(|tag| tag.lrca))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_are_unique_and_read_back() {
        for (index, block) in Block::all().enumerate() {
            assert_eq!(block.index(), index);
            assert_eq!(Block::try_from(block.to_string()), Ok(block));
        }
        assert_eq!(Block::all().count(), Block::COUNT);
        assert!(Block::try_from("rcs1".to_owned()).unwrap_err().contains("vcs1, pipe-a"));
    }

    #[test]
    fn a_selector_asks_only_for_what_it_names() {
        let client = Client::Engine(EngineId::Bcs, ContextTag { id: 5, lrca: 0x1_0000 });
        for (json, expected) in [
            ("{}", true),
            (r#"{"client": "bcs0"}"#, true),
            (r#"{"client": "rcs0"}"#, false),
            (r#"{"context": 5, "lrca": "0x10000"}"#, true),
            (r#"{"context": 6, "lrca": "0x10000"}"#, false),
            (r#"{"lrca": "0x100010000"}"#, false),
        ] {
            let selector: Selector = serde_json::from_str(json).unwrap();
            assert_eq!(selector.matches(client), expected, "{json}");
        }
        let by_context = Selector { context: Some(Hex(0)), ..Selector::default() };
        assert!(!by_context.matches(Client::Aperture));
        assert!(Selector::default().matches(Client::Pipe(1)));
    }
}
