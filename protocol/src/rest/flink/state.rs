//! The states of jobs and of their subtasks, by Flink's names.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A job's state; note the two L of `CANCELLING`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum JobState {
    /// Its master is starting.
    #[default]
    Initializing,
    /// Its tasks are being deployed.
    Created,
    /// Its tasks run.
    Running,
    /// A failure is being cleaned up; it will fail.
    Failing,
    /// Ended by a failure.
    Failed,
    /// Being cancelled.
    Cancelling,
    /// Ended by request.
    Canceled,
    /// Ended by itself.
    Finished,
    /// A failure is being cleaned up or waited out; it will start again.
    Restarting,
    /// Left by this master to another.
    Suspended,
    /// Never seen here; known so that what Flink answers can be read.
    Reconciling,
}

impl JobState {
    /// Every state, in Flink's order.
    pub const ALL: [Self; 11] = [
        Self::Initializing,
        Self::Created,
        Self::Running,
        Self::Failing,
        Self::Failed,
        Self::Cancelling,
        Self::Canceled,
        Self::Finished,
        Self::Restarting,
        Self::Suspended,
        Self::Reconciling,
    ];

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Finished | Self::Suspended)
    }

    /// As it is spelled in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Initializing => "INITIALIZING",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Failing => "FAILING",
            Self::Failed => "FAILED",
            Self::Cancelling => "CANCELLING",
            Self::Canceled => "CANCELED",
            Self::Finished => "FINISHED",
            Self::Restarting => "RESTARTING",
            Self::Suspended => "SUSPENDED",
            Self::Reconciling => "RECONCILING",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The state of a subtask or vertex; note the one L of `CANCELING`.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum ExecutionState {
    /// Planned.
    #[default]
    Created,
    /// Waits for a slot; never seen here.
    Scheduled,
    /// Sent to a task host, or waiting for one.
    Deploying,
    /// Processing records.
    Running,
    /// Ended by itself.
    Finished,
    /// Told to stop.
    Canceling,
    /// Stopped because it was told to.
    Canceled,
    /// Ended by a failure, or lost.
    Failed,
    /// Never seen here.
    Reconciling,
    /// Restores its state; never seen here, it is part of `DEPLOYING`.
    Initializing,
}

impl ExecutionState {
    /// Every state, in Flink's order.
    pub const ALL: [Self; 10] = [
        Self::Created,
        Self::Scheduled,
        Self::Deploying,
        Self::Running,
        Self::Finished,
        Self::Canceling,
        Self::Canceled,
        Self::Failed,
        Self::Reconciling,
        Self::Initializing,
    ];

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Canceled | Self::Failed)
    }
}

/// How many are in each state; all ten keys are there.
pub type StateCounts = BTreeMap<ExecutionState, u64>;

/// Counts states.
pub fn count_states(states: impl IntoIterator<Item = ExecutionState>) -> StateCounts {
    let mut counts: StateCounts = ExecutionState::ALL.iter().map(|state| (*state, 0)).collect();
    for state in states {
        *counts.entry(state).or_default() += 1;
    }
    counts
}

/// The state of a whole from those of its parts, by Flink's rule: a failure shows first, then a
/// cancellation, then whatever still runs or comes; finished only if all are.
pub fn aggregate(counts: &StateCounts) -> ExecutionState {
    use ExecutionState::{
        Canceled, Canceling, Created, Deploying, Failed, Finished, Initializing, Reconciling,
        Running, Scheduled,
    };
    let count = |state| counts.get(&state).copied().unwrap_or(0);
    let total: u64 = counts.values().sum();
    if total == 0 {
        return Created;
    }
    if count(Finished) == total {
        return Finished;
    }
    let first = [Failed, Canceling, Canceled, Running, Initializing]
        .into_iter()
        .find(|state| count(*state) > 0);
    match first {
        Some(state) => state,
        // Some have ended and the others are yet to run.
        None if count(Finished) > 0 => Running,
        None => [Deploying, Scheduled, Reconciling]
            .into_iter()
            .find(|state| count(*state) > 0)
            .unwrap_or(Created),
    }
}

#[cfg(test)]
mod tests {
    use super::{ExecutionState::*, *};

    #[test]
    fn a_vertex_shows_the_state_that_matters_most() {
        for (states, whole) in [
            (&[][..], Created),
            (&[Created, Created], Created),
            (&[Created, Deploying], Deploying),
            (&[Deploying, Running], Running),
            (&[Running, Finished], Running),
            (&[Deploying, Finished], Running),
            (&[Finished, Finished], Finished),
            (&[Finished, Canceled], Canceled),
            (&[Canceling, Canceled, Running], Canceling),
            (&[Running, Failed, Canceling], Failed),
        ] {
            assert_eq!(aggregate(&count_states(states.iter().copied())), whole, "{states:?}");
        }
    }

    #[test]
    fn all_ten_states_are_counted() {
        let counts = count_states([Running, Running, Failed]);
        assert_eq!(counts.len(), 10);
        assert_eq!(counts[&Running], 2);
        assert_eq!(counts[&Created], 0);
    }
}
