// SPDX-License-Identifier: GPL-2.0

//! The engines of a GPU, and which registers are whose.

/// An engine, by i915's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineId {
    /// Render.
    Rcs0,
    /// Copy (blitter).
    Bcs0,
    /// The first video engine.
    Vcs0,
    /// The second video engine, which only the bigger GPUs have.
    Vcs1,
    /// Video enhancement.
    Vecs0,
}

/// Bytes of registers of an engine.
pub const ENGINE_MMIO_SIZE: u32 = 0x1000;

impl EngineId {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 5] = [Self::Rcs0, Self::Bcs0, Self::Vcs0, Self::Vcs1, Self::Vecs0];

    /// Its place in [`ALL`](Self::ALL).
    pub const fn number(self) -> usize {
        match self {
            Self::Rcs0 => 0,
            Self::Bcs0 => 1,
            Self::Vcs0 => 2,
            Self::Vcs1 => 3,
            Self::Vecs0 => 4,
        }
    }

    /// i915's name for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rcs0 => "rcs0",
            Self::Bcs0 => "bcs0",
            Self::Vcs0 => "vcs0",
            Self::Vcs1 => "vcs1",
            Self::Vecs0 => "vecs0",
        }
    }

    /// Where its registers start (`drivers/gpu/drm/i915/gt/intel_engine_cs.c`).
    pub const fn mmio_base(self) -> u32 {
        match self {
            Self::Rcs0 => 0x2000,
            Self::Bcs0 => 0x2_2000,
            Self::Vcs0 => 0x1_2000,
            Self::Vcs1 => 0x1_c000,
            Self::Vecs0 => 0x1_a000,
        }
    }

    /// The engine whose registers start there.
    pub fn from_mmio_base(base: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.mmio_base() == base)
    }

    /// The engine that has the register at `offset` in its own range.
    pub fn at(offset: u32) -> Option<Self> {
        Self::from_mmio_base(offset & !(ENGINE_MMIO_SIZE.saturating_sub(1)))
    }

    /// The engine that a register belongs to that commands can get at.
    ///
    /// Outside of the ranges of the engines there are the MOCS tables, one for each engine; the old
    /// places of the hardware status pages; and the 3D pipeline, the L3 cache and the memory
    /// arbiter, which a driver sets up from the render engine.
    pub const fn owner(offset: u32) -> Self {
        match offset {
            0x4180 | 0xc900..=0xc9ff | 0x1_2000..=0x1_2fff => Self::Vcs0,
            0xca00..=0xcaff | 0x1_c000..=0x1_cfff => Self::Vcs1,
            0x4380 | 0xcb00..=0xcbff | 0x1_a000..=0x1_afff => Self::Vecs0,
            0x4280 | 0xcc00..=0xccff | 0x2_2000..=0x2_2fff => Self::Bcs0,
            _ => Self::Rcs0,
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Rcs0 => 1 << 0,
            Self::Bcs0 => 1 << 1,
            Self::Vcs0 => 1 << 2,
            Self::Vcs1 => 1 << 3,
            Self::Vecs0 => 1 << 4,
        }
    }
}

/// Something for each engine.
#[derive(Debug, Default)]
pub struct EngineMap<T>([T; 5]);

impl<T> EngineMap<T> {
    /// What `of` makes for each engine.
    pub fn new(of: impl FnMut(EngineId) -> T) -> Self {
        Self(EngineId::ALL.map(of))
    }

    /// What `of` makes for each engine.
    ///
    /// # Errors
    ///
    /// That of `of`.
    pub fn try_new<E>(mut of: impl FnMut(EngineId) -> Result<T, E>) -> Result<Self, E> {
        Ok(Self([
            of(EngineId::Rcs0)?,
            of(EngineId::Bcs0)?,
            of(EngineId::Vcs0)?,
            of(EngineId::Vcs1)?,
            of(EngineId::Vecs0)?,
        ]))
    }

    /// That of an engine.
    pub fn get(&self, id: EngineId) -> &T {
        let [rcs0, bcs0, vcs0, vcs1, vecs0] = &self.0;
        match id {
            EngineId::Rcs0 => rcs0,
            EngineId::Bcs0 => bcs0,
            EngineId::Vcs0 => vcs0,
            EngineId::Vcs1 => vcs1,
            EngineId::Vecs0 => vecs0,
        }
    }

    /// That of an engine.
    pub fn get_mut(&mut self, id: EngineId) -> &mut T {
        let [rcs0, bcs0, vcs0, vcs1, vecs0] = &mut self.0;
        match id {
            EngineId::Rcs0 => rcs0,
            EngineId::Bcs0 => bcs0,
            EngineId::Vcs0 => vcs0,
            EngineId::Vcs1 => vcs1,
            EngineId::Vecs0 => vecs0,
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (EngineId, &T)> {
        EngineId::ALL.into_iter().zip(&self.0)
    }
}

/// A set of engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Engines(u8);

impl Engines {
    /// No engine.
    pub const NONE: Self = Self(0);

    /// These and another one.
    pub const fn with(self, id: EngineId) -> Self {
        Self(self.0 | id.bit())
    }

    /// These and others.
    pub const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether the engine is one of them.
    pub const fn contains(self, id: EngineId) -> bool {
        self.0 & id.bit() != 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = EngineId> {
        EngineId::ALL
            .into_iter()
            .filter(move |id| self.contains(*id))
    }
}
