// SPDX-License-Identifier: GPL-2.0
//! An open device: its group, its regions, its mappings.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::{self, File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd};
use std::os::unix::fs::FileExt;

use serde_json::{json, Map, Value};
use vfio_bindings::bindings::vfio::VFIO_GROUP_FLAGS_VIABLE;

use super::ioctl::{self, u32_at, u64_at};
use super::machine::Machine;
use super::request::Base;
use super::{text, to_hex, Failure};
use crate::mapping::Mapping;

/// How far apart the regions of a PCI device are in its file, when the driver does not say.
const REGION_SHIFT: u32 = 40;

/// The page of BAR 0 that tells a guest what it has, and in it the starts of its two parts of graphics memory.
const PVINFO: u64 = 0x78000;
const PVINFO_LOW: u64 = 0x40;
const PVINFO_HIGH: u64 = 0x48;
/// The page table entries in BAR 0: one for each page of graphics memory.
const PTE_WINDOW: u64 = 8 << 20;
const PTE_SIZE: u64 = 8;
const GM_PAGE: u64 = 4096;

/// An open device.
///
/// Fields are dropped in order: mappings before the device, the device before its group.
pub(super) struct Opened {
    /// The parts of regions that the script has mapped.
    pub(super) mappings: HashMap<String, Mapping>,
    device: File,
    group: File,
    /// The machine that it belongs to.
    pub(super) machine: String,
    /// Whether KVM knows the group.
    pub(super) told: bool,
}

/// Path of the group of a mediated device.
fn group_path(uuid: &str) -> Result<String, Failure> {
    let link = fs::read_link(format!("/sys/bus/mdev/devices/{uuid}/iommu_group")).map_err(|error| {
        Failure::Text(format!(
            "there is no mediated device {uuid} with an IOMMU group ({error}); create it through the parent's \
             mdev_supported_types and load vfio_iommu_type1"
        ))
    })?;
    match link.file_name().and_then(|name| name.to_str()) {
        Some(number) => Ok(format!("/dev/vfio/{number}")),
        None => text("the link to the IOMMU group has no name"),
    }
}

impl Opened {
    /// Opens a device and makes it part of a machine.
    pub(super) fn new(uuid: &str, name: &str, machine: &mut Machine, tell: bool) -> Result<Opened, Failure> {
        let group = OpenOptions::new().read(true).write(true).open(group_path(uuid)?)?;
        let mut status = ioctl::dwords(&[8, 0]);
        ioctl::vfio(group.as_fd(), "GROUP_GET_STATUS", &mut status)?;
        if u32_at(&status, 4) & VFIO_GROUP_FLAGS_VIABLE == 0 {
            return text("the group is not viable: another of its devices is bound to a driver outside of VFIO");
        }
        machine.join(group.as_fd())?;
        if tell {
            machine.tell_kvm(group.as_fd(), true)?;
        }
        let uuid = CString::new(uuid).map_err(|_| Failure::Text("a UUID has no zero byte".to_owned()))?;
        let mut structure = uuid.into_bytes_with_nul();
        let opened = ioctl::vfio(group.as_fd(), "GROUP_GET_DEVICE_FD", &mut structure);
        let number = match opened {
            Ok(number) => number,
            Err(failure) => {
                if tell {
                    machine.tell_kvm(group.as_fd(), false)?;
                }
                return Err(failure);
            }
        };
        // SAFETY: The kernel just made this descriptor for us alone.
        let device = unsafe { File::from_raw_fd(number) };
        Ok(Opened { mappings: HashMap::new(), device, group, machine: name.to_owned(), told: tell })
    }

    /// Closes the device; KVM forgets the group.
    pub(super) fn close(self, machine: &Machine) -> Result<(), Failure> {
        if self.told {
            machine.tell_kvm(self.group(), false)?;
        }
        Ok(())
    }

    /// The device's file.
    pub(super) fn file(&self) -> &File {
        &self.device
    }

    /// The device's descriptor.
    pub(super) fn device(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }

    /// The group's descriptor.
    pub(super) fn group(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }

    /// Flags and numbers of the device.
    pub(super) fn info(&self) -> Result<Map<String, Value>, Failure> {
        let mut structure = ioctl::dwords(&[24, 0, 0, 0, 0, 0]);
        ioctl::vfio(self.device(), "DEVICE_GET_INFO", &mut structure)?;
        Ok(fields(json!({
            "argsz": u32_at(&structure, 0),
            "flags": format!("{:#x}", u32_at(&structure, 4)),
            "num_regions": u32_at(&structure, 8),
            "num_irqs": u32_at(&structure, 12),
        })))
    }

    /// The kernel's structure for a region, with its capabilities behind it.
    fn region(&self, region: u32) -> Result<Vec<u8>, Failure> {
        const FIXED: u32 = 32;
        let mut structure = ioctl::dwords(&[FIXED, 0, region, 0, 0, 0, 0, 0]);
        ioctl::vfio(self.device(), "DEVICE_GET_REGION_INFO", &mut structure)?;
        let needed = u32_at(&structure, 0);
        if needed > FIXED {
            structure = ioctl::dwords(&[needed, 0, region, 0, 0, 0, 0, 0]);
            structure.resize(needed as usize, 0);
            ioctl::vfio(self.device(), "DEVICE_GET_REGION_INFO", &mut structure)?;
        }
        Ok(structure)
    }

    /// Where an offset that counts from `base` is in its region.
    pub(super) fn counted(&self, base: Base, offset: u64) -> Result<u64, Failure> {
        let start = match base {
            Base::Region => 0,
            Base::Low => self.told(PVINFO_LOW)?,
            Base::High => self.told(PVINFO_HIGH)?,
            Base::LowPte => self.told(PVINFO_LOW)? / GM_PAGE * PTE_SIZE + PTE_WINDOW,
            Base::HighPte => self.told(PVINFO_HIGH)? / GM_PAGE * PTE_SIZE + PTE_WINDOW,
        };
        Ok(start.wrapping_add(offset))
    }

    /// How much the device has of the aperture.
    pub(super) fn low_size(&self) -> Result<u64, Failure> {
        self.told(PVINFO_LOW + 4)
    }

    /// How much it has of the graphics memory beyond.
    pub(super) fn high_size(&self) -> Result<u64, Failure> {
        self.told(PVINFO_HIGH + 4)
    }

    /// A dword of the page in BAR 0 that tells a guest what it has.
    fn told(&self, offset: u64) -> Result<u64, Failure> {
        Ok(u32_at(&self.read(0, PVINFO + offset, 4)?, 0).into())
    }

    /// Size, flags and capabilities of a region; `relative` to what the device has of it are the parts that can be mapped.
    pub(super) fn region_info(&self, region: u32, relative: bool) -> Result<Map<String, Value>, Failure> {
        let start = if relative { self.counted(Base::Low, 0)? } else { 0 };
        let structure = self.region(region)?;
        let mut capabilities = Vec::new();
        let mut place = u32_at(&structure, 12) as usize;
        // Each capability takes at least its header, so a chain longer than that goes in circles.
        let most = structure.len() / 8;
        while place != 0 && place + 8 <= structure.len() && capabilities.len() <= most {
            capabilities.push(capability(&structure, place, start));
            place = u32_at(&structure, place + 4) as usize;
        }
        Ok(fields(json!({
            "argsz": u32_at(&structure, 0),
            "flags": format!("{:#x}", u32_at(&structure, 4)),
            "size": format!("{:#x}", u64_at(&structure, 16)),
            "capabilities": capabilities,
        })))
    }

    /// Count and flags of an IRQ index.
    pub(super) fn irq_info(&self, index: u32) -> Result<Map<String, Value>, Failure> {
        let mut structure = ioctl::dwords(&[16, 0, index, 0]);
        ioctl::vfio(self.device(), "DEVICE_GET_IRQ_INFO", &mut structure)?;
        Ok(fields(json!({
            "argsz": u32_at(&structure, 0),
            "flags": format!("{:#x}", u32_at(&structure, 4)),
            "count": u32_at(&structure, 12),
        })))
    }

    /// Where a region starts in the device's file.
    fn start(&self, region: u32) -> u64 {
        match self.region(region) {
            // A region without size still has a place; trust the driver's.
            Ok(structure) => u64_at(&structure, 24),
            Err(_) => u64::from(region) << REGION_SHIFT,
        }
    }

    /// Where an offset in a region is in the device's file.
    pub(super) fn place(&self, region: u32, offset: u64) -> u64 {
        self.start(region).wrapping_add(offset)
    }

    /// One read of a region.
    pub(super) fn read(&self, region: u32, offset: u64, length: usize) -> Result<Vec<u8>, Failure> {
        // A script may ask for more than there is memory for; regions are at most this large.
        if length > 1 << 30 {
            return text("a read has at most 1 GiB");
        }
        let mut bytes = vec![0; length];
        let count = self.device.read_at(&mut bytes, self.place(region, offset))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// One write; the number of bytes that the driver took.
    pub(super) fn write(&self, region: u32, offset: u64, bytes: &[u8]) -> Result<usize, Failure> {
        Ok(self.device.write_at(bytes, self.place(region, offset))?)
    }

    /// Maps a part of a region.
    pub(super) fn map(
        &self,
        region: u32,
        offset: u64,
        size: u64,
        write: bool,
        private: bool,
    ) -> Result<Mapping, Failure> {
        let make = if private { Mapping::private } else { Mapping::new };
        Ok(make(self.device(), self.place(region, offset), size, write)?)
    }
}

/// The named fields of an object.
pub(super) fn fields(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A region's capability; areas of a sparse mapping count from `start`.
fn capability(structure: &[u8], place: usize, start: u64) -> Value {
    let head = u32_at(structure, place);
    let (id, version) = (head & 0xffff, head >> 16);
    match id {
        1 => {
            let count = u32_at(structure, place + 8) as usize;
            let room = structure.len().saturating_sub(place + 16) / 16;
            let areas: Vec<Value> = (0..count.min(room))
                .map(|number| {
                    let area = place + 16 + 16 * number;
                    json!({
                        "offset": format!("{:#x}", u64_at(structure, area).wrapping_sub(start)),
                        "size": format!("{:#x}", u64_at(structure, area + 8)),
                    })
                })
                .collect();
            json!({ "sparse_mmap": areas, "version": version })
        }
        2 => json!({
            "type": format!("{:#x}", u32_at(structure, place + 8)),
            "subtype": u32_at(structure, place + 12),
            "version": version,
        }),
        _ => json!({ "id": id, "version": version, "data": to_hex(&structure[place..]) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_decoded() {
        let sparse = ioctl::dwords(&[(1 << 16) | 1, 0, 1, 0, 0x1000, 0, 0x2000, 1]);
        assert_eq!(
            capability(&sparse, 0, 0),
            json!({"sparse_mmap": [{"offset": "0x1000", "size": "0x100002000"}], "version": 1})
        );
        let kind = ioctl::dwords(&[(1 << 16) | 2, 0, 0x8000_8086, 1]);
        assert_eq!(
            capability(&sparse, 0, 0x800),
            json!({"sparse_mmap": [{"offset": "0x800", "size": "0x100002000"}], "version": 1})
        );
        assert_eq!(capability(&kind, 0, 0), json!({"type": "0x80008086", "subtype": 1, "version": 1}));
        // A count beyond the structure's end names only what is there.
        let cut = ioctl::dwords(&[(1 << 16) | 1, 0, 1000, 0]);
        assert_eq!(capability(&cut, 0, 0), json!({"sparse_mmap": [], "version": 1}));
    }
}
