//! How a master takes a job: what it reads, the record it begins with, what it deploys. And what
//! each durable record starts.

use super::{
    DataEnd, Goal, JobMaster, Phase, State, Tasks, WhenEnded, deployment, failures,
    log::{JobHistory, LogWriter, Retries, Settled},
};
use crate::messages::{AppendOutcome, CompletedCheckpoint, Effect, JobLogRecord, JobOutcome};
use weir_base::{
    CheckpointId, ExecutionAttempt, Failure, FailureOrigin, LeaderEpoch, LogIndex, Now, invariant,
};
use weir_protocol::job::JobStatus;

impl JobMaster {
    pub(super) fn start(
        &mut self,
        now: Now,
        first: LogIndex,
        log: Vec<JobLogRecord>,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(self.phase, Phase::Initial { .. }) {
            return;
        }
        self.set_status(now, JobStatus::Initializing, None, out);
        self.phase = Phase::Beginning;
        self.past = JobHistory::starting_at(first);
        for record in log {
            if let Err(failure) = self.past.fold(record, &self.settings) {
                return self.terminate(now, JobStatus::Failed, Some(failure), out);
            }
        }
        self.begin_epoch(now, out);
    }

    /// Storage may be back in a moment: the log is read for as long as a record is written.
    pub(super) fn log_unreadable(&mut self, now: Now, failure: Failure, out: &mut Vec<Effect>) {
        let Phase::Initial { retries, read_at } = &mut self.phase else { return };
        self.failover.remember(now, &failure);
        *read_at = retries.after_failure(now.monotonic, self.settings.storage_timeout);
        if failure.origin == FailureOrigin::Permanent || read_at.is_none() {
            return self.terminate(now, self.status_without_log(), Some(failure), out);
        }
        self.set_status(now, JobStatus::Initializing, Some(failure), out);
    }

    pub(super) fn read_log_again(&mut self, now: Now, out: &mut Vec<Effect>) {
        if let Phase::Initial { read_at, .. } = &mut self.phase
            && read_at.take_if(|at| *at <= now.monotonic).is_some()
        {
            out.push(Effect::ReadLog);
        }
    }

    /// Writes the record that makes this master the job's, unless the log says it cannot be.
    fn begin_epoch(&mut self, now: Now, out: &mut Vec<Effect>) {
        if self.when_ended == WhenEnded::Repeat
            && let Some(outcome) = self.past.ended.take()
        {
            return self.repeat_end(now, outcome, out);
        }
        if let Some(failure) = self.refusal() {
            return self.terminate(now, JobStatus::Failed, Some(failure), out);
        }
        self.epoch = self.past.last_epoch.next();
        self.log = LogWriter::behind(&self.past, self.settings.storage_timeout);
        let record = JobLogRecord::EpochBegins {
            epoch: self.epoch,
            job: self.settings.job,
            name: self.graph.name.clone(),
            fingerprint: self.settings.fingerprint.clone(),
            first_checkpoint: self.past.first_checkpoint(),
        };
        self.log.append(record, out);
    }

    /// Why the job cannot continue from its log.
    fn refusal(&self) -> Option<Failure> {
        if let Some(outcome) = &self.past.ended {
            return Some(failures::already_ended(outcome.status));
        }
        let (vertex, written) =
            deployment::changed_key_groups(&self.graph, self.past.completed.last()?)?;
        Some(failures::key_groups_changed(&vertex.name, written, vertex.max_parallelism))
    }

    /// Ends as the log says, and shows what it tells of the job.
    fn repeat_end(&mut self, now: Now, outcome: JobOutcome, out: &mut Vec<Effect>) {
        let past = std::mem::take(&mut self.past);
        self.epoch = past.last_epoch;
        self.checkpoints.begin(past.first_checkpoint(), past.completed);
        self.checkpoints.history.recall(outcome.completed_checkpoints);
        self.failover.recall(outcome.restarts);
        if let Some(failure) = &outcome.failure {
            self.failover.remember(now, failure);
        }
        let attempt = ExecutionAttempt(self.epoch.0 << 32 | 1);
        self.tasks = Tasks::ended(&self.graph, attempt, outcome.status, now.wall);
        // The master that ended the job may have died before it did this.
        self.delete_snapshots(&outcome, out);
        self.over(now, outcome, out);
    }

    fn epoch_has_begun(&mut self, now: Now, first: CheckpointId, out: &mut Vec<Effect>) {
        let past = std::mem::take(&mut self.past);
        sweep(first, &past.completed, out);
        self.checkpoints.begin(first, past.completed);
        // Sinks of the previous master may have committed part of this checkpoint.
        self.commits.begin(self.checkpoints.last().map(|checkpoint| checkpoint.id));
        if self.cancel_requested {
            self.stop(now, Goal::Cancel, out);
        } else {
            self.deploy(now, out);
        }
    }

    pub(super) fn deploy(&mut self, now: Now, out: &mut Vec<Effect>) {
        invariant!(self.tasks.all_stopped(), "tasks are deployed beside live ones");
        self.failover.episodes.close();
        self.phase = Phase::Live;
        self.data_end = DataEnd::Open;
        self.deployments += 1;
        invariant!(self.epoch.0 < 1 << 32 && self.deployments < 1 << 32, "attempts are used up");
        let attempt = ExecutionAttempt(self.epoch.0 << 32 | self.deployments);
        self.set_status(now, JobStatus::Created, None, out);
        let restore = self.checkpoints.last();
        let restored = restore.map(|checkpoint| checkpoint.id);
        self.commits.begin(restored);
        self.tasks = Tasks::planned(&self.graph, attempt, restored, now.wall);
        self.restoring = restore.is_some();
        for deployment in deployment::deployments(&self.graph, attempt, restore) {
            self.tasks.set(deployment.task, State::Deploying, now.wall);
            out.push(Effect::Deploy(Box::new(deployment)));
        }
        if let Some(id) = restored {
            self.checkpoints.history.restored(id);
        }
    }

    pub(super) fn log_appended(
        &mut self,
        now: Now,
        index: LogIndex,
        outcome: AppendOutcome,
        out: &mut Vec<Effect>,
    ) {
        match self.log.settle(now.monotonic, index, outcome, out) {
            Settled::Durable(record) => self.record_is_durable(now, record, out),
            Settled::Taken { mine, theirs, tried_before } => {
                self.index_was_taken(now, &mine, theirs, tried_before, out);
            }
            Settled::Void if matches!(self.phase, Phase::Beginning) => {
                self.phase = Phase::Initial { retries: Retries::default(), read_at: None };
                out.push(Effect::ReadLog);
            }
            Settled::Overtaken | Settled::Void => self.is_superseded(now, None, out),
            Settled::Lost(failure) => {
                self.failover.remember(now, &failure);
                self.end_off_record(now, self.status_without_log(), failure, out);
            }
            Settled::Open => {}
        }
    }

    fn record_is_durable(&mut self, now: Now, record: JobLogRecord, out: &mut Vec<Effect>) {
        match record {
            JobLogRecord::EpochBegins { first_checkpoint, .. } => {
                self.epoch_has_begun(now, first_checkpoint, out);
            }
            JobLogRecord::CheckpointIdsReserved { below } => self.checkpoints.reserved(below),
            JobLogRecord::CheckpointCompleted { checkpoint, snapshots, .. } => {
                self.checkpoint_is_recorded(now, checkpoint, snapshots, out);
            }
            JobLogRecord::CheckpointDisposed { .. } | JobLogRecord::LogSnapshot { .. } => {}
            JobLogRecord::Finished { outcome, .. } => {
                self.delete_snapshots(&outcome, out);
                return self.over(now, outcome, out);
            }
        }
        self.compact_log(out);
    }

    /// Has a long log summed up in one record, when no other record is under way: the state of this
    /// master is then what the log says.
    fn compact_log(&mut self, out: &mut Vec<Effect>) {
        if self.log.is_idle() && self.log.is_long() {
            let record = JobLogRecord::LogSnapshot {
                epoch: self.epoch,
                job: self.settings.job,
                name: self.graph.name.clone(),
                fingerprint: self.settings.fingerprint.clone(),
                unused_ids: self.checkpoints.reserved_below(),
                completed: self.checkpoints.completed().to_vec(),
            };
            self.log.append(record, out);
        }
    }

    fn index_was_taken(
        &mut self,
        now: Now,
        mine: &JobLogRecord,
        theirs: JobLogRecord,
        tried_before: bool,
        out: &mut Vec<Effect>,
    ) {
        let their_epoch = match &theirs {
            JobLogRecord::EpochBegins { epoch, .. } => Some(*epoch),
            _ => None,
        };
        // An older master still wrote behind what was read; or the record may be this master's.
        let may_go_on = match their_epoch {
            Some(epoch) => epoch < self.epoch || (tried_before && theirs == *mine),
            None => true,
        };
        if matches!(self.phase, Phase::Beginning) && may_go_on {
            return match self.past.fold(theirs, &self.settings) {
                Ok(()) => self.begin_epoch(now, out),
                Err(failure) => self.terminate(now, JobStatus::Failed, Some(failure), out),
            };
        }
        self.is_superseded(now, their_epoch, out);
    }

    fn is_superseded(&mut self, now: Now, by: Option<LeaderEpoch>, out: &mut Vec<Effect>) {
        let failure = failures::superseded(self.epoch, by);
        self.failover.remember(now, &failure);
        self.end_off_record(now, JobStatus::Suspended, failure, out);
    }
}

/// Clears away what earlier masters have left. No master before this one can record a checkpoint any
/// more, and none after it uses an id below `first`: so of the snapshots below `first` only those on
/// record now will ever be needed.
fn sweep(first: CheckpointId, completed: &[CompletedCheckpoint], out: &mut Vec<Effect>) {
    if first > CheckpointId(1) {
        let snapshots = completed.iter().flat_map(|checkpoint| &checkpoint.snapshots);
        let keep = snapshots.map(|snapshot| snapshot.path.clone()).collect();
        out.push(Effect::SweepSnapshots { below: first, keep });
    }
}
