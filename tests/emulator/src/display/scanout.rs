// SPDX-License-Identifier: GPL-2.0
//! Reading what a pipe shows: pages through the GGTT, tiles, pixels, and the picture that the planes make up.
//!
//! Colour tables beyond the palette of indexed pixels, colour matrices and scalers are left out.

use std::collections::{BTreeSet, HashMap};

use anyhow::{anyhow, bail, Result};

use crate::audit::{Access, Client};
use crate::display::decode::{self, Blend, Format, Layer, Tiling};
use crate::display::image::Image;
use crate::display::pixel::TRANSCODERS;
use crate::display::plane::Planes;
use crate::gpu::Gpu;
use crate::gtt::{Fault, FaultKind, Space};

const PAGE: u64 = 4096;
const PTE_PRESENT: u64 = 1;
const PTE_ADDRESS: u64 = 0x7f_ffff_f000;
/// Largest picture that a pipe scans.
const MAX_WIDTH: u32 = 8192;
const MAX_HEIGHT: u32 = 4096;
/// Legacy palettes: one entry per index, one table per pipe.
const PALETTE: u32 = 0x4a000;
const PALETTE_STRIDE: u32 = 0x800;

/// Width and height of the picture that a pipe scans.
pub fn pipe_size(gpu: &Gpu, pipe: usize) -> (u32, u32) {
    let size = gpu.bar0.load(TRANSCODERS[pipe] + 0x1c);
    ((size >> 16 & 0x1fff) + 1, (size & 0x1fff) + 1)
}

/// The layers of a pipe from back to front.
fn layers(gpu: &Gpu, pipe: usize, planes: &Planes) -> Vec<Result<Layer, String>> {
    let kind = gpu.config.platform.display;
    let size = pipe_size(gpu, pipe);
    let plane = |(index, registers)| decode::plane(kind, index, registers, size).transpose();
    let cursor = decode::cursor(&planes.cursor).transpose();
    planes.live.iter().enumerate().filter_map(plane).chain(cursor).collect()
}

/// Translates one page of the GGTT for a pipe, on the record.
fn translate(gpu: &Gpu, pipe: usize, page: u64) -> Option<u64> {
    let client = Client::Pipe(pipe as u8);
    let address = page * PAGE;
    let entry = if page < gpu.config.ggtt / PAGE { gpu.bar0.pte(page) } else { 0 };
    if entry & PTE_PRESENT == 0 {
        gpu.auditor.fault(client, &Fault { space: Space::Ggtt, address, write: false, kind: FaultKind::NotPresent(0) });
        return None;
    }
    let bus = entry & PTE_ADDRESS;
    gpu.auditor.access(&Access { client, space: Space::Ggtt, address, page: bus, write: false });
    Some(bus)
}

/// Puts the pages that a pipe's planes read each frame on the auditor's record.
pub fn attribute(gpu: &Gpu, pipe: usize, planes: &Planes) {
    let mut pages = BTreeSet::new();
    for layer in layers(gpu, pipe, planes).into_iter().flatten() {
        // Whole lines, or rows of tiles, from the first to the last; what lies beside the rectangle belongs to the
        // same surface.
        let (first, last) = (u64::from(layer.source.1), u64::from(layer.source.1 + layer.size.1 - 1));
        let bytes = u64::from(layer.stride);
        let (start, end) = match layer.tiling {
            Tiling::Linear => {
                (first * bytes, last * bytes + u64::from((layer.source.0 + layer.size.0) * layer.format.bytes()))
            }
            Tiling::X => (first / 8 * 8 * bytes, (last / 8 + 1) * 8 * bytes),
            Tiling::Y => (first / 32 * 32 * bytes, (last / 32 + 1) * 32 * bytes),
        };
        let surface = u64::from(layer.surface);
        pages.extend((surface + start) / PAGE..(surface + end).div_ceil(PAGE).min(gpu.config.ggtt / PAGE));
    }
    for page in pages {
        translate(gpu, pipe, page);
    }
}

/// Memory of a pipe's surfaces, each page read once.
struct Surfaces<'a> {
    gpu: &'a Gpu,
    pipe: usize,
    pages: HashMap<u64, Box<[u8; PAGE as usize]>>,
}

impl Surfaces<'_> {
    fn page(&mut self, page: u64) -> &[u8; PAGE as usize] {
        let (gpu, pipe) = (self.gpu, self.pipe);
        self.pages.entry(page).or_insert_with(|| {
            let mut data = Box::new([0; PAGE as usize]);
            if let Some(bus) = translate(gpu, pipe, page) {
                if gpu.memory.read(bus, data.as_mut_slice()).is_err() {
                    let fault = Fault {
                        space: Space::Ggtt,
                        address: page * PAGE,
                        write: false,
                        kind: FaultKind::NoMemory(bus),
                    };
                    gpu.auditor.fault(Client::Pipe(pipe as u8), &fault);
                }
            }
            data
        })
    }

    /// Copies the visible part of one line of a surface into `line`.
    fn read_line(&mut self, layer: &Layer, y: u32, first: u32, line: &mut [u8]) {
        // So many bytes are contiguous in memory and within a page, if they start at a multiple of it.
        let run: u64 = match layer.tiling {
            Tiling::Linear => PAGE,
            Tiling::X => 512,
            Tiling::Y => 16,
        };
        let mut at = u64::from(first);
        let mut rest = line;
        while !rest.is_empty() {
            let address = address(layer, at, u64::from(y));
            let to_boundary = match layer.tiling {
                Tiling::Linear => run - address % run,
                _ => run - at % run,
            };
            let count = rest.len().min(to_boundary as usize);
            let (now, later) = rest.split_at_mut(count);
            let inside = (address % PAGE) as usize;
            if let Some(bytes) = self.page(address / PAGE).get(inside..inside + count) {
                now.copy_from_slice(bytes);
            }
            rest = later;
            at += count as u64;
        }
    }
}

/// GGTT address of a byte of a surface.
fn address(layer: &Layer, x: u64, y: u64) -> u64 {
    let stride = u64::from(layer.stride);
    let offset = match layer.tiling {
        Tiling::Linear => y * stride + x,
        Tiling::X => (y / 8 * (stride / 512) + x / 512) * PAGE + y % 8 * 512 + x % 512,
        Tiling::Y => (y / 32 * (stride / 128) + x / 128) * PAGE + x % 128 / 16 * 512 + y % 32 * 16 + x % 16,
    };
    u64::from(layer.surface) + offset
}

/// Red, green, blue and alpha of a pixel.
fn colours(gpu: &Gpu, pipe: usize, format: Format, bytes: &[u8]) -> [u8; 4] {
    let value = bytes.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte));
    let field = |shift: u32, bits: u32| (value >> shift & ((1 << bits) - 1)) as u8;
    let wide = |shift: u32| (value >> (shift + 2)) as u8;
    match format {
        Format::Xrgb8888 => [field(16, 8), field(8, 8), field(0, 8), field(24, 8)],
        Format::Xbgr8888 => [field(0, 8), field(8, 8), field(16, 8), field(24, 8)],
        Format::Xrgb2101010 => [wide(20), wide(10), wide(0), 0xff],
        Format::Xbgr2101010 => [wide(0), wide(10), wide(20), 0xff],
        Format::Rgb565 => {
            let five = |bits: u8| bits << 3 | bits >> 2;
            let green = field(5, 6);
            [five(field(11, 5)), green << 2 | green >> 4, five(field(0, 5)), 0xff]
        }
        Format::Indexed => {
            let entry = gpu.bar0.load(PALETTE + PALETTE_STRIDE * pipe as u32 + 4 * (value & 0xff));
            [(entry >> 16) as u8, (entry >> 8) as u8, entry as u8, 0xff]
        }
    }
}

fn blend(below: &mut [u8], [r, g, b, alpha]: [u8; 4], mode: Blend) {
    let alpha = u32::from(alpha);
    for (below, above) in below.iter_mut().zip([r, g, b]) {
        let (under, over) = (u32::from(*below), u32::from(above));
        let rest = under * (255 - alpha) / 255;
        *below = match mode {
            Blend::Opaque => over,
            Blend::Premultiplied => (over + rest).min(255),
            Blend::Coverage => over * alpha / 255 + rest,
        } as u8;
    }
}

/// The picture that a pipe shows with these planes.
///
/// # Errors
///
/// A plane shows something that cannot be drawn, or the picture is larger than any.
pub fn compose(gpu: &Gpu, pipe: usize, planes: &Planes) -> Result<Image> {
    let (width, height) = pipe_size(gpu, pipe);
    if width > MAX_WIDTH || height > MAX_HEIGHT {
        bail!("pipe {pipe} is set to {width}x{height}, more than the {MAX_WIDTH}x{MAX_HEIGHT} of any display");
    }
    let mut image = Image::black(width, height);
    for layer in layers(gpu, pipe, planes) {
        let layer = layer.map_err(|why| anyhow!("pipe {pipe}: {why}"))?;
        draw(gpu, pipe, &layer, &mut image);
    }
    Ok(image)
}

fn draw(gpu: &Gpu, pipe: usize, layer: &Layer, image: &mut Image) {
    let mut surfaces = Surfaces { gpu, pipe, pages: HashMap::new() };
    let bytes = layer.format.bytes();
    let (width, height) = layer.size;
    let mut line = vec![0u8; (width * bytes) as usize];
    for row in 0..height {
        let Some(target) = layer.target.1.checked_add_unsigned(row).and_then(|y| u32::try_from(y).ok()) else {
            continue;
        };
        if target >= image.height {
            break;
        }
        let from = layer.source.1 + if layer.turned { height - 1 - row } else { row };
        surfaces.read_line(layer, from, layer.source.0 * bytes, &mut line);
        for (column, pixel) in line.chunks_exact(bytes as usize).enumerate() {
            let column = if layer.turned { width - 1 - column as u32 } else { column as u32 };
            let Some(x) = layer.target.0.checked_add_unsigned(column) else { continue };
            if let Some(below) = u32::try_from(x).ok().and_then(|x| image.pixel_mut(x, target)) {
                blend(below, colours(gpu, pipe, layer.format, pixel), layer.blend);
            }
        }
    }
}
