// SPDX-License-Identifier: GPL-2.0

//! Page flips: a write to the surface register of a plane, and the event when it is done
//! (gvt-spec 4.3, primary surf, sprite surf, 0x50080).

use super::Pipe;

/// A plane that tells when a flip is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlipPlane {
    /// The primary plane.
    Primary,
    /// The first sprite.
    Sprite,
}

impl FlipPlane {
    const ALL: [Self; 2] = [Self::Primary, Self::Sprite];

    /// What to add to the offset of a register of the primary plane.
    const fn offset(self) -> u32 {
        match self {
            Self::Primary => 0,
            Self::Sprite => 0x100,
        }
    }
}

/// A register whose write is a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlipRegister {
    /// The pipe.
    pub pipe: Pipe,
    /// The plane.
    pub plane: FlipPlane,
    /// It is not the surface register, but the one for flips alone, whose value says how to flip.
    alone: bool,
}

/// Where the surface register of the primary plane of pipe A is.
const SURFACE: u32 = 0x7_019c;
/// Where those for flips alone are: of pipes A to C, of primary planes and of sprites.
const ALONE: [[u32; 2]; 3] = [
    [0x5_0080, 0x5_0090],
    [0x5_0088, 0x5_0098],
    [0x5_008c, 0x5_009c],
];
/// Of the plane's control register: do not wait for a vertical blank.
const ASYNC: u32 = 1 << 9;
/// The type of a flip in a register for flips alone: do not wait.
const ALONE_TYPE: u32 = 3;
const ALONE_ASYNC: u32 = 1;

impl FlipRegister {
    /// The register at an offset in BAR0, if it is one of these.
    pub fn at(offset: u32) -> Option<Self> {
        for (pipe, alone) in Pipe::ALL.into_iter().zip(ALONE) {
            for (plane, alone) in FlipPlane::ALL.into_iter().zip(alone) {
                let register = Self {
                    pipe,
                    plane,
                    alone: offset == alone,
                };
                if register.alone || offset == register.plane_register(SURFACE) {
                    return Some(register);
                }
            }
        }
        None
    }

    /// The surface register of a plane.
    pub fn of(pipe: Pipe, plane: FlipPlane) -> Self {
        Self {
            pipe,
            plane,
            alone: false,
        }
    }

    /// Where it is.
    pub fn surface(&self) -> u32 {
        self.plane_register(SURFACE)
    }

    /// Where the register for flips alone of the plane is.
    pub fn alone(&self) -> u32 {
        let pipes = Pipe::ALL.into_iter().zip(ALONE);
        let of_pipe = pipes.filter(|(pipe, _)| *pipe == self.pipe);
        let mut registers = of_pipe.flat_map(|(_, alone)| FlipPlane::ALL.into_iter().zip(alone));
        let found = registers.find(|(plane, _)| *plane == self.plane);
        found.map_or(0, |(_, offset)| offset)
    }

    /// Where the stride of the plane is.
    pub fn stride(&self) -> u32 {
        self.plane_register(0x7_0188)
    }

    /// The register of this plane where `first` is that of the primary plane of pipe A.
    fn plane_register(&self, first: u32) -> u32 {
        first
            .saturating_add(self.pipe.offset())
            .saturating_add(self.plane.offset())
    }

    /// Where the control register of the plane is.
    pub fn control(&self) -> u32 {
        self.plane_register(0x7_0180)
    }

    /// Where the surface is that is being shown: `DSPSURFLIVE` and so on. It gets what is written.
    pub fn live(&self) -> u32 {
        self.plane_register(0x7_01ac)
    }

    /// Where flips are counted; sprites are not.
    pub fn counter(&self) -> Option<u32> {
        match self.plane {
            FlipPlane::Primary => Some(self.pipe.offset().saturating_add(0x7_0044)),
            FlipPlane::Sprite => None,
        }
    }

    /// Whether a write of `value` is done at once, with this control register of the plane.
    pub fn is_async(&self, value: u32, control: u32) -> bool {
        if self.alone {
            value & ALONE_TYPE == ALONE_ASYNC
        } else {
            control & ASYNC != 0
        }
    }
}

/// The flips that wait for the next vertical blank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flips {
    primary: [bool; 3],
    sprite: [bool; 3],
}

impl Flips {
    /// The flips of a plane, for pipes A to C.
    fn slot(&mut self, pipe: Pipe, plane: FlipPlane) -> &mut bool {
        let [a, b, c] = match plane {
            FlipPlane::Primary => &mut self.primary,
            FlipPlane::Sprite => &mut self.sprite,
        };
        match pipe {
            Pipe::A => a,
            Pipe::B => b,
            Pipe::C => c,
        }
    }

    /// Whether a flip of the pipe waits.
    pub fn waits(&self, pipe: Pipe) -> bool {
        let number = Pipe::ALL.into_iter().position(|other| other == pipe);
        let waits =
            |planes: &[bool; 3]| number.and_then(|number| planes.get(number)) == Some(&true);
        waits(&self.primary) || waits(&self.sprite)
    }

    /// Takes a write of `value` to a register, with this control register of the plane. Returns
    /// whether the flip is done, and its event is to be raised; if not, it waits.
    pub fn flip(&mut self, register: FlipRegister, value: u32, control: u32) -> bool {
        let done = register.is_async(value, control);
        if !done {
            *self.slot(register.pipe, register.plane) = true;
        }
        done
    }

    /// At a vertical blank: the planes of the pipe whose flips are done now. None of them waits any
    /// more, on or off.
    pub fn complete(&mut self, pipe: Pipe) -> impl Iterator<Item = FlipPlane> {
        let done = FlipPlane::ALL.map(|plane| {
            let waits = core::mem::take(self.slot(pipe, plane));
            waits.then_some(plane)
        });
        done.into_iter().flatten()
    }
}
