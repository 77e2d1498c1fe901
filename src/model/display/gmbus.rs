// SPDX-License-Identifier: GPL-2.0

//! GMBUS, the I2C controller of the south display (Skylake PRM volume 12; gvt-spec 10.3).
//!
//! Bytes are there as soon as they are asked for, so that no state lasts: a guest never waits.
//! Whoever dispatches accesses asks [`Gmbus::selected`] which port the guest talks to, and hands
//! over the I2C bus of the monitor there, if it has the wires for one. A DisplayPort monitor has
//! none, and nobody acknowledges.
//!
//! Different from the C driver on purpose: writes to the data register are writes to the bus, where
//! the C driver warns; the offset that a guest writes is where it reads; an address other than that
//! of the EDID is not acknowledged.

use kernel::{
    bitfield,
    prelude::*, //
};

use super::{
    ddc::Ddc,
    Ddi, //
};
use crate::platform::Platform;

/// A register of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// GMBUS0: which pins, and how fast.
    Select,
    /// GMBUS1: what to do.
    Command,
    /// GMBUS2: how it goes.
    Status,
    /// GMBUS3: up to four bytes.
    Data,
    /// GMBUS4: what to interrupt for.
    Interrupts,
    /// GMBUS5: an index of two bytes.
    Index,
}

impl Register {
    /// The register at an offset in BAR0.
    pub const fn at(offset: u32) -> Option<Self> {
        match offset {
            0xc5100 => Some(Self::Select),
            0xc5104 => Some(Self::Command),
            0xc5108 => Some(Self::Status),
            0xc510c => Some(Self::Data),
            0xc5110 => Some(Self::Interrupts),
            0xc5120 => Some(Self::Index),
            _ => None,
        }
    }
}

bitfield! {
    struct Select(u32) {
        2:0 pins;
    }
}

bitfield! {
    struct Command(u32) {
        /// Forget everything.
        31:31 clear => bool;
        /// Go.
        30:30 ready => bool;
        /// Release the bus at the end.
        27:27 stop => bool;
        /// Write the index first.
        26:26 indexed => bool;
        /// Transfer, and keep the bus unless `stop`.
        25:25 transfer => bool;
        /// Bytes of the transfer.
        24:16 count;
        15:8 index;
        7:1 address;
        0:0 read => bool;
    }
}

bitfield! {
    struct Status(u32) {
        /// Somebody has taken the controller.
        15:15 in_use => bool;
        /// The bus is held until the guest says what follows.
        14:14 waiting => bool;
        /// There was an interrupt.
        12:12 interrupt => bool;
        /// The next bytes can be read or written.
        11:11 ready => bool;
        /// Nobody acknowledged.
        10:10 nack => bool;
        /// A transfer goes on, or the bus is held.
        9:9 active => bool;
    }
}

bitfield! {
    struct Interrupts(u32) {
        3:3 nack => bool;
        2:2 idle => bool;
        1:1 waiting => bool;
        0:0 ready => bool;
    }
}

bitfield! {
    struct Index(u32) {
        31:31 two_bytes => bool;
        15:8 high;
        7:0 low;
    }
}

/// A transfer of which bytes are left.
#[derive(Clone, Copy, Debug)]
struct Transfer {
    address: u8,
    read: bool,
    left: u32,
    stop: bool,
}

/// What a read gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The value.
    pub value: u32,
    /// Whether the GMBUS interrupt is to be raised.
    pub interrupt: bool,
}

/// The controller.
#[derive(Debug)]
pub struct Gmbus {
    select: Select,
    command: u32,
    status: Status,
    data: [u8; 4],
    interrupts: Interrupts,
    index: Index,
    transfer: Option<Transfer>,
}

/// The lowest 8 bits.
fn low(value: u32) -> u8 {
    let [low, ..] = value.to_le_bytes();
    low
}

impl Gmbus {
    /// The controller after a reset.
    pub fn new() -> Self {
        Self {
            select: Select::zeroed(),
            command: 0,
            status: Status::zeroed().with_ready(true),
            data: [0; 4],
            interrupts: Interrupts::zeroed(),
            index: Index::zeroed(),
            transfer: None,
        }
    }

    /// The port whose I2C bus is selected, if any.
    pub fn selected(&self, platform: Platform) -> Option<Ddi> {
        let pins = self.select.pins().get();
        match platform {
            Platform::Broadwell | Platform::Skylake | Platform::KabyLake => match pins {
                2 => Some(Ddi::E),
                4 => Some(Ddi::C),
                5 => Some(Ddi::B),
                6 => Some(Ddi::D),
                _ => None,
            },
            Platform::CoffeeLake | Platform::CometLake => match pins {
                1 => Some(Ddi::B),
                2 => Some(Ddi::C),
                3 => Some(Ddi::D),
                4 => Some(Ddi::E),
                _ => None,
            },
            Platform::Broxton => match pins {
                1 => Some(Ddi::B),
                2 => Some(Ddi::C),
                3 => Some(Ddi::D),
                _ => None,
            },
        }
    }

    /// Reads a register. `bus` is the I2C bus of the selected port, if something is on it.
    pub fn read(&mut self, register: Register, bus: Option<&mut Ddc>) -> Answer {
        let value = match register {
            Register::Select => self.select.into_raw(),
            Register::Command => self.command,
            Register::Status => {
                let before = self.status;
                // Who reads this as 0 has the controller.
                self.status = before.with_in_use(true);
                before.into_raw()
            }
            Register::Data => return self.read_data(bus),
            Register::Interrupts => self.interrupts.into_raw(),
            Register::Index => self.index.into_raw(),
        };
        Answer {
            value,
            interrupt: false,
        }
    }

    /// Writes a register. `bus` is the I2C bus of the selected port, if something is on it.
    ///
    /// Returns whether the GMBUS interrupt is to be raised.
    pub fn write(&mut self, register: Register, value: u32, bus: Option<&mut Ddc>) -> bool {
        match register {
            Register::Select => {
                self.select = Select::from_raw(value);
                self.idle();
                return false;
            }
            Register::Command => {
                self.command = value;
                self.run(Command::from_raw(value), bus);
            }
            Register::Status => {
                if Status::from_raw(value).in_use() {
                    self.status = self.status.with_in_use(false);
                }
                return false;
            }
            Register::Data => {
                self.data = value.to_le_bytes();
                if self.transfer.is_some_and(|transfer| !transfer.read) {
                    self.step(bus);
                }
            }
            Register::Interrupts => self.interrupts = Interrupts::from_raw(value),
            Register::Index => {
                self.index = Index::from_raw(value);
                return false;
            }
        }
        self.interrupt()
    }

    /// Nothing goes on, and everything is possible.
    fn idle(&mut self) {
        self.transfer = None;
        self.status = Status::zeroed()
            .with_in_use(self.status.in_use())
            .with_ready(true);
    }

    fn nack(&mut self) {
        self.idle();
        self.status = self.status.with_ready(false).with_nack(true);
    }

    /// Notes an interrupt if there is a reason for one.
    fn interrupt(&mut self) -> bool {
        let (wanted, status) = (self.interrupts, self.status);
        let raise = (wanted.nack() && status.nack())
            || (wanted.idle() && !status.active())
            || (wanted.waiting() && status.waiting())
            || (wanted.ready() && status.ready());
        if raise {
            self.status = status.with_interrupt(true);
        }
        raise
    }

    fn read_data(&mut self, bus: Option<&mut Ddc>) -> Answer {
        let value = u32::from_le_bytes(self.data);
        let reading = self.transfer.is_some_and(|transfer| transfer.read);
        if reading {
            self.step(bus);
        }
        Answer {
            value,
            interrupt: reading && self.interrupt(),
        }
    }

    fn run(&mut self, command: Command, bus: Option<&mut Ddc>) {
        if command.clear() {
            return self.idle();
        }
        if !command.ready() {
            return;
        }
        if !command.transfer() && !command.indexed() {
            if let Some(bus) = bus.filter(|_| command.stop()) {
                bus.stop();
            }
            return self.idle();
        }
        let address = low(command.address().get());
        let Some(bus) = bus.filter(|bus| bus.acknowledges(address, command.read())) else {
            return self.nack();
        };
        if command.indexed() {
            bus.write(address, &[low(command.index().get())]);
        } else if self.index.two_bytes() {
            let index = self.index;
            bus.write(address, &[low(index.high().get()), low(index.low().get())]);
        }
        self.idle();
        self.status = self.status.with_active(true);
        self.transfer = Some(Transfer {
            address,
            read: command.read(),
            left: command.count().get(),
            stop: command.stop(),
        });
        self.step(Some(bus));
    }

    /// Moves up to four bytes between the data register and the bus.
    fn step(&mut self, bus: Option<&mut Ddc>) {
        let Some(mut transfer) = self.transfer else {
            return;
        };
        let Some(bus) = bus else {
            // The monitor was taken away in the middle.
            return self.nack();
        };
        let count = transfer.left.min(4);
        if transfer.read {
            self.data = [0; 4];
        }
        for (byte, _) in self.data.iter_mut().zip(0..count) {
            if transfer.read {
                *byte = bus.read(transfer.address);
            } else {
                bus.write(transfer.address, &[*byte]);
            }
        }
        transfer.left = transfer.left.saturating_sub(count);
        self.transfer = Some(transfer).filter(|transfer| transfer.left > 0);
        if self.transfer.is_some() {
            return;
        }
        if transfer.stop {
            bus.stop();
            self.status = self.status.with_active(false);
        } else {
            self.status = self.status.with_waiting(true);
        }
    }
}

impl Default for Gmbus {
    fn default() -> Self {
        Self::new()
    }
}
