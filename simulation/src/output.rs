//! Where sinks commit to: what readers of the job's output see.
//!
//! A transaction is committed once, however often it is asked for. Readers see the records of
//! each split in the order of commits, and expect each exactly once, in order.

use crate::job::SPLITS;
use std::collections::BTreeSet;
use weir_base::{CheckpointId, ExecutionAttempt};
use weir_graph::TaskId;

/// Records that a sink has written and not committed yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Transaction {
    /// The writer.
    pub(crate) task: TaskId,
    pub(crate) attempt: ExecutionAttempt,
    /// The checkpoint it is part of.
    pub(crate) checkpoint: CheckpointId,
    /// Split and number of each record.
    pub(crate) records: Vec<(u32, u64)>,
}

/// The committed output.
#[derive(Debug)]
pub(crate) struct Output {
    /// Records of each split that readers see.
    visible: Vec<u64>,
    committed: BTreeSet<(TaskId, ExecutionAttempt, CheckpointId)>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { visible: vec![0; SPLITS as usize], committed: BTreeSet::new() }
    }

    /// Commits a transaction, unless it is committed already; the error says what a reader sees.
    pub(crate) fn commit(&mut self, transaction: &Transaction) -> Result<(), String> {
        let Transaction { task, attempt, checkpoint, records } = transaction;
        if !self.committed.insert((*task, *attempt, *checkpoint)) {
            return Ok(());
        }
        for (split, number) in records {
            let expected = &mut self.visible[*split as usize];
            if *number != *expected {
                return Err(format!(
                    "readers of split {split} see record {number} where {expected} follows \
                     (committed by task {task} of attempt {attempt} with checkpoint {checkpoint})"
                ));
            }
            *expected += 1;
        }
        Ok(())
    }

    /// The first split that does not have all its records, with how many it has.
    pub(crate) fn incomplete(&self, records: u64) -> Option<(usize, u64)> {
        self.visible.iter().copied().enumerate().find(|(_, visible)| *visible != records)
    }
}
