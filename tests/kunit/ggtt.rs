// SPDX-License-Identifier: GPL-2.0

//! The GGTT: what the guest sees, and what the GPU is told of it.

use kernel::prelude::*;

#[kunit_tests(gvt_ggtt)]
mod gvt_ggtt {
    use super::*;
    use crate::fakes::{
        Machine,
        BAR0,
        MB,
        MEMORY_FRAMES, //
    };

    const WINDOW: u64 = 8 * MB;
    /// The first pages of the two ranges of a machine's vGPU.
    const LOW: u64 = 64 * MB / 4096;
    const HIGH: u64 = 1024 * MB / 4096;
    const GFX_FLSH_CNTL: u64 = 0x10_1008;

    fn entry(page: u64) -> u64 {
        WINDOW.wrapping_add(page.wrapping_mul(8))
    }

    fn present(gfn: u64) -> u64 {
        gfn.wrapping_mul(4096) | 1
    }

    #[test]
    fn an_entry_maps_its_frame_and_no_other_bit() -> Result {
        let mut machine = Machine::new()?;
        for page in [LOW, LOW + 1, HIGH, HIGH + 5] {
            // Bits 1 to 11 and those above the address are the guest's own business.
            machine.put(BAR0, entry(page), 8, present(3) | 0xffe0_0000_0000_0ffe)?;
            assert_eq!(machine.env.ggtt.target(page), Some(3));
            assert_eq!(
                machine.get(BAR0, entry(page), 8)?,
                present(3) | 0xffe0_0000_0000_0ffe
            );
        }
        assert_eq!(machine.env.ggtt.uses(3), 4);
        Ok(())
    }

    #[test]
    fn a_frame_is_released_when_its_entry_changes() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, entry(LOW), 8, present(3))?;
        machine.put(BAR0, entry(LOW), 8, present(4))?;
        assert_eq!(machine.env.ggtt.target(LOW), Some(4));
        assert_eq!(machine.env.ggtt.uses(3), 0);
        machine.put(BAR0, entry(LOW), 8, present(4) & !1)?;
        assert_eq!(machine.env.ggtt.target(LOW), None);
        assert_eq!(machine.env.ggtt.uses(4), 0);
        Ok(())
    }

    #[test]
    fn the_same_frame_again_tells_the_gpu_nothing() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, entry(LOW), 8, present(3))?;
        let told = machine.env.ggtt.told;
        machine.put(BAR0, entry(LOW), 8, present(3) | 2)?;
        machine.put(BAR0, entry(LOW + 1), 8, 0x5000)?;
        assert_eq!(machine.env.ggtt.told, told);
        Ok(())
    }

    #[test]
    fn two_halves_are_one_write_in_either_order() -> Result {
        for first in [0u64, 4] {
            let mut machine = Machine::new()?;
            machine.put(BAR0, entry(LOW), 8, present(5))?;
            let told = machine.env.ggtt.told;
            let value = present(6);
            let part = |half: u64| {
                if half == 0 {
                    value & 0xffff_ffff
                } else {
                    value >> 32
                }
            };
            let second = 4 - first;
            machine.put(BAR0, entry(LOW) + first, 4, part(first))?;
            // The GPU sees the old frame until the entry is whole.
            assert_eq!(machine.env.ggtt.target(LOW), Some(5));
            machine.put(BAR0, entry(LOW) + second, 4, part(second))?;
            assert_eq!(machine.env.ggtt.target(LOW), Some(6));
            assert_eq!(machine.env.ggtt.uses(5), 0);
            // One mapping, one release.
            assert_eq!(machine.env.ggtt.told, told + 2);
        }
        Ok(())
    }

    #[test]
    fn a_half_takes_effect_alone_when_something_else_comes() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, entry(LOW), 4, present(5))?;
        assert_eq!(machine.env.ggtt.target(LOW), None);
        machine.put(BAR0, entry(LOW + 1), 8, present(6))?;
        assert_eq!(machine.env.ggtt.target(LOW), Some(5));

        machine.put(BAR0, entry(HIGH), 4, present(7))?;
        machine.put(BAR0, GFX_FLSH_CNTL, 4, 1)?;
        assert_eq!(machine.env.ggtt.target(HIGH), Some(7));

        // A whole write takes the place of a half.
        machine.put(BAR0, entry(HIGH), 4, present(8))?;
        machine.put(BAR0, entry(HIGH), 8, present(9))?;
        assert_eq!(machine.env.ggtt.target(HIGH), Some(9));
        assert_eq!(machine.env.ggtt.uses(7), 0);
        assert_eq!(machine.env.ggtt.uses(8), 0);
        Ok(())
    }

    #[test]
    fn halves_need_no_memory() -> Result {
        // gvt-spec 12.1-22: only first halves, for every page there is.
        let mut machine = Machine::new()?;
        for page in 0..64 * MB / 4096 {
            machine.put(BAR0, entry(LOW + page), 4, present(page % MEMORY_FRAMES))?;
        }
        machine.put(BAR0, GFX_FLSH_CNTL, 4, 1)?;
        assert_eq!(machine.env.ggtt.target(LOW), Some(0));
        assert_eq!(machine.env.ggtt.pages_mapped(), 64 * MB / 4096);
        Ok(())
    }

    #[test]
    fn only_the_flush_register_flushes() -> Result {
        let mut machine = Machine::new()?;
        for offset in [GFX_FLSH_CNTL - 4, GFX_FLSH_CNTL + 4] {
            machine.put(BAR0, offset, 4, 1)?;
        }
        assert_eq!(machine.env.ggtt.flushes, 0);
        machine.put(BAR0, GFX_FLSH_CNTL, 4, 1)?;
        machine.put(BAR0, GFX_FLSH_CNTL, 8, 1)?;
        machine.put(BAR0, GFX_FLSH_CNTL + 2, 1, 1)?;
        assert_eq!(machine.env.ggtt.flushes, 3);
        Ok(())
    }

    #[test]
    fn a_frame_that_is_no_memory_leaves_the_scratch_page() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, entry(LOW), 8, present(3))?;
        machine.put(BAR0, entry(LOW), 8, present(MEMORY_FRAMES))?;
        assert_eq!(machine.env.ggtt.target(LOW), None);
        assert_eq!(machine.env.ggtt.uses(3), 0);
        // The guest sees what it wrote, and may mend it.
        assert_eq!(machine.get(BAR0, entry(LOW), 8)?, present(MEMORY_FRAMES));
        machine.put(BAR0, entry(LOW), 8, present(4))?;
        assert_eq!(machine.env.ggtt.target(LOW), Some(4));
        Ok(())
    }

    #[test]
    fn outside_the_ranges_nothing_happens() -> Result {
        let mut machine = Machine::new()?;
        let (low_end, high_end) = (LOW + 64 * MB / 4096, HIGH + 384 * MB / 4096);
        for page in [0, LOW - 1, low_end, HIGH - 1, high_end] {
            machine.put(BAR0, entry(page), 8, present(3))?;
            assert_eq!(machine.get(BAR0, entry(page), 8)?, 0);
        }
        assert_eq!(machine.env.ggtt.told, 0);
        Ok(())
    }

    #[test]
    fn what_is_withdrawn_is_not_pointed_at() -> Result {
        let mut machine = Machine::new()?;
        for page in 0..8 {
            machine.put(BAR0, entry(LOW + page), 8, present(page))?;
        }
        machine.put(BAR0, entry(HIGH), 4, present(4))?;
        let flushes = machine.env.ggtt.flushes;
        machine
            .vgpu
            .withdraw(3 * 4096 + 1, 2 * 4096, &mut machine.env);
        for page in 0..8 {
            let stays = !(3..6).contains(&page);
            assert_eq!(machine.env.ggtt.target(LOW + page), stays.then_some(page));
            assert_eq!(machine.get(BAR0, entry(LOW + page), 8)?, present(page));
        }
        assert_eq!(machine.env.ggtt.target(HIGH), None);
        assert_eq!(machine.env.ggtt.uses(4), 0);
        assert!(machine.env.ggtt.flushes > flushes);
        Ok(())
    }

    #[test]
    fn a_close_forgets_the_table() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, entry(LOW), 8, present(3))?;
        machine.put(BAR0, entry(HIGH), 4, present(4))?;
        machine.vgpu.close(&machine.registers, &mut machine.env);
        machine.env.ggtt.scrub();
        assert_eq!(machine.get(BAR0, entry(LOW), 8)?, 0);
        machine.put(BAR0, GFX_FLSH_CNTL, 4, 1)?;
        assert_eq!(machine.env.ggtt.pages_mapped(), 0);
        // Nothing is released that is not held: the fake would refuse.
        machine.put(BAR0, entry(LOW), 8, present(5))?;
        assert_eq!(machine.env.ggtt.target(LOW), Some(5));
        Ok(())
    }

    #[test]
    fn after_any_sequence_the_gpu_points_at_memory_that_is_held() -> Result {
        let mut machine = Machine::new()?;
        let mut seed = 0x2545_f491_4f6c_dd1du64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 16) % below
        };
        for _ in 0..20_000 {
            let range = if random(2) == 0 { LOW } else { HIGH };
            let at = entry(range + random(12));
            // A few frames more than there are.
            let value = present(random(MEMORY_FRAMES + 4)) & !random(2);
            match random(16) {
                0..=6 => machine.put(BAR0, at, 8, value)?,
                7..=12 => machine.put(BAR0, at + 4 * random(2), 4, value & 0xffff_ffff)?,
                13 => machine.put(BAR0, GFX_FLSH_CNTL, 4, 1)?,
                14 => {
                    let (start, pages) = (random(MEMORY_FRAMES), random(4));
                    machine
                        .vgpu
                        .withdraw(start * 4096, pages * 4096, &mut machine.env);
                }
                _ if random(40) == 0 => {
                    machine.reset();
                    machine.env.ggtt.scrub();
                }
                _ => (),
            }
            assert!(machine.env.ggtt.is_sound());
        }
        Ok(())
    }
}
