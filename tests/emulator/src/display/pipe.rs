// SPDX-License-Identifier: GPL-2.0
//! A pipe: the raster that runs while a transcoder is on, its counters, and what happens at each vertical blank.
//!
//! Source: Skylake PRM volume 2c, `TRANS_CONF`, `PIPE_SCANLINE`, `PIPE_FRMCNT`, `PIPE_FRMTMSTMP`.

use std::time::{Duration, Instant};

use crate::bar0::Bar0;
use crate::display::pixel::{Timing, TRANSCODERS};
use crate::display::plane::{self, Effect, Planes};
use crate::irq::{Group, Interrupts};
use crate::platform::DisplayKind;

/// Number of pipes.
pub const PIPES: usize = 3;
/// Configuration of a transcoder: a request in bit 31 and the state in bit 30.
const TRANSCODER_CONF: [u32; 4] = [0x70008, 0x71008, 0x72008, 0x7f008];
const ENABLE: u32 = 1 << 31;
const STATE: u32 = 1 << 30;

const SCAN_LINE: u32 = 0x00;
const FRAME_COUNT: u32 = 0x40;
const FLIP_COUNT: u32 = 0x44;
const FRAME_STAMP: u32 = 0x48;
const FLIP_STAMP: u32 = 0x4c;

const VBLANK: u32 = 1 << 0;
const GROUPS: [Group; PIPES] = [Group::PipeA, Group::PipeB, Group::PipeC];

/// For how long after an access to a pipe's registers a vertical blank waits for the next one.
const PATIENCE: Duration = Duration::from_millis(3);
/// The same after a look at the scan line just before the blank: software that waits for it.
const SHORT_PATIENCE: Duration = Duration::from_micros(1500);
/// A blank is never later than this, or half a frame.
const LONGEST_WAIT: Duration = Duration::from_millis(10);

/// Offsets that this block answers for.
pub fn claims() -> impl Iterator<Item = u32> {
    let pipes = (0..PIPES).flat_map(|pipe| {
        let counters = [SCAN_LINE, FRAME_COUNT, FLIP_COUNT, FRAME_STAMP, FLIP_STAMP].into_iter();
        counters.chain(plane::registers()).map(move |register| base_of(pipe) + register)
    });
    pipes.chain(TRANSCODER_CONF)
}

fn base_of(pipe: usize) -> u32 {
    0x70000 + 0x1000 * pipe as u32
}

/// The pipe that a register of this block belongs to.
pub fn pipe_of(bar0: &Bar0, offset: u32) -> usize {
    match offset >> 12 {
        0x71 => 1,
        0x72 => 2,
        // The embedded panel's transcoder chooses its pipe.
        0x7f => match bar0.load(TRANSCODERS[3] + 0x400) >> 12 & 7 {
            5 => 1,
            6 => 2,
            _ => 0,
        },
        _ => 0,
    }
}

/// A running raster.
#[derive(Clone, Copy, Debug)]
struct Raster {
    transcoder: usize,
    timing: Timing,
    /// When the last vertical blank should have started.
    vblank: Instant,
}

/// One pipe.
///
/// A CPU under emulation takes some 50 us for a register access, a hundred times as long as a real one. A driver that
/// starts a plane update 100 us before the vertical blank, which is plenty on hardware, would be caught by the blank
/// half-way. So the raster waits: a blank that falls due while software is busy with the pipe's registers starts when
/// it has finished, within limits; the following ones are on time again.
#[derive(Debug)]
pub struct Pipe {
    index: usize,
    kind: DisplayKind,
    raster: Option<Raster>,
    frames: u32,
    flips: u32,
    frame_stamp: u32,
    flip_stamp: u32,
    /// Until when software is taken to be in the middle of an update.
    busy_until: Option<Instant>,
    /// Whether other surfaces are shown than when somebody last asked.
    changed: bool,
    /// What is scanned out.
    pub planes: Planes,
}

/// What a pipe needs from its surroundings.
pub struct Context<'a> {
    /// Register storage.
    pub bar0: &'a Bar0,
    /// Interrupt tree.
    pub irq: &'a Interrupts,
    /// Microseconds since the start, as the time stamp registers count them.
    pub stamp: u32,
    /// Now.
    pub now: Instant,
}

impl Pipe {
    /// Pipe number `index`, off.
    pub fn new(kind: DisplayKind, index: usize) -> Self {
        Self {
            index,
            kind,
            raster: None,
            // Drivers take a count of 0 for a counter that does not run.
            frames: 1,
            flips: 0,
            frame_stamp: 0,
            flip_stamp: 0,
            busy_until: None,
            changed: false,
            planes: Planes::default(),
        }
    }

    fn base(&self) -> u32 {
        base_of(self.index)
    }

    /// Whether it scans.
    pub fn is_running(&self) -> bool {
        self.raster.is_some()
    }

    /// Frames per second, while it scans.
    pub fn refresh(&self) -> Option<f64> {
        self.raster.map(|raster| 1.0 / raster.timing.frame.as_secs_f64())
    }

    /// Whether a running pipe shows other surfaces than at the last call.
    pub fn take_changed(&mut self) -> bool {
        self.is_running() && std::mem::take(&mut self.changed)
    }

    /// Runs the vertical blanks that are due and returns when to look again.
    pub fn advance(&mut self, context: &Context) -> Option<Instant> {
        let raster = self.raster?;
        let frame = raster.timing.frame;
        let due = raster.vblank + frame;
        if context.now < due {
            return Some(due);
        }
        let latest = due + LONGEST_WAIT.min(frame / 2);
        if let Some(busy) = self.busy_until.filter(|busy| *busy > context.now && context.now < latest) {
            return Some(busy.min(latest));
        }
        self.busy_until = None;
        let late = context.now.duration_since(raster.vblank).as_nanos();
        let missed = u32::try_from(late / frame.as_nanos().max(1)).unwrap_or(u32::MAX);
        let vblank = raster.vblank + frame.checked_mul(missed).unwrap_or(frame);
        self.frames = self.frames.wrapping_add(missed);
        self.frame_stamp = context.stamp;
        let bits = VBLANK | self.latch(context);
        // A change of the clock's ratio takes effect between two frames.
        let timing = Timing::read(context.bar0, self.kind, raster.transcoder);
        self.raster = Some(Raster { timing, vblank, ..raster });
        context.irq.raise(GROUPS[self.index], bits);
        Some(vblank + timing.frame)
    }

    fn latch(&mut self, context: &Context) -> u32 {
        let before = self.planes.clone();
        let flipped = self.planes.latch(context.bar0, self.kind, self.base());
        self.changed |= before.live != self.planes.live || before.cursor != self.planes.cursor;
        self.count_flips(flipped, context.stamp);
        flipped
    }

    fn count_flips(&mut self, flipped: u32, stamp: u32) {
        // The counters are those of the first plane.
        let first = if self.kind == DisplayKind::Broadwell { 1 << 4 } else { 1 << 3 };
        if flipped & first != 0 {
            self.flips = self.flips.wrapping_add(1);
            self.flip_stamp = stamp;
        }
    }

    /// The line that is scanned, and whether the vertical blank is near or overdue.
    fn line(&self, raster: &Raster, now: Instant) -> (u32, bool) {
        let timing = &raster.timing;
        let before_blank = timing.vblank_start.checked_sub(1).unwrap_or(timing.lines - 1);
        let elapsed = now.saturating_duration_since(raster.vblank);
        if elapsed >= timing.frame {
            return (before_blank, true);
        }
        let passed = elapsed.as_nanos() * u128::from(timing.lines) / timing.frame.as_nanos().max(1);
        let line = (timing.vblank_start + passed as u32) % timing.lines;
        (line, timing.frame - elapsed < Duration::from_micros(250))
    }

    /// Reads a register; `offset` is one of [`claims`].
    pub fn read(&mut self, context: &Context, offset: u32) -> u32 {
        if TRANSCODER_CONF.contains(&offset) {
            return context.bar0.load(offset);
        }
        self.advance(context);
        let mut patience = PATIENCE;
        let value = match offset - self.base() {
            SCAN_LINE => self.raster.map_or(0, |raster| {
                let (line, near) = self.line(&raster, context.now);
                if near {
                    patience = SHORT_PATIENCE;
                }
                let lines = raster.timing.lines;
                (line + lines - raster.timing.lag % lines) % lines
            }),
            FRAME_COUNT => self.frames,
            FLIP_COUNT => self.flips,
            FRAME_STAMP => self.frame_stamp,
            FLIP_STAMP => self.flip_stamp,
            _ => context.bar0.load(offset),
        };
        self.busy_until = Some(context.now + patience);
        value
    }

    /// Writes a register; `offset` is one of [`claims`].
    pub fn write(&mut self, context: &Context, offset: u32, value: u32) {
        if let Some(transcoder) = TRANSCODER_CONF.iter().position(|conf| *conf == offset) {
            let on = value & ENABLE != 0;
            context.bar0.store(offset, value & !STATE | if on { STATE } else { 0 });
            self.switch(context, transcoder, on);
            return;
        }
        self.advance(context);
        self.busy_until = Some(context.now + PATIENCE);
        let register = offset - self.base();
        match register {
            FLIP_COUNT => self.flips = value,
            SCAN_LINE | FRAME_COUNT | FRAME_STAMP | FLIP_STAMP => {}
            _ if plane::read_only(register) => {}
            _ => {
                context.bar0.store(offset, value);
                match self.planes.wrote(context.bar0, self.base(), register) {
                    Effect::None => {}
                    Effect::Now(plane) => {
                        let flipped = self.planes.latch_plane(context.bar0, self.kind, self.base(), plane);
                        self.changed = true;
                        self.count_flips(flipped, context.stamp);
                        if self.is_running() {
                            context.irq.raise(GROUPS[self.index], flipped);
                        }
                    }
                    // Nothing is double-buffered in a pipe that does not run.
                    Effect::Armed if !self.is_running() => {
                        self.latch(context);
                    }
                    Effect::Armed => {}
                }
            }
        }
    }

    fn switch(&mut self, context: &Context, transcoder: usize, on: bool) {
        let running = self.raster.filter(|raster| raster.transcoder == transcoder);
        match (running, on) {
            (None, true) => {
                let timing = Timing::read(context.bar0, self.kind, transcoder);
                // Scanning starts with the first visible line; rounded up, because lines are rounded down.
                let blank = timing.frame * (timing.lines - timing.vblank_start) / timing.lines;
                let blank = blank + Duration::from_nanos(1);
                let vblank = context.now.checked_sub(blank).unwrap_or(context.now);
                self.raster = Some(Raster { transcoder, timing, vblank });
                self.busy_until = None;
            }
            (Some(_), false) => {
                self.raster = None;
                self.latch(context);
            }
            _ => {}
        }
    }
}
