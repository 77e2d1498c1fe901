// SPDX-License-Identifier: GPL-2.0

//! What tests can do that the kernel cannot: let an allocation fail, and count those that are held. Both are per thread,
//! as tests are.

use std::cell::Cell;

thread_local! {
    static UNTIL_FAILURE: Cell<Option<usize>> = const { Cell::new(None) };
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Lets the allocation after the next `count` fail, and only that; `None` lets none fail.
pub fn fail_after(count: Option<usize>) {
    UNTIL_FAILURE.set(count);
}

/// How many allocations this thread holds.
pub fn held() -> usize {
    HELD.get()
}

/// An allocation that is held.
#[derive(Debug)]
pub(crate) struct Allocation(());

impl Allocation {
    /// Counts one, unless it is the one that must fail.
    pub(crate) fn new() -> Option<Self> {
        let until = UNTIL_FAILURE.get();
        UNTIL_FAILURE.set(until.and_then(|count| count.checked_sub(1)));
        if until == Some(0) {
            return None;
        }
        HELD.set(HELD.get() + 1);
        Some(Self(()))
    }
}

impl Drop for Allocation {
    fn drop(&mut self) {
        HELD.set(HELD.get() - 1);
    }
}
