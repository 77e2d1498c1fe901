// SPDX-License-Identifier: GPL-2.0
//! Knowing when a driver is in the middle of a plane update.
//!
//! A driver must not be caught by the vertical blank between its first and its last write to double-buffered registers.
//! i915 looks at the scan line, waits if the blank is less than 100 us away, and writes. That is plenty on hardware. A
//! CPU under emulation takes 50 us and more for a single access, and many milliseconds if the host is busy, so it would
//! be caught time and again ("Atomic update failure"). Here, therefore, the raster waits for the driver.
//!
//! What a driver is at shows in its accesses. i915 begins an update by reading the scan line and then the frame count,
//! writes the planes, each one's surface address last, and ends by reading both again (`intel_pipe_update_start` and
//! `_end`). To learn the time of a vertical blank it reads the frame count, the scan line and the frame count again
//! (`drm_update_vblank_count`), which another CPU may do at any time. As there is no telling the CPUs apart, a sequence
//! can be misread; a plane that is written is therefore the only sure sign of an update, and no blank is ever late by a
//! second, which is how long Linux waits for one (`drm_crtc_wait_one_vblank`).

use std::time::{Duration, Instant};

/// For how long a blank waits for an update whose beginning was seen.
const PATIENCE: Duration = Duration::from_millis(600);
/// For how long it waits where only writes were seen, which need not have an end that can be.
const SHORT_PATIENCE: Duration = Duration::from_millis(300);
/// For how long it waits for the first write after a beginning.
const BEGINNING: Duration = Duration::from_millis(50);
/// For how long it waits after the last surface address for the end, which can be missed.
const END: Duration = Duration::from_millis(40);
/// After the end of an update the driver asks for the event that tells of its effect.
const GRACE: Duration = Duration::from_micros(300);

/// An access of the driver to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scan line was read.
    Line,
    /// The frame count was read.
    Count,
    /// A plane's register was written that takes effect with its surface address.
    Plane,
    /// A plane's surface address was written.
    Surface,
    /// The cursor was written. Moving it alone begins with a look at the scan line, too, but has no end.
    Cursor,
}

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing that matters.
    Idle,
    /// A count, and for `true` a line: the driver is reading the time of the last blank.
    Stamp(bool),
    /// A line, which with a count makes the beginning or the end of an update.
    Line,
}

/// Watches one pipe.
#[derive(Debug)]
pub struct Watch {
    phase: Phase,
    /// The beginning of an update was seen.
    begun: bool,
    /// A plane was written since.
    open: bool,
    /// A surface address was written since.
    armed: bool,
    /// Until when a blank waits for further writes.
    limit: Option<Instant>,
    /// Until when a blank has to wait.
    until: Option<Instant>,
}

impl Watch {
    /// No update is under way.
    pub fn new() -> Self {
        Self { phase: Phase::Idle, begun: false, open: false, armed: false, limit: None, until: None }
    }

    /// Takes note of an access.
    pub fn note(&mut self, event: Event, now: Instant) {
        match (event, self.phase) {
            (Event::Line, Phase::Idle | Phase::Line) => self.phase = Phase::Line,
            (Event::Line, Phase::Stamp(_)) => self.phase = Phase::Stamp(true),
            (Event::Count, Phase::Stamp(true)) => self.phase = Phase::Idle,
            (Event::Count, Phase::Stamp(false) | Phase::Idle) => self.phase = Phase::Stamp(false),
            (Event::Count, Phase::Line) => {
                self.phase = Phase::Idle;
                if self.open && self.armed {
                    self.close();
                    self.until = Some(now + GRACE);
                } else {
                    self.begun = true;
                    if !self.open {
                        self.until = Some(now + BEGINNING);
                    }
                }
            }
            (Event::Cursor, Phase::Line) => self.phase = Phase::Idle,
            (Event::Cursor, _) => {}
            (Event::Plane | Event::Surface, _) => {
                if !self.open {
                    self.open = true;
                    self.armed = false;
                    self.limit = Some(now + if self.begun { PATIENCE } else { SHORT_PATIENCE });
                }
                self.armed |= event == Event::Surface;
                self.until = match event {
                    Event::Surface => self.limit.map(|limit| limit.min(now + END)),
                    _ => self.limit,
                };
            }
        }
    }

    /// Whether an update is under way.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Until when a blank that is due has to wait, if it has to.
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Forgets an update, as at the blank that ends the patience with it.
    pub fn close(&mut self) {
        self.begun = false;
        self.open = false;
        self.armed = false;
        self.limit = None;
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::Event::{Count, Cursor, Line, Plane, Surface};
    use super::*;

    fn after(events: &[Event]) -> Watch {
        let mut watch = Watch::new();
        events.iter().for_each(|event| watch.note(*event, Instant::now()));
        watch
    }

    #[test]
    fn an_update_lasts_from_its_first_write_to_its_second_look() {
        assert!(!after(&[Line, Line, Count]).is_open());
        assert!(after(&[Line, Count, Plane]).is_open());
        assert!(after(&[Line, Count, Plane, Surface, Line]).is_open());
        assert!(!after(&[Line, Count, Plane, Surface, Line, Count]).is_open());
        assert!(after(&[Line, Count, Plane, Surface, Line, Count, Plane]).is_open());
        assert!(!after(&[Surface, Line, Count]).is_open(), "an asynchronous flip has no beginning");
    }

    #[test]
    fn the_time_of_a_blank_may_be_read_meanwhile() {
        assert!(after(&[Line, Count, Plane, Surface, Count, Line, Line, Count]).is_open());
        assert!(!after(&[Line, Count, Plane, Surface, Count, Line, Count, Line, Count]).is_open());
        // Two CPUs at once: whatever comes of it, the update ends.
        assert!(!after(&[Line, Count, Surface, Count, Line, Line, Count, Line, Count]).is_open());
        assert!(!after(&[Line, Count, Surface, Line, Count, Line, Count, Count]).is_open());
    }

    #[test]
    fn a_cursor_that_moves_is_no_update() {
        assert!(!after(&[Line, Count, Cursor]).is_open());
        assert!(!after(&[Line, Cursor, Count, Line, Count]).begun);
        assert!(after(&[Line, Count, Surface, Line, Cursor, Count, Line, Count]).is_open());
    }

    #[test]
    fn patience_ends() {
        let start = Instant::now();
        let mut watch = Watch::new();
        watch.note(Plane, start);
        assert_eq!(watch.wait_until(start), Some(start + SHORT_PATIENCE));
        watch.note(Plane, start + SHORT_PATIENCE / 2);
        assert_eq!(watch.wait_until(start + SHORT_PATIENCE), None, "more writes do not extend it");
        watch.close();
        watch.note(Line, start);
        assert_eq!(watch.wait_until(start), None, "the driver may be waiting for the blank itself");
        watch.note(Count, start);
        assert_eq!(watch.wait_until(start), Some(start + BEGINNING));
        watch.note(Plane, start);
        assert_eq!(watch.wait_until(start), Some(start + PATIENCE));
        watch.note(Surface, start);
        assert_eq!(watch.wait_until(start), Some(start + END));
        watch.note(Line, start);
        watch.note(Count, start);
        assert_eq!(watch.wait_until(start), Some(start + GRACE));
    }
}
