// SPDX-License-Identifier: GPL-2.0

//! `VFIO_DEVICE_GET_IRQ_INFO` and `VFIO_DEVICE_SET_IRQS` (gvt-spec 2.5).
//!
//! The order of the checks, and with it the error of a request that is wrong in two ways, is that
//! of the C driver and of `vfio_set_irqs_validate_and_prepare` (`drivers/vfio/vfio_main.c`).
//! Different on purpose:
//!
//! - The request interrupt exists, so that the VMM can be asked to give the device back.
//! - `DATA_NONE` and `DATA_BOOL` with `ACTION_TRIGGER` fire the eventfd of the MSI, the loopback
//!   test of the VFIO interface. The C driver does nothing.
//! - File descriptor -1 takes the trigger away, as the VFIO interface says. The C driver answers
//!   `EBADF`.

use kernel::prelude::*;

/// Number of interrupt indices: those of every VFIO PCI device.
pub const IRQ_COUNT: u32 = 5;

const INTX: u32 = 0;
const MSI: u32 = 1;
const REQUEST: u32 = 4;

const INFO_EVENTFD: u32 = 1 << 0;
const INFO_MASKABLE: u32 = 1 << 1;
const INFO_AUTOMASKED: u32 = 1 << 2;
const INFO_NORESIZE: u32 = 1 << 3;

const DATA_NONE: u32 = 1 << 0;
const DATA_BOOL: u32 = 1 << 1;
const DATA_EVENTFD: u32 = 1 << 2;
const DATA_MASK: u32 = DATA_NONE | DATA_BOOL | DATA_EVENTFD;
const ACTION_MASK: u32 = 1 << 3;
const ACTION_UNMASK: u32 = 1 << 4;
const ACTION_TRIGGER: u32 = 1 << 5;
const ACTIONS: u32 = ACTION_MASK | ACTION_UNMASK | ACTION_TRIGGER;

/// Bytes of `struct vfio_irq_set` without the payload.
const SET_HEADER: u32 = 20;

/// The answer to `VFIO_DEVICE_GET_IRQ_INFO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IrqInfo {
    /// `VFIO_IRQ_INFO_*` flags.
    pub flags: u32,
    /// Number of vectors.
    pub count: u32,
}

/// What the vGPU says about the interrupt `index`.
///
/// # Errors
///
/// `EINVAL` for MSI-X and the error interrupt, which the vGPU does not have, and for indices that
/// do not exist.
pub fn irq_info(index: u32) -> Result<IrqInfo> {
    let flags = match index {
        INTX => INFO_EVENTFD | INFO_MASKABLE | INFO_AUTOMASKED,
        MSI | REQUEST => INFO_EVENTFD | INFO_NORESIZE,
        _ => return Err(EINVAL),
    };
    Ok(IrqInfo { flags, count: 1 })
}

/// Vectors of an index, 0 where there is no such interrupt.
fn vectors(index: u32) -> u32 {
    irq_info(index).map_or(0, |info| info.count)
}

/// An interrupt that has an eventfd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vector {
    /// The message signalled interrupt of the GPU.
    Msi,
    /// Asks the VMM to give the device back.
    Request,
}

/// What the driver has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IrqAction {
    /// Nothing; the answer is success.
    Nothing,
    /// Get the eventfd `fd` and put it in the place of the one there is.
    SetTrigger {
        /// Which interrupt.
        vector: Vector,
        /// A file descriptor of the VMM, which need not be an eventfd nor exist.
        fd: i32,
    },
    /// Drop the eventfd.
    ClearTrigger(Vector),
    /// Signal the eventfd, if there is one.
    Fire(Vector),
}

/// The header of `struct vfio_irq_set`, as user space gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetIrqsHeader {
    /// Bytes that user space has, with the header.
    pub argsz: u32,
    /// `VFIO_IRQ_SET_*` flags: what the payload is, and what to do.
    pub flags: u32,
    /// Which interrupt.
    pub index: u32,
    /// First vector.
    pub start: u32,
    /// Number of vectors.
    pub count: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    None,
    Bool,
    EventFd,
}

/// A request to set interrupts whose header is in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetIrqs {
    data: Data,
    trigger: bool,
    index: u32,
    start: u32,
    count: u32,
}

impl SetIrqs {
    /// Checks a header.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is not exactly one kind of data and one action. With data, also if the
    /// header is too short, has unknown flags or an unknown index, counts no vector or one that
    /// the index does not have, or if `argsz` has no room for the payload.
    pub fn parse(header: &SetIrqsHeader) -> Result<Self> {
        let data = match header.flags & DATA_MASK {
            DATA_NONE => Data::None,
            DATA_BOOL => Data::Bool,
            DATA_EVENTFD => Data::EventFd,
            _ => return Err(EINVAL),
        };
        let trigger = match header.flags & ACTIONS {
            ACTION_MASK | ACTION_UNMASK => false,
            ACTION_TRIGGER => true,
            _ => return Err(EINVAL),
        };
        let request = Self {
            data,
            trigger,
            index: header.index,
            start: header.start,
            count: header.count,
        };
        if data != Data::None {
            request.validate(header)?;
        }
        Ok(request)
    }

    fn validate(&self, header: &SetIrqsHeader) -> Result {
        let room = header.argsz.checked_sub(SET_HEADER).ok_or(EINVAL)?;
        let end = self.start.checked_add(self.count).ok_or(EINVAL)?;
        let known = header.flags & !(DATA_MASK | ACTIONS) == 0;
        if self.count == 0 || !known || end > vectors(self.index) {
            return Err(EINVAL);
        }
        if usize::try_from(room).map_err(|_| EINVAL)? < self.payload_len() {
            return Err(EINVAL);
        }
        Ok(())
    }

    /// How many bytes follow the header, which the driver must copy for [`SetIrqs::action`]; at
    /// most 4, because no interrupt has more than one vector.
    pub const fn payload_len(&self) -> usize {
        match self.data {
            Data::None => 0,
            Data::Bool => 1,
            Data::EventFd => 4,
        }
    }

    /// What to do about the request, with the bytes that followed its header.
    ///
    /// # Errors
    ///
    /// `ENOTTY` if the interrupt does not exist or cannot do that; `EINVAL` if `payload` is not of
    /// the length that [`SetIrqs::payload_len`] told.
    pub fn action(&self, payload: &[u8]) -> Result<IrqAction> {
        if payload.len() != self.payload_len() {
            return Err(EINVAL);
        }
        let vector = match self.index {
            // The vGPU never raises INTx, so that there is nothing to set up.
            INTX => return Ok(IrqAction::Nothing),
            MSI => Vector::Msi,
            REQUEST => Vector::Request,
            _ => return Err(ENOTTY),
        };
        if !self.trigger {
            return Err(ENOTTY);
        }
        match self.data {
            Data::None if self.count == 0 => Ok(IrqAction::ClearTrigger(vector)),
            Data::None if self.start == 0 => Ok(IrqAction::Fire(vector)),
            Data::None => Ok(IrqAction::Nothing),
            Data::Bool if payload == [0].as_slice() => Ok(IrqAction::Nothing),
            Data::Bool => Ok(IrqAction::Fire(vector)),
            Data::EventFd => {
                let fd = i32::from_le_bytes(payload.try_into().map_err(|_| EINVAL)?);
                match fd {
                    -1 => Ok(IrqAction::ClearTrigger(vector)),
                    _ => Ok(IrqAction::SetTrigger { vector, fd }),
                }
            }
        }
    }
}
