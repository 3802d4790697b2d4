//! One task: a chain of operators that counts records, as a plain state machine.
//!
//! Every operator remembers the next number of each split; an operator that receives another number has
//! been restored wrongly, or sees records twice. A sink collects records, turns them into a
//! transaction at each barrier, and commits what a completed checkpoint covers.

use crate::{job::SPLITS, output::Transaction};
use std::collections::{BTreeMap, VecDeque};
use weir_base::{CheckpointId, ExecutionAttempt, OperatorId};
use weir_graph::{SnapshotHandle, TaskDeployment, TaskId};
use weir_protocol::task::ReportKind;

/// An element that flows between tasks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Element {
    Record { split: u32, number: u64 },
    Barrier(CheckpointId),
    EndOfData,
    EndOfInput,
}

/// State of one operator, also in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct OperatorState {
    id: OperatorId,
    is_sink: bool,
    /// The next number of each split.
    next: BTreeMap<u32, u64>,
    /// Written since the last barrier.
    open: Vec<(u32, u64)>,
    /// Waiting for their checkpoint to complete, oldest first.
    staged: Vec<Transaction>,
}

/// A snapshot of a task.
pub(crate) type Snapshot = Vec<OperatorState>;

/// Result of a step of a task.
#[derive(Debug)]
pub(crate) enum Action {
    /// Sends to the next task.
    Emit(Element),
    /// Tells the master.
    Report(ReportKind),
    /// Makes a snapshot durable.
    Write(CheckpointId, Snapshot),
    Commit(Vec<Transaction>),
    /// Has found that a rule is broken.
    Broken(String),
}

/// A running task.
#[derive(Debug)]
pub(crate) struct SimTask {
    pub(crate) id: TaskId,
    pub(crate) attempt: ExecutionAttempt,
    /// The master that deployed it.
    pub(crate) owner: usize,
    pub(crate) deployment: TaskDeployment,
    pub(crate) alive: bool,
    /// Ignores that it is cancelled.
    pub(crate) deaf: bool,
    /// Its next step is planned.
    pub(crate) is_scheduled: bool,
    operators: Vec<OperatorState>,
    records: u64,
    triggers: VecDeque<CheckpointId>,
    data_ended: bool,
    may_finish: bool,
}

impl SimTask {
    /// A fresh task, with the state of the snapshots it restores. What they hold staged is
    /// committed, for their checkpoint is complete.
    pub(crate) fn new(
        deployment: TaskDeployment,
        owner: usize,
        records: u64,
        snapshots: &[(SnapshotHandle, Snapshot)],
    ) -> (Self, Vec<Transaction>) {
        let mut operators: Vec<OperatorState> = deployment
            .operators
            .iter()
            .map(|operator| OperatorState {
                id: operator.node.operator_id,
                is_sink: operator.node.commits,
                next: owned_splits(&deployment).map(|split| (split, 0)).collect(),
                open: Vec::new(),
                staged: Vec::new(),
            })
            .collect();
        let mut restored = Vec::new();
        for operator in &mut operators {
            let id = operator.id;
            for (handle, snapshot) in snapshots {
                for state in snapshot.iter().filter(|state| state.id == id) {
                    operator.take_over(state);
                    let mine = handle.task.subtask % deployment.parallelism;
                    if mine == deployment.task.subtask {
                        restored.extend(state.staged.iter().cloned());
                    }
                }
            }
        }
        let task = Self {
            id: deployment.task,
            attempt: deployment.attempt,
            owner,
            deployment,
            alive: true,
            deaf: false,
            is_scheduled: false,
            operators,
            records,
            triggers: VecDeque::new(),
            data_ended: false,
            may_finish: false,
        };
        (task, restored)
    }

    /// A barrier is to be sent.
    pub(crate) fn trigger(&mut self, checkpoint: CheckpointId) {
        self.triggers.push_back(checkpoint);
    }

    /// Nothing follows.
    pub(crate) fn finish(&mut self) {
        self.may_finish = true;
    }

    /// Output that a completed checkpoint covers.
    pub(crate) fn take_committable(&mut self, checkpoint: CheckpointId) -> Vec<Transaction> {
        let covered = |transaction: &Transaction| transaction.checkpoint <= checkpoint;
        self.operators
            .iter_mut()
            .flat_map(|operator| {
                let (due, later) = operator.staged.drain(..).partition(covered);
                operator.staged = later;
                Vec::from_iter::<Vec<Transaction>>(due)
            })
            .collect()
    }

    /// The task behind this one.
    pub(crate) fn consumer(&self) -> Option<TaskId> {
        let consumers = self.deployment.outputs.first().map(|output| &output.consumers)?;
        consumers.first().map(|(task, _)| *task)
    }

    /// Does a little: up to `budget` records or elements. Nothing left to do gives nothing.
    pub(crate) fn step(&mut self, budget: u64, input: &mut VecDeque<Element>) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.deployment.inputs.is_empty() {
            self.produce(budget, &mut actions);
        } else {
            for _ in 0..budget {
                let Some(element) = input.pop_front() else { break };
                self.consume(element, &mut actions);
            }
        }
        actions
    }

    fn produce(&mut self, budget: u64, actions: &mut Vec<Action>) {
        if let Some(checkpoint) = self.triggers.pop_front() {
            return self.consume(Element::Barrier(checkpoint), actions);
        }
        let records = self.records;
        let mut emitted = 0;
        while emitted < budget {
            // The split that is least far, so that all of them move on.
            let next = &self.operators[0].next;
            let least = next.iter().min_by_key(|(_, number)| **number);
            let Some((split, number)) = least.map(|(s, n)| (*s, *n)).filter(|(_, n)| *n < records)
            else {
                break;
            };
            self.consume(Element::Record { split, number }, actions);
            emitted += 1;
        }
        if emitted == 0 && !self.data_ended {
            self.consume(Element::EndOfData, actions);
        } else if emitted == 0 && self.may_finish {
            self.consume(Element::EndOfInput, actions);
        }
    }

    fn consume(&mut self, element: Element, actions: &mut Vec<Action>) {
        match element {
            Element::Record { split, number } => {
                for operator in &mut self.operators {
                    if let Err(broken) = operator.receive(split, number) {
                        actions.push(Action::Broken(format!("task {}: {broken}", self.id)));
                    }
                }
            }
            Element::Barrier(checkpoint) => {
                for operator in &mut self.operators {
                    operator.stage(self.id, self.attempt, checkpoint);
                }
                actions.push(Action::Write(checkpoint, self.operators.clone()));
            }
            Element::EndOfData => {
                self.data_ended = true;
                actions.push(Action::Report(ReportKind::EndOfData));
            }
            Element::EndOfInput => {
                self.alive = false;
                actions.push(Action::Report(ReportKind::Finished));
            }
        }
        actions.push(Action::Emit(element));
    }
}

impl OperatorState {
    /// Takes over the splits it owns.
    fn take_over(&mut self, state: &Self) {
        for (split, number) in &mut self.next {
            if let Some(restored) = state.next.get(split) {
                *number = *restored;
            }
        }
    }

    fn receive(&mut self, split: u32, number: u64) -> Result<(), String> {
        let expected = self.next.get_mut(&split).ok_or(format!("split {split} is not its own"))?;
        if *expected != number {
            return Err(format!("record {number} of split {split} arrives, {expected} follows"));
        }
        *expected += 1;
        if self.is_sink {
            self.open.push((split, number));
        }
        Ok(())
    }

    fn stage(&mut self, task: TaskId, attempt: ExecutionAttempt, checkpoint: CheckpointId) {
        if self.is_sink {
            let records = std::mem::take(&mut self.open);
            self.staged.push(Transaction { task, attempt, checkpoint, records });
        }
    }
}

fn owned_splits(deployment: &TaskDeployment) -> impl Iterator<Item = u32> + use<> {
    let (subtask, parallelism) = (deployment.task.subtask, deployment.parallelism);
    (0..SPLITS).filter(move |split| split % parallelism == subtask)
}
