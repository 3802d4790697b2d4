//! The job: `/jobs`, `/jobs/overview`, `/jobs/:id` with `/status`, `/config` and `/accumulators`, and
//! its cancellation.

use super::{
    JobControl, Paths, cluster,
    extract::{Answer, BAD_PARAMETER, Job, JobOfPath, Now},
    not_found, plan,
    times::{Times, millis},
    vertices,
};
use crate::observed::{Reading, VertexReading};
use actix_web::{
    HttpRequest, HttpResponse,
    http::StatusCode,
    web::{self, Data, Query},
};
use serde::Deserialize;
use std::collections::BTreeMap;
use weir_coordination::RestartStrategy;
use weir_graph::RuntimeMode;
use weir_protocol::{
    job::JobStatus,
    rest::flink::{
        Empty, UNKNOWN_MS,
        job::{
            ExecutionConfig, JobAccumulators, JobConfig, JobDetails, JobIdAndStatus, JobIds,
            JobStatusAnswer, JobSummary, JobsOverview, VertexSummary,
        },
        state::{aggregate, count_states},
    },
};
use weir_service::ApiError;

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/jobs", jobs);
    paths.get("/jobs/overview", overview);
    paths.get("/jobs/{jobid}/status", status);
    paths.get("/jobs/{jobid}/config", config);
    paths.get("/jobs/{jobid}/accumulators", accumulators);
    let job = web::resource(format!("{}/jobs/{{jobid}}", paths.prefix));
    let job = job.route(web::get().to(details)).route(web::patch().to(terminate));
    paths.config.service(job.default_service(web::to(not_found)));
}

async fn jobs(now: Now) -> Answer<JobIds> {
    Answer(jobs_of(&now.0))
}

async fn overview(now: Now) -> Answer<JobsOverview> {
    Answer(overview_of(&now.0))
}

async fn details(job: Job) -> Answer<JobDetails> {
    Answer(details_of(&job.0))
}

async fn status(job: Job) -> Answer<JobStatusAnswer> {
    Answer(status_of(&job.0))
}

async fn config(job: Job) -> Answer<JobConfig> {
    Answer(config_of(&job.0))
}

async fn accumulators(_: Job) -> Answer<JobAccumulators> {
    Answer(JobAccumulators::default())
}

#[derive(Deserialize)]
struct Termination {
    mode: Option<String>,
}

/// `PATCH /jobs/:id?mode=cancel`. It answers when the cancellation has begun, not when the job has ended.
async fn terminate(
    request: HttpRequest,
    job: JobOfPath,
    options: Query<Termination>,
    control: Data<dyn JobControl>,
) -> Result<HttpResponse, ApiError> {
    control.may_change(&request)?;
    match options.mode.as_deref() {
        None | Some("cancel") => {}
        Some("stop") => {
            let text = "The termination mode \"stop\" has been removed. For an ungraceful \
                        shutdown, please use \"cancel\" instead.";
            return Err(ApiError::new(308, "", text));
        }
        Some(other) => {
            let problem = format!("cannot resolve query parameter (mode) from value {other:?}");
            return Err(ApiError::bad_request(BAD_PARAMETER, problem));
        }
    }
    match job.0.read().state {
        // As in Flink: it is what was asked for.
        JobStatus::Canceled => {}
        state if state.is_terminal() => {
            let text = format!(
                "Job cancellation failed because the job has already reached another terminal \
                 state ({state})."
            );
            return Err(ApiError::conflict("", text));
        }
        _ => control.cancel(),
    }
    Ok(Answer(Empty {}).response(StatusCode::ACCEPTED))
}

pub(super) fn jobs_of(reading: &Reading) -> JobIds {
    let id = reading.facts.submission.job;
    JobIds { jobs: vec![JobIdAndStatus { id, status: reading.state }] }
}

pub(super) fn status_of(reading: &Reading) -> JobStatusAnswer {
    JobStatusAnswer { status: reading.state }
}

pub(super) fn overview_of(reading: &Reading) -> JobsOverview {
    let subtasks = reading.vertices.iter().flat_map(|vertex| &vertex.subtasks);
    let counts = count_states(subtasks.map(|subtask| subtask.state));
    let last_ms = reading.state_times.iter().map(|(_, entered_ms)| *entered_ms).max();
    let summary = JobSummary {
        jid: reading.facts.submission.job,
        name: reading.facts.graph.name.clone(),
        start_time: millis(reading.start_ms()),
        end_time: reading.end_ms().map_or(UNKNOWN_MS, millis),
        duration: millis(reading.duration_ms()),
        state: reading.state,
        last_modification: last_ms.map_or(UNKNOWN_MS, millis),
        tasks: (&counts).into(),
        pending_operators: 0,
        job_type: plan::job_type(reading.facts.graph.mode).to_owned(),
    };
    JobsOverview { jobs: vec![summary] }
}

pub(super) fn details_of(reading: &Reading) -> JobDetails {
    let vertices: Vec<VertexSummary> =
        reading.vertices.iter().map(|vertex| vertex_summary(reading, vertex)).collect();
    let max_parallelism = reading.vertices.iter().map(|vertex| vertex.max_parallelism).max();
    JobDetails {
        jid: reading.facts.submission.job,
        name: reading.facts.graph.name.clone(),
        is_stoppable: false,
        state: reading.state,
        job_type: plan::job_type(reading.facts.graph.mode).to_owned(),
        start_time: millis(reading.start_ms()),
        end_time: reading.end_ms().map_or(UNKNOWN_MS, millis),
        duration: millis(reading.duration_ms()),
        max_parallelism: max_parallelism.map_or(-1, i64::from),
        now: millis(reading.now_ms),
        timestamps: timestamps(reading),
        status_counts: count_states(vertices.iter().map(|vertex| vertex.status)),
        vertices,
        plan: plan::plan_of(reading),
        stream_graph: plan::stream_graph_of(reading),
        pending_operators: 0,
    }
}

/// When each state was last entered; 0 for never.
fn timestamps(reading: &Reading) -> BTreeMap<JobStatus, i64> {
    let mut timestamps: BTreeMap<_, _> = JobStatus::ALL.iter().map(|state| (*state, 0)).collect();
    for (state, entered_ms) in &reading.state_times {
        timestamps.insert(*state, millis(*entered_ms));
    }
    timestamps
}

fn vertex_summary(reading: &Reading, vertex: &VertexReading) -> VertexSummary {
    let tasks = count_states(vertex.subtasks.iter().map(|subtask| subtask.state));
    let times = Times::of_subtasks(vertex.subtasks.iter(), reading.now_ms);
    VertexSummary {
        id: vertex.id,
        slot_sharing_group_id: reading.facts.submission.job,
        name: vertex.name.clone(),
        max_parallelism: vertex.max_parallelism,
        parallelism: vertex.parallelism,
        status: aggregate(&tasks),
        start_time: times.start_ms,
        end_time: times.end_ms,
        duration: times.duration_ms,
        tasks,
        metrics: vertices::io_metrics(vertex, vertex.subtasks.iter()),
    }
}

pub(super) fn config_of(reading: &Reading) -> JobConfig {
    let (facts, submission) = (&reading.facts, &reading.facts.submission);
    let mode = match facts.graph.mode {
        RuntimeMode::Batch => "BATCH",
        RuntimeMode::Streaming | RuntimeMode::Automatic => "PIPELINED",
    };
    JobConfig {
        jid: submission.job,
        name: facts.graph.name.clone(),
        execution_config: ExecutionConfig {
            execution_mode: mode.to_owned(),
            restart_strategy: shown_strategy(&weir_job_master::restart_strategy(&facts.config)),
            job_parallelism: submission.stream_graph.default_parallelism.max(1),
            object_reuse_mode: true,
            user_config: facts
                .config
                .entries()
                .map(|(key, value)| (key.to_owned(), cluster::shown(key, value)))
                .collect(),
        },
        configuration: cluster::configuration_of(reading),
    }
}

/// Flink's number for no limit.
const UNLIMITED_ATTEMPTS: u32 = i32::MAX as u32;

/// In Flink's words.
fn shown_strategy(strategy: &RestartStrategy) -> String {
    match strategy {
        RestartStrategy::None => "Restart deactivated.".to_owned(),
        RestartStrategy::FixedDelay { attempts, delay } => {
            let delay_ms = delay.as_millis();
            format!("Restart with fixed delay ({delay_ms} ms). #{attempts} restart attempts.")
        }
        RestartStrategy::FailureRate { max_failures, interval, delay } => format!(
            "Failure rate restart with maximum of {max_failures} failures within interval {} ms and \
             fixed delay {} ms.",
            interval.as_millis(),
            delay.as_millis()
        ),
        RestartStrategy::ExponentialDelay(delay) => format!(
            "Restart with exponential delay: starting at {} ms, increasing by {} up to {} ms; the \
             delay resets after {} ms, with jitter {}. {}",
            delay.initial_backoff.as_millis(),
            delay.backoff_multiplier,
            delay.max_backoff.as_millis(),
            delay.reset_backoff_threshold.as_millis(),
            delay.jitter_factor,
            match delay.attempts_before_reset {
                UNLIMITED_ATTEMPTS => "Any number of restart attempts.".to_owned(),
                attempts => format!("#{attempts} restart attempts before a reset."),
            }
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};
    use std::time::Duration;
    use weir_coordination::ExponentialDelay;
    use weir_protocol::job::ExecutionState;

    #[test]
    fn hidden_tasks_are_not_counted() {
        let reading = fixture::reading();
        let [job] = overview_of(&reading).jobs.try_into().expect("one job");
        let shown: u32 = reading.vertices.iter().map(|vertex| vertex.parallelism).sum();
        assert_eq!(job.tasks.total, u64::from(shown));
        assert_eq!((job.tasks.running, job.tasks.created), (4, 0));
        assert!(reading.facts.graph.task_count() > shown as usize);
        let details = details_of(&reading);
        assert_eq!(details.vertices.len(), 2);
        assert_eq!(details.status_counts[&ExecutionState::Running], 2);
    }

    #[test]
    fn times_of_a_job_are_known_or_minus_one() {
        let mut reading = fixture::reading();
        let running = details_of(&reading);
        assert_eq!((running.start_time, running.end_time, running.duration), (400, -1, 9_600));
        assert_eq!(running.timestamps.len(), 11);
        assert_eq!(running.timestamps[&JobStatus::Initializing], 1_000, "in this app master");
        assert_eq!(running.timestamps[&JobStatus::Running], 1_500);
        assert_eq!(running.timestamps[&JobStatus::Failed], 0);
        reading.state = JobStatus::Finished;
        reading.state_times.push((JobStatus::Finished, 8_000));
        let ended = details_of(&reading);
        assert_eq!((ended.end_time, ended.duration), (8_000, 7_600));
        assert_eq!(overview_of(&reading).jobs[0].last_modification, 8_000);
    }

    #[test]
    fn restart_strategies_are_described_as_in_flink() {
        let delay = Duration::from_secs(1);
        for (strategy, expected) in [
            (RestartStrategy::None, "Restart deactivated."),
            (
                RestartStrategy::FixedDelay { attempts: 3, delay },
                "Restart with fixed delay (1000 ms). #3 restart attempts.",
            ),
            (
                RestartStrategy::FailureRate { max_failures: 2, interval: 60 * delay, delay },
                "Failure rate restart with maximum of 2 failures within interval 60000 ms and fixed \
                 delay 1000 ms.",
            ),
            (
                RestartStrategy::ExponentialDelay(ExponentialDelay::default()),
                "Restart with exponential delay: starting at 1000 ms, increasing by 1.5 up to 60000 \
                 ms; the delay resets after 3600000 ms, with jitter 0.1. Any number of restart \
                 attempts.",
            ),
            (
                RestartStrategy::ExponentialDelay(ExponentialDelay {
                    attempts_before_reset: 4,
                    ..ExponentialDelay::default()
                }),
                "Restart with exponential delay: starting at 1000 ms, increasing by 1.5 up to 60000 \
                 ms; the delay resets after 3600000 ms, with jitter 0.1. #4 restart attempts before a \
                 reset.",
            ),
        ] {
            assert_eq!(shown_strategy(&strategy), expected);
        }
    }
}
