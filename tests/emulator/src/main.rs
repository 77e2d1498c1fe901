// SPDX-License-Identifier: GPL-2.0
//! Serves a software GPU to one QEMU.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, Result};
use clap::Parser;
use emulated_gpu::control::Control;
use emulated_gpu::gpu::{Config, Gpu};
use emulated_gpu::platform::Platform;
use emulated_gpu::server;

/// A software Intel GPU for QEMU: attach it with -device vfio-user-pci
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Unix socket at which QEMU finds the device
    #[arg(long)]
    socket: PathBuf,
    /// Which GPU: bdw, skl, bxt, kbl, cfl or cml
    #[arg(long, default_value = "skl", value_parser = Platform::by_name)]
    platform: &'static Platform,
    /// Aperture (BAR2) size: 256M, 512M or 1G
    #[arg(long, default_value = "512M", value_parser = parse_size)]
    aperture: u64,
    /// Size of the global address space: 2G or 4G
    #[arg(long, default_value = "4G", value_parser = parse_size)]
    ggtt: u64,
    /// Second video engine, as in a GT3 part
    #[arg(long)]
    vcs1: bool,
    /// GPU time of a command relative to the cost table; 0 makes work free
    #[arg(long, default_value_t = 1.0)]
    time_scale: f64,
    /// Log accesses to unmapped addresses and go on, instead of hanging the engine
    #[arg(long)]
    ignore_faults: bool,
    /// Write faults and the pages of every context to this file, as JSON lines
    #[arg(long)]
    audit: Option<PathBuf>,
    /// Unix socket for requests as JSON lines
    #[arg(long)]
    control: Option<PathBuf>,
    /// Folder for the pictures that requests at the control socket ask for
    #[arg(long)]
    pictures: Option<PathBuf>,
    /// Write the counters to this file at the end, as JSON
    #[arg(long)]
    stats: Option<PathBuf>,
    /// Append the log to this file rather than to standard error; RUST_LOG selects what is logged
    #[arg(long)]
    log: Option<PathBuf>,
}

fn parse_size(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'M') => (&text[..text.len() - 1], 20),
        Some(b'G') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| format!("{text:?} is not a size; write 512M or 4G"))?;
    number.checked_mul(1 << shift).ok_or_else(|| format!("{text} is more than can be addressed"))
}

fn start_log(path: Option<&PathBuf>) -> Result<()> {
    let mut logger = env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("info"));
    logger.format_timestamp_micros();
    if let Some(path) = path {
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("opening the log {}", path.display()))?;
        logger.target(env_logger::Target::Pipe(Box::new(file)));
    }
    logger.init();
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    start_log(arguments.log.as_ref())?;
    anyhow::ensure!(
        arguments.time_scale.is_finite() && (0.0..=1e6).contains(&arguments.time_scale),
        "--time-scale {} makes no sense; give a factor from 0 to 1000000",
        arguments.time_scale
    );
    let config = Config {
        platform: arguments.platform,
        aperture: arguments.aperture,
        ggtt: arguments.ggtt,
        vcs1: arguments.vcs1,
        time_scale: arguments.time_scale,
        hang_on_fault: !arguments.ignore_faults,
    };
    let gpu = Arc::new(Gpu::new(config)?);
    if let Some(path) = &arguments.audit {
        gpu.auditor.log_to(path)?;
    }
    let listen = |path: &PathBuf| Control::listen(path, gpu.clone(), arguments.pictures.clone());
    let _control = arguments.control.as_ref().map(listen).transpose()?;
    log::info!("{} at {}", arguments.platform.title, arguments.socket.display());
    let served = thread::scope(|scope| {
        for engine in &gpu.engines {
            scope.spawn(|| engine.run(&gpu));
        }
        scope.spawn(|| gpu.display.run(&gpu));
        let served = server::serve(gpu.clone(), &arguments.socket);
        for engine in &gpu.engines {
            engine.shut_down();
        }
        gpu.display.stop();
        served
    });
    gpu.auditor.finish();
    if let Some(path) = &arguments.stats {
        write_statistics(&gpu, path)?;
    }
    served
}

fn write_statistics(gpu: &Gpu, path: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(&gpu.stats.snapshot(gpu))?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("writing the statistics to {}", path.display()))
}
