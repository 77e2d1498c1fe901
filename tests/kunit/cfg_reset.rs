// SPDX-License-Identifier: GPL-2.0

//! What of the host's PCI configuration space a guest sees.

use kernel::prelude::*;

#[kunit_tests(gvt_cfg_reset)]
mod gvt_cfg_reset {
    use super::*;
    use crate::fakes::{
        setup,
        HostConfig,
        Machine,
        CONFIG, //
    };

    /// The words that are not 0, of a GPU with all kinds of capabilities.
    const WORDS: [(u64, u64); 24] = [
        (0x000, 0x1912_8086),
        (0x004, 0x0010_0000),
        (0x008, 0x0300_0006),
        (0x010, 0x0000_0004),
        (0x018, 0x0000_000c),
        (0x02c, 0x061b_1028),
        (0x034, 0x0000_0040),
        (0x03c, 0x0000_0100),
        (0x040, 0x010c_7009),
        (0x044, 0x0403_0201),
        (0x048, 0x0807_0605),
        (0x050, 0x0000_00c1),
        (0x054, 0x0000_0239),
        (0x060, 0x0003_0000),
        (0x070, 0x0092_ac10),
        (0x074, 0x1000_8000),
        (0x0ac, 0x0000_d005),
        (0x0d0, 0x0022_0001),
        (0x100, 0x2001_001b),
        (0x104, 0x0000_1402),
        (0x200, 0x3001_000f),
        (0x204, 0x0000_0020),
        (0x300, 0x0001_0013),
        (0x308, 0x0000_8000),
    ];

    #[test]
    fn only_what_the_gpu_is_stays() -> Result {
        // Whatever the state of the host is, the guest sees the same.
        for seed in [1, 7, 0x3f, 0x80, 0xff] {
            let host = HostConfig::new(seed)?;
            let mut machine = Machine::with(&setup(&host)?)?;
            for offset in (0..4096).step_by(4) {
                let word = WORDS.iter().find(|(at, _)| *at == offset);
                let expected = word.map_or(0, |(_, word)| *word);
                assert_eq!(machine.get(CONFIG, offset, 4)?, expected);
            }
        }
        Ok(())
    }

    #[test]
    fn the_bytes_are_those_of_the_words() -> Result {
        let mut machine = Machine::new()?;
        for (offset, word) in WORDS {
            for (at, byte) in (offset..).zip((word as u32).to_le_bytes()) {
                assert_eq!(machine.get(CONFIG, at, 1)?, u64::from(byte));
            }
            assert_eq!(machine.get(CONFIG, offset, 2)?, word & 0xffff);
            assert_eq!(machine.get(CONFIG, offset + 2, 2)?, word >> 16);
        }
        Ok(())
    }

    /// A machine on a GPU with these bytes changed.
    fn changed(changes: &[(usize, &[u8])]) -> Result<Machine> {
        let mut host = HostConfig::new(0x55)?;
        for (offset, bytes) in changes {
            host.put(*offset, bytes);
        }
        Machine::with(&setup(&host)?)
    }

    #[test]
    fn messages_keep_their_form() -> Result {
        for (control, kept) in [
            ([0x00, 0x00], 0x0000),
            ([0x01, 0x00], 0x0000),
            ([0x71, 0x00], 0x0000),
            ([0x8b, 0x01], 0x018a),
            ([0xff, 0xff], 0x018e),
        ] {
            let mut machine = changed(&[(0xae, &control)])?;
            assert_eq!(machine.get(CONFIG, 0xae, 2)?, kept);
            for offset in (0xb0..0xc4).step_by(4) {
                assert_eq!(machine.get(CONFIG, offset, 4)?, 0);
            }
        }
        Ok(())
    }

    #[test]
    fn power_state_is_d0() -> Result {
        // Only that leaving D3hot resets nothing stays of the control word.
        let mut machine = changed(&[(0xd4, &[0xff, 0xff, 0xff, 0xff])])?;
        assert_eq!(machine.get(CONFIG, 0xd4, 4)?, 0x0000_0008);
        Ok(())
    }

    #[test]
    fn a_list_with_a_loop_ends() -> Result {
        for (offset, next) in [(0x35, 0x40), (0x41, 0x40), (0x71, 0x40), (0xd1, 0x70)] {
            let mut machine = changed(&[(offset, &[next])])?;
            assert_eq!(machine.get(CONFIG, 0x40, 4)? & 0xff, 0x09);
        }
        // Extended: 0x100 to 0x200 and back.
        let mut machine = changed(&[(0x202, &[0x01, 0x10])])?;
        assert_eq!(machine.get(CONFIG, 0x200, 4)?, 0x1001_000f);
        assert_eq!(machine.get(CONFIG, 0x300, 4)?, 0);
        Ok(())
    }

    #[test]
    fn a_list_that_leads_astray_ends() -> Result {
        for next in [0x00, 0x01, 0x04, 0x3c, 0x3f] {
            let mut machine = changed(&[(0x34, &[next])])?;
            assert_eq!(machine.get(CONFIG, 0x40, 4)?, 0);
            assert_eq!(machine.get(CONFIG, 0xd0, 4)?, 0);
        }
        // At the very end of its part, where the body is outside.
        let mut machine = changed(&[(0x34, &[0xfc]), (0xfc, &[0x01, 0x00, 0x22, 0x00])])?;
        assert_eq!(machine.get(CONFIG, 0xfc, 4)?, 0x0022_0001);
        let mut machine = changed(&[(0x102, &[0xc1, 0xff]), (0xffc, &[0x13, 0x00, 0x01, 0x00])])?;
        assert_eq!(machine.get(CONFIG, 0xffc, 4)?, 0x0001_0013);
        Ok(())
    }

    #[test]
    fn without_lists_there_is_nothing() -> Result {
        let mut machine = changed(&[(0x06, &[0x00])])?;
        for offset in [0x40, 0x70, 0xac, 0xd0] {
            assert_eq!(machine.get(CONFIG, offset, 4)?, 0);
        }
        machine.put(CONFIG, 0xd4, 1, 3)?;
        assert!(!machine.vgpu.d3_entered());
        for header in [[0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff]] {
            let mut machine = changed(&[(0x100, &header)])?;
            for offset in (0x100..0x1000).step_by(4) {
                assert_eq!(machine.get(CONFIG, offset, 4)?, 0);
            }
        }
        Ok(())
    }

    #[test]
    fn unknown_capabilities_show_that_they_are_there() -> Result {
        let mut machine = changed(&[(0x70, &[0x42]), (0x200, &[0x42])])?;
        assert_eq!(machine.get(CONFIG, 0x70, 4)?, 0x0000_ac42);
        assert_eq!(machine.get(CONFIG, 0x74, 4)?, 0);
        assert_eq!(machine.get(CONFIG, 0x200, 4)?, 0x3001_0042);
        assert_eq!(machine.get(CONFIG, 0x204, 4)?, 0);
        // The list goes on behind it.
        assert_eq!(machine.get(CONFIG, 0xac, 4)?, 0x0000_d005);
        assert_eq!(machine.get(CONFIG, 0x300, 4)?, 0x0001_0013);
        Ok(())
    }

    #[test]
    fn a_short_express_capability_ends_where_it_does() -> Result {
        // Version 1: what would be its second device capabilities belongs to something else.
        let secret = [0xde, 0xad, 0xbe, 0xef];
        let mut machine = changed(&[(0x72, &[0x91]), (0x94, &secret)])?;
        assert_eq!(machine.get(CONFIG, 0x74, 4)?, 0x1000_8000);
        assert_eq!(machine.get(CONFIG, 0x94, 4)?, 0);
        let mut machine = changed(&[(0x94, &secret)])?;
        assert_eq!(machine.get(CONFIG, 0x94, 4)?, 0xefbe_adde);
        Ok(())
    }

    #[test]
    fn advanced_features_start_idle() -> Result {
        let bytes = [0x13, 0xac, 0x06, 0x03, 0xff, 0xff, 0xff, 0xff];
        let mut machine = changed(&[(0x70, &bytes)])?;
        assert_eq!(machine.get(CONFIG, 0x70, 4)?, 0x0306_ac13);
        assert_eq!(machine.get(CONFIG, 0x74, 4)?, 0);
        Ok(())
    }

    #[test]
    fn status_bits_of_the_host_are_gone() -> Result {
        let mut machine = changed(&[(0x04, &[0xff, 0xff, 0xff, 0xff])])?;
        assert_eq!(machine.get(CONFIG, 0x04, 4)?, 0x06b0_0000);
        // Writing 1 clears, writing 0 does nothing: nothing left to clear, nothing set.
        machine.put(CONFIG, 0x06, 2, 0xffff)?;
        assert_eq!(machine.get(CONFIG, 0x06, 2)?, 0x06b0);
        machine.put(CONFIG, 0x06, 2, 0)?;
        assert_eq!(machine.get(CONFIG, 0x06, 2)?, 0x06b0);
        Ok(())
    }
}
