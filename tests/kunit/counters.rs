// SPDX-License-Identifier: GPL-2.0

//! What is counted of what a guest does.

use kernel::prelude::*;

#[kunit_tests(gvt_counters)]
mod gvt_counters {
    use super::*;
    use crate::fakes::{
        Machine,
        BAR0,
        BAR0_SIZE,
        CONFIG,
        EDID,
        MSI_CAP, //
    };
    use gvt_model::{
        counters::Counters,
        interrupt::Event, //
    };

    /// Plain memory of the render engine, and a register that takes own addresses only.
    const PLAIN: u32 = 0x2358;
    const HWS_PGA: u32 = 0x2080;
    const GGTT: u64 = 0x80_0000;

    #[test]
    fn registers_are_counted_in_pieces_of_four_bytes() -> Result {
        let mut machine = Machine::new()?;
        let plain = u64::from(PLAIN);
        machine.put(BAR0, plain, 8, 1)?;
        machine.put(BAR0, plain, 4, 1)?;
        machine.put(BAR0, plain + 3, 1, 1)?;
        machine.get(BAR0, plain, 8)?;
        machine.get(BAR0, plain + 2, 2)?;
        // These are no registers.
        machine.put(BAR0, GGTT, 8, 1)?;
        machine.put(BAR0, GGTT, 4, 1)?;
        machine.get(BAR0, GGTT, 8)?;
        machine.put(BAR0, 0x20_0000, 4, 1)?;
        machine.get(CONFIG, 0, 4)?;
        let expected = Counters {
            reads: 3,
            writes: 4,
            gtt_writes: 2,
            ..Counters::default()
        };
        assert_eq!(machine.vgpu.counters(), expected);
        machine.reset();
        assert_eq!(machine.vgpu.counters(), expected);
        Ok(())
    }

    #[test]
    fn messages_are_counted_across_resets() -> Result {
        let mut machine = Machine::new()?;
        for sent in 1..=2 {
            machine.put(CONFIG, u64::from(MSI_CAP) + 2, 2, 1)?;
            machine.set(0x4_4464, 0)?;
            machine.set(0x4_446c, u32::MAX)?;
            machine.set(0x4_4200, 1 << 31)?;
            machine.raise(Event::Gse);
            // The line is up.
            machine.raise(Event::Gse);
            assert_eq!(machine.vgpu.counters().messages, sent);
            machine.reset();
        }
        Ok(())
    }

    #[test]
    fn refusals_and_faults_have_their_causes() -> Result {
        let mut machine = Machine::new()?;
        machine.set(HWS_PGA, 0x1000)?;
        machine.put(BAR0, 0x10_0078, 8, 1)?;
        for (index, offset, width) in [
            (BAR0, BAR0_SIZE, 4),
            (BAR0, GGTT, 1),
            (BAR0, PLAIN.into(), 3),
            (1, 0, 4),
            (EDID, 20, 4),
        ] {
            assert!(machine.put(index, offset, width, 7).is_err());
        }
        let counters = machine.vgpu.counters();
        let mut names = 0;
        for (name, value) in counters.list() {
            names += 1;
            let expected = match name {
                "refused" => 2,
                "faults" => 5,
                "fault_width" => 2,
                "writes" => 3,
                "refused_not_own_memory" | "refused_no_such_fence" => 1,
                "fault_out_of_range" | "fault_no_region" | "fault_monitor" => 1,
                _ => 0,
            };
            assert_eq!(value, expected);
        }
        assert_eq!(names, 26);
        Ok(())
    }

    #[test]
    fn accesses_are_counted_while_somebody_wants_to_know() -> Result {
        let mut machine = Machine::new()?;
        machine.set(PLAIN, 1)?;
        assert_eq!(machine.vgpu.accesses().count(), 0);
        machine.vgpu.count_accesses(true)?;
        assert_eq!(machine.vgpu.accesses().count(), 0);
        machine.set(HWS_PGA, 0x1000)?;
        machine.put(BAR0, PLAIN.into(), 8, 1)?;
        machine.register(PLAIN)?;
        machine.register(PLAIN)?;
        machine.set(0x1f_fffc, 1)?;
        let expected = [
            (HWS_PGA, [0, 1]),
            (PLAIN, [2, 1]),
            (PLAIN + 4, [0, 1]),
            (0x1f_fffc, [0, 1]),
        ];
        assert!(machine.vgpu.accesses().eq(expected));
        machine.reset();
        assert!(machine.vgpu.accesses().eq(expected));
        machine.vgpu.count_accesses(true)?;
        assert_eq!(machine.vgpu.accesses().count(), 0);
        machine.register(PLAIN)?;
        machine.vgpu.count_accesses(false)?;
        assert_eq!(machine.vgpu.accesses().count(), 0);
        Ok(())
    }
}
