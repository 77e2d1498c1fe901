// SPDX-License-Identifier: GPL-2.0
//! Sets of page frames.

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

/// log2 of the page size: a frame is a bus address shifted right by this.
pub const PAGE_SHIFT: u32 = 12;

/// A set of page frames as sorted, separate ranges `[first, last]`.
///
/// In JSON: `[[16, 31], [64, 64]]`. On input ranges may come in any order, overlap, or touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub struct PageRanges(Vec<(u64, u64)>);

impl PageRanges {
    /// Whether no page is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a frame is in the set.
    pub fn contains(&self, frame: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= frame);
        after.checked_sub(1).and_then(|index| self.0.get(index)).is_some_and(|(_, last)| frame <= *last)
    }

    /// The lowest frame that is in both sets.
    pub fn common(&self, other: &Self) -> Option<u64> {
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some((first, last)), Some((other_first, other_last))) = (left.peek(), right.peek()) {
            if first.max(other_first) <= last.min(other_last) {
                return Some(*first.max(other_first));
            }
            if last < other_last {
                left.next();
            } else {
                right.next();
            }
        }
        None
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[(u64, u64)] {
        &self.0
    }

    /// Adds ranges that are given in ascending order of their first frame.
    fn from_ascending(ranges: impl IntoIterator<Item = (u64, u64)>) -> Self {
        let mut merged: Vec<(u64, u64)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
                _ => merged.push((first, last)),
            }
        }
        Self(merged)
    }
}

impl TryFrom<Vec<(u64, u64)>> for PageRanges {
    type Error = String;

    fn try_from(mut ranges: Vec<(u64, u64)>) -> Result<Self, String> {
        if let Some((first, last)) = ranges.iter().find(|(first, last)| first > last) {
            return Err(format!("the page range [{first}, {last}] ends before it begins; give [first, last]"));
        }
        ranges.sort_unstable();
        Ok(Self::from_ascending(ranges))
    }
}

impl From<PageRanges> for Vec<(u64, u64)> {
    fn from(pages: PageRanges) -> Self {
        pages.0
    }
}

/// A growing set of page frames.
#[derive(Clone, Debug, Default)]
pub(super) struct PageSet(RoaringTreemap);

impl PageSet {
    /// Adds a frame; says whether it was new.
    pub fn insert(&mut self, frame: u64) -> bool {
        self.0.insert(frame)
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether no page is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The frames, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter()
    }

    /// The set as ranges.
    pub fn ranges(&self) -> PageRanges {
        PageRanges::from_ascending(self.0.iter().map(|frame| (frame, frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(list: &[(u64, u64)]) -> PageRanges {
        PageRanges::try_from(list.to_vec()).unwrap()
    }

    #[test]
    fn frames_become_ranges() {
        let mut set = PageSet::default();
        for frame in [7, 3, 4, 5, 9, 1 << 40] {
            assert!(set.insert(frame));
        }
        assert!(!set.insert(4));
        assert_eq!(set.ranges().ranges(), [(3, 5), (7, 7), (9, 9), (1 << 40, 1 << 40)]);
    }

    #[test]
    fn ranges_are_sorted_and_merged() {
        assert_eq!(ranges(&[(8, 9), (1, 4), (3, 6), (7, 7)]).ranges(), [(1, 9)]);
        assert_eq!(ranges(&[(u64::MAX, u64::MAX), (0, u64::MAX)]).ranges(), [(0, u64::MAX)]);
        assert!(PageRanges::try_from(vec![(2, 1)]).unwrap_err().contains("[2, 1]"));
    }

    #[test]
    fn membership_includes_both_ends() {
        let set = ranges(&[(2, 4), (8, 8)]);
        let inside: Vec<u64> = (0..10).filter(|frame| set.contains(*frame)).collect();
        assert_eq!(inside, [2, 3, 4, 8]);
        assert!(!ranges(&[]).contains(0));
    }

    #[test]
    fn common_pages_are_found() {
        let set = ranges(&[(2, 4), (8, 8), (20, 30)]);
        for (other, expected) in [
            (ranges(&[(0, 1), (5, 7), (9, 19), (31, 40)]), None),
            (ranges(&[(4, 4)]), Some(4)),
            (ranges(&[(0, 1), (30, 99)]), Some(30)),
            (ranges(&[(0, 99)]), Some(2)),
            (ranges(&[]), None),
        ] {
            assert_eq!(set.common(&other), expected, "{other:?}");
            assert_eq!(other.common(&set), expected, "{other:?}");
        }
    }

    #[test]
    fn json_is_a_list_of_pairs() {
        let set: PageRanges = serde_json::from_str("[[16, 31], [64, 64]]").unwrap();
        assert_eq!(serde_json::to_string(&set).unwrap(), "[[16,31],[64,64]]");
    }
}
