// SPDX-License-Identifier: GPL-2.0
//! Takes a picture of the screen of a virtual GPU that a running VMM has open, through a dma-buf.
#![forbid(unsafe_code)]

use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use clap::Parser;
use rustix::process::{pidfd_getfd, pidfd_open, Pid, PidfdFlags, PidfdGetfdFlags};
use vm_tools::scene::picture;
use vm_tools::screen::{difference, dmabuf, map, smpte_picture, write_png, Kind, Plane};

/// Takes a picture of the screen of a virtual GPU that a running VMM has open.
///
/// The VFIO device is that of the VMM: its descriptor is fetched out of the process, for which one has to be root.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The process of the VMM, such as QEMU.
    #[arg(long)]
    pid: i32,

    /// Where to write the picture.
    #[arg(long, value_name = "PNG")]
    out: Option<PathBuf>,

    /// Take the cursor alone.
    #[arg(long)]
    cursor: bool,

    /// Wait until the screen has this size.
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    size: Option<String>,

    /// Wait until it is in this layout: linear, x or y.
    #[arg(long)]
    tiling: Option<String>,

    /// Wait until it shows the bars of modetest, pixel for pixel.
    #[arg(long)]
    smpte: bool,

    /// Wait until it shows this picture of blitshow, pixel for pixel.
    #[arg(long, value_name = "NUMBER")]
    scene: Option<u32>,

    /// For how long to wait.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

/// The VFIO device of a process.
fn device_of(pid: i32) -> Result<OwnedFd> {
    let process = pidfd_open(Pid::from_raw(pid).context("not a process")?, PidfdFlags::empty())
        .with_context(|| format!("there is no process {pid}"))?;
    let folder = format!("/proc/{pid}/fd");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {folder}"))? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let is_device = fs::read_link(&path).is_ok_and(|target| target.to_string_lossy().contains("vfio-device"));
        if let (true, Some(number)) = (is_device, number) {
            return pidfd_getfd(&process, number, PidfdGetfdFlags::empty())
                .with_context(|| format!("cannot fetch descriptor {number} of process {pid}: be root"));
        }
    }
    bail!("process {pid} has no VFIO device open")
}

/// What is on the screen now: its plane and its pixels. An error if it is not what is waited for.
fn look(options: &Options) -> Result<(Plane, Vec<u8>)> {
    let device = device_of(options.pid)?;
    let kind = if options.cursor { Kind::Cursor } else { Kind::Primary };
    let plane = Plane::query(device.as_fd(), kind as u32)?.context("the screen is dark")?;
    let size = format!("{}x{}", plane.width, plane.height);
    if options.size.as_ref().is_some_and(|wanted| *wanted != size) {
        bail!("the screen has {size} pixels");
    }
    let tiling = plane.tiling()?.name();
    if options.tiling.as_ref().is_some_and(|wanted| wanted != tiling) {
        bail!("the screen is {tiling}");
    }
    let (memory, _) = map(&dmabuf(device.as_fd(), plane.number)?)?;
    let pixels = plane.pixels(&memory)?;
    let smpte = options.smpte.then(|| smpte_picture(plane.width, plane.height));
    let scene = options.scene.map(|number| picture(number, plane.width, plane.height));
    for expected in smpte.into_iter().chain(scene) {
        if let Some(text) = difference(plane.width, &pixels, &expected) {
            bail!("{text}");
        }
    }
    Ok((plane, pixels))
}

fn run(options: &Options) -> Result<()> {
    let begin = Instant::now();
    let (plane, pixels) = loop {
        match look(options) {
            Ok(seen) => break seen,
            Err(error) if begin.elapsed() > Duration::from_secs(options.seconds) => return Err(error),
            Err(_) => sleep(Duration::from_millis(200)),
        }
    };
    if let Some(path) = &options.out {
        write_png(path, plane.width, plane.height, &pixels)?;
    }
    println!(
        "{}x{} {} {} stride {}",
        plane.width,
        plane.height,
        plane.tiling()?.name(),
        String::from_utf8_lossy(&plane.format.to_le_bytes()),
        plane.stride
    );
    Ok(())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vgpushot: {error:#}");
            ExitCode::FAILURE
        }
    }
}
