//! The operator contract: synchronous, passive, called once per batch.
//!
//! ```text
//! open ─▶ { on_batch | on_watermark | on_timers | poll
//!         | before_barrier, snapshot, (tables encoded between calls)
//!         | on_checkpoint_complete | on_checkpoint_aborted }
//!      ─▶ on_end (each input) ─▶ finish ─▶ { barriers, completions } ─▶ close
//! ```
//!
//! The runtime owns threads, alignment, credits and the wire. An operator has no clock: time
//! comes from its context. `close` is called on every way out, the others are not repeated.

use crate::{
    batch::Batch,
    codec,
    error::{Error, Result},
    record::{Key, Record},
    schema_trace::check_value,
    table::{KeyedTable, SnapshotTable},
};
use std::{collections::BTreeMap, sync::Arc};
use weir_base::{CheckpointId, ExecutionAttempt, JobId, OperatorId};
use weir_graph::KeyGroupRange;

/// Milliseconds since 1970-01-01 UTC, of event or processing time.
pub type Timestamp = i64;

/// Wakes the task of a source that has reported [`SourcePoll::Pending`]; may be called from any
/// thread, any number of times.
pub type Waker = Arc<dyn Fn() + Send + Sync>;

/// Where an operator's output goes. Emitting may wait for room downstream; it fails with
/// [`Error::Cancelled`] when the task is told to stop meanwhile.
pub trait Emit {
    /// Emits a batch on a numbered output (0 is the main one). Empty batches are dropped.
    fn emit(&mut self, output: usize, batch: Batch) -> Result<()>;
    /// Emits a watermark on every output.
    fn emit_watermark(&mut self, watermark: Timestamp) -> Result<()>;
}

/// What an operator sees during a call.
pub struct OperatorContext<'a> {
    emit: &'a mut dyn Emit,
    processing_time: Timestamp,
}

impl<'a> OperatorContext<'a> {
    /// A context that emits into `emit`.
    pub fn new(emit: &'a mut dyn Emit, processing_time: Timestamp) -> Self {
        Self { emit, processing_time }
    }

    /// Emits a batch on the main output.
    pub fn emit(&mut self, batch: Batch) -> Result<()> {
        self.emit_to(0, batch)
    }

    /// Emits a batch on a numbered output.
    pub fn emit_to(&mut self, output: usize, batch: Batch) -> Result<()> {
        if batch.is_empty() { Ok(()) } else { self.emit.emit(output, batch) }
    }

    /// Emits records on the main output.
    pub fn emit_records<T: Record>(&mut self, records: Vec<T>) -> Result<()> {
        self.emit(Batch::of(records))
    }

    /// Passes a watermark on.
    pub fn emit_watermark(&mut self, watermark: Timestamp) -> Result<()> {
        self.emit.emit_watermark(watermark)
    }

    /// The processing time, read once for this call.
    pub fn processing_time(&self) -> Timestamp {
        self.processing_time
    }
}

/// Who an operator instance is.
#[derive(Clone)]
pub struct SubtaskInfo {
    /// The job. Two jobs have different ids even if they are the same program.
    pub job: JobId,
    /// Name of the job.
    pub job_name: String,
    /// The operator.
    pub operator: OperatorId,
    /// Its name.
    pub operator_name: String,
    /// Index of the subtask, from 0.
    pub subtask: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Key groups of this subtask.
    pub key_groups: KeyGroupRange,
    /// The deployment.
    pub attempt: ExecutionAttempt,
    /// Wakes the task.
    pub waker: Waker,
}

/// State handed to [`Operator::open`]; empty on a fresh start.
#[derive(Debug, Default)]
pub struct RestoredState {
    /// The checkpoint it comes from; `None` on a fresh start.
    pub checkpoint: Option<CheckpointId>,
    /// Encoded entries of each keyed table, of this subtask's key groups only.
    pub tables: BTreeMap<String, Vec<Vec<u8>>>,
    /// Encoded entries of each operator list.
    pub lists: BTreeMap<String, Vec<Vec<u8>>>,
}

impl RestoredState {
    /// Whether the job resumes from a checkpoint.
    pub fn is_restored(&self) -> bool {
        self.checkpoint.is_some()
    }

    /// Fills a table with its restored entries.
    pub fn restore_table<K: Key, V: Record>(
        &mut self,
        name: &str,
        table: &mut KeyedTable<K, V>,
    ) -> Result<()> {
        self.tables.remove(name).into_iter().flatten().try_for_each(|bytes| table.restore(&bytes))
    }

    /// The restored entries of an operator list.
    pub fn take_list<T: Record>(&mut self, name: &str) -> Result<Vec<T>> {
        let entries = self.lists.remove(name).unwrap_or_default();
        entries.iter().map(|bytes| codec::decode(bytes)).collect()
    }
}

/// Operator list state, gathered at a barrier.
#[derive(Debug, Default)]
pub struct ListState {
    /// Encoded entries by state name.
    pub entries: BTreeMap<String, Vec<Vec<u8>>>,
}

impl ListState {
    /// Writes the whole content of a list.
    ///
    /// # Errors
    /// An item cannot be encoded, or the first one does not come back from its encoding.
    pub fn put<T: Record>(&mut self, name: &str, items: &[T]) -> Result<()> {
        items.first().map_or(Ok(()), check_value)?;
        let encoded = items.iter().map(codec::encode).collect::<Result<_>>()?;
        self.entries.insert(name.to_owned(), encoded);
        Ok(())
    }
}

/// What a source has to say after a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourcePoll {
    /// There is more: poll again.
    More,
    /// Nothing now: poll again when woken, or at this processing time.
    Pending(Option<Timestamp>),
    /// Nothing will follow.
    End,
}

/// Visits an operator's keyed tables by name.
pub type TableVisitor<'a> = dyn FnMut(&str, &mut dyn SnapshotTable) -> Result<()> + 'a;

/// A running operator. See the module's documentation for the order of calls.
pub trait Operator: Send {
    /// Restores state and acquires what is needed; called before anything else.
    fn open(&mut self, _info: &SubtaskInfo, _restored: &mut RestoredState) -> Result<()> {
        Ok(())
    }

    /// Handles a batch of a numbered input.
    fn on_batch(&mut self, input: usize, batch: Batch, ctx: &mut OperatorContext<'_>)
    -> Result<()>;

    /// Handles the minimum watermark of all inputs; passes it on unless overridden.
    fn on_watermark(&mut self, watermark: Timestamp, ctx: &mut OperatorContext<'_>) -> Result<()> {
        ctx.emit_watermark(watermark)
    }

    /// The processing time at which [`Operator::on_timers`] wants to be called.
    fn next_timer(&self) -> Option<Timestamp> {
        None
    }

    /// Fires every timer that is due at the context's processing time.
    fn on_timers(&mut self, _ctx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether this operator is polled for records.
    fn is_source(&self) -> bool {
        false
    }

    /// Produces some records without waiting. Sources only.
    fn poll(&mut self, _ctx: &mut OperatorContext<'_>) -> Result<SourcePoll> {
        Ok(SourcePoll::End)
    }

    /// Emits what must leave before a barrier (a combiner's partial results).
    fn before_barrier(&mut self, _ctx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Writes list state as of the barrier. Keyed tables are marked by the runtime.
    fn snapshot(&mut self, _checkpoint: CheckpointId, _lists: &mut ListState) -> Result<()> {
        Ok(())
    }

    /// Shows every keyed table to the visitor, always in the same order.
    fn tables(&mut self, _visit: &mut TableVisitor<'_>) -> Result<()> {
        Ok(())
    }

    /// The checkpoint is recorded: commit everything up to it. May be called again after a
    /// restore, and may skip ids.
    fn on_checkpoint_complete(&mut self, _checkpoint: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The checkpoint will not complete.
    fn on_checkpoint_aborted(&mut self, _checkpoint: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// A numbered input has ended.
    fn on_end(&mut self, _input: usize, _ctx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Every input has ended: emit what is left.
    fn finish(&mut self, _ctx: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Releases everything; called exactly once, also after errors.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Gathers what an operator emits: for tests of single operators.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Batches with their output.
    pub batches: Vec<(usize, Batch)>,
    /// Watermarks.
    pub watermarks: Vec<Timestamp>,
}

impl Gathered {
    /// Takes all records of the main output.
    pub fn take_records<T: Record>(&mut self) -> Result<Vec<T>, Error> {
        let mut records = Vec::new();
        for (_, batch) in self.batches.drain(..) {
            records.extend(batch.into_records::<T>()?);
        }
        Ok(records)
    }
}

impl Emit for Gathered {
    fn emit(&mut self, output: usize, batch: Batch) -> Result<()> {
        self.batches.push((output, batch));
        Ok(())
    }

    fn emit_watermark(&mut self, watermark: Timestamp) -> Result<()> {
        self.watermarks.push(watermark);
        Ok(())
    }
}
