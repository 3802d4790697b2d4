//! Events, effects and log records of the job master.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, ops::RangeInclusive, time::Duration};
use weir_base::{CheckpointId, ExecutionAttempt, Failure, JobId, LeaderEpoch, LogIndex};
use weir_graph::{Fingerprint, SnapshotHandle, TaskDeployment, TaskId};
use weir_protocol::{
    job::JobStatus,
    task::{TaskCommand, TaskReport},
};

/// How a job is run, resolved from its configuration.
#[derive(Clone, Debug)]
pub struct JobSettings {
    pub job: JobId,
    /// Values that must agree with the log that it resumes.
    pub fingerprint: Fingerprint,
    /// `None` when periodic checkpoints are off; a bounded job with a committing sink still
    /// takes its final one.
    pub checkpoints: Option<CheckpointSettings>,
    /// The longest a final checkpoint may take.
    pub final_checkpoint_timeout: Duration,
    /// Whether the snapshots of the job outlive its end.
    pub retention: CheckpointRetention,
    /// Restart strategy.
    pub restart: RestartStrategy,
    /// How long the log may be unreadable or unwritable before this master gives up.
    pub storage_timeout: Duration,
    /// How long a cancelled task may take to stop before it is abandoned.
    pub cancellation_timeout: Duration,
}

/// Settings of periodic checkpoints.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointSettings {
    /// From trigger to trigger.
    pub interval: Duration,
    /// A checkpoint that takes longer is aborted.
    pub timeout: Duration,
    /// From the end of one to the trigger of the next.
    pub min_pause: Duration,
    /// Failed checkpoints in a row that the job survives.
    pub tolerable_failures: u32,
    /// Completed checkpoints kept; at least 1.
    pub retained: usize,
}

/// Ends of a job after which the snapshots of its retained checkpoints stay in the storage. The job log always
/// remains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckpointRetention {
    /// None: the snapshots are deleted however the job ends.
    Never,
    /// The job failed.
    OnFailure,
    /// The job failed or was canceled.
    OnFailureOrCancellation,
}

impl CheckpointRetention {
    /// Whether the snapshots of a job that has ended in this way are kept.
    pub fn keeps(self, end: JobStatus) -> bool {
        match end {
            JobStatus::Finished => false,
            JobStatus::Failed => self != Self::Never,
            JobStatus::Canceled => self == Self::OnFailureOrCancellation,
            // The job has not ended.
            _ => true,
        }
    }
}

/// Restart strategy.
#[derive(Clone, PartialEq, Debug)]
pub enum RestartStrategy {
    /// Fail the job.
    None,
    /// Restart at most a number of times under this master, each time after the same delay.
    FixedDelay {
        /// Restarts before the job fails.
        attempts: u32,
        /// Wait before each restart.
        delay: Duration,
    },
    /// Restart any number of times, until there are too many failures in an interval.
    FailureRate {
        /// Failures within an interval that the job survives.
        max_failures: u32,
        interval: Duration,
        /// Wait before each restart.
        delay: Duration,
    },
    /// Restart after delays that grow.
    ExponentialDelay(ExponentialDelay),
}

/// Restarts after delays that grow; the defaults are Flink's.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ExponentialDelay {
    /// The first delay. Default 1 s.
    pub initial_backoff: Duration,
    /// The longest delay. Default 1 min.
    pub max_backoff: Duration,
    /// Factor from one delay to the next. Default 1.5.
    pub backoff_multiplier: f64,
    /// How long a job runs without a failure before the delay is the first one again. Default 1 h.
    pub reset_backoff_threshold: Duration,
    /// The part of a delay by which it is made longer or shorter at random, 0 to 1. Default 0.1.
    pub jitter_factor: f64,
    /// Restarts without a reset before the job fails. Default 2147483647, Flink's number for no limit.
    pub attempts_before_reset: u32,
}

impl Default for ExponentialDelay {
    fn default() -> Self {
        Self {
            initial_backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
            backoff_multiplier: 1.5,
            reset_backoff_threshold: Duration::from_secs(3_600),
            jitter_factor: 0.1,
            attempts_before_reset: i32::MAX as u32,
        }
    }
}

/// An event of the job master.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Begin: the records of the job's log.
    Start {
        /// Index of the first record; above 0 the first one is a [`JobLogRecord::LogSnapshot`].
        first: LogIndex,
        /// As read; the shell has verified that there is no gap.
        log: Vec<JobLogRecord>,
    },
    /// The log could not be read, at first or on [`Effect::ReadLog`].
    LogUnreadable {
        /// Why.
        failure: Failure,
    },
    /// An [`Effect::AppendLog`] has ended.
    LogAppended {
        /// The record.
        index: LogIndex,
        outcome: AppendOutcome,
    },
    /// A task reports.
    Task(TaskReport),
    /// A client asks for the end of the job.
    CancelRequested,
    /// The task host of these tasks is lost: no more reports of them will come.
    TasksLost {
        /// The deployments.
        tasks: Vec<(TaskId, ExecutionAttempt)>,
        /// Why.
        failure: Failure,
    },
    /// There will be no task host for these tasks, for a reason that is not theirs: too few slots, or a
    /// container that is larger than every node.
    TasksUnplaceable {
        /// The deployments.
        tasks: Vec<(TaskId, ExecutionAttempt)>,
        /// Why.
        failure: Failure,
    },
}

/// How an append to the log ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppendOutcome {
    /// The record exists. Whether it counts depends on what else does.
    Appended {
        /// The newest record and those before it without a gap, listed afterwards.
        tail: RangeInclusive<LogIndex>,
    },
    /// A record was there already.
    Taken {
        /// That record; after a failure it may be the one that was to be written.
        theirs: Box<JobLogRecord>,
        /// The newest record and those before it without a gap, listed afterwards.
        tail: RangeInclusive<LogIndex>,
    },
    /// Storage failed; the record may or may not be there.
    Failed(Failure),
}

/// An effect that the shell has to carry out, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Read the log again, then tell [`Input::Start`] or [`Input::LogUnreadable`].
    ReadLog,
    /// Create this record if its index is free, list the log, then answer [`Input::LogAppended`].
    AppendLog {
        /// Where.
        index: LogIndex,
        record: JobLogRecord,
    },
    /// Delete all records before this index. The snapshot record there holds what they amount to, and
    /// a later snapshot record is durable, so this is right at any later time too.
    DeleteLog {
        /// Index of the last [`JobLogRecord::LogSnapshot`] but one.
        below: LogIndex,
    },
    /// Start a task.
    Deploy(Box<TaskDeployment>),
    /// Send a command to a task.
    Command { task: TaskId, attempt: ExecutionAttempt, command: TaskCommand },
    /// Delete snapshots that no retained checkpoint needs.
    Dispose {
        /// The checkpoint to which they belonged.
        checkpoint: CheckpointId,
        /// Their paths.
        paths: Vec<String>,
    },
    /// Delete the snapshots of checkpoints below `below` whose path is not in `keep`: what earlier
    /// masters have written and no record needs, or at the end of the job all that it has written. Right
    /// at any later time too, also beside a newer master: no checkpoint below `below` is ever recorded
    /// again.
    SweepSnapshots {
        /// The first checkpoint id of this master's epoch; at the end of the job, the first unused id.
        below: CheckpointId,
        /// Paths of the checkpoints that were retained when the epoch began; none at the end of the job.
        keep: BTreeSet<String>,
    },
    /// The job's state has changed.
    StatusChanged {
        status: JobStatus,
        /// Why, where a failure is the cause.
        failure: Option<Failure>,
    },
    /// The job has ended; the last effect there is.
    Terminated(JobOutcome),
}

/// How a job ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobOutcome {
    /// A terminal state.
    pub status: JobStatus,
    /// The failure that ended it.
    pub failure: Option<Failure>,
    /// Restarts on the way.
    pub restarts: u32,
    /// Checkpoints completed under this master.
    pub completed_checkpoints: u64,
    /// The last completed checkpoint, from whichever master.
    pub last_checkpoint: Option<CheckpointId>,
    /// Only this master has ended: the log does not have this end, and another master can continue, unless
    /// the failure is permanent.
    #[serde(skip)]
    pub off_record: bool,
    /// Sinks may have committed a part of what the last checkpoint covers, and the rest can still be
    /// committed by hand: what they have prepared must not be cleared away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub commit_is_open: bool,
}

/// A checkpoint whose record exists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CompletedCheckpoint {
    pub id: CheckpointId,
    /// All its parts.
    pub snapshots: Vec<SnapshotHandle>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum JobLogRecord {
    /// A master takes the job; older masters stop when they meet this record.
    EpochBegins {
        /// The master's number.
        epoch: LeaderEpoch,
        job: JobId,
        name: String,
        /// Its graph.
        fingerprint: Fingerprint,
        /// Checkpoint ids of this epoch start here.
        first_checkpoint: CheckpointId,
    },
    /// Ids below this one may have been used: a later epoch starts at or above it.
    CheckpointIdsReserved {
        /// The first id that is not reserved.
        below: CheckpointId,
    },
    /// A checkpoint is complete; sinks may commit it.
    CheckpointCompleted {
        /// The master's number.
        epoch: LeaderEpoch,
        checkpoint: CheckpointId,
        /// All its parts.
        snapshots: Vec<SnapshotHandle>,
        /// Display time in milliseconds since 1970.
        wall_ms: u64,
    },
    /// A checkpoint is no longer needed; its files may be deleted.
    CheckpointDisposed { checkpoint: CheckpointId },
    /// All that the records before this one amount to; they may have been deleted.
    LogSnapshot {
        /// The master's number.
        epoch: LeaderEpoch,
        job: JobId,
        name: String,
        /// Its graph.
        fingerprint: Fingerprint,
        /// Checkpoint ids from here on were never used.
        unused_ids: CheckpointId,
        /// Checkpoints that are completed and not disposed of, oldest first.
        completed: Vec<CompletedCheckpoint>,
    },
    /// The job has ended; nothing follows.
    Finished {
        /// The master's number.
        epoch: LeaderEpoch,
        outcome: JobOutcome,
    },
}
