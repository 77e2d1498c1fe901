// SPDX-License-Identifier: GPL-2.0

//! Registers of the engines, and their reset.

use super::{
    Write,
    GUC_IN_RESET,
    GUC_STATUS, //
};
use crate::{
    addr::PAGE_SIZE,
    effect::{
        Failsafe,
        Refusal, //
    },
    engine::{
        EngineId,
        Engines,
        ENGINE_MMIO_SIZE, //
    },
    mmio::{
        registers::Registers,
        switched::stays, //
    },
    platform::Platform,
    vgpu::Host,
};

const RESET_REQUEST: u32 = 1 << 0;
const RESET_READY: u32 = 1 << 1;

/// Bits of GEN6_GDRST.
const GRDOM_FULL: u32 = 1 << 0;
const GRDOM_GUC: u32 = 1 << 5;
const GRDOM_ENGINES: [(u32, EngineId); 5] = [
    (1 << 1, EngineId::Rcs0),
    (1 << 2, EngineId::Vcs0),
    (1 << 3, EngineId::Bcs0),
    (1 << 4, EngineId::Vecs0),
    (1 << 7, EngineId::Vcs1),
];
/// A full reset does not reach the interrupts, nor the display behind them.
const GT_END: u32 = 0x4_4200;

/// Bits of RING_MODE that a vGPU does not have: GuC submission, and on some platforms the next.
const MODE_GUC: u32 = 1 << 0;
const MODE_GUC_VCS: u32 = 1 << 1;
const MODE_PPGTT: u32 = 1 << 9;
const MODE_EXECLISTS: u32 = 1 << 15;
/// RING_CONTEXT_STATUS_PTR, and that nothing was told.
const STATUS_PTR: u32 = 0x3a0;
const STATUS_NONE: u32 = 0x7;
/// Preemption in the middle of work, which submission on behalf of a guest does not expect.
pub(super) const CHICKEN_PREEMPTION: u32 = 0x18;

/// The part of RING_FORCE_TO_NONPRIV that is an address.
const NONPRIV_ADDRESS: u32 = 0x03ff_fffc;
const NONPRIV_RANGE: u32 = 0x3;
/// RING_NOPID: what i915 puts there to mean none.
const NOPID: u32 = 0x94;

/// What guests may ask to let their user batches write.
const NONPRIV: [u32; 31] = [
    0xd80, 0x20ec, 0x2248, 0x2340, 0x2348, 0x2350, 0x2580, 0x2690, 0x2694, 0x2698, 0x2754, 0x28a0,
    0x4de0, 0x4de4, 0x4dfc, 0x7010, 0x7014, 0x7300, 0x7304, 0x7700, 0x7704, 0x7708, 0x770c, 0x83a8,
    0xb110, 0xb118, 0xe100, 0xe18c, 0xe48c, 0xe5f4, 0x6_4844,
];

/// Whether guests may ask to let their user batches write a register.
pub(in crate::mmio) fn open_to_users(offset: u32) -> bool {
    NONPRIV.contains(&offset)
}

/// RING_RESET_CTL: ready as soon as it is asked.
pub(super) fn reset_ctl(value: u32) -> u32 {
    if value & RESET_REQUEST != 0 {
        value | RESET_READY
    } else {
        value & !RESET_READY
    }
}

/// RING_FORCE_TO_NONPRIV takes the registers above. A slot opens none for one whose value would stay in the
/// hardware when another user of the GPU comes.
pub(super) fn force_nonpriv(value: u32, platform: Platform) -> Result<u32, Refusal> {
    let address = value & NONPRIV_ADDRESS;
    let none = EngineId::Rcs0.mmio_base() | NOPID;
    if value & NONPRIV_RANGE != 0 || !(address == none || open_to_users(address)) {
        return Err(Refusal::NotForUsers);
    }
    let harmless = address == none || stays(platform, EngineId::Rcs0, address);
    Ok(if harmless { value } else { none })
}

/// Which of the low bits of RING_MODE a guest cannot have.
pub(super) const fn absent_modes(platform: Platform) -> u32 {
    match platform {
        Platform::Broadwell | Platform::Skylake | Platform::KabyLake | Platform::Broxton => {
            MODE_GUC
        }
        Platform::CoffeeLake | Platform::CometLake => MODE_GUC | MODE_GUC_VCS,
    }
}

impl Registers {
    /// RING_HWS_PGA: none, or a page of the vGPU.
    pub(super) fn hws_pga(&self, value: u32) -> Result<u32, Refusal> {
        let page = u64::from(value);
        let own = self.low.contains(page, PAGE_SIZE) || self.high.contains(page, PAGE_SIZE);
        if value == 0 || (own && page % PAGE_SIZE == 0) {
            Ok(value)
        } else {
            Err(Refusal::NotOwnMemory)
        }
    }

    /// RING_MODE: a guest that wants what there is not, or that does not know where it is, cannot
    /// work.
    pub(super) fn ring_mode(&mut self, write: &Write, host: &mut Host<'_>) -> u32 {
        let absent = absent_modes(host.registers.platform());
        let unaware = !self.knows_vgpus && write.sets(MODE_PPGTT | MODE_EXECLISTS);
        if write.sets(absent) || unaware {
            self.fail_safe(Failsafe::UnsupportedGuest, host.effects);
        }
        if write.sets(MODE_EXECLISTS) {
            if let Some(id) = EngineId::at(write.offset) {
                // Nothing was told yet.
                self.file.set(id.mmio_base() | STATUS_PTR, STATUS_NONE);
            }
        }
        write.value & !absent
    }

    /// RING_ELSP: keeps nothing.
    pub(super) fn write_port(&mut self, write: &Write) -> u32 {
        if let Some(id) = EngineId::at(write.offset) {
            self.requests.port = Some((id, write.value));
            self.requests.any = true;
        }
        0
    }

    /// CSFE_CHICKEN1.
    pub(super) fn csfe_chicken1(&mut self, write: &Write, host: &mut Host<'_>) -> u32 {
        if write.sets(CHICKEN_PREEMPTION) {
            self.fail_safe(Failsafe::UnsupportedGuest, host.effects);
        }
        write.value & !CHICKEN_PREEMPTION
    }

    fn request_reset(&mut self, engines: Engines) {
        self.requests.reset = self.requests.reset.and(engines);
        self.requests.any = true;
    }

    /// GEN6_GDRST: what is reset is as after power-on at once, and the register reads 0.
    pub(super) fn reset_engines(&mut self, value: u32, host: &Host<'_>) -> u32 {
        if value & GRDOM_FULL != 0 {
            self.restart(0..GT_END, host.registers);
            self.requests.page_sizes = true;
            self.request_reset(host.registers.engines());
            return 0;
        }
        for (bit, id) in GRDOM_ENGINES {
            if value & bit != 0 && host.registers.engines().contains(id) {
                let base = id.mmio_base();
                self.restart(base..base.saturating_add(ENGINE_MMIO_SIZE), host.registers);
                self.request_reset(Engines::NONE.with(id));
            }
        }
        if value & GRDOM_GUC != 0 {
            let status = self.file.get(GUC_STATUS);
            self.file.set(GUC_STATUS, status | GUC_IN_RESET);
        }
        0
    }
}
