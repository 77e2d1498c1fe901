// SPDX-License-Identifier: GPL-2.0
//! The planes of a pipe: double-buffered registers that a write of the surface address arms and a vertical blank loads.
//!
//! Broadwell's primary plane and sprite have their registers where Skylake's first two universal planes have theirs.
//! Source: Skylake PRM volume 2c, `PLANE_*`, `CUR_*`; Broadwell PRM volume 2c, `PRI_*`, `SPR_*`.

use crate::bar0::Bar0;
use crate::display::update::Event;
use crate::platform::DisplayKind;

/// Planes of a pipe, without the cursor.
pub const PLANES: usize = 4;
/// Start of the registers of plane 0, and of the cursor, from the pipe's base.
const FIRST_PLANE: u32 = 0x180;
const CURSOR: u32 = 0x80;
const CONTROL: u32 = 0x00;
const STRIDE: u32 = 0x08;
const POSITION: u32 = 0x0c;
const SIZE: u32 = 0x10;
const SURFACE: u32 = 0x1c;
const OFFSET: u32 = 0x24;
const SURFACE_LIVE: u32 = 0x2c;
const CURSOR_BASE: u32 = 0x04;
const CURSOR_POSITION: u32 = 0x08;
const CURSOR_FBC: u32 = 0x20;
/// Flip without waiting for the vertical blank.
const ASYNC_FLIP: u32 = 1 << 9;

/// Register values of one plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaneRegisters {
    /// Control: enable, format, tiling, rotation.
    pub control: u32,
    /// Line pitch in units that depend on the platform and on tiling.
    pub stride: u32,
    /// Where on the pipe, (y, x).
    pub position: u32,
    /// Height and width, each less one.
    pub size: u32,
    /// Surface address in the GGTT.
    pub surface: u32,
    /// First pixel in the surface, (y, x).
    pub offset: u32,
}

/// Register values of the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CursorRegisters {
    /// Control: mode and rotation.
    pub control: u32,
    /// Surface address in the GGTT.
    pub base: u32,
    /// Signed position, (y, x).
    pub position: u32,
    /// Height less one, where it differs from the width.
    pub height: u32,
}

/// What a pipe scans out, and what will replace it.
#[derive(Clone, Debug, Default)]
pub struct Planes {
    /// Values in use.
    pub live: [PlaneRegisters; PLANES],
    /// Cursor values in use.
    pub cursor: CursorRegisters,
    armed: [bool; PLANES],
    cursor_armed: bool,
}

/// What a write to a register of a pipe means to its planes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing before the surface address follows.
    None,
    /// A value that waits for the vertical blank.
    Armed,
    /// A plane's registers have to be loaded now, and the flip reported.
    Now(usize),
}

impl Planes {
    /// Notes a write to the register at `register` from the pipe's base; storage has the value already.
    pub fn wrote(&mut self, bar0: &Bar0, base: u32, register: u32) -> Effect {
        if register == CURSOR + CURSOR_BASE {
            self.cursor_armed = true;
            return Effect::Armed;
        }
        let inside = register.wrapping_sub(FIRST_PLANE);
        let plane = (inside / 0x100) as usize;
        match self.armed.get_mut(plane) {
            Some(armed) if inside % 0x100 == SURFACE => {
                *armed = true;
                if bar0.load(base + register - SURFACE + CONTROL) & ASYNC_FLIP != 0 {
                    Effect::Now(plane)
                } else {
                    Effect::Armed
                }
            }
            _ => Effect::None,
        }
    }

    /// Loads what is armed; returns the interrupt bits of the flips that this completes.
    pub fn latch(&mut self, bar0: &Bar0, kind: DisplayKind, base: u32) -> u32 {
        if std::mem::take(&mut self.cursor_armed) {
            let load = |register: u32| bar0.load(base + CURSOR + register);
            self.cursor = CursorRegisters {
                control: load(CONTROL),
                base: load(CURSOR_BASE),
                position: load(CURSOR_POSITION),
                height: load(CURSOR_FBC),
            };
            bar0.store(base + CURSOR + SURFACE_LIVE, self.cursor.base);
        }
        (0..PLANES).fold(0, |bits, plane| bits | self.latch_plane(bar0, kind, base, plane))
    }

    /// Loads one plane if it is armed; returns the interrupt bit of its flip.
    pub fn latch_plane(&mut self, bar0: &Bar0, kind: DisplayKind, base: u32, plane: usize) -> u32 {
        if !self.armed.get_mut(plane).is_some_and(std::mem::take) {
            return 0;
        }
        let first = base + FIRST_PLANE + 0x100 * plane as u32;
        let load = |register: u32| bar0.load(first + register);
        let registers = PlaneRegisters {
            control: load(CONTROL),
            stride: load(STRIDE),
            position: load(POSITION),
            size: load(SIZE),
            surface: load(SURFACE),
            offset: load(OFFSET),
        };
        self.live[plane] = registers;
        bar0.store(first + SURFACE_LIVE, registers.surface);
        match kind {
            // Primary plane and sprite.
            DisplayKind::Broadwell => [1 << 4, 1 << 5, 0, 0][plane],
            DisplayKind::Skylake | DisplayKind::Broxton => 1 << (3 + plane),
        }
    }
}

/// Whether writes to this register of a pipe are ignored: the copies of addresses in use.
pub fn read_only(register: u32) -> bool {
    register == CURSOR + SURFACE_LIVE
        || (register >= FIRST_PLANE && register % 0x100 == (FIRST_PLANE + SURFACE_LIVE) % 0x100)
}

/// What a write to this register of a pipe tells about updates; i915 writes some of a plane's beforehand.
pub fn event(register: u32) -> Option<Event> {
    if register < FIRST_PLANE {
        return Some(Event::Cursor);
    }
    match (register - FIRST_PLANE) % 0x100 {
        STRIDE | POSITION | SIZE => None,
        SURFACE => Some(Event::Surface),
        _ => Some(Event::Plane),
    }
}

/// The registers of a pipe, from its base, that belong to its planes and cursor.
pub fn registers() -> impl Iterator<Item = u32> {
    let cursor = (CURSOR..CURSOR + 0x30).step_by(4);
    let planes = (0..PLANES as u32).flat_map(|plane| {
        let first = FIRST_PLANE + 0x100 * plane;
        (first..first + 0x48).step_by(4)
    });
    cursor.chain(planes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u32 = 0x71000;

    fn write(planes: &mut Planes, bar0: &Bar0, register: u32, value: u32) -> Effect {
        bar0.store(BASE + register, value);
        planes.wrote(bar0, BASE, register)
    }

    #[test]
    fn registers_take_effect_together() {
        let bar0 = Bar0::new().unwrap();
        let mut planes = Planes::default();
        assert_eq!(write(&mut planes, &bar0, 0x180, 1 << 31), Effect::None);
        assert_eq!(planes.latch(&bar0, DisplayKind::Skylake, BASE), 0);
        assert_eq!(planes.live[0].control, 0, "nothing was armed");
        assert_eq!(write(&mut planes, &bar0, 0x19c, 0x10_0000), Effect::Armed);
        assert_eq!(bar0.load(BASE + 0x1ac), 0);
        assert_eq!(planes.latch(&bar0, DisplayKind::Skylake, BASE), 1 << 3);
        assert_eq!((planes.live[0].control, planes.live[0].surface), (1 << 31, 0x10_0000));
        assert_eq!(bar0.load(BASE + 0x1ac), 0x10_0000);
        assert_eq!(planes.latch(&bar0, DisplayKind::Skylake, BASE), 0, "once per flip");
    }

    #[test]
    fn flips_are_reported_per_plane() {
        let bar0 = Bar0::new().unwrap();
        let mut planes = Planes::default();
        for plane in 0..4 {
            write(&mut planes, &bar0, 0x19c + 0x100 * plane, 0x1000);
        }
        assert_eq!(planes.clone().latch(&bar0, DisplayKind::Skylake, BASE), 0x78);
        assert_eq!(planes.latch(&bar0, DisplayKind::Broadwell, BASE), 0x30);
    }

    #[test]
    fn asynchronous_flips_do_not_wait() {
        let bar0 = Bar0::new().unwrap();
        let mut planes = Planes::default();
        write(&mut planes, &bar0, 0x280, 1 << 31 | ASYNC_FLIP);
        assert_eq!(write(&mut planes, &bar0, 0x29c, 0x5000), Effect::Now(1));
        assert_eq!(planes.latch_plane(&bar0, DisplayKind::Skylake, BASE, 1), 1 << 4);
        assert_eq!(planes.live[1].surface, 0x5000);
    }

    #[test]
    fn the_cursor_is_armed_by_its_base() {
        let bar0 = Bar0::new().unwrap();
        let mut planes = Planes::default();
        write(&mut planes, &bar0, 0x80, 0x27);
        write(&mut planes, &bar0, 0x88, 5 << 16 | 7);
        assert_eq!(write(&mut planes, &bar0, 0x84, 0x9000), Effect::Armed);
        assert_eq!(planes.latch(&bar0, DisplayKind::Skylake, BASE), 0);
        assert_eq!((planes.cursor.control, planes.cursor.base), (0x27, 0x9000));
        assert!(read_only(0xac) && read_only(0x1ac) && read_only(0x4ac) && !read_only(0x19c));
    }
}
