// SPDX-License-Identifier: GPL-2.0

//! What happens when there is no memory.

use kernel::prelude::*;

#[kunit_tests(gvt_alloc)]
mod gvt_alloc {
    use super::*;
    use crate::fakes::{
        registers,
        setup,
        HostConfig,
        Machine,
        CONFIG, //
    };
    use crate::worker::{
        Worker,
        CONTEXT_A, //
    };
    use gvt_model::{
        cmd::Flaw,
        effect::Note,
        engine::EngineId,
        vgpu::Vgpu, //
    };

    /// More allocations than a vGPU makes.
    const MANY: usize = 32;

    /// Lets the allocation after `count` others fail, where that can be done: in user space.
    #[cfg(not(CONFIG_RUST))]
    fn fail_after(count: Option<usize>) {
        kernel::testing::fail_after(count);
    }

    #[cfg(CONFIG_RUST)]
    fn fail_after(_: Option<usize>) {}

    /// How many allocations are held, where that can be told.
    #[cfg(not(CONFIG_RUST))]
    fn held() -> usize {
        kernel::testing::held()
    }

    #[cfg(CONFIG_RUST)]
    fn held() -> usize {
        0
    }

    #[test]
    fn a_vgpu_is_made_whole_or_not_at_all() -> Result {
        let host = HostConfig::new(1)?;
        let setup = setup(&host)?;
        let before = held();
        let mut failures = 0;
        for count in 0..MANY {
            fail_after(Some(count));
            let vgpu = Vgpu::new(&setup);
            fail_after(None);
            match vgpu {
                Ok(_) => break,
                Err(error) => assert_eq!(error, ENOMEM),
            }
            assert_eq!(held(), before);
            failures = count + 1;
        }
        assert_eq!(held(), before);
        // Configuration space twice, registers' values, the monitor's registers, the display, all
        // that belongs to registers, page table entries and their marks, the work of each of five
        // engines and its queue, what is known of shadows (3), a page of commands, all that belongs
        // to work, OpRegion, the region of the EDID, the vGPU.
        assert_eq!(failures, if cfg!(CONFIG_RUST) { 0 } else { 26 });
        Ok(())
    }

    #[test]
    fn a_register_map_is_made_whole_or_not_at_all() -> Result {
        let before = held();
        let mut failures = 0;
        for count in 0..MANY * MANY {
            fail_after(Some(count));
            let map = registers();
            fail_after(None);
            match map {
                Ok(_) => break,
                Err(error) => assert_eq!(error, ENOMEM),
            }
            assert_eq!(held(), before);
            failures = count + 1;
        }
        assert_eq!(held(), before);
        // A page to lay out, rows, page numbers, blocks, values: all but the first grow.
        let failed = failures >= 5;
        assert_eq!(failed, !cfg!(CONFIG_RUST));
        Ok(())
    }

    #[test]
    fn an_engine_hangs_without_memory_for_an_image() -> Result {
        let mut worker = Worker::new()?;
        worker.ring(CONTEXT_A, &[0, 0]);
        worker.submit(&[(CONTEXT_A, 7)])?;
        fail_after(Some(0));
        let launched = worker.launch().is_some();
        fail_after(None);
        assert_eq!(launched, cfg!(CONFIG_RUST));
        if launched {
            return Ok(());
        }
        // Nobody would come back for it otherwise.
        assert!(!worker.is_ready());
        assert!(worker.effects.notes().eq(&[Note::Hang {
            engine: EngineId::Bcs0,
            flaw: Flaw::Memory,
        }]));
        worker.reset_engine()?;
        worker.enable()?;
        worker.submit(&[(CONTEXT_A, 7)])?;
        assert!(worker.launch().is_some());
        worker.complete(true);
        Ok(())
    }

    #[test]
    fn a_vgpu_in_use_allocates_nothing() -> Result {
        let mut machine = Machine::new()?;
        fail_after(Some(0));
        let before = held();
        machine.put(CONFIG, 0x10, 4, 0xffff_ffff)?;
        machine.set(0x2080, 1)?;
        machine.set(0x941c, 1)?;
        machine.reset();
        assert_eq!(machine.get(CONFIG, 0x10, 4)?, 4);
        fail_after(None);
        assert_eq!(held(), before);
        Ok(())
    }
}
