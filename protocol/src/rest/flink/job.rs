//! Jobs: `/jobs`, `/jobs/overview`, `/jobs/:id`, `/jobs/:id/status`, `/jobs/:id/config`,
//! `/jobs/:id/accumulators`.

use super::cluster::ConfigEntry;
use super::{
    plan::{Plan, StreamGraphAnswer},
    state::StateCounts,
};
use crate::job::{ExecutionState, JobStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_base::{JobId, VertexId};

/// `/jobs`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobIds {
    pub jobs: Vec<JobIdAndStatus>,
}

/// A job and its state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobIdAndStatus {
    /// The job.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: JobId,
    /// Its state.
    pub status: JobStatus,
}

/// `/jobs/:id/status`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobStatusAnswer {
    /// Its state.
    pub status: JobStatus,
}

/// `/jobs/overview`
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobsOverview {
    pub jobs: Vec<JobSummary>,
}

/// A job in a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct JobSummary {
    /// The job.
    #[cfg_attr(test, ts(type = "string"))]
    pub jid: JobId,
    pub name: String,
    /// When it was submitted.
    pub start_time: i64,
    /// When it ended; -1 while it runs.
    pub end_time: i64,
    /// From start to end, or to now.
    pub duration: i64,
    pub state: JobStatus,
    /// When its state last changed.
    pub last_modification: i64,
    /// Its subtasks.
    pub tasks: TaskCounts,
    /// Always 0: every operator is planned at once.
    pub pending_operators: u64,
    /// `STREAMING` or `BATCH`.
    #[serde(rename = "jobType")]
    pub job_type: String,
}

/// Subtasks by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct TaskCounts {
    pub total: u64,
    pub created: u64,
    pub scheduled: u64,
    pub deploying: u64,
    pub running: u64,
    pub finished: u64,
    pub canceling: u64,
    pub canceled: u64,
    pub failed: u64,
    pub reconciling: u64,
    pub initializing: u64,
}

impl From<&StateCounts> for TaskCounts {
    fn from(counts: &StateCounts) -> Self {
        let count = |state| counts.get(&state).copied().unwrap_or(0);
        Self {
            total: counts.values().sum(),
            created: count(ExecutionState::Created),
            scheduled: count(ExecutionState::Scheduled),
            deploying: count(ExecutionState::Deploying),
            running: count(ExecutionState::Running),
            finished: count(ExecutionState::Finished),
            canceling: count(ExecutionState::Canceling),
            canceled: count(ExecutionState::Canceled),
            failed: count(ExecutionState::Failed),
            reconciling: count(ExecutionState::Reconciling),
            initializing: count(ExecutionState::Initializing),
        }
    }
}

/// `/jobs/:id`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobDetails {
    /// The job.
    #[cfg_attr(test, ts(type = "string"))]
    pub jid: JobId,
    pub name: String,
    /// Whether it can be stopped with a savepoint: not yet.
    #[serde(rename = "isStoppable")]
    pub is_stoppable: bool,
    pub state: JobStatus,
    /// `STREAMING` or `BATCH`.
    #[serde(rename = "job-type")]
    pub job_type: String,
    /// When it was submitted.
    #[serde(rename = "start-time")]
    pub start_time: i64,
    /// When it ended; -1 while it runs.
    #[serde(rename = "end-time")]
    pub end_time: i64,
    /// From start to end, or to now.
    pub duration: i64,
    /// The largest of its vertices.
    #[serde(rename = "maxParallelism")]
    pub max_parallelism: i64,
    /// The time of this answer.
    pub now: i64,
    /// When each state was last entered; 0 for never.
    pub timestamps: BTreeMap<JobStatus, i64>,
    /// Its vertices in topological order.
    pub vertices: Vec<VertexSummary>,
    /// Its vertices by state.
    #[serde(rename = "status-counts")]
    pub status_counts: StateCounts,
    pub plan: Plan,
    /// The job as it was written.
    #[serde(rename = "stream-graph")]
    pub stream_graph: StreamGraphAnswer,
    /// Always 0.
    #[serde(rename = "pending-operators")]
    pub pending_operators: u64,
}

/// A vertex of a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct VertexSummary {
    /// The vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    /// The group of vertices that share slots: one for the whole job.
    #[serde(rename = "slotSharingGroupId")]
    #[cfg_attr(test, ts(type = "string"))]
    pub slot_sharing_group_id: JobId,
    pub name: String,
    /// Number of key groups.
    #[serde(rename = "maxParallelism")]
    pub max_parallelism: u32,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Its state, from those of its subtasks.
    pub status: ExecutionState,
    /// When its first subtask was deployed.
    #[serde(rename = "start-time")]
    pub start_time: i64,
    /// When its last subtask ended; -1 while one runs.
    #[serde(rename = "end-time")]
    pub end_time: i64,
    /// From start to end, or to now; -1 before.
    pub duration: i64,
    /// Its subtasks by state.
    pub tasks: StateCounts,
    /// Counters of its subtasks in their present deployments.
    pub metrics: IoMetrics,
}

/// Records and bytes that tasks have read and written, and their waiting times.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct IoMetrics {
    /// Bytes received from other task hosts.
    pub read_bytes: u64,
    /// Whether every subtask has reported.
    pub read_bytes_complete: bool,
    /// Bytes sent to other task hosts.
    pub write_bytes: u64,
    /// Whether every subtask has reported.
    pub write_bytes_complete: bool,
    /// Records received, from outside by a source.
    pub read_records: u64,
    /// Whether every subtask has reported.
    pub read_records_complete: bool,
    /// Records sent, to the outside by a sink.
    pub write_records: u64,
    /// Whether every subtask has reported.
    pub write_records_complete: bool,
    /// Time spent waiting for room downstream, in milliseconds.
    pub accumulated_backpressured_time: u64,
    /// Time spent waiting for input, in milliseconds.
    pub accumulated_idle_time: u64,
    /// Time spent working, in milliseconds.
    pub accumulated_busy_time: f64,
}

/// `/jobs/:id/config`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobConfig {
    /// The job.
    #[cfg_attr(test, ts(type = "string"))]
    pub jid: JobId,
    pub name: String,
    /// How it is run.
    #[serde(rename = "execution-config")]
    pub execution_config: ExecutionConfig,
    /// Every key of the job with the value that holds and its source. Flink has no such field.
    #[serde(rename = "weir-configuration")]
    pub configuration: Vec<ConfigEntry>,
}

/// How a job is run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct ExecutionConfig {
    /// `PIPELINED` or `BATCH`; only Flink 1.20 has it.
    pub execution_mode: String,
    /// In words.
    pub restart_strategy: String,
    /// Parallelism of operators that name none.
    pub job_parallelism: u32,
    /// Always true: records are moved, never copied for safety.
    pub object_reuse_mode: bool,
    /// Every key that was set.
    pub user_config: BTreeMap<String, String>,
}

/// `/jobs/:id/accumulators`; there are none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct JobAccumulators {
    pub job_accumulators: Vec<UserAccumulator>,
    pub user_task_accumulators: Vec<UserAccumulator>,
    pub serialized_user_task_accumulators: BTreeMap<String, String>,
}

/// A counter of user code; there is none yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct UserAccumulator {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub value: String,
}
