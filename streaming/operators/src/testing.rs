//! What the tests of operators share.

use crate::aggregate::Aggregation;
use std::sync::Arc;
use weir_base::{CheckpointId, ExecutionAttempt, JobId, OperatorId};
use weir_dataflow::{
    Batch, ListState, Operator, OperatorContext, Record, RestoredState, SubtaskInfo,
    operator::Gathered,
};
use weir_graph::KeyGroupRange;

/// Sums the second field by the first.
#[derive(Clone)]
pub struct Sum;

impl Aggregation for Sum {
    type In = (String, u64);
    type Accumulator = (String, u64);
    type Out = (String, u64);
    const COMBINES: bool = true;

    fn first(&mut self, record: (String, u64)) -> (String, u64) {
        record
    }

    fn add(&mut self, accumulator: &mut (String, u64), record: (String, u64)) {
        accumulator.1 += record.1;
    }

    fn merge(&mut self, accumulator: &mut (String, u64), other: (String, u64)) {
        accumulator.1 += other.1;
    }

    fn result(&mut self, accumulator: &(String, u64)) -> (String, u64) {
        accumulator.clone()
    }
}

/// Subtask `subtask` of `parallelism`, in a job of tests.
pub fn info(subtask: u32, parallelism: u32) -> SubtaskInfo {
    SubtaskInfo {
        job: JobId::of_text("test"),
        job_name: "test".to_owned(),
        operator: OperatorId::of_text("operator"),
        operator_name: "operator".to_owned(),
        subtask,
        parallelism,
        max_parallelism: 128,
        key_groups: KeyGroupRange::of_subtask(128, parallelism, subtask),
        attempt: ExecutionAttempt(1),
        waker: Arc::new(|| ()),
    }
}

/// Hands records to an operator and returns what it emits.
pub fn run_on<I: Record, O: Record>(operator: &mut dyn Operator, records: Vec<I>) -> Vec<O> {
    let mut gathered = Gathered::default();
    let mut ctx = OperatorContext::new(&mut gathered, 0);
    operator.on_batch(0, Batch::of(records), &mut ctx).expect("the operator takes the batch");
    gathered.take_records().expect("the operator emits its output type")
}

/// Everything an operator would put into a checkpoint now.
pub fn snapshot_of(operator: &mut dyn Operator) -> RestoredState {
    let mut lists = ListState::default();
    operator.snapshot(CheckpointId(1), &mut lists).expect("a snapshot is taken");
    let mut restored = RestoredState {
        checkpoint: Some(CheckpointId(1)),
        lists: lists.entries,
        ..RestoredState::default()
    };
    operator
        .tables(&mut |name, table| {
            table.mark(KeyGroupRange { start: 0, end: 128 }, 128);
            while !table.encode_slice(10)? {}
            let groups = table.take_snapshot().into_iter().map(|(_, bytes)| bytes).collect();
            restored.tables.insert(name.to_owned(), groups);
            Ok(())
        })
        .expect("tables are encoded");
    restored
}
