// SPDX-License-Identifier: GPL-2.0

//! Any values in the registers of pipes, planes, cursors and clocks. What is shown is memory of the vGPU, and rates are
//! those of monitors.

#![no_main]

use std::collections::BTreeMap;

use exercise::{Source, HIGH, LOW};
use gvt_model::addr::GmRange;
use gvt_model::display::plane::{pipes, query, Layer, Memory};
use gvt_model::display::timing::{link_clock, refresh, Refresh, Timing, Vblank};
use gvt_model::display::{Ddi, Pipe, Transcoder};
use gvt_model::platform::Platform;
use libfuzzer_sys::fuzz_target;

const PLATFORMS: [Platform; 3] = [Platform::Broadwell, Platform::Skylake, Platform::Broxton];
const LAYERS: [Layer; 5] = [Layer::Primary, Layer::Sprite(0), Layer::Sprite(1), Layer::Sprite(200), Layer::Cursor];

fuzz_target!(|script: &[u8]| {
    let mut source = Source::new(script);
    let platform = PLATFORMS[usize::from(source.byte() % 3)];
    let range = |(start, size)| GmRange::new(start, size).expect("a range");
    let memory = Memory { low: range(LOW), high: range(HIGH) };
    let now = source.long();
    // A value for each register that is asked for, in the order of their offsets.
    let words: BTreeMap<u32, u32> = (0..200)
        .map(|number| {
            let word = source.word();
            (number, if word & 1 != 0 { word & 0xffff_f000 | LOW.0 as u32 } else { word })
        })
        .collect();
    let registers = |offset: u32| {
        let word = words[&((offset >> 2) % 200)];
        // Pipes are mostly on.
        if offset & 0xfff == 8 {
            word | 1 << 31
        } else {
            word
        }
    };
    for pipe in Pipe::ALL {
        for layer in LAYERS {
            let Ok(Some(plane)) = query(platform, pipe, layer, &registers, &memory) else { continue };
            let inside = |range: GmRange| range.contains(plane.start, plane.size);
            assert!(inside(memory.low) || inside(memory.high));
            assert!(plane.start % 4096 == 0 && plane.size % 4096 == 0);
            assert!(plane.width > 0 && plane.height > 0);
            // The last pixel is in there too, of lines at least.
            let lines = u64::from(plane.source.1) + u64::from(plane.height);
            assert!(lines * u64::from(plane.stride) <= plane.size);
            let line = (u64::from(plane.source.0) + u64::from(plane.width)) * u64::from(plane.format.bytes());
            assert!(line <= u64::from(plane.stride));
            assert!(pipes(&registers).any(|on| on == pipe));
        }
        let transcoder = Transcoder::Own(pipe);
        let rate = refresh(platform, transcoder, &registers).unwrap_or(Refresh::DEFAULT);
        assert!(rate >= Refresh::MIN && rate <= Refresh::MAX);
        let mut vblank = Vblank::new(now, rate);
        let later = now.saturating_add(u64::from(registers(0)));
        let lines = Timing::read(transcoder, &registers).lines();
        assert!(vblank.scan_line(later, lines) < lines.1.max(1));
        let passed = vblank.pass(later);
        assert!(passed <= (1 << 32) / 4_000_000 + 1);
        assert!(vblank.deadline() > later || later == u64::MAX || passed > 0);
    }
    for port in Ddi::ALL {
        assert!(link_clock(platform, port, &registers) != Some(0));
    }
});
