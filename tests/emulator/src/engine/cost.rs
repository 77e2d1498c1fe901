// SPDX-License-Identifier: GPL-2.0
//! What commands cost in GPU time.
//!
//! Round figures of the right order for a GT2 part at 1 GHz; the point is that work takes time, in proportion to its
//! size, and that engines are busy in parallel.

use std::time::Duration;

/// Fetching and parsing any command.
pub const COMMAND: Duration = Duration::from_nanos(40);
/// Loading or saving a context.
pub const CONTEXT_SWITCH: Duration = Duration::from_micros(6);
/// A flush of the pipeline and caches.
pub const FLUSH: Duration = Duration::from_nanos(800);
/// One draw, dispatch or media object.
pub const DRAW: Duration = Duration::from_micros(20);
/// Bytes that the blitter reads and writes per microsecond.
pub const BLIT_BYTES_PER_MICROSECOND: u64 = 8192;

/// Time for a blit that moved this many bytes.
pub fn blit(bytes: u64) -> Duration {
    Duration::from_nanos(bytes.saturating_mul(1000) / BLIT_BYTES_PER_MICROSECOND)
}
