//! The loop around the brain: wait for mail or a deadline, step, perform the effects, publish.

use crate::{
    clock::Clock,
    effect_queue::EffectQueue,
    error::{Error, Result},
    gateway::{ReportSender, TaskGateway},
    handle::{Handle, Shared, StatusChange},
    mailbox::Mail,
    storage_thread::{OpenStorage, StorageThread, StorageWork},
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    collections::BTreeSet,
    io,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use weir_base::{ExecutionAttempt, Machine, Now, WallTime};
use weir_checkpoint_storage::CheckpointStorage;
use weir_coordination::{
    Effect, Input, JobMaster, JobOutcome, JobSettings,
    job_master::{FailureEpisode, FailureRecord, StatusTime},
};
use weir_graph::{JobGraph, TaskId};
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand, TaskReport},
};

/// A view is not made more often than this, unless the status changes.
const VIEW_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the job master of one job on a thread named `job-master`.
pub struct JobMasterShell {
    brain: JobMaster,
    gateway: Box<dyn TaskGateway>,
    mailbox: Receiver<Mail>,
    /// For the storage thread; also keeps the mailbox open when everybody else has hung up.
    own_mail: Sender<Mail>,
    /// `None` once the storage thread has been ordered to end.
    storage: Option<(Sender<StorageWork>, JoinHandle<()>)>,
    shared: Arc<Shared>,
    clock: Clock,
    /// Deployed and not known to have ended: cancelled if the brain cannot do it any more.
    deployed: BTreeSet<(TaskId, ExecutionAttempt)>,
    published: Instant,
    view_is_stale: bool,
}

impl JobMasterShell {
    /// Starts a job, or resumes it where its log ends. `make_gateway` is called at once, on this
    /// thread.
    ///
    /// This cannot fail: a log that cannot be read is a failure of the job, in its outcome.
    pub fn start(
        graph: JobGraph,
        settings: JobSettings,
        storage: CheckpointStorage,
        make_gateway: impl FnOnce(ReportSender) -> Box<dyn TaskGateway>,
    ) -> Handle {
        let open = Box::new(move || Ok(storage.clone()));
        Self::run_brain(JobMaster::new(graph, settings), open, make_gateway)
    }

    /// The same for a job whose log holds one submission of it: where that says that the job has ended,
    /// this is how it ends.
    ///
    /// `open_storage` is called before the log is read, on the thread for storage, which may wait. It is
    /// called again, as the log is read again, while its error can be retried.
    pub fn start_submitted(
        graph: JobGraph,
        settings: JobSettings,
        open_storage: impl FnMut() -> weir_checkpoint_storage::Result<CheckpointStorage>
        + Send
        + 'static,
        make_gateway: impl FnOnce(ReportSender) -> Box<dyn TaskGateway>,
    ) -> Handle {
        let brain = JobMaster::submitted(graph, settings);
        Self::run_brain(brain, Box::new(open_storage), make_gateway)
    }

    fn run_brain(
        brain: JobMaster,
        open_storage: OpenStorage,
        make_gateway: impl FnOnce(ReportSender) -> Box<dyn TaskGateway>,
    ) -> Handle {
        let clock = Clock::start();
        let (sender, mailbox) = crossbeam_channel::unbounded();
        let initial =
            StatusChange { status: JobStatus::Initializing, failure: None, wall: clock.now().wall };
        let shared = Arc::new(Shared::new(brain.view(), initial));
        let handle = Handle::new(Arc::clone(&shared), sender.clone());
        let shell = Self {
            brain,
            gateway: make_gateway(ReportSender::new(sender.clone())),
            mailbox,
            own_mail: sender,
            storage: None,
            shared: Arc::clone(&shared),
            clock,
            deployed: BTreeSet::new(),
            published: Instant::now(),
            view_is_stale: false,
        };
        if let Err(error) = spawn("job-master", move || shell.run(open_storage)) {
            let problem = format!("no thread for the job master: {error}");
            end_by(&shared, clock.now().wall, &Error::Internal { problem });
        }
        handle
    }

    fn run(mut self, open_storage: OpenStorage) {
        let worked = panic::catch_unwind(AssertUnwindSafe(|| {
            self.start_storage(open_storage)?;
            self.work()
        }));
        match worked.unwrap_or_else(|panic| Err(Error::of_panic(panic.as_ref()))) {
            Ok(outcome) => {
                self.close_storage();
                self.shared.end(outcome);
            }
            Err(error) => self.give_up(error),
        }
    }

    /// Steps the brain until the job has ended; `Err` when the shell cannot continue.
    fn work(&mut self) -> Result<JobOutcome> {
        let mut effects = EffectQueue::default();
        loop {
            let mail = self.next_mail();
            self.step(mail, &mut effects)?;
            while let Some((now, effect)) = effects.pop() {
                if let Some(outcome) = self.perform(now, effect) {
                    self.publish_view();
                    return Ok(outcome);
                }
                if effects.deploys_next() {
                    self.take_waiting_mail(&mut effects)?;
                }
            }
            if self.view_is_stale && self.published.elapsed() >= VIEW_INTERVAL {
                self.publish_view();
            }
        }
    }

    /// Steps the brain between two deployments, so that a cancel, a failure and a deadline need not wait
    /// for the rest of them.
    fn take_waiting_mail(&mut self, effects: &mut EffectQueue) -> Result<()> {
        while let Ok(mail) = self.mailbox.try_recv() {
            self.step(Some(mail), effects)?;
        }
        self.step(None, effects)
    }

    /// Hands the brain its mail, and any deadline that has passed.
    fn step(&mut self, mail: Option<Mail>, effects: &mut EffectQueue) -> Result<()> {
        let now = self.clock.now();
        let mut given = Vec::new();
        match mail {
            Some(Mail::Input(input)) => {
                self.note_ended_tasks(&input);
                self.brain.step(now, input, &mut given);
                self.stepped();
            }
            Some(Mail::Fatal(error)) => return Err(error),
            None => {}
        }
        if self.brain.next_deadline().is_some_and(|deadline| deadline <= now.monotonic) {
            self.brain.tick(now, &mut given);
            self.stepped();
        }
        for (task, attempt) in effects.extend(now, given.into_iter()) {
            let report = TaskReport { task, attempt, kind: ReportKind::Canceled };
            // The shell has the receiver itself.
            let _ = self.own_mail.send(Mail::Input(Input::Task(report)));
        }
        Ok(())
    }

    /// Waits for mail; `None` when a deadline has come first.
    fn next_mail(&self) -> Option<Mail> {
        let brain = self.brain.next_deadline().and_then(|deadline| self.clock.instant(deadline));
        let view = self.view_is_stale.then(|| self.published + VIEW_INTERVAL);
        match brain.into_iter().chain(view).min() {
            Some(deadline) => self.mailbox.recv_deadline(deadline).ok(),
            None => self.mailbox.recv().ok(),
        }
    }

    fn stepped(&mut self) {
        self.view_is_stale = true;
        if cfg!(debug_assertions) {
            self.brain.check_invariants();
        }
    }

    /// Does what the brain asks for; gives the outcome when the job has ended.
    fn perform(&mut self, now: Now, effect: Effect) -> Option<JobOutcome> {
        let gateway = &mut self.gateway;
        match effect {
            Effect::ReadLog => self.send_to_storage(StorageWork::ReadLog),
            Effect::AppendLog { index, record } => {
                self.send_to_storage(StorageWork::Append { index, record });
            }
            Effect::Dispose { paths, .. } => self.send_to_storage(StorageWork::Dispose { paths }),
            Effect::DeleteLog { below } => self.send_to_storage(StorageWork::DeleteLog { below }),
            Effect::SweepSnapshots { below, keep } => {
                self.send_to_storage(StorageWork::Sweep { below, keep });
            }
            Effect::Deploy(deployment) => {
                self.deployed.insert((deployment.task, deployment.attempt));
                gateway.deploy(*deployment);
            }
            Effect::Command { task, attempt, command } => {
                if command == TaskCommand::Abandon {
                    self.deployed.remove(&(task, attempt));
                }
                gateway.command(task, attempt, command);
            }
            Effect::StatusChanged { status, failure } => {
                self.publish_view();
                self.shared.status_changed(StatusChange { status, failure, wall: now.wall });
            }
            Effect::Terminated(outcome) => return Some(outcome),
        }
        None
    }

    fn publish_view(&mut self) {
        self.shared.publish_view(self.brain.view());
        self.published = Instant::now();
        self.view_is_stale = false;
    }

    fn note_ended_tasks(&mut self, input: &Input) {
        match input {
            Input::Task(report) if report.kind.is_end() => {
                self.deployed.remove(&(report.task, report.attempt));
            }
            Input::TasksLost { tasks, .. } => {
                tasks.iter().for_each(|lost| {
                    self.deployed.remove(lost);
                });
            }
            _ => {}
        }
    }

    fn start_storage(&mut self, open_storage: OpenStorage) -> Result<()> {
        let (sender, work) = crossbeam_channel::unbounded();
        let worker = StorageThread::new(open_storage, self.own_mail.clone());
        let thread = spawn("job-storage", move || worker.run(&work)).map_err(|error| {
            let problem = format!("no thread for the job's storage: {error}");
            Error::Internal { problem }
        })?;
        self.storage = Some((sender, thread));
        Ok(())
    }

    fn send_to_storage(&self, work: StorageWork) {
        if let Some((storage, _)) = &self.storage {
            // When the thread has ended, its last message with the reason is on its way.
            let _ = storage.send(work);
        }
    }

    /// Waits until all deletions are done: the process may end right after the job.
    fn close_storage(&mut self) {
        if let Some((sender, thread)) = self.storage.take() {
            drop(sender);
            // It catches its panics itself.
            let _ = thread.join();
        }
    }

    /// The brain cannot be asked any more: stops every task, without waiting for them, and ends
    /// the job. Its log stays open, so that another master can resume it.
    fn give_up(&mut self, error: Error) {
        let deployed = std::mem::take(&mut self.deployed);
        let gateway = &mut self.gateway;
        let _ = panic::catch_unwind(AssertUnwindSafe(|| {
            for (task, attempt) in deployed {
                gateway.command(task, attempt, TaskCommand::Cancel);
            }
        }));
        end_by(&self.shared, self.clock.now().wall, &error);
    }
}

/// Publishes the end of a job whose brain cannot do it, on top of what was last published.
fn end_by(shared: &Shared, wall: WallTime, error: &Error) {
    let status = JobStatus::Failed;
    let failure = error.to_failure();
    let mut view = (*shared.view()).clone();
    let outcome = JobOutcome {
        status,
        failure: Some(failure.clone()),
        restarts: view.restarts,
        completed_checkpoints: view.checkpoints.counts.completed,
        last_checkpoint: view.checkpoints.last_completed,
        off_record: true,
        commit_is_open: false,
    };
    view.status = status;
    view.status_times.push(StatusTime { status, wall_ms: wall.0 });
    let record = FailureRecord { wall_ms: wall.0, failure: failure.clone(), lost_peer: None };
    view.failures.insert(0, FailureEpisode::of(record));
    shared.publish_view(view);
    shared.status_changed(StatusChange { status, failure: Some(failure), wall });
    shared.end(outcome);
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body)
}
