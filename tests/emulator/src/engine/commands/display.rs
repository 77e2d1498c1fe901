// SPDX-License-Identifier: GPL-2.0
//! Commands that talk to the display engine: flips and waits for what it does.
//!
//! They see the display as software does, through its registers. Source: Haswell to Skylake PRM volume 2a,
//! "MI_WAIT_FOR_EVENT", "MI_LOAD_SCAN_LINES_INCL/EXCL", "MI_DISPLAY_FLIP".

use super::{mi, opcode, Command, Outcome};
use crate::engine::runner::Runner;
use crate::gpu::Gpu;
use crate::platform::Gen;

const PIPE_STRIDE: u32 = 0x1000;
const PLANE_STRIDE: u32 = 0x100;
const PIPEDSL: u32 = 0x7_0000;
const TRANSCONF: u32 = 0x7_0008;
const TRANSCONF_RUNNING: u32 = 1 << 30;
const PIPE_FRMCOUNT: u32 = 0x7_0040;
const CONTROL: u32 = 0x7_0180;
const STRIDE: u32 = 0x7_0188;
const SURFACE: u32 = 0x7_019c;
const LIVE_SURFACE: u32 = 0x7_01ac;
const SCAN_LINE: u32 = 0x1fff;

/// Bits of MI_WAIT_FOR_EVENT, for each pipe: scan line, flip of the primary plane, flip of the sprite, vertical blank.
const EVENTS: [[u32; 4]; 3] = [[0, 1, 2, 3], [8, 9, 10, 11], [14, 15, 20, 21]];

/// A window of scan lines to wait for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScanLines {
    first: u32,
    last: u32,
    /// Wait until the raster is outside of the window rather than inside.
    outside: bool,
}

/// MI_LOAD_SCAN_LINES_INCL and _EXCL.
pub fn load_scan_lines(runner: &mut Runner<'_>, command: &Command) {
    let window = command.dword(1);
    runner.execution.scan_lines = ScanLines {
        first: (window >> 16) & SCAN_LINE,
        last: window & SCAN_LINE,
        outside: opcode(command.header) == mi::LOAD_SCAN_LINES_EXCL,
    };
}

/// MI_WAIT_FOR_EVENT: goes on once every event that it names has happened; a pipe that is off has none to wait for.
pub fn wait_for_event(runner: &mut Runner<'_>, header: u32) -> Outcome {
    let gpu = runner.gpu;
    let counters = || [0, 1, 2].map(|pipe| gpu.mmio_read(PIPE_FRMCOUNT + pipe * PIPE_STRIDE));
    let begun = *runner.execution.frames.get_or_insert_with(counters);
    let lines = runner.execution.scan_lines;
    let waits = (0..).zip(EVENTS).zip(begun).any(|((pipe, events), begun)| {
        let [line, primary, sprite, blank] = events.map(|bit| header & (1 << bit) != 0);
        let registers = pipe * PIPE_STRIDE;
        gpu.mmio_read(TRANSCONF + registers) & TRANSCONF_RUNNING != 0
            && (line && !reached(gpu, registers, lines)
                || primary && flip_pending(gpu, registers)
                || sprite && flip_pending(gpu, registers + PLANE_STRIDE)
                || blank && gpu.mmio_read(PIPE_FRMCOUNT + registers) == begun)
    });
    if waits {
        return Outcome::Wait;
    }
    runner.execution.frames = None;
    runner.advance(1);
    Outcome::Next
}

fn reached(gpu: &Gpu, registers: u32, lines: ScanLines) -> bool {
    let line = gpu.mmio_read(PIPEDSL + registers) & SCAN_LINE;
    (lines.first..=lines.last).contains(&line) != lines.outside
}

fn flip_pending(gpu: &Gpu, registers: u32) -> bool {
    (gpu.mmio_read(SURFACE + registers) ^ gpu.mmio_read(LIVE_SURFACE + registers)) >> 12 != 0
}

/// Pipe and plane of MI_DISPLAY_FLIP, if the header names one that exists.
fn target(gen: Gen, header: u32) -> Option<(u32, u32)> {
    Some(match gen {
        Gen::Gen8 => match (header >> 19) & 7 {
            pipe @ 0..=1 => (pipe, 0),
            sprite @ 2..=3 => (sprite - 2, 1),
            4 => (2, 0),
            5 => (2, 1),
            _ => return None,
        },
        Gen::Gen9 => match (header >> 8) & 0x1f {
            pipe @ 0..=2 => (pipe, 0),
            second @ 4..=6 => (second - 4, 1),
            third @ 7..=9 => (third - 7, 2),
            _ => return None,
        },
    })
}

/// MI_DISPLAY_FLIP: writes stride, tiling and surface of a plane.
pub fn flip(runner: &mut Runner<'_>, command: &Command) {
    if !runner.is_privileged() {
        runner.drop_privileged("MI_DISPLAY_FLIP");
        return;
    }
    let gpu = runner.gpu;
    let gen = gpu.config.platform.gen;
    let Some((pipe, plane)) = target(gen, command.header) else {
        log::warn!("{}: MI_DISPLAY_FLIP {:#010x} names no plane", runner.engine.id.name(), command.header);
        return;
    };
    let registers = pipe * PIPE_STRIDE + plane * PLANE_STRIDE;
    let (stride, tiling) = (command.dword(1) & 0xffc0, command.dword(1) & 7);
    // Gen8 counts the stride in bytes and knows one tiling; Gen9 counts in chunks of 64 bytes or tiles, and knows several.
    let (stride, mask, shift) = match gen {
        Gen::Gen8 => (stride, 1, 10),
        Gen::Gen9 => (stride >> 6, 7, 10),
    };
    let control = gpu.mmio_read(CONTROL + registers) & !(mask << shift) | (tiling & mask) << shift;
    gpu.mmio_write(CONTROL + registers, control);
    gpu.mmio_write(STRIDE + registers, stride);
    gpu.mmio_write(SURFACE + registers, command.dword(2));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::Bench;
    use crate::engine::{EngineId, Step};

    const WAIT: u32 = 0x03 << 23;
    const FLIP: u32 = 0x14 << 23 | 1;

    #[test]
    fn planes_have_the_numbers_of_their_generation() {
        assert_eq!(target(Gen::Gen8, 4 << 19), Some((2, 0)));
        assert_eq!(target(Gen::Gen8, 7 << 19), None);
        assert_eq!(target(Gen::Gen9, 5 << 8), Some((1, 1)));
        assert_eq!(target(Gen::Gen9, 3 << 8), None);
    }

    #[test]
    fn a_flip_reaches_the_plane_and_nobody_waits_for_a_pipe_that_is_off() {
        let bench = Bench::new("skl", EngineId::Rcs);
        assert_eq!(bench.run(&[FLIP | 1 << 8, 10 << 6 | 1, 0x12_3000, WAIT | 1 << 9 | 1 << 11]), Step::Idle);
        assert_eq!(bench.gpu.mmio_read(SURFACE + PIPE_STRIDE), 0x12_3000);
        assert_eq!(bench.gpu.mmio_read(STRIDE + PIPE_STRIDE), 10);
        assert_eq!(bench.gpu.mmio_read(CONTROL + PIPE_STRIDE) >> 10 & 7, 1);
    }

    #[test]
    fn a_batch_without_privilege_flips_nothing() {
        let bench = Bench::new("skl", EngineId::Rcs);
        assert_eq!(bench.run_batch(&[FLIP, 10 << 6, 0x12_3000]), Step::Idle);
        assert_eq!(bench.gpu.mmio_read(SURFACE), 0);
    }
}
