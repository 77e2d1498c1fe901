// SPDX-License-Identifier: GPL-2.0
//! Gives an engine work of a chosen length, either always or so often in a second, and tells what became of it.
//!
//! A batch is a row of flushes, which all engines have, which take the same time each, and between which an engine may be
//! taken away.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{ensure, Context as _, Result};
use clap::Parser;
use vm_tools::batch::Batch;
use vm_tools::drm::{Device, Engine};
use vm_tools::exec::{batch_bo, Exec};
use vm_tools::gem::{Bo, Context, PAGE};

/// How long the GPU may take for one batch.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many batches the engine has at a time where it always has some.
const AHEAD: usize = 3;

/// Gives an engine work, always or so often in a second.
#[derive(Debug, Parser)]
#[command(version)]
struct Options {
    /// The engine, by i915's name in the kernel: rcs0, bcs0, vcs0, vecs0.
    #[arg(long, default_value = "rcs0")]
    engine: String,

    /// How many flushes a batch has.
    #[arg(long, default_value_t = 100)]
    flushes: u32,

    /// For how long.
    #[arg(long, default_value_t = 10)]
    seconds: u64,

    /// Batches in a second, each of which is late if it is not done when the next one is due. Without this the engine
    /// always has work.
    #[arg(long)]
    rate: Option<f64>,

    /// How many percent may be late.
    #[arg(long, default_value_t = 100.0, requires = "rate")]
    late: f64,
}

/// A batch, and the page that it writes to.
struct Work {
    batch: Bo,
    target: Bo,
}

impl Work {
    fn new(device: &Rc<Device>, engine: &Engine, flushes: u32) -> Result<Self> {
        let target = Bo::new(device, PAGE)?;
        let mut batch = Batch::new();
        for number in 0..flushes {
            batch.flush_store(engine, target.address, u64::from(number));
        }
        Ok(Self { batch: batch_bo(device, batch.end())?, target })
    }

    fn submit(&self, context: &Context, engine: &Engine) -> Result<()> {
        Exec::new(context, engine, &self.batch).writes(&self.target).submit().context("i915 refuses the batch")?;
        Ok(())
    }

    fn wait(&self) -> Result<()> {
        ensure!(self.target.wait(PATIENCE)?, "the GPU does not get through with a batch");
        Ok(())
    }
}

/// The engine always has work.
fn always(device: &Rc<Device>, engine: &Engine, options: &Options) -> Result<()> {
    let context = Context::new(device)?;
    let works = (0..AHEAD).map(|_| Work::new(device, engine, options.flushes)).collect::<Result<Vec<_>>>()?;
    let begin = Instant::now();
    for work in &works {
        work.submit(&context, engine)?;
    }
    let mut done = 0u32;
    for work in works.iter().cycle() {
        work.wait()?;
        done += 1;
        if begin.elapsed() > Duration::from_secs(options.seconds) {
            break;
        }
        work.submit(&context, engine)?;
    }
    for work in &works {
        work.wait()?;
    }
    println!("PASS always/{} ({done} batches in {:.1} s)", options.engine, begin.elapsed().as_secs_f64());
    Ok(())
}

/// So many batches in a second.
fn paced(device: &Rc<Device>, engine: &Engine, options: &Options, rate: f64) -> Result<()> {
    let context = Context::new(device)?;
    let work = Work::new(device, engine, options.flushes)?;
    // The first one is slow: the buffers have to be mapped.
    work.submit(&context, engine)?;
    work.wait()?;
    let period = Duration::from_secs_f64(1.0 / rate);
    let (mut done, mut late, mut longest, mut all) = (0u32, 0u32, Duration::ZERO, Duration::ZERO);
    let begin = Instant::now();
    let mut due = begin;
    while begin.elapsed() < Duration::from_secs(options.seconds) {
        sleep(due.saturating_duration_since(Instant::now()));
        // What the timer of this machine was late is none of the GPU's.
        let start = Instant::now();
        work.submit(&context, engine)?;
        work.wait()?;
        let took = start.elapsed();
        (done, all, longest) = (done + 1, all + took, longest.max(took));
        late += u32::from(took > period);
        while due <= Instant::now() {
            due += period;
        }
    }
    let percent = 100.0 * f64::from(late) / f64::from(done);
    let text = format!(
        "{late} of {done} late, {percent:.1} %; {:.1} ms each, {:.1} ms the longest",
        1e3 * all.as_secs_f64() / f64::from(done),
        1e3 * longest.as_secs_f64()
    );
    ensure!(percent <= options.late, "{text}");
    println!("PASS paced/{} ({text})", options.engine);
    Ok(())
}

fn run(options: &Options) -> Result<()> {
    let device = Rc::new(Device::find()?);
    let engine = device.engines.iter().find(|engine| engine.name == options.engine);
    let engine = engine.with_context(|| format!("there is no engine {}", options.engine))?;
    match options.rate {
        None => always(&device, engine, options),
        Some(rate) => {
            ensure!((0.1..=1000.0).contains(&rate), "--rate {rate}: 0.1 to 1000 batches in a second");
            paced(&device, engine, options, rate)
        }
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("FAIL pace/{}: {error:#}", options.engine);
            ExitCode::FAILURE
        }
    }
}
