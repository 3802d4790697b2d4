//! How the job ended, and how it stands: `/jobs/:id/execution-result` and `/jobs/:id/progress`. Both
//! can be waited for.

use super::{
    Paths, backpressure, exceptions,
    extract::{Answer, JobOfPath, MAX_WAIT_MS},
    times::millis,
};
use crate::observed::{Flow, Reading, VertexReading};
use actix_web::web::Query;
use serde::Deserialize;
use std::time::Duration;
use weir_protocol::{
    job::JobStatus,
    progress::{BackpressureLevel, OperatorProgress},
    rest::flink::result::{
        ApplicationStatus, ExecutionResult, JobExecutionResult, JobProgress, OperatorTotals,
        QueueStatus, QueueStatusId, WeirResult,
    },
};

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/jobs/{jobid}/execution-result", execution_result);
    paths.get("/jobs/{jobid}/progress", progress);
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Waiting {
    /// The longest wait, in milliseconds.
    #[serde(default)]
    wait_ms: u64,
    /// The version that the caller has.
    since: Option<u64>,
}

impl Waiting {
    fn longest(&self) -> Duration {
        Duration::from_millis(self.wait_ms.min(MAX_WAIT_MS))
    }
}

/// With `wait-ms` it answers when the job has ended, or that time is over.
async fn execution_result(job: JobOfPath, waiting: Query<Waiting>) -> Answer<ExecutionResult> {
    job.0.wait_for_end(waiting.longest()).await;
    Answer(execution_result_of(&job.0.read()))
}

/// With `wait-ms` and `since` it answers when the state is another than that of the version `since`,
/// or that time is over.
async fn progress(job: JobOfPath, waiting: Query<Waiting>) -> Answer<JobProgress> {
    if let Some(since) = waiting.since {
        job.0.wait_for_change(since, waiting.longest()).await;
    }
    Answer(progress_of(&job.0.read()))
}

pub(super) fn execution_result_of(reading: &Reading) -> ExecutionResult {
    if !reading.state.is_terminal() {
        return ExecutionResult {
            status: QueueStatus { id: QueueStatusId::InProgress },
            job_execution_result: None,
            weir_result: None,
        };
    }
    let failure = reading.end_failure.as_ref().or(reading.failures.first());
    ExecutionResult {
        status: QueueStatus { id: QueueStatusId::Completed },
        job_execution_result: Some(JobExecutionResult {
            id: reading.facts.submission.job,
            name: reading.facts.graph.name.clone(),
            application_status: application_status(reading.state),
            accumulator_results: Default::default(),
            net_runtime: millis(reading.duration_ms()),
        }),
        weir_result: Some(WeirResult {
            status: reading.state,
            failure: failure.filter(|_| has_failed(reading.state)).map(exceptions::report),
            restarts: reading.restarts,
            completed_checkpoints: reading.checkpoints.counts.completed,
            operators: operators(reading).map(|operator| operator.totals()).collect(),
            runtime_ms: reading.duration_ms(),
        }),
    }
}

fn has_failed(state: JobStatus) -> bool {
    matches!(state, JobStatus::Failed | JobStatus::Suspended)
}

fn application_status(state: JobStatus) -> ApplicationStatus {
    match state {
        JobStatus::Finished => ApplicationStatus::Succeeded,
        JobStatus::Failed => ApplicationStatus::Failed,
        JobStatus::Canceled => ApplicationStatus::Canceled,
        _ => ApplicationStatus::Unknown,
    }
}

pub(super) fn progress_of(reading: &Reading) -> JobProgress {
    let failure = reading.end_failure.as_ref().or(reading.failures.first());
    JobProgress {
        version: reading.version,
        state: reading.state,
        app_master_attempt: reading.facts.own.attempt.number,
        restarts: reading.restarts,
        restart_delay_ms: reading.restart_delay_ms,
        failure: failure.map(exceptions::report),
        waiting: reading.waits_for.clone(),
        operators: operators(reading).map(|operator| operator.row()).collect(),
    }
}

/// An operator, summed over its subtasks.
struct Operator<'a> {
    name: &'a str,
    vertex: &'a VertexReading,
    flow: Flow,
}

impl Operator<'_> {
    fn totals(&self) -> OperatorTotals {
        OperatorTotals {
            name: self.name.to_owned(),
            parallelism: self.vertex.parallelism,
            records_in: self.flow.records_in,
            records_out: self.flow.records_out,
        }
    }

    fn row(&self) -> OperatorProgress {
        let ratio = backpressure::worst_ratio(self.vertex);
        let flow = &self.flow;
        OperatorProgress {
            name: self.name.to_owned(),
            parallelism: self.vertex.parallelism,
            records_in: flow.records_in,
            records_out: flow.records_out,
            rate_per_s: flow.records_in_per_s,
            backpressure_ratio: ratio,
            backpressure_level: BackpressureLevel::of_ratio(ratio),
        }
    }
}

/// Every operator that users are shown, in graph order.
fn operators(reading: &Reading) -> impl Iterator<Item = Operator<'_>> {
    reading.vertices.iter().flat_map(|vertex| {
        vertex.operators.iter().enumerate().map(move |(place, name)| Operator {
            name,
            vertex,
            flow: summed(vertex, place),
        })
    })
}

fn summed(vertex: &VertexReading, place: usize) -> Flow {
    let mut sum = Flow::default();
    for counts in vertex.subtasks.iter().filter_map(|subtask| subtask.counts.as_ref()) {
        if let Some(flow) = counts.operators.get(place) {
            sum.records_in += flow.records_in;
            sum.records_out += flow.records_out;
            sum.records_in_per_s += flow.records_in_per_s;
            sum.records_out_per_s += flow.records_out_per_s;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn a_result_is_there_when_the_job_has_ended() {
        let mut reading = fixture::reading();
        let running = execution_result_of(&reading);
        assert_eq!(running.status.id, QueueStatusId::InProgress);
        assert!(running.job_execution_result.is_none() && running.weir_result.is_none());
        for (state, application, has_failure) in [
            (JobStatus::Finished, ApplicationStatus::Succeeded, false),
            (JobStatus::Failed, ApplicationStatus::Failed, true),
            (JobStatus::Canceled, ApplicationStatus::Canceled, false),
            (JobStatus::Suspended, ApplicationStatus::Unknown, true),
        ] {
            reading.state = state;
            reading.failures = vec![fixture::episode("it broke", 7)];
            let ended = execution_result_of(&reading);
            assert_eq!(ended.status.id, QueueStatusId::Completed);
            let result = ended.job_execution_result.expect("it has ended");
            assert_eq!(result.application_status, application);
            let failure = ended.weir_result.expect("it has ended").failure;
            assert_eq!(failure.is_some(), has_failure, "{state}");
        }
    }

    #[test]
    fn progress_says_what_a_job_waits_for() {
        let mut reading = fixture::reading();
        assert_eq!(progress_of(&reading).waiting, None);
        let waiting = Some("for 2 of 3 containers: no node has 2 GiB free".to_owned());
        reading.waits_for.clone_from(&waiting);
        assert_eq!(progress_of(&reading).waiting, waiting);
    }

    /// Restarts are counted by each app master, so a reader needs to know which one counts.
    #[test]
    fn progress_names_the_attempt_that_counts_restarts() {
        let mut reading = fixture::reading();
        reading.restarts = 3;
        let progress = progress_of(&reading);
        assert_eq!((progress.restarts, progress.app_master_attempt), (3, 1));
    }

    #[test]
    fn operators_are_summed_over_subtasks() {
        let progress = progress_of(&fixture::reading());
        let rows: Vec<_> = progress
            .operators
            .iter()
            .map(|row| (&*row.name, row.parallelism, row.records_in, row.records_out))
            .collect();
        assert_eq!(
            rows,
            [
                ("read <lines>", 2, 200, 200),
                ("split", 2, 200, 2000),
                ("count", 2, 2000, 1800),
                ("print", 2, 1800, 0),
            ]
        );
        let rates: Vec<_> = progress.operators.iter().map(|row| row.rate_per_s).collect();
        assert_eq!(rates, [20.0, 20.0, 200.0, 180.0]);
        assert_eq!(progress.operators[0].backpressure_level, BackpressureLevel::Low);
        assert_eq!(progress.operators[3].backpressure_level, BackpressureLevel::Ok);
    }
}
