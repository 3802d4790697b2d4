//! How a job ended and how it stands: `/jobs/:id/execution-result`, and `/jobs/:id/progress`, which
//! is ours.

use crate::{job::JobStatus, progress::OperatorProgress};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_base::JobId;

/// Whether there is a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum QueueStatusId {
    /// Not yet.
    InProgress,
    /// Yes.
    Completed,
}

/// Whether there is a result, as an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct QueueStatus {
    /// Whether.
    pub id: QueueStatusId,
}

/// `/jobs/:id/execution-result`. Flink's parser refuses unknown fields inside
/// `job-execution-result`, so what we add stands beside it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct ExecutionResult {
    /// Whether there is a result.
    pub status: QueueStatus,
    /// The result, as far as Flink has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_execution_result: Option<JobExecutionResult>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weir_result: Option<WeirResult>,
}

/// How a job ended, to its application.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "UPPERCASE")]
pub enum ApplicationStatus {
    /// It finished.
    Succeeded,
    Failed,
    /// It was cancelled.
    Canceled,
    /// Another app master continues the job.
    Unknown,
}

/// The result as Flink has it, without `failure-cause`, which would have to be a Java object.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct JobExecutionResult {
    /// The job.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: JobId,
    pub name: String,
    /// How it ended.
    pub application_status: ApplicationStatus,
    /// Always empty.
    pub accumulator_results: BTreeMap<String, String>,
    /// From start to end.
    pub net_runtime: i64,
}

/// How a job ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct WeirResult {
    /// Its last state.
    pub status: JobStatus,
    /// Why, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
    /// Restarts on the way.
    pub restarts: u32,
    /// Checkpoints completed under the last master.
    pub completed_checkpoints: u64,
    /// Its operators in graph order.
    pub operators: Vec<OperatorTotals>,
    /// From start to end.
    pub runtime_ms: u64,
}

/// A failure and where it was.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct FailureReport {
    /// Stable code.
    pub code: String,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// `Map (1/2)`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `host:port` of the task host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The end of the container's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_excerpt: Option<String>,
    /// Other failures that followed from it.
    #[serde(default)]
    pub consequence_count: u32,
}

/// Counters of an operator in the last deployment of the job, summed over its subtasks.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct OperatorTotals {
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Records taken in.
    pub records_in: u64,
    /// Records emitted.
    pub records_out: u64,
}

/// `/jobs/:id/progress`: what a command line shows while a job runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct JobProgress {
    /// Grows with every change of state; the `since` of the next question. Grows across app masters
    /// too.
    pub version: u64,
    /// The job's state.
    pub state: JobStatus,
    /// The attempt of the app master, from 1. It counts restarts. 0 if the app master is of a release that does
    /// not say it.
    #[serde(default)]
    pub app_master_attempt: u32,
    /// Restarts under this app master.
    pub restarts: u32,
    /// The wait before the latest restart in milliseconds; 0 before the first.
    #[serde(default)]
    pub restart_delay_ms: u64,
    /// The latest failure, also when a restart has mended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureReport>,
    /// What the job waits for before its tasks can be deployed: `for 2 of 3 containers: …`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// Its operators in graph order.
    pub operators: Vec<OperatorProgress>,
}
