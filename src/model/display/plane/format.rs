// SPDX-License-Identifier: GPL-2.0

//! What pixels are, and how they lie in memory (`drm_fourcc.h`; gvt-spec 10.5).

use kernel::bitfield;

use super::PlaneFault;

bitfield! {
    /// `PLANE_CTL` of Gen9.
    pub(super) struct UniversalControl(u32) {
        27:24 format;
        /// Red is in the lowest bits.
        20:20 swapped => bool;
        17:16 yuv_order;
        15:15 compressed => bool;
        12:10 tiling;
        5:4 alpha;
        1:0 rotation;
    }
}

bitfield! {
    /// `DSPCNTR` and `SPRCTL` of Gen8.
    pub(super) struct OldControl(u32) {
        29:26 primary_format;
        27:25 sprite_format;
        /// Red is in the lowest bits.
        20:20 swapped => bool;
        17:16 yuv_order;
        15:15 turned => bool;
        10:10 tiled => bool;
    }
}

/// The format of a pixel: the name is that of DRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Index into a palette.
    C8,
    /// 5, 6 and 5 bits.
    Rgb565,
    /// Red, green, blue from bit 23 on.
    Xrgb8888,
    /// With alpha from bit 31 on.
    Argb8888,
    /// Blue, green, red from bit 23 on.
    Xbgr8888,
    /// With alpha from bit 31 on.
    Abgr8888,
    /// Red, green, blue from bit 29 on.
    Xrgb2101010,
    /// Blue, green, red from bit 29 on.
    Xbgr2101010,
    /// Two pixels in four bytes: Y, U, Y, V.
    Yuyv,
    /// Two pixels in four bytes: U, Y, V, Y.
    Uyvy,
    /// Two pixels in four bytes: Y, V, Y, U.
    Yvyu,
    /// Two pixels in four bytes: V, Y, U, Y.
    Vyuy,
}

impl Format {
    /// The number that DRM and VFIO have for it.
    pub const fn fourcc(self) -> u32 {
        u32::from_le_bytes(*match self {
            Self::C8 => b"C8  ",
            Self::Rgb565 => b"RG16",
            Self::Xrgb8888 => b"XR24",
            Self::Argb8888 => b"AR24",
            Self::Xbgr8888 => b"XB24",
            Self::Abgr8888 => b"AB24",
            Self::Xrgb2101010 => b"XR30",
            Self::Xbgr2101010 => b"XB30",
            Self::Yuyv => b"YUYV",
            Self::Uyvy => b"UYVY",
            Self::Yvyu => b"YVYU",
            Self::Vyuy => b"VYUY",
        })
    }

    /// Bytes of a pixel.
    pub const fn bytes(self) -> u32 {
        match self {
            Self::C8 => 1,
            Self::Rgb565 | Self::Yuyv | Self::Uyvy | Self::Yvyu | Self::Vyuy => 2,
            Self::Xrgb8888
            | Self::Argb8888
            | Self::Xbgr8888
            | Self::Abgr8888
            | Self::Xrgb2101010
            | Self::Xbgr2101010 => 4,
        }
    }

    const fn yuv(order: u32) -> Self {
        match order {
            0 => Self::Yuyv,
            1 => Self::Uyvy,
            2 => Self::Yvyu,
            _ => Self::Vyuy,
        }
    }

    const fn deep(swapped: bool) -> Self {
        if swapped {
            Self::Xbgr2101010
        } else {
            Self::Xrgb2101010
        }
    }

    const fn plain(swapped: bool) -> Self {
        if swapped {
            Self::Xbgr8888
        } else {
            Self::Xrgb8888
        }
    }

    /// The format of a plane of Gen9 with this control register.
    pub(super) fn universal(control: u32) -> Result<Self, PlaneFault> {
        let fields = UniversalControl::from_raw(control);
        let has_alpha = fields.alpha().get() != 0;
        match fields.format().get() {
            0 => Ok(Self::yuv(fields.yuv_order().get())),
            2 => Ok(Self::deep(fields.swapped())),
            4 if !has_alpha => Ok(Self::plain(fields.swapped())),
            4 if fields.swapped() => Ok(Self::Abgr8888),
            4 => Ok(Self::Argb8888),
            12 => Ok(Self::C8),
            14 => Ok(Self::Rgb565),
            _ => Err(PlaneFault::Format(control)),
        }
    }

    /// The format of the primary plane of Gen8 with this control register.
    pub(super) fn broadwell_primary(control: u32) -> Result<Self, PlaneFault> {
        match OldControl::from_raw(control).primary_format().get() {
            2 => Ok(Self::C8),
            5 => Ok(Self::Rgb565),
            6 => Ok(Self::Xrgb8888),
            8 => Ok(Self::Xbgr2101010),
            10 => Ok(Self::Xrgb2101010),
            14 => Ok(Self::Xbgr8888),
            _ => Err(PlaneFault::Format(control)),
        }
    }

    /// The format of a sprite of Gen8 with this control register.
    pub(super) fn broadwell_sprite(control: u32) -> Result<Self, PlaneFault> {
        let fields = OldControl::from_raw(control);
        match fields.sprite_format().get() {
            0 => Ok(Self::yuv(fields.yuv_order().get())),
            1 => Ok(Self::deep(fields.swapped())),
            2 => Ok(Self::plain(fields.swapped())),
            _ => Err(PlaneFault::Format(control)),
        }
    }
}

/// How a surface lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tiling {
    /// Line after line.
    Linear,
    /// Tiles of 512 bytes and 8 lines.
    X,
    /// Tiles of 128 bytes and 32 lines.
    Y,
    /// Tiles of 4 KiB whose shape depends on the pixel.
    Yf,
}

/// `fourcc_mod_code` of Intel.
const INTEL: u64 = 1 << 56;

impl Tiling {
    /// The number that DRM and VFIO have for it.
    pub const fn modifier(self) -> u64 {
        match self {
            Self::Linear => 0,
            Self::X => INTEL | 1,
            Self::Y => INTEL | 2,
            Self::Yf => INTEL | 3,
        }
    }

    /// Lines of a tile.
    pub const fn lines(self, format: Format) -> u32 {
        match self {
            Self::Linear => 1,
            Self::X => 8,
            Self::Y => 32,
            Self::Yf => match format.bytes() {
                1 => 64,
                _ => 32,
            },
        }
    }

    /// The unit of `PLANE_STRIDE` of Gen9, in bytes.
    pub(super) const fn stride_unit(self, format: Format) -> u32 {
        match self {
            Self::Linear => 64,
            Self::X => 512,
            Self::Y => 128,
            Self::Yf => match format.bytes() {
                1 => 64,
                _ => 128,
            },
        }
    }

    /// The tiling of a plane of Gen9 with this control register.
    pub(super) fn universal(control: u32) -> Result<Self, PlaneFault> {
        match UniversalControl::from_raw(control).tiling().get() {
            0 => Ok(Self::Linear),
            1 => Ok(Self::X),
            4 => Ok(Self::Y),
            5 => Ok(Self::Yf),
            _ => Err(PlaneFault::Tiling(control)),
        }
    }
}
