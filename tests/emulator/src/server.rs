// SPDX-License-Identifier: GPL-2.0
//! The device on vfio-user: regions, interrupts and DMA of one QEMU.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use vfio_bindings::bindings::vfio;
use vfio_user::{DmaMapFlags, DmaUnmapFlags, IrqInfo, Server, ServerBackend, ServerRegion, SparseArea};

use crate::aperture::Aperture;
use crate::bar0::{BAR0_SIZE, GSM_OFFSET};
use crate::gpu::Gpu;
use crate::pci::{PciConfig, CONFIG_SIZE, IO_BAR_SIZE};

const BAR0: u32 = vfio::VFIO_PCI_BAR0_REGION_INDEX;
const BAR2: u32 = vfio::VFIO_PCI_BAR2_REGION_INDEX;
const BAR4: u32 = vfio::VFIO_PCI_BAR4_REGION_INDEX;
const CONFIG: u32 = vfio::VFIO_PCI_CONFIG_REGION_INDEX;
const REGIONS: u32 = vfio::VFIO_PCI_NUM_REGIONS;
const READ_WRITE: u32 = vfio::VFIO_REGION_INFO_FLAG_READ | vfio::VFIO_REGION_INFO_FLAG_WRITE;

/// Waits for QEMU at `socket` and serves it until it goes away.
///
/// # Errors
///
/// The socket cannot be made, or the connection broke in the middle of a message.
pub fn serve(gpu: Arc<Gpu>, socket: &Path) -> Result<()> {
    if socket.exists() {
        std::fs::remove_file(socket).with_context(|| format!("removing the old socket {}", socket.display()))?;
    }
    let server = Server::new(socket, true, interrupts(), regions(&gpu))
        .with_context(|| format!("listening at {}", socket.display()))?;
    server.run(&mut Device::new(gpu)).context("serving vfio-user")
}

fn regions(gpu: &Gpu) -> Vec<ServerRegion> {
    (0..REGIONS)
        .map(|index| {
            let (size, mut flags) = match index {
                BAR0 => (BAR0_SIZE, READ_WRITE),
                BAR2 => (gpu.config.aperture, READ_WRITE),
                BAR4 => (IO_BAR_SIZE, READ_WRITE),
                CONFIG => (CONFIG_SIZE as u64, READ_WRITE),
                _ => (0, 0),
            };
            let area = |(offset, size)| SparseArea { area: vfio::vfio_region_sparse_mmap_area { offset, size } };
            let sparse_areas: Vec<_> =
                if index == BAR0 { gpu.untrapped_areas().into_iter().map(area).collect() } else { Vec::new() };
            if !sparse_areas.is_empty() {
                flags |= vfio::VFIO_REGION_INFO_FLAG_MMAP;
            }
            let region_info = vfio::vfio_region_info {
                argsz: size_of::<vfio::vfio_region_info>() as u32,
                flags,
                index,
                size,
                ..Default::default()
            };
            let mmap_fd = (index == BAR0).then(|| gpu.bar0.fd());
            ServerRegion { region_info, sparse_areas, mmap_fd }
        })
        .collect()
}

fn interrupts() -> Vec<IrqInfo> {
    (0..vfio::VFIO_PCI_NUM_IRQS)
        .map(|index| match index {
            vfio::VFIO_PCI_INTX_IRQ_INDEX => IrqInfo {
                index,
                count: 1,
                flags: vfio::VFIO_IRQ_INFO_EVENTFD | vfio::VFIO_IRQ_INFO_MASKABLE | vfio::VFIO_IRQ_INFO_AUTOMASKED,
            },
            vfio::VFIO_PCI_MSI_IRQ_INDEX => {
                IrqInfo { index, count: 1, flags: vfio::VFIO_IRQ_INFO_EVENTFD | vfio::VFIO_IRQ_INFO_NORESIZE }
            }
            _ => IrqInfo { index, count: 0, flags: 0 },
        })
        .collect()
}

/// What QEMU's messages act on. No call fails: the crate has no errno to answer with.
pub struct Device {
    gpu: Arc<Gpu>,
    aperture: Aperture,
    config: PciConfig,
}

impl Device {
    /// A device whose regions are those of `gpu`.
    pub fn new(gpu: Arc<Gpu>) -> Self {
        let config = PciConfig::new(&gpu.config);
        Self { aperture: Aperture::default(), config, gpu }
    }

    fn bar0_read(&self, offset: u64, data: &mut [u8]) {
        if offset >= GSM_OFFSET {
            for (index, byte) in data.iter_mut().enumerate() {
                let at = offset - GSM_OFFSET + index as u64;
                *byte = self.gpu.bar0.pte(at / 8).to_le_bytes()[(at % 8) as usize];
            }
            return;
        }
        let mut done = 0;
        while let Some(rest) = data.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset as u32 + done as u32;
            self.gpu.stats.mmio(at & !3, false);
            let dword = self.gpu.mmio_read(at & !3).to_le_bytes();
            let from = &dword[(at & 3) as usize..];
            let count = from.len().min(rest.len());
            rest[..count].copy_from_slice(&from[..count]);
            done += count;
        }
    }

    fn bar0_write(&self, offset: u64, data: &[u8]) {
        if offset >= GSM_OFFSET {
            for (index, byte) in data.iter().enumerate() {
                let at = offset - GSM_OFFSET + index as u64;
                let shift = at % 8 * 8;
                let entry = self.gpu.bar0.pte(at / 8);
                self.gpu.bar0.set_pte(at / 8, entry & !(0xff << shift) | u64::from(*byte) << shift);
            }
            return;
        }
        let mut done = 0;
        while let Some(rest) = data.get(done..).filter(|rest| !rest.is_empty()) {
            let at = offset as u32 + done as u32;
            let lane = (at & 3) as usize;
            let count = (4 - lane).min(rest.len());
            // A narrow write changes its bytes of the register and leaves the others.
            let mut dword = if count == 4 { [0; 4] } else { self.gpu.bar0.load(at & !3).to_le_bytes() };
            dword[lane..lane + count].copy_from_slice(&rest[..count]);
            self.gpu.stats.mmio(at & !3, true);
            self.gpu.mmio_write(at & !3, u32::from_le_bytes(dword));
            done += count;
        }
    }
}

impl ServerBackend for Device {
    fn region_read(&mut self, region: u32, offset: u64, data: &mut [u8]) -> io::Result<()> {
        data.fill(0);
        match region {
            BAR0 if offset < BAR0_SIZE => self.bar0_read(offset, data),
            BAR2 => self.aperture.read(&self.gpu, offset, data),
            CONFIG => self.config.read(offset, data),
            _ => {}
        }
        Ok(())
    }

    fn region_write(&mut self, region: u32, offset: u64, data: &[u8]) -> io::Result<()> {
        match region {
            BAR0 if offset < BAR0_SIZE => self.bar0_write(offset, data),
            BAR2 => self.aperture.write(&self.gpu, offset, data),
            CONFIG => self.config.write(offset, data),
            _ => {}
        }
        Ok(())
    }

    fn dma_map(&mut self, _: DmaMapFlags, offset: u64, address: u64, size: u64, fd: Option<File>) -> io::Result<()> {
        match fd {
            Some(file) => match self.gpu.memory.map(address, size, file, offset) {
                Ok(()) => log::info!("RAM at {address:#x}, {size:#x} bytes"),
                Err(error) => log::error!("RAM at {address:#x}, {size:#x} bytes is out of reach: {error:#}"),
            },
            // ROMs come without a file; the GPU has no business there.
            None => log::debug!("no file for {size:#x} bytes at {address:#x}"),
        }
        Ok(())
    }

    fn dma_unmap(&mut self, _: DmaUnmapFlags, address: u64, size: u64) -> io::Result<()> {
        if let Err(error) = self.gpu.memory.unmap(address, size) {
            log::debug!("unmapping {size:#x} bytes at {address:#x}: {error:#}");
        }
        Ok(())
    }

    fn reset(&mut self) -> io::Result<()> {
        log::info!("device reset");
        self.gpu.reset();
        self.config.reset();
        Ok(())
    }

    fn set_irqs(&mut self, index: u32, flags: u32, _: u32, count: u32, fds: Vec<File>) -> io::Result<()> {
        let trigger = flags & vfio::VFIO_IRQ_SET_ACTION_TRIGGER != 0;
        if index == vfio::VFIO_PCI_MSI_IRQ_INDEX && trigger {
            let eventfd = fds.into_iter().next();
            log::debug!("MSI: {} vectors, eventfd {}", count, if eventfd.is_some() { "set" } else { "removed" });
            self.gpu.irq.set_trigger(eventfd);
        }
        Ok(())
    }
}
