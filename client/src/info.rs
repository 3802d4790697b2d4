//! `weir info`: shows the plan of a program's first job, and checks that a second run of `main`
//! builds the same graph.
//!
//! On a cluster `main` runs again in each task host, which takes its operators from the graph that
//! it builds there. The second run gets the values of `env.once` from the first, as a task host
//! does; what still differs would make the cluster refuse the job.

use crate::flags::{InfoFlags, Output};
use crate::output;
use crate::plan_text;
use crate::problem::Problem;
use crate::program::Streams;
use crate::request::Request;
use crate::supervise::{self, Transcript};
use crate::verdict::{self, ProgramPlan};
use std::path::PathBuf;
use tempfile::NamedTempFile;
use weir_graph::StreamGraph;
use weir_protocol::job_executable::{self as protocol, Launch, Role};

/// Shows the plan, then checks it.
pub fn info(flags: InfoFlags) -> Result<(), Problem> {
    let request = Request::of_info(flags)?;
    for warning in &request.warnings {
        output::note(&format!("warning: {warning}"));
    }
    let executable = &request.command.executable;
    let first = build(&request, None, Streams::OutputAside)?;
    let plan = verdict::of_plan(executable, &first)?;
    output::print(&match request.output {
        Output::Text => plan_text::framed(plan.json),
        Output::Json => format!("{}\n", plan_text::pretty(plan.json)),
    })?;

    let expected = once_values(plan.stream_graph)?;
    let path = Some(expected.path().to_owned());
    let second = build(&request, path, Streams::OutputDropped)?;
    let again = verdict::of_plan(executable, &second).map_err(in_second_run)?;
    compare(&plan, &again)
}

fn build(
    request: &Request,
    expected: Option<PathBuf>,
    streams: Streams,
) -> Result<Transcript, Problem> {
    let launch = Launch {
        role: Role::Client,
        configuration: Some(request.config.to_json()),
        expected,
        ..Launch::default()
    };
    supervise::run_to_end(&request.command, launch, streams)
}

/// A file, readable by this user alone, that is removed when dropped.
fn once_values(graph: &StreamGraph) -> Result<NamedTempFile, Problem> {
    let cannot_write = |error: &dyn std::error::Error| {
        Problem::system("cannot write the values of env.once to a temporary file", error)
    };
    let mut file =
        NamedTempFile::with_prefix("weir-once-").map_err(|error| cannot_write(&error))?;
    protocol::write_once_values(&mut file, &graph.once).map_err(|error| cannot_write(&error))?;
    Ok(file)
}

fn in_second_run(problem: Problem) -> Problem {
    let what = format!("main was run a second time, and then: {}", problem.what);
    Problem { what, ..problem }
}

fn compare(first: &ProgramPlan<'_>, again: &ProgramPlan<'_>) -> Result<(), Problem> {
    again.fingerprint.check(first.fingerprint).map_err(|mismatch| {
        let what = format!("main builds a different graph when it runs again: {mismatch}");
        Problem::failure("WEIR-CLI-0006", what).help(
            "a cluster would refuse this job; take values that differ between runs (time, \
             random numbers, the order of a HashMap) from env.once",
        )
    })
}
