//! Checkpoints: `/jobs/:id/checkpoints` and what hangs below it.

use crate::job::{CheckpointCounts, CheckpointStatus};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `/jobs/:id/checkpoints`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Checkpoints {
    /// How many there were.
    pub counts: CheckpointCounts,
    /// Over those that completed; percentiles over those that are remembered.
    pub summary: CheckpointSummary,
    /// The latest of each kind.
    pub latest: LatestCheckpoints,
    /// The latest, newest first.
    pub history: Vec<Checkpoint>,
}

/// How completed checkpoints are spread.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CheckpointSummary {
    /// Bytes written.
    pub checkpointed_size: Stats,
    /// Bytes of the whole state; the same, since checkpoints are full.
    pub state_size: Stats,
    /// From trigger to record, in milliseconds.
    pub end_to_end_duration: Stats,
    /// Always 0.
    pub alignment_buffered: Stats,
    /// Always 0: not measured.
    pub processed_data: Stats,
    /// Always 0: checkpoints are aligned.
    pub persisted_data: Stats,
}

/// How values are spread; zeros without any.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Stats {
    pub min: i64,
    pub max: i64,
    pub avg: i64,
    pub p50: f64,
    pub p90: f64,
    pub p95: f64,
    pub p99: f64,
    pub p999: f64,
}

/// The latest checkpoint of each kind.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct LatestCheckpoints {
    pub completed: Option<Checkpoint>,
    /// Never: there are no savepoints yet.
    pub savepoint: Option<Checkpoint>,
    pub failed: Option<Checkpoint>,
    /// That the present deployment restored.
    pub restored: Option<RestoredCheckpoint>,
}

/// A checkpoint that was restored.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct RestoredCheckpoint {
    pub id: u64,
    /// When.
    pub restore_timestamp: i64,
    /// Never.
    pub is_savepoint: bool,
    /// Its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_path: Option<String>,
}

/// A checkpoint; also `/jobs/:id/checkpoints/details/:cid`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Checkpoint {
    /// `completed`, `failed` or `in_progress`.
    #[serde(rename = "className")]
    pub class_name: String,
    pub id: u64,
    /// How it stands.
    pub status: CheckpointStatus,
    /// Never.
    pub is_savepoint: bool,
    /// Always `null`.
    #[serde(rename = "savepointFormat")]
    pub savepoint_format: Option<String>,
    /// When it was triggered.
    pub trigger_timestamp: i64,
    /// When the last task so far acknowledged it; -1 before the first.
    pub latest_ack_timestamp: i64,
    /// Bytes written so far.
    pub checkpointed_size: u64,
    /// The same: checkpoints are full.
    pub state_size: u64,
    /// From trigger to end, or to now.
    pub end_to_end_duration: i64,
    /// Always 0.
    pub alignment_buffered: u64,
    /// Always 0: not measured.
    pub processed_data: u64,
    /// Always 0: checkpoints are aligned.
    pub persisted_data: u64,
    /// Subtasks that take part.
    pub num_subtasks: u64,
    /// Subtasks whose part is durable.
    pub num_acknowledged_subtasks: u64,
    /// `CHECKPOINT`
    pub checkpoint_type: String,
    /// Always empty: parts are not kept by vertex.
    pub tasks: BTreeMap<String, u64>,
    /// Completed: its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_path: Option<String>,
    /// Completed: whether it was deleted because newer ones exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discarded: Option<bool>,
    /// Failed: when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_timestamp: Option<i64>,
    /// Failed: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_message: Option<String>,
}

/// `/jobs/:id/checkpoints/config`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct CheckpointConfig {
    /// `exactly_once`
    pub mode: String,
    /// From trigger to trigger, in milliseconds.
    pub interval: i64,
    /// A checkpoint that takes longer is given up, in milliseconds.
    pub timeout: i64,
    /// From the end of one to the trigger of the next, in milliseconds.
    pub min_pause: i64,
    /// Always 1.
    pub max_concurrent: u32,
    /// Retention after the end of the job.
    pub externalization: Externalization,
    /// `hashmap`
    pub state_backend: String,
    /// Where checkpoints lie.
    pub checkpoint_storage: String,
    /// Never.
    pub unaligned_checkpoints: bool,
    /// Failed checkpoints in a row that the job survives.
    pub tolerable_failed_checkpoints: u32,
    /// Always 0.
    pub aligned_checkpoint_timeout: i64,
    /// Always.
    pub checkpoints_after_tasks_finish: bool,
    /// Never.
    pub state_changelog_enabled: bool,
    /// Always 0.
    pub changelog_periodic_materialization_interval: i64,
    /// Always empty.
    pub changelog_storage: String,
}

/// Retention of checkpoints after the end of the job.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Externalization {
    /// Whether anything does.
    pub enabled: bool,
    /// Whether it goes when the job is cancelled.
    pub delete_on_cancellation: bool,
}
