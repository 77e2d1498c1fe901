// SPDX-License-Identifier: GPL-2.0

//! A script of all that a VMM can ask of a vGPU.

#![no_main]

use exercise::{Rig, Source};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut rig = Rig::new().expect("a vGPU");
    let mut source = Source::new(script);
    while !source.is_empty() {
        let op = source.op();
        rig.apply(&op);
    }
    rig.check().expect("what can always be read");
});
