//! `weir cancel`: asks the app master of a job to cancel it, or the resource manager to kill an
//! application that never had an app master.

use crate::flags::{CancelFlags, Output};
use crate::ids::{self, Found};
use crate::output;
use crate::problem::Problem;
use crate::remote::{Remote, Target, application_path, proxy_path};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};
use weir_base::{ApplicationId, JobId};
use weir_protocol::rest::yarn::{App, AppState, ApplicationState, OneApp};
use weir_service::CallError;

/// The code of a job that cannot be cancelled, since it has ended.
pub const HAS_ENDED: &str = "WEIR-CLI-0210";
/// How long an app master is waited for that is out of reach: the next attempt starts within seconds, and
/// a running one registers within seconds with a restarted resource manager.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Cancelled {
    job_id: String,
    application_id: String,
    status: &'static str,
}

pub fn cancel(flags: &CancelFlags) -> Result<(), Problem> {
    let Some(typed) = &flags.job else {
        return Err(Problem::usage("Missing JobID. Specify a JobID to cancel a job.")
            .help("`weir list` shows the ids of jobs"));
    };
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let Found { app, job } =
        ids::find(&remote, typed).map_err(|problem| could_not(typed, problem))?;
    let job = job.ok_or_else(|| no_job_of(&app, typed))?;
    let text = flags.output.output == Output::Text;
    if text {
        output::print(&format!("Cancelling job {job}.\n"))?;
    }
    cancel_in(&remote, &app, job).map_err(|problem| could_not(&job.to_string(), problem))?;
    match text {
        true => output::print(&format!("Cancelled job {job}.\n")),
        false => output::print_json(&Cancelled {
            job_id: job.to_string(),
            application_id: app.id.to_string(),
            status: "CANCELLING",
        }),
    }
}

fn could_not(job: &str, problem: Problem) -> Problem {
    Problem { what: format!("Could not cancel job {job}: {}", problem.what), ..problem }
}

/// An application that something else than `weir run` has submitted.
fn no_job_of(app: &App, typed: &str) -> Problem {
    let what = format!("Could not cancel job {typed}: {} is no job of Weir", app.id);
    Problem::failure("WEIR-CLI-0207", what)
        .help(format!("`weir application kill {}` ends it", app.id))
}

fn cancel_in(remote: &Remote, app: &App, job: JobId) -> Result<(), Problem> {
    match without_app_master(remote, app) {
        Some(settled) => settled,
        None => cancel_or_kill(remote, app.id, job, PATIENCE),
    }
}

/// Has a job cancelled by its app master, or its application killed if it never had one.
///
/// Between two attempts, and until it has registered with a restarted resource manager, an app
/// master cannot be reached although the job runs or will run again. Then it is waited for: a kill would
/// end the job without a record in its log and leave the prepared output of its sinks.
pub fn cancel_or_kill(
    remote: &Remote,
    id: ApplicationId,
    job: JobId,
    patience: Duration,
) -> Result<(), Problem> {
    let deadline = Instant::now() + patience;
    loop {
        let error = match ask_app_master(remote, id, job) {
            Ok(()) => return Ok(()),
            // The app master answers, or the resource manager for one that has just ended.
            Err(CallError::Refused { status: 409, message, .. }) => {
                return Err(Problem::failure(HAS_ENDED, message));
            }
            Err(error) if error.is_passing() => error,
            Err(error) => return Err(remote.problem(error)),
        };
        // Where that is not known either, the next try tells.
        let found = remote.get_held::<OneApp>(&application_path(id), Duration::ZERO);
        if let Some(settled) = found.ok().and_then(|one| without_app_master(remote, &one.app)) {
            return settled;
        }
        if Instant::now() >= deadline {
            return Err(out_of_reach(id, &error, patience));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Cancels what no app master has to be asked for: what has ended, and what never had one.
fn without_app_master(remote: &Remote, app: &App) -> Option<Result<(), Problem>> {
    if app.state.has_ended() {
        let (id, state) = (app.id, super::verdict_of(app));
        let what = format!("its application {id} has reached a terminal state already ({state})");
        return Some(Err(Problem::failure(HAS_ENDED, what)));
    }
    never_had_app_master(app).then(|| kill(remote, app.id, "its job was cancelled before it began"))
}

/// Whether no container was ever leased for an app master of it.
fn never_had_app_master(app: &App) -> bool {
    app.state != ApplicationState::Running && app.launch_time == 0
}

fn out_of_reach(id: ApplicationId, why: &CallError, patience: Duration) -> Problem {
    let what = format!("its app master has not been reachable for {} s: {why}", patience.as_secs());
    Problem::failure("WEIR-CLI-0214", what).help(format!(
        "`weir application status {id}` shows its state; try again, or end it without its app \
         master with `weir application kill {id}`"
    ))
}

/// Asks the app master, through the resource manager.
fn ask_app_master(remote: &Remote, id: ApplicationId, job: JobId) -> Result<(), CallError> {
    let path = format!("{}/jobs/{job}?mode=cancel", proxy_path(id));
    remote.try_change::<_, Value>(Method::PATCH, &path, &json!({})).map(drop)
}

/// Ends an application by the resource manager.
pub fn kill(remote: &Remote, id: ApplicationId, why: &str) -> Result<(), Problem> {
    let killed = AppState { state: "KILLED".to_owned(), diagnostics: why.to_owned() };
    let path = format!("{}/state", application_path(id));
    remote.change::<_, Value>(Method::PUT, &path, &killed).map(drop)
}
