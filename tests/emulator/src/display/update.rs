// SPDX-License-Identifier: GPL-2.0
//! Knowing when a driver is in the middle of a plane update.
//!
//! A driver must not be caught by the vertical blank between its first and its last write to double-buffered registers.
//! i915 looks at the scan line, waits if the blank is less than 100 us away, and writes. That is plenty on hardware. A
//! CPU under emulation takes 50 us and more for a single access, and many milliseconds if the host is busy, so it would
//! be caught time and again ("Atomic update failure"). Here, therefore, the raster waits for the driver.
//!
//! What a driver is at shows in what it reads. i915 begins an update with the scan line and then the frame count, and
//! ends it in the same way (`intel_pipe_update_start` and `_end`). For the time of a vertical blank it reads the frame
//! count, the scan line and the frame count again (`drm_update_vblank_count`); another CPU may do so at any time. Writes
//! to planes outside of what looks like an update are taken for one whose beginning was missed.

use std::time::{Duration, Instant};

/// For how long the blank waits for an update whose beginning was seen.
const PATIENCE: Duration = Duration::from_millis(250);
/// For how long it waits where only writes were seen, which need not have an end that can be.
const SHORT_PATIENCE: Duration = Duration::from_millis(40);
/// After the end of an update the driver asks for the event that tells of its effect.
const GRACE: Duration = Duration::from_micros(300);

/// An access of the driver to a pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The scan line was read.
    Line,
    /// The frame count was read.
    Count,
    /// A plane's register was written.
    Plane,
}

/// What the last accesses were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing in particular.
    Idle,
    /// A count, and for `true` a line: the driver is reading the time of the last blank.
    Stamp(bool),
    /// A line, of which a count makes the beginning of an update.
    Begin,
    /// An update is under way.
    Open,
    /// The same, and the time of the last blank is being read.
    OpenStamp(bool),
    /// A line in an update, of which a count makes the end.
    End,
}

/// Watches one pipe.
#[derive(Debug)]
pub struct Watch {
    phase: Phase,
    /// Until when a blank has to wait.
    until: Option<Instant>,
}

impl Watch {
    /// No update is under way.
    pub fn new() -> Self {
        Self { phase: Phase::Idle, until: None }
    }

    /// Takes note of an access.
    pub fn note(&mut self, event: Event, now: Instant) {
        let next = match (self.phase, event) {
            (Phase::Idle, Event::Line) => Phase::Begin,
            (Phase::Idle, Event::Count) => Phase::Stamp(false),
            (Phase::Stamp(_), Event::Line) => Phase::Stamp(true),
            (Phase::Stamp(false), Event::Count) => Phase::Stamp(false),
            (Phase::Stamp(true), Event::Count) => Phase::Idle,
            (Phase::Begin, Event::Line) => Phase::Begin,
            (Phase::Begin, Event::Count) => Phase::Open,
            (Phase::Open, Event::Line) => Phase::End,
            (Phase::Open, Event::Count) => Phase::OpenStamp(false),
            (Phase::OpenStamp(_), Event::Line) => Phase::OpenStamp(true),
            (Phase::OpenStamp(false), Event::Count) => Phase::OpenStamp(false),
            (Phase::OpenStamp(true), Event::Count) => Phase::Open,
            (Phase::End, Event::Line) => Phase::End,
            (Phase::End, Event::Count) => Phase::Idle,
            (_, Event::Plane) => Phase::Open,
        };
        match (self.is_open(), Self::opens(next)) {
            (false, true) => {
                let patience = if event == Event::Plane { SHORT_PATIENCE } else { PATIENCE };
                self.until = Some(now + patience);
            }
            (true, false) => self.until = Some(now + GRACE),
            _ => {}
        }
        self.phase = next;
    }

    fn opens(phase: Phase) -> bool {
        matches!(phase, Phase::Open | Phase::OpenStamp(_) | Phase::End)
    }

    /// Whether an update is under way.
    pub fn is_open(&self) -> bool {
        Self::opens(self.phase)
    }

    /// Until when a blank that is due has to wait, if it has to.
    pub fn wait_until(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| *until > now)
    }

    /// Forgets an update, as at the blank that ends the patience with it.
    pub fn close(&mut self) {
        if self.is_open() {
            self.phase = Phase::Idle;
        }
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::Event::{Count, Line, Plane};
    use super::*;

    fn after(events: &[Event]) -> Watch {
        let mut watch = Watch::new();
        events.iter().for_each(|event| watch.note(*event, Instant::now()));
        watch
    }

    #[test]
    fn an_update_lasts_from_line_and_count_to_line_and_count() {
        assert!(!after(&[Line]).is_open());
        assert!(!after(&[Line, Line]).is_open(), "still waiting for the blank");
        assert!(after(&[Line, Count]).is_open());
        assert!(after(&[Line, Count, Plane, Plane, Line]).is_open());
        assert!(!after(&[Line, Count, Plane, Plane, Line, Count]).is_open());
    }

    #[test]
    fn the_time_of_a_blank_is_no_update() {
        assert!(!after(&[Count, Line, Count]).is_open());
        assert!(after(&[Count, Line, Count, Line, Count]).is_open());
        assert!(after(&[Line, Count, Plane, Count, Line, Count, Plane]).is_open(), "another CPU reads the time");
        assert!(!after(&[Line, Count, Count, Line, Count, Line, Count]).is_open());
    }

    #[test]
    fn writes_without_a_beginning_are_an_update() {
        assert!(after(&[Count, Line, Plane]).is_open());
        assert!(!after(&[Plane, Line, Count]).is_open());
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
        assert_eq!(watch.wait_until(start), None);
        watch.note(Count, start);
        assert_eq!(watch.wait_until(start), Some(start + PATIENCE));
        watch.note(Line, start);
        watch.note(Count, start);
        assert_eq!(watch.wait_until(start), Some(start + GRACE));
    }
}
