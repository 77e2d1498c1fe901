// SPDX-License-Identifier: GPL-2.0

//! Something to be done at a time, where it may sleep: a high resolution timer that queues work.
//!
//! C headers: `include/linux/hrtimer.h`, `include/linux/workqueue.h`

use crate::bindings;
use kernel::{
    impl_has_hr_timer, impl_has_work, new_work,
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
    },
    time::{
        hrtimer::{
            ArcHrTimerHandle,
            HrTimer,
            HrTimerCallback,
            HrTimerCallbackContext,
            HrTimerPointer,
            HrTimerRestart,
            RelativeMode, //
        },
        Delta,
        Monotonic, //
    },
    workqueue::{
        self,
        Work,
        WorkItem, //
    },
};

/// What is done when an [`Alarm`] rings.
pub trait Ring: Send + Sync + 'static {
    /// Called on a work queue, never twice at a time.
    fn ring(&self);
}

/// The part that timer and queue refer to.
#[pin_data]
struct Bell<T: Ring> {
    #[pin]
    timer: HrTimer<Self>,
    #[pin]
    work: Work<Self>,
    ring: T,
}

impl_has_hr_timer! {
    impl{T: Ring} HasHrTimer<Self> for Bell<T> {
        mode: RelativeMode<Monotonic>, field: self.timer
    }
}

impl_has_work! {
    impl{T: Ring} HasWork<Self> for Bell<T> { self.work }
}

impl<T: Ring> HrTimerCallback for Bell<T> {
    type Pointer<'a> = Arc<Self>;

    fn run(
        this: ArcBorrow<'_, Self>,
        _context: HrTimerCallbackContext<'_, Self>,
    ) -> HrTimerRestart {
        // If it is queued already, it has not run yet.
        let _ = workqueue::system_highpri().enqueue(Arc::from(this));
        HrTimerRestart::NoRestart
    }
}

impl<T: Ring> WorkItem for Bell<T> {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.ring.ring();
    }
}

/// Rings once for each time that it is set. When this is dropped it does not ring any more, and the
/// drop waits until it has.
pub struct Alarm<T: Ring> {
    // Dropped first: a timer that was stopped queues nothing.
    armed: Option<ArcHrTimerHandle<Bell<T>>>,
    bell: Queued<T>,
}

/// A bell that may be in a work queue.
struct Queued<T: Ring>(Arc<Bell<T>>);

impl<T: Ring> Alarm<T> {
    /// An alarm that is not set.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(ring: T) -> Result<Self> {
        let bell = pin_init!(Bell {
            timer <- HrTimer::new(),
            work <- new_work!("kvmgt::alarm"),
            ring,
        });
        Ok(Self {
            armed: None,
            bell: Queued(Arc::pin_init(bell, GFP_KERNEL)?),
        })
    }

    /// Rings after this time and not when it was set to ring before; `None` is never.
    ///
    /// Waits for nothing but the interrupt of the timer. What has begun to ring goes on.
    pub fn set(&mut self, after: Option<Delta>) {
        // Two handles would be of one timer.
        self.armed = None;
        self.armed = after.map(|after| self.bell.0.clone().start(after));
    }

    /// Does not ring any more, as after [`set`](Self::set) with `None`, and waits for what has begun to ring.
    pub fn silence(&mut self) {
        self.armed = None;
        self.bell.wait();
    }
}

impl<T: Ring> Queued<T> {
    /// Takes the bell out of the queue, or waits until it has rung. The timer is stopped.
    fn wait(&self) {
        let bell = Arc::as_ptr(&self.0);
        // SAFETY: The bell lives as long as our reference.
        let work = unsafe { &raw const (*bell).work };
        // SAFETY: `work` is valid.
        let work = unsafe { Work::raw_get(work) };
        // SAFETY: The work is initialised; nobody queues it now, since the timer is stopped.
        if unsafe { bindings::cancel_work_sync(work.cast()) } {
            // SAFETY: The queue got this from `Arc::into_raw`, and has not used it.
            drop(unsafe { Arc::from_raw(bell) });
        }
    }
}

impl<T: Ring> Drop for Queued<T> {
    fn drop(&mut self) {
        // The timer was dropped before, so that it is stopped.
        self.wait();
    }
}
