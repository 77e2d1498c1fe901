// SPDX-License-Identifier: GPL-2.0

//! The regions of the VFIO device and how a file position names a byte of one (gvt-spec 2.4).

use kernel::{
    num::casts::FromSafeCast,
    prelude::*, //
};

use crate::{
    access::Pieces,
    addr::GmRange, //
};

/// Number of regions: those that every VFIO PCI device has, the OpRegion and the EDID.
pub const REGION_COUNT: u32 = 11;

/// Number of bits of a file position that are the offset in a region.
const OFFSET_BITS: u32 = 40;

/// Flag of a region: it can be read. This and the next three are those of `linux/vfio.h`.
pub const FLAG_READ: u32 = 1 << 0;
/// Flag of a region: it can be written.
pub const FLAG_WRITE: u32 = 1 << 1;
/// Flag of a region: a part of it can be mapped.
pub const FLAG_MMAP: u32 = 1 << 2;
/// Flag of a region: there are capabilities behind the answer.
pub const FLAG_CAPS: u32 = 1 << 3;

/// A region that has something in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// BAR0: registers and the window to the GGTT.
    Bar0,
    /// BAR2: the aperture.
    Aperture,
    /// PCI configuration space.
    Config,
    /// The OpRegion, which QEMU copies into guest memory.
    OpRegion,
    /// The EDID of the virtual monitor.
    Edid,
}

impl Region {
    /// The region with the VFIO index; `None` for those that are empty or do not exist.
    pub const fn from_index(index: u32) -> Option<Self> {
        match index {
            0 => Some(Self::Bar0),
            2 => Some(Self::Aperture),
            7 => Some(Self::Config),
            9 => Some(Self::OpRegion),
            10 => Some(Self::Edid),
            _ => None,
        }
    }

    /// The VFIO index of the region.
    pub const fn index(self) -> u32 {
        match self {
            Self::Bar0 => 0,
            Self::Aperture => 2,
            Self::Config => 7,
            Self::OpRegion => 9,
            Self::Edid => 10,
        }
    }

    /// The widest access, in bytes, that the region takes at once.
    pub const fn max_width(self) -> usize {
        match self {
            Self::Bar0 | Self::Aperture => 8,
            Self::Config | Self::OpRegion | Self::Edid => 4,
        }
    }
}

/// A byte of a region: what a position in the file of a VFIO device means.
///
/// # Invariants
///
/// `offset` is below 2 to the power of 40.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    index: u32,
    offset: u64,
}

impl Position {
    /// The byte at `offset` of the region `index`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the offset does not fit in a file position.
    pub fn new(index: u32, offset: u64) -> Result<Self> {
        if offset >> OFFSET_BITS != 0 {
            return Err(EINVAL);
        }
        // INVARIANT: just checked.
        Ok(Self { index, offset })
    }

    /// Takes a file position apart. Neither part is cut, so that no position stands for a byte of
    /// another region or for another byte of its region.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a negative position.
    pub fn decode(position: i64) -> Result<Self> {
        let position = u64::try_from(position).map_err(|_| EINVAL)?;
        let index = u32::try_from(position >> OFFSET_BITS).map_err(|_| EINVAL)?;
        // INVARIANT: all other bits are masked out.
        Ok(Self {
            index,
            offset: position & OFFSET_MASK,
        })
    }

    /// The VFIO index of the region, which need not exist.
    pub const fn index(self) -> u32 {
        self.index
    }

    /// The offset in the region, in bytes, which may be outside of it.
    pub const fn offset(self) -> u64 {
        self.offset
    }

    /// The region, if there is something in it.
    pub const fn region(self) -> Option<Region> {
        Region::from_index(self.index)
    }

    /// Whether an access of `length` bytes from here on is one that a device takes as it is, as nearly
    /// all are.
    #[inline]
    pub fn is_whole(self, length: usize) -> bool {
        // What is aligned to its own size ends at the end of all offsets, or before.
        length.is_power_of_two()
            && self.offset & u64::from_safe_cast(length.wrapping_sub(1)) == 0
            && self
                .region()
                .is_some_and(|region| length <= region.max_width())
    }

    /// Splits an access of `length` bytes from here on into accesses that a device takes.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the access goes beyond the last offset that a file position can have.
    pub fn pieces(self, length: usize) -> Result<Pieces> {
        // An access to a region that does not exist fails at its first piece, whatever the width.
        let width = self.region().map_or(1, Region::max_width);
        let pieces = Pieces::new(self.offset, length, width)?;
        if pieces.end() > OFFSET_MASK.saturating_add(1) {
            return Err(EINVAL);
        }
        Ok(pieces)
    }
}

const OFFSET_MASK: u64 = (1 << OFFSET_BITS) - 1;

/// The file position of the first byte of a region: `offset` of `struct vfio_region_info`.
pub fn file_offset(index: u32) -> u64 {
    u64::from(index) << OFFSET_BITS
}

/// What a region is, for a region that is not one of a PCI device: `VFIO_REGION_INFO_CAP_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionKind {
    /// `type` of the capability.
    pub id: u32,
    /// `subtype` of the capability.
    pub subtype: u32,
}

impl RegionKind {
    /// An OpRegion: type of a PCI vendor, Intel's, with their first subtype.
    pub const OPREGION: Self = Self {
        id: 0x8000_8086,
        subtype: 1,
    };
    /// An EDID: type for graphics, first subtype.
    pub const EDID: Self = Self { id: 1, subtype: 1 };
}

/// The answer to `VFIO_DEVICE_GET_REGION_INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionInfo {
    /// Size in bytes, 0 if there is nothing.
    pub size: u64,
    /// `FLAG_READ` and so on.
    pub flags: u32,
    /// The one area that can be mapped: `VFIO_REGION_INFO_CAP_SPARSE_MMAP`.
    pub sparse: Option<GmRange>,
    /// What it is: `VFIO_REGION_INFO_CAP_TYPE`.
    pub kind: Option<RegionKind>,
}

impl RegionInfo {
    /// A region with nothing in it.
    pub const EMPTY: Self = Self {
        size: 0,
        flags: 0,
        sparse: None,
        kind: None,
    };
}
