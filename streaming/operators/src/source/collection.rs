//! Source of elements that the program holds in memory.
//!
//! Semantics: every element once, in order. It is serial, as Flink's `fromElements`, so that the
//! order holds; its splits are contiguous ranges and would serve several readers as well.
//!
//! State: the range that is left. Cost: a clone per element and a lock per batch. The elements are
//! part of the program, so a restored range reads the elements of the program as it is now.

use super::part_start;
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use weir_dataflow::{
    Collector, ReaderContext, Record, Result, Source, SourcePoll, SourceReader, codec,
    schema_trace::check_elements,
};

/// Emits the elements of a collection. See the module's documentation.
pub struct CollectionSource<T> {
    // A lock and not a plain vector, because records need not be `Sync`.
    elements: Arc<Mutex<Vec<T>>>,
}

impl<T: Record> CollectionSource<T> {
    /// A source of these elements.
    pub fn new(elements: impl IntoIterator<Item = T>) -> Self {
        Self { elements: Arc::new(Mutex::new(elements.into_iter().collect())) }
    }
}

/// A range of elements that is not read yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CollectionSplit {
    /// Index of the next element.
    pub next: u64,
    /// Index behind the last element.
    pub end: u64,
}

impl<T: Record> Source for CollectionSource<T> {
    type Item = T;
    type Split = CollectionSplit;

    fn name(&self) -> String {
        "Collection Source".to_owned()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn is_serial(&self) -> bool {
        true
    }

    /// Length and checksum of the encoded elements: a collection can be large.
    ///
    /// # Errors
    /// Elements that do not come back equal from their encoding, or are encoded differently
    /// whenever the program runs.
    fn specification(&self) -> Result<Vec<u8>> {
        with_elements(&self.elements, check_elements)?;
        let encoded = with_elements(&self.elements, codec::encode)?;
        let mut checksum = flate2::Crc::new();
        checksum.update(&encoded);
        codec::encode(&(encoded.len() as u64, checksum.sum()))
    }

    fn enumerate(&self, parallelism: u32) -> Result<Vec<Vec<CollectionSplit>>> {
        let total = with_elements(&self.elements, |elements| elements.len()) as u128;
        let bound = |index| part_start(total, parallelism, index) as u64;
        let split = |index| CollectionSplit { next: bound(index), end: bound(index + 1) };
        let ranges = (0..parallelism).map(split);
        Ok(ranges.map(|range| if range.next < range.end { vec![range] } else { vec![] }).collect())
    }

    fn reader(
        &self,
        _context: ReaderContext,
    ) -> Result<Box<dyn SourceReader<Item = T, Split = CollectionSplit>>> {
        let elements = Arc::clone(&self.elements);
        Ok(Box::new(CollectionReader { elements, splits: VecDeque::new() }))
    }
}

/// Looks at the elements. A clone that panicked elsewhere has not changed them.
fn with_elements<T, R>(elements: &Mutex<Vec<T>>, look: impl FnOnce(&[T]) -> R) -> R {
    look(&elements.lock().unwrap_or_else(PoisonError::into_inner))
}

struct CollectionReader<T> {
    elements: Arc<Mutex<Vec<T>>>,
    splits: VecDeque<CollectionSplit>,
}

impl<T: Record> SourceReader for CollectionReader<T> {
    type Item = T;
    type Split = CollectionSplit;

    fn add_splits(&mut self, splits: Vec<CollectionSplit>) -> Result<()> {
        self.splits.extend(splits);
        Ok(())
    }

    fn poll_batch(&mut self, budget_records: usize, out: &mut Collector<T>) -> Result<SourcePoll> {
        let Some(split) = self.splits.front_mut() else {
            return Ok(SourcePoll::End);
        };
        with_elements(&self.elements, |elements| {
            // Elements that the program no longer has are not there to be read.
            split.end = split.end.min(elements.len() as u64);
            let start = split.next.min(split.end);
            let end = split.end.min(start + budget_records as u64);
            out.extend(elements[start as usize..end as usize].iter().cloned());
            split.next = end;
        });
        if split.next == split.end {
            self.splits.pop_front();
        }
        Ok(SourcePoll::More)
    }

    fn splits(&self) -> Result<Vec<CollectionSplit>> {
        Ok(self.splits.iter().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_reader::{drain, read_all, reader_of};
    use super::*;
    use std::collections::{BTreeMap, HashMap};
    use weir_dataflow::SelfDescribing;

    #[test]
    fn every_element_is_read_once_in_contiguous_ranges() {
        let cases: &[(u64, u32, &[usize])] =
            &[(5, 1, &[5]), (5, 2, &[3, 2]), (2, 4, &[1, 1, 0, 0]), (0, 2, &[0, 0])];
        for (count, parallelism, lengths) in cases {
            let source = CollectionSource::new(0..*count);
            let read = read_all(&source, *parallelism).unwrap();
            assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), *lengths);
            assert_eq!(read.concat(), (0..*count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn restored_reader_goes_on_behind_the_last_element() {
        let source = CollectionSource::new((0..10).map(|i| format!("e{i}")));
        let splits = source.enumerate(1).unwrap().remove(0);
        let mut reader = reader_of(&source, splits).unwrap();
        let mut out = Collector::new();
        reader.poll_batch(4, &mut out).unwrap();
        let mut restored = reader_of(&source, reader.splits().unwrap()).unwrap();
        let rest = drain::<CollectionSource<String>>(&mut restored, 3).unwrap();
        assert_eq!(
            [out.take(), rest].concat(),
            (0..10).map(|i| format!("e{i}")).collect::<Vec<_>>()
        );
    }

    #[test]
    fn specification_tells_collections_apart() {
        let of = |elements: Vec<u64>| CollectionSource::new(elements).specification().unwrap();
        assert_eq!(of(vec![1, 2]), of(vec![1, 2]));
        assert_ne!(of(vec![1, 2]), of(vec![2, 1]));
    }

    #[test]
    fn hash_tables_inside_self_describing_elements_are_always_refused() {
        for _ in 0..100 {
            let table = HashMap::from([(1u8, 'a'), (2, 'b')]);
            let source = CollectionSource::new([SelfDescribing(table)]);
            let error = source.specification().expect_err("its order differs from run to run");
            assert_eq!(error.code(), "WEIR-TYPE-0004", "{error}");
            assert!(error.to_string().starts_with("element 1 of type "), "{error}");
        }
        let sorted = BTreeMap::from([(1u8, 'a'), (2, 'b')]);
        CollectionSource::new([SelfDescribing(sorted)]).specification().expect("it has an order");
    }
}
