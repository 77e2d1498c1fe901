// SPDX-License-Identifier: GPL-2.0

//! The VFIO region by which a VMM gives the virtual monitor another EDID
//! (`struct vfio_region_gfx_edid` in `linux/vfio.h`; gvt-spec 2.4).
//!
//! What the VMM sets stays over a reset, as it does in the C driver: a VMM sets it once, and resets
//! the device whenever the machine restarts.

use kernel::prelude::*;

use crate::{
    edid::{
        mode::{
            Limits,
            Mode,
            ModeDefect, //
        },
        Blocks,
        EDID_SIZE,
        MAX_SIZE, //
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

/// What a write was to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The state of the link: the guest is to see it.
    Link,
    /// Anything else, which has no effect before the state of the link is written.
    Other,
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

/// The most bytes of an EDID: one block and an extension.
const ROOM: u32 = 256;

/// The EDID region of a vGPU.
pub struct EdidRegion {
    limits: Limits,
    /// What the VMM wrote; of the monitor when its link comes up the next time.
    edid: [u8; MAX_SIZE],
    /// Bytes of `edid` that can be reached; never more than there is room for.
    size: u32,
    link: Link,
    monitor: Blocks,
}

impl EdidRegion {
    /// The size that the VMM is told, in bytes. The EDID lies beyond it, and QEMU knows.
    pub const REPORTED_SIZE: usize = EDID_SIZE;

    /// A region for EDIDs with an extension, of monitors of any size within the limits. It starts
    /// with a monitor of this resolution.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(never)]
    pub fn new(resolution: Resolution, limits: Limits) -> Result<KBox<Self>> {
        let monitor = Blocks::classic(resolution);
        let mut edid = [0; MAX_SIZE];
        wire::put(&mut edid, 0, monitor.as_bytes());
        let region = Self {
            limits,
            edid,
            size: ROOM,
            link: Link::Unset,
            monitor,
        };
        Ok(KBox::new(region, GFP_KERNEL)?)
    }

    /// What the VMM wrote, all that there is room for. It need not be an EDID.
    pub fn bytes(&self) -> &[u8] {
        &self.edid
    }

    /// The EDID of the monitor: what the VMM had written when the link came up last, and that of
    /// the type's resolution before that.
    pub fn monitor(&self) -> &Blocks {
        &self.monitor
    }

    /// Puts the EDID of a monitor with this native mode in place of what the VMM wrote.
    ///
    /// # Errors
    ///
    /// [`ModeDefect::Memory`] if it is too big.
    pub fn set_mode(&mut self, mode: &Mode) -> Result<(), ModeDefect> {
        self.monitor = Blocks::monitor(mode, self.limits)?;
        self.edid = [0; MAX_SIZE];
        wire::put(&mut self.edid, 0, self.monitor.as_bytes());
        self.size = ROOM;
        Ok(())
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
            Register::MaxSize => ROOM,
            Register::Size => self.size,
            Register::MaxWidth => self.limits.largest().0.into(),
            Register::MaxHeight => self.limits.largest().1.into(),
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
    /// link state; [`GuestFault::EdidSize`], [`GuestFault::LinkState`], [`GuestFault::Edid`] and
    /// [`GuestFault::Mode`] for what these do not take. Then nothing was written.
    pub fn write(&mut self, at: Position, data: &[u8]) -> Result<Written, Fault> {
        if at.offset() >= BLOB {
            self.blob(at, data.len())?;
            let start = at.offset().saturating_sub(BLOB);
            let start = usize::try_from(start).unwrap_or(MAX_SIZE);
            wire::put(&mut self.edid, start, data);
            return Ok(Written::Other);
        }
        let register = register(at, data.len())?;
        let value = wire::u32_at(data, 0);
        match register {
            Register::Size if value > ROOM => {
                return Err(GuestFault::EdidSize { size: value }.into());
            }
            Register::Size => self.size = value,
            Register::LinkState => {
                self.set_link(value)?;
                return Ok(Written::Link);
            }
            Register::BlobOffset | Register::MaxSize | Register::MaxWidth | Register::MaxHeight => {
                return Err(GuestFault::ReadOnly { at }.into())
            }
        }
        Ok(Written::Other)
    }

    fn set_link(&mut self, value: u32) -> Result<(), GuestFault> {
        self.link = match value {
            LINK_UP => {
                self.monitor = self.checked()?;
                Link::Up
            }
            LINK_DOWN => Link::Down,
            state => return Err(GuestFault::LinkState { state }),
        };
        Ok(())
    }

    /// What the VMM wrote, if it is the EDID of a monitor that the vGPU can have.
    fn checked(&self) -> Result<Blocks, GuestFault> {
        let size = usize::try_from(self.size).unwrap_or(MAX_SIZE);
        let reachable = self.edid.get(..size).unwrap_or(&self.edid);
        let blocks = Blocks::parse(reachable).map_err(GuestFault::Edid)?;
        if let Some(native) = blocks.native() {
            self.limits
                .check(native.horizontal.active, native.vertical.active)
                .map_err(GuestFault::Mode)?;
        }
        Ok(blocks)
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
