// SPDX-License-Identifier: GPL-2.0

//! Which registers of the hardware the commands of a guest reach, on all GPUs.

use kernel::prelude::*;

#[kunit_tests(gvt_reach)]
mod gvt_reach {
    use super::*;
    use crate::worker::{
        Worker,
        CONTEXT_A, //
    };
    use gvt_model::{
        engine::{
            EngineId,
            Engines, //
        },
        mmio::{
            map::RegisterMap,
            switched::{
                handed,
                switched,
                Written, //
            },
        },
        platform::Platform, //
    };

    const LOAD: u32 = 0x22 << 23 | 1;
    const LENGTH: u32 = 0xff;
    const PIPE_CONTROL: u32 = 0x7a00_0004;
    const WRITES_REGISTER: u32 = 1 << 23 | 1 << 14;
    const NOPID: u32 = 0x94;
    /// The place of the ring's head in the state of a context.
    const HEAD: u32 = 5;
    /// The root of page tables, for which the shadow's is loaded.
    const ROOT: core::ops::Range<u32> = 0x270..0x290;
    /// A piece of what there is to load, that has room in a ring.
    const PIECE: usize = 64;

    /// What each engine saves with a context, from the first to the last: EXCC, MI_MODE, INSTPM, PR_CTR, its
    /// general purpose registers.
    const IMAGE: [(u32, u32); 5] = [
        (0x28, 0x28),
        (0x9c, 0x9c),
        (0xc0, 0xc0),
        (0x178, 0x17c),
        (0x600, 0x63c),
    ];
    /// And the render engine: threads and statistics, indirect draws, stream output, chicken bits of the pipeline,
    /// the L3's share, chicken bits of the data port, of samplers and rows.
    const RENDER_IMAGE: [(u32, u32); 17] = [
        (0x2290, 0x2294),
        (0x2300, 0x2354),
        (0x2420, 0x2420),
        (0x2430, 0x243c),
        (0x5200, 0x521c),
        (0x5240, 0x525c),
        (0x5280, 0x528c),
        (0x5588, 0x5588),
        (0x7000, 0x7018),
        (0x7034, 0x7034),
        (0x7300, 0x7304),
        (0x83a4, 0x83a4),
        (0xe100, 0xe100),
        (0xe180, 0xe188),
        (0xe194, 0xe194),
        (0xe4f0, 0xe4f0),
        (0xe4f4, 0xe4f4),
    ];
    /// And the blitter: how it tiles.
    const BLITTER_IMAGE: [(u32, u32); 1] = [(0x2_2200, 0x2_2200)];

    /// Of what is handed over, what batches without privilege can be let write.
    const USERS: [u32; 3] = [0x20ec, 0x2248, 0xb118];

    fn map(platform: Platform) -> Result<RegisterMap> {
        let engines = EngineId::ALL.into_iter().fold(Engines::NONE, Engines::with);
        RegisterMap::new(platform, engines, &[])
    }

    fn in_image(engine: EngineId, offset: u32) -> bool {
        let inside = offset.wrapping_sub(engine.mmio_base());
        let more = match engine {
            EngineId::Rcs0 => &RENDER_IMAGE[..],
            EngineId::Bcs0 => &BLITTER_IMAGE[..],
            _ => &[],
        };
        let within =
            |place: u32| move |(first, last): &(u32, u32)| (*first..=*last).contains(&place);
        IMAGE.iter().any(within(inside)) || more.iter().any(within(offset))
    }

    /// What the hardware gets of commands of a guest; `None` if they are refused.
    fn run(worker: &mut Worker, words: &[u32]) -> Result<Option<KVVec<u32>>> {
        worker.ring(CONTEXT_A, words);
        // From the start of the ring on again.
        worker.set_state(CONTEXT_A, HEAD, 0);
        worker.submit(&[(CONTEXT_A, 7)])?;
        let commands = worker.launch();
        if commands.is_some() {
            worker.complete(true);
        } else {
            worker.reset_engine()?;
            worker.enable()?;
        }
        Ok(commands)
    }

    /// The registers that a guest's commands can write, of an engine.
    fn written(map: &RegisterMap, engine: EngineId) -> Result<KVec<u32>> {
        let mut registers = KVec::new();
        for offset in map.offsets() {
            let root = ROOT.contains(&offset.wrapping_sub(engine.mmio_base()));
            if map.writers(offset).contains(engine) && !root {
                registers.push(offset, GFP_KERNEL)?;
            }
        }
        Ok(registers)
    }

    /// Which of the registers the hardware gets a value for.
    fn reached(worker: &mut Worker, engine: EngineId, registers: &[u32]) -> Result<KVec<u32>> {
        let mut reached = KVec::new();
        for piece in registers.chunks(PIECE) {
            let mut words = KVec::new();
            for register in piece {
                // A value that all of them take: none for RING_FORCE_TO_NONPRIV.
                let value = EngineId::Rcs0.mmio_base() | NOPID;
                words.extend_from_slice(&[LOAD, *register, value], GFP_KERNEL)?;
            }
            // A tail is at an even word.
            words.push(0, GFP_KERNEL)?;
            let even = words.len() & !1;
            let words = words.get(..even).unwrap_or_default();
            let commands = run(worker, words)?.ok_or(EINVAL)?;
            for load in commands.chunks_exact(3) {
                let [header, register, _] = *load else {
                    continue;
                };
                assert_eq!(header & !LENGTH, LOAD & !LENGTH);
                if register != engine.mmio_base() | NOPID {
                    reached.push(register, GFP_KERNEL)?;
                }
            }
        }
        Ok(reached)
    }

    /// How many registers of the hardware the commands of an engine reach, all of which stay with their guest.
    // A frame of its own: a worker takes much of a kernel stack.
    #[inline(never)]
    fn staying(platform: Platform, engine: EngineId) -> Result<usize> {
        let map = map(platform)?;
        let registers = written(&map, engine)?;
        let mut worker = Worker::on(map, engine)?;
        let reached = reached(&mut worker, engine, &registers)?;
        for offset in reached.iter().copied() {
            let handed = handed(platform, engine).any(|register| register.offset == offset);
            let mut table = switched(platform).iter();
            let switched =
                table.any(|row| row.engine == engine && row.offset == offset && row.in_context);
            let stays = handed || switched || in_image(engine, offset);
            assert_eq!((!stays).then_some((platform, engine, offset)), None);
        }
        Ok(reached.len())
    }

    #[test]
    fn what_a_command_writes_stays_with_its_guest() -> Result {
        let mut count = 0;
        for platform in Platform::ALL {
            for engine in EngineId::ALL {
                count += staying(platform, engine)?;
            }
        }
        assert!(count > 1000);
        Ok(())
    }

    /// What goes nowhere is there for the guest to read all the same.
    #[test]
    fn how_an_engine_is_driven_is_the_hosts() -> Result {
        for platform in Platform::ALL {
            for engine in EngineId::ALL {
                let base = engine.mmio_base();
                let page = match engine {
                    EngineId::Rcs0 => 0x2180,
                    EngineId::Vcs0 => 0x4180,
                    EngineId::Bcs0 => 0x4280,
                    EngineId::Vecs0 => 0x4380,
                    EngineId::Vcs1 => base | 0x134,
                };
                let mut worker = Worker::on(map(platform)?, engine)?;
                for offset in [base | 0x244, base | 0x134, base | 0x40, page] {
                    let words = [LOAD, offset, 0x0008_0000, 0];
                    let commands = run(&mut worker, &words)?.ok_or(EINVAL)?;
                    assert!(*commands == [LOAD, base | NOPID, 0, 0]);
                    assert_eq!(worker.register(offset)?, 0x0008_0000);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn what_i915_needs_reaches_the_hardware() -> Result {
        // Of the workarounds of its contexts, and of their batches.
        let render = [
            0x209c, 0x20c0, 0x7000, 0x7004, 0x7008, 0x7014, 0x7300, 0xb118, 0xe180, 0xe184, 0xe188,
            0xe194, 0xe4f0, 0xe4f4,
        ];
        let newer = [0x2088, 0x2090, 0x2580, 0xb020, 0xc800];
        for platform in Platform::ALL {
            let mut worker = Worker::on(map(platform)?, EngineId::Rcs0)?;
            assert_eq!(
                reached(&mut worker, EngineId::Rcs0, &render)?.len(),
                render.len()
            );
            if platform != Platform::Broadwell {
                assert_eq!(
                    reached(&mut worker, EngineId::Rcs0, &newer)?.len(),
                    newer.len()
                );
            }
        }
        Ok(())
    }

    #[test]
    fn a_flush_writes_what_a_load_does() -> Result {
        let mut worker = Worker::on(map(Platform::Skylake)?, EngineId::Rcs0)?;
        let words = [PIPE_CONTROL, WRITES_REGISTER, 0x7004, 0, 0x10_0010, 0];
        let commands = run(&mut worker, &words)?.ok_or(EINVAL)?;
        assert!(*commands == words);
        // What goes nowhere is left out, and the flush is not.
        let words = [PIPE_CONTROL, WRITES_REGISTER | 0x20, 0x4090, 0, 1, 0];
        let commands = run(&mut worker, &words)?.ok_or(EINVAL)?;
        assert!(*commands == [PIPE_CONTROL, 0x20, 0x4090, 0, 1, 0]);
        assert_eq!(worker.register(0x4090)?, 1);
        Ok(())
    }

    /// Otherwise the next who gets the engine would find what the last one's commands wrote.
    #[test]
    fn what_commands_can_write_is_known_when_it_changes_hands() -> Result {
        for platform in Platform::ALL {
            for engine in EngineId::ALL {
                assert!(handed(platform, engine).count() <= Written::MAX);
                let wrong = handed(platform, engine)
                    .find(|register| register.by_users != USERS.contains(&register.offset));
                assert_eq!(wrong, None);
            }
        }
        let number = |offset| {
            let mut all = handed(Platform::Skylake, EngineId::Rcs0);
            all.position(|register| register.offset == offset)
        };
        let (mocs, chicken) = (number(0xc804), number(0x2088));
        let (mocs, chicken) = (mocs.ok_or(EINVAL)?, chicken.ok_or(EINVAL)?);
        for (words, noted) in [
            (&[LOAD, 0xc804, 3, 0][..], [true, false]),
            (&[LOAD, 0x2088, 0x1_0001, 0], [false, true]),
            (&[LOAD + 2, 0xc804, 3, 0x2088, 0x1_0001, 0], [true, true]),
            // In the image of the context.
            (&[LOAD, 0x7004, 0x1_0001, 0], [false, false]),
            // Nothing for the hardware.
            (&[LOAD, 0x4090, 1, 0], [false, false]),
        ] {
            let mut worker = Worker::on(map(Platform::Skylake)?, EngineId::Rcs0)?;
            assert!(run(&mut worker, words)?.is_some());
            let found = [mocs, chicken].map(|number| worker.written.contains(number));
            assert_eq!(found, noted);
        }
        Ok(())
    }
}
