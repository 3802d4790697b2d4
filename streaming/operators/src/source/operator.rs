//! The two operators that run a [`Source`]: the coordinator lists, the readers read.
//!
//! ```text
//! SourceCoordinator (1 subtask, hidden)         SourceReaderOperator (n subtasks)
//!   poll: enumerate ─▶ one batch of             on_batch: takes its own splits
//!   SplitAssignment ────────broadcast─────────▶ poll:     reader.poll_batch, emits a batch
//!   then End                                    End when read up and input 0 has ended
//! ```
//!
//! State: the coordinator keeps the list `enumerated` (whether it has dealt), each reader the list
//! `splits` (what it has not finished, with positions). Assignments travel in front of the
//! barrier, so a split is in exactly one of the two. At a barrier both write their list; nothing
//! happens at the end. Cost: one virtual call and one vector per batch of 1,024 records.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use weir_base::CheckpointId;
use weir_dataflow::{
    Batch, Collector, Error, ListState, Operator, OperatorContext, ReaderContext, RestoredState,
    Result, Source, SourcePoll, SourceReader, SubtaskInfo, Timestamp, Waker, batch::MAX_RECORDS,
};

/// Name of the coordinator's list state, of one `bool`.
pub const ENUMERATED_STATE: &str = "enumerated";
/// Name of the readers' list state, of splits.
pub const SPLITS_STATE: &str = "splits";

/// Splits for one reader. All assignments go to all readers; each keeps its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SplitAssignment<Split> {
    /// Index of the reader's subtask.
    pub reader: u32,
    /// What it shall read.
    pub splits: Vec<Split>,
}

/// Lists the input once per job and deals it to the readers.
pub struct SourceCoordinator<S> {
    source: Arc<S>,
    readers: u32,
    enumerated: bool,
}

impl<S: Source> SourceCoordinator<S> {
    /// The coordinator of so many readers.
    pub fn new(source: Arc<S>, readers: u32) -> Self {
        Self { source, readers, enumerated: false }
    }

    fn assignments(&self) -> Result<Vec<SplitAssignment<S::Split>>> {
        let dealt = self.source.enumerate(self.readers)?;
        if dealt.len() > self.readers as usize {
            let (given, readers) = (dealt.len(), self.readers);
            let name = self.source.name();
            return Err(Error::User(
                format!("source {name} made splits for {given} readers where {readers} read")
                    .into(),
            ));
        }
        let some = (0..).zip(dealt).filter(|(_, splits)| !splits.is_empty());
        Ok(some.map(|(reader, splits)| SplitAssignment { reader, splits }).collect())
    }
}

impl<S: Source> Operator for SourceCoordinator<S> {
    fn open(&mut self, _info: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        self.enumerated = restored.take_list::<bool>(ENUMERATED_STATE)?.contains(&true);
        Ok(())
    }

    fn on_batch(&mut self, _: usize, _: Batch, _: &mut OperatorContext<'_>) -> Result<()> {
        Err(Error::internal("a source coordinator has no input"))
    }

    fn is_source(&self) -> bool {
        true
    }

    fn poll(&mut self, ctx: &mut OperatorContext<'_>) -> Result<SourcePoll> {
        if !self.enumerated {
            ctx.emit_records(self.assignments()?)?;
            self.enumerated = true;
        }
        Ok(SourcePoll::End)
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId, lists: &mut ListState) -> Result<()> {
        lists.put(ENUMERATED_STATE, &[self.enumerated])
    }
}

/// Reads the splits that the coordinator has dealt to this subtask.
pub struct SourceReaderOperator<S: Source> {
    source: Arc<S>,
    running: Option<Running<S>>,
    /// Whether the coordinator may still deal.
    may_get_more: bool,
    collected: Collector<S::Item>,
}

struct Running<S: Source> {
    reader: Box<dyn SourceReader<Item = S::Item, Split = S::Split>>,
    subtask: u32,
    waker: Waker,
}

impl<S: Source> SourceReaderOperator<S> {
    /// One reader of the source.
    pub fn new(source: Arc<S>) -> Self {
        let collected = Collector::with_capacity(MAX_RECORDS);
        Self { source, running: None, may_get_more: true, collected }
    }

    fn running(&mut self) -> Result<&mut Running<S>> {
        self.running.as_mut().ok_or_else(|| Error::internal("a source reader was not opened"))
    }
}

impl<S: Source> Operator for SourceReaderOperator<S> {
    fn open(&mut self, info: &SubtaskInfo, restored: &mut RestoredState) -> Result<()> {
        let context = ReaderContext {
            subtask: info.subtask,
            parallelism: info.parallelism,
            waker: Arc::clone(&info.waker),
        };
        let reader = self.source.reader(context)?;
        let (subtask, waker) = (info.subtask, Arc::clone(&info.waker));
        let running = self.running.insert(Running { reader, subtask, waker });
        match restored.take_list::<S::Split>(SPLITS_STATE)? {
            none if none.is_empty() => Ok(()),
            splits => running.reader.add_splits(splits),
        }
    }

    fn on_batch(&mut self, _: usize, batch: Batch, _: &mut OperatorContext<'_>) -> Result<()> {
        let assignments = batch.into_records::<SplitAssignment<S::Split>>()?;
        let running = self.running()?;
        let own = assignments.into_iter().filter(|a| a.reader == running.subtask);
        let splits: Vec<S::Split> = own.flat_map(|assignment| assignment.splits).collect();
        if !splits.is_empty() {
            running.reader.add_splits(splits)?;
            (running.waker)();
        }
        Ok(())
    }

    /// The coordinator's watermarks say nothing about the records of the readers.
    fn on_watermark(&mut self, _: Timestamp, _: &mut OperatorContext<'_>) -> Result<()> {
        Ok(())
    }

    fn is_source(&self) -> bool {
        true
    }

    fn poll(&mut self, ctx: &mut OperatorContext<'_>) -> Result<SourcePoll> {
        let Some(running) = &mut self.running else {
            return Err(Error::internal("a source reader was not opened"));
        };
        let poll = running.reader.poll_batch(MAX_RECORDS, &mut self.collected)?;
        if !self.collected.is_empty() {
            ctx.emit_records(self.collected.take())?;
        }
        match poll {
            SourcePoll::End if self.may_get_more => Ok(SourcePoll::Pending(None)),
            said => Ok(said),
        }
    }

    fn snapshot(&mut self, _checkpoint: CheckpointId, lists: &mut ListState) -> Result<()> {
        let splits = self.running()?.reader.splits()?;
        lists.put(SPLITS_STATE, &splits)
    }

    fn on_end(&mut self, _input: usize, _ctx: &mut OperatorContext<'_>) -> Result<()> {
        self.may_get_more = false;
        (self.running()?.waker)();
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), |mut running| running.reader.close())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{SequenceSource, SequenceSplit};
    use super::*;
    use crate::sink::test_subtask::info;
    use weir_dataflow::operator::Gathered;

    fn snapshot_of(operator: &mut dyn Operator) -> RestoredState {
        let mut lists = ListState::default();
        operator.snapshot(CheckpointId(7), &mut lists).unwrap();
        RestoredState {
            checkpoint: Some(CheckpointId(7)),
            lists: lists.entries,
            ..Default::default()
        }
    }

    fn coordinator(readers: u32) -> SourceCoordinator<SequenceSource> {
        SourceCoordinator::new(Arc::new(SequenceSource::new(0, 4999)), readers)
    }

    fn reader(
        subtask: u32,
        parallelism: u32,
        mut restored: RestoredState,
    ) -> SourceReaderOperator<SequenceSource> {
        let mut reader = SourceReaderOperator::new(Arc::new(SequenceSource::new(0, 4999)));
        reader.open(&info(subtask, parallelism, 1), &mut restored).unwrap();
        reader
    }

    fn assignments_for(readers: u32) -> Batch {
        let mut gathered = Gathered::default();
        let mut coordinator = coordinator(readers);
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        assert_eq!(coordinator.poll(&mut ctx).unwrap(), SourcePoll::End);
        let (output, batch) = gathered.batches.remove(0);
        assert_eq!((output, gathered.batches.len()), (0, 0), "one batch for all readers");
        batch
    }

    fn poll_to(reader: &mut SourceReaderOperator<SequenceSource>, stop: SourcePoll) -> Vec<u64> {
        let mut gathered = Gathered::default();
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        while reader.poll(&mut ctx).unwrap() != stop {}
        assert!(gathered.batches.iter().all(|(_, batch)| batch.len() <= MAX_RECORDS));
        gathered.take_records().unwrap()
    }

    fn end_input(reader: &mut SourceReaderOperator<SequenceSource>) {
        let mut gathered = Gathered::default();
        reader.on_end(0, &mut OperatorContext::new(&mut gathered, 0)).unwrap();
    }

    #[test]
    fn restored_coordinator_does_not_list_again() {
        for (polls_count, expected_batches_count) in [(0, 1), (1, 0)] {
            let mut first = coordinator(2);
            for _ in 0..polls_count {
                first.poll(&mut OperatorContext::new(&mut Gathered::default(), 0)).unwrap();
            }
            let mut second = coordinator(2);
            second.open(&info(0, 1, 2), &mut snapshot_of(&mut first)).unwrap();
            let mut gathered = Gathered::default();
            let end = second.poll(&mut OperatorContext::new(&mut gathered, 0)).unwrap();
            assert_eq!((end, gathered.batches.len()), (SourcePoll::End, expected_batches_count));
        }
    }

    #[test]
    fn two_readers_share_the_input_and_wait_for_the_end_of_their_input() {
        let mut read = Vec::new();
        for subtask in 0..2 {
            let mut reader = reader(subtask, 2, RestoredState::default());
            assert_eq!(poll_to(&mut reader, SourcePoll::Pending(None)), [], "no splits yet");
            let mut gathered = Gathered::default();
            let mut ctx = OperatorContext::new(&mut gathered, 0);
            reader.on_batch(0, assignments_for(2), &mut ctx).unwrap();
            let mine = poll_to(&mut reader, SourcePoll::Pending(None));
            assert_eq!(mine.len(), 2500);
            read.extend(mine);
            end_input(&mut reader);
            assert_eq!(poll_to(&mut reader, SourcePoll::End), []);
            reader.close().unwrap();
        }
        assert_eq!(read, (0..5000).collect::<Vec<_>>());
    }

    #[test]
    fn restored_reader_emits_exactly_the_rest() {
        let mut first = reader(0, 1, RestoredState::default());
        let mut gathered = Gathered::default();
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        first.on_batch(0, assignments_for(1), &mut ctx).unwrap();
        first.poll(&mut ctx).unwrap();
        let before = gathered.take_records::<u64>().unwrap();
        let state = snapshot_of(&mut first);
        first.poll(&mut OperatorContext::new(&mut Gathered::default(), 0)).unwrap(); // lost

        let mut second = reader(0, 1, state);
        let after = poll_to(&mut second, SourcePoll::Pending(None));
        assert_eq!([before, after].concat(), (0..5000).collect::<Vec<_>>());
        let lists = snapshot_of(&mut second).take_list::<SequenceSplit>(SPLITS_STATE);
        assert_eq!(lists.unwrap(), [], "nothing is left to read");
    }

    #[test]
    fn waker_is_called_when_there_is_something_new_to_poll() {
        let woken = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let mut info = info(1, 2, 1);
        info.waker = Arc::new(move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        });
        let mut reader = SourceReaderOperator::new(Arc::new(SequenceSource::new(0, 9)));
        reader.open(&info, &mut RestoredState::default()).unwrap();
        let mut gathered = Gathered::default();
        let mut ctx = OperatorContext::new(&mut gathered, 0);
        reader.on_batch(0, assignments_for(1), &mut ctx).unwrap(); // nothing for this one
        assert_eq!(woken.load(std::sync::atomic::Ordering::Relaxed), 0);
        reader.on_batch(0, assignments_for(2), &mut ctx).unwrap();
        reader.on_end(0, &mut ctx).unwrap();
        assert_eq!(woken.load(std::sync::atomic::Ordering::Relaxed), 2);
    }

    #[test]
    fn more_readers_than_there_are_is_the_sources_fault() {
        struct Wrong;
        impl Source for Wrong {
            type Item = u64;
            type Split = u64;
            fn name(&self) -> String {
                "Wrong".to_owned()
            }
            fn is_bounded(&self) -> bool {
                true
            }
            fn specification(&self) -> Result<Vec<u8>> {
                Ok(Vec::new())
            }
            fn enumerate(&self, _: u32) -> Result<Vec<Vec<u64>>> {
                Ok(vec![vec![1], vec![2], vec![3]])
            }
            fn reader(
                &self,
                _: ReaderContext,
            ) -> Result<Box<dyn SourceReader<Item = u64, Split = u64>>> {
                Err(Error::Cancelled)
            }
        }
        let mut coordinator = SourceCoordinator::new(Arc::new(Wrong), 2);
        let mut gathered = Gathered::default();
        let error = coordinator.poll(&mut OperatorContext::new(&mut gathered, 0)).unwrap_err();
        assert!(error.to_string().contains("3 readers where 2 read"), "{error}");
    }
}
