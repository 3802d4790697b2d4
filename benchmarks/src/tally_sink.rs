//! The sink of our side: counts what arrives and sums a number of each record, then drops it.

use crate::work::SharedTally;
use std::{marker::PhantomData, sync::Arc};
use weir::{Committer, Record, Sink, SinkContext, SinkWriter, TaskResult};

/// Adds `number_of` each record to a shared tally.
pub struct TallySink<T, F> {
    tally: Arc<SharedTally>,
    number_of: F,
    record: PhantomData<fn(T)>,
}

impl<T, F> TallySink<T, F> {
    /// A sink that adds to `tally` when its subtasks end.
    pub fn new(tally: &Arc<SharedTally>, number_of: F) -> Self {
        Self { tally: Arc::clone(tally), number_of, record: PhantomData }
    }
}

struct Writer<T, F> {
    tally: SharedTally,
    number_of: F,
    record: PhantomData<fn(T)>,
}

impl<T: Record, F: Fn(&T) -> u64 + Clone + Send + Sync + 'static> Sink for TallySink<T, F> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn name(&self) -> String {
        "Tally".to_owned()
    }

    fn specification(&self) -> TaskResult<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commits(&self) -> bool {
        false
    }

    fn writer(
        &self,
        _: &SinkContext<'_>,
        _: Vec<()>,
    ) -> TaskResult<Box<dyn SinkWriter<Item = T, Committable = (), WriterState = ()>>> {
        Ok(Box::new(Writer {
            tally: self.tally.as_ref().clone(),
            number_of: self.number_of.clone(),
            record: PhantomData,
        }))
    }

    fn committer(&self, _: &SinkContext<'_>) -> TaskResult<Box<dyn Committer<Committable = ()>>> {
        Ok(Box::new(Nothing))
    }
}

impl<T: Record, F: Fn(&T) -> u64 + Send> SinkWriter for Writer<T, F> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn write(&mut self, records: Vec<T>) -> TaskResult<()> {
        for record in &records {
            self.tally.add((self.number_of)(record));
        }
        Ok(())
    }

    fn prepare_commit(&mut self, _: weir::CheckpointId) -> TaskResult<Vec<()>> {
        Ok(Vec::new())
    }
}

struct Nothing;

impl Committer for Nothing {
    type Committable = ();

    fn commit(&mut self, _: Vec<()>) -> TaskResult<()> {
        Ok(())
    }
}
