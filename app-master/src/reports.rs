//! What task hosts report, on its way to the job master and to whoever shows it.
//!
//! When a host dies, its neighbours notice at once that their channels are broken, and say so before
//! anybody knows why. Such a report waits for a moment, so that the job fails because of the host that
//! died and not because of the connection to it.

use crate::{
    excerpts::Excerpts,
    observed::Observed,
    switchboard::{Deployed, HostKey, Switchboard},
    wire,
};
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use weir_base::ContainerId;
use weir_coordination::{Failure, FailureOrigin, ReportKind, TaskReport, slots};
use weir_job_master::ReportSender;
use weir_protocol::control::HostReport;

/// Codes of failures that are mostly the echo of another one.
const ECHO_PREFIX: &str = "WEIR-NET-";
/// How long an echo waits for what it is the echo of: longer than the pool does.
const ECHO_WAIT: Duration = slots::GRACE.saturating_add(Duration::from_millis(100));

/// Brings reports to where they belong.
pub struct Reports {
    switchboard: Arc<Switchboard>,
    sender: ReportSender,
    observed: Observed,
    excerpts: Arc<Excerpts>,
    echoes: Mutex<Vec<(HostKey, TaskReport)>>,
    is_muted: AtomicBool,
    /// What the host that was told to clear output away has answered.
    abandoned: watch::Sender<Vec<Result<(), String>>>,
}

impl Reports {
    /// Reports of the hosts on this switchboard.
    pub fn new(
        switchboard: Arc<Switchboard>,
        sender: ReportSender,
        observed: Observed,
        excerpts: Arc<Excerpts>,
    ) -> Self {
        let abandoned = watch::Sender::new(Vec::new());
        Self {
            switchboard,
            sender,
            observed,
            excerpts,
            echoes: Mutex::default(),
            is_muted: AtomicBool::new(false),
            abandoned,
        }
    }

    /// The job is another app master's: what is heard from now on is of hosts that are being ended, and
    /// must not end the job on record.
    pub fn mute(&self) {
        self.is_muted.store(true, Ordering::SeqCst);
    }

    /// A host reports.
    pub fn take(self: &Arc<Self>, key: HostKey, report: HostReport) {
        if self.is_muted.load(Ordering::SeqCst) {
            return;
        }
        match report {
            HostReport::Task(report) => self.task(key, wire::task_report(report)),
            HostReport::Counters(counters) => self.observed.counters(key.0, counters),
            HostReport::Abandoned(result) => {
                self.abandoned.send_modify(|answers| answers.push(result));
            }
        }
    }

    /// There will be no hosts, which fails the tasks that wait for one or, while the job has none between
    /// two deployments, those of the next. The log of the container may say why.
    pub fn doomed(self: &Arc<Self>, failure: Failure, container: Option<ContainerId>) {
        let (tasks, mut late) = self.switchboard.doom();
        self.lose_doomed(tasks, &failure, container);
        let reports = Arc::clone(self);
        tokio::spawn(async move {
            while let Some(task) = late.recv().await {
                reports.lose_doomed(vec![task], &failure, container);
            }
        });
    }

    fn lose_doomed(&self, tasks: Vec<Deployed>, failure: &Failure, container: Option<ContainerId>) {
        let Some((task, attempt)) = tasks.first().copied() else { return };
        if let Some(container) = container {
            self.observed.failed_at(task, attempt, container);
            self.excerpts.fetch(task, attempt, container);
        }
        self.sender.tasks_lost(tasks, failure.clone());
    }

    /// Whatever was deployed to a host is lost.
    pub fn host_lost(&self, key: HostKey, failure: Failure) {
        let tasks = self.switchboard.take_tasks_of(key);
        if !tasks.is_empty() && !self.is_muted.load(Ordering::SeqCst) {
            tracing::warn!("{} tasks are lost: {}", tasks.len(), failure.message);
            for (task, attempt) in &tasks {
                self.observed.failed_at(*task, *attempt, key.0);
            }
            // One log tells for all of them.
            if let Some((task, attempt)) = tasks.first() {
                self.excerpts.fetch(*task, *attempt, key.0);
            }
            self.sender.tasks_lost(tasks, failure);
        }
        self.flush_echoes();
    }

    /// Waits for so many answers to [`weir_protocol::control::HostOrder::AbandonOutput`]; an error is the
    /// first of theirs.
    pub async fn abandoned(&self, told_count: usize) -> Result<(), String> {
        let mut answers = self.abandoned.subscribe();
        let all = answers.wait_for(|answers| answers.len() >= told_count).await;
        all.map_or(Ok(()), |answers| answers.iter().cloned().collect())
    }

    fn task(self: &Arc<Self>, key: HostKey, report: TaskReport) {
        let is_echo = |failure: &Failure| {
            failure.code.starts_with(ECHO_PREFIX) && failure.origin == FailureOrigin::External
        };
        match &report.kind {
            ReportKind::Failed(failure) if is_echo(failure) => self.hold(key, report),
            _ => self.pass_on(key, report),
        }
    }

    fn pass_on(&self, key: HostKey, report: TaskReport) {
        if self.is_muted.load(Ordering::SeqCst) {
            return;
        }
        use ReportKind::{Canceled, Failed, Finished};
        let TaskReport { task, attempt, .. } = report;
        if matches!(report.kind, Finished | Canceled | Failed(_)) {
            self.switchboard.ended(task, attempt);
        }
        if let Failed(failure) = &report.kind {
            let name = failure.task.as_deref().unwrap_or_default();
            tracing::warn!("task {name} has failed: {} [{}]", failure.message, failure.code);
            self.observed.failed_at(task, attempt, key.0);
            self.excerpts.fetch(task, attempt, key.0);
        }
        self.sender.report(report);
    }

    fn hold(self: &Arc<Self>, key: HostKey, report: TaskReport) {
        self.echoes().push((key, report));
        let reports = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(ECHO_WAIT).await;
            reports.flush_echoes();
        });
    }

    fn flush_echoes(&self) {
        let echoes = std::mem::take(&mut *self.echoes());
        echoes.into_iter().for_each(|(key, report)| self.pass_on(key, report));
    }

    fn echoes(&self) -> MutexGuard<'_, Vec<(HostKey, TaskReport)>> {
        self.echoes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
