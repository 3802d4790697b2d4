//! Checkpoints as they are shown: counts, and the latest few.

use std::collections::VecDeque;
use weir_base::{CheckpointId, Failure, Monotonic, Now};
use weir_graph::TaskSnapshotMeta;
use weir_protocol::job::{CheckpointCounts, CheckpointStatus};

/// Checkpoints that are remembered.
const HISTORY_LENGTH: usize = 10;

/// Count, bounds and sum of a number of values; all 0 without values.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spread {
    pub count: u64,
    pub min: u64,
    pub max: u64,
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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRecord {
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
}

/// A checkpoint that is remembered.
#[derive(Clone, Debug)]
struct Remembered {
    record: CheckpointRecord,
    /// For the duration.
    triggered: Monotonic,
}

/// The latest checkpoints, newest first, and counts of all.
#[derive(Clone, Debug, Default)]
pub(super) struct CheckpointHistory {
    counts: CheckpointCounts,
    size_bytes: Spread,
    duration_ms: Spread,
    checkpoints: VecDeque<Remembered>,
    last_restored: Option<CheckpointId>,
}

impl CheckpointHistory {
    /// The number of checkpoints that earlier masters have completed; nothing else is known of them.
    pub(super) fn recall(&mut self, completed: u64) {
        self.counts.total = completed;
        self.counts.completed = completed;
    }

    pub(super) fn triggered(&mut self, id: CheckpointId, now: Now, is_final: bool, tasks: usize) {
        self.counts.total += 1;
        let record = CheckpointRecord {
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
        };
        self.checkpoints.push_front(Remembered { record, triggered: now.monotonic });
        self.checkpoints.truncate(HISTORY_LENGTH);
    }

    pub(super) fn acknowledged(
        &mut self,
        now: Now,
        id: CheckpointId,
        size_bytes: u64,
        meta: &TaskSnapshotMeta,
    ) {
        if let Some(Remembered { record, .. }) = self.find(id) {
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
        if let Some(record) = self.end(id, now, CheckpointStatus::Completed) {
            let (size_bytes, duration_ms) = (record.size_bytes, record.duration_ms);
            self.size_bytes.add(size_bytes);
            self.duration_ms.add(duration_ms.unwrap_or(0));
        }
    }

    pub(super) fn failed(&mut self, id: CheckpointId, now: Now, why: &Failure) {
        self.counts.failed += 1;
        if let Some(record) = self.end(id, now, CheckpointStatus::Failed) {
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
        self.checkpoints.iter().map(|checkpoint| checkpoint.record.clone()).collect()
    }

    pub(super) fn size_bytes(&self) -> Spread {
        self.size_bytes
    }

    pub(super) fn duration_ms(&self) -> Spread {
        self.duration_ms
    }

    pub(super) fn last_restored(&self) -> Option<CheckpointId> {
        self.last_restored
    }

    fn find(&mut self, id: CheckpointId) -> Option<&mut Remembered> {
        self.checkpoints.iter_mut().find(|checkpoint| checkpoint.record.id == id)
    }

    fn end(
        &mut self,
        id: CheckpointId,
        now: Now,
        status: CheckpointStatus,
    ) -> Option<&mut CheckpointRecord> {
        let Remembered { record, triggered } = self.find(id)?;
        record.status = status;
        record.duration_ms = Some(now.monotonic.millis_since(*triggered));
        Some(record)
    }
}
