// SPDX-License-Identifier: GPL-2.0
//! Delivers interrupt messages that a fault holds back.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::gpu::Gpu;

/// How late a delayed message may be on top.
const STEP: Duration = Duration::from_millis(1);

/// The thread that delivers late messages; there is one while there may be any.
#[derive(Default)]
pub(super) struct LateMessages {
    running: Arc<Mutex<bool>>,
}

impl LateMessages {
    /// Sees to it that messages which a fault delays arrive; to be called after the fault was armed.
    ///
    /// # Errors
    ///
    /// There is no thread to be had.
    pub fn deliver(&self, gpu: &Arc<Gpu>) -> Result<(), String> {
        let mut running = self.running.lock();
        if *running {
            // It looks for work once more, under this lock, before it ends.
            return Ok(());
        }
        let (gpu, still_running) = (gpu.clone(), self.running.clone());
        let work = move || loop {
            gpu.irq.send_delayed(Instant::now());
            let mut running = still_running.lock();
            if !gpu.irq.is_delaying() {
                *running = false;
                return;
            }
            drop(running);
            thread::sleep(STEP);
        };
        thread::Builder::new()
            .name("late interrupts".into())
            .spawn(work)
            .map_err(|error| format!("no thread to deliver late interrupts: {error}; try again"))?;
        *running = true;
        Ok(())
    }
}
