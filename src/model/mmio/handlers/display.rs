// SPDX-License-Identifier: GPL-2.0

//! The registers of the virtual display: what [`crate::display`] makes of them.
//!
//! Vertical blanks are counted whenever somebody looks, and there need be a timer only while the
//! guest waits for one: a screen that stands still costs the host nothing.

use super::Write;
use crate::{
    display::{
        aux::Channel,
        flip::FlipRegister,
        gmbus,
        phy,
        port::{
            self,
            Fdi, //
        },
        reset::{
            hotplug,
            presets, //
        },
        timing::{
            self,
            Refresh,
            Timing, //
        },
        Ddi,
        Pipe, //
    },
    edid::Blocks,
    interrupt::{
        self,
        Event, //
    },
    mmio::{
        map::RegisterMap,
        registers::Registers,
        row::Slot, //
    },
    platform::Platform,
    vgpu::Host,
};

/// From one pipe, port or transcoder of the PCH to the next.
const PIPE_STRIDE: u32 = 0x1000;
const PORT_STRIDE: u32 = 0x100;

const FRAME_COUNT: u32 = 0x7_0040;
const DDI_BUF_CTL: u32 = 0x6_4000;
const DP_TP_CTL: u32 = 0x6_4040;
const DP_TP_STATUS: u32 = 0x6_4044;
const FDI_TX_CTL: u32 = 0x6_0100;
const FDI_RX_CTL: u32 = 0xf_000c;
const FDI_RX_IIR: u32 = 0xf_0014;
const FDI_RX_IMR: u32 = 0xf_0018;
const PCH_PP_STATUS: u32 = 0xc_7200;
/// BXT_PORT_CL1CM_DW0 of PHYs 0 and 1.
const COMMON_LANES: [u32; 2] = [0x6_c000, 0x16_2000];

/// The register of port E where `first` is that of port A.
const fn of_port_e(first: u32) -> u32 {
    first.saturating_add(PORT_STRIDE.saturating_mul(4))
}

/// The pipe of a register at `offset`.
fn pipe_of(offset: u32) -> Pipe {
    match offset & (PIPE_STRIDE | PIPE_STRIDE << 1) {
        0 => Pipe::A,
        PIPE_STRIDE => Pipe::B,
        _ => Pipe::C,
    }
}

/// The port whose AUX channel has its control register at `offset`.
fn channel_of(offset: u32) -> Option<Ddi> {
    Ddi::from_index(offset >> 8 & 7)
}

/// What a guest reads.
pub(super) fn read(slot: Slot, registers: &mut Registers, offset: u32, host: &mut Host<'_>) -> u32 {
    match slot {
        Slot::BxtTxDw3 => phy::tx_dw3(registers.file.get(offset)),
        Slot::PhyStatus => phy::phy_status(offset).unwrap_or(0),
        Slot::ScanLine => registers.scan_line(offset, host),
        Slot::FrameCount => {
            registers.run_display(host);
            registers.file.get(offset)
        }
        Slot::Gmbus => registers.read_gmbus(offset, host),
        _ => registers.file.get(offset),
    }
}

/// What becomes of a write: the accepted value.
pub(super) fn write(
    slot: Slot,
    registers: &mut Registers,
    write: &Write,
    host: &mut Host<'_>,
) -> u32 {
    let (offset, value) = (write.offset, write.value);
    match slot {
        Slot::Adpa => port::adpa(value),
        Slot::AuxControl => registers.write_aux(offset, value, host),
        Slot::BxtDisplayPower => {
            registers.power_phys(value);
            value
        }
        Slot::BxtPcsDw12 => {
            for lane in phy::group_lanes(offset).into_iter().flatten() {
                registers.file.set(lane, value);
            }
            value
        }
        Slot::BxtPhyCtlFamily => {
            let (lanes, state) = phy::phy_ctl_family(offset, value);
            for lane in lanes {
                registers.file.set(*lane, state);
            }
            value
        }
        Slot::DdiBufCtl => {
            if offset == of_port_e(DDI_BUF_CTL) {
                registers.change(of_port_e(DP_TP_STATUS), |status| {
                    port::fdi_status(status, value)
                });
            }
            port::ddi_buf_ctl(value)
        }
        Slot::DpTpCtl => {
            let status = offset.saturating_add(DP_TP_STATUS.saturating_sub(DP_TP_CTL));
            registers.change(status, |status| port::dp_tp_ctl_status(status, value));
            value
        }
        Slot::FdiRx => {
            registers.train_fdi(offset, value);
            value
        }
        Slot::Flip => {
            registers.flip(offset, value, host);
            value
        }
        Slot::Gmbus => {
            registers.write_gmbus(offset, value, host);
            value
        }
        Slot::PanelPower => {
            registers.change(PCH_PP_STATUS, |status| {
                port::panel_power_status(status, value)
            });
            value
        }
        Slot::PchTransConf => port::trans_conf(value),
        Slot::ScalerControl => port::scaler_control(write.old, value),
        Slot::TransConf => registers.configure_transcoder(offset, value, host),
        Slot::BxtTxDw3 | Slot::FrameCount | Slot::PhyStatus | Slot::ScanLine => value,
    }
}

impl Registers {
    /// Puts the registers of the display in `within` to how they are after a reset.
    pub(in crate::mmio) fn preset(&mut self, map: &RegisterMap, within: core::ops::Range<u32>) {
        let plugged = self.display.sink.is_plugged();
        for preset in presets(map.platform(), plugged) {
            if within.contains(&preset.offset) {
                self.change(preset.offset, |old| preset.apply(old));
            }
        }
    }

    fn change(&mut self, offset: u32, to: impl FnOnce(u32) -> u32) {
        let value = to(self.file.get(offset));
        self.file.set(offset, value);
    }

    /// Gives the guest another monitor, or takes it away, and tells it.
    pub(in crate::mmio) fn set_monitor(
        &mut self,
        edid: &Blocks,
        plugged: bool,
        map: &RegisterMap,
        effects: &mut crate::effect::Effects,
    ) {
        self.display.sink.ddc().set_edid(*edid);
        self.display.sink.plug(plugged);
        let (changes, port) = hotplug(map.platform(), plugged);
        for preset in changes {
            self.change(preset.offset, |old| preset.apply(old));
        }
        self.raise(Event::Hotplug(port), map, effects);
    }

    /// Counts the vertical blanks since the last time, raises their events and those of the flips
    /// that waited for them, and takes over the rates that the guest has set.
    pub(in crate::mmio) fn run_display(&mut self, host: &mut Host<'_>) {
        let now = host.env.now();
        let next = self.next_blank();
        for pipe in Pipe::ALL {
            let blank = self.display.blank(pipe).as_mut();
            let passed = blank.map_or(0, |blank| blank.pass(now));
            if passed == 0 {
                continue;
            }
            let count = FRAME_COUNT.saturating_add(pipe.offset());
            self.change(count, |frames| timing::frames_after(frames, passed));
            for plane in self.display.complete_flips(pipe) {
                self.raise(Event::FlipDone(pipe, plane), host.registers, host.effects);
            }
            self.raise(Event::Vblank(pipe), host.registers, host.effects);
        }
        self.take_rates(now, host.registers.platform());
        if self.next_blank() != next {
            host.effects.retime();
        }
    }

    fn take_rates(&mut self, now: u64, platform: Platform) {
        let file = &self.file;
        let register = |offset: u32| file.get(offset);
        for pipe in Pipe::ALL {
            let refresh = pipe.transcoder(&register).map(|transcoder| {
                timing::refresh(platform, transcoder, &register).unwrap_or(Refresh::DEFAULT)
            });
            self.display.set_refresh(pipe, refresh, now);
        }
    }

    /// When [`run_display`](Self::run_display) has to be called, on the clock of the vGPU; `None`
    /// if the guest waits for nothing.
    pub(in crate::mmio) fn next_blank(&self) -> Option<u64> {
        self.display
            .next_blank(|pipe| interrupt::wants_vblanks(pipe, &self.file))
            .filter(|_| self.failsafe().is_none())
    }

    fn scan_line(&mut self, offset: u32, host: &mut Host<'_>) -> u32 {
        let pipe = pipe_of(offset);
        self.run_display(host);
        let now = host.env.now();
        let file = &self.file;
        let register = |offset: u32| file.get(offset);
        let transcoder = pipe.transcoder(&register);
        let lines = transcoder.map(|transcoder| Timing::read(transcoder, &register).lines());
        let blank = self.display.blank(pipe).as_ref();
        blank.zip(lines).map_or_else(
            || file.get(offset),
            |(blank, lines)| blank.scan_line(now, lines),
        )
    }

    fn configure_transcoder(&mut self, offset: u32, value: u32, host: &mut Host<'_>) -> u32 {
        let value = port::trans_conf(value);
        // What has passed until now, and then from now on with what was written.
        self.run_display(host);
        self.file.set(offset, value);
        self.run_display(host);
        value
    }

    fn flip(&mut self, offset: u32, value: u32, host: &mut Host<'_>) {
        let Some(register) = FlipRegister::at(offset) else {
            return;
        };
        // A flip waits for the next vertical blank, and not for those that nobody counted yet.
        self.run_display(host);
        self.file.set(register.live(), value);
        if let Some(counter) = register.counter() {
            self.change(counter, |flips| flips.wrapping_add(1));
        }
        let control = self.file.get(register.control());
        if self.display.flip(register, value, control) {
            let done = Event::FlipDone(register.pipe, register.plane);
            self.raise(done, host.registers, host.effects);
        }
        host.effects.retime();
    }

    fn write_aux(&mut self, offset: u32, value: u32, host: &mut Host<'_>) -> u32 {
        let Some(port) = channel_of(offset) else {
            return value;
        };
        let places = (offset..).step_by(4).skip(1);
        let mut channel = Channel {
            control: self.file.get(offset),
            data: [0; 5],
        };
        for (data, place) in channel.data.iter_mut().zip(places.clone()) {
            *data = self.file.get(place);
        }
        let has_monitor = port == Ddi::from(host.registers.platform().info().monitor_port);
        let sink = has_monitor.then_some(&mut self.display.sink);
        let over = channel.write_control(value, sink);
        for (data, place) in channel.data.into_iter().zip(places) {
            self.file.set(place, data);
        }
        if over {
            self.raise(Event::Aux(port), host.registers, host.effects);
        }
        channel.control
    }

    /// Nothing is on the wires of GMBUS: the monitor is one for DisplayPort.
    fn read_gmbus(&mut self, offset: u32, host: &mut Host<'_>) -> u32 {
        let Some(register) = gmbus::Register::at(offset) else {
            return self.file.get(offset);
        };
        let answer = self.display.gmbus.read(register, None);
        if answer.interrupt {
            self.raise(Event::Gmbus, host.registers, host.effects);
        }
        answer.value
    }

    fn write_gmbus(&mut self, offset: u32, value: u32, host: &mut Host<'_>) {
        let Some(register) = gmbus::Register::at(offset) else {
            return;
        };
        if self.display.gmbus.write(register, value, None) {
            self.raise(Event::Gmbus, host.registers, host.effects);
        }
    }

    /// FDI_RX_CTL or FDI_RX_IMR, at `offset`, gets this value.
    fn train_fdi(&mut self, offset: u32, value: u32) {
        let pipe = pipe_of(offset);
        let at = |first: u32| first.saturating_add(pipe.offset());
        let register = |first: u32| {
            let place = at(first);
            if place == offset {
                value
            } else {
                self.file.get(place)
            }
        };
        let fdi = Fdi {
            tx_ctl: register(FDI_TX_CTL),
            rx_ctl: register(FDI_RX_CTL),
            rx_imr: register(FDI_RX_IMR),
            rx_iir: register(FDI_RX_IIR),
        };
        self.file.set(at(FDI_RX_IIR), fdi.trained());
        if offset == FDI_RX_CTL {
            let buffer = self.file.get(of_port_e(DDI_BUF_CTL));
            let training = self.file.get(of_port_e(DP_TP_CTL));
            self.change(of_port_e(DP_TP_STATUS), |status| {
                fdi.auto_trained(buffer, training, status)
            });
        }
    }

    fn power_phys(&mut self, value: u32) {
        let lanes = phy::common_lanes(COMMON_LANES.map(|place| self.file.get(place)), value);
        for (place, lane) in COMMON_LANES.into_iter().zip(lanes) {
            self.file.set(place, lane);
        }
    }
}
