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

/// `TRANSCONF` and `PCH_TRANSCONF` after a write of `value`: what shall be on is on.
pub fn trans_conf(value: u32) -> u32 {
    let configuration = TransConf::from_raw(value);
    configuration.with_state(configuration.enable()).into_raw()
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
