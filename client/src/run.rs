//! `weir run`: runs a job executable in role local and waits for it.
//!
//! The program prints its own progress, its own errors and Flink's lines about submission and end.
//! As JSON they are left out, and one object about the last job stands on the last line.

use crate::flags::{Output, RunFlags};
use crate::output;
use crate::problem::{Exit, Problem};
use crate::program::Streams;
use crate::request::Request;
use crate::supervise::{self, Transcript};
use crate::verdict::{self, Verdict};
use serde::Serialize;
use weir_protocol::job_executable::{JobMessage, Launch, Role};

/// Runs the job.
pub fn run(flags: RunFlags) -> Exit {
    let request = match Request::of_run(flags) {
        Ok(request) => request,
        Err(problem) => {
            output::note(&problem.to_string());
            return problem.exit;
        }
    };
    for warning in &request.warnings {
        output::note(&format!("warning: {warning}"));
    }
    let quiet = request.output == Output::Json;
    let launch = Launch {
        role: Role::Local,
        configuration: Some(request.config.to_json()),
        quiet,
        ..Launch::default()
    };
    let (verdict, mut summary) =
        match supervise::run_to_end(&request.words, launch, Streams::Inherited) {
            Ok(transcript) => {
                let verdict = verdict::of_run(&request.words.executable, &transcript);
                (verdict, Summary::of(&transcript))
            }
            Err(problem) => (Verdict::Problem(problem), Summary::default()),
        };
    let exit = match verdict {
        Verdict::Success => Exit::Success,
        Verdict::Told => Exit::Failure,
        Verdict::Problem(problem) => {
            output::note(&problem.to_string());
            summary.fail_with(&problem);
            problem.exit
        }
    };
    match quiet.then(|| output::print(&summary.to_line())) {
        Some(Err(problem)) => {
            output::note(&problem.to_string());
            Exit::Failure
        }
        _ => exit,
    }
}

/// The object that `--output json` prints: the last job of the program, and why it failed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    job_id: Option<String>,
    name: Option<String>,
    /// Flink's name of the state in which the job ended; `UNKNOWN` if the program did not say.
    status: String,
    runtime_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Failure {
    code: Option<String>,
    message: String,
}

impl Summary {
    fn of(transcript: &Transcript) -> Self {
        let unknown = || Self { status: "UNKNOWN".to_owned(), ..Self::default() };
        let mut summary = unknown();
        for message in &transcript.messages {
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
                JobMessage::Failed { job, code, message } => {
                    if job.map(|job| job.to_string()) != summary.job_id {
                        summary = unknown();
                        summary.job_id = job.map(|job| job.to_string());
                    }
                    summary.fail(Some(code.clone()), message);
                }
                JobMessage::Hello { .. }
                | JobMessage::Graph { .. }
                | JobMessage::Progress { .. } => {}
            }
        }
        summary
    }

    /// Adds what `weir` found. What the program said about a failed job stands, but a job that
    /// finished before the program failed does not make the whole a success.
    fn fail_with(&mut self, problem: &Problem) {
        if self.failure.is_none() {
            self.fail(problem.code.clone(), &problem.what);
        }
    }

    fn fail(&mut self, code: Option<String>, message: &str) {
        self.status = "FAILED".to_owned();
        self.failure = Some(Failure { code, message: message.to_owned() });
    }

    fn to_line(&self) -> String {
        let json = serde_json::to_string(self).expect("texts and numbers are always JSON");
        format!("{json}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;
    use weir_base::JobId;

    fn summary(messages: Vec<JobMessage>) -> Summary {
        Summary::of(&Transcript {
            messages,
            status: ExitStatus::default(),
            refusal: None,
            killed: false,
        })
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
        JobMessage::Failed { job, code: "WEIR-RUN-0001".into(), message: "boom".into() }
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
        assert_eq!(found.status, "FAILED");
        let found = summary(vec![submitted("a"), finished("a"), failed(None)]);
        assert_eq!(
            found.to_line(),
            "{\"job-id\":null,\"name\":null,\"status\":\"FAILED\",\"runtime-ms\":null,\
             \"failure\":{\"code\":\"WEIR-RUN-0001\",\"message\":\"boom\"}}\n"
        );
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
