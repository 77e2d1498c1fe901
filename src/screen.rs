// SPDX-License-Identifier: GPL-2.0

//! What a VMM is told of the screen: planes by number, and dma-bufs of them.
//!
//! A plane has the same number for as long as it has the same shape and lies in the same frames, so
//! that a VMM knows what it has seen. The pages become a dma-buf when that is asked for, as they
//! are then.

use crate::frames::Frames;
use gvt_kapi::page::PageRef;
use gvt_model::{
    addr::Gfn,
    display::plane::{
        Format,
        Layer,
        Plane,
        Tiling, //
    },
    vgpu::Vgpu, //
};
use kernel::{
    alloc::flags::GFP_KERNEL_ACCOUNT,
    prelude::*, //
};

/// How many planes are known at most: a guest flips between two or three, and so does its cursor.
/// One more takes the place of that which was told of longest ago.
const MAX_KNOWN: usize = 16;

/// The planes that a VMM was told of, last the one that it was told of last.
#[derive(Default)]
pub(crate) struct Screen {
    known: KVec<Known>,
    last: u32,
}

struct Known {
    number: u32,
    shape: Shape,
    frames: KVVec<Gfn>,
}

/// What makes two planes in the same frames different ones.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shape {
    format: Format,
    tiling: Tiling,
    width: u32,
    height: u32,
    stride: u32,
}

impl Shape {
    fn of(plane: &Plane) -> Self {
        Self {
            format: plane.format,
            tiling: plane.tiling,
            width: plane.width,
            height: plane.height,
            stride: plane.stride,
        }
    }
}

impl Known {
    fn is(&self, shape: Shape, frames: impl Iterator<Item = Option<Gfn>>) -> bool {
        self.shape == shape && self.frames.iter().copied().map(Some).eq(frames)
    }
}

impl Screen {
    /// Nothing was told.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The number of a plane of this vGPU, from 1 on.
    ///
    /// # Errors
    ///
    /// `EINVAL` if a page of it is nowhere; `ENOMEM`.
    pub(crate) fn number(&mut self, model: &Vgpu, plane: &Plane) -> Result<u32> {
        let shape = Shape::of(plane);
        let mut known = self.known.iter();
        let place = known.position(|known| known.is(shape, model.frames(plane)));
        let known = match place {
            Some(place) => self.known.remove(place).map_err(|_| EINVAL)?,
            None => self.meet(shape, model.frames(plane))?,
        };
        let number = known.number;
        self.known.push(known, GFP_KERNEL_ACCOUNT)?;
        Ok(number)
    }

    /// A plane that is new, for which there is room afterwards.
    fn meet(&mut self, shape: Shape, pages: impl Iterator<Item = Option<Gfn>>) -> Result<Known> {
        let mut frames = KVVec::new();
        for page in pages {
            frames.push(page.ok_or(EINVAL)?, GFP_KERNEL_ACCOUNT)?;
        }
        if self.known.len() >= MAX_KNOWN {
            let _longest_ago = self.known.remove(0);
        }
        self.last = self.last.checked_add(1).unwrap_or(1);
        Ok(Known {
            number: self.last,
            shape,
            frames,
        })
    }

    /// The pages of the plane with this number.
    ///
    /// # Errors
    ///
    /// `EINVAL` if there is no such plane, or if the GPU does not use all of its pages any more: then
    /// it has another number. `ENOMEM`, also if there are too many references to a page of it.
    pub(crate) fn pages(&self, number: u32, frames: &Frames) -> Result<KVVec<PageRef>> {
        let known = self.known.iter().find(|known| known.number == number);
        let known = known.ok_or(EINVAL)?;
        let mut pages = KVVec::with_capacity(known.frames.len(), GFP_KERNEL_ACCOUNT)?;
        for gfn in &known.frames {
            pages.push(frames.share(*gfn)?, GFP_KERNEL_ACCOUNT)?;
        }
        Ok(pages)
    }
}

/// The layer that a VMM means: `DRM_PLANE_TYPE_PRIMARY` or `DRM_PLANE_TYPE_CURSOR`.
pub(crate) fn layer(kind: u32) -> Option<Layer> {
    match kind {
        1 => Some(Layer::Primary),
        2 => Some(Layer::Cursor),
        _ => None,
    }
}
