//! Task hosts: they run the tasks of the job.

use crate::task::{TaskCommand, TaskReport};
use serde::{Deserialize, Serialize};

use std::net::SocketAddr;
use weir_base::ExecutionAttempt;
use weir_graph::{Fingerprint, TaskDeployment, TaskId};

/// Registration of a task host: its `main` has built the graph, and its data port is open.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct HostIntroduction {
    /// Its process.
    pub pid: u32,
    /// Where other task hosts send records.
    pub data_address: SocketAddr,
    /// Fingerprint of the graph that its `main` has built.
    pub fingerprint: Fingerprint,
}

/// Where the tasks of the job run. Subtask `i` of every vertex runs in slot `i`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Placement {
    /// Data addresses of the task hosts.
    pub hosts: Vec<SocketAddr>,
    /// By slot: index of its host in `hosts`.
    pub host_of_slot: Vec<u32>,
    /// Index of the receiver in `hosts`.
    pub own: u32,
}

/// Orders to a task host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum HostOrder {
    /// Where tasks run from now on; comes before the deployments that it holds for.
    Place(Placement),
    /// Start a task.
    Deploy(Box<TaskDeployment>),
    Command {
        task: TaskId,
        attempt: ExecutionAttempt,
        command: TaskCommand,
    },
    /// The job has ended permanently without finishing: remove the prepared output of the sinks of this
    /// process. Sent to every task host, and answered by [`HostReport::Abandoned`].
    AbandonOutput,
    /// End.
    Shutdown,
    /// Nothing; says that the job master lives.
    KeepAlive,
}

/// Counters of one operator in one subtask, since its deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct OperatorCounters {
    /// `numRecordsIn`.
    pub records_in: u64,
    /// `numRecordsOut`.
    pub records_out: u64,
}

/// Counters of one subtask, since its deployment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskCounters {
    pub task: TaskId,
    pub attempt: ExecutionAttempt,
    /// One per operator of the chain, head first.
    pub operators: Vec<OperatorCounters>,
    /// Bytes of records received from other task hosts.
    pub bytes_in: u64,
    /// Bytes of records sent to other task hosts.
    pub bytes_out: u64,
    /// Time spent working, in microseconds.
    pub busy_us: u64,
    /// Time spent waiting for room downstream, in microseconds.
    pub backpressured_us: u64,
    /// Time spent waiting for input, in microseconds.
    pub idle_us: u64,
    /// The watermark of its input; `None` before the first.
    pub watermark: Option<i64>,
}

/// Reports of a task host.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum HostReport {
    /// About a task.
    Task(TaskReport),
    /// Counters of every task whose counters have changed since the last time; sent every second or
    /// so, also without any as a sign of life, and once more before a task's end is reported.
    Counters(Vec<TaskCounters>),
    /// Prepared output is cleared away, or why not.
    Abandoned(Result<(), String>),
}
