//! The heap backend's snapshots: mark at the barrier, encode in slices between batches.

use crate::task_snapshot::{OperatorSnapshot, TableSnapshot, TaskSnapshot};
use weir_base::{CheckpointId, OperatorId};
use weir_dataflow::{ListState, Operator, Result};
use weir_graph::KeyGroupRange;

/// An operator of a chain with the id its state belongs to.
pub struct Stateful<'a> {
    /// Id.
    pub id: OperatorId,
    /// The operator.
    pub operator: &'a mut dyn Operator,
}

/// A snapshot of one chain that is being encoded.
pub struct HeapSnapshot {
    checkpoint: CheckpointId,
    lists: Vec<ListState>,
}

impl HeapSnapshot {
    /// Takes list state and marks every table; the operators may go on at once.
    pub fn begin<'a>(
        checkpoint: CheckpointId,
        range: KeyGroupRange,
        max_parallelism: u32,
        operators: impl Iterator<Item = Stateful<'a>>,
    ) -> Result<Self> {
        let mut lists = Vec::new();
        for stateful in operators {
            let mut list = ListState::default();
            stateful.operator.snapshot(checkpoint, &mut list)?;
            lists.push(list);
            stateful.operator.tables(&mut |_, table| {
                table.mark(range, max_parallelism);
                Ok(())
            })?;
        }
        Ok(Self { checkpoint, lists })
    }

    /// Which checkpoint it belongs to.
    pub fn checkpoint(&self) -> CheckpointId {
        self.checkpoint
    }

    /// Encodes about `entries` more entries; true when all are encoded.
    pub fn advance<'a>(
        &mut self,
        entries: usize,
        operators: impl Iterator<Item = Stateful<'a>>,
    ) -> Result<bool> {
        let mut complete = true;
        for stateful in operators {
            // One table after the other: the budget goes to the first unfinished one.
            stateful.operator.tables(&mut |_, table| {
                if complete {
                    complete = table.encode_slice(entries)?;
                }
                Ok(())
            })?;
        }
        Ok(complete)
    }

    /// Takes the complete snapshot.
    pub fn finish<'a>(self, operators: impl Iterator<Item = Stateful<'a>>) -> Result<TaskSnapshot> {
        let mut snapshot = TaskSnapshot::default();
        for (stateful, list) in operators.zip(self.lists) {
            let mut tables = Vec::new();
            stateful.operator.tables(&mut |name, table| {
                tables.push(TableSnapshot { name: name.to_owned(), groups: table.take_snapshot() });
                Ok(())
            })?;
            let lists: Vec<_> = list.entries.into_iter().collect();
            if !(tables.is_empty() && lists.is_empty()) {
                snapshot.operators.push(OperatorSnapshot { operator: stateful.id, tables, lists });
            }
        }
        Ok(snapshot)
    }

    /// Drops it; the tables forget their marks.
    pub fn abort<'a>(self, operators: impl Iterator<Item = Stateful<'a>>) -> Result<()> {
        for stateful in operators {
            stateful.operator.tables(&mut |_, table| {
                table.abort_snapshot();
                Ok(())
            })?;
        }
        Ok(())
    }
}
