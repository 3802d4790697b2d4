//! Combining before the exchange: batch mode's two phases, without the author writing two.
//!
//! ```text
//! Combine (with the producer)      records ─▶ (key, accumulator) partials
//! ══ keyed exchange ══
//! MergePartials (by key group)     partials ─▶ each key's result once, at the end
//! ```
//!
//! State: the combiner keeps none across a barrier: it flushes before one, when it holds too many
//! keys, and at the end. The merger keeps an accumulator per key (`aggregate`). Cost per record:
//! one probe; per key and flush: one record through the exchange.

use crate::aggregate::{Accumulate, Aggregation, STATE, emit_chunks, hashes_of};
use weir_dataflow::{
    Batch, Key, KeyedTable, Operator, OperatorContext, RestoredState, Result, SubtaskInfo,
    TableVisitor, batch::MAX_RECORDS, vec_pool,
};

/// Keys a combiner holds before it hands them on: enough for skewed keys to shrink, small enough
/// for keys that hardly repeat not to fill memory.
const MAX_COMBINED_KEYS: usize = 256 * 1024;

/// The first phase.
pub struct Combine<A: Aggregation, K, F> {
    aggregation: A,
    key_of: F,
    table: KeyedTable<K, A::Accumulator>,
}

impl<A: Aggregation, K: Key, F: FnMut(&A::In) -> K + Send> Combine<A, K, F> {
    /// A combiner of records by key.
    pub fn new(aggregation: A, key_of: F) -> Self {
        Self { aggregation, key_of, table: KeyedTable::new() }
    }

    fn flush(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let mut partials = self.table.drain();
        loop {
            let mut records = Vec::new();
            let mut hashes = Vec::new();
            for (hash, key, accumulator) in partials.by_ref().take(MAX_RECORDS) {
                hashes.push(hash);
                records.push((key, accumulator));
            }
            if records.is_empty() {
                return Ok(());
            }
            ctx.emit(Batch::of(records).with_key_hashes(hashes))?;
        }
    }
}

impl<A: Aggregation, K: Key, F: FnMut(&A::In) -> K + Send> Operator for Combine<A, K, F> {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let Self { aggregation, key_of, table } = self;
        let (mut records, carried) = batch.into_parts::<A::In>()?;
        let hashes = hashes_of(carried, &records, key_of)?;
        for (at, record) in records.drain(..).enumerate() {
            table.warm(&hashes, at);
            let key = key_of(&record);
            table.accumulate(hashes[at], key, record, aggregation);
        }
        vec_pool::give(records);
        vec_pool::give(hashes);
        if table.len() >= MAX_COMBINED_KEYS {
            self.flush(ctx)?;
        }
        Ok(())
    }

    fn before_barrier(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.flush(ctx)
    }

    fn finish(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.flush(ctx)
    }
}

/// The second phase.
pub struct MergePartials<A: Aggregation, K> {
    aggregation: A,
    table: KeyedTable<K, A::Accumulator>,
}

impl<A: Aggregation, K: Key> MergePartials<A, K> {
    /// A merger of partial accumulators.
    pub fn new(aggregation: A) -> Self {
        Self { aggregation, table: KeyedTable::new() }
    }
}

impl<A: Aggregation, K: Key> Operator for MergePartials<A, K> {
    fn open(&mut self, _: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        restored.restore_table(STATE, &mut self.table)
    }

    fn on_batch(&mut self, _: usize, batch: Batch, _: &mut OperatorContext<'_>) -> Result<()> {
        let Self { aggregation, table } = self;
        let (partials, carried) = batch.into_parts::<(K, A::Accumulator)>()?;
        let hashes = hashes_of(carried, &partials, &mut |(key, _)| key.clone())?;
        for (at, (key, other)) in partials.into_iter().enumerate() {
            table.warm(&hashes, at);
            let hash = hashes[at];
            match table.probe(hash, &key) {
                Some(position) => aggregation.merge(table.value_mut(position), other),
                None => {
                    table.insert_new(hash, key, other);
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, ctx: &mut OperatorContext<'_>) -> Result<()> {
        let aggregation = &mut self.aggregation;
        let results = self.table.drain().map(|(_, _, acc)| aggregation.result(&acc));
        emit_chunks(results, ctx)
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

    fn key(record: &(String, u64)) -> String {
        record.0.clone()
    }

    fn words(count: u64, modulus: u64) -> Vec<(String, u64)> {
        (0..count).map(|i| (format!("w{}", i % modulus), 1)).collect()
    }

    #[test]
    fn partials_leave_before_a_barrier_and_merge_to_the_same_totals() {
        let mut gathered = Gathered::default();
        let mut combine = Combine::new(Sum, key as fn(&(String, u64)) -> String);
        for _ in 0..3 {
            let mut ctx = OperatorContext::new(&mut gathered, 0);
            combine.on_batch(0, Batch::of(words(100, 7)), &mut ctx).unwrap();
            combine.before_barrier(&mut ctx).unwrap();
        }
        let partials: Vec<Batch> = gathered.batches.drain(..).map(|(_, batch)| batch).collect();
        assert_eq!(partials.iter().map(Batch::len).sum::<usize>(), 21);

        let mut merge = MergePartials::<Sum, String>::new(Sum);
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        for (i, batch) in partials.into_iter().enumerate() {
            merge.on_batch(0, batch, &mut ctx).unwrap();
            if i == 1 {
                let mut restored = snapshot_of(&mut merge);
                merge = MergePartials::new(Sum);
                merge.open(&info(0, 1), &mut restored).unwrap();
            }
        }
        merge.finish(&mut ctx).unwrap();
        let mut totals = gathered.take_records::<(String, u64)>().unwrap();
        totals.sort();
        let expected: Vec<(String, u64)> =
            (0..7).map(|i| (format!("w{i}"), 3 * (14 + u64::from(i < 2)))).collect();
        assert_eq!(totals, expected);
    }

    #[test]
    fn too_many_keys_are_handed_on_early() {
        let mut gathered = Gathered::default();
        let mut combine = Combine::new(Sum, key as fn(&(String, u64)) -> String);
        let count = MAX_COMBINED_KEYS as u64 + 1;
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        combine.on_batch(0, Batch::of(words(count, count)), &mut ctx).unwrap();
        assert_eq!(gathered.batches.iter().map(|(_, b)| b.len() as u64).sum::<u64>(), count);
    }
}
