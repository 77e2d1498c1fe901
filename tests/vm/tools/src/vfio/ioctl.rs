// SPDX-License-Identifier: GPL-2.0
//! Ioctls by number with any argument.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::mm::{mmap_anonymous, mprotect, munmap, MapFlags, MprotectFlags, ProtFlags};
use rustix::param::page_size;

use super::Failure;

/// The names of VFIO's requests, and their distance from the first one. Some numbers have two meanings, one for a
/// device and one for a container.
const NAMES: &[(&str, u32)] = &[
    ("GET_API_VERSION", 0),
    ("CHECK_EXTENSION", 1),
    ("SET_IOMMU", 2),
    ("GROUP_GET_STATUS", 3),
    ("GROUP_SET_CONTAINER", 4),
    ("GROUP_UNSET_CONTAINER", 5),
    ("GROUP_GET_DEVICE_FD", 6),
    ("DEVICE_GET_INFO", 7),
    ("DEVICE_GET_REGION_INFO", 8),
    ("DEVICE_GET_IRQ_INFO", 9),
    ("DEVICE_SET_IRQS", 10),
    ("DEVICE_RESET", 11),
    ("DEVICE_GET_PCI_HOT_RESET_INFO", 12),
    ("IOMMU_GET_INFO", 12),
    ("DEVICE_PCI_HOT_RESET", 13),
    ("IOMMU_MAP_DMA", 13),
    ("DEVICE_QUERY_GFX_PLANE", 14),
    ("IOMMU_UNMAP_DMA", 14),
    ("DEVICE_GET_GFX_DMABUF", 15),
    ("IOMMU_ENABLE", 15),
    ("DEVICE_IOEVENTFD", 16),
    ("IOMMU_DISABLE", 16),
    ("DEVICE_FEATURE", 17),
    ("IOMMU_DIRTY_PAGES", 17),
    ("DEVICE_BIND_IOMMUFD", 18),
    ("DEVICE_ATTACH_IOMMUFD_PT", 19),
    ("DEVICE_DETACH_IOMMUFD_PT", 20),
];

/// The number of a request from its name.
pub(super) fn number(name: &str) -> Option<u32> {
    let first = (u32::from(vfio_bindings::bindings::vfio::VFIO_TYPE) << 8) | vfio_bindings::bindings::vfio::VFIO_BASE;
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, distance)| first + distance)
}

/// The number of a request of this crate's own code, which knows its names.
fn known(name: &'static str) -> Result<u32, Failure> {
    number(name).ok_or_else(|| Failure::Text(format!("{name} is not in the table of requests")))
}

/// Memory whose end is followed by a page that cannot be touched.
struct Guarded {
    start: *mut u8,
    mapped: usize,
    place: usize,
    length: usize,
}

impl Guarded {
    fn new(content: &[u8]) -> Result<Guarded, Failure> {
        let page = page_size();
        let usable = content.len().div_ceil(page).max(1) * page;
        let mapped = usable + page;
        // SAFETY: The kernel chooses a free range; nothing else of this process changes.
        let start = unsafe {
            mmap_anonymous(std::ptr::null_mut(), mapped, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
        }?;
        let memory = Guarded { start: start.cast(), mapped, place: usable - content.len(), length: content.len() };
        // SAFETY: The last page is inside the mapping.
        let guard = unsafe { memory.start.add(usable) };
        // SAFETY: The last page belongs to this mapping and holds nothing.
        unsafe { mprotect(guard.cast(), page, MprotectFlags::empty()) }?;
        // SAFETY: `place` and `length` bytes behind it are inside of the usable part, which nothing else refers to.
        unsafe { std::ptr::copy_nonoverlapping(content.as_ptr(), memory.address(), content.len()) };
        Ok(memory)
    }

    fn address(&self) -> *mut u8 {
        self.start.wrapping_add(self.place)
    }

    fn content(&self) -> Vec<u8> {
        // SAFETY: `length` bytes from `address` on are mapped, and the kernel is done with them.
        unsafe { std::slice::from_raw_parts(self.address(), self.length) }.to_vec()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: This is the range of the mmap() in `new`, and no reference outlives `self`.
        let result = unsafe { munmap(self.start.cast(), self.mapped) };
        debug_assert!(result.is_ok());
    }
}

/// Calls with a structure; gives back the call's value and puts what the kernel left into the structure.
///
/// The kernel cannot write outside of the structure: what follows it is unmapped. Addresses *inside* of a structure are
/// the script's business; [`super::LANGUAGE`] offers none but those of guest memory.
pub(super) fn with_struct(fd: BorrowedFd<'_>, request: u32, structure: &mut Vec<u8>) -> Result<i32, Failure> {
    let memory = Guarded::new(structure)?;
    let result = with_number(fd, request, memory.address() as u64);
    *structure = memory.content();
    result
}

/// Calls with a number in place of an address.
pub(super) fn with_number(fd: BorrowedFd<'_>, request: u32, argument: u64) -> Result<i32, Failure> {
    // SAFETY: Either the number is the address of a `Guarded`, or the script chose it to see it refused; the kernel
    // checks addresses before it uses them, and the tool holds nothing that a stray write could make unsound.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::c_ulong::from(request), argument) };
    if result < 0 {
        return Err(std::io::Error::last_os_error().into());
    }
    Ok(result)
}

/// Calls one of VFIO's requests with a structure.
pub(crate) fn vfio(fd: BorrowedFd<'_>, name: &'static str, structure: &mut Vec<u8>) -> Result<i32, Failure> {
    with_struct(fd, known(name)?, structure)
}

/// Calls one of VFIO's requests with a number.
pub(crate) fn vfio_number(fd: BorrowedFd<'_>, name: &'static str, argument: u64) -> Result<i32, Failure> {
    with_number(fd, known(name)?, argument)
}

/// The dword at an offset of a structure; 0 beyond its end.
pub(crate) fn u32_at(structure: &[u8], offset: usize) -> u32 {
    structure.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// The qword at an offset of a structure; 0 beyond its end.
pub(crate) fn u64_at(structure: &[u8], offset: usize) -> u64 {
    u64::from(u32_at(structure, offset)) | (u64::from(u32_at(structure, offset + 4)) << 32)
}

/// A structure of dwords.
pub(crate) fn dwords(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn numbers_are_those_of_the_kernel() {
        assert_eq!(number("GET_API_VERSION"), Some(0x3b64));
        assert_eq!(number("DEVICE_SET_IRQS"), Some(0x3b6e));
        assert_eq!(number("IOMMU_MAP_DMA"), Some(0x3b71));
        assert_eq!(number("DEVICE_FEATURE"), Some(0x3b75));
        assert_eq!(number("NONSENSE"), None);
    }

    #[test]
    fn structures_end_at_a_guard() {
        // FIONREAD writes four bytes: three are too few, four are enough.
        let (read, write) = rustix::pipe::pipe().expect("the kernel has pipes");
        rustix::io::write(&write, b"abc").expect("a pipe holds three bytes");
        let mut short = vec![0; 3];
        assert!(matches!(with_struct(read.as_fd(), 0x541b, &mut short), Err(Failure::Errno(libc::EFAULT))));
        let mut exact = vec![0; 4];
        assert!(with_struct(read.as_fd(), 0x541b, &mut exact).is_ok());
        assert_eq!(u32_at(&exact, 0), 3);
        assert!(matches!(with_number(read.as_fd(), 0x541b, 0), Err(Failure::Errno(libc::EFAULT))));
    }

    #[test]
    fn fields() {
        let bytes = dwords(&[1, 2, 3]);
        assert_eq!(u32_at(&bytes, 4), 2);
        assert_eq!(u64_at(&bytes, 4), (3 << 32) | 2);
        assert_eq!(u32_at(&bytes, 10), 0);
    }
}
