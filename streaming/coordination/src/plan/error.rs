//! Errors of a stream graph; each variant has a page in `docs/errors/`.

use weir_graph::key_groups::UPPER_BOUND;

/// Settings of a stream graph that cannot be met. All are the author's to mend, and trying again
/// does not help.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// A parallelism of 0.
    #[error(
        "the parallelism of {owner} is 0, but it needs at least one subtask; set it to 1 or more"
    )]
    ZeroParallelism {
        /// The operator, or the job for the default.
        owner: String,
    },
    /// More subtasks than key groups.
    #[error(
        "operator {operator:?} has parallelism {parallelism} but max parallelism \
         {max_parallelism}; lower its parallelism, or raise its max parallelism (which is fixed \
         once the job has a checkpoint or savepoint)"
    )]
    AboveMaxParallelism {
        operator: String,
        /// Its number of subtasks.
        parallelism: u32,
        /// Its number of key groups.
        max_parallelism: u32,
    },
    /// A max parallelism of 0 or above the largest there is.
    #[error(
        "the max parallelism of {owner} is {max_parallelism}, but must lie within 1 and \
         {UPPER_BOUND}"
    )]
    MaxParallelismOutOfRange {
        /// The operator, or the job for the default.
        owner: String,
        /// The value that was set.
        max_parallelism: u32,
    },
    /// Two operators with one uid.
    #[error(
        "operators {first:?} and {second:?} both have the uid {uid:?}; state is found by uid, so \
         give each operator one of its own"
    )]
    DuplicateUid {
        uid: String,
        /// The first operator in graph order.
        first: String,
        second: String,
    },
    /// An empty uid.
    #[error(
        "the uid of operator {operator:?} is empty; state is found by uid, so give it a name that \
         is unique within the job, or leave .uid() out"
    )]
    EmptyUid { operator: String },
    /// Nothing takes the records.
    #[error(
        "job {job:?} has no sink: nothing takes the records of operator {last:?}; end the stream with \
         a sink, such as print(), write_as_text() or discard()"
    )]
    NoSink {
        job: String,
        /// The last operator.
        last: String,
    },
    /// Nothing to run.
    #[error("job {job:?} has no source; add one, and a sink behind it, before execute()")]
    NoSource { job: String },
    /// A forward edge between different numbers of subtasks.
    #[error(
        "the forward edge from {from:?} (parallelism {from_parallelism}) to {to:?} (parallelism \
         {to_parallelism}) needs one parallelism on both sides; set them alike, or use \
         rebalance() between them"
    )]
    ForwardMismatch {
        /// Producer.
        from: String,
        /// Its number of subtasks.
        from_parallelism: u32,
        /// Consumer.
        to: String,
        /// Its number of subtasks.
        to_parallelism: u32,
    },
    /// A serial operator set to another parallelism.
    #[error(
        "operator {operator:?} can only run with parallelism {fixed}, but was set to {requested}; \
         remove the setting, and set the parallelism of the operator behind it instead"
    )]
    FixedParallelism {
        operator: String,
        /// The parallelism with which it can run.
        fixed: u32,
        /// The requested parallelism.
        requested: u32,
    },
}

impl PlanError {
    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ZeroParallelism { .. } => "WEIR-PLAN-0001",
            Self::AboveMaxParallelism { .. } => "WEIR-PLAN-0002",
            Self::MaxParallelismOutOfRange { .. } => "WEIR-PLAN-0003",
            Self::DuplicateUid { .. } => "WEIR-PLAN-0004",
            Self::NoSource { .. } => "WEIR-PLAN-0005",
            Self::ForwardMismatch { .. } => "WEIR-PLAN-0006",
            Self::FixedParallelism { .. } => "WEIR-PLAN-0007",
            Self::EmptyUid { .. } => "WEIR-PLAN-0008",
            Self::NoSink { .. } => "WEIR-PLAN-0009",
        }
    }
}
