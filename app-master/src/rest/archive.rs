//! The answers of the interface after the end of the job, so that its pages stay readable when
//! the app master has ended.
//!
//! Every path of the job is there, bare, with the queries that our own page and Flink's use. The
//! resource manager answers a query that is not kept with what is kept for its path; so the metrics of
//! a path are kept with all their values, where the app master would give their names. Of very large
//! jobs the last is left out first: subtasks, then metrics.

use super::{
    backpressure, checkpoints, cluster, exceptions, jobs,
    metrics_queries::{self as queries, Ask},
    plan, result, task_managers, vertices,
};
use crate::observed::{Observed, Reading, VertexReading};
use serde::Serialize;
use weir_protocol::{
    cluster::ArchivedAnswer,
    rest::flink::{job::JobAccumulators, metrics::PAGE_SUBTASK_METRICS},
};

/// Nothing is kept beyond this, in bytes.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// Metrics of the subtasks of a vertex that the pages of Flink and of Weir ask for.
const SUBTASK_QUERIES: &[&str] = &[
    "backPressuredTimeMsPerSecond,busyTimeMsPerSecond,numRecordsInPerSecond",
    PAGE_SUBTASK_METRICS,
    "numRecordsIn",
];

/// Every answer about the job, as it is now.
pub fn archive(observed: &Observed) -> Vec<ArchivedAnswer> {
    archive_of(&observed.read())
}

#[derive(Default)]
struct ArchiveBuilder {
    answers: Vec<ArchivedAnswer>,
    size_bytes: usize,
}

impl ArchiveBuilder {
    fn put<T: Serialize>(&mut self, path: impl Into<String>, answer: &T) {
        if self.size_bytes > MAX_BYTES {
            return;
        }
        match serde_json::to_string(answer) {
            Ok(json) => {
                let path = path.into();
                self.size_bytes += path.len() + json.len();
                self.answers.push(ArchivedAnswer { path, json });
            }
            Err(error) => tracing::warn!("an answer is not archived, it has no JSON: {error}"),
        }
    }
}

fn archive_of(reading: &Reading) -> Vec<ArchivedAnswer> {
    let mut builder = ArchiveBuilder::default();
    put_cluster(&mut builder, reading);
    put_job(&mut builder, reading);
    put_checkpoints(&mut builder, reading);
    for vertex in &reading.vertices {
        put_vertex(&mut builder, reading, vertex);
    }
    for vertex in &reading.vertices {
        let path = format!("{}/metrics", path_of(reading, vertex));
        builder.put(path, &queries::vertex_metrics(vertex, &Ask::Everything));
    }
    for vertex in &reading.vertices {
        put_subtasks(&mut builder, reading, vertex);
    }
    builder.answers
}

fn put_cluster(builder: &mut ArchiveBuilder, reading: &Reading) {
    builder.put("/overview", &cluster::overview_of(reading));
    builder.put("/config", &cluster::config_of(reading));
    builder.put("/jobs", &jobs::jobs_of(reading));
    builder.put("/jobs/overview", &jobs::overview_of(reading));
    builder.put("/jobmanager/config", &cluster::configuration_of(reading));
    builder.put("/jobmanager/environment", &cluster::environment_of());
    builder.put("/jobmanager/metrics", &queries::job_manager_metrics(reading, &Ask::Everything));
    builder.put("/taskmanagers", &task_managers::list_of(reading));
    for manager in &reading.managers {
        let path = format!("/taskmanagers/{}", manager.info.container);
        builder.put(path.as_str(), &task_managers::details_of(reading, manager));
        let metrics = queries::task_manager_metrics(manager, &Ask::Everything);
        builder.put(format!("{path}/metrics"), &metrics);
    }
}

fn put_job(builder: &mut ArchiveBuilder, reading: &Reading) {
    let job = format!("/jobs/{}", reading.facts.submission.job);
    builder.put(job.as_str(), &jobs::details_of(reading));
    builder.put(format!("{job}/status"), &jobs::status_of(reading));
    builder.put(format!("{job}/execution-result"), &result::execution_result_of(reading));
    builder.put(format!("{job}/progress"), &result::progress_of(reading));
    builder.put(format!("{job}/plan"), &plan::plan_answer_of(reading));
    builder.put(format!("{job}/config"), &jobs::config_of(reading));
    builder.put(format!("{job}/accumulators"), &JobAccumulators::default());
    let failures = exceptions::exceptions_of(reading, exceptions::DEFAULT_MAX);
    builder.put(format!("{job}/exceptions"), &failures);
    builder.put(format!("{job}/metrics"), &queries::job_metrics(reading, &Ask::Everything));
}

fn put_checkpoints(builder: &mut ArchiveBuilder, reading: &Reading) {
    if !checkpoints::is_enabled(reading) {
        return;
    }
    let path = format!("/jobs/{}/checkpoints", reading.facts.submission.job);
    builder.put(path.as_str(), &checkpoints::checkpoints_of(reading));
    if let Some(config) = checkpoints::config_of(reading) {
        builder.put(format!("{path}/config"), &config);
    }
    for record in &reading.checkpoints.history {
        let details = checkpoints::checkpoint_of(reading, record);
        builder.put(format!("{path}/details/{}", record.id), &details);
    }
}

fn put_vertex(builder: &mut ArchiveBuilder, reading: &Reading, vertex: &VertexReading) {
    let path = path_of(reading, vertex);
    builder.put(path.as_str(), &vertices::details_of(reading, vertex));
    builder.put(format!("{path}/subtasktimes"), &vertices::subtask_times_of(reading, vertex));
    builder.put(format!("{path}/taskmanagers"), &vertices::task_managers_of(reading, vertex));
    builder.put(format!("{path}/backpressure"), &backpressure::backpressure_of(reading, vertex));
    builder.put(format!("{path}/watermarks"), &vertices::watermarks_of(vertex));
    builder.put(format!("{path}/accumulators"), &vertices::accumulators_of(vertex));
    let accumulators = vertices::subtasks_accumulators_of(vertex);
    builder.put(format!("{path}/subtasks/accumulators"), &accumulators);
    let aggregates = format!("{path}/subtasks/metrics");
    builder.put(aggregates.as_str(), &queries::subtasks_metrics(vertex, &Ask::Everything));
    for names in SUBTASK_QUERIES {
        let metrics = queries::subtasks_metrics(vertex, &Ask::These(names));
        builder.put(format!("{aggregates}?get={names}"), &metrics);
    }
}

fn put_subtasks(builder: &mut ArchiveBuilder, reading: &Reading, vertex: &VertexReading) {
    let path = path_of(reading, vertex);
    for subtask in &vertex.subtasks {
        let answer = vertices::subtask_of(vertex, subtask, reading.now_ms);
        builder.put(format!("{path}/subtasks/{}", subtask.subtask), &answer);
    }
}

fn path_of(reading: &Reading, vertex: &VertexReading) -> String {
    format!("/jobs/{}/vertices/{}", reading.facts.submission.job, vertex.id)
}
