//! A gateway whose tasks are a script: each order is noted, then answered at once.

use crossbeam_channel::{Receiver, Sender};
use std::time::Duration;
use weir_base::{CheckpointId, ExecutionAttempt, Failure, JobId, VertexId};
use weir_checkpoint_storage::CheckpointStorage;
use weir_coordination::{CheckpointRetention, CheckpointSettings, JobSettings, RestartStrategy};
use weir_graph::{
    Fingerprint, JobGraph, JobVertex, KeyGroupRange, SnapshotHandle, TaskDeployment, TaskId,
    TaskSnapshotMeta,
};
use weir_job_master::{Handle, JobMasterShell, ReportSender, StatusChange, TaskGateway};
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand, TaskReport},
};

/// Longer than anything here takes; only a hanging test gets there.
pub const LONG: Duration = Duration::from_secs(60);

/// Calls of the gateway.
#[derive(Clone, PartialEq, Debug)]
pub enum Order {
    Deploy(Box<TaskDeployment>),
    Command(TaskCommand),
}

/// Reaction of a task to an order: the reports that it sends.
pub type Script = Box<dyn FnMut(TaskId, ExecutionAttempt, &Order) -> Vec<ReportKind> + Send>;

struct FakeGateway {
    script: Script,
    reports: ReportSender,
    orders: Sender<(TaskId, Order)>,
}

impl FakeGateway {
    fn obey(&mut self, task: TaskId, attempt: ExecutionAttempt, order: Order) {
        let _ = self.orders.send((task, order.clone()));
        for kind in (self.script)(task, attempt, &order) {
            self.reports.report(TaskReport { task, attempt, kind });
        }
    }
}

impl TaskGateway for FakeGateway {
    fn deploy(&mut self, deployment: TaskDeployment) {
        let (task, attempt) = (deployment.task, deployment.attempt);
        self.obey(task, attempt, Order::Deploy(Box::new(deployment)));
    }

    fn command(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        self.obey(task, attempt, Order::Command(command));
    }
}

/// A job of one vertex with two subtasks.
pub struct Job {
    pub handle: Handle,
    pub orders: Receiver<(TaskId, Order)>,
}

impl Job {
    /// Starts it with a script.
    pub fn start(storage: &CheckpointStorage, settings: JobSettings, script: Script) -> Self {
        let (sender, orders) = crossbeam_channel::unbounded();
        let handle = JobMasterShell::start(graph(), settings, storage.clone(), |reports| {
            Box::new(FakeGateway { script, reports, orders: sender })
        });
        Self { handle, orders }
    }

    /// Waits until the job has this status.
    pub fn wait_for(&self, status: JobStatus) -> StatusChange {
        let changes = self.handle.subscribe_status();
        loop {
            let change = changes.recv_timeout(LONG).expect("the job never gets there");
            if change.status == status {
                return change;
            }
        }
    }

    /// Waits until a failure is reported.
    pub fn wait_for_failure(&self) -> Failure {
        let changes = self.handle.subscribe_status();
        loop {
            let change = changes.recv_timeout(LONG).expect("nothing fails");
            if let Some(failure) = change.failure {
                return failure;
            }
        }
    }

    /// The orders so far of one subtask.
    pub fn orders_of(&self, subtask: u32) -> Vec<Order> {
        let orders = self.orders.try_iter();
        orders.filter(|(task, _)| task.subtask == subtask).map(|(_, order)| order).collect()
    }
}

pub fn graph() -> JobGraph {
    JobGraph {
        name: "word count".to_owned(),
        vertices: vec![JobVertex {
            id: VertexId::of_text("source"),
            name: "source".to_owned(),
            parallelism: 2,
            max_parallelism: 128,
            operators: Vec::new(),
            chain: Vec::new(),
            coordinator: false,
        }],
        ..JobGraph::default()
    }
}

/// Checkpoints only at the end of the data, no restarts.
pub fn settings() -> JobSettings {
    JobSettings {
        job: JobId::of_text("word count"),
        fingerprint: Fingerprint::default(),
        checkpoints: Some(checkpoints_every(LONG)),
        final_checkpoint_timeout: LONG,
        retention: CheckpointRetention::OnFailureOrCancellation,
        restart: RestartStrategy::None,
        storage_timeout: LONG,
        cancellation_timeout: LONG,
    }
}

pub fn checkpoints_every(interval: Duration) -> CheckpointSettings {
    CheckpointSettings {
        interval,
        timeout: LONG,
        min_pause: Duration::ZERO,
        tolerable_failures: 0,
        retained: 1,
    }
}

/// A task that runs for ever and otherwise obeys orders; it writes its snapshots.
pub fn endless(storage: &CheckpointStorage) -> Script {
    let storage = storage.clone();
    Box::new(move |task, attempt, order| match order {
        Order::Deploy(_) => vec![ReportKind::Running],
        Order::Command(command) => match command {
            TaskCommand::TriggerCheckpoint(id) => vec![snapshot(&storage, task, attempt, *id)],
            TaskCommand::CheckpointCompleted(id) => vec![ReportKind::Committed(*id)],
            TaskCommand::Cancel => vec![ReportKind::Canceled],
            TaskCommand::Finish => vec![ReportKind::Finished],
            TaskCommand::Abandon | TaskCommand::CheckpointAborted(_) => Vec::new(),
        },
    })
}

/// The same, but its data has ended as soon as it runs.
pub fn bounded(storage: &CheckpointStorage) -> Script {
    let mut script = endless(storage);
    Box::new(move |task, attempt, order| {
        let mut reports = script(task, attempt, order);
        if matches!(order, Order::Deploy(_)) {
            reports.push(ReportKind::EndOfData);
        }
        reports
    })
}

fn snapshot(
    storage: &CheckpointStorage,
    task: TaskId,
    attempt: ExecutionAttempt,
    checkpoint: CheckpointId,
) -> ReportKind {
    let path = format!("chk-{checkpoint}/{}-{}-{attempt}", task.vertex, task.subtask);
    let size_bytes = storage.write(&path, b"offset".to_vec()).unwrap();
    ReportKind::SnapshotAcknowledged {
        checkpoint,
        snapshot: SnapshotHandle {
            task,
            vertex: VertexId::of_text("source"),
            key_groups: KeyGroupRange::of_subtask(128, 2, task.subtask),
            max_parallelism: Some(128),
            operators: Vec::new(),
            path,
            size_bytes,
        },
        meta: TaskSnapshotMeta::default(),
    }
}

/// The names of the log's records, in order.
pub fn log_of(storage: &CheckpointStorage) -> Vec<String> {
    let (_, records) = storage.log().load().unwrap();
    let name = |line: &Vec<u8>| {
        let record: serde_json::Value = serde_json::from_slice(line).unwrap();
        record["record"].as_str().unwrap().to_owned()
    };
    records.iter().map(name).collect()
}
