// SPDX-License-Identifier: GPL-2.0
//! Submitting batches, and the fences between them.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::batch::Batch;
use crate::drm::{self, Device, Engine};
use crate::gem::{Bo, Context, PAGE};
use crate::uapi;

/// One submission being put together: a batch, the buffers it names, its fences.
pub struct Exec<'a> {
    context: &'a Context,
    engine: &'a Engine,
    objects: Vec<uapi::drm_i915_gem_exec_object2>,
    fences: Vec<uapi::drm_i915_gem_exec_fence>,
    fence_in: Option<BorrowedFd<'a>>,
    fence_out: bool,
    batch_length: u32,
}

impl<'a> Exec<'a> {
    /// Starts a submission of a batch to an engine.
    pub fn new(context: &'a Context, engine: &'a Engine, batch: &Bo) -> Exec<'a> {
        let mut exec = Exec {
            context,
            engine,
            objects: Vec::new(),
            fences: Vec::new(),
            fence_in: None,
            fence_out: false,
            batch_length: 0,
        };
        exec.add(batch, 0);
        exec
    }

    fn add(&mut self, bo: &Bo, flags: u32) {
        self.objects.push(uapi::drm_i915_gem_exec_object2 {
            handle: bo.handle,
            offset: bo.address,
            flags: u64::from(flags | uapi::EXEC_OBJECT_PINNED | uapi::EXEC_OBJECT_SUPPORTS_48B_ADDRESS),
            ..Default::default()
        });
    }

    /// The batch writes this buffer.
    #[must_use]
    pub fn writes(mut self, bo: &Bo) -> Self {
        self.add(bo, uapi::EXEC_OBJECT_WRITE);
        self
    }

    /// The batch reads this buffer.
    #[must_use]
    pub fn reads(mut self, bo: &Bo) -> Self {
        self.add(bo, 0);
        self
    }

    /// The batch uses this buffer together with other batches, and the kernel shall not order them.
    #[must_use]
    pub fn shares(mut self, bo: &Bo) -> Self {
        self.add(bo, uapi::EXEC_OBJECT_WRITE | uapi::EXEC_OBJECT_ASYNC);
        self
    }

    /// The batch must not start before a sync object is signalled.
    #[must_use]
    pub fn after(mut self, syncobj: &Syncobj) -> Self {
        self.fences.push(uapi::drm_i915_gem_exec_fence { handle: syncobj.handle, flags: uapi::I915_EXEC_FENCE_WAIT });
        self
    }

    /// The end of the batch signals a sync object.
    #[must_use]
    pub fn signals(mut self, syncobj: &Syncobj) -> Self {
        self.fences.push(uapi::drm_i915_gem_exec_fence { handle: syncobj.handle, flags: uapi::I915_EXEC_FENCE_SIGNAL });
        self
    }

    /// The batch must not start before a sync file is signalled.
    #[must_use]
    pub fn after_file(mut self, fence: BorrowedFd<'a>) -> Self {
        self.fence_in = Some(fence);
        self
    }

    /// Asks for a sync file that the end of the batch signals.
    #[must_use]
    pub fn with_fence(mut self) -> Self {
        self.fence_out = true;
        self
    }

    /// Submits; the answer holds the sync file that was asked for.
    ///
    /// # Errors
    ///
    /// The kernel's error number, which some tests expect.
    pub fn submit(&self) -> io::Result<Option<OwnedFd>> {
        let mut flags = u64::from(
            self.engine.index | uapi::I915_EXEC_NO_RELOC | uapi::I915_EXEC_HANDLE_LUT | uapi::I915_EXEC_BATCH_FIRST,
        );
        let mut rsvd2 = 0;
        if let Some(fence) = self.fence_in {
            flags |= u64::from(uapi::I915_EXEC_FENCE_IN);
            rsvd2 = u64::from(fence.as_raw_fd().unsigned_abs());
        }
        if self.fence_out {
            flags |= u64::from(uapi::I915_EXEC_FENCE_OUT);
        }
        if !self.fences.is_empty() {
            flags |= u64::from(uapi::I915_EXEC_FENCE_ARRAY);
        }
        // The kernel writes final offsets back, so it gets a copy.
        let mut objects = self.objects.clone();
        let mut arg = uapi::drm_i915_gem_execbuffer2 {
            buffers_ptr: objects.as_mut_ptr() as u64,
            buffer_count: u32::try_from(objects.len()).map_err(io::Error::other)?,
            batch_len: self.batch_length,
            num_cliprects: u32::try_from(self.fences.len()).map_err(io::Error::other)?,
            cliprects_ptr: if self.fences.is_empty() { 0 } else { self.fences.as_ptr() as u64 },
            flags,
            rsvd1: u64::from(self.context.id),
            rsvd2,
            ..Default::default()
        };
        // SAFETY: Both arrays have the lengths given and live until the call returns; no relocations are named.
        unsafe { self.context.device().call_with_pointers::<drm::GemExecbuffer2>(&mut arg) }?;
        let number = (arg.rsvd2 >> 32) as i32;
        if self.fence_out && number > 0 {
            // SAFETY: The kernel just made this descriptor for us alone.
            return Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }));
        }
        Ok(None)
    }
}

/// Writes a batch into a buffer of its own.
///
/// # Errors
///
/// The kernel's refusal.
pub fn batch_bo(device: &Rc<Device>, batch: &Batch) -> Result<Bo> {
    let words = batch.finished();
    let bytes = (words.len() * 4) as u64;
    let bo = Bo::new(device, bytes.div_ceil(PAGE) * PAGE)?;
    bo.write(0, &words);
    Ok(bo)
}

/// A sync object of the DRM core.
#[derive(Debug)]
pub struct Syncobj {
    device: Rc<Device>,
    handle: u32,
}

impl Syncobj {
    /// Makes one, not signalled.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn new(device: &Rc<Device>) -> Result<Syncobj> {
        let mut arg = uapi::drm_syncobj_create::default();
        device.call::<drm::SyncobjCreate>(&mut arg).context("cannot make a sync object")?;
        Ok(Syncobj { device: Rc::clone(device), handle: arg.handle })
    }

    /// Waits for the signal; false when the time is up before.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn wait(&self, limit: Duration) -> Result<bool> {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let now = Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec)?);
        let handles = [self.handle];
        let mut arg = uapi::drm_syncobj_wait {
            handles: handles.as_ptr() as u64,
            count_handles: 1,
            timeout_nsec: i64::try_from((now + limit).as_nanos())?,
            ..Default::default()
        };
        // SAFETY: The one handle lives until the call returns.
        match unsafe { self.device.call_with_pointers::<drm::SyncobjWait>(&mut arg) } {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => Ok(false),
            Err(error) => Err(error).context("cannot wait for a sync object"),
        }
    }
}

impl Drop for Syncobj {
    fn drop(&mut self) {
        let mut arg = uapi::drm_syncobj_destroy { handle: self.handle, pad: 0 };
        // A failure leaves the object to the closing of the device; there is nobody to tell here.
        let _ = self.device.call::<drm::SyncobjDestroy>(&mut arg);
    }
}
