// SPDX-License-Identifier: GPL-2.0

//! The mdev types, and what of the GPU is left for more vGPUs.

use core::fmt;

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    platform::{
        Platform,
        MAX_VGPUS, //
    },
    weight::Weight,
};

const MB: u64 = 1 << 20;

/// What the virtual monitor can show at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// 1024x768.
    Xga,
    /// 1920x1200.
    Wuxga,
}

impl Resolution {
    /// Pixels in a line.
    pub const fn width(self) -> u32 {
        match self {
            Self::Xga => 1024,
            Self::Wuxga => 1920,
        }
    }

    /// Lines.
    pub const fn height(self) -> u32 {
        match self {
            Self::Xga => 768,
            Self::Wuxga => 1200,
        }
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}x{}", self.width(), self.height())
    }
}

/// An mdev type: how much of the GPU a vGPU of this type has (gvt-spec 2.2).
#[derive(Debug, PartialEq, Eq)]
pub struct TypeConf {
    /// How many of them fit in 512 MB of aperture; the last part of the type's name.
    pub share: u8,
    /// Bytes of mappable graphics memory, which is the vGPU's part of the aperture.
    pub low: u64,
    /// Bytes of graphics memory that is not mappable.
    pub high: u64,
    /// Fence registers.
    pub fences: u32,
    /// Scheduling weight, unless the administrator sets another.
    pub weight: u16,
    /// What its monitor can show.
    pub resolution: Resolution,
}

/// All mdev types, in the order in which they are listed.
pub static TYPES: [TypeConf; 4] = [
    TypeConf {
        share: 8,
        low: 64 * MB,
        high: 384 * MB,
        fences: 4,
        weight: 2,
        resolution: Resolution::Xga,
    },
    TypeConf {
        share: 4,
        low: 128 * MB,
        high: 512 * MB,
        fences: 4,
        weight: 4,
        resolution: Resolution::Wuxga,
    },
    TypeConf {
        share: 2,
        low: 256 * MB,
        high: 1024 * MB,
        fences: 4,
        weight: 8,
        resolution: Resolution::Wuxga,
    },
    TypeConf {
        share: 1,
        low: 512 * MB,
        high: 2048 * MB,
        fences: 4,
        weight: 16,
        resolution: Resolution::Wuxga,
    },
];

impl TypeConf {
    /// The name in sysfs without the part that the mdev core puts in front, such as `GVTg_V5_4`.
    pub const fn name(&self, platform: Platform) -> TypeName {
        TypeName {
            version: platform.info().type_version,
            share: self.share,
        }
    }

    /// The text of the `description` file, five lines.
    pub const fn description(&self) -> Description<'_> {
        Description(self)
    }

    /// The weight that a vGPU of this type starts with.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the table held a weight that is none, which a test rules out.
    pub fn default_weight(&self) -> Result<Weight> {
        Weight::new(self.weight)
    }
}

/// The name of an mdev type; print it with `{}`.
#[derive(Clone, Copy, Debug)]
pub struct TypeName {
    version: u8,
    share: u8,
}

impl TypeName {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "GVTg_V{}_{}", self.version, self.share)
    }
}

/// The description of an mdev type; print it with `{}`.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a>(&'a TypeConf);

impl Description<'_> {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(conf) = self;
        writeln!(out, "low_gm_size: {}MB", conf.low / MB)?;
        writeln!(out, "high_gm_size: {}MB", conf.high / MB)?;
        writeln!(out, "fence: {}", conf.fences)?;
        writeln!(out, "resolution: {}", conf.resolution)?;
        writeln!(out, "weight: {}", conf.weight)
    }
}

/// What the GPU has in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostResources {
    /// Bytes of aperture, which is the mappable graphics memory.
    pub aperture: u64,
    /// Bytes of graphics memory that the GGTT maps, with the aperture.
    pub ggtt_total: u64,
    /// Fence registers.
    pub fences: u32,
}

/// What the host keeps for itself.
pub const HOST_RESERVE: Amounts = Amounts {
    low: 128 * MB,
    high: 384 * MB,
    fences: 4,
};

/// An amount of each thing that vGPUs are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amounts {
    /// Bytes of mappable graphics memory.
    pub low: u64,
    /// Bytes of graphics memory that is not mappable.
    pub high: u64,
    /// Fence registers.
    pub fences: u32,
}

impl Amounts {
    /// What is left without `conf`, at least nothing.
    const fn without(self, conf: &TypeConf) -> Self {
        Self {
            low: self.low.saturating_sub(conf.low),
            high: self.high.saturating_sub(conf.high),
            fences: self.fences.saturating_sub(conf.fences),
        }
    }
}

/// The identifier of a vGPU, 1 to [`MAX_VGPUS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VgpuId(u8);

impl VgpuId {
    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)
    }
}

/// The thing of which there is too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Mappable graphics memory.
    Aperture,
    /// Graphics memory that is not mappable.
    HiddenMemory,
    /// Fence registers.
    Fences,
    /// Identifiers of vGPUs.
    Ids,
}

/// Why there is no room for another vGPU; print it with `{}`. As an [`Error`] it is `ENOSPC`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// What is short.
    pub resource: Resource,
    /// How much a vGPU needs: bytes or pieces.
    pub needed: u64,
    /// How much is left: bytes or pieces.
    pub left: u64,
}

impl Shortage {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { needed, left, .. } = self;
        match self.resource {
            Resource::Aperture => megabytes(out, "aperture", *needed, *left),
            Resource::HiddenMemory => megabytes(out, "hidden graphics memory", *needed, *left),
            Resource::Fences => write!(out, "fence registers: {needed} needed, {left} left"),
            Resource::Ids => write!(out, "all {MAX_VGPUS} ids are in use"),
        }
    }
}

impl From<Shortage> for Error {
    fn from(_: Shortage) -> Self {
        ENOSPC
    }
}

fn megabytes(out: &mut fmt::Formatter<'_>, what: &str, needed: u64, left: u64) -> fmt::Result {
    write!(
        out,
        "{what}: {} MB needed, {} MB left",
        needed / MB,
        left / MB
    )
}

display!(Resolution, TypeName, Description<'_>, VgpuId, Shortage);

/// Accounts for what the vGPUs of one GPU have.
#[derive(Debug)]
pub struct Pool {
    total: Amounts,
    taken: [Option<&'static TypeConf>; MAX_VGPUS],
}

impl Pool {
    /// A pool of everything that the host does not keep.
    pub const fn new(host: &HostResources) -> Self {
        let high = host.ggtt_total.saturating_sub(host.aperture);
        Self {
            total: Amounts {
                low: host.aperture.saturating_sub(HOST_RESERVE.low),
                high: high.saturating_sub(HOST_RESERVE.high),
                fences: host.fences.saturating_sub(HOST_RESERVE.fences),
            },
            taken: [None; MAX_VGPUS],
        }
    }

    /// The types to offer: those before the first whose aperture would never fit.
    pub fn listed(&self) -> impl Iterator<Item = &'static TypeConf> {
        let low = self.total.low;
        TYPES.iter().take_while(move |conf| conf.low <= low)
    }

    /// What is left.
    pub fn left(&self) -> Amounts {
        self.taken
            .iter()
            .flatten()
            .fold(self.total, |left, conf| left.without(conf))
    }

    /// How many more vGPUs of this type there can be.
    pub fn available(&self, conf: &TypeConf) -> u32 {
        let left = self.left();
        let fences = left.fences.checked_div(conf.fences).unwrap_or(u32::MAX);
        [
            left.low.checked_div(conf.low).unwrap_or(u64::MAX),
            left.high.checked_div(conf.high).unwrap_or(u64::MAX),
            fences.into(),
        ]
        .into_iter()
        .fold(self.free_ids(), |fewest, fit| {
            u32::try_from(fit).map_or(fewest, |fit| fit.min(fewest))
        })
    }

    /// Takes what a vGPU of this type needs, with the lowest identifier that is free.
    ///
    /// # Errors
    ///
    /// The first thing of which there is too little; then nothing was taken.
    pub fn take(&mut self, conf: &'static TypeConf) -> Result<VgpuId, Shortage> {
        let left = self.left();
        let needs = [
            (Resource::Aperture, conf.low, left.low),
            (Resource::HiddenMemory, conf.high, left.high),
            (Resource::Fences, conf.fences.into(), left.fences.into()),
            (Resource::Ids, 1, self.free_ids().into()),
        ];
        for (resource, needed, left) in needs {
            if left < needed {
                return Err(Shortage {
                    resource,
                    needed,
                    left,
                });
            }
        }
        for (id, slot) in (1..).zip(&mut self.taken) {
            if slot.is_none() {
                *slot = Some(conf);
                return Ok(VgpuId(id));
            }
        }
        Err(Shortage {
            resource: Resource::Ids,
            needed: 1,
            left: 0,
        })
    }

    /// Gives back what the vGPU had. Nothing happens if it was given back before.
    pub fn put(&mut self, id: VgpuId) {
        let slot = usize::from(id.0).checked_sub(1);
        if let Some(slot) = slot.and_then(|slot| self.taken.get_mut(slot)) {
            *slot = None;
        }
    }

    fn free_ids(&self) -> u32 {
        let free = self.taken.iter().filter(|slot| slot.is_none()).count();
        u32::try_from(u64::from_safe_cast(free)).unwrap_or(0)
    }
}
