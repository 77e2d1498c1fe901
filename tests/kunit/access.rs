// SPDX-License-Identifier: GPL-2.0

//! File positions and the pieces of an access.

use kernel::prelude::*;

#[kunit_tests(gvt_access)]
mod gvt_access {
    use super::*;
    use gvt_model::{
        access::Pieces,
        addr::GmRange,
        region::{
            file_offset,
            Position,
            Region, //
        },
    };

    #[test]
    fn a_position_is_an_index_and_an_offset() -> Result {
        for (position, index, offset) in [
            (0, 0, 0),
            ((1 << 40) - 1, 0, (1 << 40) - 1),
            (1 << 40, 1, 0),
            ((7 << 40) | 0x40, 7, 0x40),
            ((10 << 40) | 2048, 10, 2048),
            (i64::MAX, (1 << 23) - 1, (1 << 40) - 1),
        ] {
            let at = Position::decode(position)?;
            assert_eq!(at.index(), index);
            assert_eq!(at.offset(), offset);
            assert_eq!(Position::new(index, offset)?, at);
        }
        assert_eq!(file_offset(9), 9 << 40);
        Ok(())
    }

    #[test]
    fn a_position_is_not_cut() -> Result {
        // The C driver keeps 32 bits of the offset and wraps when it adds the width, by which this
        // is kernel memory beyond the configuration space. 1 << 32 would be offset 0.
        for position in [(7 << 40) | 0xffff_fffc, (7 << 40) | (1 << 32)] {
            let at = Position::decode(position)?;
            assert!(at.offset() > 0xffff_0000);
        }
        for position in [-1, i64::MIN, -(1 << 40)] {
            assert_eq!(Position::decode(position), Err(EINVAL));
        }
        assert_eq!(Position::new(7, 1 << 40), Err(EINVAL));
        assert_eq!(Position::new(7, u64::MAX), Err(EINVAL));
        Ok(())
    }

    #[test]
    fn regions_have_the_indices_of_vfio() {
        for (index, region) in [
            (0, Some(Region::Bar0)),
            (1, None),
            (2, Some(Region::Aperture)),
            (3, None),
            (4, None),
            (5, None),
            (6, None),
            (7, Some(Region::Config)),
            (8, None),
            (9, Some(Region::OpRegion)),
            (10, Some(Region::Edid)),
            (11, None),
            (u32::MAX, None),
        ] {
            assert_eq!(Region::from_index(index), region);
            if let Some(region) = region {
                assert_eq!(region.index(), index);
            }
        }
    }

    /// Offset, length, widest access; then the widths.
    const SPLITS: [(u64, usize, usize, &[usize]); 16] = [
        (0, 0, 8, &[]),
        (0, 1, 8, &[1]),
        (0, 2, 8, &[2]),
        (0, 3, 8, &[2, 1]),
        (0, 7, 8, &[4, 2, 1]),
        (0, 8, 8, &[8]),
        (0, 8, 4, &[4, 4]),
        (1, 8, 8, &[1, 2, 4, 1]),
        (2, 8, 8, &[2, 4, 2]),
        (3, 2, 4, &[1, 1]),
        (4, 12, 8, &[4, 8]),
        (6, 3, 2, &[2, 1]),
        (5, 3, 1, &[1, 1, 1]),
        (u64::MAX, 0, 8, &[]),
        (u64::MAX - 1, 1, 8, &[1]),
        (0xffff_ffff_ffff_fff8, 7, 8, &[4, 2, 1]),
    ];

    #[test]
    fn a_split_is_as_wide_as_can_be() -> Result {
        for (offset, length, max_width, widths) in SPLITS {
            let mut pieces = Pieces::new(offset, length, max_width)?;
            let mut next = offset;
            let mut done = 0;
            for width in widths {
                let piece = pieces.next().ok_or(EINVAL)?;
                assert_eq!(piece.offset, next);
                assert_eq!(piece.bytes, done..done + width);
                assert_eq!(piece.offset % (*width as u64), 0);
                next += *width as u64;
                done += width;
            }
            assert!(pieces.next().is_none());
            assert!(pieces.next().is_none());
            assert_eq!(done, length);
        }
        Ok(())
    }

    #[test]
    fn a_split_does_not_overflow() {
        for (offset, length) in [
            (u64::MAX, 1),
            (u64::MAX, usize::MAX),
            (1, usize::MAX),
            (u64::MAX - 7, 8),
        ] {
            assert!(Pieces::new(offset, length, 8).is_err());
        }
        for width in [0, 3, 5, 6, 7, 16, usize::MAX] {
            assert!(Pieces::new(0, 8, width).is_err());
        }
    }

    #[test]
    fn a_request_stays_in_its_region() -> Result {
        let last = Position::new(7, (1 << 40) - 4)?;
        assert_eq!(last.pieces(4)?.count(), 1);
        assert!(last.pieces(5).is_err());
        assert!(last.pieces(usize::MAX).is_err());
        Ok(())
    }

    #[test]
    fn eight_bytes_go_whole_into_bars_only() -> Result {
        // In the C driver a page table entry always comes in two halves.
        for (index, count) in [(0, 1), (2, 1), (7, 2), (9, 2), (10, 2)] {
            assert_eq!(Position::new(index, 0x80_0000)?.pieces(8)?.count(), count);
        }
        Ok(())
    }

    #[test]
    fn a_range_is_whole_pages() -> Result {
        for (start, size) in [
            (0, 0),
            (1, 4096),
            (0, 4095),
            (4096, 1),
            (u64::MAX - 4095, 4096),
            (4096, u64::MAX - 4095),
        ] {
            assert_eq!(GmRange::new(start, size), Err(EINVAL));
        }
        let range = GmRange::new(4096, 8192)?;
        assert_eq!(range.start(), 4096);
        assert_eq!(range.end(), 12288);
        assert_eq!(range.pages(), 2);
        for (offset, length, inside) in [
            (4096, 0, true),
            (4096, 8192, true),
            (4096, 8193, false),
            (4095, 1, false),
            (12287, 1, true),
            (12288, 0, true),
            (12288, 1, false),
            (4096, u64::MAX, false),
            (u64::MAX, 1, false),
            (0, 16384, false),
        ] {
            assert_eq!(range.contains(offset, length), inside);
        }
        for (start, size, overlaps) in [
            (0, 4096, false),
            (0, 8192, true),
            (8192, 4096, true),
            (12288, 4096, false),
        ] {
            assert_eq!(range.overlaps(GmRange::new(start, size)?), overlaps);
        }
        Ok(())
    }
}
