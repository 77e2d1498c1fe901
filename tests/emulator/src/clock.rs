// SPDX-License-Identifier: GPL-2.0
//! GPU time: one clock for timestamps, vblanks and the cost of commands.

use std::time::{Duration, Instant};

/// Converts between wall time and the timestamp counters of the GPU.
pub struct Clock {
    origin: Instant,
    timestamp_hz: u64,
}

impl Clock {
    /// A clock that starts now and whose timestamps tick with `timestamp_hz`.
    pub fn new(timestamp_hz: u64) -> Self {
        Self { origin: Instant::now(), timestamp_hz }
    }

    /// Time since the device came to be.
    pub fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The counter behind `RING_TIMESTAMP` and every timestamp write.
    pub fn timestamp(&self) -> u64 {
        self.ticks(self.elapsed())
    }

    /// A span of time in timestamp ticks.
    pub fn ticks(&self, span: Duration) -> u64 {
        (span.as_nanos() * u128::from(self.timestamp_hz) / 1_000_000_000) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_follow_the_frequency() {
        let clock = Clock::new(12_000_000);
        assert_eq!(clock.ticks(Duration::from_secs(3600 * 24 * 365)), 12_000_000 * 3600 * 24 * 365);
        assert_eq!(clock.ticks(Duration::from_micros(1)), 12);
    }
}
