// SPDX-License-Identifier: GPL-2.0
//! Buffers and contexts.

use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::drm::{self, Device};
use crate::mapping::Mapping;
use crate::uapi;

/// Size of a page.
pub const PAGE: u64 = 4096;

/// GPU addresses are 48 bits wide and sign-extended, as the kernel wants them in a softpin request and the hardware in a
/// command.
pub fn canonical(address: u64) -> u64 {
    let unused = 64 - 48;
    (((address << unused) as i64) >> unused) as u64
}

/// Hands out addresses that no two buffers of this process share, so that any set of them fits into one batch's list.
fn next_address(size: u64) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1 << 20);
    // A gap of one page behind each buffer, never mapped, shows a command that runs over the end.
    let span = size.div_ceil(PAGE) * PAGE + PAGE;
    NEXT.fetch_add(span, Ordering::Relaxed)
}

/// A buffer with a fixed GPU address, mapped into this process.
#[derive(Debug)]
pub struct Bo {
    device: Rc<Device>,
    /// The kernel's handle.
    pub handle: u32,
    /// Size in bytes.
    pub size: u64,
    /// GPU address, canonical.
    pub address: u64,
    mapping: Mapping,
}

impl Bo {
    /// Makes a buffer at an address of its own.
    ///
    /// # Errors
    ///
    /// Names the step that the kernel refused.
    pub fn new(device: &Rc<Device>, size: u64) -> Result<Bo> {
        Bo::at(device, size, next_address(size))
    }

    /// Makes a buffer at a chosen address.
    ///
    /// # Errors
    ///
    /// Names the step that the kernel refused.
    pub fn at(device: &Rc<Device>, size: u64, address: u64) -> Result<Bo> {
        let mut create = uapi::drm_i915_gem_create { size, ..Default::default() };
        device.call::<drm::GemCreate>(&mut create).with_context(|| format!("cannot make a buffer of {size} bytes"))?;
        // Without a shared last-level cache the GPU must snoop, or this process reads stale lines.
        set_caching(device, create.handle, uapi::I915_CACHING_CACHED)?;
        let mapping = map(device, create.handle, create.size, uapi::I915_MMAP_OFFSET_WB)?;
        Ok(Bo {
            device: Rc::clone(device),
            handle: create.handle,
            size: create.size,
            address: canonical(address),
            mapping,
        })
    }

    /// A second mapping, through the aperture and, for a tiled buffer, a fence register.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn map_aperture(&self) -> Result<Mapping> {
        map(&self.device, self.handle, self.size, uapi::I915_MMAP_OFFSET_GTT)
    }

    /// Ends the snooping of processor caches, which the aperture needs on GPUs without a shared cache.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn set_uncached(&self) -> Result<()> {
        set_caching(&self.device, self.handle, uapi::I915_CACHING_NONE)
    }

    /// Hands the buffer to the processor's view through the aperture or to the cached one.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn set_domain(&self, domain: u32) -> Result<()> {
        let mut arg = uapi::drm_i915_gem_set_domain { handle: self.handle, read_domains: domain, write_domain: domain };
        self.device.call::<drm::GemSetDomain>(&mut arg).context("cannot change a buffer's domain")
    }

    /// Tells the kernel the tiling, for mappings through the aperture.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn set_tiling(&self, mode: u32, stride: u32) -> Result<()> {
        let mut arg =
            uapi::drm_i915_gem_set_tiling { handle: self.handle, tiling_mode: mode, stride, ..Default::default() };
        self.device.call::<drm::GemSetTiling>(&mut arg).context("cannot set a buffer's tiling")
    }

    /// The buffer's memory as dwords.
    pub fn words(&self) -> &[AtomicU32] {
        self.mapping.words()
    }

    /// The dword at a byte offset.
    pub fn read32(&self, offset: u64) -> u32 {
        self.words()[(offset / 4) as usize].load(Ordering::Acquire)
    }

    /// The two dwords at a byte offset.
    pub fn read64(&self, offset: u64) -> u64 {
        u64::from(self.read32(offset)) | (u64::from(self.read32(offset + 4)) << 32)
    }

    /// Changes the dword at a byte offset.
    pub fn write32(&self, offset: u64, value: u32) {
        self.words()[(offset / 4) as usize].store(value, Ordering::Release);
    }

    /// Puts dwords at a byte offset.
    pub fn write(&self, offset: u64, words: &[u32]) {
        let start = (offset / 4) as usize;
        for (to, from) in self.words()[start..].iter().zip(words) {
            to.store(*from, Ordering::Release);
        }
        assert!(
            start + words.len() <= self.words().len(),
            "a write of {} dwords at {offset:#x} runs over the buffer's end",
            words.len()
        );
    }

    /// Fills the buffer by a function of the dword's number.
    pub fn fill(&self, mut value: impl FnMut(usize) -> u32) {
        for (number, word) in self.words().iter().enumerate() {
            word.store(value(number), Ordering::Release);
        }
    }

    /// Whether an engine still uses the buffer.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn busy(&self) -> Result<bool> {
        let mut arg = uapi::drm_i915_gem_busy { handle: self.handle, ..Default::default() };
        self.device.call::<drm::GemBusy>(&mut arg).context("cannot ask whether a buffer is busy")?;
        Ok(arg.busy != 0)
    }

    /// Waits until no engine uses the buffer any more; false when the time is up before.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn wait(&self, limit: Duration) -> Result<bool> {
        let mut arg =
            uapi::drm_i915_gem_wait { bo_handle: self.handle, flags: 0, timeout_ns: i64::try_from(limit.as_nanos())? };
        match self.device.call::<drm::GemWait>(&mut arg) {
            Ok(()) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ETIME) => Ok(false),
            Err(error) => Err(error).context("cannot wait for a buffer"),
        }
    }
}

impl Drop for Bo {
    fn drop(&mut self) {
        let mut arg = uapi::drm_gem_close { handle: self.handle, pad: 0 };
        // A failure leaves the handle to the closing of the device; there is nobody to tell here.
        let _ = self.device.call::<drm::GemClose>(&mut arg);
    }
}

fn set_caching(device: &Device, handle: u32, caching: u32) -> Result<()> {
    let mut arg = uapi::drm_i915_gem_caching { handle, caching };
    device.call::<drm::GemSetCaching>(&mut arg).context("cannot change a buffer's caching")
}

fn map(device: &Device, handle: u32, size: u64, kind: u32) -> Result<Mapping> {
    let mut arg = uapi::drm_i915_gem_mmap_offset { handle, flags: u64::from(kind), ..Default::default() };
    device.call::<drm::GemMmapOffset>(&mut arg).context("i915 offers no mapping of a buffer")?;
    Mapping::new(device, arg.offset, size, true).context("cannot map a buffer")
}

/// A context with an address space of its own and all engines in its map.
#[derive(Debug)]
pub struct Context {
    device: Rc<Device>,
    /// The kernel's number.
    pub id: u32,
}

/// The kernel's structure for an engine map, with room for every engine of this generation.
#[repr(C, packed)]
struct EngineMap {
    extensions: u64,
    engines: [uapi::i915_engine_class_instance; 8],
}

impl Context {
    /// Makes a context.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn new(device: &Rc<Device>) -> Result<Context> {
        let mut map = EngineMap { extensions: 0, engines: Default::default() };
        let count = device.engines.len().min(8);
        for engine in device.engines.iter().take(count) {
            map.engines[engine.index as usize] = uapi::i915_engine_class_instance {
                engine_class: class_number(engine.class),
                engine_instance: engine.instance,
            };
        }
        let size = size_of::<u64>() + count * size_of::<uapi::i915_engine_class_instance>();
        let mut set = uapi::drm_i915_gem_context_create_ext_setparam {
            base: uapi::i915_user_extension { name: uapi::I915_CONTEXT_CREATE_EXT_SETPARAM, ..Default::default() },
            param: uapi::drm_i915_gem_context_param {
                param: u64::from(uapi::I915_CONTEXT_PARAM_ENGINES),
                size: u32::try_from(size)?,
                value: std::ptr::from_mut(&mut map) as u64,
                ..Default::default()
            },
        };
        let mut create = uapi::drm_i915_gem_context_create_ext {
            flags: uapi::I915_CONTEXT_CREATE_FLAGS_USE_EXTENSIONS,
            extensions: std::ptr::from_mut(&mut set) as u64,
            ..Default::default()
        };
        // SAFETY: The one extension and the map it names, of the size it names, live in this function.
        unsafe { device.call_with_pointers::<drm::ContextCreate>(&mut create) }.context("cannot make a context")?;
        Ok(Context { device: Rc::clone(device), id: create.ctx_id })
    }

    /// The device that the context belongs to.
    pub fn device(&self) -> &Rc<Device> {
        &self.device
    }

    /// Sets a property whose value is a number.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn set(&self, param: u32, value: u64) -> Result<()> {
        let mut arg = uapi::drm_i915_gem_context_param { ctx_id: self.id, size: 0, param: u64::from(param), value };
        // SAFETY: With size 0 the kernel takes `value` as a number and follows no pointer.
        unsafe { self.device.call_with_pointers::<drm::ContextSetParam>(&mut arg) }
            .with_context(|| format!("i915 refuses value {value} for context parameter {param}"))
    }

    /// Reads a property whose value is a number.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn get(&self, param: u32) -> Result<u64> {
        let mut arg =
            uapi::drm_i915_gem_context_param { ctx_id: self.id, param: u64::from(param), ..Default::default() };
        // SAFETY: With size 0 the kernel writes no memory but `arg`.
        unsafe { self.device.call_with_pointers::<drm::ContextGetParam>(&mut arg) }
            .with_context(|| format!("i915 refuses to tell context parameter {param}"))?;
        Ok(arg.value)
    }

    /// How many of the context's batches were running when the GPU hung, and how many were waiting.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn reset_stats(&self) -> Result<(u32, u32)> {
        let mut arg = uapi::drm_i915_reset_stats { ctx_id: self.id, ..Default::default() };
        self.device.call::<drm::GetResetStats>(&mut arg).context("cannot read reset statistics")?;
        Ok((arg.batch_active, arg.batch_pending))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut arg = uapi::drm_i915_gem_context_destroy { ctx_id: self.id, pad: 0 };
        // A failure leaves the context to the closing of the device; there is nobody to tell here.
        let _ = self.device.call::<drm::ContextDestroy>(&mut arg);
    }
}

fn class_number(class: drm::Class) -> u16 {
    match class {
        drm::Class::Render => uapi::I915_ENGINE_CLASS_RENDER as u16,
        drm::Class::Copy => uapi::I915_ENGINE_CLASS_COPY as u16,
        drm::Class::Video => uapi::I915_ENGINE_CLASS_VIDEO as u16,
        drm::Class::Enhance => uapi::I915_ENGINE_CLASS_VIDEO_ENHANCE as u16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses() {
        for (plain, extended) in [
            (0, 0),
            (0x7fff_ffff_f000, 0x7fff_ffff_f000),
            (0x8000_0000_0000, 0xffff_8000_0000_0000),
            (0xffff_ffff_f000, 0xffff_ffff_ffff_f000),
            (0xffff_8000_0000_0000, 0xffff_8000_0000_0000),
        ] {
            assert_eq!(canonical(plain), extended, "{plain:#x}");
        }
    }

    #[test]
    fn addresses_leave_a_gap() {
        let first = next_address(1);
        let second = next_address(PAGE);
        assert!(second >= first + 2 * PAGE);
        assert_eq!(first % PAGE, 0);
    }

    #[test]
    fn engine_map_matches_the_kernel() {
        assert_eq!(size_of::<EngineMap>(), 8 + 8 * 4);
        assert_eq!(std::mem::offset_of!(EngineMap, engines), 8);
    }
}
