// SPDX-License-Identifier: GPL-2.0

//! The register table, and how accesses become accesses to whole registers.

use kernel::prelude::*;

#[kunit_tests(gvt_registers)]
mod gvt_registers {
    use super::*;
    use crate::fakes::{
        engines,
        setup,
        HostConfig,
        Machine,
        Text,
        BAR0, //
    };
    use gvt_model::{
        counters::Counters,
        effect::{
            Note,
            Refusal, //
        },
        engine::{
            EngineId,
            Engines, //
        },
        mmio::map::RegisterMap,
        platform::Platform, //
    };

    /// Plain registers of the render engine.
    const RING_TAIL: u32 = 0x2030;
    const RING_HEAD: u32 = 0x2034;
    /// A register with a mask.
    const CS_CHICKEN: u32 = 0x2580;
    /// No register is there.
    const NOTHING: u32 = 0x2_8000;
    const NONPRIV: u32 = 0x24d0;

    #[test]
    fn no_register_is_in_the_table_twice() -> Result {
        let all = EngineId::ALL.into_iter().fold(Engines::NONE, Engines::with);
        for platform in Platform::ALL {
            for engines in [Engines::NONE, engines(), all] {
                let map = RegisterMap::new(platform, engines, &[])?;
                assert_eq!(map.platform(), platform);
                assert_eq!(map.engines(), engines);
            }
        }
        Ok(())
    }

    #[test]
    fn rows_are_found() -> Result {
        let skylake = RegisterMap::new(Platform::Skylake, engines(), &[])?;
        let broadwell = RegisterMap::new(Platform::Broadwell, engines(), &[])?;
        for (offset, name, old_one) in [
            (0x0_2030, "RING_TAIL", true),
            (0x2_2030, "RING_TAIL", true),
            (0x4_430c, "GEN8_GT_IER", true),
            (0x4_433c, "GEN8_GT_IER", true),
            (0x0_c900, "GEN9_MFX0_MOCS", false),
            (0x7_8ffc, "PVINFO", true),
            (0x14_5400, "MCHBAR_MIRROR", true),
            (0x14_5998, "GEN6_RP_STATE_LIMITS", true),
        ] {
            assert_eq!(skylake.find(offset).map(|row| row.name), Some(name));
            let expected = old_one.then_some(name);
            assert_eq!(broadwell.find(offset).map(|row| row.name), expected);
        }
        // No such engine, the register after the last, and what is not BAR0's.
        for offset in [
            0x1_c030,
            0x4_4340,
            0x7_9000,
            0x1f_fffc,
            0x20_0000,
            0xffff_fffc,
        ] {
            assert!(skylake.find(offset).is_none());
        }
        Ok(())
    }

    #[test]
    fn commands_write_registers_of_their_engine() -> Result {
        let map = RegisterMap::new(Platform::Skylake, engines(), &[])?;
        for (offset, writer) in [
            (0x0_2580, Some(EngineId::Rcs0)),
            (0x0_7300, Some(EngineId::Rcs0)),
            (0x0_c800, Some(EngineId::Rcs0)),
            (0x0_c900, Some(EngineId::Vcs0)),
            (0x0_cb00, Some(EngineId::Vecs0)),
            (0x0_cc00, Some(EngineId::Bcs0)),
            (0x0_cd00, None),
            (0x1_a244, Some(EngineId::Vecs0)),
            (0x2_229c, Some(EngineId::Bcs0)),
            (0x2_2230, None),
            (0x4_4200, None),
            (NOTHING, None),
        ] {
            for id in EngineId::ALL {
                assert_eq!(map.writers(offset).contains(id), writer == Some(id));
            }
        }
        Ok(())
    }

    /// The VGA plane, ports that send nothing, engines that have nothing to do.
    #[test]
    fn what_is_off_says_so_from_the_start() -> Result {
        let mut machine = Machine::new()?;
        assert_eq!(machine.register(0x4_1000)?, 1 << 31);
        for port in [0x6_4000, 0x6_4100, 0x6_4200, 0x6_4400] {
            assert_eq!(machine.register(port)?, 1 << 7);
        }
        for id in engines().iter() {
            assert_eq!(machine.register(id.mmio_base() | 0x6c)?, u32::MAX);
        }
        Ok(())
    }

    #[test]
    fn narrow_accesses_are_parts_of_registers() -> Result {
        let mut machine = Machine::new()?;
        machine.put(BAR0, RING_TAIL.into(), 8, 0x0807_0605_0403_0201)?;
        assert_eq!(machine.register(RING_TAIL)?, 0x0403_0201);
        assert_eq!(machine.register(RING_HEAD)?, 0x0807_0605);
        for (offset, width, value, expected) in [
            (0x2031, 1, 0xff, 0x0403_ff01),
            (0x2032, 2, 0xaabb, 0xaabb_ff01),
            (0x2033, 1, 0x00, 0x00bb_ff01),
            (0x2030, 2, 0x1234, 0x00bb_1234),
        ] {
            machine.put(BAR0, offset, width, value)?;
            assert_eq!(machine.register(RING_TAIL)?, expected);
            assert_eq!(machine.get(BAR0, offset, width)?, value);
        }
        assert_eq!(machine.register(RING_HEAD)?, 0x0807_0605);
        Ok(())
    }

    #[test]
    fn narrow_writes_do_not_get_around_handlers() -> Result {
        // gvt-spec 12.1-5: the C driver looks for a register at 0x24d1, and finds none.
        let mut machine = Machine::new()?;
        machine.set(NONPRIV, 0x7014)?;
        for (offset, width, value) in [(0x24d1, 1, 0x20), (0x24d0, 1, 0x30), (0x24d2, 2, 0x0012)] {
            machine.put(BAR0, offset, width, value)?;
            assert_eq!(machine.effects.notes().count(), 1);
            assert_eq!(machine.register(NONPRIV)?, 0x7014);
        }
        machine.put(BAR0, 0x24d0, 1, 0x10)?;
        assert_eq!(machine.register(NONPRIV)?, 0x7010);
        // RING_MODE: what cannot be had is not had in parts either.
        machine.get(BAR0, 0x7_8000, 8)?;
        machine.put(BAR0, 0x229c, 4, 0x8000_8000)?;
        machine.put(BAR0, 0x229d, 1, 0xff)?;
        assert_eq!(machine.register(0x229c)?, 0x8000);
        Ok(())
    }

    #[test]
    fn a_mask_selects_bits() -> Result {
        let mut machine = Machine::new()?;
        for (written, expected) in [
            (0xffff_1234, 0x1234),
            (0x0000_ffff, 0x1234),
            (0x000f_ffff, 0x123f),
            (0xff00_0000, 0x003f),
            (0x8001_8000, 0x803e),
        ] {
            machine.set(CS_CHICKEN, written)?;
            assert_eq!(machine.register(CS_CHICKEN)?, expected);
        }
        // Without the mask nothing is selected, and the mask alone has nothing to say.
        for (offset, width) in [
            (0x2580, 1),
            (0x2581, 1),
            (0x2580, 2),
            (0x2582, 2),
            (0x2583, 1),
        ] {
            machine.put(BAR0, offset, width, 0xffff)?;
            assert_eq!(machine.register(CS_CHICKEN)?, 0x803e);
        }
        Ok(())
    }

    #[test]
    fn what_is_read_only_stays() -> Result {
        let mut machine = Machine::new()?;
        for offset in [0x2234, 0x2238, 0x2370, 0x239c, 0x2_2370] {
            machine.set(offset, u32::MAX)?;
            assert_eq!(machine.register(offset)?, 0);
        }
        // RING_MI_MODE: idle.
        machine.set(0x209c, 0xffff_0000)?;
        assert_eq!(machine.register(0x209c)?, 0x200);
        machine.set(0x209c, 0xffff_ffff)?;
        assert_eq!(machine.register(0x209c)?, 0xffff);
        Ok(())
    }

    #[test]
    fn bytes_that_are_not_written_clear_nothing() -> Result {
        let mut machine = Machine::new()?;
        // FDI_RX_IIR cannot be set from here; DP_TP_STATUS has bits of both kinds.
        let status = 0x6_4044;
        machine.set(status, 0x00ff_00ff)?;
        assert_eq!(machine.register(status)?, 0x00ff_00ff);
        machine.put(BAR0, u64::from(status) + 1, 1, 0x12)?;
        assert_eq!(machine.register(status)?, 0x00ff_12ff);
        machine.set(status, 0xffff_ffff)?;
        // Bits that a 1 clears are not set by one.
        assert_eq!(machine.register(status)?, 0xf2ff_ffff);
        Ok(())
    }

    #[test]
    fn other_registers_are_memory_and_counted() -> Result {
        let mut machine = Machine::new()?;
        let note = Note::Untracked { offset: NOTHING };
        machine.set(NOTHING, 0x1234_5678)?;
        assert_eq!(machine.effects.notes().next(), Some(&note));
        assert!(Text::of(&note)
            .is("the guest uses register 0x28000, which is not modelled and just keeps its value"));
        assert_eq!(machine.register(NOTHING)?, 0x1234_5678);
        assert_eq!(machine.effects.notes().count(), 0);
        machine.put(BAR0, u64::from(NOTHING) + 8, 8, 1)?;
        assert_eq!(machine.effects.notes().count(), 0);
        let counted = Counters {
            reads: 1,
            writes: 3,
            untracked: 4,
            ..Counters::default()
        };
        assert_eq!(machine.vgpu.counters(), counted);
        assert_eq!(machine.env.hardware, None);
        machine.reset();
        assert_eq!(machine.register(NOTHING)?, 0);
        assert_eq!(machine.effects.notes().next(), Some(&note));
        Ok(())
    }

    #[test]
    fn a_refusal_is_told_and_counted() -> Result {
        let mut machine = Machine::new()?;
        machine.set(0x2080, 0x1000)?;
        let note = Note::Refused {
            offset: 0x2080,
            value: 0x1000,
            reason: Refusal::NotOwnMemory,
        };
        assert_eq!(machine.effects.notes().next(), Some(&note));
        assert!(Text::of(&note)
            .is("register 0x2080 does not take 0x1000: not in the graphics memory of the vGPU"));
        assert_eq!(machine.vgpu.counters().refused, 1);
        assert_eq!(machine.register(0x2080)?, 0);
        Ok(())
    }

    /// Values of the host everywhere, no byte of them 0.
    fn host_registers() -> Result<KVVec<u8>> {
        let mut bytes = KVVec::zeroed(2 << 20, GFP_KERNEL)?;
        bytes.fill(0xa5);
        Ok(bytes)
    }

    #[test]
    fn a_guest_sees_what_describes_the_gpu() -> Result {
        let config = HostConfig::new(1)?;
        for platform in Platform::ALL {
            let map = RegisterMap::new(platform, engines(), &host_registers()?)?;
            let mut machine = Machine::on(map, &setup(&config)?)?;
            for _ in 0..2 {
                for (offset, value) in [
                    // Fuses and clocks.
                    (0x0_9120, 0xa5a5_a5a5),
                    (0x0_9134, 0xa5a5_a5a5),
                    (0x4_2014, 0xa5a5_a5a5),
                    (0xc_2000, 0xa5a5_a5a5),
                    (0x14_5998, 0xa5a5_a5a5),
                    // How it is set up; of a mask nothing is seen.
                    (0x0_7004, 0xa5a5),
                    (0x0_b118, 0xa5a5_a5a5),
                    // What does not depend on the host.
                    (0x0_20a8, 0xffff_ffff),
                    (0x0_2098, 0xffff_ffff),
                    (0x0_209c, 0x200),
                    (0x4_4304, 0xffff_ffff),
                    (0xc_4004, 0xffff_ffff),
                    (0x0_c000, 1),
                ] {
                    assert_eq!(machine.register(offset)?, value);
                }
                machine.set(0xb118, 0)?;
                machine.reset();
            }
        }
        Ok(())
    }

    #[test]
    fn a_guest_sees_no_address_of_the_host() -> Result {
        // gvt-spec 12.1-24: the C driver starts with all registers of the host.
        let config = HostConfig::new(1)?;
        for platform in Platform::ALL {
            let map = RegisterMap::new(platform, engines(), &host_registers()?)?;
            let mut machine = Machine::on(map, &setup(&config)?)?;
            for base in [0x2000, 0x1_2000, 0x1_a000, 0x2_2000] {
                // RING_TAIL to RING_CTL, fetch addresses, ACTHD, HWS_PGA, batch addresses,
                // EXECLIST_STATUS, PDP0 to PDP3, RING_MODE, CSB.
                for (start, end) in [
                    (0x30, 0x3c),
                    (0x5c, 0x68),
                    (0x70, 0x80),
                    (0x140, 0x140),
                    (0x168, 0x168),
                    (0x230, 0x238),
                    (0x270, 0x29c),
                    (0x370, 0x3a0),
                ] {
                    for offset in (start..=end).step_by(4) {
                        assert_eq!(machine.register(base + offset)?, 0);
                    }
                }
            }
            // Contexts, old status pages, tiled resources; RC6; surfaces of planes, cursors and the
            // compressor; GuC and display firmware; reserved memory, VT-d units; fences.
            for offset in [
                0x2180, 0x4180, 0x4280, 0x4380, 0x4de0, 0x4df0, 0xd40, 0xd48, 0x7_019c, 0x7_01ac,
                0x7_0084, 0x7_029c, 0x4_3200, 0xc180, 0x8_0000, 0x8_f074, 0x10_82c0, 0x14_5400,
                0x14_5404, 0x14_5410, 0x14_5414, 0x10_0000, 0x10_007c,
            ] {
                assert_eq!(machine.register(offset)?, 0);
            }
            // No register that is not in the table.
            assert_eq!(machine.register(NOTHING)?, 0);
        }
        Ok(())
    }
}
