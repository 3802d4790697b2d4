//! What is remembered of checkpoints for display: counts, and the latest few.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use weir_base::{CheckpointId, Failure, Now};
use weir_graph::TaskSnapshotMeta;

/// Checkpoints that are remembered.
const HISTORY_LENGTH: usize = 10;

/// How a checkpoint stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckpointStatus {
    /// Collecting acknowledgements, or being recorded.
    InProgress,
    /// Recorded.
    Completed,
    /// Aborted.
    Failed,
}

/// How many checkpoints this master has seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CheckpointCounts {
    /// Deployments that restored one.
    pub restored: u64,
    /// Triggered.
    pub total: u64,
    /// 0 or 1.
    pub in_progress: u64,
    /// Recorded.
    pub completed: u64,
    /// Aborted.
    pub failed: u64,
    /// Sizes of all that were recorded, in bytes.
    pub size_bytes: Spread,
    /// Durations of all that were recorded, in milliseconds.
    pub duration_ms: Spread,
}

/// How values are spread, of which only this is kept; zeros without any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// How many there were.
    pub count: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// All together.
    pub sum: u64,
}

impl Spread {
    fn add(&mut self, value: u64) {
        self.min = if self.count == 0 { value } else { self.min.min(value) };
        self.max = self.max.max(value);
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// Rounded down.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count).unwrap_or(0)
    }
}

/// One checkpoint.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CheckpointRecord {
    /// Its id.
    pub id: CheckpointId,
    /// How it stands.
    pub status: CheckpointStatus,
    /// Whether it covers the end of all data.
    pub is_final: bool,
    /// Display time of its trigger in milliseconds since 1970.
    pub triggered_wall_ms: u64,
    /// From its trigger to its end in milliseconds; `None` while it is in progress.
    pub duration_ms: Option<u64>,
    /// Size of the parts acknowledged so far.
    pub size_bytes: u64,
    /// Tasks that have acknowledged it.
    pub acknowledged_tasks: usize,
    /// Display time of the last acknowledgement in milliseconds since 1970.
    pub last_ack_wall_ms: Option<u64>,
    /// Tasks that have to.
    pub tasks: usize,
    /// The longest any task thread spent on it.
    pub max_sync_ms: u64,
    /// The longest any part took to become durable.
    pub max_async_ms: u64,
    /// The longest any task aligned barriers.
    pub max_alignment_ms: u64,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Monotonic time of its trigger, for the duration.
    #[serde(skip)]
    triggered_ms: u64,
}

/// The latest checkpoints, newest first, and counts of all.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckpointHistory {
    counts: CheckpointCounts,
    records: VecDeque<CheckpointRecord>,
    last_restored: Option<CheckpointId>,
}

impl CheckpointHistory {
    /// An earlier master has completed so many; more is not known of them.
    pub(super) fn recall(&mut self, completed: u64) {
        self.counts.total = completed;
        self.counts.completed = completed;
    }

    pub(super) fn triggered(&mut self, id: CheckpointId, now: Now, is_final: bool, tasks: usize) {
        self.counts.total += 1;
        self.records.push_front(CheckpointRecord {
            id,
            status: CheckpointStatus::InProgress,
            is_final,
            triggered_wall_ms: now.wall.0,
            duration_ms: None,
            size_bytes: 0,
            acknowledged_tasks: 0,
            last_ack_wall_ms: None,
            tasks,
            max_sync_ms: 0,
            max_async_ms: 0,
            max_alignment_ms: 0,
            failure: None,
            triggered_ms: now.monotonic.0,
        });
        self.records.truncate(HISTORY_LENGTH);
    }

    pub(super) fn acknowledged(
        &mut self,
        now: Now,
        id: CheckpointId,
        size_bytes: u64,
        meta: &TaskSnapshotMeta,
    ) {
        if let Some(record) = self.record(id) {
            record.size_bytes += size_bytes;
            record.acknowledged_tasks += 1;
            record.last_ack_wall_ms = Some(now.wall.0);
            record.max_sync_ms = record.max_sync_ms.max(meta.sync_ms);
            record.max_async_ms = record.max_async_ms.max(meta.async_ms);
            record.max_alignment_ms = record.max_alignment_ms.max(meta.alignment_ms);
        }
    }

    pub(super) fn completed(&mut self, id: CheckpointId, now: Now) {
        self.counts.completed += 1;
        self.end(id, now, CheckpointStatus::Completed);
        let record = self.records.iter().find(|record| record.id == id);
        if let Some(CheckpointRecord { size_bytes, duration_ms: Some(duration_ms), .. }) = record {
            self.counts.size_bytes.add(*size_bytes);
            self.counts.duration_ms.add(*duration_ms);
        }
    }

    pub(super) fn failed(&mut self, id: CheckpointId, now: Now, why: &Failure) {
        self.counts.failed += 1;
        self.end(id, now, CheckpointStatus::Failed);
        if let Some(record) = self.record(id) {
            record.failure = Some(why.clone());
        }
    }

    pub(super) fn restored(&mut self, id: CheckpointId) {
        self.counts.restored += 1;
        self.last_restored = Some(id);
    }

    pub(super) fn counts(&self, in_progress: bool) -> CheckpointCounts {
        CheckpointCounts { in_progress: u64::from(in_progress), ..self.counts }
    }

    pub(super) fn records(&self) -> Vec<CheckpointRecord> {
        self.records.iter().cloned().collect()
    }

    pub(super) fn last_restored(&self) -> Option<CheckpointId> {
        self.last_restored
    }

    fn record(&mut self, id: CheckpointId) -> Option<&mut CheckpointRecord> {
        self.records.iter_mut().find(|record| record.id == id)
    }

    fn end(&mut self, id: CheckpointId, now: Now, status: CheckpointStatus) {
        if let Some(record) = self.record(id) {
            record.status = status;
            record.duration_ms = Some(now.monotonic.0.saturating_sub(record.triggered_ms));
        }
    }
}
