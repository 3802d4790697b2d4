//! Key groups: the unit of placement, snapshot and rescaling of keyed state.
//!
//! The group of a key follows from its hash and the maximum parallelism alone; which subtask owns
//! a group follows from the parallelism. Ranges are Flink's: subtask `i`
//! of `p` owns `ceil(i*max/p) ..= ceil((i+1)*max/p) - 1`.

use serde::{Deserialize, Serialize};

/// The smallest maximum parallelism that is derived.
pub const DEFAULT_LOWER_BOUND: u32 = 128;
/// The largest maximum parallelism there is.
pub const UPPER_BOUND: u32 = 32_768;

/// A contiguous range of key groups, `start..end`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct KeyGroupRange {
    /// First group of the range.
    pub start: u32,
    /// First group behind the range.
    pub end: u32,
}

impl KeyGroupRange {
    /// The groups that subtask `subtask` of `parallelism` owns.
    pub fn of_subtask(max_parallelism: u32, parallelism: u32, subtask: u32) -> Self {
        let bound = |i: u32| {
            let product = u64::from(i) * u64::from(max_parallelism);
            product.div_ceil(u64::from(parallelism)) as u32
        };
        Self { start: bound(subtask), end: bound(subtask + 1) }
    }

    /// Whether the group lies in the range.
    pub fn contains(self, group: u32) -> bool {
        (self.start..self.end).contains(&group)
    }

    /// Number of groups.
    pub fn count(self) -> u32 {
        self.end - self.start
    }
}

/// The key group of a 64-bit key hash: the high 32 bits scaled to `0..max_parallelism`.
#[inline]
pub fn key_group_of(key_hash: u64, max_parallelism: u32) -> u32 {
    (((key_hash >> 32) * u64::from(max_parallelism)) >> 32) as u32
}

/// The subtask that owns a key group.
#[inline]
pub fn subtask_of_key_group(group: u32, max_parallelism: u32, parallelism: u32) -> u32 {
    (u64::from(group) * u64::from(parallelism) / u64::from(max_parallelism)) as u32
}

/// The maximum parallelism of an operator that names none: half as much again as its
/// parallelism, rounded up to a power of two, within 128 and 32,768 (as Flink derives it).
pub fn derived_max_parallelism(parallelism: u32) -> u32 {
    let roomy = u64::from(parallelism) + u64::from(parallelism) / 2;
    let rounded = roomy.next_power_of_two();
    rounded.clamp(u64::from(DEFAULT_LOWER_BOUND), u64::from(UPPER_BOUND)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_every_group_once_and_agree_with_the_owner() {
        for max in [1, 2, 7, 128, 200, 32_768] {
            for parallelism in (1..=max.min(70)).chain([max]) {
                let mut next = 0;
                for subtask in 0..parallelism {
                    let range = KeyGroupRange::of_subtask(max, parallelism, subtask);
                    assert_eq!(range.start, next);
                    for group in range.start..range.end {
                        assert_eq!(subtask_of_key_group(group, max, parallelism), subtask);
                    }
                    next = range.end;
                }
                assert_eq!(next, max);
            }
        }
    }

    #[test]
    fn max_parallelism_is_derived_as_in_flink() {
        for (parallelism, expected) in
            [(1, 128), (85, 128), (86, 256), (200, 512), (30_000, 32_768)]
        {
            assert_eq!(derived_max_parallelism(parallelism), expected, "{parallelism}");
        }
    }

    #[test]
    fn every_hash_has_a_group_below_the_maximum() {
        for hash in [0, 1, u64::MAX, 1 << 63] {
            assert!(key_group_of(hash, 128) < 128);
        }
        assert_eq!(key_group_of(u64::MAX, 128), 127);
    }
}
