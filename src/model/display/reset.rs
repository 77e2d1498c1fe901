// SPDX-License-Identifier: GPL-2.0

//! What the display's registers hold after a reset: one DisplayPort monitor on the port of the
//! platform, with transcoder A sending to it (gvt-spec 10.1, 10.2).
//!
//! Other registers start with whatever the register file gives them, which can come from the host.
//! So nothing here relies on a bit to be 0, and the host's own monitors are hidden. Different from
//! the C driver on purpose: the bits of the host's ports are cleared on all platforms, not only on
//! Broxton, and so are pipes and transcoders that the host has on.

use super::{
    Ddi,
    Pipe,
    Transcoder, //
};
use crate::platform::Platform;

/// Bits of a register that have a value after a reset; the others are left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// Where in BAR0 the register is.
    pub offset: u32,
    /// The bits.
    pub mask: u32,
    /// Their values; 0 outside `mask`.
    pub value: u32,
}

impl Preset {
    const fn new(offset: u32, mask: u32, value: u32) -> Self {
        Self {
            offset,
            mask,
            value: value & mask,
        }
    }

    const fn whole(offset: u32, value: u32) -> Self {
        Self::new(offset, u32::MAX, value)
    }

    /// The value of the register where it was `old`.
    pub const fn apply(self, old: u32) -> u32 {
        (old & !self.mask) | self.value
    }
}

const ENABLE: u32 = 1 << 31;
/// Enabled, and on.
const ON: u32 = 3 << 30;

/// `PCH_PORT_HOTPLUG`.
const HOTPLUG: u32 = 0xc4030;
const SDEISR: u32 = 0xc4000;
/// Hotplug bits of ports B to D, and those of ports A and E of Skylake on.
const SDE_PORTS: u32 = 7 << 21;
const SDE_MORE_PORTS: u32 = 3 << 24;
const DE_PORT_ISR: u32 = 0x4_4440;
/// Hotplug bits of ports A to C of Broxton.
const DE_PORTS: u32 = 7 << 3;
const SFUSE_STRAP: u32 = 0xc2014;
/// Ports B to D were found.
const STRAP_PORTS: u32 = 7;

const FUSE_STATUS: u32 = 0x4_2000;
/// Fuses are loaded, and distributed to power groups 0 to 2.
const FUSES_LOADED: u32 = ENABLE | (7 << 25);

/// `TRANS_DDI_FUNC_CTL`: enable, port, mode, bits of a colour.
const FUNCTION: u32 = ENABLE | (7 << 28) | (7 << 24) | (7 << 20);
const DISPLAY_PORT: u32 = 2 << 24;
/// `DDI_BUF_CTL`: idle, and an embedded panel was found.
const DDI_IDLE: u32 = 1 << 7;
const DDI_DETECTED: u32 = 1;
/// `CUR_CTL`: the mode, 0 for off.
const CURSOR_MODE: u32 = 0x27;

/// Transcoder A is on with 1920x1200 at 60 Hz, four lanes, 24 bits. A mode without timings would be
/// none: i915 takes over what it finds, and then waits for a line of the picture to change.
const MODE: [Preset; 11] = [
    // Totals, blanks and pulses, one less than what they mean: first pixels, then lines.
    Preset::whole(0x6_0000, (2079 << 16) | 1919),
    Preset::whole(0x6_0004, (2079 << 16) | 1919),
    Preset::whole(0x6_0008, (1999 << 16) | 1967),
    Preset::whole(0x6_000c, (1234 << 16) | 1199),
    Preset::whole(0x6_0010, (1234 << 16) | 1199),
    Preset::whole(0x6_0014, (1208 << 16) | 1202),
    Preset::whole(0x6_001c, (1919 << 16) | 1199),
    // Data values, with a transfer unit of 64.
    Preset::whole(0x6_0030, (63 << 25) | 0x5b_425e),
    Preset::whole(0x6_0034, 0x80_0000),
    Preset::whole(0x6_0044, LINK_N),
    Preset::new(Transcoder::Own(Pipe::A).configuration(), ON, ON),
];

/// `PIPE_LINK_N1`, and `PIPE_LINK_M1` for link clocks of 162 and of 324 MHz: they make a pixel clock
/// of 154 MHz.
const LINK_N: u32 = 0x8_0000;
const LINK_162: [Preset; 1] = [Preset::whole(0x6_0040, 0x7_9add)];
const LINK_324: [Preset; 1] = [Preset::whole(0x6_0040, 0x3_cd6e)];

/// What is off on every platform: the planes of all pipes, pipes B and C, the embedded panel.
const OFF: [Preset; 12] = [
    off_plane(Pipe::A, 0x7_0180),
    off_plane(Pipe::B, 0x7_0180),
    off_plane(Pipe::C, 0x7_0180),
    off_plane(Pipe::A, 0x7_0280),
    off_plane(Pipe::B, 0x7_0280),
    off_plane(Pipe::C, 0x7_0280),
    Preset::new(0x7_0080, CURSOR_MODE, 0),
    Preset::new(0x7_1080, CURSOR_MODE, 0),
    Preset::new(0x7_2080, CURSOR_MODE, 0),
    Preset::new(Transcoder::Own(Pipe::B).configuration(), ON, 0),
    Preset::new(Transcoder::Own(Pipe::C).configuration(), ON, 0),
    Preset::new(Transcoder::Embedded.configuration(), ON, 0),
];

const fn off_plane(pipe: Pipe, control: u32) -> Preset {
    Preset::new(control.saturating_add(pipe.offset()), ENABLE, 0)
}

/// Broadwell: port B, with a clock of LCPLL for 1.62 Gbit/s, and no analog monitor.
const BROADWELL: [Preset; 5] = [
    Preset::new(0x4_6104, 7 << 29, 2 << 29),
    Preset::new(0xe1100, 3 << 24, 0),
    Preset::new(0x6_4000, DDI_DETECTED, 0),
    Preset::new(0x6_4100, ENABLE | DDI_IDLE, ENABLE),
    function(Pipe::A, Some(Ddi::B)),
];

/// Skylake and those after it: port D, with DPLL 0 for 3.24 Gbit/s.
const SKYLAKE: [Preset; 8] = [
    Preset::new(FUSE_STATUS, FUSES_LOADED, FUSES_LOADED),
    // DPLL_CTRL1, LCPLL1_CTL, DPLL_STATUS.
    Preset::whole(0x6_c058, 1 | (3 << 1)),
    Preset::whole(0x4_6010, ON),
    Preset::whole(0x6_c060, 1),
    // DPLL_CTRL2: the clock of port D is on, and is that of DPLL 0.
    Preset::new(0x6_c05c, (1 << 18) | (7 << 9), 1 << 9),
    Preset::new(0x6_4000, DDI_DETECTED, 0),
    Preset::new(0x6_4300, ENABLE | DDI_IDLE, ENABLE),
    function(Pipe::A, Some(Ddi::D)),
];

/// `BXT_PHY_CTL`: lanes are on, and both parts say that they are powered down.
const PHY_LANES: u32 = 1 << 8;
const PHY_DOWN: u32 = 3 << 9;
/// `BXT_PORT_PLL_ENABLE`: enable, lock, reference, power and its state.
const PORT_PLL: u32 = ON | (7 << 25);
/// `BXT_PORT_CL1CM_DW0`.
const PHY_POWER_GOOD: u32 = 1 << 16;
/// `BXT_PHY_CTL_FAMILY`.
const PHY_FAMILY: u32 = 1 << 30;
/// `PCH_PORT_HOTPLUG` of Broxton: enable, invert and status of ports A, B, C.
const HOTPLUG_BITS: u32 = 0x1b00_1b1b;
const HOTPLUG_B: u32 = 1 << 4;

/// Broxton: port B, whose PHY also has port C.
const BROXTON: [Preset; 17] = [
    Preset::new(FUSE_STATUS, FUSES_LOADED, FUSES_LOADED),
    Preset::new(0x13_8090, 3, 1),
    Preset::new(0x6_c000, PHY_POWER_GOOD, PHY_POWER_GOOD),
    Preset::new(0x16_2000, PHY_POWER_GOOD, 0),
    Preset::new(0x6_4c90, PHY_FAMILY, PHY_FAMILY),
    Preset::new(0x6_4c80, PHY_FAMILY, 0),
    Preset::new(0x6_4c00, PHY_LANES | PHY_DOWN, PHY_DOWN),
    Preset::new(0x6_4c10, PHY_LANES | PHY_DOWN, PHY_LANES),
    Preset::new(0x6_4c20, PHY_LANES | PHY_DOWN, PHY_DOWN),
    Preset::new(0x4_6074, PORT_PLL, 0),
    Preset::new(0x4_6078, PORT_PLL, PORT_PLL),
    Preset::new(0x4_607c, PORT_PLL, 0),
    Preset::new(0x6_4000, ENABLE | DDI_IDLE | DDI_DETECTED, DDI_IDLE),
    Preset::new(0x6_4100, ENABLE | DDI_IDLE | DDI_DETECTED, ENABLE),
    Preset::new(0x6_4200, ENABLE | DDI_IDLE | DDI_DETECTED, DDI_IDLE),
    Preset::new(HOTPLUG, HOTPLUG_BITS, HOTPLUG_B),
    function(Pipe::A, Some(Ddi::B)),
];

/// `TRANS_DDI_FUNC_CTL` of a pipe's transcoder that sends to this port, or to none.
const fn function(pipe: Pipe, port: Option<Ddi>) -> Preset {
    let value = match port {
        Some(Ddi::B) => ENABLE | DISPLAY_PORT | (1 << 28),
        Some(Ddi::C) => ENABLE | DISPLAY_PORT | (2 << 28),
        Some(Ddi::D) => ENABLE | DISPLAY_PORT | (3 << 28),
        Some(Ddi::A | Ddi::E) | None => 0,
    };
    Preset::new(Transcoder::Own(pipe).function(), FUNCTION, value)
}

/// Transcoders that send to nothing.
const SILENT: [Preset; 3] = [
    function(Pipe::B, None),
    function(Pipe::C, None),
    Preset::new(Transcoder::Embedded.function(), FUNCTION, 0),
];

/// The registers after a reset, each once, with a monitor plugged in or not.
pub fn presets(platform: Platform, plugged: bool) -> impl Iterator<Item = Preset> {
    let (own, link): (&[Preset], &[Preset]) = match platform {
        Platform::Broadwell => (&BROADWELL, &LINK_162),
        Platform::Broxton => (&BROXTON, &LINK_324),
        Platform::Skylake | Platform::KabyLake | Platform::CoffeeLake | Platform::CometLake => {
            (&SKYLAKE, &LINK_324)
        }
    };
    [own, link, &MODE, &OFF, &SILENT]
        .into_iter()
        .flatten()
        .copied()
        .chain(detection(platform, plugged))
}

/// The bits that tell whether there is a monitor.
fn detection(platform: Platform, plugged: bool) -> [Preset; 2] {
    let port = Ddi::from(platform.info().monitor_port);
    let on = |bit: u32| if plugged { bit } else { 0 };
    let strap = Preset::new(SFUSE_STRAP, STRAP_PORTS, on(strap_bit(port)));
    let live = match platform {
        Platform::Broxton => Preset::new(DE_PORT_ISR, DE_PORTS, on(de_port_bit(port))),
        Platform::Broadwell => Preset::new(SDEISR, SDE_PORTS, on(sde_bit(port))),
        Platform::Skylake | Platform::KabyLake | Platform::CoffeeLake | Platform::CometLake => {
            Preset::new(SDEISR, SDE_PORTS | SDE_MORE_PORTS, on(sde_bit(port)))
        }
    };
    [strap, live]
}

const fn strap_bit(port: Ddi) -> u32 {
    match port {
        Ddi::B => 1 << 2,
        Ddi::C => 1 << 1,
        Ddi::D => 1 << 0,
        Ddi::A | Ddi::E => 0,
    }
}

const fn sde_bit(port: Ddi) -> u32 {
    match port {
        Ddi::A => 1 << 24,
        Ddi::B => 1 << 21,
        Ddi::C => 1 << 22,
        Ddi::D => 1 << 23,
        Ddi::E => 1 << 25,
    }
}

const fn de_port_bit(port: Ddi) -> u32 {
    match port {
        Ddi::A => 1 << 3,
        Ddi::B => 1 << 4,
        Ddi::C => 1 << 5,
        Ddi::D | Ddi::E => 0,
    }
}

/// The bits of `PCH_PORT_HOTPLUG` that say what happened on a port; of them, a long pulse.
const fn pulse(port: Ddi) -> (u32, u32) {
    match port {
        Ddi::A => (3 << 24, 2 << 24),
        Ddi::B => (3, 2),
        Ddi::C => (3 << 8, 2 << 8),
        Ddi::D => (3 << 16, 2 << 16),
        Ddi::E => (0, 0),
    }
}

/// What happens when the monitor is plugged in or out: registers that change, and the port whose
/// hotplug event is to be raised then.
pub fn hotplug(platform: Platform, plugged: bool) -> (impl Iterator<Item = Preset>, Ddi) {
    let port = Ddi::from(platform.info().monitor_port);
    let (mask, long) = pulse(port);
    let happened = Preset::new(HOTPLUG, mask, long);
    let changes = detection(platform, plugged).into_iter().chain([happened]);
    (changes, port)
}
