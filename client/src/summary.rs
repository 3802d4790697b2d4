//! The object that `weir run --output json` prints on its last line.

use crate::problem::Problem;
use serde::Serialize;
use weir_base::ApplicationId;
use weir_protocol::job_executable::JobMessage;
use weir_protocol::rest::flink::result::FailureReport;

/// The last job of a program, and why it failed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    job_id: Option<String>,
    name: Option<String>,
    /// Flink's name of the state in which the job ended; `UNKNOWN` if the program did not say,
    /// `SUBMITTED` if the command did not wait.
    status: String,
    runtime_ms: Option<u64>,
    /// Fields of a job on a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<String>,
    /// The page of a job on a cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    web_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// Why the job failed; where, only of a job on a cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Failure {
    code: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_excerpt: Option<String>,
}

impl Summary {
    /// The summary of a program's messages.
    pub fn of(messages: &[JobMessage]) -> Self {
        let unknown = || Self { status: "UNKNOWN".to_owned(), ..Self::default() };
        let mut summary = unknown();
        for message in messages {
            match message {
                JobMessage::Submitted { job, name } => {
                    summary = Self {
                        job_id: Some(job.to_string()),
                        name: Some(name.clone()),
                        ..unknown()
                    };
                }
                JobMessage::Finished { job, name, runtime_ms, status } => {
                    summary.job_id = Some(job.to_string());
                    summary.name = Some(name.clone());
                    summary.status = status.clone();
                    summary.runtime_ms = Some(*runtime_ms);
                }
                JobMessage::Failed { job, code, message, runtime_ms } => {
                    if job.map(|job| job.to_string()) != summary.job_id {
                        summary = unknown();
                        summary.job_id = job.map(|job| job.to_string());
                    }
                    summary.runtime_ms = *runtime_ms;
                    summary.fail(Some(code.clone()), message);
                }
                JobMessage::Hello { .. }
                | JobMessage::Graph { .. }
                | JobMessage::Progress { .. }
                | JobMessage::Cancel { .. } => {}
            }
        }
        summary
    }

    /// Adds where the job runs.
    pub fn of_application(&mut self, id: ApplicationId, web_address: String) {
        self.application_id = Some(id.to_string());
        self.web_address = Some(web_address);
    }

    /// This is the status of a job that was submitted and not waited for.
    pub fn is_detached(&mut self, is_detached: bool) {
        if is_detached && self.status == "UNKNOWN" {
            self.status = "SUBMITTED".to_owned();
        }
    }

    /// Adds where a job on a cluster failed, if that is the reported failure.
    pub fn failed_at(&mut self, report: &FailureReport) {
        let FailureReport { operator, task, host, container, log_excerpt, .. } = report.clone();
        if let Some(told) = self.failure.take_if(|told| told.message == report.message) {
            self.failure = Some(Failure { operator, task, host, container, log_excerpt, ..told });
        }
    }

    /// Adds what `weir` found. What the program said about a failed job stands, but a job that
    /// finished before the program failed does not make the whole a success.
    pub fn fail_with(&mut self, problem: &Problem) {
        if self.failure.is_none() {
            self.fail(problem.code.clone(), &problem.what);
        }
    }

    fn fail(&mut self, code: Option<String>, message: &str) {
        self.status = "FAILED".to_owned();
        self.failure = Some(Failure { code, message: message.to_owned(), ..Failure::default() });
    }

    /// As one line of JSON.
    pub fn to_line(&self) -> String {
        let json = serde_json::to_string(self).expect("texts and numbers are always JSON");
        format!("{json}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::JobId;

    fn summary(messages: Vec<JobMessage>) -> Summary {
        Summary::of(&messages)
    }

    fn submitted(name: &str) -> JobMessage {
        JobMessage::Submitted { job: JobId::of_text(name), name: name.to_owned() }
    }

    fn finished(name: &str) -> JobMessage {
        JobMessage::Finished {
            job: JobId::of_text(name),
            name: name.to_owned(),
            runtime_ms: 7,
            status: "FINISHED".to_owned(),
        }
    }

    fn failed(job: Option<JobId>) -> JobMessage {
        JobMessage::Failed {
            job,
            code: "WEIR-RUN-0001".into(),
            message: "boom".into(),
            runtime_ms: job.map(|_| 9),
        }
    }

    #[test]
    fn summary_is_of_the_last_job() {
        let found = summary(vec![submitted("a"), finished("a"), submitted("b"), finished("b")]);
        let id = JobId::of_text("b");
        let expect = format!(
            "{{\"job-id\":\"{id}\",\"name\":\"b\",\"status\":\"FINISHED\",\"runtime-ms\":7}}\n"
        );
        assert_eq!(found.to_line(), expect);
        let found = summary(vec![submitted("a"), finished("a"), submitted("b")]);
        assert_eq!((found.status.as_str(), found.runtime_ms), ("UNKNOWN", None));
    }

    #[test]
    fn failure_of_a_job_is_not_taken_for_that_of_another() {
        let a = JobId::of_text("a");
        let found = summary(vec![submitted("a"), failed(Some(a))]);
        assert_eq!(found.name.as_deref(), Some("a"));
        assert_eq!((found.status.as_str(), found.runtime_ms), ("FAILED", Some(9)));
        let found = summary(vec![submitted("a"), finished("a"), failed(None)]);
        assert_eq!(
            found.to_line(),
            "{\"job-id\":null,\"name\":null,\"status\":\"FAILED\",\"runtime-ms\":null,\
             \"failure\":{\"code\":\"WEIR-RUN-0001\",\"message\":\"boom\"}}\n"
        );
    }

    #[test]
    fn job_on_a_cluster_names_its_application() {
        let mut found = summary(vec![submitted("a")]);
        found.of_application(ApplicationId::default(), "http://x/".to_owned());
        found.is_detached(true);
        let id = JobId::of_text("a");
        let expect = format!(
            "{{\"job-id\":\"{id}\",\"name\":\"a\",\"status\":\"SUBMITTED\",\"runtime-ms\":null,\
             \"application-id\":\"application_0_0000\",\"web-address\":\"http://x/\"}}\n"
        );
        assert_eq!(found.to_line(), expect);
    }

    #[test]
    fn failure_on_a_cluster_names_its_place() {
        let mut found = summary(vec![submitted("a"), failed(Some(JobId::of_text("a")))]);
        let other = FailureReport { task: Some("Map (2/2)".to_owned()), ..Default::default() };
        found.failed_at(&other);
        found.failed_at(&FailureReport {
            message: "boom".to_owned(),
            task: Some("Map (1/2)".to_owned()),
            host: Some("127.0.0.1:7".to_owned()),
            log_excerpt: Some("one\ntwo".to_owned()),
            ..FailureReport::default()
        });
        let expect = "\"failure\":{\"code\":\"WEIR-RUN-0001\",\"message\":\"boom\",\
                      \"task\":\"Map (1/2)\",\"host\":\"127.0.0.1:7\",\
                      \"log-excerpt\":\"one\\ntwo\"}";
        assert!(found.to_line().contains(expect), "{}", found.to_line());
    }

    #[test]
    fn failure_of_the_program_does_not_hide_that_of_the_job() {
        let problem = Problem::failure("WEIR-CLI-0009", "ended by SIGKILL");
        let mut found = summary(vec![submitted("a"), failed(Some(JobId::of_text("a")))]);
        found.fail_with(&problem);
        assert_eq!(found.failure.expect("it failed").message, "boom");
        let mut found = summary(vec![submitted("a"), finished("a")]);
        found.fail_with(&problem);
        assert_eq!(found.status, "FAILED");
        assert_eq!(found.failure.expect("it failed").message, "ended by SIGKILL");
    }
}
