// SPDX-License-Identifier: GPL-2.0

//! A script of accesses to the registers, and of events on the GPU.

#![no_main]

use exercise::{Registers, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let mut registers = Registers::new(&mut source);
    while !source.is_empty() {
        registers.step(&mut source);
    }
});
