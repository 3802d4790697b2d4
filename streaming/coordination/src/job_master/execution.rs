//! The state of each subtask: one table of legal edges, and the reports.
//!
//! ```text
//!  CREATED ─▶ DEPLOYING ─▶ RUNNING ─▶ FINISHED
//!     │           │           │
//!     │           ├───────────┴─▶ FAILED ◀──┐
//!     │           └───────────┴─▶ CANCELING ┴─▶ CANCELED
//!     └─▶ CANCELED
//! ```
//!
//! A task that was abandoned because it did not stop in time counts as `CANCELED`: its attempt is
//! fenced, and its reports are ignored.

use std::collections::BTreeMap;
use weir_base::{CheckpointId, ExecutionAttempt, WallTime, invariant};
use weir_graph::{JobGraph, TaskId};
use weir_protocol::job::{ExecutionState, JobStatus};

use ExecutionState::{Canceled, Canceling, Created, Deploying, Failed, Finished, Running};

/// Every legal change of state.
const EDGES: &[(ExecutionState, ExecutionState)] = &[
    (Created, Deploying),
    (Created, Canceled),
    (Deploying, Running),
    (Deploying, Canceling),
    (Deploying, Failed),
    (Running, Finished),
    (Running, Canceling),
    (Running, Failed),
    (Canceling, Canceled),
    (Canceling, Finished),
    (Canceling, Failed),
];

fn may_become(state: ExecutionState, next: ExecutionState) -> bool {
    EDGES.contains(&(state, next))
}

/// One deployment of one subtask.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) attempt: ExecutionAttempt,
    pub(super) state: ExecutionState,
    /// When the state was entered, for display.
    pub(super) since: WallTime,
    /// All its input has ended; barriers may still follow.
    pub(super) end_of_data: bool,
    /// The newest checkpoint it has committed.
    pub(super) committed: Option<CheckpointId>,
    /// It did not stop in time and was abandoned.
    pub(super) abandoned: bool,
    /// Its vertex reads no other: barriers and the end are injected here.
    pub(super) is_root: bool,
    /// It hosts an operator that commits output.
    pub(super) commits: bool,
}

/// All subtasks of the current deployment.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<TaskId, Task>,
    /// The checkpoint they restore. What it covers is committed by a task before that runs.
    restored: Option<CheckpointId>,
}

impl Tasks {
    /// The tasks of a graph, planned under a new attempt.
    pub(super) fn planned(
        graph: &JobGraph,
        attempt: ExecutionAttempt,
        restored: Option<CheckpointId>,
        now: WallTime,
    ) -> Self {
        let mut tasks = BTreeMap::new();
        for (index, vertex) in (0u32..).zip(&graph.vertices) {
            let task = Task {
                attempt,
                state: Created,
                since: now,
                end_of_data: false,
                committed: None,
                abandoned: false,
                is_root: graph.inputs_of(index).next().is_none(),
                commits: vertex.operators.iter().any(|operator| operator.node.commits),
            };
            for subtask in 0..vertex.parallelism {
                tasks.insert(TaskId { vertex: index, subtask }, task.clone());
            }
        }
        Self { tasks, restored }
    }

    /// The tasks of a job that ended under an earlier master, as far as that tells how each did.
    pub(super) fn ended(
        graph: &JobGraph,
        attempt: ExecutionAttempt,
        status: JobStatus,
        now: WallTime,
    ) -> Self {
        let has_finished = status == JobStatus::Finished;
        let mut tasks = Self::planned(graph, attempt, None, now);
        for task in tasks.tasks.values_mut() {
            task.state = if has_finished { Finished } else { Canceled };
            task.end_of_data = has_finished;
        }
        tasks
    }

    /// Whether nothing was deployed yet.
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// All tasks in the order of their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.tasks.iter().map(|(id, task)| (*id, task))
    }

    /// Tasks that have not stopped.
    pub(super) fn live(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.iter().filter(|(_, task)| !task.state.is_terminal())
    }

    /// Tasks without inputs that have not stopped.
    pub(super) fn live_roots(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.live().filter(|(_, task)| task.is_root)
    }

    /// The task with this attempt, unless it has stopped or the attempt is not the current one.
    pub(super) fn current(&mut self, id: TaskId, attempt: ExecutionAttempt) -> Option<&mut Task> {
        self.tasks.get_mut(&id).filter(|task| task.attempt == attempt && !task.state.is_terminal())
    }

    /// Whether this attempt of a task is the current one and has not stopped.
    pub(super) fn is_live(&self, id: TaskId, attempt: ExecutionAttempt) -> bool {
        self.get(id).is_some_and(|task| task.attempt == attempt && !task.state.is_terminal())
    }

    /// A task of the current deployment.
    pub(super) fn get(&self, id: TaskId) -> Option<&Task> {
        self.tasks.get(&id)
    }

    /// Changes the state of one task.
    pub(super) fn set(&mut self, id: TaskId, state: ExecutionState, now: WallTime) {
        if let Some(task) = self.tasks.get_mut(&id) {
            invariant!(
                may_become(task.state, state),
                "task {id} cannot go from {:?} to {state:?}",
                task.state
            );
            task.state = state;
            task.since = now;
            if state == Running {
                task.committed = task.committed.max(self.restored);
            }
        }
    }

    /// Leaves a task behind that did not stop.
    pub(super) fn abandon(&mut self, id: TaskId, now: WallTime) {
        self.set(id, Canceled, now);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.abandoned = true;
        }
    }

    /// Whether every task runs, or has run and finished.
    pub(super) fn all_run(&self) -> bool {
        self.tasks.values().all(|task| matches!(task.state, Running | Finished))
    }

    /// Whether every task has ended by itself.
    pub(super) fn all_finished(&self) -> bool {
        self.tasks.values().all(|task| task.state == Finished)
    }

    /// Whether no task is left that could still do something.
    pub(super) fn all_stopped(&self) -> bool {
        self.tasks.values().all(|task| task.state.is_terminal())
    }

    /// Whether no record is on its way anywhere.
    pub(super) fn all_ended(&self) -> bool {
        self.tasks.values().all(|task| task.end_of_data)
    }

    /// Whether every committing task has committed this checkpoint.
    pub(super) fn all_committed(&self, checkpoint: CheckpointId) -> bool {
        self.committing().all(|task| task.committed >= Some(checkpoint))
    }

    /// Whether every committing task has committed this checkpoint, or runs and can.
    pub(super) fn can_commit(&self, checkpoint: CheckpointId) -> bool {
        let can = |task: &Task| task.committed >= Some(checkpoint) || task.state == Running;
        self.committing().all(can)
    }

    fn committing(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().filter(|task| task.commits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_states_are_final() {
        for (from, to) in EDGES {
            assert!(!from.is_terminal(), "{from:?} to {to:?}");
        }
    }

    #[test]
    fn every_state_but_the_first_can_be_reached() {
        for state in [Deploying, Running, Finished, Canceling, Canceled, Failed] {
            assert!(EDGES.iter().any(|(_, to)| *to == state), "{state:?}");
        }
    }
}
