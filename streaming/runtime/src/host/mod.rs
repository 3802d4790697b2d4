//! A task host: runs the tasks of one job in this process, one thread each.
//!
//! It is told what to deploy, cancel, trigger and commit, and reports what happened; it decides
//! nothing. Calls return at once. Snapshots are written by a thread of their own.

mod task_thread;
mod uploader;

use crate::{
    control::TaskControl,
    exchange::{Inbox, InboxLimits, RemoteExchange},
    metrics::TaskMetrics,
    panics,
    registry::OperatorRegistry,
    task::{runner::Mailbox, writer::BufferTimeout},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use uploader::Uploader;
use weir_base::{ExecutionAttempt, JobId, VertexId};
use weir_checkpoint_storage::CheckpointStorage;
use weir_graph::{TaskDeployment, TaskId};
use weir_protocol::task::{ReportKind, TaskCommand, TaskReport};

/// Where reports go; called from task threads, never blocks.
pub type ReportSink = Arc<dyn Fn(TaskReport) + Send + Sync>;

/// How tasks of different hosts find each other.
#[derive(Clone)]
pub struct Remote {
    /// Index of this host.
    pub own: usize,
    /// Which host runs a subtask.
    pub host_of: Arc<dyn Fn(TaskId) -> usize + Send + Sync>,
    /// The wire.
    pub exchange: Arc<dyn RemoteExchange>,
}

/// What a task host is made with.
pub struct HostConfig {
    pub job: JobId,
    pub job_name: String,
    /// When batches that are not full are sent.
    pub buffer_timeout: BufferTimeout,
    /// Bounds of every channel.
    pub inbox_limits: InboxLimits,
    /// Operators and types.
    pub registry: Arc<dyn OperatorRegistry>,
    /// Where snapshots are written to and restored from.
    pub storage: CheckpointStorage,
    /// Where reports go.
    pub reports: ReportSink,
    /// Other hosts; `None` when all tasks run here, or as long as it is not known where they do.
    pub remote: Option<Remote>,
}

type Deployed = (TaskId, ExecutionAttempt);

struct Running {
    control: Arc<TaskControl>,
    mailbox: Arc<Mailbox>,
    inbox: Arc<Inbox>,
    /// Which channel of the inbox belongs to which edge and producer.
    channels: BTreeMap<(u32, Deployed), usize>,
}

/// Where a producer's elements for a task of this host go.
struct LocalInput {
    inbox: Arc<Inbox>,
    /// `None` if the task expects nothing from the producer.
    channel: Option<usize>,
}

/// Metrics of a subtask with what it is.
#[derive(Clone)]
pub struct DeployedMetrics {
    /// Id of its vertex.
    pub vertex: VertexId,
    /// The deployment.
    pub attempt: ExecutionAttempt,
    /// Its counters.
    pub metrics: Arc<TaskMetrics>,
}

/// Shared by the host's handle and its task threads.
struct Shared {
    config: HostConfig,
    /// Where tasks run, for the deployments to come.
    remote: Mutex<Option<Remote>>,
    running: Mutex<BTreeMap<Deployed, Running>>,
    /// The last deployment of each subtask, kept after its end.
    metrics: Mutex<BTreeMap<TaskId, DeployedMetrics>>,
    uploader: Uploader,
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, BTreeMap<Deployed, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For each consumer that is here: its inbox, and its channel for a producer. The tasks are locked once
    /// and not per consumer: thousands of producers that start would keep a cancel from the lock.
    fn inputs_of(
        &self,
        consumers: &[Deployed],
        edge: u32,
        producer: Deployed,
    ) -> Vec<Option<LocalInput>> {
        let running = self.running();
        let input_of = |consumer| {
            let consumer: &Running = running.get(consumer)?;
            let channel = consumer.channels.get(&(edge, producer)).copied();
            Some(LocalInput { inbox: Arc::clone(&consumer.inbox), channel })
        };
        consumers.iter().map(input_of).collect()
    }

    /// Reports the end of a task that runs here. One that was abandoned is not heard.
    fn ended(&self, deployed: Deployed, kind: ReportKind) {
        // Reported before it is removed: a producer that does not find this task any more must not
        // be heard before the reason why.
        if self.running().contains_key(&deployed) {
            self.report(deployed, kind);
            self.running().remove(&deployed);
        }
    }

    fn report(&self, (task, attempt): Deployed, kind: ReportKind) {
        (self.config.reports)(TaskReport { task, attempt, kind });
    }
}

/// Channels of a task's inbox, numbered in the order of its inputs and their producers.
fn channels_of(deployment: &TaskDeployment) -> BTreeMap<(u32, Deployed), usize> {
    let channels = deployment
        .inputs
        .iter()
        .flat_map(|input| input.producers.iter().map(move |producer| (input.edge, *producer)));
    channels.enumerate().map(|(index, channel)| (channel, index)).collect()
}

/// A task host. See the module's documentation.
#[derive(Clone)]
pub struct TaskHost {
    shared: Arc<Shared>,
}

impl TaskHost {
    /// A host without tasks.
    pub fn new(mut config: HostConfig) -> Self {
        let remote = Mutex::new(config.remote.take());
        let uploader = Uploader::new(config.storage.clone(), Arc::clone(&config.reports));
        Self {
            shared: Arc::new(Shared {
                config,
                remote,
                running: Mutex::default(),
                metrics: Mutex::default(),
                uploader,
            }),
        }
    }

    /// Says where tasks run; holds for the tasks that are deployed from now on.
    pub fn place(&self, remote: Remote) {
        *self.shared.remote.lock().unwrap_or_else(PoisonError::into_inner) = Some(remote);
    }

    /// Starts a task. Consumers on the same host must be deployed before their producers.
    pub fn deploy(&self, deployment: TaskDeployment) {
        let deployed = (deployment.task, deployment.attempt);
        let control = TaskControl::new();
        let channels = deployment.inputs.iter().map(|input| input.producers.len()).sum();
        let inbox = Inbox::new(channels, self.shared.config.inbox_limits);
        let mailbox = Mailbox::new(Arc::clone(&inbox));
        control.on_cancel({
            let inbox = Arc::clone(&inbox);
            move || inbox.wake()
        });
        let metrics = TaskMetrics::new(deployment.operators.len(), Arc::clone(&control));
        let entry = DeployedMetrics {
            vertex: deployment.vertex,
            attempt: deployment.attempt,
            metrics: Arc::clone(&metrics),
        };
        self.shared
            .metrics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(deployment.task, entry);
        let running = Running {
            control: Arc::clone(&control),
            mailbox: Arc::clone(&mailbox),
            inbox: Arc::clone(&inbox),
            channels: channels_of(&deployment),
        };
        self.shared.running().insert(deployed, running);
        let remote = self.shared.remote.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let thread = task_thread::TaskThread {
            shared: Arc::clone(&self.shared),
            remote,
            deployment,
            control,
            inbox,
            mailbox,
            metrics,
        };
        thread.spawn();
    }

    fn with_task(&self, task: TaskId, attempt: ExecutionAttempt, body: impl FnOnce(&Running)) {
        if let Some(running) = self.shared.running().get(&(task, attempt)) {
            body(running);
        }
    }

    /// Gives a command to a task. A task that is not here ignores it, but is reported as stopped when it is
    /// cancelled.
    pub fn command(&self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        match command {
            TaskCommand::Cancel => self.cancel(task, attempt),
            TaskCommand::Abandon => self.abandon(task, attempt),
            _ => self.with_task(task, attempt, |running| running.mailbox.send(command)),
        }
    }

    fn cancel(&self, task: TaskId, attempt: ExecutionAttempt) {
        let mut found = false;
        self.with_task(task, attempt, |running| {
            found = true;
            running.control.cancel();
        });
        if !found {
            self.shared.report((task, attempt), ReportKind::Canceled);
        }
    }

    /// The thread of the task runs on, cut off from everything.
    fn abandon(&self, task: TaskId, attempt: ExecutionAttempt) {
        if let Some(running) = self.shared.running().remove(&(task, attempt)) {
            running.control.cancel();
            if let Err(error) = running.inbox.close() {
                panics::say(&format!("records for task {task} were dropped: {error}"));
            }
        }
    }

    /// Metrics of the last deployment of each subtask.
    pub fn metrics(&self) -> BTreeMap<TaskId, DeployedMetrics> {
        self.shared.metrics.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells every task to stop.
    pub fn cancel_all(&self) {
        self.shared.running().values().for_each(|running| running.control.cancel());
    }
}
