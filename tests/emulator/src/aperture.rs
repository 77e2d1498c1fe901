// SPDX-License-Identifier: GPL-2.0
//! BAR2, the CPU's window on the GGTT: fences first, then the GGTT entries, then RAM.
//!
//! Translations are cached until [`Gpu::ggtt_epoch`] changes, as hardware keeps them until the driver writes
//! `GFX_FLSH_CNTL`: a driver that forgets to do so sees the old page.

use crate::audit::{Access, Client};
use crate::fence::Fence;
use crate::gpu::Gpu;
use crate::gtt::{Fault, FaultKind, Space};

const PAGE: u64 = 4096;
const PRESENT: u64 = 1 << 0;
const ADDRESS_MASK: u64 = 0x0000_007f_ffff_f000;
const TLB_ENTRIES: usize = 64;
/// GGTT page number of an empty entry.
const NO_PAGE: u64 = u64::MAX;

/// The aperture of one device.
pub struct Aperture {
    /// GGTT page number and bus address.
    tlb: [(u64, u64); TLB_ENTRIES],
    epoch: u64,
    faults: u64,
    /// Page and direction of the last fault that was reported.
    reported: (u64, bool),
}

impl Default for Aperture {
    fn default() -> Self {
        Self { tlb: [(NO_PAGE, 0); TLB_ENTRIES], epoch: 0, faults: 0, reported: (NO_PAGE, false) }
    }
}

impl Aperture {
    /// Fills `data` from `offset` on. What is not mapped reads as ones, as a PCI read that nobody answers.
    pub fn read(&mut self, gpu: &Gpu, offset: u64, data: &mut [u8]) {
        let mut done = 0;
        while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let (address, length) = place(gpu, offset.wrapping_add(done as u64), rest.len());
            let piece = &mut rest[..length];
            let result = self.translate(gpu, address, false).and_then(|bus| {
                gpu.memory.read(bus, piece).map_err(|_| fault(address, false, FaultKind::NoMemory(bus)))
            });
            if let Err(fault) = result {
                piece.fill(0xff);
                self.report(gpu, &fault);
            }
            done += length;
        }
    }

    /// Stores `data` from `offset` on. What is not mapped is lost.
    pub fn write(&mut self, gpu: &Gpu, offset: u64, data: &[u8]) {
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
            let (address, length) = place(gpu, offset.wrapping_add(done as u64), rest.len());
            let piece = &rest[..length];
            let result = self.translate(gpu, address, true).and_then(|bus| {
                gpu.memory.write(bus, piece).map_err(|_| fault(address, true, FaultKind::NoMemory(bus)))
            });
            if let Err(fault) = result {
                self.report(gpu, &fault);
            }
            done += length;
        }
    }

    /// How many accesses found nothing.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// The bus address of a GGTT address.
    fn translate(&mut self, gpu: &Gpu, address: u64, write: bool) -> Result<u64, Fault> {
        let epoch = gpu.ggtt_epoch();
        if epoch != self.epoch {
            self.tlb.fill((NO_PAGE, 0));
            self.epoch = epoch;
        }
        let page = address / PAGE;
        let cached = &mut self.tlb[page as usize % TLB_ENTRIES];
        if cached.0 != page {
            if address >= gpu.config.ggtt {
                return Err(fault(address, write, FaultKind::Malformed));
            }
            let entry = gpu.bar0.pte(page);
            if entry & PRESENT == 0 {
                return Err(fault(address, write, FaultKind::NotPresent(0)));
            }
            *cached = (page, entry & ADDRESS_MASK);
        }
        let bus = cached.1;
        gpu.auditor.access(&Access { client: Client::Aperture, space: Space::Ggtt, address, page: bus, write });
        Ok(bus + address % PAGE)
    }

    /// Counts every fault, and reports those that say something new: another page, another direction, or twice as many
    /// as at the last report of the same.
    fn report(&mut self, gpu: &Gpu, fault: &Fault) {
        self.faults += 1;
        let kind = (fault.address / PAGE, fault.write);
        if kind != self.reported || self.faults.is_power_of_two() {
            self.reported = kind;
            gpu.auditor.fault(Client::Aperture, fault);
        }
    }
}

/// The GGTT address behind an offset in the aperture, and how many of `length` bytes follow it on the same page.
fn place(gpu: &Gpu, offset: u64, length: usize) -> (u64, usize) {
    let fenced = if offset < gpu.config.aperture { Fence::find(&gpu.bar0, offset) } else { None };
    let (address, run) = match fenced {
        Some(fence) => fence.translate(offset),
        None if offset < gpu.config.aperture => (offset, PAGE),
        // Behind the end of the BAR is nothing, even where the GGTT goes on.
        None => (u64::MAX - PAGE + 1 + offset % PAGE, PAGE),
    };
    let run = run.min(PAGE - address % PAGE).max(1);
    (address, usize::try_from(run).unwrap_or(length).min(length))
}

fn fault(address: u64, write: bool, kind: FaultKind) -> Fault {
    Fault { space: Space::Ggtt, address, write, kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fence::FENCE_BASE;
    use crate::gpu::Config;
    use crate::platform::Platform;
    use crate::tiling::Tiling;

    const RAM: u64 = 0x10_0000;

    fn gpu() -> Gpu {
        let gpu = Gpu::new(Config::new(Platform::by_name("skl").unwrap())).unwrap();
        gpu.memory.map_anonymous(RAM, 1 << 20).unwrap();
        gpu
    }

    /// Maps `count` GGTT pages from `page` on to RAM, in reverse order so that neighbours are not neighbours.
    fn map(gpu: &Gpu, page: u64, count: u64) {
        for index in 0..count {
            gpu.bar0.set_pte(page + index, (RAM + (count - 1 - index) * PAGE) | PRESENT);
        }
    }

    fn fence(gpu: &Gpu, start: u64, size: u64, pitch: u64, tiling: Tiling) {
        let y = if tiling == Tiling::Y { 2 } else { 0 };
        gpu.bar0.store_pair(FENCE_BASE, (start + size - PAGE + pitch / 128 - 1) << 32 | start | y | 1);
    }

    #[test]
    fn accesses_cross_pages() {
        let gpu = gpu();
        map(&gpu, 4, 2);
        let mut aperture = Aperture::default();
        aperture.write(&gpu, 0x4ffc, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(gpu.memory.load32(RAM + 0x1ffc), Ok(0x0403_0201));
        assert_eq!(gpu.memory.load32(RAM), Ok(0x0807_0605));
        let mut data = [0; 8];
        aperture.read(&gpu, 0x4ffc, &mut data);
        assert_eq!(data, [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(aperture.faults(), 0);
    }

    #[test]
    fn unmapped_reads_are_ones_and_writes_are_lost() {
        let gpu = gpu();
        map(&gpu, 4, 1);
        gpu.bar0.set_pte(5, 0x7f_0000_0000 | PRESENT);
        let mut aperture = Aperture::default();
        let mut data = [0; 12];
        aperture.read(&gpu, 0x3ffc, &mut data[..8]);
        assert_eq!(data[..8], [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
        aperture.read(&gpu, 0x5000, &mut data[..4]);
        assert_eq!(data[..4], [0xff; 4], "an entry to no RAM");
        aperture.write(&gpu, 0, &[1; 8]);
        assert_eq!(aperture.faults(), 3);
    }

    #[test]
    fn nothing_lies_behind_the_end_of_the_bar() {
        let gpu = gpu();
        let end = gpu.config.aperture;
        map(&gpu, end / PAGE - 1, 2);
        let mut aperture = Aperture::default();
        let mut data = [0; 8];
        aperture.read(&gpu, end - 4, &mut data);
        assert_eq!(data, [0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
        aperture.read(&gpu, u64::MAX - 3, &mut data);
        assert_eq!(data[..4], [0xff; 4]);
        aperture.write(&gpu, u64::MAX, &[0; 64]);
        aperture.write(&gpu, end, &[1; 4]);
        assert_eq!(gpu.memory.load32(RAM), Ok(0));
    }

    #[test]
    fn a_stale_entry_is_used_until_the_flush() {
        let gpu = gpu();
        gpu.bar0.set_pte(1, RAM | PRESENT);
        let mut aperture = Aperture::default();
        aperture.write(&gpu, PAGE, &[1]);
        gpu.bar0.set_pte(1, (RAM + PAGE) | PRESENT);
        aperture.write(&gpu, PAGE + 1, &[2]);
        assert_eq!(gpu.memory.load32(RAM), Ok(0x0201));
        gpu.invalidate_ggtt();
        aperture.write(&gpu, PAGE + 2, &[3]);
        assert_eq!(gpu.memory.load32(RAM + PAGE), Ok(0x3_0000));
    }

    #[test]
    fn a_missing_entry_is_looked_up_again() {
        let gpu = gpu();
        let mut aperture = Aperture::default();
        aperture.write(&gpu, PAGE, &[1]);
        gpu.bar0.set_pte(1, RAM | PRESENT);
        aperture.write(&gpu, PAGE, &[1]);
        assert_eq!(gpu.memory.load32(RAM), Ok(1));
    }

    #[test]
    fn a_fenced_surface_reads_linear() {
        for (tiling, pitch) in [(Tiling::X, 1024), (Tiling::Y, 640)] {
            let gpu = gpu();
            let (start, size) = (0x20_0000u64, tiling.rows() * pitch * 2);
            map(&gpu, start / PAGE, size / PAGE);
            let mut aperture = Aperture::default();
            // Written without the fence at the tiled place, read with it in linear order, 8 bytes at a time.
            let value = |offset: u64| (offset * 7 + offset / 251) as u8;
            for offset in 0..size {
                let place = tiling.offset(pitch, offset % pitch, offset / pitch);
                aperture.write(&gpu, start + place, &[value(offset)]);
            }
            fence(&gpu, start, size, pitch, tiling);
            for offset in (0..size).step_by(8) {
                let mut data = [0; 8];
                aperture.read(&gpu, start + offset, &mut data);
                let expected: Vec<_> = (offset..offset + 8).map(value).collect();
                assert_eq!(data[..], expected[..], "{tiling:?} {offset:#x}");
            }
            // Long and odd accesses split at every run.
            let mut long = vec![0; 3001];
            aperture.read(&gpu, start + 777, &mut long);
            assert!((777..777 + 3001).map(value).eq(long.iter().copied()));
            long.reverse();
            aperture.write(&gpu, start + 777, &long);
            let mut back = vec![0; 3001];
            aperture.read(&gpu, start + 777, &mut back);
            assert_eq!(back, long);
            assert_eq!(aperture.faults(), 0);
        }
    }

    #[test]
    fn an_access_leaves_a_fence_at_its_end() {
        let gpu = gpu();
        map(&gpu, 0x10, 9);
        fence(&gpu, 0x1_0000, 8 * PAGE, 4096, Tiling::X);
        let mut aperture = Aperture::default();
        // The last byte of the linear view is the last one of the surface; what follows is the page behind.
        aperture.write(&gpu, 0x1_8000 - 1, &[0xaa, 0xbb]);
        gpu.bar0.store_pair(FENCE_BASE, 0);
        let mut data = [0; 2];
        aperture.read(&gpu, 0x1_8000 - 1, &mut data);
        assert_eq!(data, [0xaa, 0xbb]);
    }
}
