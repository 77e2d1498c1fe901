// SPDX-License-Identifier: GPL-2.0
//! Has the blitter draw a picture, compares every pixel of it, shows it on the monitor, and draws on beside it.
#![forbid(unsafe_code)]

use std::num::NonZeroU32;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use clap::Parser;
use drm::buffer::{Buffer, DrmFourcc, Handle};
use drm::control::Device as ControlDevice;
use vm_tools::batch::Batch;
use vm_tools::blt::{fill, Surface};
use vm_tools::drm::{Class, Device, Engine};
use vm_tools::exec::{batch_bo, Exec};
use vm_tools::gem::{Bo, Context};
use vm_tools::monitor::monitor;
use vm_tools::scene::rectangles;
use vm_tools::tiling::Tiling;

/// How long the GPU may take for one picture.
const PATIENCE: Duration = Duration::from_secs(30);

/// Has the blitter draw a picture, and shows it on the monitor.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// Which picture: 1 to 4.
    #[arg(long, default_value_t = 1)]
    scene: u32,

    /// For how long it is shown, while the blitter draws it again and again elsewhere.
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// How many pictures the blitter is given at a time.
    #[arg(long, default_value_t = 3)]
    ahead: usize,
}

struct Card(Rc<Device>);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl drm::Device for Card {}
impl ControlDevice for Card {}

/// A buffer of the GPU's as one to be shown.
struct Shown<'a> {
    bo: &'a Bo,
    size: (u32, u32),
}

impl Buffer for Shown<'_> {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn format(&self) -> DrmFourcc {
        DrmFourcc::Xrgb8888
    }

    fn pitch(&self) -> u32 {
        pitch(self.size.0)
    }

    fn handle(&self) -> Handle {
        NonZeroU32::new(self.bo.handle).map_or(Handle::from(NonZeroU32::MIN), Handle::from)
    }
}

fn pitch(width: u32) -> u32 {
    (width * 4).next_multiple_of(64)
}

/// One picture: the commands, and where they draw.
struct Drawing {
    batch: Bo,
    target: Bo,
}

impl Drawing {
    fn new(device: &Rc<Device>, scene: u32, size: (u32, u32)) -> Result<Self> {
        let target = Bo::new(device, u64::from(pitch(size.0) * size.1).next_multiple_of(4096))?;
        let surface = Surface { address: target.address, pitch: pitch(size.0), tiling: Tiling::Linear };
        let mut batch = Batch::new();
        for (area, colour) in rectangles(scene, size.0, size.1) {
            fill(&mut batch, surface, area, colour);
        }
        Ok(Self { batch: batch_bo(device, batch.end())?, target })
    }

    fn submit(&self, context: &Context, engine: &Engine) -> Result<()> {
        Exec::new(context, engine, &self.batch).writes(&self.target).submit().context("i915 refuses the batch")?;
        Ok(())
    }

    fn wait(&self) -> Result<()> {
        ensure!(self.target.wait(PATIENCE)?, "the GPU does not get through with a picture");
        Ok(())
    }

    /// How many pixels are not as they should be.
    fn wrong(&self, scene: u32, size: (u32, u32)) -> usize {
        let mut expected = vec![0; (size.0 * size.1) as usize];
        for (area, colour) in rectangles(scene, size.0, size.1) {
            for y in area.y1..area.y2 {
                let line = (y * size.0) as usize;
                expected[line + area.x1 as usize..line + area.x2 as usize].fill(colour);
            }
        }
        let pixel = |n: u32| self.target.read32(u64::from(n / size.0 * pitch(size.0) + n % size.0 * 4)) & 0xff_ffff;
        (0..size.0 * size.1).zip(expected).filter(|(n, colour)| pixel(*n) != *colour).count()
    }
}

fn run(options: &Options) -> Result<()> {
    let device = Rc::new(Device::open(Path::new("/dev/dri/card0")).context("/dev/dri/card0")?);
    let copy = device.engines.iter().find(|engine| engine.class == Class::Copy).context("there is no blitter")?;
    let context = Context::new(&device)?;
    let card = Card(Rc::clone(&device));
    let (connector, mode) = monitor(&card)?;
    let size = (u32::from(mode.size().0), u32::from(mode.size().1));

    let shown = Drawing::new(&device, options.scene, size)?;
    shown.submit(&context, copy)?;
    shown.wait()?;
    let wrong = shown.wrong(options.scene, size);
    ensure!(wrong == 0, "{wrong} pixels of {} are wrong", size.0 * size.1);
    println!("PASS drawn ({} pixels by {} fills)", size.0 * size.1, rectangles(options.scene, size.0, size.1).len());

    let crtc = *card.resource_handles()?.crtcs().first().context("the device has no pipe")?;
    let picture = card
        .add_framebuffer(&Shown { bo: &shown.target, size }, 24, 32)
        .context("the driver does not take the picture")?;
    card.set_crtc(crtc, Some(picture), (0, 0), &[connector], Some(mode)).context("the mode cannot be set")?;
    println!("PASS shown ({}x{}@{})", size.0, size.1, mode.vrefresh());

    let begin = Instant::now();
    let beside = (0..options.ahead.max(1)).map(|_| Drawing::new(&device, options.scene, size));
    let beside = beside.collect::<Result<Vec<_>>>()?;
    let mut pictures = 0u32;
    for drawing in &beside {
        drawing.submit(&context, copy)?;
    }
    for drawing in beside.iter().cycle() {
        drawing.wait()?;
        pictures += 1;
        if begin.elapsed() > Duration::from_secs(options.seconds) {
            break;
        }
        drawing.submit(&context, copy)?;
    }
    for drawing in &beside {
        drawing.wait()?;
        let wrong = drawing.wrong(options.scene, size);
        ensure!(wrong == 0, "{wrong} pixels of one of the last pictures are wrong");
    }
    println!("PASS drawn-again ({pictures} pictures in {} s)", begin.elapsed().as_secs());
    Ok(())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAIL blitshow: {error:#}");
            ExitCode::FAILURE
        }
    }
}
