// SPDX-License-Identifier: GPL-2.0
//! Memory that this process shares with a device.

use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, AtomicU8, Ordering};

use rustix::mm::{mmap, munmap, MapFlags, ProtFlags};

/// A shared mapping of a file, read and written with single accesses of 1, 2, 4 or 8 bytes.
#[derive(Debug)]
pub struct Mapping {
    start: *mut u8,
    bytes: usize,
}

/// An access that the mapping cannot do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAccess;

impl std::fmt::Display for BadAccess {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the access is not of 1, 2, 4 or 8 bytes, not aligned, or outside of the mapping")
    }
}

impl std::error::Error for BadAccess {}

impl Mapping {
    /// Maps `size` bytes of a file from `offset` on, for reading and, if asked, writing.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn new(file: impl AsFd, offset: u64, size: u64, writable: bool) -> io::Result<Mapping> {
        Mapping::with_flags(file, offset, size, writable, MapFlags::SHARED)
    }

    /// The same, but what is written stays in this process.
    ///
    /// # Errors
    ///
    /// The kernel's refusal.
    pub fn private(file: impl AsFd, offset: u64, size: u64, writable: bool) -> io::Result<Mapping> {
        Mapping::with_flags(file, offset, size, writable, MapFlags::PRIVATE)
    }

    fn with_flags(file: impl AsFd, offset: u64, size: u64, writable: bool, flags: MapFlags) -> io::Result<Mapping> {
        let bytes = usize::try_from(size).map_err(io::Error::other)?;
        let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: The kernel chooses a free range; nothing else of this process changes.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, protection, flags, file, offset) }?;
        Ok(Mapping { start: start.cast(), bytes })
    }

    /// Address of the first byte, for interfaces that take addresses of this process.
    pub fn address(&self) -> u64 {
        self.start as u64
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.bytes as u64
    }

    /// Whether the mapping has no bytes; the kernel makes none such.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// The memory as dwords that the device may change at any time.
    pub fn words(&self) -> &[AtomicU32] {
        // SAFETY: The mapping is page aligned, `bytes` long, lives as long as `self`, and all access is atomic.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.bytes / 4) }
    }

    /// The place of an access, if the mapping can do it.
    fn place(&self, offset: u64, width: usize) -> Result<*mut u8, BadAccess> {
        let end = offset.checked_add(width as u64).ok_or(BadAccess)?;
        if end > self.bytes as u64 || offset % width.max(1) as u64 != 0 {
            return Err(BadAccess);
        }
        // SAFETY: `offset` lies inside the mapping.
        Ok(unsafe { self.start.add(offset as usize) })
    }

    /// Reads with one access.
    ///
    /// # Errors
    ///
    /// [`BadAccess`].
    pub fn read(&self, offset: u64, width: usize) -> Result<u64, BadAccess> {
        let place = self.place(offset, width)?;
        macro_rules! load {
            ($atomic:ty) => {
                // SAFETY: `place` checked bounds and alignment; all access to the mapping is atomic.
                u64::from(unsafe { &*place.cast::<$atomic>() }.load(Ordering::Acquire))
            };
        }
        match width {
            1 => Ok(load!(AtomicU8)),
            2 => Ok(load!(AtomicU16)),
            4 => Ok(load!(AtomicU32)),
            8 => Ok(load!(AtomicU64)),
            _ => Err(BadAccess),
        }
    }

    /// Writes the low bytes of a value with one access.
    ///
    /// # Errors
    ///
    /// [`BadAccess`].
    pub fn write(&self, offset: u64, width: usize, value: u64) -> Result<(), BadAccess> {
        let place = self.place(offset, width)?;
        macro_rules! store {
            ($atomic:ty, $value:ty) => {
                // SAFETY: `place` checked bounds and alignment; all access to the mapping is atomic.
                unsafe { &*place.cast::<$atomic>() }.store(value as $value, Ordering::Release)
            };
        }
        match width {
            1 => store!(AtomicU8, u8),
            2 => store!(AtomicU16, u16),
            4 => store!(AtomicU32, u32),
            8 => store!(AtomicU64, u64),
            _ => return Err(BadAccess),
        }
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `bytes` are those of the mmap() in `new`, and no reference outlives `self`.
        let result = unsafe { munmap(self.start.cast(), self.bytes) };
        debug_assert!(result.is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> Mapping {
        let file = rustix::fs::memfd_create("mapping-test", rustix::fs::MemfdFlags::CLOEXEC)
            .expect("the kernel has memory files");
        rustix::fs::ftruncate(&file, 4096).expect("a memory file can grow");
        Mapping::new(&file, 0, 4096, true).expect("a memory file can be mapped")
    }

    #[test]
    fn widths_share_bytes() {
        let memory = memory();
        memory.write(8, 8, 0x1122_3344_5566_7788).expect("aligned");
        for (offset, width, value) in
            [(8, 1, 0x88), (15, 1, 0x11), (10, 2, 0x5566), (12, 4, 0x1122_3344), (8, 8, 0x1122_3344_5566_7788)]
        {
            assert_eq!(memory.read(offset, width), Ok(value), "{width} bytes at {offset}");
        }
        memory.write(9, 1, 0xabcd).expect("aligned");
        assert_eq!(memory.read(8, 4), Ok(0x5566_cd88));
    }

    #[test]
    fn bad_accesses_are_refused() {
        let memory = memory();
        for (offset, width) in [(0, 0), (0, 3), (0, 16), (1, 2), (2, 4), (4, 8), (4096, 1), (4094, 4), (u64::MAX, 8)] {
            assert_eq!(memory.read(offset, width), Err(BadAccess), "{width} bytes at {offset}");
            assert_eq!(memory.write(offset, width, 0), Err(BadAccess), "{width} bytes at {offset}");
        }
    }
}
