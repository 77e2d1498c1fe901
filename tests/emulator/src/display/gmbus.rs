// SPDX-License-Identifier: GPL-2.0
//! The I2C controller of the ports (GMBUS) and the pins that it shares with software that drives them by hand (GPIO).
//!
//! Bytes are transferred as fast as software takes them. Source: Skylake PRM volume 12 "GMBUS and GPIO".

use crate::bar0::Bar0;
use crate::display::port::Port;
use crate::irq::{Group, Interrupts};
use crate::platform::{DisplayKind, Pch, Platform};

const SELECT: u32 = 0xc5100;
const COMMAND: u32 = 0xc5104;
const STATUS: u32 = 0xc5108;
const DATA: u32 = 0xc510c;
const INTERRUPTS: u32 = 0xc5110;
const INDEX: u32 = 0xc5120;
const FIRST_GPIO: u32 = 0xc5010;
const GPIOS: u32 = 6;

const CLEAR: u32 = 1 << 31;
const READY: u32 = 1 << 30;
const CYCLE_STOP: u32 = 1 << 27;
const CYCLE_INDEX: u32 = 1 << 26;
const CYCLE_WAIT: u32 = 1 << 25;
const IS_READ: u32 = 1;
const TWO_BYTE_INDEX: u32 = 1 << 31;

const IN_USE: u32 = 1 << 15;
const WAIT_PHASE: u32 = 1 << 14;
const DATA_READY: u32 = 1 << 11;
const NO_ACKNOWLEDGE: u32 = 1 << 10;
const ACTIVE: u32 = 1 << 9;

/// Offsets that this block answers for.
pub fn claims() -> impl Iterator<Item = u32> {
    (0..GPIOS).map(|pin| FIRST_GPIO + 4 * pin).chain([COMMAND, STATUS, DATA, INTERRUPTS])
}

/// The controller.
#[derive(Debug, Default)]
pub struct Gmbus {
    /// Address and direction of the transfer under way.
    transfer: Option<(u8, bool)>,
    /// Bytes of it that are left.
    left: u32,
    /// Whether the bus is released after them.
    stop: bool,
    status: u32,
}

/// The port whose bus the select register names.
fn selected(platform: &Platform, bar0: &Bar0) -> Option<usize> {
    match (platform.pch, bar0.load(SELECT) & 7) {
        (Pch::None, pin @ 1..=3) | (Pch::CannonPoint, pin @ 1..=4) => Some(pin as usize),
        (Pch::LynxPoint | Pch::SunrisePoint, 4) => Some(2),
        (Pch::LynxPoint | Pch::SunrisePoint, 5) => Some(1),
        (Pch::LynxPoint | Pch::SunrisePoint, 6) => Some(3),
        _ => None,
    }
}

impl Gmbus {
    /// Reads a register; `offset` is one of [`claims`].
    pub fn read(&mut self, platform: &Platform, bar0: &Bar0, ports: &mut [Port], offset: u32) -> u32 {
        match offset {
            STATUS => {
                let value = self.status;
                // The first reader takes the controller.
                self.status |= IN_USE;
                value
            }
            DATA => {
                let value = bar0.load(DATA);
                if matches!(self.transfer, Some((_, true))) {
                    self.fetch(platform, bar0, ports);
                }
                value
            }
            _ => bar0.load(offset),
        }
    }

    /// Writes a register; `offset` is one of [`claims`].
    pub fn write(
        &mut self,
        platform: &Platform,
        bar0: &Bar0,
        irq: &Interrupts,
        ports: &mut [Port],
        offset: u32,
        value: u32,
    ) {
        match offset {
            STATUS => self.status &= !(value & IN_USE),
            COMMAND => {
                bar0.store(COMMAND, value);
                self.command(platform, bar0, ports, value);
            }
            DATA => {
                bar0.store(DATA, value);
                if matches!(self.transfer, Some((_, false))) {
                    self.send(platform, bar0, ports);
                }
            }
            INTERRUPTS => {
                bar0.store(INTERRUPTS, value);
                let idle = if self.status & ACTIVE == 0 { 1 << 2 } else { 0 };
                let nack = if self.status & NO_ACKNOWLEDGE != 0 { 1 << 3 } else { 0 };
                let wait = if self.status & WAIT_PHASE != 0 { 1 << 1 } else { 0 };
                let ready = if self.status & DATA_READY != 0 { 1 } else { 0 };
                if value & (idle | nack | wait | ready) != 0 {
                    match platform.display {
                        DisplayKind::Broxton => irq.raise(Group::Port, 1 << 1),
                        _ => irq.raise(Group::Pch, 1 << 17),
                    }
                }
            }
            _ => bar0.store(offset, pins(bar0.load(offset), value)),
        }
    }

    fn command(&mut self, platform: &Platform, bar0: &Bar0, ports: &mut [Port], value: u32) {
        if value & CLEAR != 0 {
            *self = Self { status: self.status & IN_USE, ..Self::default() };
            return;
        }
        if value & READY == 0 {
            return;
        }
        self.transfer = None;
        self.left = 0;
        let bus = selected(platform, bar0).and_then(|port| ports.get_mut(port)).and_then(|port| port.ddc.as_mut());
        self.status &= IN_USE;
        if value & (CYCLE_WAIT | CYCLE_INDEX) == 0 {
            if let Some(bus) = bus.filter(|_| value & CYCLE_STOP != 0) {
                bus.stop();
            }
            self.status |= DATA_READY;
            return;
        }
        let address = (value >> 1 & 0x7f) as u8;
        let Some(bus) = bus.filter(|bus| bus.acknowledges(address)) else {
            self.status |= NO_ACKNOWLEDGE;
            return;
        };
        if value & CYCLE_INDEX != 0 {
            bus.write(address, &[(value >> 8) as u8]);
        } else if bar0.load(INDEX) & TWO_BYTE_INDEX != 0 {
            bus.write(address, &[(bar0.load(INDEX) >> 8) as u8, bar0.load(INDEX) as u8]);
        }
        self.status |= ACTIVE;
        self.transfer = Some((address, value & IS_READ != 0));
        self.left = value >> 16 & 0x1ff;
        self.stop = value & CYCLE_STOP != 0;
        if value & IS_READ != 0 {
            self.fetch(platform, bar0, ports);
        } else {
            self.send(platform, bar0, ports);
        }
    }

    /// Puts the next bytes of a read into the data register.
    fn fetch(&mut self, platform: &Platform, bar0: &Bar0, ports: &mut [Port]) {
        self.step(platform, bar0, ports, |bus, address, count| {
            let word = (0..count).fold(0, |word, i| word | u32::from(bus.read(address)) << (8 * i));
            bar0.store(DATA, word);
        });
    }

    /// Takes the next bytes of a write from the data register.
    fn send(&mut self, platform: &Platform, bar0: &Bar0, ports: &mut [Port]) {
        let bytes = bar0.load(DATA).to_le_bytes();
        self.step(platform, bar0, ports, |bus, address, count| {
            bus.write(address, bytes.get(..count as usize).unwrap_or(&bytes));
        });
    }

    fn step(
        &mut self,
        platform: &Platform,
        bar0: &Bar0,
        ports: &mut [Port],
        transfer: impl FnOnce(&mut crate::display::ddc::Ddc, u8, u32),
    ) {
        let Some((address, _)) = self.transfer else { return };
        if self.left == 0 {
            self.transfer = None;
            self.status |= DATA_READY;
            self.finish();
            return;
        }
        let count = self.left.min(4);
        let bus = selected(platform, bar0).and_then(|port| ports.get_mut(port)).and_then(|port| port.ddc.as_mut());
        match bus {
            Some(bus) => {
                transfer(bus, address, count);
                self.left -= count;
                self.status |= DATA_READY;
                if self.left == 0 {
                    if self.stop {
                        bus.stop();
                    }
                    self.finish();
                }
            }
            // The monitor was taken away in the middle.
            None => {
                self.transfer = None;
                self.status = self.status & IN_USE | NO_ACKNOWLEDGE;
            }
        }
    }

    /// After the last byte the bus is released, or held until software says what follows.
    fn finish(&mut self) {
        if self.stop {
            self.status &= !ACTIVE;
        } else {
            self.status |= WAIT_PHASE;
        }
    }
}

/// What a pin control register reads after a write: each line is pulled up and nobody else pulls it down.
///
/// A line's bits are: direction mask and direction, value mask and value, and the level on the line. A field changes
/// where its mask, which reads 0, is set.
fn pins(old: u32, value: u32) -> u32 {
    const OUTPUT: u32 = 1 << 1;
    const HIGH: u32 = 1 << 3;
    const LEVEL: u32 = 1 << 4;
    let line = |shift: u32| {
        let (old, value) = (old >> shift, value >> shift);
        let change = if value & 1 != 0 { OUTPUT } else { 0 } | if value & 1 << 2 != 0 { HIGH } else { 0 };
        let state = (old & !change | value & change) & (OUTPUT | HIGH);
        (state | if state == OUTPUT { 0 } else { LEVEL }) << shift
    };
    line(0) | line(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::display::ddc::Ddc;

    struct Rig {
        gmbus: Gmbus,
        bar0: Bar0,
        irq: Interrupts,
        ports: Vec<Port>,
        platform: &'static Platform,
    }

    impl Rig {
        fn new(name: &str, port: usize, data: Vec<u8>) -> Self {
            let mut ports: Vec<Port> = (0..5).map(|_| Port::default()).collect();
            ports[port].ddc = Some(Ddc::new(data));
            let irq = Interrupts::default();
            irq.reset();
            irq.write(0xc4004, 0);
            let platform = Platform::by_name(name).unwrap();
            Self { gmbus: Gmbus::default(), bar0: Bar0::new().unwrap(), irq, ports, platform }
        }

        fn write(&mut self, offset: u32, value: u32) {
            if offset == SELECT || offset == INDEX {
                self.bar0.store(offset, value);
            } else {
                self.gmbus.write(self.platform, &self.bar0, &self.irq, &mut self.ports, offset, value);
            }
        }

        fn read(&mut self, offset: u32) -> u32 {
            self.gmbus.read(self.platform, &self.bar0, &mut self.ports, offset)
        }

        /// Waits as i915's `gmbus_wait` does; false for a missing acknowledgement.
        fn wait(&mut self, bit: u32) -> bool {
            let status = self.read(STATUS);
            assert_ne!(status & (bit | NO_ACKNOWLEDGE), 0, "{status:#x} has neither {bit:#x} nor an error");
            status & NO_ACKNOWLEDGE == 0
        }

        /// Reads as i915's `gmbus_index_xfer` does.
        fn indexed_read(&mut self, pin: u32, index: u32, length: u32) -> Option<Vec<u8>> {
            self.write(SELECT, pin);
            let command = CYCLE_WAIT | CYCLE_INDEX | READY | index << 8 | length << 16 | 0x50 << 1 | IS_READ;
            self.write(COMMAND, command);
            let mut data = Vec::new();
            while data.len() < length as usize {
                if !self.wait(DATA_READY) {
                    return None;
                }
                data.extend(self.read(DATA).to_le_bytes());
            }
            data.truncate(length as usize);
            assert!(self.wait(WAIT_PHASE));
            self.write(COMMAND, CYCLE_STOP | READY);
            assert_eq!(self.read(STATUS) & ACTIVE, 0);
            self.write(SELECT, 0);
            Some(data)
        }
    }

    #[test]
    fn identification_data_is_read_by_index() {
        let mut rig = Rig::new("skl", 1, (0..=255).collect());
        assert_eq!(rig.indexed_read(5, 0, 128), Some((0..128).collect()));
        assert_eq!(rig.indexed_read(5, 126, 7), Some((126..133).collect()));
        assert_eq!(rig.indexed_read(4, 0, 4), None, "port C has no monitor");
        rig.write(COMMAND, CLEAR);
        rig.write(COMMAND, 0);
        assert_eq!(rig.read(STATUS) & !IN_USE, 0);
        assert!(rig.indexed_read(5, 0, 4).is_some());
    }

    #[test]
    fn pins_are_those_of_the_south_display() {
        assert!(Rig::new("cfl", 2, vec![0; 128]).indexed_read(2, 0, 4).is_some());
        assert!(Rig::new("bxt", 1, vec![0; 128]).indexed_read(1, 0, 4).is_some());
        assert!(Rig::new("bdw", 3, vec![0; 128]).indexed_read(6, 0, 4).is_some());
    }

    #[test]
    fn segments_are_written_first() {
        let mut rig = Rig::new("skl", 1, (0..512).map(|i| (i >> 7) as u8).collect());
        rig.write(SELECT, 5);
        rig.write(DATA, 1);
        rig.write(COMMAND, CYCLE_WAIT | READY | 1 << 16 | 0x30 << 1);
        assert!(rig.wait(WAIT_PHASE));
        assert_eq!(rig.indexed_read(5, 0, 4), Some(vec![2; 4]));
        assert_eq!(rig.indexed_read(5, 0, 4), Some(vec![0; 4]), "the stop went back to the first segment");
    }

    #[test]
    fn an_enabled_condition_interrupts() {
        let mut rig = Rig::new("skl", 1, vec![0; 128]);
        rig.write(SELECT, 4);
        rig.write(COMMAND, CYCLE_WAIT | READY | 1 << 16 | 0x50 << 1 | IS_READ);
        assert_eq!(rig.irq.read(0xc4008), 0);
        rig.write(INTERRUPTS, 1 << 3);
        assert_eq!(rig.irq.read(0xc4008), 1 << 17);
    }

    #[test]
    fn lines_are_high_unless_driven_low() {
        const CLOCK_LOW: u32 = 0x7;
        const DATA_IN: u32 = 0x100;
        let low = pins(0, CLOCK_LOW);
        assert_eq!(low & 1 << 4, 0);
        assert_eq!(pins(low, DATA_IN) & (1 << 4 | 1 << 12), 1 << 12, "the clock stays low");
        assert_eq!(pins(low, 0x1) & 1 << 4, 1 << 4);
    }
}
