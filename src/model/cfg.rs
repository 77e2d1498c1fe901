// SPDX-License-Identifier: GPL-2.0

//! PCI configuration space (gvt-spec 3).
//!
//! Every byte has a mask of the bits that a guest can write, so that an access of any width at any
//! alignment does what its bytes would do one by one. Only the SWSCI register acts at once, and its
//! value is not stored.
//!
//! Different from the C driver on purpose:
//!
//! - A BAR stores only the bits that decode its address, as hardware does, so that sizing works
//!   with writes of any width and no BAR ever holds a misaligned address. The C driver stores
//!   everything but four bits, knows only a write of four bytes of ones as sizing, and refuses
//!   accesses to a BAR, SWSCI and ASLS that do not start at the register.
//! - BAR4, BAR5 and the expansion ROM do not exist and read 0. The C driver stores what is written.
//! - Command and status can be written together, with four bytes.
//! - A write of less than four bytes to a BAR, SWSCI or ASLS reads no bytes that were not written.
//! - SWSCI does not touch guest memory unless a request is triggered.
//! - The state after a reset has no value of the host: see `cfg/reset.rs` for what stays.

mod reset;

use kernel::{
    bitfield,
    prelude::*, //
};

use crate::{
    addr::Gpa,
    fault::{
        Fault,
        GuestFault, //
    },
    opregion,
    platform::CONFIG_SIZE,
    ports::GuestMemory,
    region::Position,
    vgpu::read_bytes,
    wire, //
};

const COMMAND: usize = 0x04;
const STATUS_HIGH: usize = 0x07;
const CACHE_LINE_SIZE: usize = 0x0c;
const BAR0: usize = 0x10;
const BAR2: usize = 0x18;
const INTERRUPT_LINE: usize = 0x3c;
/// Where the part starts that is not the standard header.
const HEADER_SIZE: usize = 0x40;
const SWSCI: usize = 0xe8;
const ASLS: usize = 0xfc;
/// Bytes of a register: SWSCI, ASLS.
const REGISTER: usize = 4;
/// The address bits of ASLS; the others are reserved.
const ASLS_PAGE: u32 = 0xffff_f000;

/// The offset of the control word in an MSI capability.
const MSI_CONTROL: usize = 2;

bitfield! {
    /// Control word of the MSI capability.
    struct MsiControl(u16) {
        /// Number of messages, 64-bit addresses, masking: anything but the plain form.
        15:1 form;
        /// Messages are on.
        0:0 enable => bool;
    }
}

bitfield! {
    /// Control and status word of the power management capability, the byte with the state.
    struct PowerControl(u8) {
        /// D0 to D3hot.
        1:0 state;
    }
}

const D3HOT: u8 = 3;

/// Whether the guest takes message signalled interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MsiState {
    /// It does not.
    Off,
    /// It does.
    On,
    /// It wants several messages, 64-bit addresses or masking, which the vGPU does not have: no
    /// interrupt is delivered. This is the control word.
    Unsupported(u16),
}

/// PCI configuration space of a vGPU.
pub struct Cfg {
    bytes: KVec<u8>,
    after_reset: KVec<u8>,
    writable: [u8; HEADER_SIZE],
    msi: Option<usize>,
    /// Where the power state is.
    power: Option<usize>,
    d3_entered: bool,
}

impl Cfg {
    /// Configuration space after a reset, for a vGPU on a GPU with this one. Sizes are in bytes;
    /// `msi_cap` is the offset of the MSI capability, 0 if there is none.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` if a BAR has a size that no BAR can have.
    pub fn new(
        host: &[u8; CONFIG_SIZE],
        bar0_size: u64,
        bar2_size: u64,
        msi_cap: u8,
    ) -> Result<Self> {
        let mut writable = [0; HEADER_SIZE];
        wire::put(&mut writable, COMMAND, &[0xff, 0x07]);
        wire::put(&mut writable, STATUS_HIGH, &[0xf9]);
        wire::put(&mut writable, CACHE_LINE_SIZE, &[0xff]);
        wire::put(&mut writable, BAR0, &bar_mask(bar0_size)?);
        wire::put(&mut writable, BAR2, &bar_mask(bar2_size)?);
        wire::put(&mut writable, INTERRUPT_LINE, &[0xff]);

        let mut bytes = KVec::zeroed(CONFIG_SIZE, GFP_KERNEL)?;
        let mut after_reset = KVec::zeroed(CONFIG_SIZE, GFP_KERNEL)?;
        let power = reset::fill(host, &mut after_reset);
        bytes.copy_from_slice(&after_reset);
        Ok(Self {
            bytes,
            after_reset,
            writable,
            msi: (msi_cap != 0).then_some(msi_cap.into()),
            power,
            d3_entered: false,
        })
    }

    /// Back to the state after [`Cfg::new`].
    pub fn reset(&mut self) {
        self.bytes.copy_from_slice(&self.after_reset);
        self.d3_entered = false;
    }

    /// Reads `data.len()` bytes.
    ///
    /// # Errors
    ///
    /// [`GuestFault::OutOfRange`] if not all of them are inside.
    pub fn read(&self, at: Position, data: &mut [u8]) -> Result<(), Fault> {
        read_bytes(&self.bytes, at, data)
    }

    /// Writes `data`.
    ///
    /// # Errors
    ///
    /// [`GuestFault::OutOfRange`] if not all of it is inside, [`GuestFault::OpRegion`] if an SWSCI
    /// request finds no OpRegion; then nothing was written.
    pub fn write<M>(&mut self, at: Position, data: &[u8], memory: &mut M) -> Result<(), Fault>
    where
        M: GuestMemory + ?Sized,
    {
        let outside = GuestFault::OutOfRange {
            at,
            width: data.len(),
        };
        let start = usize::try_from(at.offset()).map_err(|_| outside)?;
        let end = start.checked_add(data.len()).ok_or(outside)?;
        if end > self.bytes.len() {
            return Err(outside.into());
        }
        self.request(start, data, memory)?;
        for (offset, byte) in (start..).zip(data) {
            self.write_byte(offset, *byte);
        }
        Ok(())
    }

    /// Whether the guest takes message signalled interrupts.
    pub fn msi(&self) -> MsiState {
        let Some(control) = self.msi.and_then(|cap| cap.checked_add(MSI_CONTROL)) else {
            return MsiState::Off;
        };
        let control = MsiControl::from_raw(wire::u16_at(&self.bytes, control));
        match (control.enable(), control.form().get()) {
            (false, _) => MsiState::Off,
            (true, 0) => MsiState::On,
            (true, _) => MsiState::Unsupported(control.into_raw()),
        }
    }

    /// Whether the guest put the GPU into D3hot since the last reset.
    pub fn d3_entered(&self) -> bool {
        self.d3_entered
    }

    fn write_byte(&mut self, offset: usize, value: u8) {
        let mask = match self.writable.get(offset) {
            Some(mask) => *mask,
            None if (SWSCI..).take(REGISTER).any(|byte| byte == offset) => 0,
            None => 0xff,
        };
        let Some(byte) = self.bytes.get_mut(offset) else {
            return;
        };
        *byte = match offset {
            // Writing 1 clears, writing 0 does nothing.
            STATUS_HIGH => *byte & !(value & mask),
            _ => (*byte & !mask) | (value & mask),
        };
        let stored = PowerControl::from_raw(*byte);
        if self.power == Some(offset) && stored.state() == D3HOT {
            self.d3_entered = true;
        }
    }

    /// Does what a write to SWSCI asks for, if it is one.
    fn request<M>(&mut self, start: usize, data: &[u8], memory: &mut M) -> Result<(), Fault>
    where
        M: GuestMemory + ?Sized,
    {
        let mut swsci = [0; REGISTER];
        let mut written = false;
        for (offset, byte) in (start..).zip(data) {
            let target = offset.checked_sub(SWSCI).and_then(|at| swsci.get_mut(at));
            if let Some(target) = target {
                *target = *byte;
                written = true;
            }
        }
        if written {
            let base = wire::u32_at(&self.bytes, ASLS) & ASLS_PAGE;
            let swsci = u32::from_le_bytes(swsci);
            opregion::request(swsci, Gpa::new(base.into()), memory)?;
        }
        Ok(())
    }
}

/// The bits of a 64-bit memory BAR that can be written: those that decode its address.
fn bar_mask(size: u64) -> Result<[u8; 8]> {
    const SMALLEST: u64 = 16;
    if !size.is_power_of_two() || size < SMALLEST {
        return Err(EINVAL);
    }
    Ok(size.wrapping_neg().to_le_bytes())
}
