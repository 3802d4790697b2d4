//! The job log: what a new master learns from it, and how a master writes to it.
//!
//! Records are written one at a time, at the next free index. A record whose outcome is unknown
//! is written again at the same index until the outcome is known: there it can only meet itself,
//! or the first record of a newer master. So a record that is met again counts as written. The
//! exception is the record a master begins with, for two new masters may write the same one; see
//! [`JobMaster`](super::JobMaster).

use super::failures;
use crate::messages::{AppendOutcome, Effect, Failure, JobLogRecord, JobOutcome, JobSettings};
use std::{collections::VecDeque, time::Duration};
use weir_base::{CheckpointId, LeaderEpoch, LogIndex, Monotonic};
use weir_graph::SnapshotHandle;

/// Checkpoint ids that one record sets aside. An `EpochBegins` sets aside as many from its
/// `first_checkpoint` on, a `CheckpointIdsReserved` says where they end.
pub const CHECKPOINT_IDS_PER_RESERVATION: u64 = 64;

/// From a failed read or append to the next try.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(1);
/// Tries after the first.
pub(super) const MAX_RETRIES: u32 = 5;

/// A checkpoint whose record exists.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CompletedCheckpoint {
    pub(super) id: CheckpointId,
    pub(super) snapshots: Vec<SnapshotHandle>,
}

/// What the records so far amount to.
#[derive(Clone, Debug, Default)]
pub(super) struct JobHistory {
    /// Where the next record goes.
    pub(super) next_index: LogIndex,
    /// The newest master, 0 when there was none.
    pub(super) last_epoch: LeaderEpoch,
    /// Ids from here on were never used.
    pub(super) unused_ids: CheckpointId,
    /// Completed and not disposed of, oldest first.
    pub(super) completed: Vec<CompletedCheckpoint>,
    /// How the job ended, when it has.
    pub(super) ended: Option<JobOutcome>,
}

impl JobHistory {
    /// Takes in the next record; fails when it belongs to another job or another graph.
    pub(super) fn fold(
        &mut self,
        record: JobLogRecord,
        settings: &JobSettings,
    ) -> Result<(), Failure> {
        self.next_index = self.next_index.next();
        match record {
            JobLogRecord::EpochBegins { epoch, job, name, fingerprint, first_checkpoint } => {
                if job != settings.job {
                    return Err(failures::foreign_log(settings.job, job, &name));
                }
                settings
                    .fingerprint
                    .check(&fingerprint)
                    .map_err(|mismatch| failures::other_graph(&mismatch))?;
                self.last_epoch = self.last_epoch.max(epoch);
                self.use_ids_below(first_checkpoint.0 + CHECKPOINT_IDS_PER_RESERVATION);
            }
            JobLogRecord::CheckpointIdsReserved { below } => self.use_ids_below(below.0),
            JobLogRecord::CheckpointCompleted { checkpoint, snapshots, .. } => {
                self.use_ids_below(checkpoint.0 + 1);
                self.completed.push(CompletedCheckpoint { id: checkpoint, snapshots });
            }
            JobLogRecord::CheckpointDisposed { checkpoint } => {
                self.completed.retain(|completed| completed.id != checkpoint);
            }
            JobLogRecord::Finished { outcome, .. } => self.ended = Some(outcome),
        }
        Ok(())
    }

    /// The first id a new master may use; ids start at 1.
    pub(super) fn first_checkpoint(&self) -> CheckpointId {
        CheckpointId(self.unused_ids.0.max(1))
    }

    fn use_ids_below(&mut self, below: u64) {
        self.unused_ids = self.unused_ids.max(CheckpointId(below));
    }
}

/// What became of an append.
#[derive(Debug)]
pub(super) enum Settled {
    /// The record is durable.
    Durable(JobLogRecord),
    /// The index holds another record, or one that may be another master's.
    Taken {
        /// What this master tried to write.
        mine: JobLogRecord,
        /// What is there.
        theirs: JobLogRecord,
        /// An earlier try had an unknown outcome, so that `theirs` may be this master's.
        tried_before: bool,
    },
    /// Tried too often: the log cannot be written.
    Lost(Failure),
    /// Not known yet, or not about the append under way.
    Open,
}

/// Writes records in order, one at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct LogWriter {
    next_index: LogIndex,
    queue: VecDeque<JobLogRecord>,
    /// The front of the queue has been sent and not been answered.
    under_way: bool,
    failures: u32,
    retry_at: Option<Monotonic>,
}

impl LogWriter {
    /// A writer that goes on behind what has been read.
    pub(super) fn starting_at(next_index: LogIndex) -> Self {
        Self { next_index, ..Self::default() }
    }

    /// Writes a record behind those that wait.
    pub(super) fn append(&mut self, record: JobLogRecord, out: &mut Vec<Effect>) {
        self.queue.push_back(record);
        self.send_next(out);
    }

    /// Takes the answer to an append, and sends what waits behind it.
    pub(super) fn settle(
        &mut self,
        now: Monotonic,
        index: LogIndex,
        outcome: AppendOutcome,
        out: &mut Vec<Effect>,
    ) -> Settled {
        if !self.under_way || index != self.next_index {
            return Settled::Open;
        }
        self.under_way = false;
        match outcome {
            AppendOutcome::Appended => self.durable(out),
            AppendOutcome::Taken(theirs) => self.taken(*theirs, out),
            AppendOutcome::Failed(failure) => self.failed(now, &failure),
        }
    }

    /// Sends a failed record again once its time has come.
    pub(super) fn retry(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.send_next(out);
        }
    }

    /// When to call [`LogWriter::retry`].
    pub(super) fn retry_at(&self) -> Option<Monotonic> {
        self.retry_at
    }

    /// Whether nothing is under way or waits.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether a reservation of ids is not durable yet.
    pub(super) fn holds_reservation(&self) -> bool {
        self.queue.iter().any(|r| matches!(r, JobLogRecord::CheckpointIdsReserved { .. }))
    }

    /// Writes nothing more.
    pub(super) fn close(&mut self) {
        self.queue.clear();
        self.under_way = false;
        self.retry_at = None;
    }

    fn send_next(&mut self, out: &mut Vec<Effect>) {
        if self.under_way || self.retry_at.is_some() {
            return;
        }
        if let Some(record) = self.queue.front() {
            self.under_way = true;
            out.push(Effect::AppendLog { index: self.next_index, record: record.clone() });
        }
    }

    fn durable(&mut self, out: &mut Vec<Effect>) -> Settled {
        let Some(record) = self.queue.pop_front() else {
            return Settled::Open;
        };
        self.failures = 0;
        self.next_index = self.next_index.next();
        self.send_next(out);
        Settled::Durable(record)
    }

    fn taken(&mut self, theirs: JobLogRecord, out: &mut Vec<Effect>) -> Settled {
        let Some(mine) = self.queue.front() else {
            return Settled::Open;
        };
        let names_its_writer = !matches!(mine, JobLogRecord::EpochBegins { .. });
        if *mine == theirs && names_its_writer {
            return self.durable(out);
        }
        let mine = mine.clone();
        let tried_before = self.failures > 0;
        self.close();
        Settled::Taken { mine, theirs, tried_before }
    }

    fn failed(&mut self, now: Monotonic, failure: &Failure) -> Settled {
        self.failures += 1;
        if self.failures > MAX_RETRIES {
            self.close();
            return Settled::Lost(failures::log_lost(self.failures, failure));
        }
        self.retry_at = Some(now.after(RETRY_DELAY));
        Settled::Open
    }
}
