//! Reports of tasks, the reactions of a running job, and its checkpoints.

use super::{
    DataEnd, Goal, JobMaster, Phase, State, checkpoints::Aborted, episode::Rank, failures,
};
use crate::messages::{Effect, JobLogRecord};
use weir_base::{CheckpointId, ExecutionAttempt, Failure, Monotonic, Now};
use weir_graph::{SnapshotHandle, TaskId, TaskSnapshotMeta};
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand, TaskReport},
};

impl JobMaster {
    pub(super) fn task_reports(&mut self, now: Now, report: TaskReport, out: &mut Vec<Effect>) {
        let TaskReport { task: id, attempt, kind } = report;
        let kind = match kind {
            ReportKind::SnapshotAcknowledged { checkpoint, snapshot, .. }
                if self.checkpoints.was_aborted(checkpoint) =>
            {
                return dispose(Aborted { id: checkpoint, paths: vec![snapshot.path] }, out);
            }
            kind => kind,
        };
        let Some(task) = self.tasks.current(id, attempt) else {
            return;
        };
        match kind {
            ReportKind::Running if task.state == State::Deploying => {
                self.tasks.set(id, State::Running, now.wall);
            }
            ReportKind::Running => {}
            ReportKind::EndOfData => task.end_of_data = true,
            ReportKind::Committed(checkpoint) => {
                task.committed = task.committed.max(Some(checkpoint));
            }
            ReportKind::SnapshotAcknowledged { checkpoint, snapshot, meta } => {
                self.snapshot_acknowledged(now, id, checkpoint, snapshot, &meta, out);
            }
            ReportKind::SnapshotDeclined { checkpoint, failure } => {
                if self.checkpoints.is_collecting(checkpoint) {
                    let failure = self.blame(failure, id);
                    self.checkpoint_fails(now, failure, out);
                }
            }
            ReportKind::Finished => self.task_stopped(now, id, State::Finished, None, out),
            ReportKind::Canceled => self.task_stopped(now, id, State::Canceled, None, out),
            ReportKind::Failed(failure) => {
                self.task_stopped(now, id, State::Failed, Some(failure), out);
            }
            ReportKind::LostPeer { peer, failure } => self.peer_lost(now, id, peer, failure),
        }
    }

    pub(super) fn tasks_lost(
        &mut self,
        now: Now,
        tasks: &[(TaskId, ExecutionAttempt)],
        failure: &Failure,
        out: &mut Vec<Effect>,
    ) {
        // One loss is one failure, however many tasks it takes.
        if let Some(first) = self.stop_lost(now, tasks) {
            let failure = self.blame(failure.clone(), first);
            self.fail(now, Rank::Own, failure, out);
        }
    }

    /// No task host can be had for these tasks. None of them is to blame.
    pub(super) fn tasks_unplaceable(
        &mut self,
        now: Now,
        tasks: &[(TaskId, ExecutionAttempt)],
        failure: Failure,
        out: &mut Vec<Effect>,
    ) {
        if self.stop_lost(now, tasks).is_some() {
            self.fail(now, Rank::Own, failure, out);
        }
    }

    /// Notes that deployments are lost. Returns the first one that was current.
    fn stop_lost(&mut self, now: Now, tasks: &[(TaskId, ExecutionAttempt)]) -> Option<TaskId> {
        let mut first = None;
        for (id, attempt) in tasks {
            if self.tasks.current(*id, *attempt).is_some() {
                self.tasks.set(*id, State::Failed, now.wall);
                first.get_or_insert(*id);
            }
        }
        first
    }

    /// A task has stopped. Whether that was expected depends on its orders.
    fn task_stopped(
        &mut self,
        now: Now,
        id: TaskId,
        state: State,
        failure: Option<Failure>,
        out: &mut Vec<Effect>,
    ) {
        let told_to_stop = !matches!(self.phase, Phase::Live);
        let told_to_finish = self.data_end == DataEnd::Finishing;
        let rank = self.rank_of(id);
        let failure = match (state, failure) {
            (_, Some(failure)) => Some(failure),
            (State::Finished, None) if told_to_finish || told_to_stop => None,
            (State::Canceled, None) if told_to_stop => None,
            (State::Finished, None) => Some(failures::stopped_unasked("finished")),
            (_, None) => Some(failures::stopped_unasked("canceled")),
        };
        match failure {
            None => self.tasks.set(id, state, now.wall),
            // Stopped by its task host, because a task beside it has lost its peer.
            Some(failure) if state == State::Canceled && self.awaited_cause.is_some() => {
                self.tasks.set(id, State::Failed, now.wall);
                let failure = self.blame(failure, id);
                self.failover.episodes.add(now, Rank::LostPeer, &failure, None);
            }
            Some(failure) => {
                self.tasks.set(id, State::Failed, now.wall);
                let failure = self.blame(failure, id);
                self.fail(now, rank, failure, out);
            }
        }
    }

    /// Names the subtask in a failure that names none.
    pub(super) fn blame(&self, failure: Failure, task: TaskId) -> Failure {
        let name = failure.task.unwrap_or_else(|| self.display_name(task));
        Failure { task: Some(name), ..failure }
    }

    // ---- a running job ----

    /// Moves a live job on: to running, to its next checkpoint, to its end.
    pub(super) fn pace(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.tasks.all_run() {
            return;
        }
        if self.status == JobStatus::Created {
            self.set_status(now, JobStatus::Running, None, out);
            self.restoring = false;
            self.checkpoints.start(now.monotonic);
        }
        match self.data_end {
            DataEnd::Open if self.tasks.all_ended() && !self.needs_final_checkpoint() => {
                self.finish_tasks(out);
            }
            DataEnd::Open => self.trigger_if_due(now, out),
            DataEnd::Recorded(id) if self.tasks.all_committed(id) => self.finish_tasks(out),
            DataEnd::Finishing if self.tasks.all_finished() => {
                self.end(JobStatus::Finished, None, out);
            }
            DataEnd::Recorded(_) | DataEnd::Finishing => {}
        }
    }

    fn needs_final_checkpoint(&self) -> bool {
        self.checkpoints.is_periodic() || self.tasks.iter().any(|(_, task)| task.commits)
    }

    /// Nothing follows: tasks without inputs end their output, the others end behind them.
    fn finish_tasks(&mut self, out: &mut Vec<Effect>) {
        self.data_end = DataEnd::Finishing;
        for (task, state) in self.tasks.live_roots() {
            let attempt = state.attempt;
            out.push(Effect::Command { task, attempt, command: TaskCommand::Finish });
        }
    }

    // ---- checkpoints ----

    /// When the next checkpoint can be triggered; `None` while something else must come first.
    pub(super) fn trigger_at(&self) -> Option<Monotonic> {
        let possible = self.data_end == DataEnd::Open
            && self.status == JobStatus::Running
            && self.awaited_cause.is_none()
            && !self.log.holds_reservation()
            // A long log is summed up when no record is under way: it gets no new ones until then.
            && !self.log.is_long();
        self.checkpoints.due_at(self.tasks.all_ended()).filter(|_| possible)
    }

    /// Triggers a checkpoint that is due, or sets ids aside for it first.
    fn trigger_if_due(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.trigger_at().is_none_or(|at| at > now.monotonic) {
            return;
        }
        if self.checkpoints.needs_reservation() {
            let below = self.checkpoints.next_reservation();
            return self.log.append(JobLogRecord::CheckpointIdsReserved { below }, out);
        }
        let checkpoint = self.checkpoints.trigger(now, self.tasks.all_ended());
        for (task, state) in self.tasks.live_roots() {
            let attempt = state.attempt;
            let command = TaskCommand::TriggerCheckpoint(checkpoint);
            out.push(Effect::Command { task, attempt, command });
        }
    }

    fn snapshot_acknowledged(
        &mut self,
        now: Now,
        task: TaskId,
        checkpoint: CheckpointId,
        snapshot: SnapshotHandle,
        meta: &TaskSnapshotMeta,
        out: &mut Vec<Effect>,
    ) {
        let parts = self.checkpoints.acknowledge(now, task, checkpoint, snapshot, meta);
        if let Some(snapshots) = parts {
            let record = JobLogRecord::CheckpointCompleted {
                epoch: self.epoch,
                checkpoint,
                snapshots,
                wall_ms: now.wall.0,
            };
            self.log.append(record, out);
        }
    }

    /// The record exists: tasks may commit, and older checkpoints may go.
    pub(super) fn checkpoint_is_recorded(
        &mut self,
        now: Now,
        id: CheckpointId,
        snapshots: Vec<SnapshotHandle>,
        out: &mut Vec<Effect>,
    ) {
        let was_final = self.checkpoints.recorded(now, id, snapshots);
        if matches!(self.phase, Phase::Live) {
            for (task, state) in self.tasks.live() {
                let attempt = state.attempt;
                let command = TaskCommand::CheckpointCompleted(id);
                out.push(Effect::Command { task, attempt, command });
            }
            self.commits.begin(Some(id));
            if was_final {
                self.data_end = DataEnd::Recorded(id);
            }
        }
        for expired in self.checkpoints.expire() {
            let record = JobLogRecord::CheckpointDisposed { checkpoint: expired.id };
            dispose(expired, out);
            self.log.append(record, out);
        }
    }

    pub(super) fn checkpoint_times_out(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Some(failure) = self.checkpoints.timed_out(now.monotonic) {
            self.checkpoint_fails(now, failure, out);
        }
    }

    /// The checkpoint in flight is given up while the job runs on, unless it was one too many.
    fn checkpoint_fails(&mut self, now: Now, why: Failure, out: &mut Vec<Effect>) {
        let Some(aborted) = self.checkpoints.abort(now, &why) else {
            return;
        };
        for (task, state) in self.tasks.live() {
            let attempt = state.attempt;
            let command = TaskCommand::CheckpointAborted(aborted.id);
            out.push(Effect::Command { task, attempt, command });
        }
        dispose(aborted, out);
        if let Some(failure) = self.checkpoints.count_failure(now.monotonic, &why) {
            self.fail(now, Rank::Own, failure, out);
        }
    }

    /// Tasks are being stopped: the checkpoint in flight cannot complete, and is not announced to tasks.
    pub(super) fn drop_checkpoint_in_flight(&mut self, now: Now, out: &mut Vec<Effect>) {
        let why = match &self.phase {
            Phase::Stopping { goal: Goal::Fail(failure), .. }
            | Phase::Committing { goal: Goal::Fail(failure), .. } => failure.clone(),
            _ => failures::checkpoint_cut_off(),
        };
        if let Some(aborted) = self.checkpoints.abort(now, &why) {
            dispose(aborted, out);
        }
    }
}

/// Deletes what was written for a checkpoint that is not needed.
fn dispose(aborted: Aborted, out: &mut Vec<Effect>) {
    let Aborted { id, mut paths } = aborted;
    paths.retain(|path| !path.is_empty());
    if !paths.is_empty() {
        out.push(Effect::Dispose { checkpoint: id, paths });
    }
}
