//! The job master's way to the task hosts: orders over their connections.

use crate::switchboard::Switchboard;
use std::sync::Arc;
use weir_base::{CheckpointId, ExecutionAttempt};
use weir_graph::{TaskDeployment, TaskId};
use weir_job_master::TaskGateway;
use weir_protocol::control::HostOrder;

/// Puts orders on the switchboard. Reports come back past it, see `reports`.
pub struct TcpGateway {
    switchboard: Arc<Switchboard>,
}

impl TcpGateway {
    /// A gateway to whoever is on this switchboard.
    pub fn new(switchboard: Arc<Switchboard>) -> Self {
        Self { switchboard }
    }

    fn tell(&self, task: TaskId, attempt: ExecutionAttempt, order: HostOrder) {
        self.switchboard.tell_task(task, attempt, order);
    }
}

impl TaskGateway for TcpGateway {
    fn deploy(&mut self, deployment: TaskDeployment) {
        self.switchboard.deploy(deployment);
    }

    fn cancel(&mut self, task: TaskId, attempt: ExecutionAttempt) {
        self.switchboard.cancel(task, attempt);
    }

    fn abandon(&mut self, task: TaskId, attempt: ExecutionAttempt) {
        self.switchboard.abandon(task, attempt);
    }

    fn trigger_checkpoint(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    ) {
        self.tell(task, attempt, HostOrder::TriggerCheckpoint(task, attempt, checkpoint));
    }

    fn notify_complete(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    ) {
        self.tell(task, attempt, HostOrder::NotifyComplete(task, attempt, checkpoint));
    }

    fn notify_aborted(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    ) {
        self.tell(task, attempt, HostOrder::NotifyAborted(task, attempt, checkpoint));
    }

    fn finish(&mut self, task: TaskId, attempt: ExecutionAttempt) {
        self.tell(task, attempt, HostOrder::Finish(task, attempt));
    }
}
