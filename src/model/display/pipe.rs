// SPDX-License-Identifier: GPL-2.0

//! What a picture passes on its way to the monitor: pipe, transcoder, port.

use kernel::bitfield;

use super::timing::Registers;
use crate::platform::Port;

/// A digital display interface: a port of the display engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ddi {
    /// Port A.
    A,
    /// Port B.
    B,
    /// Port C.
    C,
    /// Port D.
    D,
    /// Port E.
    E,
}

impl Ddi {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// 0 for port A and so on: the number in registers.
    pub const fn index(self) -> u32 {
        match self {
            Self::A => 0,
            Self::B => 1,
            Self::C => 2,
            Self::D => 3,
            Self::E => 4,
        }
    }

    /// The port with this number.
    pub fn from_index(index: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|port| port.index() == index)
    }
}

impl From<Port> for Ddi {
    fn from(port: Port) -> Self {
        match port {
            Port::B => Self::B,
            Port::D => Self::D,
        }
    }
}

/// A pipe: what mixes planes into a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    /// Pipe A.
    A,
    /// Pipe B.
    B,
    /// Pipe C.
    C,
}

impl Pipe {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::A, Self::B, Self::C];

    /// What to add to the offset of a register of pipe A, of its planes and of its transcoder.
    pub const fn offset(self) -> u32 {
        match self {
            Self::A => 0,
            Self::B => 0x1000,
            Self::C => 0x2000,
        }
    }

    /// The transcoder of the pipe that is on: its own, or that for embedded panels if this has the
    /// pipe as its input. `None` if the pipe is off.
    pub fn transcoder(self, registers: Registers<'_>) -> Option<Transcoder> {
        let embedded = TransDdiFuncCtl::from_raw(registers(Transcoder::Embedded.function()));
        let own = Transcoder::Own(self);
        if own.is_on(registers) {
            return Some(own);
        }
        let is_input = embedded.enable() && embedded.input() == Some(self);
        (is_input && Transcoder::Embedded.is_on(registers)).then_some(Transcoder::Embedded)
    }
}

/// A transcoder: what sends the picture of a pipe to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transcoder {
    /// That of a pipe.
    Own(Pipe),
    /// That for an embedded panel.
    Embedded,
}

bitfield! {
    /// `TRANS_DDI_FUNC_CTL`: where a transcoder sends to.
    struct TransDdiFuncCtl(u32) {
        31:31 enable => bool;
        30:28 port;
        26:24 mode;
        /// Of the embedded one: the pipe.
        14:12 edp_input;
    }
}

bitfield! {
    /// `TRANSCONF`, of old `PIPECONF`.
    struct TransConf(u32) {
        /// The guest wants it on.
        31:31 enable => bool;
        /// It is on.
        30:30 state => bool;
    }
}

/// `mode` of `TRANS_DDI_FUNC_CTL`: DisplayPort with one stream, or with several.
const DISPLAY_PORT: core::ops::RangeInclusive<u32> = 2..=3;

impl TransDdiFuncCtl {
    fn input(self) -> Option<Pipe> {
        match self.edp_input().get() {
            0 | 4 => Some(Pipe::A),
            5 => Some(Pipe::B),
            6 => Some(Pipe::C),
            _ => None,
        }
    }
}

impl Transcoder {
    /// Where its timing registers start.
    pub const fn base(self) -> u32 {
        match self {
            Self::Own(Pipe::A) => 0x6_0000,
            Self::Own(Pipe::B) => 0x6_1000,
            Self::Own(Pipe::C) => 0x6_2000,
            Self::Embedded => 0x6_f000,
        }
    }

    /// Where `TRANSCONF` is.
    pub const fn configuration(self) -> u32 {
        // By the bases above this does not saturate.
        self.base().saturating_add(0x1_0008)
    }

    /// Where `TRANS_DDI_FUNC_CTL` is.
    pub const fn function(self) -> u32 {
        self.base().saturating_add(0x400)
    }

    /// Whether the guest has it on.
    pub fn is_on(self, registers: Registers<'_>) -> bool {
        TransConf::from_raw(registers(self.configuration())).enable()
    }

    /// The DisplayPort port that it sends to. The embedded one always sends to port A.
    pub fn port(self, registers: Registers<'_>) -> Option<Ddi> {
        let function = TransDdiFuncCtl::from_raw(registers(self.function()));
        if !function.enable() || !DISPLAY_PORT.contains(&function.mode().get()) {
            return None;
        }
        match self {
            Self::Embedded => Some(Ddi::A),
            Self::Own(_) => Ddi::from_index(function.port().get()),
        }
    }
}
