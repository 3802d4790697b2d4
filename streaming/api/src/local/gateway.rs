//! The job master's way to the task hosts of this process.

use super::hosts::Hosts;
use std::sync::Arc;
use weir_base::ExecutionAttempt;
use weir_graph::{TaskDeployment, TaskId};
use weir_job_master::{ReportSender, TaskGateway};
use weir_protocol::task::TaskCommand;

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

    fn command(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        self.hosts.of(task).command(task, attempt, command);
    }
}
