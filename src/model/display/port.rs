// SPDX-License-Identifier: GPL-2.0

//! What the registers of ports and links answer (gvt-spec 4.3).
//!
//! Nothing takes time: what a guest switches on is on, and every link is trained at once. Each
//! function takes register values and gives the value that the register then has.

use kernel::bitfield;

bitfield! {
    /// `DDI_BUF_CTL`.
    struct DdiBufCtl(u32) {
        31:31 enable => bool;
        7:7 idle => bool;
    }
}

bitfield! {
    /// `DP_TP_CTL`.
    struct DpTpCtl(u32) {
        31:31 enable => bool;
        15:15 fdi_auto_train => bool;
        10:8 pattern;
    }
}

/// `pattern` of `DP_TP_CTL`: idle.
const IDLE: u32 = 2;

bitfield! {
    /// `DP_TP_STATUS`.
    struct DpTpStatus(u32) {
        25:25 idle_done => bool;
        12:12 auto_train_done => bool;
    }
}

/// The bits of `DP_TP_STATUS` that are cleared by writing 1.
const STICKY: u32 = (3 << 26) | (1 << 24);

bitfield! {
    /// `TRANSCONF` and `PCH_TRANSCONF`.
    struct TransConf(u32) {
        31:31 enable => bool;
        30:30 state => bool;
    }
}

/// `DDI_BUF_CTL` after a write of `value`: a port that is off is idle.
pub fn ddi_buf_ctl(value: u32) -> u32 {
    let control = DdiBufCtl::from_raw(value);
    control.with_idle(!control.enable()).into_raw()
}

/// `DP_TP_STATUS` of port E after a write of `value` to its `DDI_BUF_CTL`: a link to the PCH that
/// is off is not trained.
pub fn fdi_status(status: u32, value: u32) -> u32 {
    let status = DpTpStatus::from_raw(status);
    let trained = status.auto_train_done() && DdiBufCtl::from_raw(value).enable();
    status.with_auto_train_done(trained).into_raw()
}

/// `DP_TP_STATUS` after a write of `value` to `DP_TP_CTL`: whoever asks for idle patterns has sent
/// enough of them.
pub fn dp_tp_ctl_status(status: u32, value: u32) -> u32 {
    let status = DpTpStatus::from_raw(status);
    if DpTpCtl::from_raw(value).pattern() == IDLE {
        return status.with_idle_done(true).into_raw();
    }
    status.into_raw()
}

/// `DP_TP_STATUS` after a write of `value` to it.
pub fn dp_tp_status(status: u32, value: u32) -> u32 {
    (status & STICKY & !value) | (value & !STICKY)
}

/// `TRANSCONF` and `PCH_TRANSCONF` after a write of `value`: what shall be on is on.
pub fn trans_conf(value: u32) -> u32 {
    let configuration = TransConf::from_raw(value);
    configuration.with_state(configuration.enable()).into_raw()
}

/// Whether the transcoder is on with this `TRANSCONF`, and with it the vertical blanks of its pipe.
pub fn is_on(trans_conf: u32) -> bool {
    TransConf::from_raw(trans_conf).enable()
}

bitfield! {
    /// `FDI_TX_CTL`.
    struct FdiTxCtl(u32) {
        31:31 enable => bool;
        29:28 pattern;
    }
}

bitfield! {
    /// `FDI_RX_CTL`.
    struct FdiRxCtl(u32) {
        31:31 enable => bool;
        10:10 auto_train => bool;
        9:8 pattern;
    }
}

bitfield! {
    /// `FDI_RX_IIR` and `FDI_RX_IMR`.
    struct FdiRxInterrupts(u32) {
        9:9 symbol_lock => bool;
        8:8 bit_lock => bool;
    }
}

/// Training patterns of FDI.
const PATTERN_1: u32 = 0;
const PATTERN_2: u32 = 1;

/// The registers of the link between a pipe and the PCH.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fdi {
    /// `FDI_TX_CTL`.
    pub tx_ctl: u32,
    /// `FDI_RX_CTL`.
    pub rx_ctl: u32,
    /// `FDI_RX_IMR`.
    pub rx_imr: u32,
    /// `FDI_RX_IIR`.
    pub rx_iir: u32,
}

impl Fdi {
    /// `FDI_RX_IIR` after a write to one of the other three, with the values that they have then:
    /// where both ends send the same pattern, the receiver locks to it.
    pub fn trained(&self) -> u32 {
        let (tx, rx) = (
            FdiTxCtl::from_raw(self.tx_ctl),
            FdiRxCtl::from_raw(self.rx_ctl),
        );
        let masked = FdiRxInterrupts::from_raw(self.rx_imr);
        let pending = FdiRxInterrupts::from_raw(self.rx_iir);
        let both = |pattern: u32| {
            tx.enable() && rx.enable() && tx.pattern() == pattern && rx.pattern() == pattern
        };
        pending
            .with_bit_lock(pending.bit_lock() || (both(PATTERN_1) && !masked.bit_lock()))
            .with_symbol_lock(pending.symbol_lock() || (both(PATTERN_2) && !masked.symbol_lock()))
            .into_raw()
    }

    /// `DP_TP_STATUS` of port E after a write to `FDI_RX_CTL` of pipe A, for hardware that trains by
    /// itself. `ddi_buf_ctl` and `dp_tp_ctl` are those of port E.
    pub fn auto_trained(&self, ddi_buf_ctl: u32, dp_tp_ctl: u32, dp_tp_status: u32) -> u32 {
        let rx = FdiRxCtl::from_raw(self.rx_ctl);
        let tx = DpTpCtl::from_raw(dp_tp_ctl);
        let started = DdiBufCtl::from_raw(ddi_buf_ctl).enable()
            && rx.enable()
            && rx.auto_train()
            && tx.enable()
            && tx.fdi_auto_train();
        let status = DpTpStatus::from_raw(dp_tp_status);
        status
            .with_auto_train_done(status.auto_train_done() || started)
            .into_raw()
    }
}

/// A register of interrupts after a write of `value`: what is written as 1 is cleared.
pub fn write_one_to_clear(pending: u32, value: u32) -> u32 {
    pending & !value
}

bitfield! {
    /// `PCH_ADPA`.
    struct Adpa(u32) {
        16:16 force_trigger => bool;
    }
}

/// `PCH_ADPA` after a write of `value`: a detection that was forced is over.
pub fn adpa(value: u32) -> u32 {
    Adpa::from_raw(value).with_force_trigger(false).into_raw()
}

bitfield! {
    /// `SOUTH_CHICKEN2`.
    struct SouthChicken2(u32) {
        13:13 mphy_reset_status => bool;
        12:12 mphy_reset => bool;
    }
}

/// `SOUTH_CHICKEN2` after a write of `value`.
pub fn south_chicken2(value: u32) -> u32 {
    let chicken = SouthChicken2::from_raw(value);
    chicken
        .with_mphy_reset_status(chicken.mphy_reset())
        .into_raw()
}

bitfield! {
    /// `PCH_PP_CONTROL`.
    struct PanelPowerControl(u32) {
        0:0 on => bool;
    }
}

bitfield! {
    /// `PCH_PP_STATUS`.
    struct PanelPowerStatus(u32) {
        31:31 on => bool;
        29:28 sequence;
        27:27 cycle_delay => bool;
        3:0 state;
    }
}

/// `PCH_PP_STATUS` after a write of `value` to `PCH_PP_CONTROL`: a panel is on or off, and never on
/// its way.
pub fn panel_power_status(status: u32, value: u32) -> u32 {
    let status = PanelPowerStatus::from_raw(status)
        .with_const_sequence::<0>()
        .with_cycle_delay(false);
    if PanelPowerControl::from_raw(value).on() {
        status.with_on(true).with_const_state::<8>().into_raw()
    } else {
        status.with_on(false).with_const_state::<0>().into_raw()
    }
}

bitfield! {
    /// `PS_CTRL`, of a scaler of Gen9.
    struct ScalerControl(u32) {
        31:31 enable => bool;
        /// 0 is the pipe, others are planes.
        27:25 binding;
    }
}

/// `PS_CTRL` after a write of `value` where it was `old`. Scaled planes cannot be told to a VMM, so
/// that no scaler is bound to one: such a write changes nothing.
pub fn scaler_control(old: u32, value: u32) -> u32 {
    if ScalerControl::from_raw(value).binding() == 0 {
        value
    } else {
        old
    }
}

/// Registers behind the sideband interface that are remembered; a guest writes eight or so.
const SIDEBAND_REGISTERS: usize = 20;

bitfield! {
    /// `SBI_CTL_STAT`.
    struct SidebandControl(u32) {
        15:8 operation;
        2:1 failure;
        0:0 busy => bool;
    }
}

bitfield! {
    /// `SBI_ADDR`.
    struct SidebandAddress(u32) {
        31:16 address;
    }
}

const CONFIGURATION_READ: u32 = 6;
const CONFIGURATION_WRITE: u32 = 7;

/// The sideband interface of the PCH, by which clocks are set up: what is written is read.
#[derive(Debug, Default)]
pub struct Sideband {
    /// Address and value. An address of 16 bits that was never written is none.
    registers: [Option<(u32, u32)>; SIDEBAND_REGISTERS],
}

impl Sideband {
    /// Takes a write of `value` to `SBI_CTL_STAT`, with `SBI_ADDR` and `SBI_DATA` as they are.
    ///
    /// Returns what `SBI_CTL_STAT` then is: done, and well. A register beyond those that there is
    /// room for is not remembered.
    pub fn write_control(&mut self, value: u32, address: u32, data: u32) -> u32 {
        let control = SidebandControl::from_raw(value);
        if control.operation() == CONFIGURATION_WRITE {
            let address = SidebandAddress::from_raw(address).address().get();
            let slot = self
                .registers
                .iter_mut()
                .find(|slot| slot.is_none_or(|(known, _)| known == address));
            if let Some(slot) = slot {
                *slot = Some((address, data));
            }
        }
        control
            .with_busy(false)
            .with_const_failure::<0>()
            .into_raw()
    }

    /// What a read of `SBI_DATA` gives, where `data` was written last.
    pub fn read_data(&self, control: u32, address: u32, data: u32) -> u32 {
        if SidebandControl::from_raw(control).operation() != CONFIGURATION_READ {
            return data;
        }
        let address = SidebandAddress::from_raw(address).address().get();
        self.registers
            .iter()
            .flatten()
            .find(|(known, _)| *known == address)
            .map_or(0, |(_, value)| *value)
    }
}
