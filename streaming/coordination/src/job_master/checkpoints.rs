//! The checkpoint coordinator: when a checkpoint is due, which tasks have acknowledged it, which checkpoints are kept.
//!
//! ```text
//!  due ─▶ COLLECTING ──all acknowledged──▶ RECORDING ──record durable──▶ completed
//!            └──timeout, decline, failure──▶ aborted; what was written is deleted
//! ```
//!
//! One is in flight at a time. While recording, its outcome lies with the log alone: it cannot be
//! aborted any more. It sends nothing to tasks; that is the job master's part.

use super::{failures, history::CheckpointHistory, log::CHECKPOINT_IDS_PER_RESERVATION};
use crate::messages::{CheckpointSettings, CompletedCheckpoint};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use weir_base::{CheckpointId, Failure, Monotonic, Now, invariant};
use weir_graph::{SnapshotHandle, TaskId, TaskSnapshotMeta};
use weir_protocol::job::CheckpointCounts;

/// From a failed checkpoint to the next try of a final one.
const FINAL_RETRY_DELAY: Duration = Duration::from_secs(1);
/// Aborted checkpoints whose late snapshots are still recognised.
const REMEMBERED_ABORTS: usize = 64;

/// The checkpoint under way.
#[derive(Clone, Debug)]
struct InFlight {
    id: CheckpointId,
    /// Triggered when every task had reached the end of its data.
    is_final: bool,
    deadline: Monotonic,
    acknowledged: BTreeMap<TaskId, SnapshotHandle>,
    recording: bool,
}

/// A checkpoint that will not complete.
#[derive(Debug)]
pub(super) struct Aborted {
    pub(super) id: CheckpointId,
    /// Files written for it.
    pub(super) paths: Vec<String>,
}

/// Paces checkpoints and keeps the completed ones.
#[derive(Clone, Debug)]
pub(super) struct Checkpoints {
    settings: Option<CheckpointSettings>,
    final_timeout: Duration,
    tasks: usize,
    next_id: CheckpointId,
    /// Ids below this one are set aside in the log.
    reserved_below: CheckpointId,
    in_flight: Option<InFlight>,
    /// When the next periodic one may be triggered; `None` while tasks do not run.
    due: Option<Monotonic>,
    /// When a final one may be triggered.
    final_due: Monotonic,
    failed_in_a_row: u32,
    /// Oldest first.
    completed: Vec<CompletedCheckpoint>,
    aborted: BTreeSet<CheckpointId>,
    pub(super) history: CheckpointHistory,
}

impl Checkpoints {
    pub(super) fn new(
        settings: Option<CheckpointSettings>,
        final_timeout: Duration,
        tasks: usize,
    ) -> Self {
        Self {
            settings,
            final_timeout,
            tasks,
            next_id: CheckpointId(0),
            reserved_below: CheckpointId(0),
            in_flight: None,
            due: None,
            final_due: Monotonic(0),
            failed_in_a_row: 0,
            completed: Vec::new(),
            aborted: BTreeSet::new(),
            history: CheckpointHistory::default(),
        }
    }

    /// Takes over what the log holds; the first ids are reserved by the record of the epoch.
    pub(super) fn begin(&mut self, first: CheckpointId, completed: Vec<CompletedCheckpoint>) {
        self.next_id = first;
        self.reserved_below = CheckpointId(first.0 + CHECKPOINT_IDS_PER_RESERVATION);
        self.completed = completed;
    }

    /// Completed and not disposed of, oldest first.
    pub(super) fn completed(&self) -> &[CompletedCheckpoint] {
        &self.completed
    }

    /// Ids from here on were never used.
    pub(super) fn reserved_below(&self) -> CheckpointId {
        self.reserved_below
    }

    /// No snapshot of this id or a higher one was ever written.
    pub(super) fn first_unused(&self) -> CheckpointId {
        self.next_id
    }

    /// The newest completed checkpoint.
    pub(super) fn last(&self) -> Option<&CompletedCheckpoint> {
        self.completed.last()
    }

    /// Completed under this master.
    pub(super) fn counts(&self) -> CheckpointCounts {
        self.history.counts(self.in_flight.is_some())
    }

    /// Every task runs: the first one is due an interval from now, a final one at once.
    pub(super) fn start(&mut self, now: Monotonic) {
        self.failed_in_a_row = 0;
        self.due = self.settings.as_ref().map(|s| now.after(s.interval));
        self.final_due = now;
    }

    /// Tasks no longer run.
    pub(super) fn pause(&mut self) {
        self.due = None;
    }

    /// Whether periodic checkpoints are on.
    pub(super) fn is_periodic(&self) -> bool {
        self.settings.is_some()
    }

    /// When the next one may be triggered, if none is in flight. Behind the end of all data that
    /// is the final one, for which there is no interval to wait out.
    pub(super) fn due_at(&self, data_has_ended: bool) -> Option<Monotonic> {
        let due = if data_has_ended { Some(self.final_due) } else { self.due };
        due.filter(|_| self.in_flight.is_none())
    }

    /// Whether the next id must be set aside in the log before it is used.
    pub(super) fn needs_reservation(&self) -> bool {
        self.next_id >= self.reserved_below
    }

    /// Where the ids end that a reservation made now sets aside.
    pub(super) fn next_reservation(&self) -> CheckpointId {
        CheckpointId(self.next_id.0 + CHECKPOINT_IDS_PER_RESERVATION)
    }

    /// The log sets aside ids below this one.
    pub(super) fn reserved(&mut self, below: CheckpointId) {
        self.reserved_below = self.reserved_below.max(below);
    }

    /// Starts one and gives it its id.
    pub(super) fn trigger(&mut self, now: Now, is_final: bool) -> CheckpointId {
        let id = self.next_id;
        invariant!(id < self.reserved_below, "checkpoint {id} is used without a reservation");
        invariant!(self.in_flight.is_none(), "checkpoint {id} starts while another is in flight");
        self.next_id = id.next();
        let timeout = match &self.settings {
            Some(settings) if !is_final => settings.timeout,
            _ => self.final_timeout,
        };
        self.in_flight = Some(InFlight {
            id,
            is_final,
            deadline: now.monotonic.after(timeout),
            acknowledged: BTreeMap::new(),
            recording: false,
        });
        self.due = self.settings.as_ref().map(|s| now.monotonic.after(s.interval));
        self.history.triggered(id, now, is_final, self.tasks);
        id
    }

    /// Takes a task's part. When that was the last, gives all parts, to be recorded.
    pub(super) fn acknowledge(
        &mut self,
        now: Now,
        task: TaskId,
        id: CheckpointId,
        snapshot: SnapshotHandle,
        meta: &TaskSnapshotMeta,
    ) -> Option<Vec<SnapshotHandle>> {
        let in_flight = self.in_flight.as_mut().filter(|c| c.id == id && !c.recording)?;
        if in_flight.acknowledged.contains_key(&task) {
            return None;
        }
        self.history.acknowledged(now, id, snapshot.size_bytes, meta);
        in_flight.acknowledged.insert(task, snapshot);
        if in_flight.acknowledged.len() < self.tasks {
            return None;
        }
        in_flight.recording = true;
        Some(in_flight.acknowledged.values().cloned().collect())
    }

    /// The record exists. Says whether it was the one in flight, and final.
    pub(super) fn recorded(
        &mut self,
        now: Now,
        id: CheckpointId,
        snapshots: Vec<SnapshotHandle>,
    ) -> bool {
        self.completed.push(CompletedCheckpoint { id, snapshots });
        self.failed_in_a_row = 0;
        self.history.completed(id, now);
        let in_flight = self.in_flight.take_if(|c| c.id == id);
        self.rest(now.monotonic);
        in_flight.is_some_and(|c| c.is_final)
    }

    /// Takes out the completed ones beyond those to be kept, with the paths no other needs.
    pub(super) fn expire(&mut self) -> Vec<Aborted> {
        let retained = self.settings.as_ref().map_or(1, |s| s.retained.max(1));
        let excess = self.completed.len().saturating_sub(retained);
        let expired: Vec<CompletedCheckpoint> = self.completed.drain(..excess).collect();
        let needed: BTreeSet<&String> =
            self.completed.iter().flat_map(|c| c.snapshots.iter().map(|s| &s.path)).collect();
        expired
            .into_iter()
            .map(|checkpoint| {
                let mut paths = paths(checkpoint.snapshots.iter());
                paths.retain(|path| !needed.contains(path));
                Aborted { id: checkpoint.id, paths }
            })
            .collect()
    }

    /// Whether this one is collecting acknowledgements.
    pub(super) fn is_collecting(&self, id: CheckpointId) -> bool {
        self.in_flight.as_ref().is_some_and(|c| c.id == id && !c.recording)
    }

    /// Gives up the one in flight, unless its record is under way.
    pub(super) fn abort(&mut self, now: Now, why: &Failure) -> Option<Aborted> {
        let in_flight = self.in_flight.take_if(|c| !c.recording)?;
        self.history.failed(in_flight.id, now, why);
        self.aborted.insert(in_flight.id);
        if self.aborted.len() > REMEMBERED_ABORTS {
            self.aborted.pop_first();
        }
        self.rest(now.monotonic);
        Some(Aborted { id: in_flight.id, paths: paths(in_flight.acknowledged.values()) })
    }

    /// Counts a checkpoint that failed by itself; gives the failure of the job when it was one
    /// too many.
    pub(super) fn count_failure(&mut self, now: Monotonic, why: &Failure) -> Option<Failure> {
        self.failed_in_a_row += 1;
        self.final_due = now.after(FINAL_RETRY_DELAY);
        let tolerable = self.settings.as_ref().map_or(0, |s| s.tolerable_failures);
        (self.failed_in_a_row > tolerable)
            .then(|| failures::too_many_failed_checkpoints(self.failed_in_a_row, tolerable, why))
    }

    /// Whether a snapshot that arrives now belongs to an aborted checkpoint.
    pub(super) fn was_aborted(&self, id: CheckpointId) -> bool {
        self.aborted.contains(&id)
    }

    /// When the one in flight has taken too long.
    pub(super) fn timeout_at(&self) -> Option<Monotonic> {
        self.in_flight.as_ref().filter(|c| !c.recording).map(|c| c.deadline)
    }

    /// The failure of the one in flight that has taken too long.
    pub(super) fn timed_out(&self, now: Monotonic) -> Option<Failure> {
        let late = self.in_flight.as_ref().filter(|c| !c.recording && c.deadline <= now)?;
        Some(failures::checkpoint_timeout(late.id, late.acknowledged.len(), self.tasks))
    }

    /// Ids grow, and what is kept is in order.
    pub(super) fn check_invariants(&self) {
        let ordered = self.completed.windows(2).all(|pair| pair[0].id < pair[1].id);
        invariant!(ordered, "completed checkpoints are not in order");
        let newest = self.completed.last().map(|c| c.id).max(self.in_flight.as_ref().map(|c| c.id));
        invariant!(newest < Some(self.next_id) || newest.is_none(), "a checkpoint id is reused");
        for checkpoint in &self.completed {
            let aborted = self.aborted.contains(&checkpoint.id);
            invariant!(!aborted, "checkpoint {} is both completed and aborted", checkpoint.id);
        }
    }

    /// Leaves the configured pause behind the one that has just ended.
    fn rest(&mut self, now: Monotonic) {
        if let (Some(due), Some(settings)) = (self.due, &self.settings) {
            self.due = Some(due.max(now.after(settings.min_pause)));
        }
    }
}

fn paths<'a>(snapshots: impl Iterator<Item = &'a SnapshotHandle>) -> Vec<String> {
    snapshots.map(|snapshot| snapshot.path.clone()).filter(|path| !path.is_empty()).collect()
}
