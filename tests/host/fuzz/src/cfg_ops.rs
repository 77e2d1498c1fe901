// SPDX-License-Identifier: GPL-2.0

//! Any configuration space of a host, and any accesses to that of a vGPU on it. What a guest reads after a reset must
//! not depend on it but where the specification says so, and whatever is written, a reset brings it back.

#![no_main]

use exercise::{Env, Source, LOW};
use gvt_model::addr::GmRange;
use gvt_model::cfg::Cfg;
use gvt_model::region::Position;
use libfuzzer_sys::fuzz_target;

const CONFIG: u32 = 7;

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let mut host = [0xa5; 4096];
    for _ in 0..source.byte() {
        let at = usize::from(u16::from_le_bytes(source.take())) % host.len();
        host[at] = source.byte();
    }
    let msi = source.byte();
    let mut config = Cfg::new(&host, 16 << 20, 1 << 30, msi).expect("configuration space");
    let mut env = Env::new(GmRange::new(LOW.0, LOW.1).expect("a range"));
    let fresh = bytes(&config);
    // No address of the host: BARs, stolen memory, ROM, OpRegion, messages.
    assert!(fresh[0x10] < 16 && fresh[0x11..0x18].iter().all(|byte| *byte == 0));
    assert!(fresh[0x18] < 16 && fresh[0x19..0x2c].iter().all(|byte| *byte == 0));
    assert!(fresh[0x30..0x34].iter().all(|byte| *byte == 0));
    assert!(fresh[0x04..0x06] == [0, 0] && fresh[0x3c] == 0);

    while !source.is_empty() {
        let at = Position::new(CONFIG, source.offset() & 0x1fff).expect("an offset");
        let data: [u8; 8] = source.take();
        let length = usize::from(source.byte() % 9);
        let inside = at.offset() + length as u64 <= 4096;
        let asks = at.offset() < 0xec && at.offset() + length as u64 > 0xe8;
        let done = config.write(at, &data[..length], &mut env).is_ok();
        assert!(done == inside || asks);
        assert_eq!(config.read(at, &mut [0; 8][..length]).is_ok(), inside);
        let _ = (config.msi(), config.d3_entered());
    }
    config.reset();
    assert!(bytes(&config) == fresh);
});

fn bytes(config: &Cfg) -> [u8; 4096] {
    let mut bytes = [0; 4096];
    let start = Position::new(CONFIG, 0).expect("an offset");
    config.read(start, &mut bytes).expect("all of it");
    bytes
}
