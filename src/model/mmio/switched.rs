// SPDX-License-Identifier: GPL-2.0

//! Registers of the hardware that change hands with an engine (gvt-spec 4.5): each vGPU has values
//! of its own in them, and so has the host.

use core::{
    iter::StepBy,
    ops::Range, //
};

use super::handlers::open_to_users;
use crate::{
    engine::EngineId,
    platform::Platform, //
};

/// A register that changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched {
    /// The engine with which it does.
    pub engine: EngineId,
    /// Where it is.
    pub offset: u32,
    /// The upper half of what is written tells which bits of the lower half are.
    pub masked: bool,
    /// It is in the context image too, which carries it where the image is restored.
    pub in_context: bool,
}

const fn plain(engine: EngineId, offset: u32) -> Switched {
    Switched {
        engine,
        offset,
        masked: false,
        in_context: false,
    }
}

const fn masked(engine: EngineId, offset: u32) -> Switched {
    Switched {
        masked: true,
        ..plain(engine, offset)
    }
}

impl Switched {
    const fn in_context(self) -> Self {
        Self {
            in_context: true,
            ..self
        }
    }
}

/// A register that is written when an engine changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handed {
    /// Where it is.
    pub offset: u32,
    /// What there can be of values, and what is written beside them: of a masked register the bits that
    /// are.
    pub bits: u32,
    /// See [`Handed::bits`].
    pub mask: u32,
    /// Batches without privilege can have written it: only the hardware knows what it has. The host sets
    /// all others up once.
    pub by_users: bool,
}

/// Registers of an engine that are the host's alone, though the C driver hands them over: how it is
/// driven, and which interrupts it writes to its status page.
const RING_MODE: u32 = 0x29c;
const RING_HWSTAM: u32 = 0x98;
/// Of RING_MI_MODE: the engine stops, and it is idle. Neither is a guest's to say.
const RING_MI_MODE: u32 = 0x9c;
const STOP_OR_IDLE: u32 = 0x300;

/// What is written when an engine changes hands, in this order. What is in the image of a context is not
/// there: images are always loaded.
pub fn handed(platform: Platform, engine: EngineId) -> impl Iterator<Item = Handed> {
    let base = engine.mmio_base();
    let own = move |row: &&Switched| {
        let hosts = [base | RING_MODE, base | RING_HWSTAM];
        row.engine == engine && !row.in_context && !hosts.contains(&row.offset)
    };
    let registers = switched(platform).iter().filter(own).map(move |row| {
        let kept = if row.offset == base | RING_MI_MODE {
            STOP_OR_IDLE
        } else {
            0
        };
        let bits = if row.masked { 0xffff } else { u32::MAX } & !kept;
        Handed {
            offset: row.offset,
            bits,
            mask: if row.masked { bits << 16 } else { 0 },
            by_users: open_to_users(row.offset),
        }
    });
    let caching = caching(platform, engine).into_iter().flatten();
    registers.chain(caching.map(|offset| Handed {
        offset,
        bits: u32::MAX,
        mask: 0,
        by_users: false,
    }))
}

/// The registers of an engine that say how memory is cached (MOCS, and for the render engine the L3).
fn caching(platform: Platform, engine: EngineId) -> [StepBy<Range<u32>>; 2] {
    let none = 0..0;
    let (table, l3) = match (platform, engine) {
        (Platform::Broadwell, _) => (none.clone(), none),
        (_, EngineId::Rcs0) => (0xc800..0xc900, 0xb020..0xb0a0),
        (_, EngineId::Vcs0) => (0xc900..0xca00, none),
        (_, EngineId::Vcs1) => (0xca00..0xcb00, none),
        (_, EngineId::Vecs0) => (0xcb00..0xcc00, none),
        (_, EngineId::Bcs0) => (0xcc00..0xcd00, none),
    };
    [table.step_by(4), l3.step_by(4)]
}

/// The registers that change hands on a platform, in the order in which they are to be written.
pub fn switched(platform: Platform) -> &'static [Switched] {
    match platform {
        Platform::Broadwell => &GEN8,
        Platform::Skylake
        | Platform::KabyLake
        | Platform::Broxton
        | Platform::CoffeeLake
        | Platform::CometLake => &GEN9,
    }
}

static GEN8: [Switched; 27] = [
    masked(EngineId::Rcs0, 0x229c),
    plain(EngineId::Rcs0, 0x2248),
    plain(EngineId::Rcs0, 0x2098),
    masked(EngineId::Rcs0, 0x20c0).in_context(),
    plain(EngineId::Rcs0, 0x24d0),
    plain(EngineId::Rcs0, 0x24d4),
    plain(EngineId::Rcs0, 0x24d8),
    plain(EngineId::Rcs0, 0x24dc),
    plain(EngineId::Rcs0, 0x24e0),
    plain(EngineId::Rcs0, 0x24e4),
    plain(EngineId::Rcs0, 0x24e8),
    plain(EngineId::Rcs0, 0x24ec),
    plain(EngineId::Rcs0, 0x24f0),
    plain(EngineId::Rcs0, 0x24f4),
    plain(EngineId::Rcs0, 0x24f8),
    plain(EngineId::Rcs0, 0x24fc),
    masked(EngineId::Rcs0, 0x7004).in_context(),
    masked(EngineId::Rcs0, 0x7008).in_context(),
    masked(EngineId::Rcs0, 0x7000).in_context(),
    masked(EngineId::Rcs0, 0x7010).in_context(),
    masked(EngineId::Rcs0, 0x7300).in_context(),
    masked(EngineId::Rcs0, 0x83a4).in_context(),
    masked(EngineId::Bcs0, 0x2_229c),
    masked(EngineId::Bcs0, 0x2_209c),
    masked(EngineId::Bcs0, 0x2_20c0),
    plain(EngineId::Bcs0, 0x2_2098),
    masked(EngineId::Bcs0, 0x2_2028),
];

static GEN9: [Switched; 59] = [
    masked(EngineId::Rcs0, 0x229c),
    plain(EngineId::Rcs0, 0x2248),
    plain(EngineId::Rcs0, 0x2098),
    masked(EngineId::Rcs0, 0x20c0).in_context(),
    plain(EngineId::Rcs0, 0x24d0),
    plain(EngineId::Rcs0, 0x24d4),
    plain(EngineId::Rcs0, 0x24d8),
    plain(EngineId::Rcs0, 0x24dc),
    plain(EngineId::Rcs0, 0x24e0),
    plain(EngineId::Rcs0, 0x24e4),
    plain(EngineId::Rcs0, 0x24e8),
    plain(EngineId::Rcs0, 0x24ec),
    plain(EngineId::Rcs0, 0x24f0),
    plain(EngineId::Rcs0, 0x24f4),
    plain(EngineId::Rcs0, 0x24f8),
    plain(EngineId::Rcs0, 0x24fc),
    masked(EngineId::Rcs0, 0x7004).in_context(),
    masked(EngineId::Rcs0, 0x7008).in_context(),
    masked(EngineId::Rcs0, 0x7000).in_context(),
    masked(EngineId::Rcs0, 0x7010).in_context(),
    masked(EngineId::Rcs0, 0x7300).in_context(),
    masked(EngineId::Rcs0, 0x83a4).in_context(),
    plain(EngineId::Rcs0, 0x40e0),
    plain(EngineId::Rcs0, 0x40e4),
    masked(EngineId::Rcs0, 0x2580).in_context(),
    masked(EngineId::Rcs0, 0x7014).in_context(),
    masked(EngineId::Rcs0, 0x20ec),
    plain(EngineId::Rcs0, 0xb118),
    plain(EngineId::Rcs0, 0xb11c),
    plain(EngineId::Rcs0, 0xb008),
    masked(EngineId::Rcs0, 0xe100).in_context(),
    masked(EngineId::Rcs0, 0xe180).in_context(),
    masked(EngineId::Rcs0, 0xe184).in_context(),
    masked(EngineId::Rcs0, 0xe188).in_context(),
    masked(EngineId::Rcs0, 0xe194).in_context(),
    masked(EngineId::Rcs0, 0xe4f0).in_context(),
    plain(EngineId::Rcs0, 0x4de0).in_context(),
    plain(EngineId::Rcs0, 0x4de4).in_context(),
    plain(EngineId::Rcs0, 0x4de8).in_context(),
    plain(EngineId::Rcs0, 0x4dec).in_context(),
    plain(EngineId::Rcs0, 0x4df0).in_context(),
    plain(EngineId::Rcs0, 0x4df4).in_context(),
    plain(EngineId::Rcs0, 0x4dfc).in_context(),
    masked(EngineId::Bcs0, 0x2_229c),
    masked(EngineId::Bcs0, 0x2_209c),
    masked(EngineId::Bcs0, 0x2_20c0),
    plain(EngineId::Bcs0, 0x2_2098),
    masked(EngineId::Bcs0, 0x2_2028),
    masked(EngineId::Vcs1, 0x1_c028),
    masked(EngineId::Vecs0, 0x1_a028),
    masked(EngineId::Rcs0, 0x7304).in_context(),
    plain(EngineId::Rcs0, 0x940c),
    plain(EngineId::Rcs0, 0x4ab8),
    plain(EngineId::Rcs0, 0x4ab0),
    masked(EngineId::Rcs0, 0x20d4),
    masked(EngineId::Rcs0, 0x20d8).in_context(),
    plain(EngineId::Rcs0, 0xb004),
    plain(EngineId::Rcs0, 0x20a0),
    masked(EngineId::Rcs0, 0x20e4),
];
