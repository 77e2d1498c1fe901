// SPDX-License-Identifier: GPL-2.0

//! The OpRegion: what a BIOS tells a graphics driver (gvt-spec 3).
//!
//! The VMM reads the image and puts a copy into guest memory; the guest finds that by the ASLS
//! register and asks for services in it by the SWSCI register.

use kernel::{
    bitfield,
    prelude::*, //
};

use crate::{
    addr::Gpa,
    fault::GuestFault,
    ports::GuestMemory,
    vbt,
    wire, //
};

/// Size of the OpRegion, in bytes.
pub const SIZE: usize = 8192;

const SIGNATURE: &[u8; 16] = b"IntelGraphicsMem";
const SIZE_IN_KIB: u32 = 8;
/// Version 2.0.
const VERSION: u32 = 0x0200_0000;
/// There is a video BIOS table and nothing else.
const MAILBOX_VBT: u32 = 1 << 3;
const LID_OPEN: u32 = 3;

const SIZE_AT: usize = 0x10;
const VERSION_AT: usize = 0x14;
const MAILBOXES_AT: usize = 0x58;
const LID_AT: usize = 0x1ac;
const SCIC_AT: u64 = 0x200;
const VBT_AT: usize = 0x400;

/// The OpRegion of every vGPU.
///
/// # Errors
///
/// `ENOMEM`.
pub fn image() -> Result<KVec<u8>> {
    let mut image = KVec::zeroed(SIZE, GFP_KERNEL)?;
    wire::put(&mut image, 0, SIGNATURE);
    wire::put(&mut image, SIZE_AT, &SIZE_IN_KIB.to_le_bytes());
    wire::put(&mut image, VERSION_AT, &VERSION.to_le_bytes());
    wire::put(&mut image, MAILBOXES_AT, &MAILBOX_VBT.to_le_bytes());
    // Drivers for Windows take a closed lid for a reason to have no display.
    wire::put(&mut image, LID_AT, &LID_OPEN.to_le_bytes());
    vbt::write(image.get_mut(VBT_AT..).unwrap_or_default());
    Ok(image)
}

bitfield! {
    /// The register by which a guest asks for a service.
    struct Swsci(u32) {
        /// The request is for this interface, not for system management.
        15:15 select => bool;
        /// Start.
        0:0 trigger => bool;
    }
}

bitfield! {
    /// What the guest wants, and how it went: the word before the parameter.
    struct Scic(u32) {
        /// Function below the main one.
        15:8 subfunction;
        /// How it went; 0 is failure.
        7:5 exit_status;
        /// Main function.
        4:1 function;
    }
}

const GET_BIOS_DATA: u32 = 4;
const SYSTEM_BIOS_CALLBACKS: u32 = 6;
const SUPPORTED_CALLS: u32 = 0;
const REQUESTED_CALLBACKS: u32 = 1;

impl Scic {
    /// Whether the guest asks what there is to ask for, which is nothing.
    fn is_query(self) -> bool {
        matches!(
            (self.function().get(), self.subfunction().get()),
            (GET_BIOS_DATA, SUPPORTED_CALLS | REQUESTED_CALLBACKS)
                | (SYSTEM_BIOS_CALLBACKS, SUPPORTED_CALLS)
        )
    }
}

/// Serves a write of `swsci` to the SWSCI register, for a guest with its OpRegion at `base`.
///
/// # Errors
///
/// [`GuestFault::OpRegion`] if guest memory is not to be had there.
pub fn request<M>(swsci: u32, base: Gpa, memory: &mut M) -> Result<(), GuestFault>
where
    M: GuestMemory + ?Sized,
{
    let swsci = Swsci::from_raw(swsci);
    if !swsci.select() || !swsci.trigger() {
        return Ok(());
    }
    let gpa = base.checked_add(SCIC_AT).ok_or(GuestFault::OpRegion {
        gpa: base,
        error: EINVAL,
    })?;
    // The word and its parameter are next to each other.
    let mut mailbox = [0; 8];
    memory
        .read_guest(gpa, &mut mailbox)
        .map_err(|error| GuestFault::OpRegion { gpa, error })?;
    let scic = Scic::from_raw(wire::u32_at(&mailbox, 0));
    if scic.is_query() {
        mailbox = [0; 8];
    } else {
        let failed = scic.with_const_exit_status::<0>();
        wire::put(&mut mailbox, 0, &failed.into_raw().to_le_bytes());
    }
    memory
        .write_guest(gpa, &mailbox)
        .map_err(|error| GuestFault::OpRegion { gpa, error })
}
