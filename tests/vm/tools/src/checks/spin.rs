// SPDX-License-Identifier: GPL-2.0
//! A batch that runs until the processor ends it.

use std::rc::Rc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{ensure, Result};

use crate::batch::Batch;
use crate::drm::{Device, Engine};
use crate::exec::Exec;
use crate::gem::{Bo, Context, PAGE};

/// Whether the scheduler may take the engine away from the spinning batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    /// It may, in every round.
    Polite,
    /// It finds no point at which it may; only a reset ends the batch.
    Stubborn,
}

/// A batch in an endless loop.
pub(super) struct Spinner {
    /// The batch's buffer, busy as long as it spins.
    pub(super) code: Bo,
}

/// Where the batch tells that it runs, and where it looks whether it shall go on; both far behind its commands.
///
/// The loop ends by a value in memory and not by changing its commands: for the blitter of graphics version 9 the kernel
/// checks the commands and runs a copy of them.
const STARTED: u64 = PAGE - 64;
const GO_ON: u64 = PAGE - 128;

impl Spinner {
    /// Writes the batch.
    pub(super) fn new(device: &Rc<Device>, manners: Manners) -> Result<Spinner> {
        let code = Bo::new(device, PAGE)?;
        code.write32(GO_ON, 1);
        let mut batch = Batch::new();
        batch.store(code.address + STARTED, 1);
        let head = batch.offset();
        if manners == Manners::Polite {
            batch.arbitration_point();
        }
        batch.end_unless_greater(code.address + GO_ON, 0);
        batch.chain(code.address + head);
        code.write(0, &batch.finished());
        Ok(Spinner { code })
    }

    /// Starts it and waits until the engine is in it.
    pub(super) fn start(&self, context: &Context, engine: &Engine, limit: Duration) -> Result<()> {
        Exec::new(context, engine, &self.code).submit()?;
        let start = Instant::now();
        while self.code.read32(STARTED) == 0 {
            ensure!(start.elapsed() < limit, "a spinning batch did not start within {:.1} s", limit.as_secs_f64());
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Lets it end.
    pub(super) fn release(&self) {
        self.code.write32(GO_ON, 0);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        // A check that failed half-way must not leave the engine spinning for the next one.
        self.release();
    }
}
