// SPDX-License-Identifier: GPL-2.0

//! Any `VFIO_DEVICE_SET_IRQS`.

#![no_main]

use exercise::Source;
use gvt_model::irq::{IrqAction, SetIrqs, SetIrqsHeader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let header = if source.byte() & 1 == 0 {
        source.header()
    } else {
        SetIrqsHeader {
            argsz: source.word(),
            flags: source.word(),
            index: source.word(),
            start: source.word(),
            count: source.word(),
        }
    };
    let payload: [u8; 8] = source.take();
    let Ok(request) = SetIrqs::parse(&header) else {
        return;
    };
    let length = request.payload_len();
    assert!(length <= 4);
    // With data, the VMM said that it has room for the header and for the data.
    assert!(length == 0 || header.argsz as usize >= 20 + length);
    for wrong in (0..=8).filter(|wrong| *wrong != length) {
        assert!(request.action(&payload[..wrong]).is_err());
    }
    if let Ok(IrqAction::SetTrigger { fd, .. }) = request.action(&payload[..length]) {
        assert_eq!(fd.to_le_bytes(), payload[..4]);
    }
});
