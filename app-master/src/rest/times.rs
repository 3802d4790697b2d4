//! Start, end and duration of subtasks and of what is made of them.

use crate::observed::SubtaskReading;
use weir_protocol::{job::ExecutionState, rest::flink::UNKNOWN_MS};

/// From when to when something ran; -1 for what is not known or has not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Times {
    pub start_ms: i64,
    pub end_ms: i64,
    pub duration_ms: i64,
}

impl Times {
    fn new(start_ms: Option<u64>, end_ms: Option<u64>, now_ms: u64) -> Self {
        let duration = start_ms.map(|start| end_ms.unwrap_or(now_ms).saturating_sub(start));
        Self {
            start_ms: start_ms.map_or(UNKNOWN_MS, millis),
            end_ms: end_ms.map_or(UNKNOWN_MS, millis),
            duration_ms: duration.map_or(UNKNOWN_MS, millis),
        }
    }

    /// Time of a subtask: from its deployment to its end.
    pub fn of_subtask(subtask: &SubtaskReading, now_ms: u64) -> Self {
        Self::new(start_of(subtask), end_of(subtask), now_ms)
    }

    /// Time of several subtasks: from the first deployment to the last end.
    pub fn of_subtasks<'a>(
        subtasks: impl Iterator<Item = &'a SubtaskReading> + Clone,
        now_ms: u64,
    ) -> Self {
        let start_ms = subtasks.clone().filter_map(start_of).min();
        let ends: Option<Vec<u64>> = subtasks.map(end_of).collect();
        Self::new(start_ms, ends.and_then(|ends| ends.into_iter().max()), now_ms)
    }
}

/// Milliseconds as JSON has them.
pub(super) fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn start_of(subtask: &SubtaskReading) -> Option<u64> {
    subtask.times.get(&ExecutionState::Deploying).copied()
}

fn end_of(subtask: &SubtaskReading) -> Option<u64> {
    let entered = subtask.times.get(&subtask.state).copied();
    entered.filter(|_| subtask.state.is_terminal())
}

/// How long a subtask was in a state: until it left it, or until now; `None` if it never was.
pub(super) fn time_in(subtask: &SubtaskReading, state: ExecutionState, now_ms: u64) -> Option<u64> {
    let entered_ms = *subtask.times.get(&state)?;
    if state == subtask.state {
        let until_ms = if state.is_terminal() { entered_ms } else { now_ms };
        return Some(until_ms.saturating_sub(entered_ms));
    }
    let rank = |state: ExecutionState| order(state);
    let later = subtask.times.iter().filter(|(next, _)| rank(**next) > rank(state));
    let left_ms = later.map(|(_, left_ms)| *left_ms).min().unwrap_or(now_ms);
    Some(left_ms.saturating_sub(entered_ms))
}

/// States in the order in which they are entered.
fn order(state: ExecutionState) -> u8 {
    use ExecutionState::{
        Canceled, Canceling, Created, Deploying, Failed, Finished, Initializing, Reconciling,
        Running, Scheduled,
    };
    match state {
        Created => 0,
        Scheduled => 1,
        Deploying => 2,
        Initializing | Reconciling => 3,
        Running => 4,
        Canceling => 5,
        Finished | Canceled | Failed => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};
    use ExecutionState::{Canceled, Created, Deploying, Finished, Running};

    #[test]
    fn times_of_a_subtask_follow_its_states() {
        for (times, start_ms, end_ms, duration_ms) in [
            (&[(Created, 100)][..], -1, -1, -1),
            (&[(Created, 100), (Deploying, 110)], 110, -1, 890),
            (&[(Created, 100), (Deploying, 110), (Running, 150)], 110, -1, 890),
            (&[(Created, 100), (Deploying, 110), (Running, 150), (Finished, 400)], 110, 400, 290),
            (&[(Created, 100), (Canceled, 120)], -1, 120, -1),
        ] {
            let subtask = fixture::subtask(0, times);
            let expected = Times { start_ms, end_ms, duration_ms };
            assert_eq!(Times::of_subtask(&subtask, 1000), expected, "{times:?}");
        }
    }

    #[test]
    fn several_run_from_the_first_start_to_the_last_end() {
        let ended = fixture::subtask(0, &[(Deploying, 110), (Finished, 400)]);
        let later = fixture::subtask(1, &[(Deploying, 120), (Finished, 700)]);
        let running = fixture::subtask(2, &[(Deploying, 90), (Running, 150)]);
        let of = |subtasks: &[&SubtaskReading]| {
            let times = Times::of_subtasks(subtasks.iter().copied(), 1000);
            (times.start_ms, times.end_ms, times.duration_ms)
        };
        assert_eq!(of(&[&ended, &later]), (110, 700, 590));
        assert_eq!(of(&[&ended, &running]), (90, -1, 910));
        assert_eq!(of(&[]), (-1, -1, -1));
    }

    #[test]
    fn a_state_lasts_until_the_next() {
        let times = [(Created, 100), (Deploying, 110), (Running, 150), (Finished, 400)];
        let subtask = fixture::subtask(0, &times);
        for (state, expected) in
            [(Created, Some(10)), (Deploying, Some(40)), (Running, Some(250)), (Canceled, None)]
        {
            assert_eq!(time_in(&subtask, state, 1000), expected, "{state:?}");
        }
        assert_eq!(time_in(&subtask, Finished, 1000), Some(0));
        let running = fixture::subtask(0, &times[..3]);
        assert_eq!(time_in(&running, Running, 1000), Some(850));
    }
}
