//! `weir run`: runs a job executable, in role local or with its jobs on a cluster.
//!
//! A local program prints its own progress, its own errors and Flink's lines about submission and end.
//! As JSON they are left out, and one object about the last job stands on the last line.

use crate::flags::RunFlags;
use crate::output;
use crate::per_job;
use crate::problem::{Exit, Problem};
use crate::program::Streams;
use crate::request::{Request, RunTarget};
use crate::summary::Summary;
use crate::supervise;
use crate::verdict::{self, Verdict};
use weir_protocol::job_executable::{Launch, Role};

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
    let (exit, summary) = match &request.place {
        RunTarget::Local => run_here(&request),
        RunTarget::PerJob(per_job) => per_job::run(&request, per_job),
    };
    match request.is_quiet().then(|| output::print(&summary.to_line())) {
        Some(Err(problem)) => {
            output::note(&problem.to_string());
            Exit::Failure
        }
        _ => exit,
    }
}

fn run_here(request: &Request) -> (Exit, Summary) {
    let launch = Launch {
        role: Role::Local,
        configuration: Some(request.config.to_json()),
        quiet: request.is_quiet(),
        ..Launch::default()
    };
    let ended = supervise::run_to_end(&request.command, launch, Streams::Inherited);
    let mut summary = Summary::default();
    let verdict = ended.map(|transcript| {
        summary = Summary::of(&transcript.messages);
        verdict::of_run(&request.command.executable, &transcript)
    });
    let exit = match verdict.unwrap_or_else(Verdict::Problem) {
        Verdict::Success => Exit::Success,
        Verdict::Told => Exit::Failure,
        Verdict::Problem(problem) => told(&problem, &mut summary),
    };
    (exit, summary)
}

fn told(problem: &Problem, summary: &mut Summary) -> Exit {
    output::note(&problem.to_string());
    summary.fail_with(problem);
    problem.exit
}
