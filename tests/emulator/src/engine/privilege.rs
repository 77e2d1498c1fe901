// SPDX-License-Identifier: GPL-2.0
//! What a batch without privilege may write.
//!
//! The blitter of Gen9 does not look: there it may write everything (CVE-2019-0155; `i915_cmd_parser.c` has that engine
//! as "unsafe without parser").
//!
//! Source: Broadwell and Skylake PRM volume 7, "User Mode Privileged Commands" and "User Mode Non-Privileged
//! Registers"; i915's per-engine whitelists fill the FORCE_TO_NONPRIV slots.

use crate::engine::{regs, EngineId};
use crate::gpu::Gpu;
use crate::platform::Gen;

/// Ranges of registers, as offsets from the engine's base, that any batch may write.
const PER_ENGINE: [(u32, u32); 2] = [(regs::CS_GPR, regs::CS_GPR + 0x7f), (regs::MI_PREDICATE_SRC0, 0x41f)];
/// Ranges of registers that a batch on the render engine may write.
const RENDER: [(u32, u32); 8] = [
    // Pipeline statistics.
    (0x2300, 0x235f),
    // MI_PREDICATE_RESULT_1/2 and the 3DPRIM registers.
    (0x23b8, 0x23bf),
    (0x2430, 0x2443),
    // GPGPU dispatch dimensions.
    (0x2500, 0x250b),
    // Stream output counters and offsets.
    (0x5200, 0x528f),
    // Cache and GT mode, L3 configuration.
    (0x7000, 0x700b),
    (0x7034, 0x7037),
    // Thread dispatch controls.
    (0xe400, 0xe407),
];
/// Tiling selection of the blitter.
const BCS_SWCTRL: u32 = 0x2_2200;
const SLOTS: u32 = 12;
/// Address bits of a FORCE_TO_NONPRIV slot.
const SLOT_ADDRESS: u32 = 0x03ff_fffc;

/// Whether a batch without privilege on this engine may write the register at `offset`.
pub fn may_write(gpu: &Gpu, id: EngineId, offset: u32) -> bool {
    if id == EngineId::Bcs && gpu.config.platform.gen == Gen::Gen9 {
        return true;
    }
    let within = |ranges: &[(u32, u32)], register: u32| ranges.iter().any(|(a, b)| (*a..=*b).contains(&register));
    let base = id.base();
    within(&PER_ENGINE, offset.wrapping_sub(base))
        || (id == EngineId::Rcs && within(&RENDER, offset))
        || (id == EngineId::Bcs && offset == BCS_SWCTRL)
        || (0..SLOTS)
            .map(|slot| gpu.bar0.load(base + regs::RING_FORCE_TO_NONPRIV + 4 * slot) & SLOT_ADDRESS)
            .any(|allowed| allowed != 0 && allowed == offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Config;
    use crate::platform::Platform;

    #[test]
    fn slots_open_one_register_each() {
        let gpu = Gpu::new(Config::new(Platform::by_name("skl").unwrap())).unwrap();
        assert!(may_write(&gpu, EngineId::Rcs, 0x2600));
        assert!(!may_write(&gpu, EngineId::Vcs0, 0x2600));
        assert!(may_write(&gpu, EngineId::Vcs0, 0x1_2600));
        assert!(!may_write(&gpu, EngineId::Rcs, 0x2230), "the submission port");
        assert!(!may_write(&gpu, EngineId::Rcs, 0x20ec));
        gpu.mmio_write(0x24d4, 0x20ec);
        assert!(may_write(&gpu, EngineId::Rcs, 0x20ec));
        assert!(!may_write(&gpu, EngineId::Rcs, 0x20e8));
    }

    #[test]
    fn the_blitter_of_gen9_obeys_anybody() {
        for (name, obeys) in [("bdw", false), ("skl", true), ("kbl", true)] {
            let gpu = Gpu::new(Config::new(Platform::by_name(name).unwrap())).unwrap();
            assert_eq!(may_write(&gpu, EngineId::Bcs, 0x2230), obeys);
            assert!(may_write(&gpu, EngineId::Bcs, 0x2_2600));
        }
    }
}
