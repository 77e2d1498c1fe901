// SPDX-License-Identifier: GPL-2.0
//! The display engine: pipes that scan, planes that flip, ports with monitors, and the clocks and power behind them.
//!
//! Registers without an entry in [`Display::claims`] are plain storage. Requests are granted at once; the only thing
//! that takes time is the raster, which [`Display::run`] drives from a thread of its own.

mod aux;
mod ddc;
mod decode;
pub mod edid;
mod gmbus;
pub mod image;
mod palette;
mod pipe;
mod pixel;
mod plane;
mod port;
mod power;
mod sbi;
mod scanout;
mod sink;
#[cfg(test)]
mod tests;
mod update;

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{ensure, Result};
use parking_lot::{Condvar, Mutex};

use crate::gpu::Gpu;
use crate::platform::{DisplayKind, Platform};
use image::Image;
use pipe::{Context, Pipe, PIPES};
use plane::Planes;
pub use port::Monitor;

/// Number of digital ports, A to E.
pub const PORTS: usize = 5;
/// The port that has a monitor when the device starts.
const DEFAULT_PORT: usize = 1;
/// Microseconds since the start.
const TIME_STAMP: u32 = 0x44070;

/// Which part answers for a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Power,
    Sideband,
    Palette,
    Port,
    Aux,
    Gmbus,
    Pipe,
    TimeStamp,
}

struct State {
    pipes: [Pipe; PIPES],
    palettes: [palette::Palette; PIPES],
    ports: [port::Port; PORTS],
    gmbus: gmbus::Gmbus,
    sideband: sbi::Sideband,
    stopped: bool,
}

impl State {
    fn new(kind: DisplayKind) -> Self {
        let mut ports: [port::Port; PORTS] = Default::default();
        ports[DEFAULT_PORT].connect(true);
        Self {
            pipes: std::array::from_fn(|index| Pipe::new(kind, index)),
            palettes: Default::default(),
            ports,
            gmbus: gmbus::Gmbus::default(),
            sideband: sbi::Sideband::default(),
            stopped: false,
        }
    }
}

/// Pipes, ports, clocks and power wells of one GPU.
///
/// The lock is held over calls of the register storage, the interrupt tree and the clock, and of nothing else of the
/// device.
pub struct Display {
    platform: &'static Platform,
    blocks: HashMap<u32, Block>,
    state: Mutex<State>,
    /// Told when the next vertical blank may be another one than [`Self::run`] waits for.
    wake: Condvar,
}

/// What the display shows, for reports.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// Frames per second of each pipe that runs.
    pub refresh: [Option<f64>; PIPES],
    /// Whether each port has a monitor.
    pub connected: [bool; PORTS],
}

impl Display {
    /// A display engine with everything off, and a DisplayPort monitor at port B.
    pub fn new(platform: &'static Platform) -> Self {
        let kind = platform.display;
        let mut blocks = HashMap::new();
        let mut claim = |block: Block, offsets: Vec<u32>| blocks.extend(offsets.into_iter().map(|at| (at, block)));
        claim(Block::Power, power::claims(platform));
        claim(Block::Palette, palette::claims().collect());
        claim(Block::Port, port::claims(kind));
        claim(Block::Aux, aux::claims(kind).collect());
        claim(Block::Gmbus, gmbus::claims().collect());
        claim(Block::Pipe, pipe::claims().collect());
        claim(Block::TimeStamp, vec![TIME_STAMP]);
        if kind == DisplayKind::Broadwell {
            claim(Block::Sideband, sbi::CLAIMS.to_vec());
        }
        Self { platform, blocks, state: Mutex::new(State::new(kind)), wake: Condvar::new() }
    }

    /// Offsets of the registers with side effects.
    pub fn claims(&self) -> impl Iterator<Item = u32> + '_ {
        self.blocks.keys().copied()
    }

    /// Sets every display register to its power-on value; monitors stay connected.
    pub fn reset(&self, gpu: &Gpu) {
        let mut state = self.state.lock();
        let kind = self.platform.display;
        let ports = std::mem::take(&mut state.ports);
        *state = State { ports, stopped: state.stopped, ..State::new(kind) };
        power::reset(self.platform, &gpu.bar0);
        port::reset(&gpu.bar0);
        for (index, port) in state.ports.iter_mut().enumerate() {
            port.reset();
            port::signal(kind, &gpu.bar0, &gpu.irq, index, port.is_connected(), false);
        }
        self.wake.notify_all();
    }

    fn context(gpu: &Gpu, now: Instant) -> Context<'_> {
        Context { bar0: &gpu.bar0, irq: &gpu.irq, stamp: gpu.clock.elapsed().as_micros() as u32, now }
    }

    /// Reads a register; `offset` is one of [`Self::claims`].
    pub fn read(&self, gpu: &Gpu, offset: u32) -> u32 {
        self.read_at(gpu, offset, Instant::now())
    }

    fn read_at(&self, gpu: &Gpu, offset: u32, now: Instant) -> u32 {
        let mut state = self.state.lock();
        match self.blocks.get(&offset) {
            Some(Block::Pipe) => {
                let pipe = &mut state.pipes[pipe::pipe_of(&gpu.bar0, offset)];
                let held = pipe.is_held();
                let value = pipe.read(&Self::context(gpu, now), offset);
                if held && !pipe.is_held() {
                    self.wake.notify_all();
                }
                value
            }
            Some(Block::Palette) => {
                let (pipe, data) = palette::locate(offset);
                state.palettes[pipe].read(data)
            }
            Some(Block::Gmbus) => {
                let State { gmbus, ports, .. } = &mut *state;
                gmbus.read(self.platform, &gpu.bar0, ports, offset)
            }
            Some(Block::TimeStamp) => gpu.clock.elapsed().as_micros() as u32,
            _ => gpu.bar0.load(offset),
        }
    }

    /// Writes a register; `offset` is one of [`Self::claims`].
    pub fn write(&self, gpu: &Gpu, offset: u32, value: u32) {
        self.write_at(gpu, offset, value, Instant::now());
    }

    fn write_at(&self, gpu: &Gpu, offset: u32, value: u32, now: Instant) {
        let kind = self.platform.display;
        let mut state = self.state.lock();
        let State { pipes, palettes, ports, gmbus, sideband, .. } = &mut *state;
        match self.blocks.get(&offset) {
            Some(Block::Power) => power::write(self.platform, &gpu.bar0, offset, value),
            Some(Block::Sideband) => sideband.write(&gpu.bar0, value),
            Some(Block::Palette) => {
                let (pipe, data) = palette::locate(offset);
                palettes[pipe].write(data, value);
            }
            Some(Block::Port) => port::write(kind, &gpu.bar0, offset, value),
            Some(Block::Aux) => {
                let sink = ports.get_mut(aux::channel_of(offset)).and_then(|port| port.sink.as_mut());
                aux::write(kind, &gpu.bar0, &gpu.irq, sink, offset, value);
            }
            Some(Block::Gmbus) => gmbus.write(self.platform, &gpu.bar0, &gpu.irq, ports, offset, value),
            Some(Block::Pipe) => {
                let pipe = &mut pipes[pipe::pipe_of(&gpu.bar0, offset)];
                let running = pipe.is_running();
                pipe.write(&Self::context(gpu, now), offset, value);
                if pipe.is_running() != running {
                    self.wake.notify_all();
                }
            }
            // The counter cannot be set.
            Some(Block::TimeStamp) => {}
            None => gpu.bar0.store(offset, value),
        }
    }

    /// Runs the vertical blanks that are due at `now`; returns when to call again, or nothing while no pipe runs.
    pub fn tick(&self, gpu: &Gpu, now: Instant) -> Option<Instant> {
        let (next, shown) = self.advance(gpu, &mut self.state.lock(), now);
        self.attribute(gpu, shown);
        next
    }

    /// As [`Self::tick`], but leaves the pages of new pictures to the caller, for when the lock is free.
    fn advance(&self, gpu: &Gpu, state: &mut State, now: Instant) -> (Option<Instant>, Vec<(usize, Planes)>) {
        let mut shown = Vec::new();
        let mut next: Option<Instant> = None;
        for (index, pipe) in state.pipes.iter_mut().enumerate() {
            let due = pipe.advance(&Self::context(gpu, now));
            next = next.into_iter().chain(due).min();
            if pipe.take_changed() {
                shown.push((index, pipe.planes.clone()));
            }
        }
        (next, shown)
    }

    /// Puts the pages of new pictures on the auditor's record.
    fn attribute(&self, gpu: &Gpu, shown: Vec<(usize, Planes)>) {
        for (pipe, planes) in shown {
            scanout::attribute(gpu, pipe, &planes);
        }
    }

    /// Drives the raster until [`Self::stop`].
    pub fn run(&self, gpu: &Gpu) {
        let mut state = self.state.lock();
        while !state.stopped {
            let (next, shown) = self.advance(gpu, &mut state, Instant::now());
            if !shown.is_empty() {
                parking_lot::MutexGuard::unlocked(&mut state, || self.attribute(gpu, shown));
                // A pipe may have been switched on meanwhile.
                continue;
            }
            match next {
                Some(due) => {
                    self.wake.wait_until(&mut state, due);
                }
                None => self.wake.wait(&mut state),
            }
        }
    }

    /// Makes [`Self::run`] return.
    pub fn stop(&self) {
        self.state.lock().stopped = true;
        self.wake.notify_all();
    }

    /// Connects or disconnects the monitor of a port (0 is port A).
    ///
    /// # Errors
    ///
    /// The platform has no such port.
    pub fn set_monitor(&self, gpu: &Gpu, port: usize, connected: bool) -> Result<()> {
        self.with_port(gpu, port, |port| port.connect(connected))
    }

    /// Connects a monitor of this kind to a port, in place of the one that is there.
    ///
    /// # Errors
    ///
    /// As [`Self::set_monitor`].
    pub fn plug(&self, gpu: &Gpu, port: usize, monitor: Monitor) -> Result<()> {
        self.set_monitor(gpu, port, false)?;
        self.with_port(gpu, port, |port| {
            port.choose(monitor);
            port.connect(true);
        })
    }

    fn with_port(&self, gpu: &Gpu, index: usize, change: impl FnOnce(&mut port::Port)) -> Result<()> {
        let kind = self.platform.display;
        let mut state = self.state.lock();
        let port = state.ports.get_mut(index).filter(|_| port::exists(kind, index));
        ensure!(port.is_some(), "{} has no port {index} with a connector; choose another", self.platform.title);
        if let Some(port) = port {
            let before = port.is_connected();
            change(port);
            let pulse = before != port.is_connected();
            port::signal(kind, &gpu.bar0, &gpu.irq, index, port.is_connected(), pulse);
        }
        Ok(())
    }

    /// The picture that a pipe (0 is pipe A) shows.
    ///
    /// # Errors
    ///
    /// The pipe does not exist or does not run, or a plane shows something that cannot be drawn.
    pub fn capture(&self, gpu: &Gpu, pipe: usize) -> Result<Image> {
        let planes = {
            let state = self.state.lock();
            let running = state.pipes.get(pipe).filter(|pipe| pipe.is_running());
            ensure!(running.is_some(), "pipe {pipe} shows nothing; set a mode on it first");
            running.map(|pipe| pipe.planes.clone()).unwrap_or_default()
        };
        scanout::compose(gpu, pipe, &planes)
    }

    /// Writes the picture that a pipe shows to a PNG file.
    ///
    /// # Errors
    ///
    /// As [`Self::capture`], or the file cannot be written.
    pub fn write_png(&self, gpu: &Gpu, pipe: usize, path: &Path) -> Result<()> {
        self.capture(gpu, pipe)?.write_png(path)
    }

    /// What runs and what is connected.
    pub fn report(&self) -> Report {
        let state = self.state.lock();
        Report {
            refresh: std::array::from_fn(|pipe| state.pipes[pipe].refresh()),
            connected: std::array::from_fn(|port| state.ports[port].is_connected()),
        }
    }
}
