// SPDX-License-Identifier: GPL-2.0

//! The VFIO region by which a VMM gives the virtual monitor another EDID
//! (`struct vfio_region_gfx_edid` in `linux/vfio.h`; gvt-spec 2.4).
//!
//! What the VMM sets stays over a reset, as it does in the C driver: a VMM sets it once, and resets
//! the device whenever the machine restarts.

use kernel::prelude::*;

use crate::{
    edid::{
        self,
        Edid,
        EDID_SIZE, //
    },
    fault::{
        Fault,
        GuestFault, //
    },
    region::Position,
    types::Resolution,
    wire, //
};

/// Where the EDID is in the region.
const BLOB: u64 = 2048;
/// Bytes of a register.
const REGISTER: usize = 4;

const LINK_UP: u32 = 1;
const LINK_DOWN: u32 = 2;

/// The state of the link to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The VMM said nothing yet.
    Unset,
    /// There is a monitor with the EDID that the region holds.
    Up,
    /// There is no monitor.
    Down,
}

impl Link {
    const fn raw(self) -> u32 {
        match self {
            Self::Unset => 0,
            Self::Up => LINK_UP,
            Self::Down => LINK_DOWN,
        }
    }
}

/// The registers, in the order in which they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Register {
    BlobOffset,
    MaxSize,
    Size,
    MaxWidth,
    MaxHeight,
    LinkState,
}

impl Register {
    fn at(offset: u64) -> Option<Self> {
        match offset {
            0 => Some(Self::BlobOffset),
            4 => Some(Self::MaxSize),
            8 => Some(Self::Size),
            12 => Some(Self::MaxWidth),
            16 => Some(Self::MaxHeight),
            20 => Some(Self::LinkState),
            _ => None,
        }
    }
}

/// The EDID region of a vGPU.
pub struct EdidRegion {
    resolution: Resolution,
    edid: Edid,
    /// Bytes of `edid` that can be reached; never more than there are.
    size: u32,
    link: Link,
}

impl EdidRegion {
    /// The size that the VMM is told, in bytes. The EDID lies beyond it, and QEMU knows.
    pub const REPORTED_SIZE: usize = EDID_SIZE;
    const MAX_SIZE: u32 = 128;

    /// A region with the EDID of a monitor of that resolution.
    pub fn new(resolution: Resolution) -> Self {
        Self {
            resolution,
            edid: edid::monitor(resolution),
            size: Self::MAX_SIZE,
            link: Link::Unset,
        }
    }

    /// The EDID of the monitor.
    pub fn edid(&self) -> &Edid {
        &self.edid
    }

    /// The state of the link to the monitor.
    pub fn link(&self) -> Link {
        self.link
    }

    /// Reads a register, which takes 4 bytes, or bytes of the EDID.
    ///
    /// # Errors
    ///
    /// [`GuestFault::Width`] and [`GuestFault::OutOfRange`].
    pub fn read(&self, at: Position, data: &mut [u8]) -> Result<(), Fault> {
        if at.offset() >= BLOB {
            let blob = self.blob(at, data.len())?;
            data.copy_from_slice(blob);
            return Ok(());
        }
        let value = match register(at, data.len())? {
            Register::BlobOffset => u32::try_from(BLOB).unwrap_or(0),
            Register::MaxSize => Self::MAX_SIZE,
            Register::Size => self.size,
            Register::MaxWidth => self.resolution.width(),
            Register::MaxHeight => self.resolution.height(),
            Register::LinkState => self.link.raw(),
        };
        data.copy_from_slice(&value.to_le_bytes());
        Ok(())
    }

    /// Writes a register, which takes 4 bytes, or bytes of the EDID.
    ///
    /// # Errors
    ///
    /// As [`EdidRegion::read`]; [`GuestFault::ReadOnly`] for a register other than the size and the
    /// link state; [`GuestFault::EdidSize`], [`GuestFault::LinkState`] and [`GuestFault::Edid`] for
    /// what these do not take. Then nothing was written.
    pub fn write(&mut self, at: Position, data: &[u8]) -> Result<(), Fault> {
        if at.offset() >= BLOB {
            self.blob(at, data.len())?;
            let start = at.offset().saturating_sub(BLOB);
            let start = usize::try_from(start).unwrap_or(EDID_SIZE);
            wire::put(&mut self.edid, start, data);
            return Ok(());
        }
        let register = register(at, data.len())?;
        let value = wire::u32_at(data, 0);
        match register {
            Register::Size if value > Self::MAX_SIZE => {
                return Err(GuestFault::EdidSize { size: value }.into());
            }
            Register::Size => self.size = value,
            Register::LinkState => self.link = self.next_link(value)?,
            Register::BlobOffset | Register::MaxSize | Register::MaxWidth | Register::MaxHeight => {
                return Err(GuestFault::ReadOnly { at }.into())
            }
        }
        Ok(())
    }

    /// The state of the link after a write of `value`.
    fn next_link(&self, value: u32) -> Result<Link, GuestFault> {
        match value {
            LINK_UP => {
                edid::validate(&self.edid).map_err(GuestFault::Edid)?;
                Ok(Link::Up)
            }
            LINK_DOWN => Ok(Link::Down),
            state => Err(GuestFault::LinkState { state }),
        }
    }

    /// The bytes of the EDID that an access is to.
    fn blob(&self, at: Position, width: usize) -> Result<&[u8], GuestFault> {
        let outside = GuestFault::OutOfRange { at, width };
        let start = at.offset().checked_sub(BLOB).ok_or(outside)?;
        let start = usize::try_from(start).map_err(|_| outside)?;
        let end = start.checked_add(width).ok_or(outside)?;
        let size = usize::try_from(self.size).map_err(|_| outside)?;
        let reachable = self.edid.get(..size).ok_or(outside)?;
        reachable.get(start..end).ok_or(outside)
    }
}

fn register(at: Position, width: usize) -> Result<Register, GuestFault> {
    if width != REGISTER {
        return Err(GuestFault::Width { at, width });
    }
    Register::at(at.offset()).ok_or(GuestFault::OutOfRange { at, width })
}
