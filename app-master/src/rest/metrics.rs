//! The metrics of a job: names, as Flink has them, and values. `docs/metrics.md` explains each.

use super::{backpressure, cluster::Slots};
use crate::observed::{Flow, ManagerReading, Reading, SubtaskReading, VertexReading};
use std::fmt;
use weir_protocol::job::CheckpointStatus;
use weir_protocol::job::JobStatus;

/// Watermark of a task's input.
pub(super) const WATERMARK: &str = "currentInputWatermark";

/// A value of one of the kinds that Flink's metrics have.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Value {
    Count(u64),
    Signed(i64),
    Real(f64),
    Flag(bool),
}

impl Value {
    /// As a number, for aggregates; a flag is 1 or 0.
    pub fn number(self) -> f64 {
        match self {
            Self::Count(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Real(value) => value,
            Self::Flag(value) => f64::from(u8::from(value)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(value) => value.fmt(f),
            Self::Signed(value) => value.fmt(f),
            // As Java prints it: `0.0`.
            Self::Real(value) => fmt::Debug::fmt(value, f),
            Self::Flag(value) => value.fmt(f),
        }
    }
}

/// A metric and its value.
pub(super) type Sample = (&'static str, Value);

use Value::{Count, Flag, Real, Signed};

/// Metrics of a subtask as a whole; none before its first report.
pub(super) fn of_task(vertex: &VertexReading, subtask: &SubtaskReading) -> Vec<Sample> {
    let Some(counts) = &subtask.counts else { return Vec::new() };
    let shares = counts.shares;
    let mut samples = of_flow(&vertex.flow(subtask)).to_vec();
    samples.extend([
        ("numBytesIn", Count(counts.bytes_in)),
        ("numBytesInPerSecond", Real(counts.bytes_in_per_s)),
        ("numBytesOut", Count(counts.bytes_out)),
        ("numBytesOutPerSecond", Real(counts.bytes_out_per_s)),
        ("busyTimeMsPerSecond", Real(shares.busy_ms)),
        ("backPressuredTimeMsPerSecond", Real(shares.backpressured_ms)),
        ("idleTimeMsPerSecond", Real(shares.idle_ms)),
        ("accumulateBusyTimeMs", Count(counts.busy_ms)),
        ("accumulateBackPressuredTimeMs", Count(counts.backpressured_ms)),
        ("accumulateIdleTimeMs", Count(counts.idle_ms)),
        ("isBackPressured", Flag(backpressure::ratio(subtask) > 0.1)),
        (WATERMARK, Signed(watermark(subtask))),
    ]);
    samples
}

/// Metrics of each operator of a subtask, by the name of the operator.
pub(super) fn of_operators<'a>(
    vertex: &'a VertexReading,
    subtask: &'a SubtaskReading,
) -> impl Iterator<Item = (&'a str, Vec<Sample>)> {
    let flows = subtask.counts.iter().flat_map(|counts| &counts.operators);
    vertex.operators.iter().zip(flows).map(|(name, flow)| (name.as_str(), of_flow(flow).to_vec()))
}

fn of_flow(flow: &Flow) -> [Sample; 4] {
    [
        ("numRecordsIn", Count(flow.records_in)),
        ("numRecordsInPerSecond", Real(flow.records_in_per_s)),
        ("numRecordsOut", Count(flow.records_out)),
        ("numRecordsOutPerSecond", Real(flow.records_out_per_s)),
    ]
}

/// The watermark of a subtask's input; the smallest number there is before the first.
pub(super) fn watermark(subtask: &SubtaskReading) -> i64 {
    let counts = subtask.counts.as_ref();
    counts.and_then(|counts| counts.watermark).unwrap_or(i64::MIN)
}

/// A name as part of the name of a metric.
pub(super) fn part(name: &str) -> String {
    name.replace([' ', ',', '.', ':'], "_")
}

pub(super) fn of_job(reading: &Reading) -> Vec<Sample> {
    let counts = reading.checkpoints.counts;
    let completed = reading
        .checkpoints
        .history
        .iter()
        .find(|record| record.status == CheckpointStatus::Completed);
    let of_last = |value: Option<u64>| Signed(value.map_or(-1, |value| value as i64));
    let duration_ms = completed.and_then(|last| last.duration_ms);
    let size_bytes = completed.map(|last| last.size_bytes);
    let completed_ms = completed.map(|last| last.triggered_wall_ms + duration_ms.unwrap_or(0));
    let last_id = reading.checkpoints.last_completed.map(|id| id.0);
    let mut samples = vec![
        ("numRestarts", Count(u64::from(reading.restarts))),
        ("fullRestarts", Count(u64::from(reading.restarts))),
        ("uptime", Count(time_in(reading, &[JobStatus::Running]))),
        ("downtime", Count(downtime_ms(reading))),
        ("totalNumberOfCheckpoints", Count(counts.total)),
        ("numberOfInProgressCheckpoints", Count(counts.in_progress)),
        ("numberOfCompletedCheckpoints", Count(counts.completed)),
        ("numberOfFailedCheckpoints", Count(counts.failed)),
        ("lastCheckpointDuration", of_last(duration_ms)),
        ("lastCheckpointSize", of_last(size_bytes)),
        ("lastCheckpointFullSize", of_last(size_bytes)),
        ("lastCompletedCheckpointId", of_last(last_id)),
        ("lastCheckpointCompletedTimestamp", of_last(completed_ms)),
    ];
    samples.extend(STATE_TIMES.iter().flat_map(|(time, flag, state)| {
        let is_in = u64::from(reading.state == *state);
        [(*time, Count(time_in(reading, &[*state]))), (*flag, Count(is_in))]
    }));
    samples
}

/// Time in a state, and whether the job is in it.
const STATE_TIMES: &[(&str, &str, JobStatus)] = &[
    ("initializingTime", "initializingState", JobStatus::Initializing),
    ("createdTime", "createdState", JobStatus::Created),
    ("runningTime", "runningState", JobStatus::Running),
    ("restartingTime", "restartingState", JobStatus::Restarting),
    ("cancellingTime", "cancellingState", JobStatus::Cancelling),
    ("failingTime", "failingState", JobStatus::Failing),
];

/// How long the job has been in one of these states, 0 if it is in another.
fn time_in(reading: &Reading, states: &[JobStatus]) -> u64 {
    let present = reading.state_times.iter().rfind(|(state, _)| *state == reading.state);
    let entered_ms = present.filter(|(state, _)| states.contains(state));
    entered_ms.map_or(0, |(_, entered_ms)| reading.now_ms.saturating_sub(*entered_ms))
}

/// How long a job that ran before has not run, 0 if it runs or has ended.
fn downtime_ms(reading: &Reading) -> u64 {
    let is_down = !reading.state.is_terminal() && reading.state != JobStatus::Running;
    let entered = |wanted| {
        let times = reading.state_times.iter();
        times.rev().find(|(state, _)| *state == wanted).map(|(_, entered_ms)| *entered_ms)
    };
    match (is_down, entered(JobStatus::Running)) {
        (true, Some(ran_ms)) => {
            let failed_ms = entered(JobStatus::Restarting).or(entered(JobStatus::Failing));
            reading.now_ms.saturating_sub(failed_ms.unwrap_or(ran_ms))
        }
        _ => 0,
    }
}

/// Metrics of the app master.
pub(super) fn of_job_manager(reading: &Reading) -> Vec<Sample> {
    let slots = Slots::of(reading);
    vec![
        ("numRunningJobs", Count(u64::from(!reading.state.is_terminal()))),
        ("taskSlotsTotal", Count(slots.total)),
        ("taskSlotsAvailable", Count(slots.free)),
        ("numRegisteredTaskManagers", Count(slots.managers)),
        ("Status.JVM.Memory.Heap.Used", Count(reading.own_bytes)),
    ]
}

pub(super) fn of_task_manager(manager: &ManagerReading) -> Vec<Sample> {
    let hosts_bytes = manager.hosts.iter().map(|host| host.memory_bytes).sum();
    let limit_bytes = manager.info.memory_mib << 20;
    vec![
        ("Status.JVM.Memory.Heap.Used", Count(manager.used_bytes())),
        ("Status.JVM.Memory.Heap.Committed", Count(manager.used_bytes())),
        ("Status.JVM.Memory.Heap.Max", Count(limit_bytes)),
        ("Status.Weir.TaskManager.Memory.Used", Count(manager.own_bytes)),
        ("Status.Weir.TaskHosts.Memory.Used", Count(hosts_bytes)),
        ("Status.Weir.TaskHosts.Count", Count(manager.hosts.len() as u64)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    fn find(samples: &[Sample], name: &str) -> String {
        let sample = samples.iter().find(|(found, _)| *found == name);
        sample.map_or_else(|| panic!("no {name}"), |(_, value)| value.to_string())
    }

    #[test]
    fn a_task_has_flinks_metrics() {
        let reading = fixture::reading();
        let vertex = &reading.vertices[0];
        let samples = of_task(vertex, &vertex.subtasks[0]);
        for (name, expected) in [
            ("numRecordsIn", "100"),
            ("numRecordsOut", "1000"),
            ("numRecordsOutPerSecond", "100.0"),
            ("backPressuredTimeMsPerSecond", "200.0"),
            ("isBackPressured", "true"),
            ("currentInputWatermark", "-9223372036854775808"),
        ] {
            assert_eq!(find(&samples, name), expected, "{name}");
        }
    }

    #[test]
    fn times_of_a_job_count_while_it_is_in_the_state() {
        let mut reading = fixture::reading();
        assert_eq!(find(&of_job(&reading), "uptime"), "8500");
        assert_eq!(find(&of_job(&reading), "downtime"), "0");
        assert_eq!(find(&of_job(&reading), "lastCheckpointSize"), "300");
        reading.state = JobStatus::Restarting;
        reading.state_times.push((JobStatus::Restarting, 9_000));
        let samples = of_job(&reading);
        for (name, expected) in [
            ("uptime", "0"),
            ("downtime", "1000"),
            ("restartingTime", "1000"),
            ("runningState", "0"),
        ] {
            assert_eq!(find(&samples, name), expected, "{name}");
        }
    }
}
