// SPDX-License-Identifier: GPL-2.0
//! The GT outside of its engines: forcewake, power, clocks, the power control unit's mailbox, fuses, reset.
//!
//! Values and handshakes are those that i915 polls for (`intel_uncore.c`, `intel_pcode.c`, `intel_rc6.c`, `intel_rps.c`).

use std::iter;

use crate::engine::Engine;
use crate::gpu::Gpu;
use crate::platform::{Gen, Platform};

const FORCEWAKE_MT: u32 = 0xa188;
const FORCEWAKE_MEDIA: u32 = 0xa270;
const FORCEWAKE_RENDER: u32 = 0xa278;
const FORCEWAKE_ACK_MT: u32 = 0x13_0044;
const FORCEWAKE_ACK_RENDER: u32 = 0xd84;
const FORCEWAKE_ACK_MEDIA: u32 = 0xd88;
const GDRST: u32 = 0x941c;
const GDRST_FULL: u32 = 1 << 0;
const GFX_FLSH_CNTL: u32 = 0x10_1008;
const TLB_REGISTERS: [u32; 5] = [0x4260, 0x4264, 0x4268, 0x426c, 0x4270];
const PCODE_MAILBOX: u32 = 0x13_8124;
const PCODE_DATA: u32 = 0x13_8128;
const PCODE_DATA1: u32 = 0x13_812c;
const PCODE_READY: u32 = 1 << 31;
const PCODE_ILLEGAL_COMMAND: u32 = 1;

/// The GT block. It holds no state of its own: everything is in BAR0.
pub struct Gt {}

impl Gt {
    /// A GT at power-on.
    pub fn new() -> Self {
        Self {}
    }

    /// Offsets that this block answers for.
    pub fn claims(platform: &'static Platform) -> impl Iterator<Item = u32> {
        let gen9 = [FORCEWAKE_MEDIA, FORCEWAKE_RENDER].into_iter().filter(|_| platform.gen >= Gen::Gen9);
        iter::once(FORCEWAKE_MT).chain(gen9).chain([GDRST, GFX_FLSH_CNTL, PCODE_MAILBOX]).chain(TLB_REGISTERS)
    }

    /// Sets every register of the GT to its power-on value.
    pub fn reset(&self, gpu: &Gpu) {
        let platform = gpu.config.platform;
        let set = |offset: u32, value: u32| gpu.bar0.store(offset, value);
        set(0x9120, platform.fuse2);
        for (index, value) in platform.eu_disable.into_iter().enumerate() {
            set(0x9134 + 4 * index as u32, value);
        }
        // RP_STATE_CAP and the current frequency, GEN6_GT_PERF_STATUS.
        set(0x14_5998, platform.rp_state_cap);
        set(0x14_5948, 0x0007_0000);
        // CTC_MODE: the shift that makes i915 compute the timestamp frequency of the crystal clock.
        set(0xa26c, 2 << 1);
        // RPM_CONFIG0: 24 MHz crystal.
        set(0xd00, 1 << 3);
        // GUC_STATUS: the GuC's processor is held in reset.
        set(0xc000, 1);
        // RC6_CTX_INFO: the render context of RC6 survived.
        set(0x8504, 0x1000);
        // MCHBAR mirror: two channels with one 8 Gbit DIMM each, and the memory clock.
        set(0x14_500c, 0x8);
        set(0x14_5010, 0x8);
        set(0x14_5e04, 0x8);
    }

    /// Reads a register; `offset` is one of [`Self::claims`].
    pub fn read(&self, gpu: &Gpu, offset: u32) -> u32 {
        match offset {
            GFX_FLSH_CNTL => 0,
            // It is done at once, or not at all.
            _ if TLB_REGISTERS.contains(&offset) => match asked(gpu, offset) {
                Some(engine) if engine.faults.keeps_translations() => gpu.bar0.load(offset),
                _ => 0,
            },
            _ => gpu.bar0.load(offset),
        }
    }

    /// Writes a register; `offset` is one of [`Self::claims`].
    pub fn write(&self, gpu: &Gpu, offset: u32, value: u32) {
        match offset {
            FORCEWAKE_MT => acknowledge(gpu, offset, FORCEWAKE_ACK_MT, value),
            FORCEWAKE_RENDER => acknowledge(gpu, offset, FORCEWAKE_ACK_RENDER, value),
            FORCEWAKE_MEDIA => acknowledge(gpu, offset, FORCEWAKE_ACK_MEDIA, value),
            GDRST => reset_domains(gpu, value),
            GFX_FLSH_CNTL => gpu.invalidate_ggtt(),
            PCODE_MAILBOX => mailbox(gpu, value),
            _ => {
                if let Some(engine) = asked(gpu, offset).filter(|_| value & 1 != 0) {
                    let keeps = engine.faults.keeps_translations();
                    gpu.bar0.store(offset, keeps.into());
                    if !keeps {
                        engine.invalidate_tlb();
                    }
                }
            }
        }
    }
}

impl Default for Gt {
    fn default() -> Self {
        Self::new()
    }
}

/// The engine whose TLB a register asks to forget.
fn asked(gpu: &Gpu, register: u32) -> Option<&Engine> {
    gpu.engines.iter().find(|engine| engine.id.tlb_register() == register)
}

/// A masked request register whose acknowledge follows at once: the domain never sleeps.
fn acknowledge(gpu: &Gpu, request: u32, ack: u32, value: u32) {
    let state = gpu.bar0.modify(request, value >> 16, value);
    gpu.bar0.store(ack, state & 0xffff);
}

fn reset_domains(gpu: &Gpu, domains: u32) {
    for engine in &gpu.engines {
        if domains & (GDRST_FULL | engine.id.reset_bit()) != 0 {
            engine.reset(gpu);
            engine.set_reset_values(gpu);
        }
    }
    // The bits read 0 once the reset is done, and it is.
    gpu.bar0.store(GDRST, 0);
}

/// Runs a request of the power control unit's mailbox.
fn mailbox(gpu: &Gpu, request: u32) {
    if request & PCODE_READY == 0 {
        gpu.bar0.store(PCODE_MAILBOX, request);
        return;
    }
    const READ_MEM_LATENCY: u32 = 0x06;
    const CDCLK_CONTROL: u32 = 0x07;
    const READ_OC_PARAMS: u32 = 0x0c;
    const MIN_FREQ_TABLE: u32 = 0x09;
    const WRITE_MIN_FREQ_TABLE: u32 = 0x08;
    const READ_RC6VIDS: u32 = 0x05;
    const WRITE_RC6VIDS: u32 = 0x04;
    const DISPLAY_IPS_CONTROL: u32 = 0x19;
    const DYNAMIC_DUTY_CYCLE: u32 = 0x1a;
    const SAGV_CONTROL: u32 = 0x21;
    const DISPLAY_FREQ: u32 = 0x17;
    const BDW_DISPLAY_FREQ_CHANGE: u32 = 0x18;

    let data = gpu.bar0.load(PCODE_DATA);
    let (answer, error) = match request & 0xff {
        READ_MEM_LATENCY => (if data == 0 { 0x0604_0402 } else { 0x100c_0a08 }, 0),
        CDCLK_CONTROL | SAGV_CONTROL => (1, 0),
        READ_RC6VIDS => (0, 0),
        MIN_FREQ_TABLE => (data, 0),
        READ_OC_PARAMS | WRITE_MIN_FREQ_TABLE | WRITE_RC6VIDS | DISPLAY_IPS_CONTROL => (0, 0),
        DYNAMIC_DUTY_CYCLE | DISPLAY_FREQ | BDW_DISPLAY_FREQ_CHANGE => (0, 0),
        unknown => {
            log::warn!("pcode mailbox: unknown command {unknown:#x}, data {data:#x}");
            (data, PCODE_ILLEGAL_COMMAND)
        }
    };
    gpu.bar0.store(PCODE_DATA, answer);
    gpu.bar0.store(PCODE_DATA1, 0);
    gpu.bar0.store(PCODE_MAILBOX, (request & !(PCODE_READY | 0xff)) | error);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineFault;
    use crate::gpu::Config;

    fn gpu(platform: &str) -> Gpu {
        Gpu::new(Config::new(Platform::by_name(platform).unwrap())).unwrap()
    }

    #[test]
    fn forcewake_is_acknowledged_bit_by_bit() {
        let gpu = gpu("skl");
        gpu.mmio_write(FORCEWAKE_RENDER, 0x0001_0001);
        gpu.mmio_write(FORCEWAKE_RENDER, 0x8000_8000);
        assert_eq!(gpu.mmio_read(FORCEWAKE_ACK_RENDER), 0x8001);
        gpu.mmio_write(FORCEWAKE_RENDER, 0x0001_0000);
        assert_eq!(gpu.mmio_read(FORCEWAKE_ACK_RENDER), 0x8000);
    }

    #[test]
    fn broadwell_has_one_forcewake_domain() {
        let gpu = gpu("bdw");
        gpu.mmio_write(FORCEWAKE_MT, 0x0001_0001);
        gpu.mmio_write(FORCEWAKE_RENDER, 0x0001_0001);
        assert_eq!(gpu.mmio_read(FORCEWAKE_ACK_MT), 1);
        assert_eq!(gpu.mmio_read(FORCEWAKE_ACK_RENDER), 0);
    }

    #[test]
    fn the_mailbox_answers_at_once_and_names_what_it_does_not_know() {
        let gpu = gpu("skl");
        gpu.mmio_write(PCODE_DATA, 0);
        gpu.mmio_write(PCODE_MAILBOX, PCODE_READY | 0x06);
        assert_eq!(gpu.mmio_read(PCODE_MAILBOX) & (PCODE_READY | 0xff), 0);
        assert_ne!(gpu.mmio_read(PCODE_DATA), 0);
        gpu.mmio_write(PCODE_MAILBOX, PCODE_READY | 0xee);
        assert_eq!(gpu.mmio_read(PCODE_MAILBOX) & (PCODE_READY | 0xff), PCODE_ILLEGAL_COMMAND);
    }

    #[test]
    fn reset_and_invalidation_requests_read_back_as_done() {
        let gpu = gpu("skl");
        let epoch = gpu.ggtt_epoch();
        for offset in TLB_REGISTERS.into_iter().chain([GDRST, GFX_FLSH_CNTL]) {
            gpu.mmio_write(offset, 1);
            assert_eq!(gpu.mmio_read(offset), 0, "{offset:#x}");
        }
        assert_ne!(gpu.ggtt_epoch(), epoch);
    }

    #[test]
    fn an_engine_that_keeps_its_translations_does_not_say_that_it_has_forgotten_them() {
        let gpu = gpu("skl");
        let [first, second, ..] = &gpu.engines[..] else { panic!("a GPU has engines") };
        first.inject(EngineFault::KeepTranslations);
        for (engine, answer) in [(first, 1), (second, 0)] {
            // It is not the one of power-on that is meant.
            engine.takes_invalidation();
            gpu.mmio_write(engine.id.tlb_register(), 1);
            assert_eq!(gpu.mmio_read(engine.id.tlb_register()), answer);
            assert_eq!(engine.takes_invalidation(), answer == 0);
        }
        first.faults.clear();
        assert_eq!(gpu.mmio_read(first.id.tlb_register()), 0);
        gpu.mmio_write(first.id.tlb_register(), 1);
        assert!(first.takes_invalidation());
    }
}
