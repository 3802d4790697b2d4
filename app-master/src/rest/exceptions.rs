//! `/jobs/:id/exceptions`: the latest failures, each with the end of its container's log and with the
//! failures that followed from it.

use super::{
    Paths,
    extract::{Answer, Job},
    times::millis,
};
use crate::observed::{EpisodeReading, FailureReading, Reading};
use actix_web::web::Query;
use serde::Deserialize;
use weir_protocol::rest::flink::{
    exceptions::{ExceptionEntry, ExceptionHistory, JobExceptions, LegacyException},
    result::FailureReport,
};

/// As in Flink.
pub(super) const DEFAULT_MAX: usize = 20;

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/jobs/{jobid}/exceptions", exceptions);
}

#[derive(Deserialize)]
struct Options {
    #[serde(rename = "maxExceptions")]
    max: Option<usize>,
}

async fn exceptions(job: Job, options: Query<Options>) -> Answer<JobExceptions> {
    Answer(exceptions_of(&job.0, options.max.unwrap_or(DEFAULT_MAX)))
}

pub(super) fn exceptions_of(reading: &Reading, max: usize) -> JobExceptions {
    let truncated = reading.failures.len() > max;
    let entries: Vec<_> = reading.failures.iter().take(max).map(entry).collect();
    let latest = reading.failures.first().map(|episode| &episode.root);
    let with_consequences = |entry: &ExceptionEntry| {
        [entry.clone()].into_iter().chain(entry.concurrent_exceptions.clone())
    };
    JobExceptions {
        root_exception: latest.map(stack_trace),
        timestamp: latest.map(|failure| millis(failure.wall_ms)),
        all_exceptions: entries.iter().flat_map(with_consequences).map(legacy).collect(),
        truncated,
        exception_history: ExceptionHistory { entries, truncated },
    }
}

fn entry(episode: &EpisodeReading) -> ExceptionEntry {
    ExceptionEntry {
        concurrent_exceptions: episode.consequences.iter().map(single).collect(),
        concurrent_exception_count: episode.consequence_count,
        ..single(&episode.root)
    }
}

fn single(reading: &FailureReading) -> ExceptionEntry {
    ExceptionEntry {
        exception_name: reading.failure.code.clone(),
        stacktrace: stack_trace(reading),
        timestamp: millis(reading.wall_ms),
        failure_labels: Default::default(),
        task_name: reading.failure.task.clone(),
        endpoint: reading.endpoint.clone(),
        location: reading.endpoint.clone(),
        task_manager_id: reading.container.map(|container| container.to_string()),
        concurrent_exceptions: Vec::new(),
        concurrent_exception_count: 0,
    }
}

fn legacy(entry: ExceptionEntry) -> LegacyException {
    LegacyException {
        exception: entry.stacktrace,
        task: entry.task_name,
        location: entry.location,
        endpoint: entry.endpoint,
        timestamp: entry.timestamp,
        task_manager_id: entry.task_manager_id,
    }
}

/// There are no stack traces: what is known instead, the most important first.
fn stack_trace(reading: &FailureReading) -> String {
    let failure = &reading.failure;
    let mut text = format!("{}: {}", failure.code, failure.message);
    if let Some(operator) = &failure.operator {
        text.push_str(&format!("\n  in operator {operator}"));
    }
    if let Some(peer) = &reading.lost_peer {
        text.push_str(&format!("\n  lost the connection to {peer}"));
    }
    if let (Some(container), Some(excerpt)) = (reading.container, &reading.excerpt) {
        text.push_str(&format!(
            "\n\nend of the log of container {container}, read after the failure:\n{excerpt}"
        ));
    }
    text
}

/// A failure as our own answers have it.
pub(super) fn report(episode: &EpisodeReading) -> FailureReport {
    let reading = &episode.root;
    FailureReport {
        consequence_count: episode.consequence_count,
        code: reading.failure.code.clone(),
        message: reading.failure.message.clone(),
        operator: reading.failure.operator.clone(),
        task: reading.failure.task.clone(),
        host: reading.endpoint.clone(),
        container: reading.container.map(|container| container.to_string()),
        log_excerpt: reading.excerpt.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn failures_are_listed_newest_first_and_cut() {
        let mut reading = fixture::reading();
        assert_eq!(exceptions_of(&reading, 5).root_exception, None);
        reading.failures = vec![fixture::episode("second", 2), fixture::episode("first", 1)];
        let all = exceptions_of(&reading, 20);
        assert!(!all.truncated && !all.exception_history.truncated);
        assert_eq!(all.exception_history.entries.len(), 2);
        assert_eq!(all.timestamp, Some(2));
        let cut = exceptions_of(&reading, 1);
        assert!(cut.truncated && cut.exception_history.truncated);
        let [entry] = cut.exception_history.entries.as_slice() else { panic!("one") };
        assert_eq!(entry.exception_name, "WEIR-TASK-0001");
        assert_eq!(entry.task_name.as_deref(), Some("count -> print (1/2)"));
        assert_eq!(entry.endpoint.as_deref(), Some("node:4000"));
        assert_eq!(
            entry.stacktrace,
            "WEIR-TASK-0001: second\n  in operator count\n\nend of the log of container \
             container_1_0001_01_000002, read after the failure:\nthread panicked"
        );
    }

    #[test]
    fn root_exception_is_the_cause_and_its_consequences_are_listed_below_it() {
        let mut reading = fixture::reading();
        let lost = FailureReading {
            lost_peer: Some("count -> print (2/2)".to_owned()),
            ..fixture::failure("connection lost", 1)
        };
        reading.failures = vec![EpisodeReading {
            root: fixture::failure("ended by SIGKILL", 3),
            consequences: vec![lost],
            consequence_count: 20,
        }];
        let told = exceptions_of(&reading, 20);
        let root = told.root_exception.expect("a failure");
        assert!(root.starts_with("WEIR-TASK-0001: ended by SIGKILL"), "{root}");
        let [entry] = told.exception_history.entries.as_slice() else { panic!("one") };
        assert_eq!(entry.concurrent_exception_count, 20);
        let [consequence] = entry.concurrent_exceptions.as_slice() else { panic!("one") };
        assert!(consequence.stacktrace.contains("lost the connection to count -> print (2/2)"));
        assert_eq!(told.all_exceptions.len(), 2);
        assert!(told.all_exceptions[0].exception.contains("SIGKILL"));
    }
}
