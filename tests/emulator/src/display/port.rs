// SPDX-License-Identifier: GPL-2.0
//! Digital ports: their buffers, the DisplayPort transport, and hotplug detection.
//!
//! Source: Skylake PRM volume 2c, `DDI_BUF_CTL`, `DP_TP_CTL`, `DP_TP_STATUS`, `SHOTPLUG_CTL`; Broadwell PRM volume 2c,
//! `HOTPLUG_CTL`.

use crate::bar0::Bar0;
use crate::display::edid::{self, Input, Mode};
use crate::display::sink::Sink;
use crate::display::{ddc::Ddc, PORTS};
use crate::irq::{Group, Interrupts};
use crate::platform::DisplayKind;

const BUFFER: u32 = 0x64000;
const STRIDE: u32 = 0x100;
const TRANSPORT: u32 = 0x40;
const TRANSPORT_STATUS: u32 = 0x44;
/// Status of a port's lanes in Broxton's PHYs.
const PHY_LANES_BXT: u32 = 0x64c00;
const HOTPLUG_NORTH: u32 = 0x44030;
const HOTPLUG: u32 = 0xc4030;
const HOTPLUG2: u32 = 0xc403c;

const ENABLE: u32 = 1 << 31;
const BUFFER_IDLE: u32 = 1 << 7;
/// Read-only strap of port A: an embedded panel was found at power-on.
const PANEL_DETECTED: u32 = 1 << 0;
const IDLE_DONE: u32 = 1 << 25;
const ACT_SENT: u32 = 1 << 24;
/// Status bits that are cleared by writing them.
const STICKY: u32 = 1 << 27 | 1 << 26 | ACT_SENT;
/// A long pulse in the status field of a hotplug control.
const LONG_PULSE: u32 = 2;

/// Offsets that this block answers for.
pub fn claims(kind: DisplayKind) -> Vec<u32> {
    let ports = (0..PORTS as u32).map(|port| BUFFER + STRIDE * port);
    let mut claims: Vec<_> = ports.flat_map(|base| [base, base + TRANSPORT, base + TRANSPORT_STATUS]).collect();
    claims.push(HOTPLUG);
    match kind {
        DisplayKind::Broadwell => claims.push(HOTPLUG_NORTH),
        DisplayKind::Skylake => claims.push(HOTPLUG2),
        DisplayKind::Broxton => {}
    }
    claims
}

/// How a port's hotplug line is wired.
struct Wire {
    group: Group,
    bit: u32,
    control: u32,
    /// Where the port's status field is in the control register.
    shift: u32,
}

fn wire(kind: DisplayKind, port: usize) -> Option<Wire> {
    let south = |bit: u32, shift: u32| Some(Wire { group: Group::Pch, bit: 1 << bit, control: HOTPLUG, shift });
    let north = |bit: u32, control: u32, shift: u32| Some(Wire { group: Group::Port, bit: 1 << bit, control, shift });
    match (kind, port) {
        (DisplayKind::Broadwell, 0) => north(3, HOTPLUG_NORTH, 0),
        (DisplayKind::Broxton, 0) => north(3, HOTPLUG, 24),
        (DisplayKind::Broxton, 1) => north(4, HOTPLUG, 0),
        (DisplayKind::Broxton, 2) => north(5, HOTPLUG, 8),
        (DisplayKind::Broxton, _) => None,
        (DisplayKind::Skylake, 0) => south(24, 24),
        (DisplayKind::Skylake, 4) => Some(Wire { group: Group::Pch, bit: 1 << 25, control: HOTPLUG2, shift: 0 }),
        (_, 1) => south(21, 0),
        (_, 2) => south(22, 8),
        (_, 3) => south(23, 16),
        _ => None,
    }
}

/// All hotplug status bits of a control register.
fn status_bits(kind: DisplayKind, control: u32) -> u32 {
    let wires = (0..PORTS).filter_map(|port| wire(kind, port));
    wires.filter(|wire| wire.control == control).fold(0, |bits, wire| bits | 3 << wire.shift)
}

/// A monitor: how it is connected, and its picture.
#[derive(Clone, Debug)]
pub struct Monitor {
    input: Input,
    mode: Mode,
}

impl Monitor {
    /// A monitor of this kind with this preferred mode.
    pub fn new(input: Input, mode: Mode) -> Self {
        Self { input, mode }
    }
}

/// One port, and what hangs on it.
#[derive(Debug, Default)]
pub struct Port {
    /// The monitor that is, or was last, connected.
    monitor: Option<Monitor>,
    connected: bool,
    /// The sink behind the AUX channel, while one is there.
    pub sink: Option<Sink>,
    /// The bus behind the port's GMBUS pins, while a device is there.
    pub ddc: Option<Ddc>,
}

impl Port {
    /// Chooses the monitor that a later [`Self::connect`] connects.
    pub fn choose(&mut self, monitor: Monitor) {
        self.monitor = Some(monitor);
    }

    /// Connects or disconnects the port's monitor; a port that never had one gets one with DisplayPort.
    pub fn connect(&mut self, connected: bool) {
        self.connected = connected;
        self.sink = None;
        self.ddc = None;
        if connected {
            let monitor = self.monitor.get_or_insert_with(|| Monitor::new(Input::DisplayPort, Mode::FULL_HD));
            let data = edid::build(&monitor.mode, monitor.input);
            match monitor.input {
                Input::DisplayPort => self.sink = Some(Sink::new(data)),
                Input::Hdmi => self.ddc = Some(Ddc::new(data)),
            }
        }
    }

    /// Whether a monitor is connected.
    pub fn is_connected(&self) -> bool {
        self.connected
    }

    /// Forgets what software told the monitor, as a loss of power does.
    pub fn reset(&mut self) {
        self.connect(self.connected);
    }
}

/// Whether a port of this number has a connector.
pub fn exists(kind: DisplayKind, port: usize) -> bool {
    wire(kind, port).is_some()
}

/// Shows the level of a port's hotplug line, and reports a pulse on it where `pulse` is set.
pub fn signal(kind: DisplayKind, bar0: &Bar0, irq: &Interrupts, port: usize, level: bool, pulse: bool) {
    let Some(wire) = wire(kind, port) else { return };
    let enabled = bar0.load(wire.control) >> (wire.shift + 4) & 1 != 0;
    if pulse && enabled {
        bar0.modify(wire.control, 3 << wire.shift, LONG_PULSE << wire.shift);
    }
    irq.set_level(wire.group, wire.bit, level);
    if pulse && enabled && !level {
        irq.raise(wire.group, wire.bit);
    }
}

/// Sets power-on values.
pub fn reset(bar0: &Bar0) {
    for port in 0..PORTS as u32 {
        bar0.store(BUFFER + STRIDE * port, BUFFER_IDLE);
        bar0.store(PHY_LANES_BXT + 0x10 * port, 3 << 9);
    }
}

/// Handles a write; `offset` is one of [`claims`].
pub fn write(kind: DisplayKind, bar0: &Bar0, offset: u32, value: u32) {
    if [HOTPLUG, HOTPLUG2, HOTPLUG_NORTH].contains(&offset) {
        let status = status_bits(kind, offset);
        let left = bar0.load(offset) & !value & status;
        bar0.store(offset, value & !status | left);
        return;
    }
    let base = offset & !(STRIDE - 1);
    match offset - base {
        TRANSPORT => {
            bar0.store(offset, value);
            let idle = value & ENABLE != 0 && value >> 8 & 7 == 2;
            let act = value & ENABLE != 0 && value & 1 << 25 != 0;
            let status = bar0.load(base + TRANSPORT_STATUS) & !IDLE_DONE;
            let new = if idle { IDLE_DONE } else { 0 } | if act { ACT_SENT } else { 0 };
            bar0.store(base + TRANSPORT_STATUS, status | new);
        }
        TRANSPORT_STATUS => {
            bar0.modify(offset, value & STICKY, 0);
        }
        _ => {
            let on = value & ENABLE != 0;
            let idle = if on { 0 } else { BUFFER_IDLE };
            bar0.store(offset, value & !(BUFFER_IDLE | PANEL_DETECTED) | idle);
            if kind == DisplayKind::Broxton {
                // Lanes are enabled, or they and the common lane are powered down.
                let port = (base - BUFFER) / STRIDE;
                bar0.modify(PHY_LANES_BXT + 0x10 * port, 7 << 8, if on { 1 << 8 } else { 3 << 9 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_idle_while_disabled() {
        let bar0 = Bar0::new().unwrap();
        reset(&bar0);
        assert_eq!(bar0.load(0x64100), BUFFER_IDLE);
        write(DisplayKind::Skylake, &bar0, 0x64100, ENABLE | PANEL_DETECTED | 0x6);
        assert_eq!(bar0.load(0x64100), ENABLE | 0x6);
        write(DisplayKind::Skylake, &bar0, 0x64100, 0);
        assert_eq!(bar0.load(0x64100), BUFFER_IDLE);
    }

    #[test]
    fn idle_patterns_are_reported_once_sent() {
        let bar0 = Bar0::new().unwrap();
        write(DisplayKind::Skylake, &bar0, 0x64140, ENABLE);
        assert_eq!(bar0.load(0x64144), 0);
        write(DisplayKind::Skylake, &bar0, 0x64140, ENABLE | 2 << 8);
        assert_eq!(bar0.load(0x64144), IDLE_DONE);
        write(DisplayKind::Skylake, &bar0, 0x64140, ENABLE | 3 << 8 | 1 << 25);
        assert_eq!(bar0.load(0x64144), ACT_SENT);
        write(DisplayKind::Skylake, &bar0, 0x64144, ACT_SENT);
        assert_eq!(bar0.load(0x64144), 0);
    }

    #[test]
    fn unplugging_gives_a_long_pulse_where_detection_is_on() {
        let bar0 = Bar0::new().unwrap();
        let irq = Interrupts::default();
        irq.reset();
        irq.write(0xc4004, 0);
        signal(DisplayKind::Skylake, &bar0, &irq, 1, true, false);
        assert_eq!(irq.read(0xc4000), 1 << 21);
        irq.write(0xc4008, u32::MAX);
        write(DisplayKind::Skylake, &bar0, HOTPLUG, 1 << 4);
        signal(DisplayKind::Skylake, &bar0, &irq, 1, false, true);
        assert_eq!((irq.read(0xc4000), irq.read(0xc4008)), (0, 1 << 21));
        assert_eq!(bar0.load(HOTPLUG), 1 << 4 | LONG_PULSE);
        write(DisplayKind::Skylake, &bar0, HOTPLUG, bar0.load(HOTPLUG));
        assert_eq!(bar0.load(HOTPLUG), 1 << 4, "writing the status back clears it");
    }

    #[test]
    fn every_platform_has_its_own_wires() {
        let bar0 = Bar0::new().unwrap();
        let irq = Interrupts::default();
        irq.reset();
        signal(DisplayKind::Broadwell, &bar0, &irq, 0, true, false);
        signal(DisplayKind::Broxton, &bar0, &irq, 2, true, false);
        assert_eq!(irq.read(0x44440), 1 << 3 | 1 << 5);
        signal(DisplayKind::Skylake, &bar0, &irq, 4, true, false);
        assert_eq!(irq.read(0xc4000), 1 << 25);
        assert!(!exists(DisplayKind::Broxton, 3) && !exists(DisplayKind::Broadwell, 4));
    }
}
