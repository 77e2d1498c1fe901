// SPDX-License-Identifier: GPL-2.0
//! Carries an [`Operation`] out, band by band.

use super::decode::{Operation, Rect};
use super::rop::{self, Combination};
use super::surface::{Area, Surface};
use super::{BltError, BltState, Cost};
use crate::gtt::{GpuMemory, Space};
use crate::tiling::Tiling;

/// Size that a band should have: it stays in a CPU cache.
const BAND: usize = 64 << 10;
/// Size that a band of whole tiles may have.
const TILED_BAND: usize = 1 << 20;

/// The part of an operation that exists: bytes instead of pixels, nothing outside of a tiled surface.
struct Plan {
    area: Area,
    source: Option<(Surface, i64, i64)>,
}

/// Executes `operation`; the buffers of `state` hold a band each.
pub fn run(
    memory: &mut impl GpuMemory,
    space: Space,
    operation: &Operation,
    state: &mut BltState,
    interrupted: &dyn Fn() -> bool,
) -> Result<Cost, BltError> {
    let mut cost = Cost::default();
    let Some(plan) = Plan::new(operation) else { return Ok(cost) };
    let Operation { destination, combination, .. } = *operation;
    let source = plan.source.filter(|_| rop::uses_source(combination.code));
    let plain_copy = source.is_some() && combination.code == rop::SOURCE_COPY && combination.mask == u64::MAX;
    let constant = source.is_none() && !combination.reads_destination();
    let width = plan.area.width;
    let mut prepared = 0;

    let bands = plan.bands(operation, source);
    for (y, height) in bands {
        if interrupted() {
            return Err(BltError::Interrupted);
        }
        let area = Area { y, height, ..plan.area };
        let bytes = width * height;
        let from = match source {
            Some((surface, x, first)) => {
                let from = Area { x, y: first + (y - plan.area.y), ..area };
                let band = band(&mut state.source, bytes);
                surface.load(memory, space, &from, band)?;
                cost.read += bytes as u64;
                &*band
            }
            None => &[],
        };
        if plain_copy {
            destination.store(memory, space, &area, from)?;
            cost.written += bytes as u64;
            continue;
        }
        let to = band(&mut state.destination, bytes);
        if combination.reads_destination() {
            destination.load(memory, space, &area, to)?;
            cost.read += bytes as u64;
        }
        // A fill is the same in each band; only what no band before had is to be made.
        let made = if constant { prepared.min(bytes) } else { 0 };
        apply(&combination, from, &mut to[made..], width, made);
        prepared = prepared.max(bytes);
        destination.store(memory, space, &area, to)?;
        cost.written += bytes as u64;
    }
    Ok(cost)
}

/// Combines row by row; `skipped` bytes of whole rows have been before.
fn apply(combination: &Combination, source: &[u8], destination: &mut [u8], width: usize, skipped: usize) {
    for (index, row) in destination.chunks_mut(width).enumerate() {
        let start = (skipped + index * width).min(source.len());
        combination.apply(&source[start..(start + width).min(source.len())], row);
    }
}

/// The first `bytes` of a buffer that grows as needed.
fn band(buffer: &mut Vec<u8>, bytes: usize) -> &mut [u8] {
    if buffer.len() < bytes {
        buffer.resize(bytes, 0);
    }
    &mut buffer[..bytes]
}

impl Plan {
    /// Nothing where no pixel is left.
    fn new(operation: &Operation) -> Option<Self> {
        let mut rect = operation.rect;
        let mut origin = operation.source.map(|source| (source.x, source.y));
        let mut cut = |x: i64, y: i64| {
            rect = Rect { x1: rect.x1 + x, y1: rect.y1 + y, ..rect };
            origin = origin.map(|(from_x, from_y)| (from_x + x, from_y + y));
            origin
        };
        // There is no tile at negative coordinates.
        if operation.destination.tiling != Tiling::Linear {
            cut((-operation.rect.x1).max(0), (-operation.rect.y1).max(0));
        }
        let tiled = operation.source.is_some_and(|source| source.surface.tiling != Tiling::Linear);
        if let (true, Some((x, y))) = (tiled, cut(0, 0)) {
            cut((-x).max(0), (-y).max(0));
        }
        let pixel = operation.pixel as i64;
        let area = Area {
            x: rect.x1 * pixel,
            y: rect.y1,
            width: usize::try_from((rect.x2 - rect.x1) * pixel).ok().filter(|width| *width > 0)?,
            height: usize::try_from(rect.y2 - rect.y1).ok().filter(|height| *height > 0)?,
        };
        let source = operation.source.zip(origin).map(|(source, (x, y))| (source.surface, x * pixel, y));
        Some(Self { area, source })
    }

    /// The bands in the order of execution: first row and number of rows.
    fn bands(&self, operation: &Operation, source: Option<(Surface, i64, i64)>) -> impl Iterator<Item = (i64, usize)> {
        let Area { y: first, width, height, .. } = self.area;
        let end = first + height as i64;
        let upwards = operation.ordered
            && source.is_some_and(|(surface, _, y)| surface.base == operation.destination.base && y < first);
        // Bands end where rows of tiles do, so that no tile is accessed twice.
        let (tiled, shift) = match source {
            _ if operation.destination.tiling == Tiling::Y => (true, 0),
            Some((surface, _, y)) if surface.tiling == Tiling::Y => (true, y - first),
            _ => (false, 0),
        };
        let fitting = if tiled { TILED_BAND } else { BAND } / width;
        let rows = match fitting {
            0 => 1,
            fitting if tiled => 1 << fitting.ilog2().min(Tiling::Y.rows().ilog2()),
            fitting => fitting as i64,
        };
        let mut done = 0i64;
        std::iter::from_fn(move || {
            let (top, bottom) = if upwards {
                let bottom = end - done;
                let aligned = (bottom - 1 + shift).div_euclid(rows) * rows - shift;
                (aligned.max(first), bottom)
            } else {
                let top = first + done;
                let aligned = ((top + shift).div_euclid(rows) + 1) * rows - shift;
                (top, aligned.min(end))
            };
            let count = usize::try_from(bottom - top).ok().filter(|count| *count > 0)?;
            done += count as i64;
            Some((top, count))
        })
    }
}
