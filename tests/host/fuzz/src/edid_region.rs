// SPDX-License-Identifier: GPL-2.0

//! Any EDID and any accesses to its region. A link is up only if there was an EDID when it came up, and that stays.

#![no_main]

use exercise::Source;
use gvt_model::edid::mode::Limits;
use gvt_model::edid::{Blocks, MAX_SIZE};
use gvt_model::edid_region::{EdidRegion, Link};
use gvt_model::region::Position;
use gvt_model::types::Resolution;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut region = EdidRegion::new(Resolution::Wuxga, Limits::for_aperture(64 << 20)).expect("memory");
    let mut source = Source::new(script);
    while !source.is_empty() {
        let offset = match source.byte() {
            0..=63 => u64::from(source.byte() % 8) * 4,
            64..=191 => 2048 + u64::from(source.byte()) + u64::from(source.byte() % 16),
            _ => source.offset(),
        };
        let at = Position::new(10, offset).expect("an offset");
        let data: [u8; 4] = source.take();
        let length = usize::from(source.byte() % 5);
        let before = region.link();
        let done = region.write(at, &data[..length]).is_ok();
        if done && offset == 20 && region.link() == Link::Up {
            assert!(Blocks::parse(region.monitor().as_bytes()).is_ok_and(|blocks| blocks == *region.monitor()));
        } else if offset >= 2048 || !done {
            assert_eq!(region.link(), before);
        }
        let mut read = [0; 4];
        if region.read(at, &mut read[..length]).is_ok() && offset >= 2048 && length > 0 {
            let start = (offset - 2048) as usize;
            assert!(start + length <= MAX_SIZE);
            assert_eq!(read[..length], region.bytes()[start..start + length]);
        }
    }
});
