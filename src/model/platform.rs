// SPDX-License-Identifier: GPL-2.0

//! The GPUs that can be shared, as data.

/// A GPU family that i915 offers virtual GPUs on (`drivers/gpu/drm/i915/intel_gvt.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Platform {
    /// Broadwell, Gen8.
    Broadwell,
    /// Skylake, Gen9.
    Skylake,
    /// Kaby Lake, Gen9.
    KabyLake,
    /// Broxton, Gen9 low power.
    Broxton,
    /// Coffee Lake, Gen9.
    CoffeeLake,
    /// Comet Lake, Gen9.
    CometLake,
}

impl Platform {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Broadwell,
        Self::Skylake,
        Self::KabyLake,
        Self::Broxton,
        Self::CoffeeLake,
        Self::CometLake,
    ];
}

/// A set of platforms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platforms(u8);

impl Platforms {
    /// These two sets together.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the platform is one of them.
    pub const fn contains(self, platform: Platform) -> bool {
        self.0 & platform.alone().0 != 0
    }
}

/// A digital port that a monitor can be plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// Port B.
    B,
    /// Port D.
    D,
}

/// What differs between platforms.
#[derive(Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The name in messages.
    pub name: &'static str,
    /// Graphics version as i915 counts it: 8 or 9.
    pub graphics_version: u8,
    /// The number after the V in the names of mdev types: 4 or 5.
    pub type_version: u8,
    /// The port with the virtual monitor.
    pub monitor_port: Port,
}

/// Bytes of registers at the start of BAR0.
pub const MMIO_SIZE: u64 = 2 << 20;
/// Where in BAR0 the window to the GGTT starts, in bytes.
pub const GGTT_OFFSET: u64 = 8 << 20;
/// Bytes of PCI configuration space.
pub const CONFIG_SIZE: usize = 4096;
/// The most vGPUs that a GPU can have; identifiers are 1 to 7.
pub const MAX_VGPUS: usize = 7;

impl Platform {
    /// The set of this platform alone.
    pub const fn alone(self) -> Platforms {
        Platforms(match self {
            Self::Broadwell => 1 << 0,
            Self::Skylake => 1 << 1,
            Self::KabyLake => 1 << 2,
            Self::Broxton => 1 << 3,
            Self::CoffeeLake => 1 << 4,
            Self::CometLake => 1 << 5,
        })
    }

    /// The data of the platform.
    pub const fn info(self) -> &'static DeviceInfo {
        match self {
            Self::Broadwell => &BROADWELL,
            Self::Skylake => &SKYLAKE,
            Self::KabyLake => &KABY_LAKE,
            Self::Broxton => &BROXTON,
            Self::CoffeeLake => &COFFEE_LAKE,
            Self::CometLake => &COMET_LAKE,
        }
    }
}

static BROADWELL: DeviceInfo = DeviceInfo {
    name: "Broadwell",
    graphics_version: 8,
    type_version: 4,
    monitor_port: Port::B,
};

static SKYLAKE: DeviceInfo = DeviceInfo {
    name: "Skylake",
    graphics_version: 9,
    type_version: 5,
    monitor_port: Port::D,
};

static KABY_LAKE: DeviceInfo = DeviceInfo {
    name: "Kaby Lake",
    graphics_version: 9,
    type_version: 5,
    monitor_port: Port::D,
};

static BROXTON: DeviceInfo = DeviceInfo {
    name: "Broxton",
    graphics_version: 9,
    type_version: 5,
    monitor_port: Port::B,
};

static COFFEE_LAKE: DeviceInfo = DeviceInfo {
    name: "Coffee Lake",
    graphics_version: 9,
    type_version: 5,
    monitor_port: Port::D,
};

static COMET_LAKE: DeviceInfo = DeviceInfo {
    name: "Comet Lake",
    graphics_version: 9,
    type_version: 5,
    monitor_port: Port::D,
};
