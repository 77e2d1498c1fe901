// SPDX-License-Identifier: GPL-2.0
//! Misbehaviour on request, for tests of drivers that must survive it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// What is to go wrong with an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineFault {
    /// It hangs at its next command; only a reset helps.
    Hang,
    /// Every context that it enters from now on stands still for this long before its first command. Zero ends it.
    DelayCompletion(Duration),
    /// Its TLB keeps what is in it when a register asks it to forget, and the register goes on asking.
    KeepTranslations,
}

/// What was asked of one engine. It looks here before every command, so looking is one relaxed load.
#[derive(Default)]
pub struct FaultInjection {
    hang: AtomicBool,
    delay_ns: AtomicU64,
    keep_translations: AtomicBool,
}

impl FaultInjection {
    /// Arms a fault.
    pub fn inject(&self, fault: EngineFault) {
        match fault {
            EngineFault::Hang => self.hang.store(true, Ordering::Relaxed),
            EngineFault::DelayCompletion(delay) => {
                let ns = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
                self.delay_ns.store(ns, Ordering::Relaxed);
            }
            EngineFault::KeepTranslations => self.keep_translations.store(true, Ordering::Relaxed),
        }
    }

    /// Disarms everything.
    pub fn clear(&self) {
        self.hang.store(false, Ordering::Relaxed);
        self.delay_ns.store(0, Ordering::Relaxed);
        self.keep_translations.store(false, Ordering::Relaxed);
    }

    /// Whether the engine must hang now; each request is taken once.
    pub fn take_hang(&self) -> bool {
        self.hang.load(Ordering::Relaxed) && self.hang.swap(false, Ordering::Relaxed)
    }

    /// Whether a hang is armed and was not taken yet.
    pub fn hang_is_armed(&self) -> bool {
        self.hang.load(Ordering::Relaxed)
    }

    /// Whether the engine must keep what is in its TLB.
    pub fn keeps_translations(&self) -> bool {
        self.keep_translations.load(Ordering::Relaxed)
    }

    /// How long a context stands still when it is entered.
    pub fn completion_delay(&self) -> Duration {
        Duration::from_nanos(self.delay_ns.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hang_is_taken_once_and_a_delay_stays() {
        let faults = FaultInjection::default();
        assert!(!faults.take_hang());
        faults.inject(EngineFault::Hang);
        assert!(faults.take_hang());
        assert!(!faults.take_hang());
        faults.inject(EngineFault::DelayCompletion(Duration::from_millis(3)));
        assert_eq!(faults.completion_delay(), Duration::from_millis(3));
        assert_eq!(faults.completion_delay(), Duration::from_millis(3));
        faults.inject(EngineFault::Hang);
        faults.inject(EngineFault::KeepTranslations);
        faults.clear();
        assert!(!faults.take_hang() && !faults.keeps_translations());
        assert_eq!(faults.completion_delay(), Duration::ZERO);
    }
}
