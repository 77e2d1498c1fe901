// SPDX-License-Identifier: GPL-2.0

//! Registers of the hardware that change hands with an engine (gvt-spec 4.5): each vGPU has values
//! of its own in them, and so has the host.

use core::ops::{
    Range,
    RangeInclusive, //
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

/// Which registers that change hands the commands of some work can write, by their numbers in the order of
/// [`handed`]: only the hardware knows what they have afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written([u64; 4]);

impl Written {
    /// How many registers can change hands with one engine.
    pub const MAX: usize = 256;

    /// Whether register `number` is among them.
    pub fn contains(&self, number: usize) -> bool {
        let word = self.0.get(number / 64).copied().unwrap_or(0);
        word.wrapping_shr(Self::shift(number)) & 1 != 0
    }

    /// Those of other work, too.
    pub fn add(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word |= other;
        }
    }

    /// The register at an offset, if it changes hands.
    pub fn note(&mut self, platform: Platform, engine: EngineId, offset: u32) {
        let number = handed(platform, engine).position(|register| register.offset == offset);
        if let Some(number) = number {
            if let Some(word) = self.0.get_mut(number / 64) {
                *word |= 1u64.wrapping_shl(Self::shift(number));
            }
        }
    }

    fn shift(number: usize) -> u32 {
        u32::try_from(number % 64).unwrap_or(0)
    }
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
    let registers = own_rows(platform).filter(own).map(move |row| {
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
    let caching = caching(platform, engine).into_iter();
    let caching = caching.flat_map(|registers| registers.step_by(4));
    registers.chain(caching.map(|offset| Handed {
        offset,
        bits: u32::MAX,
        mask: 0,
        by_users: false,
    }))
}

/// The registers of an engine that say how memory is cached (MOCS, and for the render engine the L3).
fn caching(platform: Platform, engine: EngineId) -> [Range<u32>; 2] {
    let none = 0..0;
    let (table, l3) = match (platform, engine) {
        (Platform::Broadwell, _) => (none.clone(), none),
        (_, EngineId::Rcs0) => (0xc800..0xc900, 0xb020..0xb0a0),
        (_, EngineId::Vcs0) => (0xc900..0xca00, none),
        (_, EngineId::Vcs1) => (0xca00..0xcb00, none),
        (_, EngineId::Vecs0) => (0xcb00..0xcc00, none),
        (_, EngineId::Bcs0) => (0xcc00..0xcd00, none),
    };
    [table, l3]
}

/// Registers that change hands, and of which the C driver leaves what a guest has written to the next one.
fn added(platform: Platform) -> &'static [Switched] {
    match platform {
        Platform::Broadwell => &ADDED_GEN8,
        Platform::Skylake
        | Platform::KabyLake
        | Platform::Broxton
        | Platform::CoffeeLake
        | Platform::CometLake => &ADDED_GEN9,
    }
}

fn own_rows(platform: Platform) -> impl Iterator<Item = &'static Switched> {
    switched(platform).iter().chain(added(platform))
}

/// Whether what a command of a guest writes to a register of the hardware stays with that guest: because the
/// register changes hands, or because the hardware saves it with each context. No command reaches any other.
pub(crate) fn stays(platform: Platform, engine: EngineId, offset: u32) -> bool {
    let inside = offset.wrapping_sub(engine.mmio_base());
    let more = match engine {
        EngineId::Rcs0 => &RENDER_IMAGE[..],
        EngineId::Bcs0 => &BLITTER_IMAGE[..],
        EngineId::Vcs0 | EngineId::Vcs1 | EngineId::Vecs0 => &[],
    };
    own_rows(platform).any(|row| row.engine == engine && row.offset == offset)
        || caching(platform, engine)
            .iter()
            .any(|registers| registers.contains(&offset))
        || IMAGE.iter().any(|registers| registers.contains(&inside))
        || more.iter().any(|registers| registers.contains(&offset))
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

/// GEN8_L3SQCREG4, which i915's workaround batches write and load back, and 0x21f0, which may be loaded too.
static ADDED_GEN8: [Switched; 2] = [plain(EngineId::Rcs0, 0xb118), plain(EngineId::Rcs0, 0x21f0)];

/// FF_SLICE_CHICKEN and _3D_CHICKEN3, which i915's workaround batches write, and 0x21f0 as before.
static ADDED_GEN9: [Switched; 3] = [
    masked(EngineId::Rcs0, 0x2088),
    masked(EngineId::Rcs0, 0x2090),
    plain(EngineId::Rcs0, 0x21f0),
];

/// What the hardware saves with a context, of each engine (the places of `drivers/gpu/drm/i915/gt/intel_lrc.c`):
/// EXCC, MI_MODE, INSTPM, PR_CTR_CTL and PR_CTR_THRSH, the general purpose registers.
static IMAGE: [RangeInclusive<u32>; 5] = [
    0x28..=0x28,
    0x9c..=0x9c,
    0xc0..=0xc0,
    0x178..=0x17c,
    0x600..=0x63c,
];

/// And of the render engine: what Mesa counts and draws with from any batch, and what i915 sets up from the ring
/// of each new context (`gt/intel_workarounds.c`), with the registers beside.
static RENDER_IMAGE: [RangeInclusive<u32>; 15] = [
    // Threads that were dispatched, statistics of the pipeline.
    0x2290..=0x2294,
    0x2300..=0x2354,
    // Indirect draws: 3DPRIM_END_OFFSET, 3DPRIM_START_VERTEX and those that follow.
    0x2420..=0x2420,
    0x2430..=0x243c,
    // Stream output: what was written, what was wanted, where it goes on.
    0x5200..=0x521c,
    0x5240..=0x525c,
    0x5280..=0x528c,
    // WM_CHICKEN3.
    0x5588..=0x5588,
    // CACHE_MODE_0 and 1, GT_MODE, COMMON_SLICE_CHICKEN1 and 2, HIZ_CHICKEN.
    0x7000..=0x7018,
    // L3CNTLREG.
    0x7034..=0x7034,
    // HDC_CHICKEN0 and 1.
    0x7300..=0x7304,
    // HALF_SLICE_CHICKEN1 to 3, 5 and 7.
    0xe100..=0xe100,
    0xe180..=0xe188,
    0xe194..=0xe194,
    // ROW_CHICKEN and ROW_CHICKEN2.
    0xe4f0..=0xe4f4,
];

/// And of the blitter: BCS_SWCTRL.
static BLITTER_IMAGE: [RangeInclusive<u32>; 1] = [0x2_2200..=0x2_2200];
