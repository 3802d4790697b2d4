//! `weir cluster stop`: ends everything that the data folder started, and proves it.
//!
//! 1. Applications are killed by the resource manager, so that their app masters end in order.
//! 2. Agents, then the resource manager: SIGTERM, and SIGKILL for what does not end.
//! 3. Containers that are still there: an agent that was killed leaves them to their shims.
//!
//! Each step runs even if the one before failed. A process that is left at the end is an error.

use super::folder::{Folder, unusable};
use super::folder_of;
use super::record::Record;
use crate::flags::{Output, StopFlags};
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, Target, application_path};
use reqwest::Method;
use serde::Serialize;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};
use weir_base::ApplicationId;
use weir_protocol::rest::yarn::{AppState, Apps};
use weir_service::ProcessId;

/// How long applications may take to end.
const APPLICATIONS_WITHIN: Duration = Duration::from_secs(15);
/// How long a daemon may take from SIGTERM on.
const DAEMON_WITHIN: Duration = Duration::from_secs(5);
/// Longest time from SIGKILL to the end of a process: one that writes to a slow disk ends only when that is done.
const KILLED_WITHIN: Duration = Duration::from_secs(30);
/// How long a container may take from SIGTERM until SIGKILL.
const CONTAINER_WITHIN: Duration = Duration::from_millis(500);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
const NOT_ENDED: &str = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING";

/// The output of `--output json`.
#[derive(Serialize, Default)]
#[serde(rename_all = "kebab-case")]
struct Stopped {
    data_dir: String,
    was_running: bool,
    applications: Vec<String>,
    daemons: Vec<String>,
    /// Containers that had to be ended from here.
    containers: usize,
}

pub fn stop(flags: &StopFlags) -> Result<(), Problem> {
    let folder = folder_of(&flags.data_dir)?;
    let data_dir = folder.path().display().to_string();
    if !folder.path().exists() {
        return tell(flags, &Stopped { data_dir, ..Stopped::default() });
    }
    let _lock = folder.lock()?;
    let record = Record::load(folder.path())?;
    let mut stopped = Stopped { data_dir, was_running: record.is_some(), ..Stopped::default() };
    if let Some(record) = &record {
        let all_ended =
            record.resource_manager_is_up() && kill_applications(&folder, record, &mut stopped);
        if !all_ended {
            remember_to_kill(&folder)?;
        }
        stopped.daemons = end_daemons(record)?;
    }
    stopped.containers = end_containers(&folder)?;
    if let Some(record) = &record {
        let left: Vec<_> = record.living().iter().map(|(name, id)| left(name, *id)).collect();
        if !left.is_empty() {
            return Err(still_there(&left.join(", ")));
        }
    }
    Record::remove(&folder)?;
    tell(flags, &stopped)
}

/// Whether none is left. What cannot be done here is done with the containers, and when the resource
/// manager comes back.
fn kill_applications(folder: &Folder, record: &Record, stopped: &mut Stopped) -> bool {
    let token = fs::read_to_string(folder.token()).ok().map(|text| text.trim().to_owned());
    let target = Target { address: record.address.clone(), token, token_origin: String::new() };
    match Remote::new(target).and_then(|remote| kill_all_and_wait(&remote)) {
        Ok((ids, all_ended)) => {
            stopped.applications = ids;
            all_ended
        }
        Err(problem) => {
            output::note(&format!(
                "warning: the resource manager could not kill its applications ({}); their containers \
                 are ended without it",
                problem.what
            ));
            false
        }
    }
}

fn remember_to_kill(folder: &Folder) -> Result<(), Problem> {
    let path = folder.unfinished_stop();
    fs::write(&path, "").map_err(|error| unusable(&path, &error))
}

/// Kills that a stop could not send to the resource manager, sent when it runs again and before nodes register. A
/// stop that did not complete, so that a process still runs, is undone by the start.
pub(super) fn finish_stop(folder: &Folder, remote: &Remote, lives: bool) -> Result<(), Problem> {
    if folder.unfinished_stop().exists() {
        if !lives {
            kill_all_of(remote)?;
        }
        // One that cannot be removed costs a look at the next start.
        let _ = fs::remove_file(folder.unfinished_stop());
    }
    Ok(())
}

/// Their ids, and whether all of them have ended.
fn kill_all_and_wait(remote: &Remote) -> Result<(Vec<String>, bool), Problem> {
    let ids = kill_all_of(remote)?;
    let deadline = Instant::now() + APPLICATIONS_WITHIN;
    let all_ended = loop {
        match running(remote)?.is_empty() {
            true => break true,
            false if Instant::now() >= deadline => break false,
            false => thread::sleep(LOOK_AGAIN),
        }
    };
    Ok((ids.iter().map(ToString::to_string).collect(), all_ended))
}

fn running(remote: &Remote) -> Result<Vec<ApplicationId>, Problem> {
    let apps: Apps = remote.get(&format!("{CLUSTER}/apps?states={NOT_ENDED}"))?;
    Ok(apps.apps.app.into_iter().map(|app| app.id).collect())
}

/// Has all of them killed, without waiting for their ends.
fn kill_all_of(remote: &Remote) -> Result<Vec<ApplicationId>, Problem> {
    let ids = running(remote)?;
    let killed = AppState {
        state: "KILLED".to_owned(),
        diagnostics: "the cluster is being stopped".to_owned(),
    };
    for id in &ids {
        let path = format!("{}/state", application_path(*id));
        // One that has ended in the meantime needs no signal.
        if let Err(problem) = remote.change::<_, serde_json::Value>(Method::PUT, &path, &killed) {
            output::note(&format!("warning: {id} could not be killed: {}", problem.what));
        }
    }
    Ok(ids)
}

/// Agents first: without the resource manager they would only try to connect to it.
fn end_daemons(record: &Record) -> Result<Vec<String>, Problem> {
    end_in_order(record.living())
}

/// Ends these daemons, by force where nothing else helps; gives what they were.
pub(super) fn end_in_order(living: Vec<(&str, ProcessId)>) -> Result<Vec<String>, Problem> {
    let (managers, agents): (Vec<_>, Vec<_>) =
        living.into_iter().partition(|(name, _)| *name == "resource-manager");
    for group in [&agents, &managers] {
        end(group, libc::SIGTERM, DAEMON_WITHIN)?;
        end(group, libc::SIGKILL, KILLED_WITHIN)?;
    }
    Ok(agents.iter().chain(&managers).map(|(name, id)| left(name, *id)).collect())
}

/// Signals those that live and waits for them.
fn end(group: &[(&str, ProcessId)], signal: i32, within: Duration) -> Result<(), Problem> {
    for (name, process) in group {
        process.signal(signal).map_err(|error| {
            let what = format!("cannot end {}: {error}", left(name, *process));
            Problem::failure("WEIR-CLUSTER-0007", what)
                .help("stop the cluster as the user who started it")
        })?;
    }
    let deadline = Instant::now() + within;
    let lives = |(_, process): &(&str, ProcessId)| process.is_alive();
    while group.iter().any(lives) && Instant::now() < deadline {
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

/// Ends what is left in the folders of all agents; gives how many containers that were.
pub(super) fn end_containers(folder: &Folder) -> Result<usize, Problem> {
    let mut ended = 0;
    for agent in folder.node_agents() {
        let killed = weir_node_agent::kill_all(&agent, CONTAINER_WITHIN);
        if !killed.left.is_empty() {
            let left: Vec<_> = killed.left.iter().map(ToString::to_string).collect();
            return Err(still_there(&format!(
                "processes {} of {}",
                left.join(", "),
                agent.display()
            )));
        }
        ended += killed.containers;
    }
    Ok(ended)
}

fn left(name: &str, process: ProcessId) -> String {
    format!("{name} (process {})", process.pid)
}

fn still_there(what: &str) -> Problem {
    Problem::failure("WEIR-CLUSTER-0007", format!("some processes could not be stopped: {what}"))
        .help("run `weir cluster stop` again; a process in state D (see ps) waits for a disk")
}

fn tell(flags: &StopFlags, stopped: &Stopped) -> Result<(), Problem> {
    match flags.output.output {
        Output::Json => output::print_json(stopped),
        Output::Text => output::print(&text(stopped)),
    }
}

fn text(stopped: &Stopped) -> String {
    let Stopped { data_dir, was_running, applications, daemons, containers } = stopped;
    let mut text = String::new();
    for application in applications {
        text.push_str(&format!("Killed {application}.\n"));
    }
    for daemon in daemons {
        text.push_str(&format!("Stopped {daemon}.\n"));
    }
    if *containers > 0 {
        text.push_str(&format!("Ended {containers} containers that were left.\n"));
    }
    text.push_str(&match was_running {
        true => {
            format!("The cluster on {data_dir} is stopped; its logs and its storage are kept.\n")
        }
        false => format!("No cluster runs on {data_dir}.\n"),
    });
    text
}
