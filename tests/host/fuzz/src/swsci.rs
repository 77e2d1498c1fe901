// SPDX-License-Identifier: GPL-2.0

//! Services of the OpRegion: any mailbox, anywhere, and any write to the registers.

#![no_main]

use exercise::{Rig, Source, MEMORY};
use libfuzzer_sys::fuzz_target;

const CONFIG: u64 = 7 << 40;

fuzz_target!(|script: &[u8]| {
    let mut rig = Rig::new().expect("a vGPU");
    let mut source = Source::new(script);
    while !source.is_empty() {
        let asls = match source.byte() {
            0..=63 => source.word(),
            page => MEMORY as u32 + u32::from(page % 5) * 4096,
        };
        rig.write((CONFIG | 0xfc) as i64, &asls.to_le_bytes()).expect("ASLS takes anything");
        let mailbox: [u8; 8] = source.take();
        let page = usize::from(source.byte() % 4) * 4096 + 0x200;
        rig.env.memory()[page..page + 8].copy_from_slice(&mailbox);
        let offset = 0xe4 + u64::from(source.byte() % 12);
        let data: [u8; 8] = source.take();
        let length = usize::from(source.byte() % 9);
        // Whether it is done depends on where the OpRegion is; the environment sees to it that nothing else is touched.
        let _ = rig.write((CONFIG | offset) as i64, &data[..length]);
        assert_eq!(rig.bytes(7, 0xe8), Ok([0; 4]));
    }
});
