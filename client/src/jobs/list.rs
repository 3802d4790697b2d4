//! `weir list`: jobs in Flink's blocks. Each app master is asked through the resource manager; of one
//! that does not answer, the job stands as its application does.

use super::{APPLICATION_TYPE, job_of_tags};
use crate::flags::{ListFlags, Output};
use crate::local_time;
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, Target, proxy_path, without_scheme};
use serde::Serialize;
use std::time::Duration;
use weir_protocol::rest::flink::job::JobsOverview;
use weir_protocol::rest::yarn::{App, ApplicationState, Apps};
use weir_protocol::{cluster::FinalStatus, job::JobStatus};
use weir_service::CallError;

const RULE: &str = "--------------------------------------------------------------";
const RUNNING: &str = "------------------ Running/Restarting Jobs -------------------";
const SCHEDULED: &str = "----------------------- Scheduled Jobs -----------------------";
const TERMINATED: &str = "---------------------- Terminated Jobs -----------------------";

/// A job of the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    jid: String,
    name: String,
    state: JobStatus,
    start_time: i64,
    end_time: i64,
    application_id: Option<String>,
}

/// The selected blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Wanted {
    running: bool,
    scheduled: bool,
    terminated: bool,
}

#[derive(Serialize)]
struct Jobs<'a> {
    jobs: Vec<&'a Job>,
}

/// Lists them.
pub fn list(flags: &ListFlags) -> Result<(), Problem> {
    let neither = !flags.running && !flags.scheduled;
    let wanted = Wanted {
        running: flags.running || neither || flags.all,
        scheduled: flags.scheduled || neither || flags.all,
        terminated: flags.all,
    };
    let text = flags.output.output == Output::Text;
    if text {
        output::print("Waiting for response...\n")?;
    }
    let mut jobs = match &flags.jobmanager {
        Some(address) => of_app_master(address)?,
        None => of_cluster(&Remote::new(Target::find(&flags.cluster)?)?, wanted)?,
    };
    jobs.sort_by(|a, b| (a.start_time, &a.jid).cmp(&(b.start_time, &b.jid)));
    match text {
        true => output::print(&blocks(&jobs, wanted)),
        false => {
            let jobs = jobs.iter().filter(|job| wanted.includes(job.state)).collect();
            output::print_json(&Jobs { jobs })
        }
    }
}

fn of_app_master(address: &str) -> Result<Vec<Job>, Problem> {
    let address = without_scheme(address).to_owned();
    let remote = Remote::new(Target { address, token: None, token_origin: String::new() })?;
    let overview = remote.get_held::<JobsOverview>("/jobs/overview", Duration::ZERO);
    overview.map(|overview| jobs_of(overview, None)).map_err(|error| match error {
        CallError::Refused { status: 401, .. } => remote.problem(error),
        error => no_app_master(remote.address(), &error),
    })
}

/// With `-m` an address is that of an app master. In Flink it may be that of the whole cluster.
fn no_app_master(address: &str, error: &CallError) -> Problem {
    let what = format!("no app master answers at {address}: {error}");
    Problem::failure("WEIR-CLI-0202", what).help(
        "-m names the REST address of one app master; the jobs of a whole cluster are listed without \
         -m, or with --cluster HOST:PORT of its resource manager",
    )
}

fn of_cluster(remote: &Remote, wanted: Wanted) -> Result<Vec<Job>, Problem> {
    let mut path = format!("{CLUSTER}/apps?applicationTypes={APPLICATION_TYPE}");
    if !wanted.terminated {
        path.push_str("&states=NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING");
    }
    let apps: Apps = remote.get(&path)?;
    let mut jobs = Vec::new();
    for app in apps.apps.app {
        let overview = remote.get::<JobsOverview>(&format!("{}/jobs/overview", proxy_path(app.id)));
        match overview {
            Ok(overview) if !overview.jobs.is_empty() => jobs.extend(jobs_of(overview, Some(&app))),
            _ => jobs.extend(job_of_application(&app)),
        }
    }
    Ok(jobs)
}

fn jobs_of(overview: JobsOverview, app: Option<&App>) -> Vec<Job> {
    let jobs = overview.jobs.into_iter().map(|job| Job {
        jid: job.jid.to_string(),
        name: job.name,
        state: job.state,
        start_time: job.start_time,
        end_time: job.end_time,
        application_id: app.map(|app| app.id.to_string()),
    });
    jobs.collect()
}

/// The job of an application whose app master says nothing: not yet, or no more.
fn job_of_application(app: &App) -> Option<Job> {
    let time = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    Some(Job {
        jid: job_of_tags(&app.application_tags)?.to_string(),
        name: app.name.clone(),
        state: state_of(app),
        start_time: time(app.started_time),
        end_time: if app.state.has_ended() { time(app.finished_time) } else { -1 },
        application_id: Some(app.id.to_string()),
    })
}

/// The state of an application in one word: how its job ended, as soon as it has.
pub fn verdict_of(app: &App) -> &'static str {
    if app.state.has_ended() { state_of(app).name() } else { app.state.name() }
}

/// The status of a job according to its application. One that its app master has ended is `FINISHED` however the job
/// ended, as in YARN; the final status tells how.
fn state_of(app: &App) -> JobStatus {
    match (app.state, app.final_status) {
        (ApplicationState::Finished, FinalStatus::Failed) | (ApplicationState::Failed, _) => {
            JobStatus::Failed
        }
        (ApplicationState::Finished, FinalStatus::Killed) | (ApplicationState::Killed, _) => {
            JobStatus::Canceled
        }
        (ApplicationState::Finished, _) => JobStatus::Finished,
        (ApplicationState::Running, _) => JobStatus::Created,
        _ => JobStatus::Initializing,
    }
}

impl Wanted {
    fn includes(self, state: JobStatus) -> bool {
        match block_of(state) {
            SCHEDULED => self.scheduled,
            TERMINATED => self.terminated,
            _ => self.running,
        }
    }
}

/// As Flink sorts them.
fn block_of(state: JobStatus) -> &'static str {
    match state {
        JobStatus::Created | JobStatus::Initializing => SCHEDULED,
        JobStatus::Failed | JobStatus::Canceled | JobStatus::Finished => TERMINATED,
        _ => RUNNING,
    }
}

fn blocks(jobs: &[Job], wanted: Wanted) -> String {
    let mut text = String::new();
    for (head, is_wanted, none) in [
        (RUNNING, wanted.running, Some("No running jobs.")),
        (SCHEDULED, wanted.scheduled, Some("No scheduled jobs.")),
        (TERMINATED, wanted.terminated, None),
    ] {
        let lines: Vec<_> =
            jobs.iter().filter(|job| is_wanted && block_of(job.state) == head).map(line).collect();
        match none {
            _ if !lines.is_empty() => {
                text.push_str(&format!("{head}\n{}{RULE}\n", lines.concat()));
            }
            Some(none) if is_wanted => text.push_str(&format!("{none}\n")),
            _ => {}
        }
    }
    text
}

fn line(job: &Job) -> String {
    let Job { jid, name, state, start_time, .. } = job;
    format!("{} : {jid} : {name} ({})\n", local_time::flinks(*start_time), state.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, state: JobStatus) -> Job {
        Job {
            jid: "0".repeat(32),
            name: name.to_owned(),
            state,
            start_time: 0,
            end_time: -1,
            application_id: None,
        }
    }

    #[test]
    fn application_that_finished_is_listed_with_the_status_of_its_job() {
        use ApplicationState::{Accepted, Failed, Finished, Killed, Running};
        for (state, final_status, expect) in [
            (Finished, FinalStatus::Succeeded, JobStatus::Finished),
            (Finished, FinalStatus::Failed, JobStatus::Failed),
            (Finished, FinalStatus::Killed, JobStatus::Canceled),
            (Failed, FinalStatus::Failed, JobStatus::Failed),
            (Killed, FinalStatus::Killed, JobStatus::Canceled),
            (Running, FinalStatus::Undefined, JobStatus::Created),
            (Accepted, FinalStatus::Undefined, JobStatus::Initializing),
        ] {
            let app = App { state, final_status, ..App::default() };
            assert_eq!(state_of(&app), expect, "{state} {final_status:?}");
            let verdict = if state.has_ended() { expect.name() } else { state.name() };
            assert_eq!(verdict_of(&app), verdict);
        }
    }

    #[test]
    fn blocks_are_flinks() {
        let all = Wanted { running: true, scheduled: true, terminated: true };
        let default = Wanted { terminated: false, ..all };
        assert_eq!(blocks(&[], default), "No running jobs.\nNo scheduled jobs.\n");
        assert_eq!(blocks(&[], all), "No running jobs.\nNo scheduled jobs.\n");
        let jobs = [
            job("a", JobStatus::Restarting),
            job("b", JobStatus::Created),
            job("c", JobStatus::Canceled),
        ];
        let text = blocks(&jobs, all);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines[0], lines[2], lines[3]), (RUNNING, RULE, SCHEDULED));
        assert_eq!((lines[5], lines[6], lines[8], lines.len()), (RULE, TERMINATED, RULE, 9));
        assert!(lines[1].ends_with(&format!(" : {} : a (RESTARTING)", "0".repeat(32))));
        assert!(!blocks(&jobs, default).contains("CANCELED"));
        let only_scheduled = Wanted { running: false, ..default };
        assert!(blocks(&jobs, only_scheduled).starts_with(SCHEDULED));
        assert_eq!([RUNNING, SCHEDULED, TERMINATED, RULE].map(str::len), [62; 4]);
    }
}
