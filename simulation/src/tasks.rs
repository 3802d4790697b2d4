//! The tasks of a run, the storage of their snapshots, and what goes wrong with them.
//!
//! Messages to one deployment keep their order, and so do its reports, as on a connection; a
//! report may be repeated later, or reach a master that did not deploy the task.

use crate::{
    Defect,
    masters::failure,
    task::{Action, Element, SimTask, Snapshot},
    world::{Event, World},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use weir_base::{CheckpointId, ExecutionAttempt, FailureOrigin};
use weir_coordination::Input;
use weir_graph::{SnapshotHandle, TaskDeployment, TaskId, TaskSnapshotMeta};
use weir_protocol::task::{ReportKind, TaskCommand, TaskReport};

/// Elements on their way to a task at which its producer waits; a barrier may wait behind them.
const CHANNEL_LENGTH: usize = 16;

/// The longest a stalled master takes to sweep.
const LATE_SWEEP_MS: u64 = 12_000;

/// One deployment of one subtask.
pub(crate) type Deployed = (TaskId, ExecutionAttempt);

/// Something that happens to tasks.
#[derive(Debug)]
pub(crate) enum TaskEvent {
    /// A deployment arrives.
    Deploy { owner: usize, deployment: Box<TaskDeployment> },
    /// A command arrives.
    Receive { task: Deployed, command: TaskCommand },
    /// A task does a little.
    Step { task: Deployed },
    /// A snapshot has become durable.
    Written { task: Deployed, checkpoint: CheckpointId, snapshot: Snapshot },
    /// A snapshot is declined.
    Declined { task: Deployed, checkpoint: CheckpointId },
    /// Files are deleted.
    Dispose { paths: Vec<String> },
    /// Deletes files of earlier masters that no log record needs.
    Sweep { below: CheckpointId, keep: BTreeSet<String> },
    /// A host is lost, with all its tasks.
    LoseHost,
    /// A single task fails.
    FailOne,
}

#[derive(Default)]
pub(crate) struct Tasks {
    tasks: BTreeMap<Deployed, SimTask>,
    /// Messages on their way to each deployment, which need not exist yet.
    channels: BTreeMap<Deployed, VecDeque<Element>>,
    /// Durable snapshots by path.
    storage: BTreeMap<String, Snapshot>,
    /// When the last message to and the last report from each deployment arrive.
    last_arrival: BTreeMap<(Deployed, bool), u64>,
}

impl Tasks {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &SimTask> {
        self.tasks.values()
    }
}

impl World {
    pub(crate) fn plan_task_fault(&mut self, event: TaskEvent, every_ms: u64) {
        if every_ms > 0 && !self.is_quiet {
            let in_ms = 1 + self.delay(2 * every_ms);
            self.queue.push(self.now_ms + in_ms, Event::Task(event));
        }
    }

    pub(crate) fn handle_task(&mut self, event: TaskEvent) {
        match event {
            TaskEvent::Deploy { owner, deployment } => self.task_starts(owner, *deployment),
            TaskEvent::Receive { task, command } => self.task_receives(task, command),
            TaskEvent::Step { task } => self.task_steps(task),
            TaskEvent::Written { task, checkpoint, snapshot } => {
                self.snapshot_written(task, checkpoint, snapshot);
            }
            TaskEvent::Declined { task, checkpoint } => {
                let failure = failure("declined", FailureOrigin::User);
                self.report(task, ReportKind::SnapshotDeclined { checkpoint, failure });
            }
            TaskEvent::Dispose { paths } => self.dispose(&paths),
            TaskEvent::Sweep { below, keep } => self.sweep(below, &keep),
            TaskEvent::LoseHost => {
                self.lose_host();
                self.plan_task_fault(TaskEvent::LoseHost, self.faults.host_lost_every_ms);
            }
            TaskEvent::FailOne => {
                if let Some(task) = self.pick_task().filter(|_| !self.is_quiet) {
                    self.task_fails(task, FailureOrigin::User);
                }
                self.plan_task_fault(TaskEvent::FailOne, self.faults.task_fails_every_ms);
            }
        }
    }

    // ---- messages ----

    pub(crate) fn deploy(&mut self, owner: usize, mut deployment: TaskDeployment) {
        self.counts.deployments += 1;
        if self.defect == Some(Defect::RestoreOlder) {
            deployment.restore = None;
        }
        let task = (deployment.task, deployment.attempt);
        let at_ms = self.arrival(task, true);
        let event = TaskEvent::Deploy { owner, deployment: Box::new(deployment) };
        self.queue.push(at_ms, Event::Task(event));
    }

    pub(crate) fn send(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        let task = (task, attempt);
        let at_ms = self.arrival(task, true);
        self.queue.push(at_ms, Event::Task(TaskEvent::Receive { task, command }));
    }

    /// When something sent now arrives: behind what was sent before.
    fn arrival(&mut self, task: Deployed, to_task: bool) -> u64 {
        let at_ms = self.now_ms + self.delay(self.faults.message_ms);
        let last = self.tasks.last_arrival.entry((task, to_task)).or_default();
        *last = at_ms.max(*last);
        *last
    }

    fn report(&mut self, task: Deployed, kind: ReportKind) {
        let Some(owner) = self.tasks.tasks.get(&task).map(|task| task.owner) else { return };
        self.report_to(owner, task, kind);
    }

    fn report_to(&mut self, owner: usize, task: Deployed, kind: ReportKind) {
        let input = Input::Task(TaskReport { task: task.0, attempt: task.1, kind });
        let in_ms = self.arrival(task, false) - self.now_ms;
        self.tell(owner, in_ms, input.clone());
        if self.strikes(self.faults.repeat_percent) {
            let later_ms = in_ms + self.delay(2000);
            self.tell(owner, later_ms, input.clone());
        }
        if self.strikes(self.faults.stray_percent)
            && let Some(newest) = self.masters.newest().filter(|newest| *newest != owner)
        {
            self.tell(newest, in_ms, input);
        }
    }

    // ---- a task's life ----

    fn task_starts(&mut self, owner: usize, deployment: TaskDeployment) {
        let task = (deployment.task, deployment.attempt);
        self.end_older_ghosts(task);
        let Some(snapshots) = self.read_snapshots(owner, &deployment) else {
            let failure = failure("a snapshot is missing", FailureOrigin::External);
            return self.report_to(owner, task, ReportKind::Failed(failure));
        };
        if self.strikes(self.faults.deploy_fails_percent) {
            let failure = failure("could not be deployed", FailureOrigin::External);
            return self.report_to(owner, task, ReportKind::Failed(failure));
        }
        let records = self.job.records;
        let (mut started, staged) = SimTask::new(deployment, owner, records, &snapshots);
        started.deaf = self.strikes(self.faults.deaf_percent);
        self.tasks.tasks.insert(task, started);
        self.act(task, vec![Action::Commit(staged), Action::Report(ReportKind::Running)]);
        self.wake_task(task);
    }

    /// A host that is given a newer deployment may end an older one, and says so.
    fn end_older_ghosts(&mut self, (id, attempt): Deployed) {
        let older: Vec<Deployed> = self
            .tasks
            .tasks
            .range((id, ExecutionAttempt(0))..(id, attempt))
            .filter(|(_, task)| task.alive)
            .map(|(deployed, _)| *deployed)
            .collect();
        for task in older {
            if self.strikes(50) {
                self.lose(vec![task]);
            }
        }
    }

    /// `None` when one is missing, which only the newest master can rely on not to happen.
    fn read_snapshots(
        &mut self,
        owner: usize,
        deployment: &TaskDeployment,
    ) -> Option<Vec<(SnapshotHandle, Snapshot)>> {
        let restore = deployment.restore.iter().flat_map(|restore| &restore.snapshots);
        let mut snapshots = Vec::new();
        for handle in restore {
            match self.tasks.storage.get(&handle.path) {
                Some(snapshot) => snapshots.push((handle.clone(), snapshot.clone())),
                None if self.leads(owner) => {
                    self.oracle.broken(format!("snapshot {} is needed and gone", handle.path));
                    return None;
                }
                None => return None,
            }
        }
        Some(snapshots)
    }

    fn task_receives(&mut self, task: Deployed, command: TaskCommand) {
        let Some(receiver) = self.tasks.tasks.get_mut(&task).filter(|task| task.alive) else {
            return;
        };
        match command {
            TaskCommand::Cancel if receiver.deaf => {}
            TaskCommand::Cancel => {
                receiver.alive = false;
                self.report(task, ReportKind::Canceled);
            }
            TaskCommand::TriggerCheckpoint(checkpoint) => receiver.trigger(checkpoint),
            TaskCommand::Finish => receiver.finish(),
            TaskCommand::CheckpointCompleted(checkpoint) => self.task_commits(task, checkpoint),
            // An abandoned task may continue to run, and an aborted snapshot may still be written.
            TaskCommand::Abandon | TaskCommand::CheckpointAborted(_) => {}
        }
        self.wake_task(task);
    }

    fn task_commits(&mut self, task: Deployed, checkpoint: CheckpointId) {
        let Some(committer) = self.tasks.tasks.get_mut(&task) else { return };
        let transactions = committer.take_committable(checkpoint);
        let fails = self.strikes(self.faults.commit_fails_percent);
        let before = self.strikes(50);
        if !(fails && before) {
            self.act(task, vec![Action::Commit(transactions)]);
        }
        if fails {
            self.task_fails(task, FailureOrigin::External);
        } else {
            self.report(task, ReportKind::Committed(checkpoint));
        }
    }

    fn task_steps(&mut self, task: Deployed) {
        let budget = 1 + self.delay(7);
        let Some(stepping) = self.tasks.tasks.get_mut(&task) else { return };
        stepping.is_scheduled = false;
        if !stepping.alive {
            return;
        }
        let consumer = stepping.consumer().map(|id| (id, task.1));
        let queued = consumer.and_then(|consumer| self.tasks.channels.get(&consumer));
        let is_blocked = queued.is_some_and(|queue| queue.len() >= CHANNEL_LENGTH);
        let actions = if is_blocked {
            Vec::new()
        } else {
            stepping.step(budget, self.tasks.channels.entry(task).or_default())
        };
        if is_blocked || !actions.is_empty() {
            self.act(task, actions);
            self.wake_task(task);
        }
    }

    fn wake_task(&mut self, task: Deployed) {
        let in_ms = 1 + self.delay(self.job.step_ms);
        if let Some(sleeper) = self.tasks.tasks.get_mut(&task)
            && sleeper.alive
            && !sleeper.is_scheduled
        {
            sleeper.is_scheduled = true;
            self.queue.push(self.now_ms + in_ms, Event::Task(TaskEvent::Step { task }));
        }
    }

    fn act(&mut self, task: Deployed, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Emit(element) => self.emit(task, element),
                Action::Report(kind) => self.report(task, kind),
                Action::Write(checkpoint, snapshot) => self.write(task, checkpoint, snapshot),
                Action::Commit(transactions) => {
                    for transaction in transactions {
                        if let Err(broken) = self.output.commit(&transaction) {
                            self.oracle.broken(broken);
                        }
                    }
                }
                Action::Broken(rule) => self.oracle.broken(rule),
            }
        }
    }

    fn emit(&mut self, task: Deployed, element: Element) {
        let consumer = self.tasks.tasks.get(&task).and_then(SimTask::consumer);
        if let Some(consumer) = consumer.map(|id| (id, task.1)) {
            self.tasks.channels.entry(consumer).or_default().push_back(element);
            self.wake_task(consumer);
        }
    }

    // ---- snapshots ----

    fn write(&mut self, task: Deployed, checkpoint: CheckpointId, snapshot: Snapshot) {
        let at_ms = self.now_ms + self.delay(100);
        let event = if self.strikes(self.faults.snapshot_hangs_percent) {
            return;
        } else if self.strikes(self.faults.decline_percent) {
            TaskEvent::Declined { task, checkpoint }
        } else {
            TaskEvent::Written { task, checkpoint, snapshot }
        };
        self.queue.push(at_ms, Event::Task(event));
    }

    fn snapshot_written(&mut self, task: Deployed, checkpoint: CheckpointId, snapshot: Snapshot) {
        let Some(writer) = self.tasks.tasks.get(&task).filter(|task| task.alive) else { return };
        let deployment = &writer.deployment;
        let handle = SnapshotHandle {
            task: writer.id,
            vertex: deployment.vertex,
            key_groups: deployment.key_groups(),
            max_parallelism: Some(deployment.max_parallelism),
            operators: deployment.operators.iter().map(|o| o.node.operator_id).collect(),
            path: format!("{checkpoint}/{}-{}", writer.id, writer.attempt),
            size_bytes: snapshot.len() as u64,
        };
        self.tasks.storage.insert(handle.path.clone(), snapshot);
        let meta = TaskSnapshotMeta::default();
        self.report(task, ReportKind::SnapshotAcknowledged { checkpoint, snapshot: handle, meta });
    }

    fn dispose(&mut self, paths: &[String]) {
        for path in paths {
            self.tasks.storage.remove(path);
        }
        if self.defect == Some(Defect::DisposeNewest)
            && let Some(newest) = self.log.last_completed()
        {
            let prefix = format!("{newest}/");
            self.tasks.storage.retain(|path, _| !path.starts_with(&prefix));
        }
    }

    /// Schedules a sweep, perhaps so late that newer masters have taken over.
    pub(crate) fn plan_sweep(&mut self, below: CheckpointId, keep: BTreeSet<String>) {
        let is_late = self.strikes(self.faults.sweep_late_percent);
        let in_ms = self.delay(if is_late { LATE_SWEEP_MS } else { self.faults.message_ms });
        let event = Event::Task(TaskEvent::Sweep { below, keep });
        self.queue.push(self.now_ms + in_ms, event);
    }

    fn sweep(&mut self, below: CheckpointId, keep: &BTreeSet<String>) {
        let takes_all = self.defect == Some(Defect::SweepTakesAll);
        let is_below = |path: &str| {
            let id = path.split_once('/').and_then(|(id, _)| id.parse().ok());
            takes_all || id.is_some_and(|id: u64| id < below.0)
        };
        self.tasks.storage.retain(|path, _| keep.contains(path) || !is_below(path));
    }

    // ---- faults ----

    pub(crate) fn fail_task_for_good(&mut self) {
        if let Some(task) = self.pick_task() {
            self.task_fails(task, FailureOrigin::Permanent);
        }
    }

    fn task_fails(&mut self, task: Deployed, origin: FailureOrigin) {
        if let Some(failing) = self.tasks.tasks.get_mut(&task) {
            failing.alive = false;
            self.counts.lost_tasks += 1;
            self.report(task, ReportKind::Failed(failure("user code failed", origin)));
        }
    }

    /// A task of the newest master that has any.
    fn pick_task(&mut self) -> Option<Deployed> {
        let owner = self.tasks.iter().filter(|task| task.alive).map(|task| task.owner).max()?;
        let alive: Vec<Deployed> = self
            .tasks
            .iter()
            .filter(|task| task.alive && task.owner == owner)
            .map(|task| (task.id, task.attempt))
            .collect();
        Some(alive[self.rng.below(alive.len() as u64) as usize])
    }

    /// Every subtask with the same index runs on the same host, no matter which master deployed it.
    fn lose_host(&mut self) {
        let host = self.rng.below(3) as u32;
        if self.is_quiet {
            return;
        }
        let lost: Vec<Deployed> = self
            .tasks
            .iter()
            .filter(|task| task.alive && task.id.subtask == host)
            .map(|task| (task.id, task.attempt))
            .collect();
        self.lose(lost);
    }

    /// Tasks are lost; this is reported once to each of their masters.
    fn lose(&mut self, lost: Vec<Deployed>) {
        let mut by_owner: BTreeMap<usize, Vec<Deployed>> = BTreeMap::new();
        for task in lost {
            if let Some(gone) = self.tasks.tasks.get_mut(&task) {
                gone.alive = false;
                by_owner.entry(gone.owner).or_default().push(task);
                self.counts.lost_tasks += 1;
            }
        }
        for (owner, tasks) in by_owner {
            let in_ms = self.delay(500);
            let failure = failure("host lost", FailureOrigin::External);
            self.tell(owner, in_ms, Input::TasksLost { tasks, failure });
        }
    }
}
