//! Reports of task hosts, forwarded to the job master and to the REST interface.

use crate::{
    excerpts::Excerpts,
    observed::Observed,
    switchboard::{Deployed, HostKey, Switchboard},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::sync::watch;
use weir_base::{ContainerId, Failure};
use weir_job_master::ReportSender;
use weir_protocol::{
    control::HostReport,
    task::{ReportKind, TaskReport},
};

/// Brings reports to where they belong.
pub struct Reports {
    switchboard: Arc<Switchboard>,
    sender: ReportSender,
    observed: Observed,
    excerpts: Arc<Excerpts>,
    is_muted: AtomicBool,
    /// The answer of the task host that was ordered to remove output.
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
            is_muted: AtomicBool::new(false),
            abandoned,
        }
    }

    /// Another app master runs the job: reports from now on come from task hosts that are being ended, and
    /// must not end the job in its log.
    pub fn mute(&self) {
        self.is_muted.store(true, Ordering::SeqCst);
    }

    /// A host reports.
    pub fn take(&self, key: HostKey, report: HostReport) {
        if self.is_muted.load(Ordering::SeqCst) {
            return;
        }
        match report {
            HostReport::Task(report) => self.task(key, report),
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
        let Some(container) = container else {
            return self.sender.tasks_unplaceable(tasks, failure.clone());
        };
        self.observed.failed_at(task, attempt, container);
        self.excerpts.fetch(task, attempt, container);
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
    }

    /// Waits for this number of answers to [`weir_protocol::control::HostOrder::AbandonOutput`]; an error is the
    /// first of theirs.
    pub async fn abandoned(&self, told_count: usize) -> Result<(), String> {
        let mut answers = self.abandoned.subscribe();
        let all = answers.wait_for(|answers| answers.len() >= told_count).await;
        all.map_or(Ok(()), |answers| answers.iter().cloned().collect())
    }

    fn task(&self, key: HostKey, report: TaskReport) {
        use ReportKind::{Failed, LostPeer};
        let TaskReport { task, attempt, .. } = report;
        if report.kind.is_end() {
            self.switchboard.ended(task, attempt);
        }
        if let Failed(failure) | LostPeer { failure, .. } = &report.kind {
            let name = failure.task.as_deref().unwrap_or_default();
            tracing::warn!("task {name} has failed: {} [{}]", failure.message, failure.code);
            self.observed.failed_at(task, attempt, key.0);
            self.excerpts.fetch(task, attempt, key.0);
        }
        self.sender.report(report);
    }
}
