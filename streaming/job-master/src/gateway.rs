//! The interface to the task hosts: deployments and commands go out, reports come back.

use crate::mailbox::Mail;
use crossbeam_channel::Sender;
use weir_base::{ExecutionAttempt, Failure};
use weir_coordination::Input;
use weir_graph::{TaskDeployment, TaskId};
use weir_protocol::task::{TaskCommand, TaskReport};

/// Carries deployments and commands to task hosts: within the process, or over the network.
///
/// A call never blocks and never fails. A problem comes back as a report: a task that cannot be started
/// reports that it failed. A command for a task that is unknown or has ended is ignored.
pub trait TaskGateway: Send {
    /// Start a task.
    fn deploy(&mut self, deployment: TaskDeployment);

    /// Send a command to a task.
    fn command(&mut self, task: TaskId, attempt: ExecutionAttempt, command: TaskCommand);
}

/// Brings reports of tasks to the job master. Sending never blocks; what comes after the job has
/// ended is dropped.
#[derive(Clone, Debug)]
pub struct ReportSender {
    mailbox: Sender<Mail>,
}

impl ReportSender {
    pub(crate) fn new(mailbox: Sender<Mail>) -> Self {
        Self { mailbox }
    }

    /// A task reports.
    pub fn report(&self, report: TaskReport) {
        self.send(Input::Task(report));
    }

    /// The task host of these tasks is lost: no more reports of them will come.
    pub fn tasks_lost(&self, tasks: Vec<(TaskId, ExecutionAttempt)>, failure: Failure) {
        self.send(Input::TasksLost { tasks, failure });
    }

    /// There will be no task host for these tasks, for a reason that is not theirs.
    pub fn tasks_unplaceable(&self, tasks: Vec<(TaskId, ExecutionAttempt)>, failure: Failure) {
        self.send(Input::TasksUnplaceable { tasks, failure });
    }

    fn send(&self, input: Input) {
        // Without a receiver the job has ended, and the report is of no use.
        let _ = self.mailbox.send(Mail::Input(input));
    }
}
