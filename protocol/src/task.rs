//! Commands of a job master to one deployed subtask, and the reports of the subtask.
//!
//! The job master's brain, the wire, the task host and the simulator all use these types. A command and a
//! report name the deployment they are about, so that those of an earlier one are recognised and ignored.

use serde::{Deserialize, Serialize};
use weir_base::{CheckpointId, ExecutionAttempt, Failure};
use weir_graph::{SnapshotHandle, TaskId, TaskSnapshotMeta};

/// A command for one deployment of a subtask. One for a deployment that has ended is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TaskCommand {
    /// Stop.
    Cancel,
    /// The task did not stop in time: leave it behind. It reports nothing more.
    Abandon,
    /// Begin a checkpoint; sent to tasks without inputs.
    TriggerCheckpoint(CheckpointId),
    /// The checkpoint is recorded: commit the output that it covers.
    CheckpointCompleted(CheckpointId),
    /// The checkpoint will not complete.
    CheckpointAborted(CheckpointId),
    /// End the output: there will be no further checkpoint. Sent to tasks without inputs.
    Finish,
}

/// A report about one deployment of a subtask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskReport {
    pub task: TaskId,
    pub attempt: ExecutionAttempt,
    pub kind: ReportKind,
}

/// The kind of a task's report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ReportKind {
    /// Its state is restored and its operators are open.
    Running,
    /// All its input has ended and all its output is sent; barriers may still follow.
    EndOfData,
    /// Its part of a checkpoint is durable.
    SnapshotAcknowledged {
        checkpoint: CheckpointId,
        snapshot: SnapshotHandle,
        meta: TaskSnapshotMeta,
    },
    /// Its part of a checkpoint could not be taken or written; the task continues.
    SnapshotDeclined {
        checkpoint: CheckpointId,
        failure: Failure,
    },
    /// Its output up to this checkpoint is committed.
    Committed(CheckpointId),
    /// It has ended by itself.
    Finished,
    /// It has ended after [`Cancel`](TaskCommand::Cancel).
    Canceled,
    Failed(Failure),
    /// It has ended because it lost the connection to a task of another task host. The usual cause is a
    /// failure of that task host, which is reported separately.
    LostPeer {
        /// The task at the other end of the connection.
        peer: (TaskId, ExecutionAttempt),
        failure: Failure,
    },
}

impl ReportKind {
    /// Returns true if the deployment has ended: its last report.
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Finished | Self::Canceled | Self::Failed(_) | Self::LostPeer { .. })
    }
}
