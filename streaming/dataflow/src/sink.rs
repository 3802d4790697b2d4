//! The sink contract: write, prepare at a barrier, commit once the checkpoint is recorded.
//!
//! ```text
//! write … ─▶ prepare_commit(7) ─▶ committables in the checkpoint ─▶ checkpoint 7 recorded
//!                                                                  ─▶ commit (repeatable)
//! ```
//!
//! What is prepared but not yet committed is part of the checkpoint, so a commit that a crash cut
//! off is done again on restore, perhaps in another process than the one that wrote.

use crate::{error::Result, operator::SubtaskInfo, record::Record};
use weir_base::CheckpointId;

/// What a writer is told when it starts.
pub struct SinkContext<'a> {
    /// The subtask.
    pub info: &'a SubtaskInfo,
    /// Whether the job resumes from a checkpoint.
    pub restored: bool,
}

/// A writer of the sink `S`.
pub type BoxedWriter<S> = Box<
    dyn SinkWriter<
            Item = <S as Sink>::Item,
            Committable = <S as Sink>::Committable,
            WriterState = <S as Sink>::WriterState,
        >,
>;

/// A sink of records. Implement it to write to a system of your own; see
/// `examples/src/bin/user-sink.rs` for a complete one.
pub trait Sink: Send + Sync + 'static {
    /// Type of the records.
    type Item: Record;
    /// What it takes to make prepared output visible.
    type Committable: Record;
    /// What a writer needs to go on after a restore. State is dealt out to the writers of the
    /// new parallelism, so an element must make sense alone.
    type WriterState: Record;

    /// Name shown for the operator, such as `Print to Std. Out`.
    fn name(&self) -> String;

    /// The settings, so that two processes can see that they write to the same place.
    fn specification(&self) -> Result<Vec<u8>>;

    /// Whether there is something to commit; if not, a job without checkpoints ends sooner.
    fn commits(&self) -> bool;

    /// Makes the writer of one subtask.
    ///
    /// # Errors
    /// Output that exists already, a place that cannot be written: the job fails before a record
    /// is read.
    fn writer(
        &self,
        context: &SinkContext<'_>,
        restored: Vec<Self::WriterState>,
    ) -> Result<BoxedWriter<Self>>
    where
        Self: Sized;

    /// Removes what was written and will never be committed: the job has failed or was cancelled
    /// and cannot be resumed. Called once, after its last task has stopped.
    fn abandon(&self) -> Result<()> {
        Ok(())
    }

    /// Makes the committer of one subtask.
    fn committer(
        &self,
        context: &SinkContext<'_>,
    ) -> Result<Box<dyn Committer<Committable = Self::Committable>>>;
}

/// Writes in one subtask.
pub trait SinkWriter: Send {
    /// Type of the records.
    type Item;
    /// See [`Sink::Committable`].
    type Committable;
    /// See [`Sink::WriterState`].
    type WriterState;

    /// Writes a batch of records; they need not be visible before they are committed.
    fn write(&mut self, records: Vec<Self::Item>) -> Result<()>;

    /// Hands on what is buffered; called when the task has nothing else to do.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Ends the output of a checkpoint: everything written so far is in the committables
    /// returned up to now, and durable.
    fn prepare_commit(&mut self, checkpoint: CheckpointId) -> Result<Vec<Self::Committable>>;

    /// The writer's state as of the barrier, after `prepare_commit`.
    fn snapshot(&mut self) -> Result<Vec<Self::WriterState>> {
        Ok(Vec::new())
    }

    /// Releases everything; output that was never prepared is removed.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

/// Makes prepared output visible.
pub trait Committer: Send {
    /// See [`Sink::Committable`].
    type Committable;

    /// Commits in order. Repeatable: what is committed already is passed over.
    fn commit(&mut self, committables: Vec<Self::Committable>) -> Result<()>;
}
