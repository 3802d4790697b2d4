//! Why tasks stop, and what follows when they have: another deployment, or the end of the job.
//!
//! Also the steps of a running job that need no event: see [`JobMaster::advance`].

use super::{DataEnd, Goal, JobMaster, Phase, State, episode::Rank, restart::Verdict};
use crate::messages::{Effect, JobLogRecord, JobOutcome};
use std::collections::BTreeSet;
use weir_base::{CheckpointId, ExecutionAttempt, Failure, FailureOrigin, Monotonic, Now};
use weir_graph::TaskId;
use weir_protocol::{job::JobStatus, task::TaskCommand};

impl JobMaster {
    /// Does whatever the state calls for now, after each input and at each deadline.
    pub(super) fn advance(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.note_commits();
        self.obey_cancel_request(now, out);
        self.give_up_cause(now, out);
        if matches!(self.phase, Phase::Live) {
            self.pace(now, out);
        }
        self.end_commit(now, out);
        if matches!(self.phase, Phase::Stopping { .. }) && self.tasks.all_stopped() {
            self.reach_goal(now, out);
        }
    }

    /// A cancel replaces a restart and a failure, but not an end that is being recorded, nor a suspension.
    fn obey_cancel_request(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.cancel_requested {
            return;
        }
        let goal = match &self.phase {
            Phase::Live
            | Phase::Committing { goal: Goal::Fail(_), .. }
            | Phase::Stopping { goal: Goal::Restart(_) | Goal::Fail(_), .. } => Goal::Cancel,
            Phase::Stopping { goal: Goal::EndOffRecord(JobStatus::Failed, failure), .. } => {
                Goal::EndOffRecord(JobStatus::Canceled, failure.clone())
            }
            _ => return,
        };
        self.stop(now, goal, out);
    }

    /// How the job ends when its log can be neither read nor written. A cancel that cannot be recorded is
    /// still an end: a failure would make the next master run the job again.
    pub(super) fn status_without_log(&self) -> JobStatus {
        if self.cancel_requested { JobStatus::Canceled } else { JobStatus::Failed }
    }

    /// Stops every task in order to reach a goal, perhaps after a last commit; tasks already being
    /// stopped keep their deadline.
    pub(super) fn stop(&mut self, now: Now, goal: Goal, out: &mut Vec<Effect>) {
        let (status, failure) = match &goal {
            Goal::Restart(_) => (JobStatus::Restarting, None),
            Goal::Fail(failure) | Goal::EndOffRecord(JobStatus::Failed, failure) => {
                (JobStatus::Failing, Some(failure.clone()))
            }
            Goal::Cancel => (JobStatus::Cancelling, None),
            Goal::EndOffRecord(_, failure) => (JobStatus::Cancelling, Some(failure.clone())),
        };
        self.stop_as(now, goal, status, failure, out);
    }

    /// Ends without a record, when every task has stopped. Before the record of the epoch is durable there
    /// is no task, and no status in between: it would say that the job has begun under this master.
    pub(super) fn end_off_record(
        &mut self,
        now: Now,
        status: JobStatus,
        failure: Failure,
        out: &mut Vec<Effect>,
    ) {
        if matches!(self.phase, Phase::Beginning) {
            self.terminate(now, status, Some(failure), out);
        } else {
            self.stop(now, Goal::EndOffRecord(status, failure), out);
        }
    }

    fn stop_as(
        &mut self,
        now: Now,
        goal: Goal,
        status: JobStatus,
        failure: Option<Failure>,
        out: &mut Vec<Effect>,
    ) {
        self.set_status(now, status, failure, out);
        self.awaited_cause = None;
        self.checkpoints.pause();
        self.data_end = DataEnd::Open;
        let in_time = now.monotonic.after(self.settings.cancellation_timeout);
        self.phase = match self.phase {
            Phase::Stopping { deadline, .. } => Phase::Stopping { goal, deadline },
            Phase::Committing { deadline, .. } if self.awaits_commit(&goal) => {
                Phase::Committing { goal, deadline }
            }
            Phase::Live if self.awaits_commit(&goal) => {
                Phase::Committing { goal, deadline: in_time }
            }
            _ => Phase::Stopping { goal, deadline: in_time },
        };
        self.drop_checkpoint_in_flight(now, out);
        if matches!(self.phase, Phase::Stopping { .. }) {
            self.cancel_tasks(now, out);
        }
    }

    pub(super) fn cancel_tasks(&mut self, now: Now, out: &mut Vec<Effect>) {
        let live: Vec<(TaskId, ExecutionAttempt)> = self
            .tasks
            .live()
            .filter(|(_, task)| task.state != State::Canceling)
            .map(|(id, task)| (id, task.attempt))
            .collect();
        for (task, attempt) in live {
            self.tasks.set(task, State::Canceling, now.wall);
            out.push(Effect::Command { task, attempt, command: TaskCommand::Cancel });
        }
    }

    /// Remembers a failure, and restarts or fails the job because of it unless it does so already.
    pub(super) fn fail(&mut self, now: Now, rank: Rank, failure: Failure, out: &mut Vec<Effect>) {
        self.failover.episodes.add(now, rank, &failure, None);
        self.act_on(now, failure, out);
    }

    pub(super) fn act_on(&mut self, now: Now, failure: Failure, out: &mut Vec<Effect>) {
        match &self.phase {
            Phase::Live => match self.failover.judge(now.monotonic, &failure) {
                Verdict::RestartAt(at) => {
                    let status = JobStatus::Restarting;
                    self.stop_as(now, Goal::Restart(at), status, Some(failure), out);
                    self.confirm_leadership(out);
                }
                Verdict::GiveUp => self.stop(now, self.failed(failure), out),
            },
            // Failures while stopping are mostly consequences; but this one is permanent.
            Phase::Stopping { goal: Goal::Restart(_), .. }
                if failure.origin == FailureOrigin::Permanent =>
            {
                self.stop(now, self.failed(failure), out);
            }
            _ => {}
        }
    }

    /// How the job ends by a failure.
    fn failed(&self, failure: Failure) -> Goal {
        if self.restoring && failure.origin == FailureOrigin::Permanent {
            Goal::EndOffRecord(JobStatus::Failed, failure)
        } else {
            Goal::Fail(failure)
        }
    }

    /// Leaves behind what did not stop in time.
    pub(super) fn abandon_late_tasks(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !matches!(&self.phase, Phase::Stopping { deadline, .. } if *deadline <= now.monotonic) {
            return;
        }
        let late: Vec<(TaskId, ExecutionAttempt)> =
            self.tasks.live().map(|(id, task)| (id, task.attempt)).collect();
        for (task, attempt) in late {
            self.tasks.abandon(task, now.wall);
            out.push(Effect::Command { task, attempt, command: TaskCommand::Abandon });
        }
    }

    /// All tasks have stopped.
    fn reach_goal(&mut self, now: Now, out: &mut Vec<Effect>) {
        let Phase::Stopping { goal, .. } = &self.phase else {
            return;
        };
        match goal.clone() {
            Goal::Restart(at) => self.restart(now, at, out),
            Goal::Fail(failure) => {
                // The cause may be reported only after this failure.
                let root = self.failover.final_cause().cloned().unwrap_or(failure);
                self.end(JobStatus::Failed, Some(root), out);
            }
            Goal::Cancel => self.end(JobStatus::Canceled, None, out),
            Goal::EndOffRecord(status, failure) => {
                self.terminate(now, status, Some(failure), out);
            }
        }
    }

    /// Writes a record so that a master that has been superseded finds out before it deploys:
    /// otherwise, its tasks failing for what the newer master does, it would restart for ever.
    fn confirm_leadership(&mut self, out: &mut Vec<Effect>) {
        let below = self.checkpoints.next_reservation();
        self.log.append(JobLogRecord::CheckpointIdsReserved { below }, out);
    }

    fn restart(&mut self, now: Now, at: Monotonic, out: &mut Vec<Effect>) {
        if now.monotonic >= at && self.may_deploy() {
            self.deploy(now, out);
        }
    }

    /// Returns true if the record written since the failure is durable. It follows that of any
    /// completed checkpoint that was under way, so what is restored then is the newest.
    pub(super) fn may_deploy(&self) -> bool {
        !self.log.holds_reservation()
    }

    /// Records the end, once all earlier records are durable.
    pub(super) fn end(
        &mut self,
        status: JobStatus,
        failure: Option<Failure>,
        out: &mut Vec<Effect>,
    ) {
        if !self.log.is_idle() {
            return;
        }
        self.phase = Phase::Ending;
        let outcome = self.outcome(status, failure);
        self.log.append(JobLogRecord::Finished { epoch: self.epoch, outcome }, out);
    }

    /// Deletes the snapshots of a job whose end is in the log, unless they are retained. The log stays: it
    /// says how the job has ended.
    ///
    /// A job that ended within a commit keeps them: they say which part of its output is not committed.
    pub(super) fn delete_snapshots(&self, outcome: &JobOutcome, out: &mut Vec<Effect>) {
        let below = self.checkpoints.first_unused();
        let wrote_any = below > CheckpointId(1);
        if wrote_any && !outcome.commit_is_open && !self.settings.retention.keeps(outcome.status) {
            out.push(Effect::SweepSnapshots { below, keep: BTreeSet::new() });
        }
    }
}
