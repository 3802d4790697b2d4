//! The border to whoever runs the tasks: orders go out, reports come back.

use crate::mailbox::Mail;
use crossbeam_channel::Sender;
use weir_base::{CheckpointId, ExecutionAttempt, Failure};
use weir_coordination::Input;
use weir_graph::{TaskDeployment, TaskId};
use weir_protocol::task::TaskReport;

/// Carries orders to tasks: within the process, or over the network.
///
/// A call never blocks and never fails. What goes wrong comes back as a report: a task that cannot
/// be started reports that it failed. An order for a task that is unknown or has ended is ignored.
pub trait TaskGateway: Send {
    /// Start a task.
    fn deploy(&mut self, deployment: TaskDeployment);

    /// Tell a task to stop.
    fn cancel(&mut self, task: TaskId, attempt: ExecutionAttempt);

    /// A cancelled task has not stopped in time: leave it behind. It reports nothing more.
    fn abandon(&mut self, task: TaskId, attempt: ExecutionAttempt);

    /// Tell a task without inputs to emit a barrier.
    fn trigger_checkpoint(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    );

    /// Tell a task that a checkpoint is recorded: commit what it covers.
    fn notify_complete(
        &mut self,
        task: TaskId,
        attempt: ExecutionAttempt,
        checkpoint: CheckpointId,
    );

    /// Tell a task that a checkpoint will not complete.
    fn notify_aborted(&mut self, task: TaskId, attempt: ExecutionAttempt, checkpoint: CheckpointId);

    /// Tell a task without inputs to end its output: nothing follows.
    fn finish(&mut self, task: TaskId, attempt: ExecutionAttempt);
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

    /// The host of these tasks is gone: nothing more will be heard of them.
    pub fn tasks_lost(&self, tasks: Vec<(TaskId, ExecutionAttempt)>, failure: Failure) {
        self.send(Input::TasksLost { tasks, failure });
    }

    fn send(&self, input: Input) {
        // The job has ended when nobody receives: there is nobody left to tell.
        let _ = self.mailbox.send(Mail::Input(input));
    }
}
