// SPDX-License-Identifier: GPL-2.0
//! An open i915 device: finding it, its parameters and its engines.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use anyhow::{bail, Context as _, Result};
use rustix::ioctl::{opcode, Ioctl, IoctlOutput, Opcode};
use serde::Serialize;

use crate::uapi;

/// A request that the driver understands: its number and the structure that goes with it.
///
/// # Safety
///
/// `OPCODE` must make the kernel read and write no more than one `Arg` at the address it is given.
pub unsafe trait Request {
    /// The structure that the kernel reads and may write.
    type Arg;
    /// The ioctl number.
    const OPCODE: Opcode;
}

/// A request whose structure holds no pointer that the kernel follows.
///
/// # Safety
///
/// No bit pattern of `Arg` may make the kernel touch other memory of this process.
pub unsafe trait PlainRequest: Request {}

macro_rules! requests {
    ($($(#[$doc:meta])* $kind:ident $name:ident = $dir:ident($nr:expr, $arg:ty);)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name;
        // SAFETY: The opcode carries the size of the structure, and the number is the one that the kernel's header
        // gives to this structure.
        unsafe impl Request for $name {
            type Arg = $arg;
            const OPCODE: Opcode = opcode::$dir::<$arg>(b'd', $nr);
        }
        requests!(@$kind $name);
    )*};
    (@plain $name:ident) => {
        // SAFETY: The structure consists of numbers only.
        unsafe impl PlainRequest for $name {}
    };
    (@pointers $name:ident) => {};
}

/// Where the numbers of a driver's own requests start.
const DRIVER: u8 = 0x40;

requests! {
    /// Name and version of the driver behind a node.
    pointers Version = read_write(0x00, uapi::drm_version);
    /// Drops a handle of a buffer.
    plain GemClose = write(0x09, uapi::drm_gem_close);
    /// Makes a sync object.
    plain SyncobjCreate = read_write(0xbf, uapi::drm_syncobj_create);
    /// Frees a sync object.
    plain SyncobjDestroy = read_write(0xc0, uapi::drm_syncobj_destroy);
    /// Waits for sync objects.
    pointers SyncobjWait = read_write(0xc3, uapi::drm_syncobj_wait);
    /// Reads one parameter of the device.
    pointers GetParam = read_write(DRIVER + 0x06, uapi::drm_i915_getparam);
    /// Whether a buffer is in use by an engine.
    plain GemBusy = read_write(DRIVER + 0x17, uapi::drm_i915_gem_busy);
    /// Makes a buffer.
    plain GemCreate = read_write(DRIVER + 0x1b, uapi::drm_i915_gem_create);
    /// Declares the tiling that a fence register shall undo.
    plain GemSetTiling = read_write(DRIVER + 0x21, uapi::drm_i915_gem_set_tiling);
    /// Asks for an offset at which a buffer can be mapped.
    plain GemMmapOffset = read_write(DRIVER + 0x24, uapi::drm_i915_gem_mmap_offset);
    /// Announces that the processor will read or write a buffer.
    plain GemSetDomain = write(DRIVER + 0x1f, uapi::drm_i915_gem_set_domain);
    /// Submits a batch; the form that writes an output fence back.
    pointers GemExecbuffer2 = read_write(DRIVER + 0x29, uapi::drm_i915_gem_execbuffer2);
    /// Waits until a buffer is idle.
    plain GemWait = read_write(DRIVER + 0x2c, uapi::drm_i915_gem_wait);
    /// Makes a context.
    pointers ContextCreate = read_write(DRIVER + 0x2d, uapi::drm_i915_gem_context_create_ext);
    /// Frees a context.
    plain ContextDestroy = write(DRIVER + 0x2e, uapi::drm_i915_gem_context_destroy);
    /// Makes processor caches snooped by the GPU for a buffer.
    plain GemSetCaching = write(DRIVER + 0x2f, uapi::drm_i915_gem_caching);
    /// How often a context took part in a GPU hang.
    plain GetResetStats = read_write(DRIVER + 0x32, uapi::drm_i915_reset_stats);
    /// Reads a property of a context.
    pointers ContextGetParam = read_write(DRIVER + 0x34, uapi::drm_i915_gem_context_param);
    /// Changes a property of a context.
    pointers ContextSetParam = read_write(DRIVER + 0x35, uapi::drm_i915_gem_context_param);
    /// Asks for lists: engines, memory regions.
    pointers Query = read_write(DRIVER + 0x39, uapi::drm_i915_query);
}

/// One request on its way to the kernel.
struct Call<'a, R: Request>(&'a mut R::Arg);

// SAFETY: `as_ptr` points to one `R::Arg` that lives as long as the call, and `R` vouches for opcode and structure.
unsafe impl<R: Request> Ioctl for Call<'_, R> {
    type Output = ();
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        R::OPCODE
    }

    fn as_ptr(&mut self) -> *mut rustix::ffi::c_void {
        std::ptr::from_mut(self.0).cast()
    }

    unsafe fn output_from_ptr(_output: IoctlOutput, _arg: *mut rustix::ffi::c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

/// The classes of engines that graphics versions 8 and 9 have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// 3D and compute.
    Render,
    /// The blitter.
    Copy,
    /// Video decoding and encoding.
    Video,
    /// Video enhancement.
    Enhance,
}

impl Class {
    fn from_uapi(class: u16) -> Option<Class> {
        match i32::from(class) {
            uapi::I915_ENGINE_CLASS_RENDER => Some(Class::Render),
            uapi::I915_ENGINE_CLASS_COPY => Some(Class::Copy),
            uapi::I915_ENGINE_CLASS_VIDEO => Some(Class::Video),
            uapi::I915_ENGINE_CLASS_VIDEO_ENHANCE => Some(Class::Enhance),
            _ => None,
        }
    }

    /// The short name that the kernel's messages use.
    pub fn short(self) -> &'static str {
        match self {
            Class::Render => "rcs",
            Class::Copy => "bcs",
            Class::Video => "vcs",
            Class::Enhance => "vecs",
        }
    }
}

/// One engine of the device.
#[derive(Clone, Debug, Serialize)]
pub struct Engine {
    /// Its place in the engine map that every context of the tools has.
    pub index: u32,
    /// What it is.
    pub class: Class,
    /// Which of its class it is.
    pub instance: u16,
    /// Name as in the kernel's messages, such as `rcs0`.
    pub name: String,
    /// Where its registers start.
    pub mmio_base: u32,
}

/// Where an engine's registers start, on graphics versions 8 and 9.
fn mmio_base(class: Class, instance: u16) -> u32 {
    match (class, instance) {
        (Class::Render, _) => 0x2000,
        (Class::Copy, _) => 0x22000,
        (Class::Video, 0) => 0x12000,
        (Class::Video, _) => 0x1c000,
        (Class::Enhance, _) => 0x1a000,
    }
}

/// An open device.
#[derive(Debug)]
pub struct Device {
    file: File,
    /// The node that was opened.
    pub path: PathBuf,
    /// PCI device id.
    pub chipset: u32,
    /// Graphics version: 8 or 9.
    pub version: u32,
    /// All engines, in the order of the engine map.
    pub engines: Vec<Engine>,
    /// The bits of `I915_PARAM_HAS_SCHEDULER`.
    pub scheduler: u32,
}

impl AsFd for Device {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Device {
    /// Opens the first render node (or, without one, card node) that i915 drives.
    ///
    /// # Errors
    ///
    /// Says what stands in the way when there is no such node.
    pub fn find() -> Result<Device> {
        let directory = Path::new("/dev/dri");
        let mut nodes: Vec<PathBuf> = match fs::read_dir(directory) {
            Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "there is no /dev/dri: no DRM driver is bound. Load i915 (modprobe i915) and look for its messages in dmesg"
            ),
            Err(error) => return Err(error).context("cannot list /dev/dri"),
        };
        // Render nodes sort after card nodes and need no master; prefer them.
        nodes.sort();
        nodes.reverse();
        let mut tried = Vec::new();
        for node in nodes.iter().filter(|node| !node.is_dir()) {
            match Device::open(node) {
                Ok(device) => return Ok(device),
                Err(error) => tried.push(format!("{}: {error:#}", node.display())),
            }
        }
        if tried.is_empty() {
            bail!("/dev/dri is empty: no DRM driver is bound. Load i915 (modprobe i915) and look for its messages in dmesg");
        }
        bail!("no usable i915 device in /dev/dri ({}). Load i915 and look for its messages in dmesg", tried.join("; "))
    }

    /// Opens one node.
    ///
    /// # Errors
    ///
    /// Fails when the node is not i915's, or its graphics version is neither 8 nor 9.
    pub fn open(path: &Path) -> Result<Device> {
        let file = OpenOptions::new().read(true).write(true).open(path).context("cannot open")?;
        let mut device =
            Device { file, path: path.to_owned(), chipset: 0, version: 0, engines: Vec::new(), scheduler: 0 };
        let driver = device.driver_name()?;
        if driver != "i915" {
            bail!("driven by {driver}, not by i915");
        }
        device.chipset = device.param(uapi::I915_PARAM_CHIPSET_ID)?;
        device.version = graphics_version(device.chipset).with_context(|| {
            format!("device id {:#06x} is of no graphics version these tools know (8 and 9)", device.chipset)
        })?;
        device.scheduler = device.param(uapi::I915_PARAM_HAS_SCHEDULER).unwrap_or(0);
        if device.param(uapi::I915_PARAM_HAS_EXEC_SOFTPIN).unwrap_or(0) == 0 {
            bail!("i915 offers no fixed buffer addresses (softpin) here, which every test needs");
        }
        device.engines = device.query_engines()?;
        Ok(device)
    }

    /// Calls the driver with a structure of plain numbers.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub fn call<R: PlainRequest>(&self, arg: &mut R::Arg) -> io::Result<()> {
        // SAFETY: A plain request makes the kernel touch nothing but `arg`.
        unsafe { self.call_with_pointers::<R>(arg) }
    }

    /// Calls the driver with a structure that holds pointers.
    ///
    /// # Safety
    ///
    /// Every pointer that the kernel follows must be good for what the request does with it.
    ///
    /// # Errors
    ///
    /// The kernel's error number.
    pub unsafe fn call_with_pointers<R: Request>(&self, arg: &mut R::Arg) -> io::Result<()> {
        loop {
            // SAFETY: The caller vouches for the pointers, `R` for opcode and structure.
            let result = unsafe { rustix::ioctl::ioctl(&self.file, Call::<R>(arg)) };
            match result {
                // The driver asks to be called again after a signal or a reset; nothing was done yet.
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => {}
                other => return other.map_err(io::Error::from),
            }
        }
    }

    fn driver_name(&self) -> Result<String> {
        let mut name = [0u8; 32];
        let mut version =
            uapi::drm_version { name: name.as_mut_ptr().cast(), name_len: name.len() as _, ..Default::default() };
        // SAFETY: `name` is as long as `name_len` says; the other two lengths are zero.
        unsafe { self.call_with_pointers::<Version>(&mut version) }.context("not a DRM device")?;
        let length = usize::try_from(version.name_len)?.min(name.len());
        Ok(String::from_utf8_lossy(&name[..length]).into_owned())
    }

    /// Reads a parameter (`I915_PARAM_...`).
    ///
    /// # Errors
    ///
    /// Names the parameter that the driver refused.
    pub fn param(&self, param: u32) -> Result<u32> {
        let mut value: i32 = 0;
        let mut arg = uapi::drm_i915_getparam { param: i32::try_from(param)?, value: &mut value };
        // SAFETY: `value` is a live `int`, which is what the kernel writes.
        unsafe { self.call_with_pointers::<GetParam>(&mut arg) }
            .with_context(|| format!("i915 refuses parameter {param}"))?;
        Ok(u32::try_from(value)?)
    }

    fn query_engines(&self) -> Result<Vec<Engine>> {
        let info = self.query(u64::from(uapi::DRM_I915_QUERY_ENGINE_INFO))?;
        // The answer is a header of 16 bytes (the first four count) and then records of equal size.
        let record = size_of::<uapi::drm_i915_engine_info>();
        let header = size_of::<uapi::drm_i915_query_engine_info>();
        let count = info.get(0..4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_ne_bytes);
        let mut engines = Vec::new();
        for number in 0..count as usize {
            let start = header + number * record;
            let Some(bytes) = info.get(start..start + 4) else {
                bail!("i915 announces {count} engines but describes only {number}");
            };
            let class = u16::from_ne_bytes([bytes[0], bytes[1]]);
            let instance = u16::from_ne_bytes([bytes[2], bytes[3]]);
            if let Some(class) = Class::from_uapi(class) {
                engines.push(Engine {
                    index: u32::try_from(engines.len())?,
                    class,
                    instance,
                    name: format!("{}{instance}", class.short()),
                    mmio_base: mmio_base(class, instance),
                });
            }
        }
        if engines.is_empty() {
            bail!("i915 reports no engine: the GPU is wedged or disabled, see dmesg");
        }
        Ok(engines)
    }

    fn query(&self, id: u64) -> Result<Vec<u8>> {
        let mut data = vec![0u8; 16384];
        let mut item = uapi::drm_i915_query_item {
            query_id: id,
            length: i32::try_from(data.len())?,
            flags: 0,
            data_ptr: data.as_mut_ptr() as u64,
        };
        let mut query =
            uapi::drm_i915_query { num_items: 1, flags: 0, items_ptr: std::ptr::from_mut(&mut item) as u64 };
        // SAFETY: The one item and the buffer it names, of the length it names, live in this function.
        unsafe { self.call_with_pointers::<Query>(&mut query) }.with_context(|| format!("i915 refuses query {id}"))?;
        let Ok(length) = usize::try_from(item.length) else {
            bail!("i915 answers query {id} with error {}", item.length);
        };
        data.truncate(length);
        Ok(data)
    }

    /// Whether the kernel's scheduler can take an engine away from a running batch. i915 turns this off on a vGPU.
    pub fn preempts(&self) -> bool {
        self.scheduler & uapi::I915_SCHEDULER_CAP_PREEMPTION != 0
    }

    /// Whether the kernel itself orders requests of different engines by semaphores. i915 turns this off on a vGPU.
    pub fn kernel_semaphores(&self) -> bool {
        self.scheduler & uapi::I915_SCHEDULER_CAP_SEMAPHORES != 0
    }
}

/// The graphics version of a PCI device id, by the families of ids: Broadwell 16xx; Skylake 19xx, Broxton 0a84, 1a8x,
/// 5a8x, Kaby Lake 59xx, Gemini Lake 318x, Coffee Lake 3exx, Comet Lake 9bxx.
fn graphics_version(chipset: u32) -> Option<u32> {
    match chipset >> 8 {
        0x16 => Some(8),
        0x0a | 0x19 | 0x1a | 0x31 | 0x3e | 0x59 | 0x5a | 0x87 | 0x9b => Some(9),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_are_those_of_the_kernel() {
        // Values as a C program prints them on x86-64.
        assert_eq!(GetParam::OPCODE, 0xc010_6446);
        assert_eq!(GemCreate::OPCODE, 0xc010_645b);
        assert_eq!(GemExecbuffer2::OPCODE, 0xc040_6469);
        assert_eq!(GemMmapOffset::OPCODE, 0xc020_6464);
        assert_eq!(GemClose::OPCODE, 0x4008_6409);
        assert_eq!(GemWait::OPCODE, 0xc010_646c);
        assert_eq!(ContextCreate::OPCODE, 0xc010_646d);
        assert_eq!(Query::OPCODE, 0xc010_6479);
        assert_eq!(SyncobjCreate::OPCODE, 0xc008_64bf);
    }

    #[test]
    fn versions_by_device_id() {
        for (id, version) in [
            (0x1616, Some(8)),
            (0x1912, Some(9)),
            (0x5912, Some(9)),
            (0x5a84, Some(9)),
            (0x3e92, Some(9)),
            (0x9bc5, Some(9)),
            (0x0412, None),
        ] {
            assert_eq!(graphics_version(id), version, "{id:#x}");
        }
    }
}
