//! Sinks, and the operator that runs any sink.
//!
//! | sink | output is visible | after a restart |
//! |---|---|---|
//! | [`PrintSink`] | at once | what came after the checkpoint is printed again |
//! | [`TextFileSink`] | when its checkpoint is complete | every line exactly once |
//! | [`DiscardSink`] | never | |

mod discard;
mod nothing_to_commit;
mod operator;
mod print;
mod text_file;

pub use discard::DiscardSink;
pub use nothing_to_commit::NothingToCommit;
pub use operator::{COMMITTABLES_STATE, PendingCommits, SinkOperator, WRITER_STATE};
pub use print::{PrintSink, SharedWriter};
pub use text_file::{CommitWay, TextFileCommittable, TextFileSink, TextFileState};

#[cfg(test)]
pub(crate) mod test_subtask {
    //! Subtasks of some attempt, for tests of single operators.

    use weir_base::ExecutionAttempt;
    use weir_dataflow::SubtaskInfo;

    pub fn info(subtask: u32, parallelism: u32, attempt: u64) -> SubtaskInfo {
        let attempt = ExecutionAttempt(attempt);
        SubtaskInfo { attempt, ..crate::testing::info(subtask, parallelism) }
    }
}
