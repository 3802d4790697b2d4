//! Restoring: from snapshot files to what each operator of one subtask is opened with.
//!
//! Keyed state follows its key groups. List state stays where it was while the parallelism is
//! the same, and is dealt out in turn when it has changed.

use crate::task_snapshot::{OperatorSnapshot, TaskSnapshot};
use std::collections::BTreeMap;
use weir_base::OperatorId;
use weir_checkpoint_storage::CheckpointStorage;
use weir_dataflow::{Error, Result, operator::RestoredState};
use weir_graph::{SnapshotHandle, TaskDeployment};

/// The state of each operator of a deployed subtask, ready to be opened with. Operators without
/// state in the checkpoint get an empty, but restored, state.
///
/// # Errors
/// A snapshot file that is missing, damaged, or of another format.
pub fn restored_states(
    deployment: &TaskDeployment,
    storage: &CheckpointStorage,
) -> Result<BTreeMap<OperatorId, RestoredState>> {
    let Some(restore) = &deployment.restore else { return Ok(BTreeMap::new()) };
    let mut states: BTreeMap<OperatorId, RestoredState> = deployment
        .operators
        .iter()
        .map(|operator| {
            let state =
                RestoredState { checkpoint: Some(restore.checkpoint), ..RestoredState::default() };
            (operator.node.operator_id, state)
        })
        .collect();
    let mut handles: Vec<&SnapshotHandle> = restore.snapshots.iter().collect();
    handles.sort_by_key(|handle| handle.task);
    let mut deal = Deal { deployment, dealt: BTreeMap::new() };
    for handle in handles.iter().filter(|handle| !handle.path.is_empty()) {
        let bytes = storage.read(&handle.path).map_err(|error| {
            Error::permanent(
                error.code(),
                format!("checkpoint {} cannot be restored: {error}", restore.checkpoint),
            )
        })?;
        let old_parallelism = handles.iter().filter(|h| h.vertex == handle.vertex).count() as u32;
        for snapshot in TaskSnapshot::decode(&bytes, &handle.path)?.operators {
            if let Some(state) = states.get_mut(&snapshot.operator) {
                deal.add(handle, old_parallelism, snapshot, state);
            }
        }
    }
    Ok(states)
}

/// Decides what of old snapshots belongs to the new subtask.
struct Deal<'a> {
    deployment: &'a TaskDeployment,
    /// Entries of each list seen so far, to deal them in turn.
    dealt: BTreeMap<(OperatorId, String), u32>,
}

impl Deal<'_> {
    fn add(
        &mut self,
        handle: &SnapshotHandle,
        old_parallelism: u32,
        snapshot: OperatorSnapshot,
        state: &mut RestoredState,
    ) {
        let own_groups = self.deployment.key_groups();
        for table in snapshot.tables {
            let own = table.groups.into_iter().filter(|(group, _)| own_groups.contains(*group));
            state.tables.entry(table.name).or_default().extend(own.map(|(_, bytes)| bytes));
        }
        let same_parallelism = old_parallelism == self.deployment.parallelism;
        for (name, entries) in snapshot.lists {
            let next = self.dealt.entry((snapshot.operator, name.clone())).or_default();
            let own = entries.into_iter().filter(|_| {
                let turn = *next % self.deployment.parallelism;
                *next += 1;
                let owner = if same_parallelism { handle.task.subtask } else { turn };
                owner == self.deployment.task.subtask
            });
            state.lists.entry(name).or_default().extend(own);
        }
    }
}
