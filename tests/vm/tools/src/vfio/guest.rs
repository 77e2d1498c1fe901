// SPDX-License-Identifier: GPL-2.0
//! A virtual processor that does one load or store at a time, so that KVM sees it as the guest's own.

use kvm_bindings::{kvm_regs, kvm_segment, KVM_MAX_CPUID_ENTRIES};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};

use super::Failure;
use crate::mapping::Mapping;

/// Bytes at the end of memory that the processor uses: three levels of page tables and a page of code.
const RESERVED: u64 = 4 * 4096;

/// How an access of the processor ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Memory took it; the value of a load.
    Memory(u64),
    /// No memory is there: KVM handed it to the VMM.
    Mmio,
}

/// A processor in 64-bit mode whose addresses are guest-physical.
pub(super) struct Processor {
    vcpu: VcpuFd,
    code: u64,
}

/// The instruction, then HLT. RDI holds the address, RAX the value.
fn program(width: usize, write: bool) -> Option<&'static [u8]> {
    Some(match (width, write) {
        (1, true) => &[0x88, 0x07, 0xf4],
        (2, true) => &[0x66, 0x89, 0x07, 0xf4],
        (4, true) => &[0x89, 0x07, 0xf4],
        (8, true) => &[0x48, 0x89, 0x07, 0xf4],
        (1, false) => &[0x8a, 0x07, 0xf4],
        (2, false) => &[0x66, 0x8b, 0x07, 0xf4],
        (4, false) => &[0x8b, 0x07, 0xf4],
        (8, false) => &[0x48, 0x8b, 0x07, 0xf4],
        _ => return None,
    })
}

/// Stores RAX to RDI, adds RDX to that and R8 to RAX, RCX times; then HLT.
const STORES: &[u8] = &[0x48, 0x89, 0x07, 0x48, 0x01, 0xd7, 0x4c, 0x01, 0xc0, 0x48, 0xff, 0xc9, 0x75, 0xf2, 0xf4];

/// Stores in a row, of a qword each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stores {
    /// Where the first one goes to.
    pub(super) gpa: u64,
    /// How far behind it the next one does.
    pub(super) stride: u64,
    /// How many there are.
    pub(super) count: u64,
    /// What the first one stores.
    pub(super) value: u64,
    /// By how much the next one stores more.
    pub(super) step: u64,
}

/// Writes page tables that map the first 512 GiB onto themselves with pages of one gigabyte, except that the first
/// gigabyte uses pages of two megabytes, which every processor has.
fn write_tables(memory: &Mapping, root: u64) -> Result<(), Failure> {
    const PRESENT_WRITABLE: u64 = 3;
    const LARGE: u64 = 1 << 7;
    let (pointers, directory) = (root + 4096, root + 2 * 4096);
    for entry in 0..512u64 {
        memory.write(root + 8 * entry, 8, if entry == 0 { pointers | PRESENT_WRITABLE } else { 0 })?;
        let target = if entry == 0 { directory } else { (entry << 30) | LARGE };
        memory.write(pointers + 8 * entry, 8, target | PRESENT_WRITABLE)?;
        memory.write(directory + 8 * entry, 8, (entry << 21) | LARGE | PRESENT_WRITABLE)?;
    }
    Ok(())
}

impl Processor {
    /// Makes the processor and its page tables.
    pub(super) fn new(kvm: &Kvm, vm: &VmFd, memory: &Mapping) -> Result<Processor, Failure> {
        let Some(root) = memory.len().checked_sub(RESERVED).filter(|root| root % 4096 == 0) else {
            return super::text("the memory is too small for the processor's page tables, or no multiple of a page");
        };
        write_tables(memory, root)?;
        let vcpu = vm.create_vcpu(0)?;
        let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)?;
        vcpu.set_cpuid2(&cpuid)?;
        let mut registers = vcpu.get_sregs()?;
        let segment = |kind, selector, code: bool| kvm_segment {
            base: 0,
            limit: 0xffff_ffff,
            selector,
            type_: kind,
            present: 1,
            dpl: 0,
            db: u8::from(!code),
            s: 1,
            l: u8::from(code),
            g: 1,
            ..Default::default()
        };
        registers.cs = segment(11, 8, true);
        let data = segment(3, 16, false);
        for place in [&mut registers.ds, &mut registers.es, &mut registers.ss, &mut registers.fs, &mut registers.gs] {
            *place = data;
        }
        registers.cr3 = root;
        registers.cr4 |= 1 << 5;
        registers.cr0 |= (1 << 31) | 1;
        registers.efer |= (1 << 8) | (1 << 10);
        vcpu.set_sregs(&registers)?;
        Ok(Processor { vcpu, code: root + 3 * 4096 })
    }

    /// Does one access.
    pub(super) fn access(
        &mut self,
        memory: &Mapping,
        gpa: u64,
        width: usize,
        value: Option<u64>,
    ) -> Result<Access, Failure> {
        let Some(program) = program(width, value.is_some()) else {
            return super::text("a processor accesses 1, 2, 4 or 8 bytes");
        };
        let start = kvm_regs { rdi: gpa, rax: value.unwrap_or(0), ..Default::default() };
        let outside = self.run(memory, program, start)?;
        if outside {
            return Ok(Access::Mmio);
        }
        let mask = if width == 8 { u64::MAX } else { (1 << (8 * width)) - 1 };
        Ok(Access::Memory(self.vcpu.get_regs()?.rax & mask))
    }

    /// Does stores in a row.
    pub(super) fn store(&mut self, memory: &Mapping, stores: Stores) -> Result<(), Failure> {
        let Stores { gpa, stride, count, value, step } = stores;
        if count == 0 {
            return Ok(());
        }
        let start = kvm_regs { rdi: gpa, rdx: stride, rcx: count, rax: value, r8: step, ..Default::default() };
        match self.run(memory, STORES, start)? {
            false => Ok(()),
            true => super::text("no memory is where the processor stores"),
        }
    }

    /// Runs a program until it halts; true if it accessed what is no memory.
    fn run(&mut self, memory: &Mapping, program: &[u8], start: kvm_regs) -> Result<bool, Failure> {
        for (offset, byte) in (0u64..).zip(program) {
            memory.write(self.code + offset, 1, u64::from(*byte))?;
        }
        self.vcpu.set_regs(&kvm_regs { rip: self.code, rflags: 2, ..start })?;
        let mut outside = false;
        loop {
            match self.vcpu.run()? {
                VcpuExit::Hlt => return Ok(outside),
                VcpuExit::MmioWrite(..) => outside = true,
                VcpuExit::MmioRead(_, data) => {
                    data.fill(0xff);
                    outside = true;
                }
                VcpuExit::Intr => {}
                other => return super::text(format!("the processor stopped with {other:?}")),
            }
        }
    }
}
