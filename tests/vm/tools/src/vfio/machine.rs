// SPDX-License-Identifier: GPL-2.0
//! A virtual machine of ours: KVM, memory, and the container that gives devices access to it.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use kvm_bindings::{
    kvm_create_device, kvm_device_attr, kvm_device_type_KVM_DEV_TYPE_VFIO, kvm_userspace_memory_region,
    KVM_DEV_VFIO_FILE, KVM_DEV_VFIO_FILE_ADD, KVM_DEV_VFIO_FILE_DEL,
};
use kvm_ioctls::{DeviceFd, Kvm, VmFd};
use vfio_bindings::bindings::vfio::{VFIO_TYPE1v2_IOMMU, VFIO_DMA_MAP_FLAG_READ, VFIO_DMA_MAP_FLAG_WRITE};

use super::guest::Processor;
use super::stall::Stall;
use super::{ioctl, Failure};
use crate::mapping::Mapping;

/// A virtual machine.
///
/// Fields are dropped in order: what waits for memory goes on, the processor before its VM, the VM before the memory that it uses.
pub(super) struct Machine {
    stalls: Vec<Stall>,
    /// The file of its memory.
    file: OwnedFd,
    processor: Option<Processor>,
    kvm_vfio: DeviceFd,
    vm: VmFd,
    kvm: Kvm,
    container: File,
    /// Whether a group has joined, after which the container has an IOMMU model and takes mappings.
    ready: bool,
    map: bool,
    memory: Mapping,
}

impl Machine {
    /// Makes a machine with so many bytes of memory.
    pub(super) fn new(bytes: u64, map: bool) -> Result<Machine, Failure> {
        let file = rustix::fs::memfd_create("guest", rustix::fs::MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&file, bytes)?;
        let memory = Mapping::new(&file, 0, bytes, true)?;
        let kvm = Kvm::new()?;
        let vm = kvm.create_vm()?;
        let mut create = kvm_create_device { type_: kvm_device_type_KVM_DEV_TYPE_VFIO, ..Default::default() };
        let kvm_vfio = vm.create_device(&mut create)?;
        let container = OpenOptions::new().read(true).write(true).open("/dev/vfio/vfio")?;
        let machine = Machine {
            stalls: Vec::new(),
            file,
            processor: None,
            kvm_vfio,
            vm,
            kvm,
            container,
            ready: false,
            map,
            memory,
        };
        machine.slot(0, 0, 0, bytes)?;
        Ok(machine)
    }

    /// The guest's memory.
    pub(super) fn memory(&self) -> &Mapping {
        &self.memory
    }

    /// Takes pages out of the memory. Whoever touches one waits for this program to bring it, which takes so long, or
    /// never does.
    pub(super) fn stall(&mut self, offset: u64, size: u64, pause: Option<Duration>) -> Result<(), Failure> {
        self.check(offset, size)?;
        let stall = Stall::new(self.memory.address() + offset, size, pause)?;
        let hole = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, hole, offset, size)?;
        self.stalls.push(stall);
        Ok(())
    }

    /// The container's descriptor.
    pub(super) fn container(&self) -> BorrowedFd<'_> {
        self.container.as_fd()
    }

    /// The descriptor of the VM.
    pub(super) fn vm(&self) -> BorrowedFd<'_> {
        // SAFETY: The VM is open as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.vm.as_raw_fd()) }
    }

    /// The descriptor of KVM's VFIO device.
    pub(super) fn kvm_vfio(&self) -> BorrowedFd<'_> {
        // SAFETY: The device is open as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.kvm_vfio.as_raw_fd()) }
    }

    /// Puts a part of the memory at a guest address, or removes a slot with size 0.
    pub(super) fn slot(&self, slot: u32, gpa: u64, offset: u64, size: u64) -> Result<(), Failure> {
        self.check(offset, size)?;
        let region = kvm_userspace_memory_region {
            slot,
            flags: 0,
            guest_phys_addr: gpa,
            memory_size: size,
            userspace_addr: self.memory.address() + offset,
        };
        // SAFETY: The range lies in our mapping, which lives longer than the VM; all our access to it is atomic.
        unsafe { self.vm.set_user_memory_region(region) }.map_err(Failure::from)
    }

    fn check(&self, offset: u64, size: u64) -> Result<(), Failure> {
        match offset.checked_add(size) {
            Some(end) if end <= self.memory.len() => Ok(()),
            _ => super::text(format!(
                "{size:#x} bytes at offset {offset:#x} are not inside of the memory of {:#x} bytes",
                self.memory.len()
            )),
        }
    }

    /// Puts a group into the container; the first one gives the container its IOMMU model and mappings.
    pub(super) fn join(&mut self, group: BorrowedFd<'_>) -> Result<(), Failure> {
        let mut number = self.container.as_raw_fd().to_le_bytes().to_vec();
        ioctl::vfio(group, "GROUP_SET_CONTAINER", &mut number)?;
        if !self.ready {
            ioctl::vfio_number(self.container.as_fd(), "SET_IOMMU", VFIO_TYPE1v2_IOMMU.into())?;
            self.ready = true;
            if self.map {
                self.dma_map(0, 0, self.memory.len(), true, true)?;
            }
        }
        Ok(())
    }

    /// Forgets that the container has a model; called when the last group has left it.
    pub(super) fn emptied(&mut self) {
        self.ready = false;
    }

    /// Tells KVM about a group, or that it goes.
    pub(super) fn tell_kvm(&self, group: BorrowedFd<'_>, comes: bool) -> Result<(), Failure> {
        let number: i32 = group.as_raw_fd();
        let attribute = kvm_device_attr {
            flags: 0,
            group: KVM_DEV_VFIO_FILE,
            attr: if comes { KVM_DEV_VFIO_FILE_ADD } else { KVM_DEV_VFIO_FILE_DEL }.into(),
            addr: std::ptr::from_ref(&number) as u64,
        };
        self.kvm_vfio.set_device_attr(&attribute).map_err(Failure::from)
    }

    /// Maps a part of the memory for devices.
    pub(super) fn dma_map(&self, iova: u64, offset: u64, size: u64, read: bool, write: bool) -> Result<(), Failure> {
        self.check(offset, size)?;
        let mut flags = 0;
        if read {
            flags |= VFIO_DMA_MAP_FLAG_READ;
        }
        if write {
            flags |= VFIO_DMA_MAP_FLAG_WRITE;
        }
        let mut structure = ioctl::dwords(&[32, flags]);
        for value in [self.memory.address() + offset, iova, size] {
            structure.extend(value.to_le_bytes());
        }
        ioctl::vfio(self.container.as_fd(), "IOMMU_MAP_DMA", &mut structure).map(|_| ())
    }

    /// Unmaps; gives the number of bytes that were mapped.
    pub(super) fn dma_unmap(&self, iova: u64, size: u64) -> Result<u64, Failure> {
        let mut structure = ioctl::dwords(&[24, 0]);
        for value in [iova, size] {
            structure.extend(value.to_le_bytes());
        }
        ioctl::vfio(self.container.as_fd(), "IOMMU_UNMAP_DMA", &mut structure)?;
        Ok(ioctl::u64_at(&structure, 16))
    }

    /// The machine's processor, made at its first use.
    pub(super) fn processor(&mut self) -> Result<(&mut Processor, &Mapping), Failure> {
        if self.processor.is_none() {
            self.processor = Some(Processor::new(&self.kvm, &self.vm, &self.memory)?);
        }
        match &mut self.processor {
            Some(processor) => Ok((processor, &self.memory)),
            None => super::text("the machine has no processor"),
        }
    }
}
