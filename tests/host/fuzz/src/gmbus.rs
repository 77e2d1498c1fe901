// SPDX-License-Identifier: GPL-2.0

//! Any accesses to the registers of GMBUS, with and without a monitor on the bus. A guest never waits.

#![no_main]

use exercise::Source;
use gvt_model::display::ddc::Ddc;
use gvt_model::display::gmbus::{Gmbus, Register};
use gvt_model::edid::Blocks;
use gvt_model::types::Resolution;
use libfuzzer_sys::fuzz_target;

const READY: u32 = 1 << 11;
const NACK: u32 = 1 << 10;
const ACTIVE: u32 = 1 << 9;
const WAITING: u32 = 1 << 14;
const KNOWN: u32 = 1 << 15 | WAITING | 1 << 12 | READY | NACK | ACTIVE;
const OFFSETS: [u32; 6] = [0xc5100, 0xc5104, 0xc5108, 0xc510c, 0xc5110, 0xc5120];

fuzz_target!(|script: &[u8]| {
    let mut gmbus = Gmbus::new();
    let mut bus = Some(Ddc::new(Blocks::classic(Resolution::Wuxga)));
    let mut enabled = 0;
    let mut source = Source::new(script);
    while !source.is_empty() {
        let choice = source.byte();
        if choice >= 250 {
            bus = (choice & 1 != 0).then(|| Ddc::new(Blocks::classic(Resolution::Wuxga)));
        }
        let register = Register::at(OFFSETS[usize::from(choice) % 6]).expect("a register");
        let interrupt = if source.byte() & 1 == 0 {
            gmbus.read(register, bus.as_mut()).interrupt
        } else {
            let value = match source.byte() {
                // A transfer of the EDID.
                0..=99 => 1 << 30 | 1 << 25 | u32::from(source.byte()) << 16 | 0x50 << 1 | u32::from(source.byte() & 1),
                _ => source.word(),
            };
            if register == Register::Interrupts {
                enabled = value & 0xf;
            }
            gmbus.write(register, value, bus.as_mut())
        };
        assert!(!interrupt || enabled != 0);
        let status = gmbus.read(Register::Status, bus.as_mut()).value;
        assert_eq!(status & !KNOWN, 0);
        // There is always something that a guest can wait for.
        assert!(status & (READY | NACK) != 0);
        assert!(status & NACK == 0 || status & (READY | ACTIVE | WAITING) == 0);
        assert!(status & WAITING == 0 || status & ACTIVE != 0);
    }
});
