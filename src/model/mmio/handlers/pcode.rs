// SPDX-License-Identifier: GPL-2.0

//! The mailbox of the power control unit (`drivers/gpu/drm/i915/intel_pcode.c` has the guest's
//! side). Every command succeeds at once; nothing reaches the host's unit.

use crate::{
    mmio::registers::Registers,
    platform::Platform, //
};

/// GEN6_PCODE_DATA.
const DATA: u32 = 0x13_8128;
/// Bit 31: busy. The low byte: the command, and in the answer what went wrong.
const BUSY_AND_ERROR: u32 = 0x8000_00ff;

const READ_RC6_VOLTAGES: u32 = 0x05;
const READ_MEMORY_LATENCY: u32 = 0x06;
const CDCLK_CONTROL: u32 = 0x07;
const SAGV_CONTROL: u32 = 0x21;

const RC6_VOLTAGES_VALID: u32 = 1 << 0;
const CDCLK_READY: u32 = 1 << 0;
const SAGV_DISABLE: u32 = 0;
const SAGV_IS_DISABLED: u32 = 1 << 0;

/// What a platform's unit answers.
struct Unit {
    /// Latencies of memory for watermark levels 0 to 3 and 4 to 7, in microseconds, a byte each.
    latencies: Option<[u32; 2]>,
    /// Whether it is asked before the display clock is changed.
    changes_cdclk: bool,
}

const fn unit(platform: Platform) -> Unit {
    match platform {
        Platform::Broadwell => Unit {
            latencies: None,
            changes_cdclk: false,
        },
        Platform::Skylake | Platform::KabyLake | Platform::CoffeeLake | Platform::CometLake => {
            Unit {
                latencies: Some([0x1e1a_1100, 0x6151_4b3d]),
                changes_cdclk: true,
            }
        }
        Platform::Broxton => Unit {
            latencies: Some([0x1608_0707, 0x1616_1616]),
            changes_cdclk: false,
        },
    }
}

/// Carries out a command, and returns the accepted value of the mailbox.
pub(super) fn mailbox(registers: &mut Registers, command: u32, platform: Platform) -> u32 {
    let unit = unit(platform);
    let data = registers.file.get(DATA);
    let answer = match command & 0xff {
        READ_MEMORY_LATENCY => match unit.latencies {
            Some([low, _]) if data == 0 => low,
            Some([_, high]) => high,
            None => data,
        },
        CDCLK_CONTROL if unit.changes_cdclk => CDCLK_READY,
        READ_RC6_VOLTAGES => data | RC6_VOLTAGES_VALID,
        // Otherwise the guest asks again and again, for as long as the real one might take.
        SAGV_CONTROL if data == SAGV_DISABLE => SAGV_IS_DISABLED,
        _ => data,
    };
    registers.file.set(DATA, answer);
    command & !BUSY_AND_ERROR
}
