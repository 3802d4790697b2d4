//! Sink that drops what it gets: to measure a job, or to run it for its side effects.
//!
//! No state, nothing at a barrier or at the end. Cost: dropping the records.

use super::NothingToCommit;
use std::marker::PhantomData;
use weir_base::CheckpointId;
use weir_dataflow::{
    BoxedWriter, Committer, Record, Result, Sink, SinkContext, SinkWriter, vec_pool,
};

/// Drops every record.
pub struct DiscardSink<T>(PhantomData<fn(T)>);

impl<T> DiscardSink<T> {
    /// A sink that drops what it gets.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for DiscardSink<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Record> Sink for DiscardSink<T> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn name(&self) -> String {
        "Discard".to_owned()
    }

    fn specification(&self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commits(&self) -> bool {
        false
    }

    fn writer(&self, _context: &SinkContext<'_>, _restored: Vec<()>) -> Result<BoxedWriter<Self>> {
        Ok(Box::new(Self::new()))
    }

    fn committer(
        &self,
        _context: &SinkContext<'_>,
    ) -> Result<Box<dyn Committer<Committable = ()>>> {
        Ok(Box::new(NothingToCommit))
    }
}

impl<T: Send + 'static> SinkWriter for DiscardSink<T> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    #[inline]
    fn write(&mut self, records: Vec<T>) -> Result<()> {
        vec_pool::give(records);
        Ok(())
    }

    fn prepare_commit(&mut self, _checkpoint: CheckpointId) -> Result<Vec<()>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SinkOperator, test_subtask::info};
    use super::*;
    use std::sync::Arc;
    use weir_dataflow::{
        Batch, ListState, Operator, OperatorContext, RestoredState, operator::Gathered,
    };

    #[test]
    fn records_are_dropped_and_nothing_is_kept() {
        let mut operator = SinkOperator::new(Arc::new(DiscardSink::<String>::new()));
        operator.open(&info(0, 1, 1), &mut RestoredState::default()).unwrap();
        let mut gathered = Gathered::default();
        let batch = Batch::of(vec!["x".to_owned(); 100]);
        operator.on_batch(0, batch, &mut OperatorContext::new(&mut gathered, 0)).unwrap();
        let mut lists = ListState::default();
        operator.snapshot(CheckpointId(1), &mut lists).unwrap();
        assert!(lists.entries.values().all(Vec::is_empty), "{lists:?}");
        assert!(gathered.batches.is_empty());
    }
}
