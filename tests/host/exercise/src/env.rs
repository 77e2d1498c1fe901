// SPDX-License-Identifier: GPL-2.0

//! Guest memory and an aperture that know what a vGPU may touch.

use std::collections::HashMap;

use gvt_model::addr::{Gfn, GmPage, GmRange, Gpa};
use gvt_model::ports::{Aperture, Clock, GuestMemory, Hardware, HostGgtt};
use kernel::prelude::*;

/// Where guest memory starts.
pub const MEMORY: u64 = 0x7fff_0000;
/// Bytes of guest memory.
pub const MEMORY_SIZE: usize = 0x4000;

/// The outside of a vGPU.
pub struct Env {
    memory: Vec<u8>,
    slice: GmRange,
    /// Accesses to guest memory, good and bad.
    pub memory_accesses: u64,
    /// Accesses to the aperture.
    pub aperture_accesses: u64,
    /// The frame that each page of the GPU's page table points at; others point at the scratch page.
    targets: HashMap<GmPage, Gfn>,
    /// How often each frame is used.
    uses: HashMap<Gfn, u64>,
    /// Fences that were written.
    pub fences: u64,
    clock: u32,
    /// What time it is, in nanoseconds.
    pub now: u64,
}

impl Env {
    /// Guest memory that is all 0, and an aperture of which the vGPU has `slice`.
    pub fn new(slice: GmRange) -> Self {
        Self {
            memory: vec![0; MEMORY_SIZE],
            slice,
            memory_accesses: 0,
            aperture_accesses: 0,
            targets: HashMap::new(),
            uses: HashMap::new(),
            fences: 0,
            clock: 0,
            now: 0,
        }
    }

    /// Guest memory, from [`MEMORY`] on.
    pub fn memory(&mut self) -> &mut [u8] {
        &mut self.memory
    }

    /// What a driver does when it resets a vGPU: nothing points at guest memory any more.
    pub fn scrub(&mut self) {
        self.targets.clear();
        self.uses.clear();
    }

    fn at(&mut self, gpa: Gpa, length: usize) -> Result<&mut [u8]> {
        self.memory_accesses += 1;
        // The one thing there is in guest memory is a mailbox in an OpRegion, which starts at a page below 4 GB.
        assert_eq!((gpa.raw() % 4096, length), (0x200, 8), "not a mailbox: {length} bytes at {:#x}", gpa.raw());
        assert!(gpa.raw() < 1 << 32, "no OpRegion is at {:#x}", gpa.raw());
        let start = gpa.raw().checked_sub(MEMORY).ok_or(EFAULT)?;
        let start = usize::try_from(start).map_err(|_| EFAULT)?;
        self.memory.get_mut(start..start + length).ok_or(EFAULT)
    }

    fn check(&mut self, offset: u64, length: usize) {
        self.aperture_accesses += 1;
        let inside = offset >= self.slice.start() && offset + length as u64 <= self.slice.end();
        assert!(inside, "{length} bytes at {offset:#x} of the aperture are not the vGPU's");
    }
}

impl Clock for Env {
    fn now(&mut self) -> u64 {
        self.now
    }
}

impl GuestMemory for Env {
    fn read_guest(&mut self, gpa: Gpa, buf: &mut [u8]) -> Result {
        let bytes = self.at(gpa, buf.len())?;
        buf.copy_from_slice(bytes);
        Ok(())
    }

    fn write_guest(&mut self, gpa: Gpa, data: &[u8]) -> Result {
        self.at(gpa, data.len())?.copy_from_slice(data);
        Ok(())
    }
}

impl Aperture for Env {
    fn read_aperture(&mut self, offset: u64, buf: &mut [u8]) -> Result {
        self.check(offset, buf.len());
        buf.fill(0x5a);
        Ok(())
    }

    fn write_aperture(&mut self, offset: u64, data: &[u8]) -> Result {
        self.check(offset, data.len());
        Ok(())
    }
}

impl HostGgtt for Env {
    fn map_page(&mut self, page: GmPage, gfn: Gfn) -> Result {
        // As if half of all frames were no memory.
        if gfn.raw() % 2 != 0 {
            return Err(EFAULT);
        }
        self.targets.insert(page, gfn);
        *self.uses.entry(gfn).or_default() += 1;
        Ok(())
    }

    fn clear_page(&mut self, page: GmPage) {
        self.targets.remove(&page);
    }

    fn release_frame(&mut self, gfn: Gfn) {
        let uses = self.uses.get_mut(&gfn).filter(|uses| **uses > 0);
        *uses.unwrap_or_else(|| panic!("frame {:#x} is released and has no use", gfn.raw())) -= 1;
    }

    fn flush_ggtt(&mut self) {
        for (page, gfn) in &self.targets {
            assert!(self.uses.get(gfn).is_some_and(|uses| *uses > 0), "{page:?} points at {gfn:?}, which is not held");
        }
    }
}

impl Hardware for Env {
    fn read_register(&mut self, offset: u32) -> Result<u32> {
        // The one thing that a guest may read of the hardware is the time of an engine.
        assert!(matches!(offset & 0xfff, 0x358 | 0x35c), "register {offset:#x} is not the guest's to read");
        self.clock += 1;
        Ok(self.clock)
    }

    fn write_fence(&mut self, number: usize, value: u64) -> Result {
        assert!(number < 4, "the vGPU has no fence {number}");
        let (first, last) = (value & 0xffff_f000, value >> 32 & 0xffff_f000);
        let inside = first >= self.slice.start() && first <= last && last < self.slice.end();
        assert!(value == 0 || inside, "fence {value:#x} covers what is not the vGPU's");
        self.fences += 1;
        Ok(())
    }
}
