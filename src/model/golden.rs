// SPDX-License-Identifier: GPL-2.0

//! The state of a GPU after power-on, from a file (gvt-spec 11): `golden_hw_state`.
//!
//! An administrator can put one in place of what i915 saw when it started. It is in the format of the
//! C driver. Of its registers only those count that describe the GPU, as with what i915 saw.

use core::fmt;

use crate::{
    mmio::MAGIC,
    platform::{
        CONFIG_SIZE,
        MMIO_SIZE, //
    },
    wire, //
};

/// Bytes before the contents: magic, checksum, version, and size and place of both parts.
const HEADER: usize = 48;
/// What the checksum is of begins here.
const CHECKED: usize = 12;
const VERSION: u32 = 0;

/// What makes a GPU the one that a file is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// PCI vendor.
    pub vendor: u16,
    /// PCI device.
    pub device: u16,
    /// PCI revision.
    pub revision: u8,
}

impl Identity {
    /// That of a GPU with this configuration space.
    pub fn of(config: &[u8]) -> Self {
        Self {
            vendor: wire::u16_at(config, 0),
            device: wire::u16_at(config, 2),
            revision: config.get(8).copied().unwrap_or(0),
        }
    }

    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            vendor,
            device,
            revision,
        } = self;
        write!(
            out,
            "vid_{vendor:#06x}_did_{device:#06x}_rid_{revision:#04x}"
        )
    }
}

display!(Identity);

/// Why a file is not the state of a GPU; print it with `{}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It has so many bytes, which are too few.
    Short(usize),
    /// It does not begin as such files do.
    Magic,
    /// It has this version.
    Version(u32),
    /// The checksum in it is this, and should be that.
    Checksum {
        /// In the file.
        told: u32,
        /// Of the file.
        found: u32,
    },
    /// Configuration space, or the registers, have another size, or are not in the file.
    Part,
    /// It is of another GPU.
    Other(Identity),
}

impl Flaw {
    fn text(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short(bytes) => write!(out, "{bytes} bytes are too few"),
            Self::Magic => write!(out, "it is another kind of file"),
            Self::Version(version) => write!(out, "its version is {version}, not {VERSION}"),
            Self::Checksum { told, found } => {
                write!(out, "its checksum is {found:#010x}, not {told:#010x}")
            }
            Self::Part => write!(out, "what it says of its parts is wrong"),
            Self::Other(identity) => write!(out, "it is of another GPU, {identity}"),
        }
    }
}

display!(Flaw);

/// The contents of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Golden<'a> {
    /// Configuration space.
    pub config: &'a [u8; CONFIG_SIZE],
    /// The registers, from offset 0 of BAR0 on.
    pub registers: &'a [u8],
}

impl<'a> Golden<'a> {
    /// Takes a file apart that is to be of this GPU.
    ///
    /// # Errors
    ///
    /// The first [`Flaw`].
    pub fn parse(file: &'a [u8], wanted: Identity) -> Result<Self, Flaw> {
        let (head, _) = file
            .split_at_checked(HEADER)
            .ok_or(Flaw::Short(file.len()))?;
        if u64_at(head, 0) != MAGIC {
            return Err(Flaw::Magic);
        }
        let version = wire::u32_at(head, CHECKED);
        if version != VERSION {
            return Err(Flaw::Version(version));
        }
        let told = wire::u32_at(head, 8);
        let found = crc32(file.get(CHECKED..).unwrap_or_default());
        if told != found {
            return Err(Flaw::Checksum { told, found });
        }
        let config = part(file, head, 16).and_then(|bytes| bytes.try_into().ok());
        let registers =
            part(file, head, 32).filter(|bytes| u64::try_from(bytes.len()) == Ok(MMIO_SIZE));
        let (Some(config), Some(registers)) = (config, registers) else {
            return Err(Flaw::Part);
        };
        let golden = Self { config, registers };
        match Identity::of(config) {
            identity if identity == wanted => Ok(golden),
            other => Err(Flaw::Other(other)),
        }
    }
}

/// The part of which size and place are at `at` of the header, behind the header.
fn part<'a>(file: &'a [u8], head: &[u8], at: usize) -> Option<&'a [u8]> {
    let size = usize::try_from(u64_at(head, at)).ok()?;
    let start = usize::try_from(u64_at(head, at.checked_add(8)?)).ok()?;
    let inside = file.get(start..start.checked_add(size)?)?;
    (start >= HEADER).then_some(inside)
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let high = wire::u32_at(bytes, offset.saturating_add(4));
    u64::from(wire::u32_at(bytes, offset)) | u64::from(high) << 32
}

/// CRC-32 as `crc32_le()` works it out with a start of 0: reflected, and not inverted.
fn crc32(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let index = usize::from(low ^ byte);
        (crc >> 8) ^ CRC_TABLE.get(index).copied().unwrap_or(0)
    })
}

/// What a byte makes of the checksum.
static CRC_TABLE: [u32; 256] = crc_table();

#[expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "worked out by the compiler, which would notice"
)]
const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (if crc & 1 == 1 { 0xedb8_8320 } else { 0 });
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}
