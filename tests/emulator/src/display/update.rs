// SPDX-License-Identifier: GPL-2.0
//! Knowing when a driver is in the middle of a plane update.
//!
//! A driver must not be caught by the vertical blank between its first and its last write to double-buffered registers.
//! i915 looks at the scan line, waits if the blank is less than 100 us away, and writes. That is plenty on hardware. A
//! CPU under emulation takes 50 us and more for a single access, and many milliseconds if the host is busy, so it would
//! be caught time and again ("Atomic update failure"). Here, therefore, the raster waits for the driver.
//!
//! What a driver is at shows in its accesses. i915 begins an update by reading the scan line and then the frame count,
//! writes each plane, its surface address last, and ends by reading both again (`intel_pipe_update_start` and
//! `_end`). To learn the time of a vertical blank it reads the frame count, the scan line and the frame count again
//! (`drm_update_vblank_count`); before it moves the cursor it reads the scan line. As there is no telling apart the CPUs
//! that do so, a sequence can be misread. Therefore no blank is ever late by a second, which is how long Linux waits for
//! one (`drm_crtc_wait_one_vblank`).

use std::time::{Duration, Instant};

/// For how long a blank waits for the first write after a beginning.
const BEGINNING: Duration = Duration::from_millis(100);
/// For how long it waits after a write for what follows.
const PATIENCE: Duration = Duration::from_millis(300);
/// For how long it waits in all.
const LONGEST: Duration = Duration::from_millis(600);
/// After the end of an update the driver asks for the event that tells of its effect.
const GRACE: Duration = Duration::from_micros(300);

/// An access of the driver to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scan line was read.
    Line,
    /// The frame count was read.
    Count,
    /// Another register of a plane was written that belongs into an update.
    Plane,
    /// A plane's surface address was written.
    Surface,
    /// The cursor was written.
    Cursor,
}

/// What was read last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// Nothing that matters.
    Nothing,
    /// A count, and for `true` a line: the driver is reading the time of the last blank.
    Stamp(bool),
    /// A line, which with a count makes the beginning or the end of an update.
    Line,
}

/// How far an update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No plane was written.
    Closed,
    /// A plane was written.
    Open,
    /// The surface address of a plane was written.
    Armed,
}

/// Watches one pipe.
#[derive(Debug)]
pub struct Watch {
    phase: Phase,
    seen: Seen,
    /// Until when a blank has to wait.
    until: Option<Instant>,
    /// When the patience with the present update ends.
    limit: Option<Instant>,
}

impl Watch {
    /// No update is under way.
    pub fn new() -> Self {
        Self { phase: Phase::Closed, seen: Seen::Nothing, until: None, limit: None }
    }

    /// Takes note of an access.
    pub fn note(&mut self, event: Event, now: Instant) {
        self.seen = match (event, self.seen) {
            (Event::Line, Seen::Nothing | Seen::Line) => Seen::Line,
            (Event::Line, Seen::Stamp(_)) => Seen::Stamp(true),
            (Event::Count, Seen::Nothing | Seen::Stamp(false)) => Seen::Stamp(false),
            (Event::Count, Seen::Stamp(true)) => Seen::Nothing,
            (Event::Count, Seen::Line) => {
                self.begin_or_end(now);
                Seen::Nothing
            }
            // The line was read for the cursor's sake, unless an update is about to end.
            (Event::Cursor, Seen::Line) if self.phase != Phase::Armed => Seen::Nothing,
            (Event::Cursor, seen) => seen,
            (Event::Plane | Event::Surface, seen) => {
                let limit = *self.limit.get_or_insert(now + LONGEST);
                self.until = Some(limit.min(now + PATIENCE));
                // Registers of the next plane may follow the surface address of one.
                if event == Event::Surface || self.phase == Phase::Armed {
                    self.phase = Phase::Armed;
                } else {
                    self.phase = Phase::Open;
                }
                if seen == Seen::Line {
                    Seen::Nothing
                } else {
                    seen
                }
            }
        };
    }

    fn begin_or_end(&mut self, now: Instant) {
        match self.phase {
            Phase::Closed => self.until = Some(now + BEGINNING),
            Phase::Open => {}
            Phase::Armed => {
                self.close();
                self.until = Some(now + GRACE);
            }
        }
    }

    /// Whether an update is under way.
    pub fn is_open(&self) -> bool {
        self.phase != Phase::Closed
    }

    /// Until when a blank that is due has to wait, if it has to.
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Forgets an update, as at the blank that ends the patience with it.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.until = None;
        self.limit = None;
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

    fn waits(events: &[Event]) -> bool {
        after(events).wait_until(Instant::now() + GRACE).is_some()
    }

    #[test]
    fn an_update_lasts_from_its_first_look_to_its_second() {
        assert!(!waits(&[Line, Line]), "the driver may be waiting for the blank itself");
        assert!(waits(&[Line, Line, Count]));
        assert!(waits(&[Line, Count, Plane]));
        assert!(waits(&[Line, Count, Plane, Surface, Line]));
        assert!(!waits(&[Line, Count, Plane, Surface, Line, Count]));
        assert!(waits(&[Line, Count, Plane, Surface, Line, Plane]));
        assert!(!waits(&[Surface, Line, Count]), "an asynchronous flip has no beginning");
    }

    #[test]
    fn the_time_of_a_blank_may_be_read_meanwhile() {
        assert!(!waits(&[Count, Line, Line, Line, Count]));
        assert!(waits(&[Count, Line, Count, Line, Count]));
        // Two CPUs at once: whatever comes of it, the update ends.
        assert!(waits(&[Line, Count, Surface, Count, Line, Line, Count, Line]));
        assert!(!waits(&[Line, Count, Surface, Count, Line, Line, Count, Line, Count]));
        assert!(!after(&[Line, Count, Surface, Line, Count, Line, Count, Count]).is_open());
    }

    #[test]
    fn a_cursor_that_moves_is_no_update() {
        assert!(!waits(&[Line, Cursor]));
        assert!(!waits(&[Line, Cursor, Count, Line, Count]));
        assert!(!waits(&[Line, Count, Surface, Line, Cursor, Count]), "an update ends all the same");
    }

    #[test]
    fn patience_ends() {
        let start = Instant::now();
        let mut watch = Watch::new();
        watch.note(Line, start);
        watch.note(Count, start);
        assert_eq!(watch.wait_until(start), Some(start + BEGINNING));
        watch.note(Plane, start);
        assert_eq!(watch.wait_until(start), Some(start + PATIENCE));
        watch.note(Surface, start + LONGEST / 2 + PATIENCE / 2);
        assert_eq!(watch.wait_until(start), Some(start + LONGEST));
        watch.note(Surface, start + LONGEST);
        assert_eq!(watch.wait_until(start + LONGEST), None, "more writes do not extend it for ever");
        watch.close();
        watch.note(Surface, start + LONGEST);
        watch.note(Line, start + LONGEST);
        watch.note(Count, start + LONGEST);
        assert_eq!(watch.wait_until(start + LONGEST), Some(start + LONGEST + GRACE));
    }
}
