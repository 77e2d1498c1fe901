// SPDX-License-Identifier: GPL-2.0

//! The sideband interface to the clocks and PHYs of the PCH: registers behind three registers. They
//! keep what is written, and are 0 before.

use crate::mmio::registers::Registers;

/// SBI_ADDR: the address is in the upper half.
const ADDRESS: u32 = 0xc_6000;
/// SBI_DATA.
const DATA: u32 = 0xc_6004;

/// Of SBI_CTL_STAT: busy, and what became of the request.
const BUSY_AND_RESPONSE: u32 = 0x7;
const OPERATION: u32 = 0xff00;
const READ: u32 = 0x0600;
const WRITE: u32 = 0x0700;
/// Which of the two things behind the interface is meant.
const DESTINATION: u32 = 1 << 16;

/// The most registers that are kept: more than i915 uses.
const COUNT: usize = 20;

/// The registers behind the interface.
#[derive(Clone, Default)]
pub(in crate::mmio) struct Sideband {
    /// Address with destination, and value.
    kept: [Option<(u32, u32)>; COUNT],
}

impl Sideband {
    fn get(&self, address: u32) -> u32 {
        let mut kept = self.kept.iter().flatten();
        kept.find(|(at, _)| *at == address)
            .map_or(0, |(_, value)| *value)
    }

    /// Keeps the value, as long as there is room.
    fn set(&mut self, address: u32, value: u32) {
        let known = |slot: &Option<(u32, u32)>| slot.is_some_and(|(at, _)| at == address);
        let place = match self.kept.iter().position(known) {
            Some(place) => Some(place),
            None => self.kept.iter().position(Option::is_none),
        };
        if let Some(slot) = place.and_then(|place| self.kept.get_mut(place)) {
            *slot = Some((address, value));
        }
    }
}

/// Carries out a request, and returns the accepted value of SBI_CTL_STAT: done, successfully.
pub(super) fn control(registers: &mut Registers, request: u32) -> u32 {
    let address = registers.file.get(ADDRESS) & 0xffff_0000;
    let address = address | (request & DESTINATION) >> 16;
    match request & OPERATION {
        READ => {
            let value = registers.sideband.get(address);
            registers.file.set(DATA, value);
        }
        WRITE => {
            let value = registers.file.get(DATA);
            registers.sideband.set(address, value);
        }
        _ => {}
    }
    request & !BUSY_AND_RESPONSE
}
