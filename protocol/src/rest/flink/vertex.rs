//! A vertex and its subtasks: `/jobs/:id/vertices/:vid` and what hangs below it.

use super::{
    job::{IoMetrics, UserAccumulator},
    state::StateCounts,
};
use crate::{job::ExecutionState, progress::BackpressureLevel};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_base::VertexId;

/// `/jobs/:id/vertices/:vid`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct VertexDetails {
    /// The vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// The time of this answer.
    pub now: i64,
    /// Its subtasks in order.
    pub subtasks: Vec<Subtask>,
    /// Over all subtasks.
    pub aggregated: Aggregated,
}

/// A subtask in its present deployment; also `/jobs/:id/vertices/:vid/subtasks/:i`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct Subtask {
    /// Its index, from 0.
    pub subtask: u32,
    /// Its state.
    pub status: ExecutionState,
    /// Its deployment, from 0.
    pub attempt: u32,
    /// `host:port` of its task host.
    pub endpoint: String,
    /// The host alone; only Flink 1.20 has it.
    pub host: String,
    /// When it was deployed.
    pub start_time: i64,
    /// When it ended; -1 while it runs.
    pub end_time: i64,
    /// From start to end, or to now; -1 before.
    pub duration: i64,
    pub metrics: IoMetrics,
    /// Its container.
    pub taskmanager_id: String,
    /// How long it was in each state.
    pub status_duration: BTreeMap<ExecutionState, i64>,
    /// Always empty: there is no speculative execution.
    pub other_concurrent_attempts: Vec<Subtask>,
    /// The same as `start-time`, by its old name.
    #[serde(rename = "start_time")]
    pub old_start_time: i64,
}

/// Statistics over subtasks.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct Aggregated {
    /// By the name of a field of [`IoMetrics`].
    pub metrics: BTreeMap<String, Statistics>,
    /// Sums of the time spent in each state.
    pub status_duration: BTreeMap<ExecutionState, Statistics>,
}

/// How values are spread.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Statistics {
    pub min: i64,
    pub max: i64,
    pub avg: i64,
    pub sum: i64,
    pub median: f64,
    pub p25: f64,
    pub p75: f64,
    pub p95: f64,
}

/// `/jobs/:id/vertices/:vid/subtasktimes`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SubtaskTimes {
    /// The vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    pub name: String,
    /// The time of this answer.
    pub now: i64,
    /// Its subtasks in order.
    pub subtasks: Vec<SubtaskTime>,
}

/// When a subtask entered which state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SubtaskTime {
    /// Its index, from 0.
    pub subtask: u32,
    /// `host:port` of its task host.
    pub endpoint: String,
    /// The host alone; only Flink 1.20 has it.
    pub host: String,
    /// From its deployment to its end, or to now; -1 before.
    pub duration: i64,
    /// When each state was entered; 0 for never.
    pub timestamps: BTreeMap<ExecutionState, i64>,
}

/// `/jobs/:id/vertices/:vid/taskmanagers`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct VertexTaskManagers {
    /// The vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    pub name: String,
    /// The time of this answer.
    pub now: i64,
    /// Task managers that run subtasks of it.
    pub taskmanagers: Vec<VertexTaskManager>,
}

/// The subtasks of a vertex in one task manager.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct VertexTaskManager {
    /// `host:port` of its task host.
    pub endpoint: String,
    /// The container.
    pub taskmanager_id: String,
    /// The state of the subtasks together.
    pub status: ExecutionState,
    /// When the first was deployed.
    pub start_time: i64,
    /// When the last ended; -1 while one runs.
    pub end_time: i64,
    /// From start to end, or to now; -1 before.
    pub duration: i64,
    /// Sum of their counters.
    pub metrics: IoMetrics,
    /// They by state.
    pub status_counts: StateCounts,
    /// Over them.
    pub aggregated: Aggregated,
}

/// Whether metrics are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum BackPressureStatus {
    /// They are.
    Ok,
    /// No subtask has reported yet; Flink's word for it.
    Deprecated,
}

/// `/jobs/:id/vertices/:vid/backpressure`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct BackPressure {
    /// Whether metrics are there.
    pub status: BackPressureStatus,
    /// That of the subtask which waits most.
    #[serde(rename = "backpressureLevel")]
    pub backpressure_level: Option<BackpressureLevel>,
    /// The same, by its old name.
    #[serde(rename = "backpressure-level")]
    pub old_backpressure_level: Option<BackpressureLevel>,
    /// When it was measured.
    #[serde(rename = "end-timestamp")]
    pub end_timestamp: Option<i64>,
    /// Its subtasks in order.
    pub subtasks: Option<Vec<SubtaskBackPressure>>,
}

/// How a subtask spends its time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SubtaskBackPressure {
    /// Its index, from 0.
    pub subtask: u32,
    /// Its deployment, from 0.
    #[serde(rename = "attempt-number")]
    pub attempt_number: u32,
    /// By the thresholds 0.10 and 0.50.
    #[serde(rename = "backpressureLevel")]
    pub backpressure_level: BackpressureLevel,
    /// The same, by its old name.
    #[serde(rename = "backpressure-level")]
    pub old_backpressure_level: BackpressureLevel,
    /// Part of the time spent waiting for room downstream, 0 to 1.
    pub ratio: f64,
    /// Part of the time spent waiting for input, 0 to 1.
    #[serde(rename = "idleRatio")]
    pub idle_ratio: f64,
    /// Part of the time spent working, 0 to 1.
    #[serde(rename = "busyRatio")]
    pub busy_ratio: f64,
}

/// `/jobs/:id/vertices/:vid/accumulators`; there are none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct VertexAccumulators {
    /// The vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    /// Always empty.
    pub user_accumulators: Vec<UserAccumulator>,
}

/// `/jobs/:id/vertices/:vid/subtasks/accumulators`; there are none.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SubtasksAccumulators {
    /// The vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Its subtasks in order.
    pub subtasks: Vec<SubtaskAccumulators>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
pub struct SubtaskAccumulators {
    /// Its index, from 0.
    pub subtask: u32,
    /// Its deployment, from 0.
    pub attempt: u32,
    /// `host:port` of its task host.
    pub endpoint: String,
    /// Always empty.
    pub user_accumulators: Vec<UserAccumulator>,
}
