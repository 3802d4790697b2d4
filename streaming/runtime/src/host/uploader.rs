//! Writes snapshots to checkpoint storage, away from the task threads, and acknowledges them.

use super::{ReportSink, task_thread::failure};
use crate::panics;
use std::{
    collections::VecDeque,
    sync::{
        Arc, OnceLock,
        mpsc::{self, SendError},
    },
    thread,
    time::Instant,
};
use weir_base::{CheckpointId, FailureOrigin};
use weir_checkpoint_storage::CheckpointStorage;
use weir_dataflow::{Error, Result};
use weir_graph::{SnapshotHandle, TaskDeployment, TaskSnapshotMeta};
use weir_protocol::task::{ReportKind, TaskReport};
use weir_state::TaskSnapshot;

/// A snapshot on its way.
pub struct Upload {
    /// Path of the file.
    pub path: String,
    /// What is known of the handle; path and size follow.
    pub handle: SnapshotHandle,
    /// The rest of the acknowledgement.
    pub report: TaskReport,
    pub checkpoint: CheckpointId,
    /// The state.
    pub snapshot: TaskSnapshot,
    /// `Counter (2/4)`.
    pub task_name: String,
    /// When the barrier came.
    pub began: Instant,
}

impl Upload {
    /// The upload of a subtask's snapshot.
    pub fn new(
        deployment: &TaskDeployment,
        checkpoint: CheckpointId,
        snapshot: TaskSnapshot,
    ) -> Self {
        let (task, attempt) = (deployment.task, deployment.attempt);
        let handle = SnapshotHandle {
            task,
            vertex: deployment.vertex,
            key_groups: deployment.key_groups(),
            max_parallelism: Some(deployment.max_parallelism),
            operators: deployment.operators.iter().map(|op| op.node.operator_id).collect(),
            path: String::new(),
            size_bytes: 0,
        };
        Self {
            path: format!("chk-{checkpoint}/{}-{}-{attempt}", deployment.vertex, task.subtask),
            handle,
            report: TaskReport { task, attempt, kind: ReportKind::Finished },
            checkpoint,
            snapshot,
            task_name: deployment.display_name(),
            began: Instant::now(),
        }
    }

    fn run(mut self, storage: &CheckpointStorage) -> TaskReport {
        let kind = match panics::catch_defect(|| self.write(storage)) {
            Ok(()) => ReportKind::SnapshotAcknowledged {
                checkpoint: self.checkpoint,
                snapshot: self.handle,
                meta: TaskSnapshotMeta {
                    async_ms: self.began.elapsed().as_millis() as u64,
                    ..TaskSnapshotMeta::default()
                },
            },
            Err(error) => return self.declined(&error),
        };
        TaskReport { kind, ..self.report }
    }

    fn declined(self, error: &Error) -> TaskReport {
        let failure = failure(self.task_name, None, error);
        let kind = ReportKind::SnapshotDeclined { checkpoint: self.checkpoint, failure };
        TaskReport { kind, ..self.report }
    }

    fn write(&mut self, storage: &CheckpointStorage) -> Result<()> {
        if self.snapshot.is_empty() {
            return Ok(());
        }
        let bytes = self.snapshot.encode()?;
        let size_bytes = storage.write(&self.path, bytes).map_err(|error| Error::Coded {
            code: error.code(),
            message: error.to_string(),
            origin: FailureOrigin::External,
        })?;
        self.handle.path.clone_from(&self.path);
        self.handle.size_bytes = size_bytes;
        Ok(())
    }
}

/// Writes in order. A snapshot behind which a newer one of the same task waits belongs to a
/// checkpoint that was given up: storage that is too slow then drops work instead of piling it up.
fn write_all(uploads: &mpsc::Receiver<Upload>, storage: &CheckpointStorage, reports: &ReportSink) {
    let mut waiting = VecDeque::new();
    while let Some(upload) = waiting.pop_front().or_else(|| uploads.recv().ok()) {
        waiting.extend(uploads.try_iter());
        let of = |upload: &Upload| (upload.report.task, upload.report.attempt);
        if !waiting.iter().any(|newer| of(newer) == of(&upload)) {
            reports(upload.run(storage));
        }
    }
}

/// The thread that writes; it starts with the first snapshot and ends with this.
pub struct Uploader {
    storage: CheckpointStorage,
    reports: ReportSink,
    queue: OnceLock<mpsc::Sender<Upload>>,
}

impl Uploader {
    /// Writes to `storage` and acknowledges to `reports`.
    pub fn new(storage: CheckpointStorage, reports: ReportSink) -> Self {
        Self { storage, reports, queue: OnceLock::new() }
    }

    /// Queues a snapshot. One that cannot be written is declined.
    pub fn upload(&self, upload: Upload) {
        let queue = self.queue.get_or_init(|| self.start());
        if let Err(SendError(upload)) = queue.send(upload) {
            let error = Error::internal("the thread that writes snapshots is gone");
            (self.reports)(upload.declined(&error));
        }
    }

    /// Starts the thread. If there is none, the queue is closed from the start.
    fn start(&self) -> mpsc::Sender<Upload> {
        let (queue, uploads) = mpsc::channel::<Upload>();
        let (storage, reports) = (self.storage.clone(), Arc::clone(&self.reports));
        let spawned = thread::Builder::new()
            .name("snapshots".to_owned())
            .spawn(move || write_all(&uploads, &storage, &reports));
        if let Err(error) = spawned {
            panics::say(&format!("cannot start a thread to write snapshots: {error}"));
        }
        queue
    }
}
