// SPDX-License-Identifier: GPL-2.0
//! Shows the bars of modetest on the monitor, in the monitor's own mode, and follows it when it changes.
#![forbid(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use drm::buffer::{Buffer, DrmFourcc, DrmModifier, Handle, PlanarBuffer};
use drm::control::dumbbuffer::DumbBuffer;
use drm::control::{framebuffer, Device as ControlDevice, FbCmd2Flags, Mode};
use drm::Device;
use vm_tools::monitor::monitor;
use vm_tools::screen::smpte;
use vm_tools::tiling::Tiling;

/// Modes of so many frames in a second or more are shown in X tiles, slower ones line by line.
const TILED_FROM: u32 = 70;
/// Width and height of an X tile, in pixels and lines.
const TILE: (u32, u32) = (128, 8);

/// Shows the bars of modetest on the monitor, in the monitor's own mode, and follows it when it changes.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// End when the monitor has this size.
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    until: Option<String>,
}

struct Card(File);

impl AsFd for Card {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Device for Card {}
impl ControlDevice for Card {}

/// A dumb buffer in a layout that dumb buffers cannot be told of.
struct Surface {
    buffer: DumbBuffer,
    size: (u32, u32),
    tiling: Tiling,
}

impl PlanarBuffer for Surface {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn format(&self) -> DrmFourcc {
        DrmFourcc::Xrgb8888
    }

    fn modifier(&self) -> Option<DrmModifier> {
        Some(match self.tiling {
            Tiling::X => DrmModifier::I915_x_tiled,
            Tiling::Linear | Tiling::Y => DrmModifier::Linear,
        })
    }

    fn pitches(&self) -> [u32; 4] {
        [self.buffer.pitch(), 0, 0, 0]
    }

    fn handles(&self) -> [Option<drm::buffer::Handle>; 4] {
        let handle: Handle = self.buffer.handle();
        [Some(handle), None, None, None]
    }

    fn offsets(&self) -> [u32; 4] {
        [0; 4]
    }
}

fn draw(card: &Card, mode: &Mode) -> Result<(Surface, framebuffer::Handle)> {
    let (width, height) = (u32::from(mode.size().0), u32::from(mode.size().1));
    let tiling = if mode.vrefresh() >= TILED_FROM { Tiling::X } else { Tiling::Linear };
    let room = (width.next_multiple_of(TILE.0), height.next_multiple_of(TILE.1));
    let mut buffer = card.create_dumb_buffer(room, DrmFourcc::Xrgb8888, 32).context("no buffer of that size")?;
    let pitch = u64::from(buffer.pitch());
    let mut memory = card.map_dumb_buffer(&mut buffer).context("the buffer cannot be mapped")?;
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let [red, green, blue] = smpte(width, height, x, y);
        let place = tiling.offset(pitch, u64::from(x) * 4, y.into()) as usize;
        memory[place..place + 4].copy_from_slice(&[blue, green, red, 0]);
    }
    drop(memory);
    let surface = Surface { buffer, size: (width, height), tiling };
    let shown = card
        .add_planar_framebuffer(&surface, FbCmd2Flags::MODIFIERS)
        .with_context(|| format!("the driver takes no {} picture", tiling.name()))?;
    Ok((surface, shown))
}

fn run(options: &Options) -> Result<()> {
    let file =
        OpenOptions::new().read(true).write(true).open("/dev/dri/card0").context("cannot open /dev/dri/card0")?;
    let card = Card(file);
    let mut last = None;
    loop {
        let (connector, mode) = monitor(&card)?;
        let size = format!("{}x{}", mode.size().0, mode.size().1);
        if options.until.as_ref() == Some(&size) {
            return Ok(());
        }
        if last.as_ref().is_none_or(|(shown, _)| *shown != mode) {
            let resources = card.resource_handles()?;
            let crtc = *resources.crtcs().first().context("the device has no pipe")?;
            let (surface, picture) = draw(&card, &mode)?;
            card.set_crtc(crtc, Some(picture), (0, 0), &[connector], Some(mode)).context("the mode cannot be set")?;
            println!("{size}@{} {}", mode.vrefresh(), surface.tiling.name());
            if let Some((_, (old, shown))) = last.replace((mode, (surface, picture))) {
                card.destroy_framebuffer(shown)?;
                card.destroy_dumb_buffer(old.buffer)?;
            }
        }
        sleep(Duration::from_millis(300));
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kmsshow: {error:#}");
            ExitCode::FAILURE
        }
    }
}
