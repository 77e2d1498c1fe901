// SPDX-License-Identifier: GPL-2.0

//! Files with the state of a GPU.

use kernel::prelude::*;

#[kunit_tests(gvt_golden)]
mod gvt_golden {
    use super::*;
    use crate::fakes::Text;
    use gvt_model::golden::{
        Flaw,
        Golden,
        Identity, //
    };

    const SIZE: usize = 48 + 4096 + (2 << 20);
    const GPU: Identity = Identity {
        vendor: 0x8086,
        device: 0x1912,
        revision: 6,
    };

    fn put(file: &mut [u8], at: usize, data: &[u8]) {
        for (to, from) in file.iter_mut().skip(at).zip(data) {
            *to = *from;
        }
    }

    /// The checksum bit by bit, as it is defined.
    fn seal(file: &mut [u8]) {
        let crc = file.iter().skip(12).fold(0u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        });
        put(file, 8, &crc.to_le_bytes());
    }

    /// A file as the C driver offers it.
    fn good() -> Result<KVVec<u8>> {
        let mut file = KVVec::zeroed(SIZE, GFP_KERNEL)?;
        put(&mut file, 0, b"vGTvGTvG");
        for (at, number) in [(16, 4096u64), (24, 48), (32, 2 << 20), (40, 48 + 4096)] {
            put(&mut file, at, &number.to_le_bytes());
        }
        put(&mut file, 48, &[0x86, 0x80, 0x12, 0x19]);
        put(&mut file, 48 + 8, &[6]);
        put(&mut file, 48 + 4096 + 0x9120, &[0x5a]);
        seal(&mut file);
        Ok(file)
    }

    #[test]
    fn a_file_has_its_parts() -> Result {
        let file = good()?;
        let golden = Golden::parse(&file, GPU).map_err(|_| EINVAL)?;
        assert_eq!(golden.config.len(), 4096);
        assert_eq!(golden.registers.len(), 2 << 20);
        assert_eq!(golden.registers.get(0x9120), Some(&0x5a));
        assert!(Text::of(&GPU).is("vid_0x8086_did_0x1912_rid_0x06"));
        Ok(())
    }

    #[test]
    fn a_file_that_is_cut_is_refused() -> Result {
        // gvt-spec 12.1-25: the C driver checks no bounds.
        let file = good()?;
        for length in Iterator::chain(0..48, [48, 49, 4096, SIZE / 2, SIZE - 1]) {
            let cut = file.get(..length).ok_or(EINVAL)?;
            let refused = Golden::parse(cut, GPU);
            if length < 48 {
                assert_eq!(refused, Err(Flaw::Short(length)));
            } else {
                assert!(matches!(refused, Err(Flaw::Checksum { .. })));
            }
        }
        Ok(())
    }

    #[test]
    fn a_part_lies_in_the_file() -> Result {
        let wrong = [
            (16, 4095u64),
            (16, 4097),
            (16, u64::MAX),
            (24, 47),
            (24, 0),
            (24, SIZE as u64),
            (24, u64::MAX),
            (32, (2 << 20) - 1),
            (32, 0),
            (40, 48 + 4097),
            (40, u64::MAX - 4096),
        ];
        for (at, number) in wrong {
            let mut file = good()?;
            put(&mut file, at, &number.to_le_bytes());
            seal(&mut file);
            assert_eq!(Golden::parse(&file, GPU), Err(Flaw::Part));
        }
        Ok(())
    }

    #[test]
    fn another_file_is_refused_with_a_reason() -> Result {
        let mut file = good()?;
        put(&mut file, 0, b"x");
        assert_eq!(Golden::parse(&file, GPU), Err(Flaw::Magic));
        let mut file = good()?;
        put(&mut file, 12, &[1]);
        assert_eq!(Golden::parse(&file, GPU), Err(Flaw::Version(1)));
        let mut file = good()?;
        put(&mut file, SIZE - 1, &[1]);
        assert!(matches!(
            Golden::parse(&file, GPU),
            Err(Flaw::Checksum { .. })
        ));
        let other = Identity { revision: 7, ..GPU };
        let file = good()?;
        assert_eq!(Golden::parse(&file, other), Err(Flaw::Other(GPU)));
        for (flaw, text) in [
            (Flaw::Short(3), "3 bytes are too few"),
            (Flaw::Magic, "it is another kind of file"),
            (Flaw::Version(1), "its version is 1, not 0"),
            (
                Flaw::Checksum {
                    told: 0x12,
                    found: 0xabcd,
                },
                "its checksum is 0x0000abcd, not 0x00000012",
            ),
            (Flaw::Part, "what it says of its parts is wrong"),
            (
                Flaw::Other(GPU),
                "it is of another GPU, vid_0x8086_did_0x1912_rid_0x06",
            ),
        ] {
            assert!(Text::of(&flaw).is(text));
        }
        Ok(())
    }
}
