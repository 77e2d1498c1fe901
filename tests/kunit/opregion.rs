// SPDX-License-Identifier: GPL-2.0

//! The OpRegion and its services.

use kernel::prelude::*;

#[kunit_tests(gvt_opregion)]
mod gvt_opregion {
    use super::*;
    use crate::fakes::{
        Machine,
        CONFIG,
        MEMORY,
        OPREGION, //
    };
    use gvt_model::{
        addr::Gpa,
        fault::{
            Fault,
            GuestFault, //
        },
        ports::GuestMemory,
        region::Position, //
    };

    /// The lines of 16 bytes that are not all 0, as the C driver has them.
    const LINES: [(u64, [u8; 16]); 19] = [
        (0x000, *b"IntelGraphicsMem"),
        (0x010, [8, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]),
        (0x050, [0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]),
        (0x1a0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0]),
        (0x400, *b"$VBT\0\0\0\0\0\0\0\0\0\0\0\0"),
        (0x410, *b"\0\0\0\0\x9b\0\x30\0\xf2\0\0\0\x30\0\0\0"),
        (0x430, *b"BIOS_DATA_BLOCK\0"),
        (0x440, *b"\xba\0\x16\0\xc2\0\x01\x07\0\0\0\0\0\0\0\0"),
        (0x450, *b"\x02\x89\0\0\0\0\0\x21\x04\0\xc6\x68\0\0\0\0"),
        (0x460, *b"\0\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0"),
        (0x470, *b"\x02\x40\0\x20\0\0\0\0\0\x40\0\xc6\x68\0\0\0"),
        (0x480, *b"\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0"),
        (0x490, *b"\0\x02\x10\0\x20\0\0\0\0\0\x20\0\xc6\x68\0\0"),
        (0x4a0, *b"\0\0\0\0\0\0\0\0\0\0\x08\0\0\0\0\0"),
        (0x4b0, *b"\0\0\x02\x20\0\x20\0\0\0\0\0\x10\0\xc6\x68\0"),
        (0x4c0, *b"\0\0\0\0\0\0\0\0\0\0\0\x09\0\0\0\0"),
        (0x4d0, *b"\0\0\0\x02\x30\0\x20\0\0\0\0\0\x0c\x13\0\0"),
        (0x4e0, [0; 16]),
        (0x1ff0, [0; 16]),
    ];

    #[test]
    fn the_image_is_that_of_the_c_driver() -> Result {
        let mut machine = Machine::new()?;
        for offset in 0..8192 {
            let line = LINES.iter().find(|(at, _)| *at == offset & !15);
            let byte = line.and_then(|(at, bytes)| bytes.get((offset - at) as usize));
            let expected = byte.copied().unwrap_or(0);
            assert_eq!(machine.get(OPREGION, offset, 1)?, u64::from(expected));
        }
        Ok(())
    }

    #[test]
    fn it_can_only_be_read_and_only_inside() -> Result {
        let mut machine = Machine::new()?;
        assert_eq!(machine.get(OPREGION, 0x10, 4)?, 8);
        assert_eq!(machine.get(OPREGION, 8188, 4)?, 0);
        for (offset, width) in [(8192, 1), (8192, 4), (1 << 32, 4), ((1 << 40) - 4, 4)] {
            let at = Position::new(OPREGION, offset)?;
            let outside = GuestFault::OutOfRange { at, width };
            assert_eq!(machine.get(OPREGION, offset, width), Err(outside.into()));
        }
        for (offset, width) in [(0, 4), (0x200, 1), (8188, 4), (8192, 1)] {
            let at = Position::new(OPREGION, offset)?;
            let fault = Fault::Guest(GuestFault::ReadOnly { at });
            assert_eq!(machine.put(OPREGION, offset, width, 0), Err(fault));
        }
        Ok(())
    }

    const ASLS: u64 = 0xfc;
    const SWSCI: u64 = 0xe8;
    const SELECT: u64 = 1 << 15;
    const TRIGGER: u64 = 1;
    const UNTOUCHED: u32 = 0x1234_5678;

    /// A machine with an OpRegion in guest memory that asks for `scic`.
    fn asking(scic: u32) -> Result<Machine> {
        let mut machine = Machine::new()?;
        machine.put(CONFIG, ASLS, 4, MEMORY)?;
        set(&mut machine, 0x200, scic)?;
        set(&mut machine, 0x204, UNTOUCHED)?;
        machine.env.accesses = 0;
        Ok(machine)
    }

    fn set(machine: &mut Machine, offset: u64, value: u32) -> Result {
        let gpa = Gpa::new(MEMORY + offset);
        machine.env.write_guest(gpa, &value.to_le_bytes())
    }

    fn word(machine: &mut Machine, offset: u64) -> Result<u32> {
        let mut bytes = [0; 4];
        machine
            .env
            .read_guest(Gpa::new(MEMORY + offset), &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Function and subfunction, with the indicator and a wrong exit status.
    const fn scic(function: u32, subfunction: u32) -> u32 {
        subfunction << 8 | 0xe0 | function << 1 | 1
    }

    #[test]
    fn queries_are_answered_with_nothing() -> Result {
        for (function, subfunction) in [(4, 0), (4, 1), (6, 0)] {
            let mut machine = asking(scic(function, subfunction))?;
            machine.put(CONFIG, SWSCI, 2, SELECT | TRIGGER)?;
            assert_eq!(word(&mut machine, 0x200)?, 0);
            assert_eq!(word(&mut machine, 0x204)?, 0);
        }
        Ok(())
    }

    #[test]
    fn everything_else_fails() -> Result {
        for function in 0..16 {
            for subfunction in [0, 1, 2, 3, 5, 11, 255] {
                if matches!((function, subfunction), (4, 0 | 1) | (6, 0)) {
                    continue;
                }
                let asked = scic(function, subfunction);
                let mut machine = asking(asked)?;
                machine.put(CONFIG, SWSCI, 4, SELECT | TRIGGER)?;
                assert_eq!(word(&mut machine, 0x200)?, asked & !0xe0);
                assert_eq!(word(&mut machine, 0x204)?, UNTOUCHED);
            }
        }
        Ok(())
    }

    #[test]
    fn bits_that_name_no_function_are_kept() -> Result {
        let mut machine = asking(0xffff_ffff)?;
        machine.put(CONFIG, SWSCI, 2, SELECT | TRIGGER)?;
        assert_eq!(word(&mut machine, 0x200)?, 0xffff_ff1f);
        Ok(())
    }

    #[test]
    fn nothing_happens_without_a_trigger() -> Result {
        // The C driver reads guest memory even then, and fails where there is none.
        for (width, value) in [
            (2, 0),
            (2, SELECT),
            (2, TRIGGER),
            (4, 0xffff_7fff),
            (4, 0xffff_fffe),
            (1, TRIGGER),
        ] {
            let mut machine = asking(scic(4, 0))?;
            machine.put(CONFIG, SWSCI, width, value)?;
            assert_eq!(machine.env.accesses, 0);
        }
        let mut machine = asking(scic(4, 0))?;
        for (offset, width) in [(0xe4, 4), (0xec, 4), (0xe7, 1), (0xe9, 1), (0xea, 2)] {
            machine.put(CONFIG, offset, width, 0xffff_ffff)?;
            assert_eq!(machine.env.accesses, 0);
        }
        Ok(())
    }

    #[test]
    fn the_register_does_not_keep_its_value() -> Result {
        // So each request is a new one.
        let mut machine = asking(scic(4, 0))?;
        for _ in 0..3 {
            machine.put(CONFIG, SWSCI, 2, SELECT | TRIGGER)?;
            assert_eq!(machine.get(CONFIG, SWSCI, 4)?, 0);
            assert_eq!(word(&mut machine, 0x200)?, 0);
            set(&mut machine, 0x200, scic(4, 0))?;
        }
        Ok(())
    }

    #[test]
    fn an_opregion_out_of_reach_is_a_fault() -> Result {
        for asls in [0, MEMORY - 0x1000, MEMORY + 0x4000, 0xffff_ffff] {
            let mut machine = asking(scic(4, 0))?;
            machine.put(CONFIG, ASLS, 4, asls)?;
            let gpa = Gpa::new((asls & 0xffff_f000) + 0x200);
            let fault = GuestFault::OpRegion { gpa, error: EFAULT };
            let answer = machine.put(CONFIG, SWSCI, 2, SELECT | TRIGGER);
            assert_eq!(answer, Err(Fault::Guest(fault)));
            assert_eq!(Error::from(Fault::Guest(fault)), EFAULT);
        }
        Ok(())
    }

    #[test]
    fn the_address_can_be_written_in_parts() -> Result {
        // The C driver takes four bytes from a shorter write and refuses one in the middle.
        for width in [1, 2] {
            let mut machine = asking(scic(6, 0))?;
            machine.put(CONFIG, ASLS, 4, 0)?;
            for at in (0..4).step_by(width) {
                // The low 12 bits are no part of the address.
                let part = (MEMORY | 0xabc) >> (8 * at as u32);
                machine.put(CONFIG, ASLS + at as u64, width, part)?;
            }
            assert_eq!(machine.get(CONFIG, ASLS, 4)?, MEMORY | 0xabc);
            machine.put(CONFIG, SWSCI, 2, SELECT | TRIGGER)?;
            assert_eq!(word(&mut machine, 0x200)?, 0);
        }
        Ok(())
    }
}
