// SPDX-License-Identifier: GPL-2.0

//! Suites of the abstractions that a user-mode kernel has the C side of.

use kernel::prelude::*;

#[kunit_tests(gvt_kapi_alarm)]
mod alarm {
    use crate::alarm::{
        Alarm,
        Ring, //
    };
    use kernel::{
        prelude::*,
        sync::{
            Arc,
            Completion, //
        },
        time::Delta, //
    };

    struct Bell(Arc<Completion>);

    impl Ring for Bell {
        fn ring(&self) {
            self.0.complete_all();
        }
    }

    #[test]
    fn an_alarm_rings_after_its_time() -> Result {
        let rang = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let mut alarm = Alarm::new(Bell(rang.clone()))?;
        // The second time counts.
        alarm.set(Some(Delta::from_secs(1000)));
        alarm.set(Some(Delta::from_millis(1)));
        rang.wait_for_completion();
        // Again, if it is set again.
        alarm.set(Some(Delta::from_millis(1)));
        Ok(())
    }

    #[test]
    fn what_an_alarm_owns_is_dropped_with_it() -> Result {
        let owned = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        // Not set, set for later, about to ring, and never again.
        for after in [
            None,
            Some(Delta::from_secs(1000)),
            Some(Delta::from_nanos(0)),
            Some(Delta::from_nanos(1)),
        ] {
            for _ in 0..32 {
                let mut alarm = Alarm::new(Bell(owned.clone()))?;
                alarm.set(after);
                alarm.set(after);
            }
        }
        assert!(Arc::into_unique_or_drop(owned).is_some());
        Ok(())
    }
}

#[kunit_tests(gvt_kapi_doorbell)]
mod doorbell {
    use crate::{
        doorbell::{
            Button,
            Doorbell,
            BUTTONS, //
        },
        kthread::{
            Body,
            OnWorker,
            Worker, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
    };

    /// A thread that waits at a bell, and counts how often it has.
    fn waiter(bell: &Arc<Doorbell>, waits: &Arc<Atomic<i32>>) -> Result<Worker<impl Body>> {
        let (bell, waits) = (bell.clone(), waits.clone());
        Worker::spawn(c"gvt_kunit", move |thread: &OnWorker| {
            thread.heed_interrupts();
            while !thread.should_stop() {
                bell.wait(thread);
                waits.add(1, Relaxed);
            }
        })
    }

    /// How often it has waited, some time after it had so often.
    fn after(waits: &Atomic<i32>, number: i32) -> i32 {
        while waits.load(Relaxed) < number {
            fsleep(Delta::from_millis(1));
        }
        fsleep(Delta::from_millis(20));
        waits.load(Relaxed)
    }

    #[test]
    fn each_button_is_told_of_once() -> Result {
        let bell = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let waits = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        Button::new(&bell, 1).press();
        Button::new(&bell, 3).press();
        bell.press(3);
        let worker = waiter(&bell, &waits)?;
        assert_eq!(after(&waits, 1), 1);
        for number in 0..BUTTONS {
            assert_eq!(bell.was_pressed(number), number == 1 || number == 3);
            assert!(!bell.was_pressed(number));
        }
        // One that there is not rings all the same.
        bell.press(BUTTONS);
        assert_eq!(after(&waits, 2), 2);
        assert!(!bell.was_pressed(BUTTONS));
        drop(worker);
        Ok(())
    }

    #[test]
    fn an_interrupt_ends_one_wait() -> Result {
        let bell = Arc::pin_init(Doorbell::new(), GFP_KERNEL)?;
        let waits = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        let worker = waiter(&bell, &waits)?;
        bell.press(0);
        assert_eq!(after(&waits, 1), 1);
        worker.interrupt();
        assert_eq!(after(&waits, 2), 2);
        bell.press(0);
        assert_eq!(after(&waits, 3), 3);
        drop(worker);
        Ok(())
    }
}

#[kunit_tests(gvt_kapi_kthread)]
mod kthread {
    use crate::kthread::{
        OnWorker,
        Worker, //
    };
    use kernel::{
        prelude::*,
        sync::{
            Arc,
            Completion, //
        },
    };

    #[test]
    fn a_worker_runs_until_it_is_dropped() -> Result {
        let began = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let ended = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (begins, ends) = (began.clone(), ended.clone());
        let worker = Worker::spawn(c"gvt_kunit", move |thread: &OnWorker| {
            begins.complete_all();
            while !thread.should_stop() {
                kernel::time::delay::fsleep(kernel::time::Delta::from_millis(1));
            }
            ends.complete_all();
        })?;
        began.wait_for_completion();
        drop(worker);
        ended.wait_for_completion();
        Ok(())
    }

    #[test]
    fn what_a_worker_owns_is_dropped_with_it() -> Result {
        let owned = Arc::new((), GFP_KERNEL)?;
        // Some of these are stopped before they begin, others after.
        for _ in 0..32 {
            let share = owned.clone();
            drop(Worker::spawn(c"gvt_kunit", move |_: &OnWorker| {
                drop(share)
            })?);
        }
        assert!(Arc::into_unique_or_drop(owned).is_some());
        Ok(())
    }
}

#[kunit_tests(gvt_kapi_notifier)]
mod notifier {
    use crate::{
        bindings,
        notifier::{
            AtomicChain,
            Notified,
            Notifier, //
        },
    };
    use kernel::{
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc, //
        },
        types::Opaque, //
    };

    /// An action that is answered with an error.
    const REFUSED: usize = 9;

    struct Last(Arc<Atomic<usize>>);

    impl Notified for Last {
        fn notified(&self, action: usize, _data: *mut kernel::ffi::c_void) -> Result {
            self.0.store(action, Relaxed);
            if action == REFUSED {
                return Err(EBUSY);
            }
            Ok(())
        }
    }

    fn call(head: &Opaque<bindings::atomic_notifier_head>, action: usize) -> i32 {
        // SAFETY: The head is initialised, and the callbacks on it ignore the data.
        unsafe { bindings::atomic_notifier_call_chain(head.get(), action, core::ptr::null_mut()) }
    }

    #[test]
    fn is_called_while_it_lives() -> Result {
        // An empty chain is all zeroes, its lock included.
        let head = KBox::pin_init(
            Opaque::ffi_init(|slot: *mut bindings::atomic_notifier_head| {
                // SAFETY: The slot is ours.
                unsafe { slot.write(pin_init::zeroed()) }
            }),
            GFP_KERNEL,
        )?;
        let seen = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        // SAFETY: The head is dropped after the notifier.
        let chain = unsafe { AtomicChain::new(head.get()) };
        let notifier = KBox::pin_init(Notifier::new(chain, Last(seen.clone())), GFP_KERNEL)?;
        assert_eq!(call(&head, 7), 1);
        assert_eq!(seen.load(Relaxed), 7);
        // An error stops the chain, as `notifier_from_errno()` has it.
        assert_eq!(call(&head, REFUSED), 0x8000 | (1 + 16));
        drop(notifier);
        call(&head, 8);
        assert_eq!(seen.load(Relaxed), REFUSED);
        Ok(())
    }
}

#[kunit_tests(gvt_kapi_ratelimit)]
mod ratelimit {
    use crate::ratelimit::RateLimit;
    use kernel::prelude::*;

    #[test]
    fn lets_a_burst_pass_and_no_more() -> Result {
        let limit = KBox::pin_init(RateLimit::new(), GFP_KERNEL)?;
        let passed = (0..1000).filter(|_| limit.allows(c"gvt_kunit")).count();
        assert_eq!(passed, 10);
        Ok(())
    }
}

#[kunit_tests(gvt_kapi_eventfd)]
mod eventfd {
    use crate::eventfd::EventFd;
    use kernel::prelude::*;

    #[test]
    fn a_descriptor_that_is_none_is_refused() {
        assert!(EventFd::from_fd(-1).is_err_and(|error| error == EBADF));
        assert!(EventFd::from_fd(i32::MAX).is_err_and(|error| error == EBADF));
    }
}
