//! Tumbling processing-time windows of a keyed stream.
//!
//! A record falls into the window `[start, start + size)` of the processing time at which it is
//! taken in, with `start = floor((time - offset) / size) * size + offset`. When the processing
//! time reaches the window's end its result is emitted once per key and its state is dropped.
//! At the end of data windows that have not ended are dropped, as Flink drops pending
//! processing-time timers.
//!
//! State: per key the accumulators of its open windows (`windows`); the timers follow from it.
//! Cost per record: one probe and the author's function.

use crate::aggregate::{Aggregation, hashes_of};
use std::{collections::BTreeMap, time::Duration};
use weir_dataflow::{
    Batch, Key, KeyedTable, Operator, OperatorContext, RestoredState, Result, SubtaskInfo,
    TableVisitor, Timestamp, hash_key,
};

/// Name of the state.
pub const STATE: &str = "windows";

/// Size and offset of tumbling windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TumblingSpec {
    /// Length in milliseconds, at least 1.
    pub size_ms: i64,
    /// Shift of every start in milliseconds.
    pub offset_ms: i64,
}

impl TumblingSpec {
    /// Windows of a length, aligned to the epoch. Lengths below a millisecond count as one.
    pub fn of(size: Duration) -> Self {
        let size_ms = i64::try_from(size.as_millis()).unwrap_or(i64::MAX / 4).max(1);
        Self { size_ms, offset_ms: 0 }
    }

    /// Start of the window that a moment falls into.
    pub fn start_of(self, time: Timestamp) -> Timestamp {
        time - (time - self.offset_ms).rem_euclid(self.size_ms)
    }
}

/// Keys whose window is emitted per call.
const MAX_FIRED: usize = 1024;

/// Open windows of a key: start and accumulator, oldest first. Hardly ever more than two.
type Windows<A> = Vec<(Timestamp, A)>;

/// The operator. See the module's documentation.
pub struct TumblingWindow<A: Aggregation, K, F> {
    spec: TumblingSpec,
    aggregation: A,
    key_of: F,
    table: KeyedTable<K, Windows<A::Accumulator>>,
    /// Keys with an open window, by its start.
    open: BTreeMap<Timestamp, Vec<K>>,
}

impl<A: Aggregation, K: Key, F: FnMut(&A::In) -> K + Send> TumblingWindow<A, K, F> {
    /// Aggregates each key's records by window.
    pub fn new(spec: TumblingSpec, aggregation: A, key_of: F) -> Self {
        Self { spec, aggregation, key_of, table: KeyedTable::new(), open: BTreeMap::new() }
    }

    fn add(&mut self, hash: u64, record: A::In, start: Timestamp) {
        let key = (self.key_of)(&record);
        let Self { aggregation, table, open, .. } = self;
        let known = match table.probe(hash, &key) {
            Some(position) => table.value_mut(position),
            None => table.insert_new(hash, key.clone(), Vec::new()),
        };
        match known.iter_mut().rev().find(|(of, _)| *of == start) {
            Some((_, accumulator)) => aggregation.add(accumulator, record),
            None => {
                known.push((start, aggregation.first(record)));
                open.entry(start).or_default().push(key);
            }
        }
    }

    /// Takes a key's window out; forgets the key when it was the last.
    fn close_window(&mut self, key: &K, start: Timestamp) -> Result<Option<A::Accumulator>> {
        let hash = hash_key(key)?;
        let Some(position) = self.table.probe(hash, key) else { return Ok(None) };
        let windows = self.table.value_mut(position);
        let Some(at) = windows.iter().position(|(of, _)| *of == start) else { return Ok(None) };
        let (_, accumulator) = windows.remove(at);
        if windows.is_empty() {
            self.table.remove(hash, key);
        }
        Ok(Some(accumulator))
    }
}

impl<A: Aggregation, K: Key, F: FnMut(&A::In) -> K + Send> Operator for TumblingWindow<A, K, F> {
    fn open(&mut self, _: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        restored.restore_table(STATE, &mut self.table)?;
        for (key, windows) in self.table.iter() {
            for (start, _) in windows {
                self.open.entry(*start).or_default().push(key.clone());
            }
        }
        Ok(())
    }

    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let (records, carried) = batch.into_parts::<A::In>()?;
        let hashes = hashes_of(carried, &records, &mut self.key_of)?;
        let start = self.spec.start_of(ctx.processing_time());
        for (record, hash) in records.into_iter().zip(hashes) {
            self.add(hash, record, start);
        }
        Ok(())
    }

    fn next_timer(&self) -> Option<Timestamp> {
        self.open.first_key_value().map(|(start, _)| start.saturating_add(self.spec.size_ms))
    }

    fn on_timers(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        // A bounded number of keys per call: a barrier or a cancel never waits for all of them.
        if self.next_timer().is_some_and(|end| end <= ctx.processing_time())
            && let Some(mut entry) = self.open.first_entry()
        {
            let start = *entry.key();
            let left = entry.get_mut();
            let keys = left.split_off(left.len().saturating_sub(MAX_FIRED));
            if left.is_empty() {
                entry.remove();
            }
            let mut results = Vec::with_capacity(keys.len());
            for key in &keys {
                if let Some(accumulator) = self.close_window(key, start)? {
                    results.push(self.aggregation.result(&accumulator));
                }
            }
            crate::aggregate::emit_chunks(results.into_iter(), ctx)?;
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut OperatorContext<'_>) -> Result<()> {
        // Dropped for good: a restore from the final checkpoint must not emit them after all.
        self.table = KeyedTable::new();
        self.open.clear();
        Ok(())
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) -> Result<()> {
        visit(STATE, &mut self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sum, info, snapshot_of};
    use weir_dataflow::operator::Gathered;

    type Window = TumblingWindow<Sum, String, fn(&(String, u64)) -> String>;

    fn window() -> Window {
        let spec = TumblingSpec::of(Duration::from_secs(5));
        TumblingWindow::new(spec, Sum, |record| record.0.clone())
    }

    fn add(window: &mut Window, time: Timestamp, key: &str, n: u64) {
        let mut gathered = Gathered::default();
        let batch = Batch::of(vec![(key.to_owned(), n)]);
        window.on_batch(0, batch, &mut OperatorContext::new(&mut gathered, time)).unwrap();
        assert!(gathered.batches.is_empty(), "a window emits at its end");
    }

    fn fire(window: &mut Window, time: Timestamp) -> Vec<(String, u64)> {
        let mut gathered = Gathered::default();
        while window.next_timer().is_some_and(|due| due <= time) {
            window.on_timers(&mut OperatorContext::new(&mut gathered, time)).unwrap();
        }
        gathered.take_records().unwrap()
    }

    #[test]
    fn a_window_emits_once_at_its_end_and_starts_anew() {
        let mut window = window();
        add(&mut window, 10_000, "a", 1);
        add(&mut window, 14_999, "a", 2);
        add(&mut window, 15_000, "a", 4);
        assert_eq!(window.next_timer(), Some(15_000));
        assert!(fire(&mut window, 14_999).is_empty());
        assert_eq!(fire(&mut window, 15_000), [("a".to_owned(), 3)]);
        assert_eq!(fire(&mut window, 30_000), [("a".to_owned(), 4)]);
        assert_eq!(window.next_timer(), None);
        assert!(window.table.is_empty(), "state goes with the window");
    }

    #[test]
    fn starts_are_aligned_also_before_the_epoch_and_with_an_offset() {
        let spec = TumblingSpec { size_ms: 5000, offset_ms: 0 };
        for (time, start) in [(0, 0), (4999, 0), (5000, 5000), (-1, -5000), (-5000, -5000)] {
            assert_eq!(spec.start_of(time), start, "{time}");
        }
        assert_eq!(TumblingSpec { size_ms: 5000, offset_ms: 1000 }.start_of(5999), 1000);
    }

    #[test]
    fn open_windows_survive_a_restore() {
        let mut first = window();
        add(&mut first, 10_000, "a", 1);
        add(&mut first, 15_000, "b", 2);
        let mut restored = snapshot_of(&mut first);
        let mut second = window();
        second.open(&info(0, 1), &mut restored).unwrap();
        add(&mut second, 16_000, "b", 2);
        assert_eq!(fire(&mut second, 20_000), [("a".to_owned(), 1), ("b".to_owned(), 4)]);
    }
}
