//! The job master's way to the task hosts of this process.

use super::hosts::Hosts;
use std::sync::Arc;
use weir_base::{CheckpointId, ExecutionAttempt};
use weir_graph::{TaskDeployment, TaskId};
use weir_job_master::{ReportSender, TaskGateway};

/// Calls the hosts directly.
pub(super) struct LocalGateway {
    hosts: Arc<Hosts>,
}

impl LocalGateway {
    pub fn new(hosts: Arc<Hosts>, reports: ReportSender) -> Self {
        hosts.listen(move |report| reports.report(report));
        Self { hosts }
    }
}

impl TaskGateway for LocalGateway {
    fn deploy(&mut self, deployment: TaskDeployment) {
        self.hosts.of(deployment.task).deploy(deployment);
    }

    fn cancel(&mut self, task: TaskId, attempt: ExecutionAttempt) {
        self.hosts.of(task).cancel(task, attempt);
    }

    fn abandon(&mut self, task: TaskId, attempt: ExecutionAttempt) {
        self.hosts.of(task).abandon(task, attempt);
    }

    fn trigger_checkpoint(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    ) {
        self.hosts.of(task).trigger_checkpoint(task, attempt, checkpoint);
    }

    fn notify_complete(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    ) {
        self.hosts.of(task).notify_complete(task, attempt, checkpoint);
    }

    fn notify_aborted(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    ) {
        self.hosts.of(task).notify_aborted(task, attempt, checkpoint);
    }

    fn finish(&mut self, task: TaskId, attempt: ExecutionAttempt) {
        self.hosts.of(task).finish(task, attempt);
    }
}
