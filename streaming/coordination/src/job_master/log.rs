//! The job log: what a new master learns from it, and how a master writes to it.
//!
//! Records are written one at a time, at the next free index. A record whose outcome is unknown
//! is written again at the same index until the outcome is known: there it can only meet itself,
//! or the first record of a newer master. So a record that is met again counts as written. The
//! exception is the record a master begins with, for two new masters may write the same one; see
//! [`JobMaster`](super::JobMaster).
//!
//! **Compaction.** After a number of records a master writes a snapshot record, which holds all that
//! the state after those before it. When that is durable it deletes the records before the snapshot record
//! that came before (so a reader that lists the log in the meantime still finds one of the two). Deleted
//! indexes are free again, and a master that was suspended in the meantime can create a record at one of
//! them. So the log is listed after each append. A record counts only when it is the newest one and
//! the log is gapless from the oldest record that its writer needs up to it:
//!
//! ```text
//!  . . . . . S r r n              n counts: from S, which its writer knows, there is no gap
//!  . . . . . n . . . T r r U r    void: U holds what the log says; n is ignored and deleted later
//!  . . . . . S r r n e            a newer master (e) has read n and gone on behind it
//! ```
//!
//! Readers begin with the newest record, go back to the first gap, and forget all before the last
//! snapshot record they find. All that is ever deleted lies before a durable snapshot record; what a
//! master deletes late, or creates there by mistake, is no part of the log.

use super::failures;
use crate::messages::{
    AppendOutcome, CompletedCheckpoint, Effect, JobLogRecord, JobOutcome, JobSettings,
};
use std::{collections::VecDeque, ops::RangeInclusive, time::Duration};
use weir_base::{CheckpointId, Failure, JobId, LeaderEpoch, LogIndex, Monotonic};
use weir_graph::Fingerprint;

/// Checkpoint ids that one record sets aside. An `EpochBegins` sets aside as many from its
/// `first_checkpoint` on, a `CheckpointIdsReserved` says where they end.
pub const CHECKPOINT_IDS_PER_RESERVATION: u64 = 64;

/// Records from one snapshot record to the next. A new master reads about as many.
const RECORDS_PER_LOG_SNAPSHOT: u64 = 16;

/// From a failed read or append to the next try; it doubles with each failure.
const FIRST_RETRY_DELAY: Duration = Duration::from_secs(1);
const LONGEST_RETRY_DELAY: Duration = Duration::from_secs(10);

/// Tries of the same read or append after failures.
#[derive(Clone, Debug, Default)]
pub(super) struct Retries {
    failures: u32,
    first_failure: Option<Monotonic>,
}

impl Retries {
    /// Counts a failure. Gives the time of the next try, `None` when there was time enough.
    pub(super) fn after_failure(&mut self, now: Monotonic, timeout: Duration) -> Option<Monotonic> {
        let delay = FIRST_RETRY_DELAY * 2u32.saturating_pow(self.failures.min(10));
        self.failures += 1;
        let give_up_at = self.first_failure.get_or_insert(now).after(timeout);
        (now < give_up_at).then(|| now.after(delay.min(LONGEST_RETRY_DELAY)).min(give_up_at))
    }
}

/// The state after the records so far.
#[derive(Clone, Debug, Default)]
pub(super) struct JobHistory {
    /// The record it begins with: the first one, or a snapshot record.
    pub(super) first_index: LogIndex,
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
    /// No records yet; the next one has this index.
    pub(super) fn starting_at(index: LogIndex) -> Self {
        Self { first_index: index, next_index: index, ..Self::default() }
    }

    /// Takes in the next record; fails when it belongs to another job or another graph.
    pub(super) fn fold(
        &mut self,
        record: JobLogRecord,
        settings: &JobSettings,
    ) -> Result<(), Failure> {
        let index = self.next_index;
        self.next_index = index.next();
        match record {
            JobLogRecord::EpochBegins { epoch, job, name, fingerprint, first_checkpoint } => {
                check_owner(settings, job, &name, &fingerprint)?;
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
            JobLogRecord::LogSnapshot { epoch, job, name, fingerprint, unused_ids, completed } => {
                check_owner(settings, job, &name, &fingerprint)?;
                *self = Self {
                    first_index: index,
                    next_index: index.next(),
                    last_epoch: epoch,
                    unused_ids,
                    completed,
                    ended: None,
                };
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

fn check_owner(
    settings: &JobSettings,
    job: JobId,
    name: &str,
    fingerprint: &Fingerprint,
) -> Result<(), Failure> {
    if job != settings.job {
        return Err(failures::foreign_log(settings.job, job, name));
    }
    let same = settings.fingerprint.check(fingerprint);
    same.map_err(|mismatch| failures::other_graph(&mismatch))
}

/// Result of an append.
#[derive(Debug)]
pub(super) enum Settled {
    /// The record is durable.
    Durable(JobLogRecord),
    /// The index holds another record, or one that may be another master's.
    Taken {
        /// The record that this master tried to write.
        mine: JobLogRecord,
        /// The record that is there.
        theirs: JobLogRecord,
        /// An earlier try had an unknown outcome, so that `theirs` may be this master's.
        tried_before: bool,
    },
    /// The record is in the log, and a newer master has written behind it.
    Overtaken,
    /// The log was compacted since this master read it or wrote to it: the index was free only because
    /// its record had been deleted. What stands there now is no part of the log.
    Void,
    /// Tried for too long: the log cannot be written.
    Lost(Failure),
    /// Not known yet, or not about the append under way.
    Open,
}

/// Writes records in order, one at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct LogWriter {
    /// The oldest record that the log needs: the first one, or a snapshot record.
    first_index: LogIndex,
    next_index: LogIndex,
    queue: VecDeque<JobLogRecord>,
    /// The front of the queue has been sent and not been answered.
    under_way: bool,
    retries: Retries,
    /// How long an append may fail.
    timeout: Duration,
    retry_at: Option<Monotonic>,
}

impl LogWriter {
    /// A writer that continues behind the records that were read.
    pub(super) fn behind(history: &JobHistory, timeout: Duration) -> Self {
        let JobHistory { first_index, next_index, .. } = *history;
        Self { first_index, next_index, timeout, ..Self::default() }
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
            AppendOutcome::Appended { tail } => self.written(&tail, out),
            AppendOutcome::Taken { theirs, tail } => self.taken(*theirs, &tail, out),
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

    /// Whether there are enough records to replace them by a snapshot record.
    pub(super) fn is_long(&self) -> bool {
        self.next_index.0 - self.first_index.0 >= RECORDS_PER_LOG_SNAPSHOT
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

    /// The record is there. It counts if it is the newest, and the log has not been compacted under
    /// this master: then the records that this master knows would not reach up to its own any more.
    fn written(&mut self, tail: &RangeInclusive<LogIndex>, out: &mut Vec<Effect>) -> Settled {
        if self.is_compacted(tail) {
            self.close();
            return Settled::Void;
        }
        if *tail.end() > self.next_index {
            self.close();
            return Settled::Overtaken;
        }
        let Some(record) = self.queue.pop_front() else {
            return Settled::Open;
        };
        if matches!(record, JobLogRecord::LogSnapshot { .. }) {
            if self.first_index > LogIndex(0) {
                out.push(Effect::DeleteLog { below: self.first_index });
            }
            self.first_index = self.next_index;
        }
        self.retries = Retries::default();
        self.next_index = self.next_index.next();
        self.send_next(out);
        Settled::Durable(record)
    }

    fn is_compacted(&self, tail: &RangeInclusive<LogIndex>) -> bool {
        *tail.start() > self.first_index || *tail.end() < self.next_index
    }

    fn taken(
        &mut self,
        theirs: JobLogRecord,
        tail: &RangeInclusive<LogIndex>,
        out: &mut Vec<Effect>,
    ) -> Settled {
        let Some(mine) = self.queue.front() else {
            return Settled::Open;
        };
        let names_its_writer = !matches!(mine, JobLogRecord::EpochBegins { .. });
        if *mine == theirs && names_its_writer {
            return self.written(tail, out);
        }
        if self.is_compacted(tail) {
            self.close();
            return Settled::Void;
        }
        let mine = mine.clone();
        let tried_before = self.retries.failures > 0;
        self.close();
        Settled::Taken { mine, theirs, tried_before }
    }

    fn failed(&mut self, now: Monotonic, failure: &Failure) -> Settled {
        self.retry_at = self.retries.after_failure(now, self.timeout);
        if self.retry_at.is_none() {
            self.close();
            return Settled::Lost(failures::log_lost(self.retries.failures, failure));
        }
        Settled::Open
    }
}
