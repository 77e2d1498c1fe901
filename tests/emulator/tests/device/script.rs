// SPDX-License-Identifier: GPL-2.0
//! Bytes as a script of what QEMU and a guest can do to a device: the input of the fuzz target.
//!
//! Every input is a valid script: each operation takes as many bytes as it needs, bytes that are missing are 0, and the
//! script ends with its bytes or after [`OPERATIONS_MAX`] operations. Nothing a script does may panic, and none of it
//! waits for the clock.

use emulated_gpu::engine::Runner;
use emulated_gpu::gpu::Gpu;
use emulated_gpu::gt::Gt;
use emulated_gpu::irq::Interrupts;
use emulated_gpu::masked;
use emulated_gpu::server::Device;
use vfio_user::ServerBackend;

use crate::device::{drive, runners, set_up, submit, RAM_SIZE, RING_SIZE, WINDOW};

/// Operations of a script that are carried out.
const OPERATIONS_MAX: usize = 256;
/// Steps of an engine for one operation, of 64 commands each.
const STEPS: usize = 8;
const BAR0: u32 = 0;
const BAR2: u32 = 2;
const BAR4: u32 = 4;
const CONFIG: u32 = 7;

/// Takes values from the front of the script.
struct Bytes<'s>(&'s [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let count = N.min(self.0.len());
        let (now, rest) = self.0.split_at(count);
        taken[..count].copy_from_slice(now);
        self.0 = rest;
        taken
    }

    fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let (now, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        now.to_vec()
    }
}

/// Width of a register access: mostly what CPUs do, now and then what they do not.
fn width(byte: u8) -> usize {
    match byte & 7 {
        0 => 1,
        1 => 2,
        2..=4 => 4,
        5 | 6 => 8,
        _ => usize::from(byte >> 3),
    }
}

/// Offsets of all registers with side effects.
fn interesting(gpu: &Gpu) -> Vec<u32> {
    let platform = gpu.config.platform;
    let engines = gpu.engines.iter().flat_map(|engine| engine.claims().chain([engine.id.base() + 0x80]));
    engines
        .chain(Interrupts::claims())
        .chain(Gt::claims(platform))
        .chain(gpu.display.claims())
        .chain(masked::registers(platform.gen))
        .collect()
}

/// Keeps blits small: no size in them may exceed 255 pixels. One large blit takes as long as a million commands.
fn tame(commands: &mut [u8]) {
    const CLIENT_2D: u8 = 0x40;
    let headers: Vec<usize> = (0..commands.len() / 4).filter(|n| commands[4 * n + 3] & 0xe0 == CLIENT_2D).collect();
    for header in headers {
        for byte in [9, 11, 13, 15].map(|byte| 4 * header + byte) {
            if let Some(high) = commands.get_mut(byte) {
                *high = 0;
            }
        }
    }
}

/// Carries out a script on a device.
pub fn run(device: &mut Device, gpu: &Gpu, script: &[u8]) {
    let mut bytes = Bytes(script);
    let registers = interesting(gpu);
    let mut runners = runners(gpu);
    for _ in 0..OPERATIONS_MAX {
        if bytes.0.is_empty() {
            return;
        }
        operation(device, gpu, &mut bytes, &registers, &mut runners);
    }
}

fn operation<'g>(
    device: &mut Device,
    gpu: &'g Gpu,
    bytes: &mut Bytes,
    registers: &[u32],
    runners: &mut Vec<Runner<'g>>,
) {
    let mut buffer = [0; 64];
    match bytes.u8() % 16 {
        0 | 1 => {
            let (offset, count) = (u64::from(bytes.u32()) % (16 << 20), width(bytes.u8()));
            read(device, BAR0, offset, &mut buffer[..count]);
        }
        2 | 3 => {
            let (offset, count) = (u64::from(bytes.u32()) % (16 << 20), width(bytes.u8()));
            write(device, BAR0, offset, &bytes.take(count));
        }
        4..=6 => {
            let (index, value) = (usize::from(bytes.u16()), bytes.u32());
            let offset = registers[index % registers.len()];
            write(device, BAR0, offset.into(), &value.to_le_bytes());
            read(device, BAR0, offset.into(), &mut buffer[..4]);
        }
        7 => {
            let (offset, count) = (u64::from(bytes.u32()), width(bytes.u8()));
            write(device, BAR2, offset, &bytes.take(count));
            read(device, BAR2, offset, &mut buffer[..count]);
        }
        8 => {
            let (offset, count) = (u64::from(bytes.u16() % 4096), width(bytes.u8()));
            let count = count.min(4096 - offset as usize);
            write(device, CONFIG, offset, &bytes.take(count));
            read(device, CONFIG, offset, &mut buffer[..count]);
            write(device, BAR4, offset % 64, &buffer[..count]);
        }
        9 => gpu.bar0.set_pte(bytes.u16().into(), bytes.u64()),
        10 => {
            // Page tables and context images are in the lower half, the window of the PPGTT in the upper.
            let at = if bytes.u8() & 1 == 0 { WINDOW.start } else { 0 } + u64::from(bytes.u32()) % WINDOW.start;
            let count = bytes.u8().into();
            let mut data = bytes.take(count);
            tame(&mut data);
            let fits = data.get(..data.len().min((RAM_SIZE - at) as usize)).unwrap_or_default();
            gpu.memory.write(at, fits).expect("within RAM");
        }
        11..=13 => {
            let (index, id) = (usize::from(bytes.u8()) % runners.len(), u32::from(bytes.u8()));
            let count = usize::from(bytes.u16()) % RING_SIZE as usize;
            let mut ring = bytes.take(count.min(512));
            tame(&mut ring);
            submit(gpu, index, id, &ring);
            drive(&mut runners[index], STEPS);
        }
        14 => {
            let index = usize::from(bytes.u8()) % runners.len();
            drive(&mut runners[index], STEPS);
        }
        _ => {
            // Runners know nothing of a reset that nobody waits for.
            ServerBackend::reset(device).expect("a reset cannot fail");
            set_up(gpu);
            *runners = crate::device::runners(gpu);
        }
    }
}

fn read(device: &mut Device, region: u32, offset: u64, data: &mut [u8]) {
    device.region_read(region, offset, data).expect("reads do not fail");
}

fn write(device: &mut Device, region: u32, offset: u64, data: &[u8]) {
    device.region_write(region, offset, data).expect("writes do not fail");
}
