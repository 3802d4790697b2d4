//! The job master's way to the task hosts: deployments and commands over their connections.

use crate::switchboard::Switchboard;
use std::sync::Arc;
use weir_base::ExecutionAttempt;
use weir_graph::{TaskDeployment, TaskId};
use weir_job_master::TaskGateway;
use weir_protocol::task::TaskCommand;

/// Sends through the switchboard. Reports do not come back through here, see `reports`.
pub struct TcpGateway {
    switchboard: Arc<Switchboard>,
}

impl TcpGateway {
    /// A gateway to the task hosts of this switchboard.
    pub fn new(switchboard: Arc<Switchboard>) -> Self {
        Self { switchboard }
    }
}

impl TaskGateway for TcpGateway {
    fn deploy(&mut self, deployment: TaskDeployment) {
        self.switchboard.deploy(deployment);
    }

    fn command(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand) {
        self.switchboard.command(task, attempt, command);
    }
}
