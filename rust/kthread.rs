// SPDX-License-Identifier: GPL-2.0

//! A kernel thread that works until it is told to stop.
//!
//! C header: `include/linux/kthread.h`

use crate::bindings;
use core::marker::PhantomData;
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::aref::ARef,
    task::Task,
    types::ForeignOwnable, //
};

/// Whether the current thread, or process, is to end its waits.
pub fn is_interrupted() -> bool {
    // SAFETY: This is about the current thread.
    unsafe { bindings::gvt_helper_is_killed() }
}

/// Proof that the code runs on the thread of a [`Worker`].
pub struct OnWorker(PhantomData<*const ()>);

impl OnWorker {
    /// Whether the thread is to end.
    pub fn should_stop(&self) -> bool {
        // SAFETY: By the type's meaning the current thread is a kthread.
        unsafe { bindings::kthread_should_stop() }
    }

    /// From now on [`Worker::interrupt`] ends waits for memory of user space, which fails then.
    pub fn heed_interrupts(&self) {
        // SAFETY: By the type's meaning the current thread is a kthread.
        unsafe { bindings::gvt_helper_allow_kill() };
    }

    /// For others to interrupt this thread, as [`Worker::interrupt`] does.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter(ARef::from(&**kernel::current!()))
    }

    /// What has interrupted this thread by now does not end its next wait.
    pub fn forget_interrupts(&self) {
        // SAFETY: By the type's meaning the current thread is a kthread.
        unsafe { bindings::gvt_helper_forget_kill() };
    }
}

/// Interrupts a thread.
pub struct Interrupter(ARef<Task>);

impl Interrupter {
    /// Ends a wait of the thread, if it heeds that; the next one too, if it does not wait now.
    pub fn interrupt(&self) {
        // SAFETY: The reference keeps the task valid.
        unsafe { bindings::gvt_helper_kill(self.0.as_ptr()) };
    }
}

/// What a thread does.
pub trait Body: Send + 'static {
    /// Called on the thread; it should return soon after [`OnWorker::should_stop`] is true.
    fn run(self, on: &OnWorker);
}

impl<F: FnOnce(&OnWorker) + Send + 'static> Body for F {
    fn run(self, on: &OnWorker) {
        self(on);
    }
}

/// A running kernel thread. When this is dropped the thread is told to stop, and the drop waits
/// until it has.
///
/// # Invariants
///
/// - `thread` is of a kthread that runs [`Self::main`].
/// - `body` was made by `KBox::<B>::into_foreign`, and belongs to the thread once that has begun to run.
pub struct Worker<B: Body> {
    thread: Interrupter,
    body: *mut kernel::ffi::c_void,
    _body: PhantomData<B>,
}

// SAFETY: A kthread may be woken and stopped from any other thread.
unsafe impl<B: Body> Send for Worker<B> {}

// SAFETY: As above.
unsafe impl<B: Body> Sync for Worker<B> {}

impl<B: Body> Worker<B> {
    /// Starts a thread that runs `body`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, `EINTR` as from `kthread_create()`.
    pub fn spawn(name: &CStr, body: B) -> Result<Self> {
        let body = KBox::new(body, GFP_KERNEL)?.into_foreign();
        let format = c"%s".as_char_ptr();
        // SAFETY: `main` takes the pointer as its argument; the format has one string, which is copied.
        let task = unsafe {
            bindings::kthread_create_on_node(Some(Self::main), body, -1, format, name.as_char_ptr())
        };
        let task = from_err_ptr(task).inspect_err(|_| {
            // SAFETY: The thread was not made, so the body is still ours.
            drop(unsafe { KBox::<B>::from_foreign(body) });
        })?;
        // SAFETY: The task was made just now and has not run yet; a `Task` is one, and nothing else.
        let task = unsafe { &*task.cast::<Task>() };
        // INVARIANT: It runs `main`.
        let worker = Self {
            thread: Interrupter(task.into()),
            body,
            _body: PhantomData,
        };
        worker.thread.0.wake_up();
        Ok(worker)
    }

    /// Ends a wait of the thread, if it heeds that; the next one too, if it does not wait now.
    pub fn interrupt(&self) {
        self.thread.interrupt();
    }

    /// # Safety
    ///
    /// `body` must come from `KBox::<B>::into_foreign`, and is consumed.
    unsafe extern "C" fn main(body: *mut kernel::ffi::c_void) -> kernel::ffi::c_int {
        // SAFETY: By the requirement of this function.
        let body = unsafe { KBox::<B>::from_foreign(body) };
        KBox::into_inner(body).run(&OnWorker(PhantomData));
        0
    }
}

impl<B: Body> Drop for Worker<B> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant this is a kthread, and our reference keeps it valid if it
        // has ended.
        let result = unsafe { bindings::kthread_stop(self.thread.0.as_ptr()) };
        if result != 0 {
            // SAFETY: `main` returns 0, so the thread was stopped before it began, and the body is
            // still ours.
            drop(unsafe { KBox::<B>::from_foreign(self.body) });
        }
    }
}
