//! Keyed aggregates: reduce, fold, sum, min, max, aggregate.
//!
//! | mode | input | output |
//! |---|---|---|
//! | updates (streaming) | each record | the key's new result, at once |
//! | final (batch) | each record | each key's result once, at the end of data |
//!
//! State: one accumulator per key (`aggregate`). At a barrier the table is marked; at the end,
//! in final mode, it is emitted and emptied. Cost per record: one probe with the hash that the
//! record carries, the author's function, and in updates mode one copy of the result.

use std::marker::PhantomData;
use weir_dataflow::{
    Batch, Key, KeyedTable, Operator, OperatorContext, Record, RestoredState, Result, SubtaskInfo,
    TableVisitor, batch::MAX_RECORDS, key_hash::hash_keys, vec_pool,
};

/// Name of the state.
pub const STATE: &str = "aggregate";

/// What an aggregate does with the records of one key.
pub trait Aggregation: Clone + Send + 'static {
    /// Type of the records.
    type In: Record;
    /// What is kept per key.
    type Accumulator: Record;
    /// Type of the results.
    type Out: Record;

    /// The accumulator of a key's first record.
    fn first(&mut self, record: Self::In) -> Self::Accumulator;
    /// Adds a further record.
    fn add(&mut self, accumulator: &mut Self::Accumulator, record: Self::In);
    /// Adds what another subtask has accumulated of the same key. Only called where the
    /// aggregate says it [can be combined](Aggregation::COMBINES).
    fn merge(&mut self, accumulator: &mut Self::Accumulator, other: Self::Accumulator);
    /// The result so far.
    fn result(&mut self, accumulator: &Self::Accumulator) -> Self::Out;

    /// Whether parts of a key's records may be aggregated apart and merged.
    const COMBINES: bool;
}

/// The operator of a keyed aggregate. See the module's documentation.
pub struct KeyedAggregate<A: Aggregation, K, F> {
    aggregation: A,
    key_of: F,
    table: KeyedTable<K, A::Accumulator>,
    emit_updates: bool,
    types: PhantomData<fn(A::In)>,
}

impl<A: Aggregation, K: Key, F> KeyedAggregate<A, K, F>
where
    F: FnMut(&A::In) -> K + Send,
{
    /// Emits the new result after each record.
    pub fn updates(aggregation: A, key_of: F) -> Self {
        Self {
            aggregation,
            key_of,
            table: KeyedTable::new(),
            emit_updates: true,
            types: PhantomData,
        }
    }

    /// Emits each key's result at the end of data.
    pub fn finals(aggregation: A, key_of: F) -> Self {
        Self { emit_updates: false, ..Self::updates(aggregation, key_of) }
    }
}

/// The hashes a batch carries, or else the hashes of its keys.
pub(crate) fn hashes_of<T, K: Key>(
    carried: Option<Vec<u64>>,
    records: &[T],
    key_of: &mut impl FnMut(&T) -> K,
) -> Result<Vec<u64>> {
    match carried {
        Some(hashes) => Ok(hashes),
        None => {
            let mut hashes = vec_pool::take();
            hash_keys(records.iter().map(key_of), &mut hashes)?;
            Ok(hashes)
        }
    }
}

/// Emits records in batches of the usual size.
pub(crate) fn emit_chunks<T: Record>(
    mut records: impl Iterator<Item = T>,
    ctx: &mut OperatorContext<'_>,
) -> Result<()> {
    loop {
        let chunk: Vec<T> = records.by_ref().take(MAX_RECORDS).collect();
        if chunk.is_empty() {
            return Ok(());
        }
        ctx.emit_records(chunk)?;
    }
}

impl<A: Aggregation, K: Key, F> Operator for KeyedAggregate<A, K, F>
where
    F: FnMut(&A::In) -> K + Send,
{
    fn open(&mut self, _: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        restored.restore_table(STATE, &mut self.table)
    }

    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let Self { aggregation, key_of, table, .. } = self;
        let (mut records, carried) = batch.into_parts::<A::In>()?;
        let hashes = hashes_of(carried, &records, key_of)?;
        let mut out = if self.emit_updates { vec_pool::take() } else { Vec::new() };
        for (at, record) in records.drain(..).enumerate() {
            table.warm(&hashes, at);
            let key = key_of(&record);
            let accumulator = table.accumulate(hashes[at], key, record, aggregation);
            if self.emit_updates {
                out.push(aggregation.result(accumulator));
            }
        }
        vec_pool::give(records);
        vec_pool::give(hashes);
        ctx.emit_records(out)
    }

    fn finish(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        if self.emit_updates {
            return Ok(());
        }
        let aggregation = &mut self.aggregation;
        let results = self.table.drain().map(|(_, _, acc)| aggregation.result(&acc));
        emit_chunks(results, ctx)
    }

    fn tables(&mut self, visit: &mut TableVisitor<'_>) -> Result<()> {
        visit(STATE, &mut self.table)
    }
}

/// Adds a record to its key's accumulator.
pub(crate) trait Accumulate<A: Aggregation, K> {
    fn accumulate(
        &mut self,
        hash: u64,
        key: K,
        record: A::In,
        aggregation: &mut A,
    ) -> &A::Accumulator;
}

impl<A: Aggregation, K: Key> Accumulate<A, K> for KeyedTable<K, A::Accumulator> {
    #[inline(always)]
    fn accumulate(
        &mut self,
        hash: u64,
        key: K,
        record: A::In,
        aggregation: &mut A,
    ) -> &A::Accumulator {
        match self.probe(hash, &key) {
            Some(position) => {
                let accumulator = self.value_mut(position);
                aggregation.add(accumulator, record);
                accumulator
            }
            None => self.insert_new(hash, key, aggregation.first(record)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Sum, info, run_on, snapshot_of};
    use weir_dataflow::operator::Gathered;

    type Counter = KeyedAggregate<Sum, String, fn(&(String, u64)) -> String>;

    fn key(record: &(String, u64)) -> String {
        record.0.clone()
    }

    fn rows(rows: &[(&str, u64)]) -> Vec<(String, u64)> {
        rows.iter().map(|(key, n)| ((*key).to_owned(), *n)).collect()
    }

    #[test]
    fn updates_mode_emits_the_new_result_of_each_record() {
        let mut operator: Counter = KeyedAggregate::updates(Sum, key);
        let out: Vec<(String, u64)> = run_on(&mut operator, rows(&[("a", 1), ("b", 1), ("a", 2)]));
        assert_eq!(out, rows(&[("a", 1), ("b", 1), ("a", 3)]));
    }

    #[test]
    fn final_mode_emits_each_key_once_at_the_end() {
        let mut operator: Counter = KeyedAggregate::finals(Sum, key);
        let early: Vec<(String, u64)> =
            run_on(&mut operator, rows(&[("a", 1), ("b", 1), ("a", 2)]));
        assert!(early.is_empty());
        let mut gathered = Gathered::default();
        operator.finish(&mut OperatorContext::new(&mut gathered, 0)).unwrap();
        assert_eq!(gathered.take_records::<(String, u64)>().unwrap(), rows(&[("a", 3), ("b", 1)]));
        operator.finish(&mut OperatorContext::new(&mut gathered, 0)).unwrap();
        assert!(gathered.batches.is_empty(), "what is emitted is gone");
    }

    #[test]
    fn a_restored_operator_goes_on_where_the_snapshot_was_taken() {
        let mut operator: Counter = KeyedAggregate::updates(Sum, key);
        run_on::<_, (String, u64)>(&mut operator, rows(&[("a", 1), ("b", 5)]));
        let mut restored = snapshot_of(&mut operator);
        run_on::<_, (String, u64)>(&mut operator, rows(&[("a", 100)]));
        let mut second: Counter = KeyedAggregate::updates(Sum, key);
        second.open(&info(0, 1), &mut restored).unwrap();
        let out: Vec<(String, u64)> = run_on(&mut second, rows(&[("a", 1), ("b", 1), ("c", 1)]));
        assert_eq!(out, rows(&[("a", 2), ("b", 6), ("c", 1)]));
    }
}
