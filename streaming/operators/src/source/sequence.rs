//! Source of the numbers from one to another, both included, as Flink's `fromSequence`.
//!
//! Semantics: every number once; each reader gets one contiguous range and emits it in ascending
//! order. A `from` above `to` is an empty sequence.
//!
//! State: the range that is left. Cost: numbers are written by a loop over a range that the
//! compiler turns into vector instructions, so a number costs a fraction of a nanosecond.

use super::part_start;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use weir_dataflow::{Collector, ReaderContext, Result, Source, SourcePoll, SourceReader, codec};

/// Emits the numbers of a range. See the module's documentation.
#[derive(Clone, Debug)]
pub struct SequenceSource {
    /// First number.
    pub from: u64,
    /// Last number.
    pub to: u64,
}

impl SequenceSource {
    /// The numbers `from..=to`.
    pub fn new(from: u64, to: u64) -> Self {
        Self { from, to }
    }
}

/// A range of numbers that is not emitted yet; never empty.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SequenceSplit {
    /// The next number.
    pub next: u64,
    /// The last number.
    pub last: u64,
}

impl Source for SequenceSource {
    type Item = u64;
    type Split = SequenceSplit;

    fn name(&self) -> String {
        "Sequence Source".to_owned()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn specification(&self) -> Result<Vec<u8>> {
        codec::encode(&(self.from, self.to))
    }

    fn enumerate(&self, parallelism: u32) -> Result<Vec<Vec<SequenceSplit>>> {
        let from = u128::from(self.from);
        // In 128 bits, because the range of all numbers has one more than 64 bits can count.
        let total = (u128::from(self.to) + 1).saturating_sub(from);
        let range = |index| {
            let start = part_start(total, parallelism, index);
            let end = part_start(total, parallelism, index + 1);
            let split =
                || SequenceSplit { next: (from + start) as u64, last: (from + end - 1) as u64 };
            (start < end).then(split).into_iter().collect()
        };
        Ok((0..parallelism).map(range).collect())
    }

    fn reader(
        &self,
        _context: ReaderContext,
    ) -> Result<Box<dyn SourceReader<Item = u64, Split = SequenceSplit>>> {
        Ok(Box::<SequenceReader>::default())
    }
}

#[derive(Default)]
struct SequenceReader {
    splits: VecDeque<SequenceSplit>,
}

impl SourceReader for SequenceReader {
    type Item = u64;
    type Split = SequenceSplit;

    fn add_splits(&mut self, splits: Vec<SequenceSplit>) -> Result<()> {
        self.splits.extend(splits);
        Ok(())
    }

    fn poll_batch(
        &mut self,
        budget_records: usize,
        out: &mut Collector<u64>,
    ) -> Result<SourcePoll> {
        let Some(split) = self.splits.front_mut() else {
            return Ok(SourcePoll::End);
        };
        // Half-open ranges extend a vector without a check per number; the last number goes
        // alone because its successor may not exist.
        let count_but_one = (budget_records.max(1) as u64 - 1).min(split.last - split.next);
        let last = split.next + count_but_one;
        out.extend(split.next..last);
        out.collect(last);
        if last == split.last {
            self.splits.pop_front();
        } else {
            split.next = last + 1;
        }
        Ok(SourcePoll::More)
    }

    fn splits(&self) -> Result<Vec<SequenceSplit>> {
        Ok(self.splits.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_reader::{drain, read_all, reader_of};
    use super::*;

    #[test]
    fn every_number_is_emitted_once_by_contiguous_ranges() {
        for (from, to, parallelism) in [
            (0, 99, 1),
            (5, 104, 3),
            (7, 7, 4),
            (u64::MAX - 20, u64::MAX, 2),
            (3, 2, 2), // empty
            (9, 0, 1), // empty
        ] {
            let read = read_all(&SequenceSource::new(from, to), parallelism).unwrap();
            assert_eq!(read.concat(), (from..=to).collect::<Vec<_>>(), "{from}..={to}");
        }
    }

    #[test]
    fn the_range_of_all_numbers_is_dealt_evenly() {
        let dealt = SequenceSource::new(0, u64::MAX).enumerate(2).unwrap();
        assert_eq!(dealt[0], [SequenceSplit { next: 0, last: u64::MAX / 2 }]);
        assert_eq!(dealt[1], [SequenceSplit { next: u64::MAX / 2 + 1, last: u64::MAX }]);
    }

    #[test]
    fn restored_reader_goes_on_behind_the_last_number() {
        let source = SequenceSource::new(10, 30);
        let splits = source.enumerate(1).unwrap().remove(0);
        let mut reader = reader_of(&source, splits).unwrap();
        let mut out = Collector::new();
        reader.poll_batch(8, &mut out).unwrap();
        assert_eq!(out.take(), (10..18).collect::<Vec<_>>());
        let mut restored = reader_of(&source, reader.splits().unwrap()).unwrap();
        let rest = drain::<SequenceSource>(&mut restored, 5).unwrap();
        assert_eq!(rest, (18..=30).collect::<Vec<_>>());
    }
}
