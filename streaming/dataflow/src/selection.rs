//! Which records of a batch go to which channel: computed once, applied to every column.
//!
//! Always holds: the indices of all channels together name each record exactly once, and those of
//! one channel ascend.

use std::ops::Range;

/// Record indices by channel. Kept and filled again, so that a batch allocates nothing.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    indices: Vec<u32>,
    /// Where in `indices` each channel's lie.
    pub(crate) ranges: Vec<Range<usize>>,
    pub(crate) records: usize,
}

impl Selection {
    /// Indices of the records of a channel.
    #[inline]
    pub fn of(&self, channel: usize) -> &[u32] {
        &self.indices[self.ranges[channel].clone()]
    }

    /// Record `i` goes to channel `targets[i]`, which is below `channels`.
    ///
    /// # Panics
    /// A target is not below `channels`, or there are 2^32 records.
    pub fn select(&mut self, targets: &[u32], channels: usize) {
        assert!(u32::try_from(targets.len()).is_ok(), "a batch has fewer than 2^32 records");
        assert!(
            targets.iter().all(|target| (*target as usize) < channels),
            "every target is a channel"
        );
        self.records = targets.len();
        self.ranges.clear();
        if channels == 2 { self.select_two(targets) } else { self.select_many(targets, channels) }
    }

    /// Both lists grow side by side in registers: no branch to guess, no counter in memory.
    fn select_two(&mut self, targets: &[u32]) {
        let records = targets.len();
        self.indices.clear();
        self.indices.resize(2 * records, 0);
        let (left, right) = self.indices.split_at_mut(records);
        let mut second = 0;
        for (index, target) in targets.iter().enumerate() {
            // `index - second` records have gone left, so both places are at most `index`.
            left[index - second] = index as u32;
            right[second] = index as u32;
            second += *target as usize;
        }
        self.ranges.extend([0..records - second, records..records + second]);
    }

    /// A counting sort.
    fn select_many(&mut self, targets: &[u32], channels: usize) {
        let mut next = vec![0usize; channels];
        for target in targets {
            next[*target as usize] += 1;
        }
        let mut start = 0;
        for count in &mut next {
            let end = start + *count;
            self.ranges.push(start..end);
            *count = std::mem::replace(&mut start, end);
        }
        self.indices.clear();
        self.indices.resize(targets.len(), 0);
        for (index, target) in (0u32..).zip(targets) {
            let place = &mut next[*target as usize];
            self.indices[*place] = index;
            *place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::SeededRng;

    #[test]
    fn every_record_is_selected_once_in_order() {
        let mut rng = SeededRng::new(3);
        let mut selection = Selection::default();
        for channels in [1, 2, 3, 7] {
            for records in [0, 1, 2, 5, 100] {
                let targets: Vec<u32> = (0..records).map(|_| rng.below(channels) as u32).collect();
                selection.select(&targets, channels as usize);
                for channel in 0..channels as usize {
                    let expected: Vec<u32> = (0u32..)
                        .zip(&targets)
                        .filter(|(_, target)| **target as usize == channel)
                        .map(|(index, _)| index)
                        .collect();
                    assert_eq!(selection.of(channel), expected);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "every target is a channel")]
    fn a_target_that_is_no_channel_is_refused() {
        Selection::default().select(&[0, 2], 2);
    }
}
