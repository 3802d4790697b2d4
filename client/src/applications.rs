//! `weir application`: applications with YARN's columns and texts.

use crate::flags::{ApplicationAction, ApplicationListFlags, KillFlags, Output, StatusOfFlags};
use crate::ids;
use crate::jobs;
use crate::local_time;
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote, Target, application_path, no_application};
use serde::Serialize;
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};
use weir_base::ApplicationId;
use weir_protocol::cluster::FinalStatus;
use weir_protocol::rest::yarn::{App, ApplicationState, Apps, OneApp, PendingAnswer};

/// How long a kill is waited for.
const KILLED_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The states that are listed by default.
const DEFAULT_STATES: [&str; 3] = ["SUBMITTED", "ACCEPTED", "RUNNING"];

/// Does it.
pub fn run(action: ApplicationAction) -> Result<(), Problem> {
    match action {
        ApplicationAction::List(flags) => list(&flags),
        ApplicationAction::Status(flags) => status(&flags),
        ApplicationAction::Kill(flags) => kill(&flags),
    }
}

/// The application with exactly this id.
pub fn find(remote: &Remote, typed: &str) -> Result<App, Problem> {
    let id = parse(typed)?;
    // Its absence and the absence of the whole interface look alike, so the interface is asked first.
    let found = remote.get_held::<OneApp>(&application_path(id), Duration::ZERO);
    match found {
        Ok(found) => Ok(found.app),
        Err(weir_service::CallError::Refused { status: 404, code, .. }) if !code.is_empty() => {
            Err(no_application(typed, remote.address()))
        }
        Err(error) => Err(remote.problem(error)),
    }
}

fn parse(typed: &str) -> Result<ApplicationId, Problem> {
    typed.parse().map_err(|error: weir_base::ParseClusterIdError| {
        Problem::usage(error.to_string()).help("`weir application list` shows the ids")
    })
}

fn list(flags: &ApplicationListFlags) -> Result<(), Problem> {
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let states = wanted_states(&flags.states);
    let apps: Apps = remote.get(&format!("{CLUSTER}/apps?states={}", states.join(",")))?;
    match flags.output.output {
        Output::Json => output::print_json(&apps),
        Output::Text => output::print(&table(&states, &apps.apps.app)),
    }
}

fn wanted_states(typed: &[String]) -> Vec<String> {
    let typed: Vec<_> = typed.iter().map(|state| state.to_uppercase()).collect();
    match typed.as_slice() {
        [] => DEFAULT_STATES.map(str::to_owned).to_vec(),
        states if states.iter().any(|state| state == "ALL") => {
            ApplicationState::ALL.map(|state| state.name().to_owned()).to_vec()
        }
        states => states.to_vec(),
    }
}

fn table(states: &[String], apps: &[App]) -> String {
    let mut text = format!(
        "Total number of applications (application-types: [], states: [{}] and tags: []):{}\n",
        states.join(", "),
        apps.len()
    );
    let mut row = |cells: [&str; 9]| {
        let [id, name, kind, user, queue, state, end, progress, url] = cells;
        let _ = writeln!(
            text,
            "{id:>30}\t{name:>20}\t{kind:>20}\t{user:>10}\t{queue:>10}\t{state:>18}\t{end:>18}\t\
             {progress:>15}\t{url:>35}"
        );
    };
    row([
        "Application-Id",
        "Application-Name",
        "Application-Type",
        "User",
        "Queue",
        "State",
        "Final-State",
        "Progress",
        "Tracking-URL",
    ]);
    for app in apps {
        row([
            &app.id.to_string(),
            &app.name,
            &app.application_type,
            &app.user,
            &app.queue,
            app.state.name(),
            final_name(app.final_status),
            &percent(app.progress),
            &app.tracking_url,
        ]);
    }
    text
}

fn final_name(status: FinalStatus) -> &'static str {
    match status {
        FinalStatus::Undefined => "UNDEFINED",
        FinalStatus::Succeeded => "SUCCEEDED",
        FinalStatus::Failed => "FAILED",
        FinalStatus::Killed => "KILLED",
    }
}

/// At most two places, and none without need.
fn percent(progress: f32) -> String {
    let text = format!("{progress:.2}");
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}

fn status(flags: &StatusOfFlags) -> Result<(), Problem> {
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    let app = ids::find(&remote, &flags.application)?.app;
    if flags.output.output == Output::Json {
        return output::print_json(&OneApp { app });
    }
    let waits = match app.state.has_ended() {
        true => Vec::new(),
        false => pending_reasons(&remote, app.id)?,
    };
    output::print(&report(&app, &waits))
}

/// Why containers that an application asks for are not there.
pub fn pending_reasons(remote: &Remote, id: ApplicationId) -> Result<Vec<String>, Problem> {
    let answer: PendingAnswer = remote.get(&format!("{}/pending", application_path(id)))?;
    let reasons = answer.pending.ask.into_iter().map(|ask| {
        let plural = if ask.missing == 1 { "" } else { "s" };
        let size = weir_base::Resources::from(ask.capability);
        // The reason begins with the size too.
        let reason = ask.reason.strip_prefix(&format!("needs {size}: ")).unwrap_or(&ask.reason);
        format!("{} container{plural} of {size}: {reason}", ask.missing)
    });
    Ok(reasons.collect())
}

fn report(app: &App, waits: &[String]) -> String {
    let time = |ms: u64| match i64::try_from(ms) {
        Ok(1..) => local_time::sortable(ms as i64),
        _ => "-".to_owned(),
    };
    let or = |text: &str, none: &str| if text.is_empty() { none } else { text }.to_owned();
    let (host, port) = app.am_rpc_address.rsplit_once(':').unwrap_or((&app.am_rpc_address, "-1"));
    let allocation =
        format!("{} MB-seconds, {} vcore-seconds", app.memory_seconds, app.vcore_seconds);
    let preempted = format!(
        "{} MB-seconds, {} vcore-seconds",
        app.preempted_memory_seconds, app.preempted_vcore_seconds
    );
    let mut text = "Application Report : \n".to_owned();
    for (name, value) in [
        ("Application-Id", app.id.to_string()),
        ("Application-Name", app.name.clone()),
        ("Application-Type", app.application_type.clone()),
        ("User", app.user.clone()),
        ("Queue", app.queue.clone()),
        ("Application Priority", app.priority.to_string()),
        ("Start-Time", time(app.started_time)),
        ("Finish-Time", time(app.finished_time)),
        ("Progress", percent(app.progress)),
        ("State", app.state.to_string()),
        ("Final-State", final_name(app.final_status).to_owned()),
        ("Tracking-URL", or(&app.tracking_url, "N/A")),
        ("RPC Port", port.to_owned()),
        ("AM Host", or(host, "N/A")),
        ("Aggregate Resource Allocation", allocation),
        ("Aggregate Resource Preempted", preempted),
        ("Log Aggregation Status", or(&app.log_aggregation_status, "DISABLED")),
        ("Diagnostics", app.diagnostics.clone()),
        ("Unmanaged Application", app.unmanaged_application.to_string()),
        ("Application Node Label Expression", or(&app.app_node_label_expression, "<Not set>")),
        (
            "AM container Node Label Expression",
            or(&app.am_node_label_expression, "<DEFAULT_PARTITION>"),
        ),
    ] {
        let _ = writeln!(text, "\t{name} : {value}");
    }
    for wait in waits {
        let _ = writeln!(text, "\tWaits for : {wait}");
    }
    text
}

/// One application as `--output json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Killed {
    application_id: String,
    state: ApplicationState,
}

fn kill(flags: &KillFlags) -> Result<(), Problem> {
    let remote = Remote::new(Target::find(&flags.cluster)?)?;
    // All of them are looked for first: a typing error must not be found half way.
    let apps =
        flags.applications.iter().map(|typed| ids::find(&remote, typed).map(|found| found.app));
    let apps = apps.collect::<Result<Vec<_>, _>>()?;
    let text = flags.output.output == Output::Text;
    for app in &apps {
        let line = match app.state.has_ended() {
            true => format!("Application {} has already finished \n", app.id),
            false => format!("Killing application {}\n", app.id),
        };
        if text {
            output::print(&line)?;
        }
        if !app.state.has_ended() {
            jobs::kill(&remote, app.id, "killed by `weir application kill`")?;
        }
    }
    let mut killed = Vec::new();
    for app in &apps {
        let state = wait_for_end(&remote, app.id)?;
        killed.push(Killed { application_id: app.id.to_string(), state });
    }
    match text {
        true => Ok(()),
        false => output::print_json(&killed),
    }
}

fn wait_for_end(remote: &Remote, id: ApplicationId) -> Result<ApplicationState, Problem> {
    let deadline = Instant::now() + KILLED_WITHIN;
    loop {
        let app: OneApp = remote.get(&application_path(id))?;
        if app.app.state.has_ended() {
            return Ok(app.app.state);
        }
        if Instant::now() >= deadline {
            let what =
                format!("{id} is still {} after {} s", app.app.state, KILLED_WITHIN.as_secs());
            return Err(Problem::failure("WEIR-CLI-0211", what)
                .help("it is being killed; see `weir application status`"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_no_needless_places() {
        for (progress, text) in [(0.0, "0%"), (50.0, "50%"), (33.333, "33.33%"), (100.0, "100%")] {
            assert_eq!(percent(progress), text);
        }
    }

    #[test]
    fn columns_are_yarns() {
        let app = App { name: "count".to_owned(), progress: 50.0, ..App::default() };
        let text = table(&wanted_states(&[]), &[app]);
        let lines: Vec<_> = text.lines().collect();
        let head = "Total number of applications (application-types: [], states: [SUBMITTED, \
                    ACCEPTED, RUNNING] and tags: []):1";
        assert_eq!((lines[0], lines.len()), (head, 3));
        for line in &lines[1..] {
            let widths: Vec<_> = line.split('\t').map(str::len).collect();
            assert_eq!(widths, [30, 20, 20, 10, 10, 18, 18, 15, 35]);
        }
        assert!(lines[2].contains("               count\t"));
    }

    #[test]
    fn report_names_what_it_waits_for() {
        let text = report(&App::default(), &["2 containers".to_owned()]);
        assert!(text.starts_with("Application Report : \n\tApplication-Id : application_0_0000\n"));
        assert!(text.contains("\tFinish-Time : -\n"), "{text}");
        assert!(text.ends_with("\tWaits for : 2 containers\n"));
    }

    #[test]
    fn states_are_taken_in_any_case() {
        assert_eq!(wanted_states(&["killed".to_owned()]), ["KILLED"]);
        assert_eq!(wanted_states(&["all".to_owned()]).len(), 8);
    }
}
