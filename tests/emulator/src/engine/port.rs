// SPDX-License-Identifier: GPL-2.0
//! The execlist submission port: what software wrote, what runs, what waits.
//!
//! Source: Broadwell PRM volume 7, "Execlists"; events as i915 `intel_execlists_submission.c` reads them.

use std::thread::ThreadId;

use crate::audit::ContextTag;

/// A context status event.
pub mod event {
    /// The engine was idle and got a submission.
    pub const IDLE_TO_ACTIVE: u32 = 1 << 0;
    /// A newer submission pushed the context out.
    pub const PREEMPTED: u32 = 1 << 1;
    /// The second element took over.
    pub const ELEMENT_SWITCH: u32 = 1 << 2;
    /// Nothing is left to run.
    pub const ACTIVE_TO_IDLE: u32 = 1 << 3;
    /// The context ran to its tail.
    pub const COMPLETE: u32 = 1 << 4;
    /// The running context was submitted again: only its tail was read anew.
    pub const LITE_RESTORE: u32 = 1 << 15;
}

/// A context descriptor, as written to the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor(pub u64);

impl Descriptor {
    /// Whether there is a context at all.
    pub fn is_valid(self) -> bool {
        self.0 & 1 != 0
    }

    /// GGTT address of the context image.
    pub fn lrca(self) -> u32 {
        self.0 as u32 & 0xffff_f000
    }

    /// What software calls the context.
    pub fn id(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Whether the context has a PML4 rather than four page directories.
    pub fn is_48bit(self) -> bool {
        (self.0 >> 3) & 3 == 3
    }

    /// Whether the image must be loaded even if the context is loaded already.
    pub fn force_restore(self) -> bool {
        self.0 & (1 << 2) != 0
    }

    /// Identity for attribution.
    pub fn tag(self) -> ContextTag {
        ContextTag { id: self.id(), lrca: self.lrca() }
    }
}

/// One or two contexts to run in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Runs first.
    pub first: Descriptor,
    /// Runs when the first is through, if valid.
    pub second: Descriptor,
}

/// The port's state.
#[derive(Default)]
pub struct Port {
    written: Vec<u32>,
    /// What runs.
    pub current: Option<Submission>,
    /// Whether the second element of [`Self::current`] runs.
    pub on_second: bool,
    /// What is to replace it at the next opportunity.
    pub pending: Option<Submission>,
    /// A reset waits for the engine to let go of its context.
    pub reset_requested: bool,
    /// Software asked the ring to stop.
    pub stopped: bool,
    /// The engine met something from which only a reset recovers.
    pub hung: bool,
    /// The thread that drives the engine, if any; a reset from another thread waits for it.
    pub driver: Option<ThreadId>,
    /// The driver of the engine shall return.
    pub shut_down: bool,
}

impl Port {
    /// Takes one dword of four; the order is second high, second low, first high, first low. True when a submission
    /// is complete.
    pub fn write(&mut self, value: u32) -> bool {
        self.written.push(value);
        if let [second_high, second_low, first_high, first_low] = self.written[..] {
            let join = |high: u32, low: u32| Descriptor(u64::from(high) << 32 | u64::from(low));
            self.written.clear();
            self.pending =
                Some(Submission { first: join(first_high, first_low), second: join(second_high, second_low) });
            return true;
        }
        false
    }

    /// The descriptor of the context that runs.
    pub fn running(&self) -> Option<Descriptor> {
        self.current.map(|s| if self.on_second { s.second } else { s.first })
    }

    /// `RING_EXECLIST_STATUS`: lower dword.
    pub fn status(&self) -> u32 {
        let Some(current) = self.current else { return 0 };
        let slot0_valid = u32::from(current.first.is_valid() && !self.on_second) << 4;
        let slot1_valid = u32::from(current.second.is_valid()) << 3;
        let active = if self.on_second { 1 << 17 } else { 1 << 18 };
        slot0_valid | slot1_valid | active | u32::from(self.pending.is_some()) << 2
    }

    /// Forgets every submission.
    pub fn clear(&mut self) {
        self.written.clear();
        self.current = None;
        self.on_second = false;
        self.pending = None;
        self.hung = false;
        self.stopped = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_dwords_make_a_submission() {
        let mut port = Port::default();
        for value in [2, 0x2001, 1] {
            assert!(!port.write(value));
        }
        assert!(port.write(0x1019));
        let submission = port.pending.unwrap();
        assert_eq!((submission.first.id(), submission.first.lrca()), (1, 0x1000));
        assert_eq!((submission.second.id(), submission.second.lrca()), (2, 0x2000));
        assert!(submission.first.is_48bit() && !submission.second.is_48bit());
    }

    #[test]
    fn the_status_names_what_runs() {
        let mut port = Port::default();
        assert_eq!(port.status(), 0);
        port.current = Some(Submission { first: Descriptor(0x1001), second: Descriptor(0x2001) });
        assert_eq!(port.status(), 1 << 18 | 1 << 4 | 1 << 3);
        port.on_second = true;
        assert_eq!(port.status(), 1 << 17 | 1 << 3);
    }
}
