// SPDX-License-Identifier: GPL-2.0

//! Any bytes as an EDID, and monitors of any size. What comes out is always an EDID.

#![no_main]

use exercise::Source;
use gvt_model::edid::mode::{Limits, Mode};
use gvt_model::edid::{validate, Blocks};
use libfuzzer_sys::fuzz_target;

/// What everything that is an EDID holds to.
fn check(blocks: &Blocks) {
    let bytes = blocks.as_bytes();
    assert_eq!(bytes.len(), 128 * (1 + usize::from(bytes[126])));
    for block in bytes.chunks(128) {
        assert_eq!(block.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
    }
    if bytes[126] == 0 {
        validate(bytes.first_chunk().expect("a block")).expect("an EDID");
    }
    assert_eq!(Blocks::parse(bytes).as_ref(), Ok(blocks));
    if let Some(native) = blocks.native() {
        assert!(native.horizontal.active > 0 && native.vertical.active > 0 && native.clock_khz > 0);
        let _ = native.refresh_millihertz();
    }
}

fuzz_target!(|script: &[u8]| {
    if let Ok(blocks) = Blocks::parse(script) {
        check(&blocks);
    }
    // The same, with checksums that are right, which a fuzzer does not come upon.
    let mut bytes = script.to_vec();
    bytes.resize(256, 0);
    bytes[..8].copy_from_slice(&[0, 255, 255, 255, 255, 255, 255, 0]);
    bytes[18] = 1;
    bytes[126] &= 1;
    for block in bytes.chunks_mut(128) {
        block[127] = 0;
        block[127] = block.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    }
    check(&Blocks::parse(&bytes).expect("a good EDID"));
    let mut source = Source::new(script);
    while !source.is_empty() {
        let [width, height] = [0; 2].map(|_| (source.word() & 0x1fff) as u16);
        let Ok(mode) = Mode::reduced(width, height, u16::from(source.byte())) else { continue };
        let limits = Limits::new(source.word().into());
        let memory = u64::from(width) * u64::from(height) * 4;
        match Blocks::monitor(&mode, limits) {
            Ok(blocks) => {
                check(&blocks);
                assert_eq!(limits.check(width, height), Ok(()));
                let native = blocks.native().expect("a native mode");
                assert_eq!((native.horizontal, native.vertical), (mode.horizontal, mode.vertical));
            }
            Err(_) => assert!(limits.check(width, height).is_err() || memory == 0),
        }
    }
});
