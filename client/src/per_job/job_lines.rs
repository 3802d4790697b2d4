//! Lines that `weir` prints about a job on a cluster: Flink's lines go to standard output, the rest to standard
//! error.

use super::submit::Submitted;
use super::worker::Lines;
use crate::output;
use crate::problem::Problem;
use crate::remote::Remote;
use weir_base::JobId;
use weir_protocol::rest::flink::result::{FailureReport, WeirResult};

/// The page of a job.
pub fn web_address(remote_address: &str, submitted: Submitted) -> String {
    format!("http://{remote_address}/proxy/{}/", submitted.application)
}

/// The job is on the cluster.
pub fn submitted(remote: &Remote, submitted: Submitted, lines: Lines) -> Result<(), Problem> {
    if lines == Lines::LeftOut {
        return Ok(());
    }
    output::print(&format!("Job has been submitted with JobID {}\n", submitted.job))?;
    let page = web_address(remote.address(), submitted);
    output::note(&format!("Submitted application {}, page {page}", submitted.application));
    Ok(())
}

/// It has finished.
pub fn finished(job: JobId, result: &WeirResult, lines: Lines) -> Result<(), Problem> {
    if lines == Lines::LeftOut {
        return Ok(());
    }
    weir_terminal::above(|| {
        output::print(&format!(
            "Program execution finished\nJob with JobID {job} has finished.\nJob Runtime: {} ms\n",
            result.runtime_ms
        ))
    })
}

/// It was cancelled.
pub fn cancelled(job: JobId) {
    weir_terminal::note(&format!("Job with JobID {job} was cancelled."));
}

/// It has failed.
pub fn failed(submitted: Submitted, failure: &FailureReport) {
    weir_terminal::note(&failure_text(submitted, failure));
}

fn failure_text(submitted: Submitted, failure: &FailureReport) -> String {
    let FailureReport { code, message, operator, task, host, container, .. } = failure;
    let mut text = format!("error: job {} failed: {message}", submitted.job);
    for (name, value) in
        [("operator", operator), ("subtask", task), ("host", host), ("container", container)]
    {
        if let Some(value) = value {
            text.push_str(&format!("\n  {name}: {value}"));
        }
    }
    if failure.consequence_count > 0 {
        text.push_str(&format!("\n  {}", consequences(failure.consequence_count)));
    }
    if let Some(log) = failure.log_excerpt.as_deref().filter(|log| !log.trim().is_empty()) {
        text.push_str("\n  its log ends with");
        for line in log.trim_end().lines() {
            text.push_str(&format!("\n  | {line}"));
        }
    }
    text.push_str(&format!(
        "\n  help: `weir logs {}` shows all of the logs",
        submitted.application
    ));
    match code.as_str() {
        "" => text,
        code => format!("{text}\n  {code}: see docs/errors/{code}.md"),
    }
}

/// `2 other failures followed from it`
pub fn consequences(count: u32) -> String {
    match count {
        1 => "1 other failure followed from it".to_owned(),
        count => format!("{count} other failures followed from it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::ApplicationId;

    #[test]
    fn failure_names_place_and_log() {
        let submitted =
            Submitted { application: ApplicationId::default(), job: JobId::of_text("a") };
        let failure = FailureReport {
            code: "WEIR-TASK-0001".to_owned(),
            message: "boom".to_owned(),
            operator: Some("Map".to_owned()),
            task: Some("Map (1/2)".to_owned()),
            host: Some("127.0.0.1:7".to_owned()),
            container: None,
            log_excerpt: Some("one\ntwo\n".to_owned()),
            consequence_count: 2,
        };
        let text = failure_text(submitted, &failure);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], format!("error: job {} failed: boom", submitted.job));
        assert_eq!(
            lines[1..8],
            [
                "  operator: Map",
                "  subtask: Map (1/2)",
                "  host: 127.0.0.1:7",
                "  2 other failures followed from it",
                "  its log ends with",
                "  | one",
                "  | two",
            ]
        );
        assert_eq!(lines[9], "  WEIR-TASK-0001: see docs/errors/WEIR-TASK-0001.md");
        let plain = failure_text(submitted, &FailureReport::default());
        assert_eq!(plain.lines().count(), 2);
    }
}
