// SPDX-License-Identifier: GPL-2.0

//! What the display knows beyond its registers.

use kernel::prelude::*;

use super::{
    aux::Sink,
    flip::{
        FlipPlane,
        FlipRegister,
        Flips, //
    },
    gmbus::Gmbus,
    timing::{
        Refresh,
        Vblank, //
    },
    Pipe, //
};
use crate::{
    edid::Blocks,
    types::Resolution, //
};

/// The display of a vGPU, with its monitor.
pub(crate) struct Display {
    /// The monitor.
    pub(crate) sink: Sink,
    /// The I2C controller.
    pub(crate) gmbus: Gmbus,
    flips: Flips,
    /// The vertical blanks of pipes A to C, of those that are on.
    blanks: [Option<Vblank>; 3],
}

impl Display {
    /// A display after a reset, with a monitor of this resolution.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    #[inline(never)]
    pub(crate) fn new(resolution: Resolution) -> Result<KBox<Self>> {
        let display = Self {
            sink: Sink::new(Blocks::classic(resolution))?,
            gmbus: Gmbus::new(),
            flips: Flips::default(),
            blanks: [None; 3],
        };
        Ok(KBox::new(display, GFP_KERNEL)?)
    }

    /// As after [`Display::new`], but for the EDID of the monitor and whether it is plugged in.
    pub(crate) fn reset(&mut self) {
        self.sink.reset();
        self.gmbus = Gmbus::new();
        self.flips = Flips::default();
        self.blanks = [None; 3];
    }

    /// The vertical blanks of a pipe.
    pub(crate) fn blank(&mut self, pipe: Pipe) -> &mut Option<Vblank> {
        let [a, b, c] = &mut self.blanks;
        match pipe {
            Pipe::A => a,
            Pipe::B => b,
            Pipe::C => c,
        }
    }

    /// The rate of a pipe is this from `now` on; `None` if it is off.
    pub(crate) fn set_refresh(&mut self, pipe: Pipe, refresh: Option<Refresh>, now: u64) {
        let blank = self.blank(pipe);
        match (refresh, &mut *blank) {
            (Some(refresh), Some(blank)) => blank.set_refresh(now, refresh),
            (refresh, _) => *blank = refresh.map(|refresh| Vblank::new(now, refresh)),
        }
    }

    /// See [`Flips::flip`].
    pub(crate) fn flip(&mut self, register: FlipRegister, value: u32, control: u32) -> bool {
        self.flips.flip(register, value, control)
    }

    /// See [`Flips::complete`].
    pub(crate) fn complete_flips(&mut self, pipe: Pipe) -> impl Iterator<Item = FlipPlane> {
        self.flips.complete(pipe)
    }

    /// When the next vertical blank is of those pipes that are on and either have a flip that waits
    /// for it or are `wanted`.
    pub(crate) fn next_blank(&self, wanted: impl Fn(Pipe) -> bool) -> Option<u64> {
        Pipe::ALL
            .into_iter()
            .zip(&self.blanks)
            .filter(|(pipe, _)| self.flips.waits(*pipe) || wanted(*pipe))
            .filter_map(|(_, blank)| blank.as_ref().map(Vblank::deadline))
            .min()
    }
}
