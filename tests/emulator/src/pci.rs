// SPDX-License-Identifier: GPL-2.0
//! PCI configuration space of the device: 4096 bytes, each with the mask of its writable bits.
//!
//! The layout is a Skylake GPU's (PRM volume "Configurations", `lspci -xxxx`), for every platform: nothing that drives
//! the device asks for the place of a capability. It is 4096 bytes because stock `kvmgt` copies all of them into its
//! virtual GPUs; the extended part is empty, which its first dword says by being 0.

use crate::gpu::Config;

/// Size of the configuration space in bytes.
pub const CONFIG_SIZE: usize = 4096;
/// Size of BAR4, I/O ports, in bytes.
pub const IO_BAR_SIZE: u64 = 64;

const COMMAND: usize = 0x04;
const STATUS: usize = 0x06;
const BAR0: usize = 0x10;
const BAR2: usize = 0x18;
const BAR4: usize = 0x20;
const CAPABILITY_POINTER: usize = 0x34;
const INTERRUPT_LINE: usize = 0x3c;
/// Vendor capability.
const CAP_VENDOR: usize = 0x40;
/// `MGGC0`, graphics control: sizes of the GGTT and of stolen memory.
const GMCH_CONTROL: usize = 0x50;
/// Multi-size aperture control, a byte.
const MSAC: usize = 0x62;
const CAP_EXPRESS: usize = 0x70;
const DEVICE_CONTROL: usize = CAP_EXPRESS + 8;
const CAP_MSI: usize = 0xac;
const CAP_PM: usize = 0xd0;
const PM_CONTROL: usize = CAP_PM + 4;
/// Software SCI trigger of the OpRegion.
const SWSCI: usize = 0xe8;
/// OpRegion address.
const ASLS: usize = 0xfc;

const COMMAND_MEMORY: u16 = 1 << 1;
const COMMAND_BUS_MASTER: u16 = 1 << 2;
const POWER_STATE: u8 = 3;

/// The configuration space of one device.
pub struct PciConfig {
    values: Box<[u8; CONFIG_SIZE]>,
    writable: Box<[u8; CONFIG_SIZE]>,
    initial: Box<[u8; CONFIG_SIZE]>,
}

impl PciConfig {
    /// The configuration space at power-on.
    pub fn new(config: &Config) -> Self {
        let mut layout = Layout::new();
        header(&mut layout, config);
        capabilities(&mut layout);
        graphics(&mut layout, config);
        let Layout { values, writable } = layout;
        Self { initial: values.clone(), values, writable }
    }

    /// Fills `data` from `offset` on; bytes beyond the end read as ones, as where no device answers.
    pub fn read(&self, offset: u64, data: &mut [u8]) {
        let bytes = usize::try_from(offset).ok().and_then(|start| self.values.get(start..)).unwrap_or(&[]);
        let known = bytes.len().min(data.len());
        data[..known].copy_from_slice(&bytes[..known]);
        data[known..].fill(0xff);
    }

    /// Stores the writable bits of `data` from `offset` on; bytes beyond the end go nowhere.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        for (index, byte) in data.iter().enumerate() {
            let Some(at) = usize::try_from(offset).ok().and_then(|start| start.checked_add(index)) else { break };
            if at >= CONFIG_SIZE {
                break;
            }
            // A power state that the device does not have leaves the old one, it does not become another.
            if at == PM_CONTROL && matches!(byte & POWER_STATE, 1 | 2) {
                continue;
            }
            let mask = self.writable[at];
            self.values[at] = (self.values[at] & !mask) | (byte & mask);
        }
    }

    /// Returns to the power-on values.
    pub fn reset(&mut self) {
        self.values.copy_from_slice(&*self.initial);
    }

    /// Whether BAR0 and BAR2 answer.
    pub fn memory_enabled(&self) -> bool {
        self.word(COMMAND) & COMMAND_MEMORY != 0
    }

    /// Whether the device may access RAM and send interrupts.
    pub fn bus_master(&self) -> bool {
        self.word(COMMAND) & COMMAND_BUS_MASTER != 0
    }

    fn word(&self, offset: usize) -> u16 {
        u16::from_le_bytes([self.values[offset], self.values[offset + 1]])
    }
}

/// Values and write masks while they are put together.
struct Layout {
    values: Box<[u8; CONFIG_SIZE]>,
    writable: Box<[u8; CONFIG_SIZE]>,
}

impl Layout {
    fn new() -> Self {
        Self { values: Box::new([0; CONFIG_SIZE]), writable: Box::new([0; CONFIG_SIZE]) }
    }

    fn set(&mut self, offset: usize, value: &[u8]) {
        self.values[offset..offset + value.len()].copy_from_slice(value);
    }

    fn set16(&mut self, offset: usize, value: u16, writable: u16) {
        self.set(offset, &value.to_le_bytes());
        self.writable[offset..offset + 2].copy_from_slice(&writable.to_le_bytes());
    }

    fn set32(&mut self, offset: usize, value: u32, writable: u32) {
        self.set(offset, &value.to_le_bytes());
        self.writable[offset..offset + 4].copy_from_slice(&writable.to_le_bytes());
    }

    /// A 64-bit memory BAR: the address bits above its size can be written, the type bits cannot.
    fn memory_bar(&mut self, offset: usize, size: u64, prefetchable: bool) {
        const TYPE_64: u32 = 2 << 1;
        const PREFETCHABLE: u32 = 1 << 3;
        let mask = !(size - 1);
        self.set32(offset, TYPE_64 | if prefetchable { PREFETCHABLE } else { 0 }, mask as u32);
        self.set32(offset + 4, 0, (mask >> 32) as u32);
    }
}

/// The type 0 header.
fn header(layout: &mut Layout, config: &Config) {
    const VENDOR_INTEL: u16 = 0x8086;
    const SUBSYSTEM: u16 = 0x2212;
    const STATUS_CAPABILITIES: u16 = 1 << 4;
    const CLASS_VGA: [u8; 3] = [0x00, 0x00, 0x03];
    // I/O, memory, bus master, INTx disable.
    const COMMAND_WRITABLE: u16 = 0x0407;

    layout.set16(0x00, VENDOR_INTEL, 0);
    layout.set16(0x02, config.device_id(), 0);
    layout.set16(COMMAND, 0, COMMAND_WRITABLE);
    layout.set16(STATUS, STATUS_CAPABILITIES, 0);
    layout.set(0x08, &[config.platform.revision]);
    layout.set(0x09, &CLASS_VGA);
    layout.memory_bar(BAR0, crate::bar0::BAR0_SIZE, false);
    layout.memory_bar(BAR2, config.aperture, true);
    // I/O ports; the upper half of the register does not exist.
    layout.set32(BAR4, 1, !(IO_BAR_SIZE as u32 - 1) & 0xffff);
    layout.set16(0x2c, VENDOR_INTEL, 0);
    layout.set16(0x2e, SUBSYSTEM, 0);
    layout.set(CAPABILITY_POINTER, &[CAP_VENDOR as u8]);
    layout.writable[INTERRUPT_LINE] = 0xff;
    // Interrupt pin: INTA.
    layout.set(INTERRUPT_LINE + 1, &[1]);
}

/// The capability list: vendor, PCI Express, MSI, power management.
fn capabilities(layout: &mut Layout) {
    const ID_PM: u8 = 0x01;
    const ID_MSI: u8 = 0x05;
    const ID_VENDOR: u8 = 0x09;
    const ID_EXPRESS: u8 = 0x10;
    const VENDOR_LENGTH: u8 = 0x0c;

    layout.set(CAP_VENDOR, &[ID_VENDOR, CAP_EXPRESS as u8, VENDOR_LENGTH, 1]);

    layout.set(CAP_EXPRESS, &[ID_EXPRESS, CAP_MSI as u8]);
    // Version 2, root complex integrated endpoint (no link registers).
    layout.set16(CAP_EXPRESS + 2, 0x0092, 0);
    // Role-based error reporting. No function-level reset: QEMU resets the device by a message of its own.
    layout.set32(CAP_EXPRESS + 4, 1 << 15, 0);
    // Error reporting enables, relaxed ordering, tag, no-snoop.
    layout.set16(DEVICE_CONTROL, 0, 0x091f);

    layout.set(CAP_MSI, &[ID_MSI, CAP_PM as u8]);
    // One vector, 32-bit address, no masking.
    layout.set16(CAP_MSI + 2, 0, 1);
    layout.set32(CAP_MSI + 4, 0, !3);
    layout.set16(CAP_MSI + 8, 0, 0xffff);

    layout.set(CAP_PM, &[ID_PM, 0]);
    // Version 2, device-specific initialisation, D0 and D3 only, no PME.
    layout.set16(CAP_PM + 2, 0x0022, 0);
    layout.set16(PM_CONTROL, 0, u16::from(POWER_STATE));
}

/// What only a GPU has.
fn graphics(layout: &mut Layout, config: &Config) {
    // GGMS, bits 7:6: 1 << n MiB of entries, of which each maps 4 KiB with 8 bytes. GMS 0: no stolen memory, so that
    // its base (BDSM, 0x5c) stays 0.
    let table = (config.ggtt / 4096 * 8) >> 20;
    layout.set16(GMCH_CONTROL, (table.max(1).ilog2() as u16 & 3) << 6, 0);
    // 256 MiB: 1, 512 MiB: 3, 1 GiB: 7.
    layout.set(MSAC, &[(((config.aperture >> 27).max(1) - 1) & 0x1f) as u8]);
    layout.set16(SWSCI, 0, 0x8001);
    layout.set32(ASLS, 0, u32::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::{Platform, PLATFORMS};

    fn skylake() -> Config {
        Config::new(Platform::by_name("skl").unwrap())
    }

    fn read32(pci: &PciConfig, offset: usize) -> u32 {
        let mut data = [0; 4];
        pci.read(offset as u64, &mut data);
        u32::from_le_bytes(data)
    }

    fn write32(pci: &mut PciConfig, offset: usize, value: u32) {
        pci.write(offset as u64, &value.to_le_bytes());
    }

    #[test]
    fn identity_is_the_platforms() {
        for platform in &PLATFORMS {
            let pci = PciConfig::new(&Config::new(platform));
            assert_eq!(read32(&pci, 0), u32::from(platform.device_id) << 16 | 0x8086);
            assert_eq!(read32(&pci, 8), 0x0300_0000 | u32::from(platform.revision));
        }
        let config = Config { vcs1: true, ..skylake() };
        assert_eq!(read32(&PciConfig::new(&config), 0), 0x1926_8086);
    }

    #[test]
    fn bars_tell_their_sizes() {
        for aperture in [256u64 << 20, 512 << 20, 1 << 30] {
            let mut pci = PciConfig::new(&Config { aperture, ..skylake() });
            for offset in (BAR0..0x28).step_by(4) {
                write32(&mut pci, offset, u32::MAX);
            }
            let pair = |offset| u64::from(read32(&pci, offset)) | u64::from(read32(&pci, offset + 4)) << 32;
            assert_eq!(pair(BAR0), !((16 << 20) - 1) | 4);
            assert_eq!(pair(BAR2), !(aperture - 1) | 0xc);
            assert_eq!(pair(BAR4), 0xffc1);
        }
    }

    #[test]
    fn the_capability_list_is_complete_and_ends() {
        let pci = PciConfig::new(&skylake());
        assert_ne!(read32(&pci, COMMAND) & 1 << 20, 0, "the status register announces no list");
        let mut found = Vec::new();
        let mut at = read32(&pci, CAPABILITY_POINTER) & 0xff;
        while at != 0 {
            assert!(at >= 0x40 && at % 4 == 0 && found.len() < 48, "capability at {at:#x}");
            let head = read32(&pci, at as usize);
            found.push((at, head & 0xff));
            at = head >> 8 & 0xff;
        }
        assert_eq!(found, [(0x40, 9), (0x70, 0x10), (0xac, 5), (0xd0, 1)]);
        assert_eq!(read32(&pci, 0x100), 0, "there are no extended capabilities");
    }

    #[test]
    fn graphics_control_follows_the_sizes() {
        for (ggtt, expected) in [(2u64 << 30, 0x80), (4 << 30, 0xc0)] {
            let pci = PciConfig::new(&Config { ggtt, ..skylake() });
            assert_eq!(read32(&pci, GMCH_CONTROL) & 0xffff, expected);
            assert_eq!(read32(&pci, 0x5c), 0);
        }
        for (aperture, expected) in [(256u64 << 20, 1), (512 << 20, 3), (1 << 30, 7)] {
            let pci = PciConfig::new(&Config { aperture, ..skylake() });
            assert_eq!(read32(&pci, MSAC - 2) >> 16 & 0xff, expected);
        }
    }

    #[test]
    fn only_writable_bits_change() {
        let mut pci = PciConfig::new(&skylake());
        let before: Vec<_> = (0..CONFIG_SIZE).step_by(4).map(|offset| read32(&pci, offset)).collect();
        for offset in (0..CONFIG_SIZE).step_by(4) {
            write32(&mut pci, offset, u32::MAX);
        }
        let mut changed = Vec::new();
        for (index, old) in before.into_iter().enumerate() {
            let difference = read32(&pci, 4 * index) ^ old;
            if difference != 0 {
                changed.push((4 * index, difference));
            }
        }
        let expected = [
            (0x04, 0x407),
            (0x10, 0xff00_0000),
            (0x14, u32::MAX),
            (0x18, 0xe000_0000),
            (0x1c, u32::MAX),
            (0x20, 0xffc0),
            (0x3c, 0xff),
            (0x78, 0x91f),
            (0xac, 0x1_0000),
            (0xb0, !3),
            (0xb4, 0xffff),
            (0xd4, 3),
            (0xe8, 0x8001),
            (0xfc, u32::MAX),
        ];
        assert_eq!(changed, expected);
    }

    #[test]
    fn command_bits_are_seen() {
        let mut pci = PciConfig::new(&skylake());
        assert!(!pci.memory_enabled() && !pci.bus_master());
        pci.write(COMMAND as u64, &[6]);
        assert!(pci.memory_enabled() && pci.bus_master());
        pci.reset();
        assert!(!pci.memory_enabled() && !pci.bus_master());
    }

    #[test]
    fn power_states_that_do_not_exist_are_ignored() {
        let mut pci = PciConfig::new(&skylake());
        for (requested, state) in [(3, 3), (1, 3), (2, 3), (0, 0), (1, 0)] {
            write32(&mut pci, PM_CONTROL, requested);
            assert_eq!(read32(&pci, PM_CONTROL), state);
        }
    }

    #[test]
    fn accesses_beyond_the_end_are_harmless() {
        let mut pci = PciConfig::new(&skylake());
        let mut data = [0; 4];
        pci.read(0xffe, &mut data);
        assert_eq!(data, [0, 0, 0xff, 0xff]);
        pci.read(u64::MAX, &mut data);
        assert_eq!(data, [0xff; 4]);
        pci.write(0xffe, &[1; 8]);
        pci.write(u64::MAX, &[1; 8]);
        let mut whole = [0; CONFIG_SIZE];
        pci.read(0, &mut whole);
        assert_eq!(whole[..4], [0x86, 0x80, 0x12, 0x19]);
    }
}
