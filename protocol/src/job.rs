//! The states of a job, of its subtasks and of its checkpoints, by Flink's names, and counts of its
//! checkpoints: the same types in the job master's brain, in the job log and in REST.
//!
//! The two enums of states are Flink's closed sets. REST lists every state of a set, also those that no job
//! of Weir enters.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a job; note the two L of `CANCELLING`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "UPPERCASE")]
pub enum JobStatus {
    /// Its job master reads the job log.
    #[default]
    Initializing,
    /// Its tasks are being deployed.
    Created,
    /// All its tasks run.
    Running,
    /// It has failed and its tasks are being stopped.
    Failing,
    Failed,
    /// Its tasks are being stopped on request.
    Cancelling,
    Canceled,
    Finished,
    /// It has failed and will start again; its tasks are being stopped, or the delay runs.
    Restarting,
    /// Another job master has taken the job; this one has stopped.
    Suspended,
    /// No job of Weir enters it.
    Reconciling,
}

impl JobStatus {
    /// Every state, in Flink's order.
    pub const ALL: [Self; 11] = [
        Self::Initializing,
        Self::Created,
        Self::Running,
        Self::Failing,
        Self::Failed,
        Self::Cancelling,
        Self::Canceled,
        Self::Finished,
        Self::Restarting,
        Self::Suspended,
        Self::Reconciling,
    ];

    /// Returns true if no other state follows in this job master.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished | Self::Suspended)
    }

    /// The name that JSON and the job log have.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The state of a deployed subtask, or of a vertex; note the one L of `CANCELING`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionState {
    #[default]
    Created,
    /// Waits for a slot. The job master does not enter it: REST shows it for a deployment that waits.
    Scheduled,
    /// Sent to a task host. Restores its state.
    Deploying,
    /// Processes records, or waits behind its last one for barriers.
    Running,
    Finished,
    /// The task was ordered to stop.
    Canceling,
    /// Stopped on request, or abandoned because it did not stop in time.
    Canceled,
    /// Stopped by a failure, or lost with its task host.
    Failed,
    /// No task of Weir enters it.
    Reconciling,
    /// No task of Weir enters it: it restores its state in `DEPLOYING`.
    Initializing,
}

impl ExecutionState {
    /// Every state, in Flink's order.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Scheduled,
        Self::Deploying,
        Self::Running,
        Self::Finished,
        Self::Canceling,
        Self::Canceled,
        Self::Failed,
        Self::Reconciling,
        Self::Initializing,
    ];

    /// Returns true if no other state follows in this deployment.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Canceled | Self::Failed)
    }
}

/// The state of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckpointStatus {
    /// Its parts are being written, or its record is.
    InProgress,
    /// Its record is in the job log.
    Completed,
    Failed,
}

/// The number of checkpoints of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CheckpointCounts {
    /// Deployments of the job that restored one.
    pub restored: u64,
    pub total: u64,
    /// 0 or 1.
    pub in_progress: u64,
    pub completed: u64,
    pub failed: u64,
}
