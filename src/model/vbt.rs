// SPDX-License-Identifier: GPL-2.0

//! The video BIOS table: which display connectors there are (gvt-spec 3; the reader's side is
//! `drivers/gpu/drm/i915/display/intel_bios.c`).
//!
//! It is that of the C driver, byte for byte: a DisplayPort connector on each of the ports A to D
//! and no other display.

use crate::wire::Cursor;

/// Version of the table.
const VERSION: u16 = 155;
/// Version of the block definitions, which fixes the size of a device.
const BLOCKS_VERSION: u16 = 186;

const HEADER_SIZE: u16 = 48;
const BLOCKS_HEADER_SIZE: u16 = 22;
const BLOCK_HEADER_SIZE: u16 = 3;
const GENERAL_FEATURES_SIZE: u16 = 7;
const GENERAL_DEFINITIONS_SIZE: u16 = 5;
const DEVICE_SIZE: u8 = 33;
const DRIVER_FEATURES_SIZE: u16 = 19;

const GENERAL_FEATURES: u8 = 1;
const GENERAL_DEFINITIONS: u8 = 2;
const DRIVER_FEATURES: u8 = 12;

/// Size of the block with the devices.
const DEVICES_SIZE: u16 = GENERAL_DEFINITIONS_SIZE + 4 * 33;
/// Size of the blocks with their header.
const BLOCKS_SIZE: u16 = BLOCKS_HEADER_SIZE
    + 3 * BLOCK_HEADER_SIZE
    + GENERAL_FEATURES_SIZE
    + DEVICES_SIZE
    + DRIVER_FEATURES_SIZE;
const SIZE: u16 = HEADER_SIZE + BLOCKS_SIZE;

/// A digital display with DisplayPort signalling: hot plug, power management, class extension.
const DISPLAY_PORT: u16 = 0x68c6;
/// It speaks DisplayPort.
const DP_COMPATIBLE: u8 = 1 << 1;
/// The encoder is a part of the GPU.
const INTEGRATED_ENCODER: u8 = 1 << 5;

/// A connector.
struct Device {
    handle: u16,
    /// Number of the output with DisplayPort.
    dvo_port: u8,
    aux_channel: u8,
}

/// Ports A to D.
const DEVICES: [Device; 4] = [
    Device {
        handle: 0x04,
        dvo_port: 10,
        aux_channel: 0x40,
    },
    Device {
        handle: 0x40,
        dvo_port: 7,
        aux_channel: 0x10,
    },
    Device {
        handle: 0x20,
        dvo_port: 8,
        aux_channel: 0x20,
    },
    Device {
        handle: 0x10,
        dvo_port: 9,
        aux_channel: 0x30,
    },
];

impl Device {
    fn write(&self, out: &mut Cursor<'_>) {
        out.put(&self.handle.to_le_bytes())
            .put(&DISPLAY_PORT.to_le_bytes())
            .skip(12)
            .put(&[self.dvo_port])
            .skip(7)
            .put(&[DP_COMPATIBLE, self.aux_channel])
            .skip(1)
            .put(&[INTEGRATED_ENCODER])
            .skip(5);
    }
}

/// Writes the table to the start of `bytes`, which are all 0.
pub(crate) fn write(bytes: &mut [u8]) {
    let mut out = Cursor::new(bytes);
    // The checksum stays 0, nobody looks at it.
    out.put(b"$VBT")
        .skip(16)
        .put(&VERSION.to_le_bytes())
        .put(&HEADER_SIZE.to_le_bytes())
        .put(&SIZE.to_le_bytes())
        .skip(2)
        .put(&u32::from(HEADER_SIZE).to_le_bytes())
        .skip(16);
    out.put(b"BIOS_DATA_BLOCK\0")
        .put(&BLOCKS_VERSION.to_le_bytes())
        .put(&BLOCKS_HEADER_SIZE.to_le_bytes())
        .put(&BLOCKS_SIZE.to_le_bytes());

    // All features off: neither CRT nor TV.
    block(&mut out, GENERAL_FEATURES, GENERAL_FEATURES_SIZE).skip(GENERAL_FEATURES_SIZE.into());

    block(&mut out, GENERAL_DEFINITIONS, DEVICES_SIZE)
        .skip(4)
        .put(&[DEVICE_SIZE]);
    for device in &DEVICES {
        device.write(&mut out);
    }

    // All features off: no LVDS panel.
    block(&mut out, DRIVER_FEATURES, DRIVER_FEATURES_SIZE);
}

fn block<'a, 'b>(out: &'b mut Cursor<'a>, id: u8, size: u16) -> &'b mut Cursor<'a> {
    out.put(&[id]).put(&size.to_le_bytes())
}
