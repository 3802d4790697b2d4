//! `/metrics`: everything at once in Prometheus' text, named as by Flink's reporter.
//!
//! As there, every sample is a gauge, and characters that Prometheus does not allow in names become
//! `_`, in values of labels too.

use super::{
    Paths,
    extract::Now,
    metrics::{self, Sample},
    task_managers,
};
use crate::observed::{Reading, SubtaskReading, VertexReading};
use actix_web::{HttpResponse, http::header::CONTENT_TYPE};
use std::collections::BTreeMap;
use weir_service::{PrometheusText, metrics::PROMETHEUS_MEDIA_TYPE};

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/metrics", prometheus);
}

async fn prometheus(now: Now) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, PROMETHEUS_MEDIA_TYPE))
        .body(prometheus_of(&now.0))
}

type Labels = Vec<(&'static str, String)>;

/// Samples by scope and name: those of one name have to stand together.
#[derive(Default)]
struct Samples(BTreeMap<(&'static str, &'static str), Vec<(Labels, f64)>>);

impl Samples {
    fn add(&mut self, scope: &'static str, labels: &Labels, samples: Vec<Sample>) {
        for (name, value) in samples {
            let values = self.0.entry((scope, name)).or_default();
            values.push((labels.clone(), value.number()));
        }
    }

    fn text(&self) -> String {
        let mut text = PrometheusText::default();
        for ((scope, name), values) in &self.0 {
            let full = format!("flink_{scope}_{}", allowed(name));
            let help = format!("{name} (scope: {scope})");
            for (labels, value) in values {
                let labels: Vec<_> = labels.iter().map(|(name, text)| (*name, &**text)).collect();
                text.gauge(&full, &help, &labels, *value);
            }
        }
        text.finish()
    }
}

pub(super) fn prometheus_of(reading: &Reading) -> String {
    let mut samples = Samples::default();
    let host = label("host", &reading.facts.own.host);
    let job = [
        label("job_id", &reading.facts.submission.job.to_string()),
        label("job_name", &reading.facts.graph.name),
    ];
    samples.add("jobmanager", &vec![host.clone()], metrics::of_job_manager(reading));
    let of_job: Labels = std::iter::once(host).chain(job.clone()).collect();
    samples.add("jobmanager_job", &of_job, metrics::of_job(reading));
    for manager in task_managers::shown(reading) {
        let labels = vec![
            label("host", &manager.info.host),
            label("tm_id", &manager.info.container.to_string()),
        ];
        samples.add("taskmanager", &labels, metrics::of_task_manager(manager));
    }
    for vertex in &reading.vertices {
        for subtask in &vertex.subtasks {
            let labels = task_labels(vertex, subtask, &job);
            samples.add("taskmanager_job_task", &labels, metrics::of_task(vertex, subtask));
            add_operators(&mut samples, &labels, reading, (vertex, subtask));
        }
    }
    samples.text()
}

fn task_labels(
    vertex: &VertexReading,
    subtask: &SubtaskReading,
    job: &[(&'static str, String)],
) -> Labels {
    let attempt = subtask.attempt_number;
    let mut labels = vec![label("host", &subtask.host()), label("tm_id", &subtask.container())];
    labels.extend_from_slice(job);
    labels.extend([
        label("task_id", &vertex.id.to_string()),
        label("task_name", &vertex.name),
        label("task_attempt_id", &format!("{}_{}_{attempt}", vertex.id, subtask.subtask)),
        label("task_attempt_num", &attempt.to_string()),
        label("subtask_index", &subtask.subtask.to_string()),
    ]);
    labels
}

fn add_operators(
    samples: &mut Samples,
    labels: &Labels,
    reading: &Reading,
    (vertex, subtask): (&VertexReading, &SubtaskReading),
) {
    let described = &reading.facts.graph.vertices[vertex.index as usize].operators;
    for ((name, flow), operator) in metrics::of_operators(vertex, subtask).zip(described) {
        let mut labels = labels.clone();
        labels.push(label("operator_id", &operator.node.operator_id.to_string()));
        labels.push(label("operator_name", name));
        samples.add("taskmanager_job_task_operator", &labels, flow);
    }
}

fn label(name: &'static str, text: &str) -> (&'static str, String) {
    (name, allowed(text))
}

fn allowed(text: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_';
    text.chars().map(|c| if is_allowed(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn names_and_labels_are_those_of_flinks_reporter() {
        let text = prometheus_of(&fixture::reading());
        let has = |start: &str, end: &str| {
            let found = text.lines().any(|line| line.starts_with(start) && line.ends_with(end));
            assert!(found, "no line {start} ... {end} in\n{text}");
        };
        has("# TYPE flink_taskmanager_job_task_numRecordsIn gauge", "");
        has("# HELP flink_taskmanager_job_task_numRecordsIn", "(scope: taskmanager_job_task)");
        has("flink_taskmanager_job_task_numRecordsIn{host=\"node\",tm_id=\"container_1_", "} 100");
        has(
            "flink_taskmanager_job_task_operator_numRecordsOut{",
            "operator_name=\"read__lines_\"} 100",
        );
        has("flink_jobmanager_job_numRestarts{", "} 1");
        has("flink_jobmanager_taskSlotsTotal{host=\"master\"} 2", "");
        has("flink_taskmanager_Status_JVM_Memory_Heap_Used{", "} 5000");
    }

    #[test]
    fn samples_of_one_name_are_adjacent() {
        let text = prometheus_of(&fixture::reading());
        let mut names: Vec<&str> = Vec::new();
        for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
            names.push(line);
        }
        let announced = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), announced);
    }
}
