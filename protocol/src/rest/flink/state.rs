//! Counts of subtasks by state, and the state of a vertex.

use crate::job::ExecutionState;
use std::collections::BTreeMap;

/// How many are in each state; all ten keys are there.
pub type StateCounts = BTreeMap<ExecutionState, u64>;

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
