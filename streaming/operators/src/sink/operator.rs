//! The operator that runs a [`Sink`]: writes, prepares at barriers, commits when told.
//!
//! ```text
//! open      commit what was restored ─▶ make the writer
//! on_batch  writer.write
//! barrier   writer.prepare_commit(7) ─▶ pending ─▶ list states `writer`, `committables`
//! 7 done    commit all pending up to 7, oldest first
//! close     writer.close: what was never prepared goes, what is pending stays
//! ```
//!
//! State: the list `writer`, what the writer says; the list `committables`, at most one element
//! with everything this subtask has prepared and not yet committed. It is one element so that it
//! stays together, and in order, when state is dealt to other subtasks.
//!
//! The committer is called once with what was restored (also when that is nothing, as long as the
//! job resumes) before the writer is made, and once per completed checkpoint (also with nothing).
//! That a checkpoint is complete means that every subtask is past its `open`, so everything that
//! was restored anywhere is committed by then. At the end of the input nothing is special: the
//! final checkpoint commits the rest. Cost: a virtual call per batch beyond the writer's own.

use std::{collections::BTreeMap, sync::Arc};
use weir_base::CheckpointId;
use weir_dataflow::{
    Batch, Committer, Error, ListState, Operator, OperatorContext, RestoredState, Result, Sink,
    SinkContext, SinkWriter, SubtaskInfo,
};

/// Name of the list state with what the writer says, of [`Sink::WriterState`].
pub const WRITER_STATE: &str = "writer";
/// Name of the list state with what is not committed yet, of [`PendingCommits`].
pub const COMMITTABLES_STATE: &str = "committables";

/// What one subtask has prepared and not committed, oldest checkpoint first.
pub type PendingCommits<C> = Vec<(CheckpointId, C)>;

/// Runs one subtask of a sink. See the module's documentation.
pub struct SinkOperator<S: Sink> {
    sink: Arc<S>,
    running: Option<Running<S>>,
    pending: BTreeMap<CheckpointId, Vec<S::Committable>>,
}

struct Running<S: Sink> {
    writer: Box<
        dyn SinkWriter<Item = S::Item, Committable = S::Committable, WriterState = S::WriterState>,
    >,
    committer: Box<dyn Committer<Committable = S::Committable>>,
}

impl<S: Sink> SinkOperator<S> {
    /// One subtask of the sink.
    pub fn new(sink: Arc<S>) -> Self {
        Self { sink, running: None, pending: BTreeMap::new() }
    }

    fn running(&mut self) -> Result<&mut Running<S>> {
        self.running.as_mut().ok_or_else(|| Error::internal("a sink was not opened"))
    }
}

impl<S: Sink> Operator for SinkOperator<S> {
    fn open(&mut self, info: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        let context = SinkContext { info, restored: restored.is_restored() };
        let mut committer = self.sink.committer(&context)?;
        if context.restored {
            // Everything in a completed checkpoint is to be committed, whichever barrier it was
            // prepared at.
            let commits =
                restored.take_list::<PendingCommits<S::Committable>>(COMMITTABLES_STATE)?;
            let in_order = commits.into_iter().flatten().map(|(_, committable)| committable);
            committer.commit(in_order.collect())?;
        }
        let writer = self.sink.writer(&context, restored.take_list(WRITER_STATE)?)?;
        self.running = Some(Running { writer, committer });
        Ok(())
    }

    fn on_batch(&mut self, _: usize, batch: Batch, _: &mut OperatorContext<'_>) -> Result<()> {
        self.running()?.writer.write(batch.into_records()?)
    }

    fn snapshot(&mut self, checkpoint: CheckpointId, lists: &mut ListState) -> Result<()> {
        let writer = &mut self.running()?.writer;
        let prepared = writer.prepare_commit(checkpoint)?;
        lists.put(WRITER_STATE, &writer.snapshot()?)?;
        if !prepared.is_empty() {
            self.pending.entry(checkpoint).or_default().extend(prepared);
        }
        let with_id = |(id, committables): (&CheckpointId, &Vec<S::Committable>)| {
            committables.iter().map(|committable| (*id, committable.clone())).collect::<Vec<_>>()
        };
        let all: PendingCommits<S::Committable> = self.pending.iter().flat_map(with_id).collect();
        let elements = if all.is_empty() { Vec::new() } else { vec![all] };
        lists.put(COMMITTABLES_STATE, &elements)
    }

    fn on_checkpoint_complete(&mut self, checkpoint: CheckpointId) -> Result<()> {
        let later = self.pending.split_off(&checkpoint.next());
        let complete = std::mem::replace(&mut self.pending, later);
        let in_order = complete.into_values().flatten().collect();
        self.running()?.committer.commit(in_order)
    }

    fn finish(&mut self, _ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.running()?.writer.flush()
    }

    fn close(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.writer.close())
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_subtask::info;
    use super::*;
    use std::sync::Mutex;
    use weir_dataflow::operator::Gathered;

    type Log = Arc<Mutex<Vec<String>>>;

    /// Commits sums and logs what happens.
    struct SumSink(Log);

    struct SumWriter {
        log: Log,
        sum: u64,
    }

    struct SumCommitter(Log);

    impl Sink for SumSink {
        type Item = u64;
        type Committable = u64;
        type WriterState = u64;

        fn name(&self) -> String {
            "Sum".to_owned()
        }

        fn specification(&self) -> Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn commits(&self) -> bool {
            true
        }

        fn writer(
            &self,
            context: &SinkContext<'_>,
            restored: Vec<u64>,
        ) -> Result<Box<dyn SinkWriter<Item = u64, Committable = u64, WriterState = u64>>> {
            let log = Arc::clone(&self.0);
            log.lock().unwrap().push(format!("writer {} {restored:?}", context.restored));
            Ok(Box::new(SumWriter { log, sum: 0 }))
        }

        fn committer(&self, _: &SinkContext<'_>) -> Result<Box<dyn Committer<Committable = u64>>> {
            Ok(Box::new(SumCommitter(Arc::clone(&self.0))))
        }
    }

    impl SinkWriter for SumWriter {
        type Item = u64;
        type Committable = u64;
        type WriterState = u64;

        fn write(&mut self, records: Vec<u64>) -> Result<()> {
            self.sum += records.iter().sum::<u64>();
            Ok(())
        }

        fn flush(&mut self) -> Result<()> {
            self.log.lock().unwrap().push("flush".to_owned());
            Ok(())
        }

        fn prepare_commit(&mut self, _: CheckpointId) -> Result<Vec<u64>> {
            let sum = std::mem::take(&mut self.sum);
            Ok(if sum == 0 { vec![] } else { vec![sum] })
        }

        fn snapshot(&mut self) -> Result<Vec<u64>> {
            Ok(vec![99])
        }

        fn close(&mut self) -> Result<()> {
            self.log.lock().unwrap().push("close".to_owned());
            Ok(())
        }
    }

    impl Committer for SumCommitter {
        type Committable = u64;

        fn commit(&mut self, committables: Vec<u64>) -> Result<()> {
            self.0.lock().unwrap().push(format!("commit {committables:?}"));
            Ok(())
        }
    }

    struct Rig {
        operator: SinkOperator<SumSink>,
        log: Log,
    }

    impl Rig {
        fn open(subtask: u32, parallelism: u32, mut restored: RestoredState) -> Self {
            let log = Log::default();
            let mut operator = SinkOperator::new(Arc::new(SumSink(Arc::clone(&log))));
            operator.open(&info(subtask, parallelism, 1), &mut restored).unwrap();
            Self { operator, log }
        }

        fn write(&mut self, number: u64) {
            let mut gathered = Gathered::default();
            let mut ctx = OperatorContext::new(&mut gathered, 0);
            self.operator.on_batch(0, Batch::of(vec![number]), &mut ctx).unwrap();
        }

        fn barrier(&mut self, id: u64) -> RestoredState {
            let mut lists = ListState::default();
            self.operator.snapshot(CheckpointId(id), &mut lists).unwrap();
            RestoredState {
                checkpoint: Some(CheckpointId(id)),
                lists: lists.entries,
                ..RestoredState::default()
            }
        }

        fn complete(&mut self, id: u64) {
            self.operator.on_checkpoint_complete(CheckpointId(id)).unwrap();
        }

        fn take_log(&self) -> Vec<String> {
            std::mem::take(&mut self.log.lock().unwrap())
        }
    }

    #[test]
    fn a_completed_checkpoint_commits_everything_up_to_it_in_order() {
        let mut rig = Rig::open(0, 1, RestoredState::default());
        assert_eq!(rig.take_log(), ["writer false []"], "a fresh start has nothing to commit");
        rig.write(1);
        rig.barrier(1);
        rig.write(2);
        rig.barrier(2);
        rig.write(3);
        rig.barrier(3);
        assert!(rig.take_log().is_empty(), "a barrier commits nothing");
        rig.complete(2);
        rig.complete(2);
        rig.complete(3);
        assert_eq!(rig.take_log(), ["commit [1, 2]", "commit []", "commit [3]"]);
        let mut gathered = Gathered::default();
        rig.operator.finish(&mut OperatorContext::new(&mut gathered, 0)).unwrap();
        rig.operator.close().unwrap();
        rig.operator.close().unwrap();
        assert_eq!(rig.take_log(), ["flush", "close"]);
    }

    #[test]
    fn restored_sink_commits_what_its_checkpoint_holds_before_it_writes() {
        let mut first = Rig::open(0, 1, RestoredState::default());
        first.write(1);
        first.barrier(1);
        first.write(2);
        let mut state = first.barrier(2);
        first.write(4); // never prepared

        let second = Rig::open(0, 1, std::mem::take(&mut state));
        assert_eq!(second.take_log(), ["commit [1, 2]", "writer true [99]"]);
        first.complete(2);
        let third = Rig::open(0, 1, first.barrier(3));
        assert_eq!(third.take_log(), ["commit [4]", "writer true [99]"]);
    }

    #[test]
    fn two_subtasks_keep_their_commits_and_one_takes_over_both() {
        let mut states = Vec::new();
        for (subtask, number) in [(0, 10), (1, 20)] {
            let mut rig = Rig::open(subtask, 2, RestoredState::default());
            rig.write(number);
            rig.barrier(1);
            rig.write(number + 1);
            let state = rig.barrier(2);
            assert_eq!(state.lists[COMMITTABLES_STATE].len(), 1, "dealt as a whole");
            states.push(state);
        }
        let mut both = RestoredState { checkpoint: Some(CheckpointId(2)), ..Default::default() };
        for (name, entries) in states.into_iter().flat_map(|state| state.lists) {
            both.lists.entry(name).or_default().extend(entries);
        }
        let rig = Rig::open(0, 1, both);
        assert_eq!(rig.take_log(), ["commit [10, 11, 20, 21]", "writer true [99, 99]"]);
    }
}
