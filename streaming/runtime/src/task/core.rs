//! The task core: everything a task does between two waits, as a machine stepped by hand.
//!
//! No thread, no socket, and no clock but the one that measures how long a call takes, to size the
//! next: elements, commands and the time are handed in, outputs leave
//! through the writers, and what the outside must know is gathered as [`TaskEvent`]s. The runner
//! is the loop around it; tests and the simulator step it themselves.
//!
//! Two times are handed in. Timers of operators belong to the wall clock, which may be set back;
//! whatever the runtime itself waits for (unsent records) belongs to the monotonic clock.

use super::{
    chain::{Chain, processing_time},
    gate::{GateOutcome, InputGate},
};
use crate::{control::TaskControl, panics};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use weir_base::{CheckpointId, Now, OperatorId};
use weir_dataflow::{
    Barrier, Batch, Element, Error, GrammarError, RestoredState, Result, SourcePoll, Timestamp,
};
use weir_graph::KeyGroupRange;
use weir_state::{HeapSnapshot, TaskSnapshot};

/// How long one call of the chain should take, by its last measurement.
const SLICE_TARGET: Duration = Duration::from_millis(10);
/// The longest wait for a moment of the wall clock, which may be set meanwhile.
pub const MAX_WALL_WAIT: Duration = Duration::from_secs(1);
/// Entries of state encoded between two batches.
const SNAPSHOT_SLICE_ENTRIES: usize = 2_000;

/// What the outside has to know or do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TaskEvent {
    /// Stop taking from this channel.
    Block(usize),
    /// Take from this channel again.
    Unblock(usize),
    /// All records of this task are on their way.
    EndOfData,
    /// The task's part of a checkpoint is encoded.
    SnapshotTaken(CheckpointId, TaskSnapshot),
    /// Output up to this checkpoint is committed.
    Committed(CheckpointId),
}

/// How far a task has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Running,
    DataEnded,
    InputEnded,
}

/// One task. See the module's documentation.
pub struct TaskCore {
    chain: Chain,
    gate: InputGate,
    key_groups: KeyGroupRange,
    max_parallelism: u32,
    phase: Phase,
    snapshot: Option<HeapSnapshot>,
    /// The rest of a batch that was cut into slices.
    pending: Option<(usize, Batch)>,
    slice: SliceSize,
    /// Knows how much of a call was spent waiting for room downstream.
    control: Arc<TaskControl>,
    events: Vec<TaskEvent>,
}

/// Sizes calls so that a barrier, a timer or a cancel waits for about one slice.
#[derive(Clone, Copy, Debug)]
struct SliceSize {
    records: usize,
}

impl SliceSize {
    fn learn(&mut self, records: usize, took: Duration) {
        let per_record = took.as_nanos().max(1) / records.max(1) as u128;
        let fitting = SLICE_TARGET.as_nanos() / per_record.max(1);
        self.records = usize::try_from(fitting).unwrap_or(usize::MAX).max(1);
    }
}

impl TaskCore {
    /// A task that has not been opened.
    pub fn new(
        chain: Chain,
        gate: InputGate,
        key_groups: KeyGroupRange,
        max_parallelism: u32,
        control: Arc<TaskControl>,
    ) -> Self {
        Self {
            control,
            chain,
            gate,
            key_groups,
            max_parallelism,
            phase: Phase::Running,
            snapshot: None,
            pending: None,
            // Unmeasured code may be slow: the first calls are short.
            slice: SliceSize { records: 64 },
            events: Vec::new(),
        }
    }

    /// Restores state and opens the operators.
    pub fn open(&mut self, restored: impl FnMut(OperatorId) -> RestoredState) -> Result<()> {
        self.chain.open(restored)
    }

    /// Takes what the outside has to know, in order.
    pub fn take_events(&mut self) -> Vec<TaskEvent> {
        std::mem::take(&mut self.events)
    }

    /// Name of the operator that runs, or that failed.
    pub fn current_operator(&self) -> &str {
        self.chain.current_operator()
    }

    /// Whether there is a cut batch to go on with before the next element.
    pub fn has_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the head wants to be polled.
    pub fn wants_poll(&self) -> bool {
        self.phase == Phase::Running && self.chain.is_source()
    }

    /// Whether nothing is left to do.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::InputEnded && self.snapshot.is_none()
    }

    /// Handles one element of a channel.
    pub fn on_element(&mut self, channel: usize, element: Element, now: Now) -> Result<()> {
        match element {
            Element::Batch(batch) => {
                self.pending = Some((self.gate.input_of(channel), batch));
                self.step_pending(now)
            }
            Element::Watermark(watermark) => {
                let grown = self.gate.on_watermark(channel, watermark);
                self.on_watermark(grown, now)
            }
            Element::Idle | Element::Active => {
                let grown = self.gate.on_idle(channel, matches!(element, Element::Idle));
                self.on_watermark(grown, now)
            }
            Element::Barrier(Barrier { checkpoint }) => {
                let outcome = self.gate.on_barrier(channel, checkpoint);
                self.apply(outcome, now)
            }
            Element::BarrierCancelled(checkpoint) => {
                let outcome = self.gate.on_cancelled(checkpoint);
                self.apply(outcome, now)
            }
            Element::LatencyMarker(born) => self.chain.broadcast(|| Element::LatencyMarker(born)),
            Element::EndOfData => self.on_end_of_data(channel, now),
            Element::EndOfInput => {
                let outcome = self.gate.on_end_of_input(channel);
                self.apply(outcome, now)?;
                if self.gate.all_input_ended() { self.finish_input() } else { Ok(()) }
            }
        }
    }

    fn on_watermark(&mut self, grown: Option<Timestamp>, now: Now) -> Result<()> {
        let Some(minimum) = grown else { return Ok(()) };
        self.control.watermark_grows(minimum);
        self.chain.on_watermark(minimum, now)
    }

    /// Goes on with a cut batch: one slice.
    pub fn step_pending(&mut self, now: Now) -> Result<()> {
        let Some((input, mut batch)) = self.pending.take() else { return Ok(()) };
        if batch.len() > self.slice.records {
            let rest = batch.split_off(self.slice.records);
            self.pending = Some((input, rest));
        }
        let records = batch.len();
        let parked = self.control.backpressured();
        let start = Instant::now();
        self.chain.on_batch(input, batch, now)?;
        let parked = self.control.backpressured().saturating_sub(parked);
        self.slice.learn(records, start.elapsed().saturating_sub(parked));
        Ok(())
    }

    /// Asks the source for some records.
    pub fn poll_source(&mut self, now: Now) -> Result<SourcePoll> {
        let polled = self.chain.poll(now)?;
        if polled == SourcePoll::End {
            self.end_data(now)?;
        }
        Ok(polled)
    }

    fn on_end_of_data(&mut self, channel: usize, now: Now) -> Result<()> {
        let grammar = |GrammarError(rule): GrammarError| Error::internal(rule);
        if let Some(input) = self.gate.on_end_of_data(channel).map_err(grammar)? {
            self.chain.on_end(input, now)?;
        }
        // A source ends when it says so itself.
        if self.gate.all_data_ended() && !self.chain.is_source() {
            self.end_data(now)
        } else {
            Ok(())
        }
    }

    fn end_data(&mut self, now: Now) -> Result<()> {
        // Operators give their tables away when they finish: a running snapshot goes first.
        while self.step_snapshot()? {}
        self.chain.finish(now)?;
        self.phase = Phase::DataEnded;
        self.events.push(TaskEvent::EndOfData);
        Ok(())
    }

    fn end_input(&mut self) -> Result<()> {
        self.phase = Phase::InputEnded;
        self.chain.broadcast(|| Element::EndOfInput)
    }

    /// A task without inputs begins a checkpoint.
    pub fn trigger_checkpoint(&mut self, checkpoint: CheckpointId, now: Now) -> Result<()> {
        match self.phase {
            Phase::InputEnded => Ok(()),
            _ => self.take_checkpoint(checkpoint, now),
        }
    }

    /// Nothing follows the data: the end of all inputs, or what a task without inputs is told.
    pub fn finish_input(&mut self) -> Result<()> {
        match self.phase {
            Phase::Running => Err(Error::internal("its input ends before its data has ended")),
            Phase::DataEnded => self.end_input(),
            Phase::InputEnded => Ok(()),
        }
    }

    fn apply(&mut self, outcome: GateOutcome, now: Now) -> Result<()> {
        self.events.extend(outcome.block.map(TaskEvent::Block));
        if let Some(checkpoint) = outcome.cancelled {
            self.chain.broadcast(|| Element::BarrierCancelled(checkpoint))?;
        }
        if let Some(checkpoint) = outcome.aligned {
            self.take_checkpoint(checkpoint, now)?;
        }
        self.events.extend(outcome.unblock.into_iter().map(TaskEvent::Unblock));
        Ok(())
    }

    fn take_checkpoint(&mut self, checkpoint: CheckpointId, now: Now) -> Result<()> {
        // One checkpoint runs at a time; a snapshot that is still here was given up.
        self.drop_snapshot()?;
        self.chain.before_barrier(now)?;
        let snapshot = HeapSnapshot::begin(
            checkpoint,
            self.key_groups,
            self.max_parallelism,
            self.chain.stateful(),
        )?;
        self.snapshot = Some(snapshot);
        self.chain.broadcast(|| Element::Barrier(Barrier { checkpoint }))
    }

    /// Encodes a slice of a running snapshot; false when there is none (any more).
    pub fn step_snapshot(&mut self) -> Result<bool> {
        let Some(snapshot) = &mut self.snapshot else { return Ok(false) };
        if !snapshot.advance(SNAPSHOT_SLICE_ENTRIES, self.chain.stateful())? {
            return Ok(true);
        }
        if let Some(snapshot) = self.snapshot.take() {
            let checkpoint = snapshot.checkpoint();
            let taken = snapshot.finish(self.chain.stateful())?;
            self.events.push(TaskEvent::SnapshotTaken(checkpoint, taken));
        }
        Ok(false)
    }

    fn drop_snapshot(&mut self) -> Result<()> {
        match self.snapshot.take() {
            Some(snapshot) => snapshot.abort(self.chain.stateful()),
            None => Ok(()),
        }
    }

    /// The checkpoint is recorded: commit what it covers.
    pub fn checkpoint_complete(&mut self, checkpoint: CheckpointId) -> Result<()> {
        self.chain.on_checkpoint_complete(checkpoint)?;
        self.events.push(TaskEvent::Committed(checkpoint));
        Ok(())
    }

    /// The checkpoint will not complete.
    pub fn checkpoint_aborted(&mut self, checkpoint: CheckpointId, now: Now) -> Result<()> {
        if self.snapshot.as_ref().is_some_and(|snapshot| snapshot.checkpoint() == checkpoint) {
            self.drop_snapshot()?;
        }
        if self.phase != Phase::InputEnded {
            let outcome = self.gate.on_cancelled(checkpoint);
            self.apply(outcome, now)?;
        }
        self.chain.on_checkpoint_aborted(checkpoint)
    }

    /// How long the task may wait at `now` although no element comes: until a timer is due, unsent
    /// records must be sent, or the source wants to be polled. `None`: until it is woken.
    ///
    /// Timers and sources name a wall time, and the wall clock may be set while the task waits. So
    /// a wait for them ends after [`MAX_WALL_WAIT`], and what is left of it is computed anew.
    pub fn longest_wait(&self, now: Now, poll_at: Option<Timestamp>) -> Option<Duration> {
        let timer = match self.phase {
            Phase::Running => self.chain.next_timer(),
            _ => None,
        };
        let wall = [timer, poll_at].into_iter().flatten().min().map(|due| {
            let left_ms = due.saturating_sub(processing_time(now));
            Duration::from_millis(u64::try_from(left_ms).unwrap_or(0)).min(MAX_WALL_WAIT)
        });
        let flush = self.chain.flush_deadline();
        let flush = flush.map(|due| Duration::from_millis(due.millis_since(now.monotonic)));
        [wall, flush].into_iter().flatten().min()
    }

    /// Fires timers and sends records that are due.
    pub fn on_time(&mut self, now: Now) -> Result<()> {
        let is_due = |due| due <= processing_time(now);
        if self.phase == Phase::Running && self.chain.next_timer().is_some_and(is_due) {
            self.chain.on_timers(now)?;
        }
        self.chain.flush_if_due(now)
    }

    /// Closes the operators.
    pub fn close(&mut self) -> Result<()> {
        self.chain.close()
    }

    /// Drops all that may be of the author's types, as [`Chain::dispose`] does.
    pub fn dispose(self) -> Vec<(String, Error)> {
        let current = self.current_operator().to_owned();
        let rest = panics::catch_drop((self.pending, self.snapshot));
        let mut problems = self.chain.dispose();
        problems.extend(rest.err().map(|error| (current, error)));
        problems
    }
}
