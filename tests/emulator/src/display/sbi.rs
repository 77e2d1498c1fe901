// SPDX-License-Identifier: GPL-2.0
//! The sideband interface of a Lynx/Wildcat Point PCH, behind which its clock registers are.
//!
//! Source: Broadwell PRM volume 2c, `SBI_ADDR`, `SBI_DATA`, `SBI_CTL_STAT`.

use std::collections::HashMap;

use crate::bar0::Bar0;

const ADDRESS: u32 = 0xc6000;
const DATA: u32 = 0xc6004;
const CONTROL: u32 = 0xc6008;

/// Busy, and the two bits of the response.
const STATUS: u32 = 0x7;
const BUSY: u32 = 0x1;
const WRITE: u32 = 1 << 8;
/// Which of the two register spaces is meant.
const DESTINATION: u32 = 1 << 16;

/// Offsets that this block answers for.
pub const CLAIMS: [u32; 1] = [CONTROL];

/// The registers behind the interface.
#[derive(Debug, Default)]
pub struct Sideband {
    registers: HashMap<(bool, u16), u32>,
}

impl Sideband {
    /// Handles a write of the control register; the transfer is over when it returns.
    pub fn write(&mut self, bar0: &Bar0, value: u32) {
        if value & BUSY != 0 {
            let key = (value & DESTINATION != 0, (bar0.load(ADDRESS) >> 16) as u16);
            if value & WRITE != 0 {
                self.registers.insert(key, bar0.load(DATA));
            } else {
                bar0.store(DATA, self.registers.get(&key).copied().unwrap_or(0));
            }
        }
        bar0.store(CONTROL, value & !STATUS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_in_its_own_space() {
        let bar0 = Bar0::new().unwrap();
        let mut sideband = Sideband::default();
        let mut transfer = |command: u32, data: u32| {
            bar0.store(ADDRESS, 0x0200 << 16);
            bar0.store(DATA, data);
            sideband.write(&bar0, command | BUSY);
            assert_eq!(bar0.load(CONTROL) & STATUS, 0);
            bar0.load(DATA)
        };
        transfer(0x700, 0xabcd);
        assert_eq!(transfer(0x600, 0), 0xabcd);
        assert_eq!(transfer(0x1_0200, 0), 0, "the other destination has its own register");
    }
}
