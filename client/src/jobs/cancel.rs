//! `weir cancel`: asks the app master of a job to cancel it, or the resource manager to kill an
//! application that has no app master yet.

use super::tag_of;
use crate::flags::{CancelFlags, Output};
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, Target, application_path, proxy_path};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use weir_base::{ApplicationId, JobId};
use weir_protocol::rest::yarn::{App, AppState, ApplicationState, Apps};

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cancelled {
    job_id: String,
    application_id: String,
    status: &'static str,
}

/// Cancels it.
pub fn cancel(flags: &CancelFlags) -> Result<(), Problem> {
    let Some(typed) = &flags.job else {
        return Err(Problem::usage("Missing JobID. Specify a JobID to cancel a job.")
            .help("`weir list` shows the ids of jobs"));
    };
    let job: JobId = typed.parse().map_err(|_| {
        Problem::usage(format!("{typed:?} is no id of a job: it has 32 hex digits"))
            .help("`weir list` shows the ids of jobs")
    })?;
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let text = flags.output.output == Output::Text;
    if text {
        output::print(&format!("Cancelling job {job}.\n"))?;
    }
    let app = application_of(&remote, job)?;
    cancel_in(&remote, &app, job).map_err(|problem| {
        let what = format!("Could not cancel job {job}: {}", problem.what);
        Problem { what, ..problem }
    })?;
    match text {
        true => output::print(&format!("Cancelled job {job}.\n")),
        false => output::print_json(&Cancelled {
            job_id: job.to_string(),
            application_id: app.id.to_string(),
            status: "CANCELLING",
        }),
    }
}

/// The newest application with the job's tag.
fn application_of(remote: &Remote, job: JobId) -> Result<App, Problem> {
    let apps: Apps = remote.get(&format!("{CLUSTER}/apps?applicationTags={}", tag_of(job)))?;
    apps.apps.app.into_iter().max_by_key(|app| app.id).ok_or_else(|| {
        let what = format!(
            "Could not cancel job {job}: the cluster at {} has no such job",
            remote.address()
        );
        Problem::failure("WEIR-CLI-0207", what).help("`weir list -a` shows the ones that it knows")
    })
}

fn cancel_in(remote: &Remote, app: &App, job: JobId) -> Result<(), Problem> {
    if app.state.has_ended() {
        let what = format!(
            "its application {} has reached a terminal state already ({})",
            app.id, app.state
        );
        return Err(Problem::failure("WEIR-CLI-0210", what));
    }
    if app.state != ApplicationState::Running {
        return kill(remote, app.id, "its job was cancelled before it began");
    }
    cancel_running(remote, app.id, job)
}

/// Asks the app master, through the resource manager.
pub fn cancel_running(remote: &Remote, id: ApplicationId, job: JobId) -> Result<(), Problem> {
    let path = format!("{}/jobs/{job}?mode=cancel", proxy_path(id));
    remote.change::<_, Value>(Method::PATCH, &path, &json!({})).map(drop)
}

/// Ends an application by the resource manager.
pub fn kill(remote: &Remote, id: ApplicationId, why: &str) -> Result<(), Problem> {
    let killed = AppState { state: "KILLED".to_owned(), diagnostics: why.to_owned() };
    let path = format!("{}/state", application_path(id));
    remote.change::<_, Value>(Method::PUT, &path, &killed).map(drop)
}
