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
    /// It may not; only a reset ends the batch.
    Stubborn,
}

/// A batch in an endless loop.
pub(super) struct Spinner {
    /// The batch's buffer, busy as long as it spins.
    pub(super) code: Bo,
    /// Where the loop starts.
    head: u64,
}

/// Where the batch tells that it runs, far behind its commands.
const STARTED: u64 = PAGE - 64;

impl Spinner {
    /// Writes the batch.
    pub(super) fn new(device: &Rc<Device>, manners: Manners) -> Result<Spinner> {
        let code = Bo::new(device, PAGE)?;
        let mut batch = Batch::new();
        if manners == Manners::Stubborn {
            batch.arbitration(false);
        }
        batch.store(code.address + STARTED, 1);
        // The loop starts on a cache line of its own, as the processor will change it under the engine's eyes.
        while batch.offset() % 64 != 0 {
            batch.noop();
        }
        let head = batch.offset();
        match manners {
            Manners::Polite => batch.arbitration_point(),
            Manners::Stubborn => batch.noop(),
        };
        batch.chain(code.address + head);
        code.write(0, &batch.finished());
        Ok(Spinner { code, head })
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
        self.code.write32(self.head, Batch::new().finished()[0]);
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        // A check that failed half-way must not leave the engine spinning for the next one.
        self.release();
    }
}
