// SPDX-License-Identifier: GPL-2.0
//! A pipe: the raster that runs while a transcoder is on, its counters, and what happens at each vertical blank.
//!
//! Source: Skylake PRM volume 2c, `TRANS_CONF`, `PIPE_SCANLINE`, `PIPE_FRMCNT`, `PIPE_FRMTMSTMP`.

use std::time::{Duration, Instant};

use crate::bar0::Bar0;
use crate::display::pixel::{Timing, TRANSCODERS};
use crate::display::plane::{self, Effect, Planes};
use crate::display::update::{Event, Watch};
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
/// A vertical blank that falls due during a plane update starts when the update is over, see [`Watch`]; the following
/// ones are on time again.
#[derive(Debug)]
pub struct Pipe {
    index: usize,
    kind: DisplayKind,
    raster: Option<Raster>,
    frames: u32,
    flips: u32,
    frame_stamp: u32,
    flip_stamp: u32,
    watch: Watch,
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
            watch: Watch::new(),
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

    fn note(&mut self, event: Event, now: Instant) {
        self.watch.note(event, now);
        log::trace!("pipe {} frame {}: {event:?} {:?}", self.index, self.frames, self.watch);
    }

    /// Whether blanks wait for an update to end.
    pub fn is_held(&self) -> bool {
        self.is_running() && self.watch.is_open()
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
        if let Some(until) = self.watch.wait_until(context.now) {
            return Some(until);
        }
        self.watch.close();
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

    /// The line that is scanned; the last visible one while the blank waits.
    fn line(raster: &Raster, now: Instant) -> u32 {
        let timing = &raster.timing;
        let elapsed = now.saturating_duration_since(raster.vblank);
        if elapsed >= timing.frame {
            return timing.vblank_start.checked_sub(1).unwrap_or(timing.lines - 1);
        }
        let passed = elapsed.as_nanos() * u128::from(timing.lines) / timing.frame.as_nanos().max(1);
        (timing.vblank_start + passed as u32) % timing.lines
    }

    /// Reads a register; `offset` is one of [`claims`].
    pub fn read(&mut self, context: &Context, offset: u32) -> u32 {
        if TRANSCODER_CONF.contains(&offset) {
            return context.bar0.load(offset);
        }
        self.advance(context);
        match offset - self.base() {
            SCAN_LINE => {
                self.note(Event::Line, context.now);
                self.raster.map_or(0, |raster| {
                    let lines = raster.timing.lines;
                    (Self::line(&raster, context.now) + lines - raster.timing.lag % lines) % lines
                })
            }
            FRAME_COUNT => {
                self.note(Event::Count, context.now);
                self.frames
            }
            FLIP_COUNT => self.flips,
            FRAME_STAMP => self.frame_stamp,
            FLIP_STAMP => self.flip_stamp,
            _ => context.bar0.load(offset),
        }
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
        let register = offset - self.base();
        match register {
            FLIP_COUNT => self.flips = value,
            SCAN_LINE | FRAME_COUNT | FRAME_STAMP | FLIP_STAMP => {}
            _ if plane::read_only(register) => {}
            _ => {
                context.bar0.store(offset, value);
                if let Some(event) = plane::event(register) {
                    self.note(event, context.now);
                }
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
                self.watch = Watch::new();
            }
            (Some(_), false) => {
                self.raster = None;
                self.latch(context);
            }
            _ => {}
        }
    }
}
