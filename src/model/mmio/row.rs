// SPDX-License-Identifier: GPL-2.0

//! What can be said of a register in one line of the table.

pub use super::handlers::follow::Follow;
use crate::platform::Platforms;

/// A register, or several that are alike.
#[derive(Debug)]
pub struct Row {
    /// i915's name, or that of the programmer's reference manual; empty where none is known.
    pub name: &'static str,
    /// The platforms that have it.
    pub platforms: Platforms,
    pub(super) place: Place,
    /// Number of registers that follow one another.
    pub(super) words: u32,
    /// How often these come again, and bytes from one time to the next.
    pub(super) times: u32,
    pub(super) stride: u32,
    /// Bits that a guest cannot change.
    pub read_only: u32,
    /// Bits that a written 1 clears and a written 0 leaves alone.
    pub clears: u32,
    /// The upper half of what is written tells which bits of the lower half are.
    pub masked: bool,
    /// The hardware's own register is written again after the host was suspended.
    pub kept: bool,
    /// Commands of the engine that it belongs to can write it.
    pub commands: bool,
    /// Its value after a reset.
    pub(super) start: Start,
    /// What is special about it.
    pub handler: Handler,
}

/// Where registers are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    /// From this offset of BAR0 on.
    Fixed(u32),
    /// From this offset on in the registers of each engine.
    Engine(u32),
}

/// The value of a register after a reset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    /// This.
    Value(u32),
    /// That of the host when i915 started: only for what describes the GPU and how it is set up,
    /// never for what may hold an address of the host or tell what the host is doing.
    Host,
}

/// What is special about a register.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// Nothing: it keeps what is written.
    Plain,
    /// These bits are 0, whatever is written.
    ForcedZero(u32),
    /// Some bits follow others.
    Follow(&'static Follow),
    /// The page with which guest and device model talk.
    Pvinfo,
    /// One half of a fence.
    Fence,
    /// The time of an engine, which is the hardware's.
    Timestamp,
    /// Asks for a forcewake domain.
    Forcewake {
        /// The register that tells that it is awake.
        ack: u32,
    },
    /// Resets engines.
    Gdrst,
    /// Prepares an engine for its reset.
    ResetCtl,
    /// The hardware status page of an engine.
    HwsPga,
    /// A register that user batches can get at.
    ForceNonpriv,
    /// How an engine is driven.
    RingMode,
    /// The submission port of an engine.
    Elsp,
    /// Changes how an engine preempts.
    CsfeChicken1,
    /// Whether there are pages of 64 KiB.
    GamwEco,
    /// Tiled resources.
    Trtte,
    /// Whether the GuC is in reset.
    GucStatus,
    /// Talks to the power control unit.
    PcodeMailbox,
    /// The sideband interface of the PCH.
    SbiControl,
    /// Which display PLLs are locked.
    DpllStatus,
    /// How memory is cached, on Broxton.
    BxtPpat,
    /// Which interrupts there were.
    InterruptIdentity,
    /// Enables interrupts.
    Interrupts,
    /// The virtual display's.
    Display(Slot),
}

/// Registers of the virtual display, by what they do.
#[derive(Clone, Copy, Debug)]
pub enum Slot {
    /// PCH_ADPA: the analog port.
    Adpa,
    /// DP_AUX_CH_CTL.
    AuxControl,
    /// BXT_P_CR_GT_DISP_PWRON: power of the PHYs.
    BxtDisplayPower,
    /// BXT_PORT_PCS_DW12_GRP: writes two lanes.
    BxtPcsDw12,
    /// BXT_PHY_CTL_FAMILY: turns lanes on.
    BxtPhyCtlFamily,
    /// BXT_PORT_TX_DW3_LN.
    BxtTxDw3,
    /// DDI_BUF_CTL.
    DdiBufCtl,
    /// DP_TP_CTL.
    DpTpCtl,
    /// FDI_RX_CTL and FDI_RX_IMR.
    FdiRx,
    /// The surface of a plane: a write is a flip.
    Flip,
    /// PIPE_FRMCOUNT: how many frames were sent.
    FrameCount,
    /// GMBUS0 to GMBUS5.
    Gmbus,
    /// PCH_PP_CONTROL: power of a panel.
    PanelPower,
    /// TRANSCONF of the PCH.
    PchTransConf,
    /// Status of PHYs that never changes.
    PhyStatus,
    /// PIPEDSL: the line that is being sent.
    ScanLine,
    /// SKL_PS_CTRL.
    ScalerControl,
    /// TRANSCONF of a pipe.
    TransConf,
}

/// A register at a fixed offset.
pub(super) const fn r(platforms: Platforms, offset: u32, name: &'static str) -> Row {
    row(platforms, Place::Fixed(offset), name)
}

/// A register that every engine has.
pub(super) const fn ring(platforms: Platforms, offset: u32, name: &'static str) -> Row {
    row(platforms, Place::Engine(offset), name)
}

const fn row(platforms: Platforms, place: Place, name: &'static str) -> Row {
    Row {
        name,
        platforms,
        place,
        words: 1,
        times: 1,
        stride: 0,
        read_only: 0,
        clears: 0,
        masked: false,
        kept: false,
        commands: false,
        start: Start::Value(0),
        handler: Handler::Plain,
    }
}

impl Row {
    /// Where it starts, in BAR0 or in the registers of an engine.
    pub(super) const fn offset(&self) -> u32 {
        match self.place {
            Place::Fixed(offset) | Place::Engine(offset) => offset,
        }
    }

    /// `count` registers that follow one another.
    pub(super) const fn words(self, count: u32) -> Self {
        Self {
            words: count,
            ..self
        }
    }

    /// The same again every `stride` bytes, `times` in all.
    pub(super) const fn every(self, stride: u32, times: u32) -> Self {
        Self {
            stride,
            times,
            ..self
        }
    }

    /// Sets [`Row::read_only`].
    pub(super) const fn read_only(self, bits: u32) -> Self {
        Self {
            read_only: bits,
            ..self
        }
    }

    /// Sets [`Row::clears`].
    pub(super) const fn clears(self, bits: u32) -> Self {
        Self {
            clears: bits,
            ..self
        }
    }

    /// Sets [`Row::masked`].
    pub(super) const fn masked(self) -> Self {
        Self {
            masked: true,
            ..self
        }
    }

    /// Sets [`Row::kept`].
    pub(super) const fn kept(self) -> Self {
        Self { kept: true, ..self }
    }

    /// Sets [`Row::commands`].
    pub(super) const fn commands(self) -> Self {
        Self {
            commands: true,
            ..self
        }
    }

    /// Starts with the value of the host.
    pub(super) const fn host(self) -> Self {
        Self {
            start: Start::Host,
            ..self
        }
    }

    /// Starts with this value.
    pub(super) const fn starts(self, value: u32) -> Self {
        Self {
            start: Start::Value(value),
            ..self
        }
    }

    /// Has something special.
    pub(super) const fn by(self, handler: Handler) -> Self {
        Self { handler, ..self }
    }

    /// What is stored of `written` in place of `old`.
    ///
    /// Of a write of less than 4 bytes, `lanes` are the bits that were written. A register is never
    /// changed by bytes that were not: they clear nothing, and they select nothing.
    pub(super) const fn accept(&self, old: u32, written: u32, lanes: u32) -> u32 {
        let select = if self.masked {
            (written >> 16) & (lanes >> 16) & lanes & 0xffff
        } else {
            lanes
        };
        let stored = (old & !select) | (written & select);
        let cleared = old & !(written & select);
        let changes = (stored & !self.clears) | (cleared & self.clears);
        (old & self.read_only) | (changes & !self.read_only)
    }
}
