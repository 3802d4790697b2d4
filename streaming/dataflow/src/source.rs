//! The source contract: splits are listed once, read by subtasks, and remembered in checkpoints.
//!
//! ```text
//! coordinator (one hidden subtask)      enumerate() once ─▶ splits for each reader
//! reader (each subtask)                 add_splits ─▶ poll_batch … ─▶ End
//!                                       splits() at a barrier: each with its position
//! ```
//!
//! A [`Source`] is the plan-time description; its settings travel with the graph. A
//! [`SourceReader`] is its running half and never blocks.

use crate::{
    collector::Collector,
    error::Result,
    operator::{SourcePoll, Waker},
    record::Record,
};

/// What a reader is told about its subtask.
#[derive(Clone)]
pub struct ReaderContext {
    /// Index of the subtask, from 0.
    pub subtask: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Wakes the task after [`SourcePoll::Pending`].
    pub waker: Waker,
}

/// A source of records. Implement it to read from a system of your own; see
/// `examples/src/bin/user-source.rs` for a complete one.
pub trait Source: Send + Sync + 'static {
    /// Type of the records.
    type Item: Record;
    /// A part of the input with the position in it: all a reader needs to go on.
    type Split: Record;

    /// Name shown for the operator, such as `Text File Source`.
    fn name(&self) -> String;

    /// Whether the input ends by itself.
    fn is_bounded(&self) -> bool;

    /// Whether it must run with parallelism 1.
    fn is_serial(&self) -> bool {
        false
    }

    /// The settings, so that two processes can see that they read the same.
    fn specification(&self) -> Result<Vec<u8>>;

    /// Lists the input once per job, for `parallelism` readers: element `i` goes to reader `i`.
    /// Runs in the coordinator; it may block.
    ///
    /// # Errors
    /// What is missing or unreadable: the job fails before a record is read.
    fn enumerate(&self, parallelism: u32) -> Result<Vec<Vec<Self::Split>>>;

    /// Makes the reader of one subtask.
    fn reader(
        &self,
        context: ReaderContext,
    ) -> Result<Box<dyn SourceReader<Item = Self::Item, Split = Self::Split>>>;
}

/// Reads splits in one subtask.
pub trait SourceReader: Send {
    /// Type of the records.
    type Item;
    /// Type of the splits.
    type Split;

    /// Takes over splits, fresh ones or restored ones.
    fn add_splits(&mut self, splits: Vec<Self::Split>) -> Result<()>;

    /// Emits up to about `budget_records`, then returns; it never blocks.
    ///
    /// `End` means that every split given so far is read; the runtime asks again when more come.
    fn poll_batch(
        &mut self,
        budget_records: usize,
        out: &mut Collector<Self::Item>,
    ) -> Result<SourcePoll>;

    /// The unfinished splits with their positions behind the last record emitted.
    fn splits(&self) -> Result<Vec<Self::Split>>;

    /// Releases files, sockets and threads.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
