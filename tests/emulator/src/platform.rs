// SPDX-License-Identifier: GPL-2.0
//! The GPUs that can be emulated, as data.
//!
//! A platform is one row of [`PLATFORMS`]; nothing else in the crate asks for a platform by name. Sources: i915's
//! PCI id list (`include/drm/intel/pciids.h`) for identities, the Broadwell and Skylake PRM volumes "Command Reference:
//! Registers" for fuses and clocks.

/// Graphics architecture generation of a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gen {
    /// Broadwell.
    Gen8,
    /// Skylake and everything derived from it.
    Gen9,
}

/// Display engine flavour, which decides clocks, PLLs and hotplug wiring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisplayKind {
    /// Broadwell: LCPLL and WRPLLs, south display in a Lynx/Wildcat Point PCH.
    Broadwell,
    /// Skylake, Kaby Lake, Coffee Lake, Comet Lake: DPLL0-3, universal planes, PCH GMBUS.
    Skylake,
    /// Broxton: PHY-attached PLLs and no PCH.
    Broxton,
}

/// South display that i915 takes for granted next to a platform in a virtual machine (`intel_pch.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pch {
    /// Lynx Point, low power variant.
    LynxPoint,
    /// Sunrise Point.
    SunrisePoint,
    /// Cannon Point.
    CannonPoint,
    /// The display has no south part.
    None,
}

/// What distinguishes one emulated GPU from another.
#[derive(Debug)]
pub struct Platform {
    /// Name on the command line.
    pub name: &'static str,
    /// Name in messages.
    pub title: &'static str,
    /// PCI device id of the part with one video engine.
    pub device_id: u16,
    /// PCI device id of the part with two video engines, where there is one.
    pub device_id_vcs1: Option<u16>,
    /// PCI revision, which i915 turns into a stepping.
    pub revision: u8,
    /// Generation of the render side.
    pub gen: Gen,
    /// Flavour of the display side.
    pub display: DisplayKind,
    /// South display.
    pub pch: Pch,
    /// `GEN8_FUSE2` (0x9120): enabled slices and disabled subslices.
    pub fuse2: u32,
    /// `EU_DISABLE0..2` (0x9134..0x913c).
    pub eu_disable: [u32; 3],
    /// Command streamer timestamp frequency in Hz.
    pub timestamp_hz: u64,
    /// `RP_STATE_CAP` (0x145998): RP0, RP1 and RPn in units of 50 MHz.
    pub rp_state_cap: u32,
    /// Whether a GEN9_PCODE_SAGV_CONTROL request is answered.
    pub has_sagv: bool,
}

/// All platforms, in order of appearance on the market.
pub static PLATFORMS: [Platform; 6] = [
    Platform {
        name: "bdw",
        title: "Broadwell GT2",
        device_id: 0x1616,
        device_id_vcs1: Some(0x1626),
        revision: 9,
        gen: Gen::Gen8,
        display: DisplayKind::Broadwell,
        pch: Pch::LynxPoint,
        fuse2: 0x0200_0000,
        eu_disable: [0, 0xffff_0000, 0xffff_ffff],
        timestamp_hz: 12_500_000,
        rp_state_cap: 0x0005_0712,
        has_sagv: false,
    },
    Platform {
        name: "skl",
        title: "Skylake GT2",
        device_id: 0x1912,
        device_id_vcs1: Some(0x1926),
        revision: 6,
        gen: Gen::Gen9,
        display: DisplayKind::Skylake,
        pch: Pch::SunrisePoint,
        fuse2: 0x0280_0000,
        eu_disable: [0xff00_0000, 0xffff_ffff, 0xffff_ffff],
        timestamp_hz: 12_000_000,
        rp_state_cap: 0x0007_0716,
        has_sagv: true,
    },
    Platform {
        name: "bxt",
        title: "Broxton",
        device_id: 0x5a84,
        device_id_vcs1: None,
        revision: 0x0b,
        gen: Gen::Gen9,
        display: DisplayKind::Broxton,
        pch: Pch::None,
        fuse2: 0x0280_0000,
        eu_disable: [0xffc0_c0c0, 0xffff_ffff, 0xffff_ffff],
        timestamp_hz: 19_200_000,
        rp_state_cap: 0x0002_0810,
        has_sagv: false,
    },
    Platform {
        name: "kbl",
        title: "Kaby Lake GT2",
        device_id: 0x5912,
        device_id_vcs1: Some(0x5926),
        revision: 4,
        gen: Gen::Gen9,
        display: DisplayKind::Skylake,
        pch: Pch::SunrisePoint,
        fuse2: 0x0280_0000,
        eu_disable: [0xff00_0000, 0xffff_ffff, 0xffff_ffff],
        timestamp_hz: 12_000_000,
        rp_state_cap: 0x0007_0716,
        has_sagv: true,
    },
    Platform {
        name: "cfl",
        title: "Coffee Lake GT2",
        device_id: 0x3e92,
        device_id_vcs1: Some(0x3ea5),
        revision: 0,
        gen: Gen::Gen9,
        display: DisplayKind::Skylake,
        pch: Pch::CannonPoint,
        fuse2: 0x0280_0000,
        eu_disable: [0xff00_0000, 0xffff_ffff, 0xffff_ffff],
        timestamp_hz: 12_000_000,
        rp_state_cap: 0x0007_0716,
        has_sagv: true,
    },
    Platform {
        name: "cml",
        title: "Comet Lake GT2",
        device_id: 0x9bc5,
        device_id_vcs1: None,
        revision: 3,
        gen: Gen::Gen9,
        display: DisplayKind::Skylake,
        pch: Pch::CannonPoint,
        fuse2: 0x0280_0000,
        eu_disable: [0xff00_0000, 0xffff_ffff, 0xffff_ffff],
        timestamp_hz: 12_000_000,
        rp_state_cap: 0x0007_0716,
        has_sagv: true,
    },
];

impl Platform {
    /// Finds a platform by its command line name.
    ///
    /// # Errors
    ///
    /// The names that exist, where `name` is none of them.
    pub fn by_name(name: &str) -> Result<&'static Platform, String> {
        PLATFORMS.iter().find(|p| p.name == name).ok_or_else(|| {
            let known: Vec<_> = PLATFORMS.iter().map(|p| p.name).collect();
            format!("no platform {name:?}; choose one of {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_unique() {
        for platform in &PLATFORMS {
            assert!(std::ptr::eq(Platform::by_name(platform.name).unwrap(), platform));
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = Platform::by_name("tgl").unwrap_err();
        assert!(error.contains("skl") && error.contains("tgl"), "{error}");
    }
}
