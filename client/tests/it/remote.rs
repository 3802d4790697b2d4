//! Actions on a cluster: how it is found, and what they ask and print. The resource manager is a fake.

use crate::fake_cluster::{Asked, FakeCluster, LOST, ok, refusal};
use crate::fixture::{Ended, Folder};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use weir_base::JobId;

const APPLICATION: &str = "application_1763640000000_0001";

fn app(state: &str) -> Value {
    let job = JobId::of_text("count");
    json!({
        "id": APPLICATION, "name": "count", "state": state, "applicationType": "WEIR",
        "applicationTags": format!("weir-job:{job}"), "startedTime": 1_763_640_001_000_u64,
        "diagnostics": "out of luck", "finalStatus": "UNDEFINED", "progress": 50.0,
    })
}

/// One application in this state, whose app master knows one running job.
fn cluster(state: &'static str) -> FakeCluster {
    FakeCluster::new(move |asked: &Asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match (asked.method.as_str(), path) {
            ("GET", "/ws/v1/cluster/apps") => ok(json!({"apps": {"app": [app(state)]}})),
            ("GET", path) if path.ends_with(&format!("/apps/{APPLICATION}")) => {
                let is_killed = state == "RUNNING";
                ok(json!({"app": app(if is_killed { "KILLED" } else { state })}))
            }
            ("GET", path) if path.ends_with("/pending") => ok(json!({"pending": {"ask": [{
                "attempt": "appattempt_1763640000000_0001_000001", "missing": 2,
                "capability": {"memory": 1024, "vCores": 1}, "reason": "needs <memory:1024 MiB, vCores:1>: no node has room",
            }]}})),
            ("GET", path) if path.ends_with("/jobs/overview") && state == "RUNNING" => {
                ok(json!({"jobs": [{
                    "jid": JobId::of_text("count").to_string(), "name": "word count",
                    "start-time": 1_763_640_002_000_i64, "end-time": -1, "duration": 5,
                    "state": "RUNNING", "last-modification": 0, "pending-operators": 0,
                    "jobType": "STREAMING", "tasks": {
                        "total": 1, "created": 0, "scheduled": 0, "deploying": 0, "running": 1,
                        "finished": 0, "canceling": 0, "canceled": 0, "failed": 0,
                        "reconciling": 0, "initializing": 0,
                    },
                }]}))
            }
            ("PATCH", path) if path.contains("/jobs/") => Some((202, "{}".to_owned())),
            ("PUT", path) if path.ends_with("/state") => Some((202, "{}".to_owned())),
            ("GET", "/ws/v1/cluster/nodes") => ok(json!({"nodes": {"node": [
                {"id": "127.0.0.1:7", "state": "RUNNING", "nodeHTTPAddress": "127.0.0.1:7"},
                {"id": "127.0.0.1:8", "state": "LOST", "nodeHTTPAddress": "127.0.0.1:8"},
            ]}})),
            _ => None,
        }
    })
}

#[test]
fn without_a_cluster_it_is_said_how_to_start_one() {
    let folder = Folder::new();
    let mut command = folder.command(&["list"]);
    let ended = Ended::of(folder.start(command.env("WEIR_DATA_DIR", folder.path("data"))));
    ended.fails(1, &["no cluster is running", "weir cluster start", "WEIR-CLI-0201"]);
}

#[test]
fn unreachable_address_is_named() {
    let folder = Folder::new();
    // A port at which only root may listen, and no program does.
    let address = "127.0.0.1:1";
    for action in [&["list"][..], &["node", "list"], &["application", "list"]] {
        let ended = folder.weir(&[action, &["--cluster", address]].concat());
        let what = format!("no resource manager at {address}: ");
        ended.fails(1, &[&what, "weir cluster start", "WEIR-CLI-0202"]);
    }
}

/// In Flink `-m` may name the whole cluster.
#[test]
fn address_of_no_app_master_is_answered_with_what_m_names() {
    let folder = Folder::new();
    let manager = FakeCluster::new(|_| Some((404, "Not found: /jobs/overview".to_owned())));
    for address in ["127.0.0.1:1", &manager.address] {
        let ended = folder.weir(&["list", "-m", address]);
        let what = format!("no app master answers at {address}: ");
        ended.fails(1, &[&what, "-m names", "--cluster HOST:PORT", "WEIR-CLI-0202"]);
    }
}

#[test]
fn other_server_is_not_taken_for_a_resource_manager() {
    let folder = Folder::new();
    let other = FakeCluster::new(|_| Some((404, "<html>not here</html>".to_owned())));
    let ended = folder.weir(&["list", "--cluster", &other.address]);
    ended.fails(1, &["is not a resource manager of Weir", &other.address, "WEIR-CLI-0203"]);
    let page = FakeCluster::new(|_| Some((200, "<html>hello</html>".to_owned())));
    let ended = folder.weir(&["node", "list", "--cluster", &page.address]);
    ended.fails(1, &["makes no sense", "WEIR-CLI-0203"]);
}

#[test]
fn address_and_token_come_from_flags_over_variables() {
    let folder = Folder::new();
    let (one, other) = (cluster("RUNNING"), cluster("RUNNING"));
    folder.file("token", "of-the-file\n", 0o600);
    let job = JobId::of_text("count").to_string();
    let line = ["cancel", "--cluster", &other.address, "--token-file", "token", &job];
    let ended = one.weir(&folder, &line);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(one.all().is_empty());
    let patch = other.first("PATCH ");
    assert_eq!(patch.headers["authorization"], "Bearer of-the-file");
    one.weir(&folder, &["cancel", &job]);
    assert_eq!(one.first("PATCH ").headers["authorization"], "Bearer secret");
}

#[test]
fn data_folder_that_is_damaged_or_missing_does_not_matter_where_all_is_given() {
    let folder = Folder::new();
    folder.file("token", "of-the-file\n", 0o600);
    std::fs::create_dir(folder.path("data")).expect("made");
    folder.file("data/cluster.json", "{\"version\": 99}", 0o600);
    let fake = cluster("RUNNING");
    let job = JobId::of_text("count").to_string();
    let line = ["cancel", "--cluster", &fake.address, "--token-file", "token", &job];
    let mut command = folder.command(&line);
    Ended::of(folder.start(command.env("WEIR_DATA_DIR", folder.path("data")))).succeeds();
    let mut command = folder.command(&line);
    Ended::of(folder.start(command.env("HOME", "not/absolute"))).succeeds();
    let mut command = folder.command(&["list"]);
    let ended = Ended::of(folder.start(command.env("WEIR_DATA_DIR", folder.path("data"))));
    ended.fails(1, &["cluster.json", "WEIR-CLUSTER-0008"]);
}

#[test]
fn missing_and_wrong_tokens_have_errors_of_their_own() {
    let folder = Folder::new();
    let strict = FakeCluster::new(|asked| match asked.method.as_str() {
        "GET" => ok(json!({"apps": {"app": [app("RUNNING")]}})),
        _ => Some(refusal(401, "WEIR-HTTP-0011", "the token is not the token of this cluster")),
    });
    let job = JobId::of_text("count").to_string();
    let ended = strict.weir(&folder, &["cancel", &job]);
    ended.fails(1, &["the token in the variable WEIR_TOKEN is not", "WEIR-CLI-0204"]);
    let ended = folder.weir(&["cancel", "--cluster", &strict.address, &job]);
    ended.fails(1, &["no token for the cluster at", "--token-file", "WEIR-CLI-0204"]);
    folder.job("job", &[], "touch started");
    let ended = folder.weir(&["run", "-t", "per-job", "--cluster", &strict.address, "job"]);
    ended.fails(1, &["no token for the cluster at", "WEIR-CLI-0204"]);
    assert!(!folder.path("started").exists());
}

#[test]
fn jobs_are_listed_in_flinks_blocks() {
    let folder = Folder::new();
    let job = JobId::of_text("count");
    let ended = cluster("RUNNING").weir(&folder, &["list"]);
    ended.succeeds();
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines[0], "Waiting for response...");
    assert!(lines[1].contains("Running/Restarting Jobs"), "{lines:?}");
    assert!(lines[2].ends_with(&format!(" : {job} : word count (RUNNING)")), "{lines:?}");
    assert_eq!(lines[4], "No scheduled jobs.");
    // Without an app master the application is shown in place of its job.
    let ended = cluster("ACCEPTED").weir(&folder, &["list", "-s"]);
    ended.succeeds();
    assert!(ended.stdout.contains(&format!(" : {job} : count (INITIALIZING)")), "{ended:#?}");
    assert!(!ended.stdout.contains("running jobs"));
}

#[test]
fn jobs_of_one_app_master_are_listed_without_a_cluster() {
    let folder = Folder::new();
    let master = cluster("RUNNING");
    let ended = folder.weir(&["list", "-m", &master.address, "--output", "json"]);
    ended.succeeds();
    assert_eq!(ended.json()["jobs"][0]["name"], "word count");
    assert_eq!(ended.json()["jobs"][0]["application-id"], Value::Null);
    assert_eq!(master.lines(), ["GET /jobs/overview"]);
}

#[test]
fn cancelling_asks_the_app_master_or_kills_an_application_without_one() {
    let folder = Folder::new();
    let job = JobId::of_text("count");
    let running = cluster("RUNNING");
    let ended = running.weir(&folder, &["cancel", &job.to_string()]);
    ended.succeeds();
    assert_eq!(ended.stdout, format!("Cancelling job {job}.\nCancelled job {job}.\n"));
    running.first(&format!("PATCH /proxy/{APPLICATION}/jobs/{job}?mode=cancel"));
    let accepted = cluster("ACCEPTED");
    accepted.weir(&folder, &["cancel", &job.to_string()]).succeeds();
    let put = accepted.first(&format!("PUT /ws/v1/cluster/apps/{APPLICATION}/state"));
    assert_eq!(put.json()["state"], "KILLED");
    let finished = cluster("FINISHED").weir(&folder, &["cancel", &job.to_string()]);
    let what = format!("Could not cancel job {job}: its application {APPLICATION} has reached");
    finished.fails(1, &[&what, "(FINISHED)", "WEIR-CLI-0210"]);
}

#[test]
fn job_and_application_are_found_by_either_id_or_the_beginning_of_it() {
    let folder = Folder::new();
    let job = JobId::of_text("count").to_string();
    for typed in [APPLICATION, "application_17636400", &job, &job[..5], &job.to_uppercase()[..7]] {
        let accepted = cluster("ACCEPTED");
        let ended = accepted.weir(&folder, &["cancel", typed]);
        ended.succeeds();
        let cancelled = format!("Cancelled job {job}.\n");
        assert!(ended.stdout.ends_with(&cancelled), "{typed}: {ended:#?}");
        let accepted = cluster("ACCEPTED");
        let ended = accepted.weir(&folder, &["application", "status", typed]);
        ended.succeeds();
        assert!(ended.stdout.contains(&format!("Application-Id : {APPLICATION}")), "{ended:#?}");
    }
    let followed = followed(&["FINISHED"]);
    followed.weir(&folder, &["logs", APPLICATION]).fails(0, &["no container of it is known"]);
}

#[test]
fn beginning_that_several_ids_have_is_refused_with_the_candidates() {
    let folder = Folder::new();
    let fake = FakeCluster::new(|asked: &Asked| {
        let mut other = app("FINISHED");
        other["id"] = "application_1763640000000_0002".into();
        let path = asked.path.split('?').next().unwrap_or_default();
        let is_list = path == "/ws/v1/cluster/apps";
        is_list.then(|| ok(json!({"apps": {"app": [app("RUNNING"), other]}}))).flatten()
    });
    for action in [&["cancel"][..], &["logs"], &["application", "kill"]] {
        let ended = fake.weir(&folder, &[action, &["application_1763640000000_"]].concat());
        let candidate = format!("in {APPLICATION}: count (RUNNING)");
        ended.fails(2, &["2 ids begin with", &candidate, "_0002: count", "WEIR-CLI-0215"]);
    }
    assert!(fake.lines().iter().all(|line| line.starts_with("GET ")), "{:?}", fake.lines());
}

#[test]
fn data_folder_names_a_cluster_for_every_action() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("data")).expect("new");
    folder.file("data/token", "of-the-folder\n", 0o600);
    for line in [
        &["list"][..],
        &["cancel", APPLICATION],
        &["application", "list"],
        &["application", "status", APPLICATION],
        &["application", "kill", APPLICATION],
        &["node", "list"],
        &["logs", APPLICATION],
    ] {
        let fake = cluster("RUNNING");
        let record = json!({
            "version": 1, "address": fake.address, "started_ms": 1, "settings": {
                "node_agents": 0, "node_memory_mib": 1, "node_vcores": 1, "bind": "127.0.0.1:0",
            }, "resource_manager": null, "node_agents": [],
        });
        folder.file("data/cluster.json", record.to_string(), 0o600);
        let mut command = folder.command(&[line, &["--data-dir", "data"]].concat());
        // A flag takes precedence over the environment.
        command.env("WEIR_CONF_YARN_RESOURCEMANAGER_WEBAPP_ADDRESS", "127.0.0.1:1");
        command.env("WEIR_TOKEN", "of-the-variable");
        let ended = Ended::of(folder.start(&mut command));
        let asked = fake.all();
        assert!(!asked.is_empty(), "{line:?}: {ended:#?}");
        let changes = asked.iter().filter(|asked| asked.method != "GET");
        for change in changes {
            assert_eq!(change.headers["authorization"], "Bearer of-the-folder");
        }
    }
}

/// An application in this state that has had an app master, whose answers to a cancel are these in turn.
fn launched(state: &'static str, answers: Vec<(u16, &'static str)>) -> FakeCluster {
    let answers = std::sync::Mutex::new(answers.into_iter());
    FakeCluster::new(move |asked: &Asked| {
        let mut app = app(state);
        app["launchTime"] = json!(1_763_640_001_500_u64);
        let path = asked.path.split('?').next().unwrap_or_default();
        match asked.method.as_str() {
            "GET" if path.ends_with("/apps") => ok(json!({"apps": {"app": [app]}})),
            "GET" => ok(json!({"app": app})),
            "PATCH" => {
                let (status, text) = answers.lock().expect("not poisoned").next().expect("enough");
                Some((status, json!({"errors": [text]}).to_string()))
            }
            _ => None,
        }
    })
}

#[test]
fn job_that_has_run_is_not_killed_while_its_app_master_is_out_of_reach() {
    let folder = Folder::new();
    let job = JobId::of_text("count").to_string();
    for state in ["ACCEPTED", "RUNNING"] {
        let not_up = (503, "it has no app master yet [WEIR-RM-0050]");
        let fake = launched(state, vec![not_up, not_up, (202, "")]);
        fake.weir(&folder, &["cancel", &job]).succeeds();
        let changes: Vec<_> =
            fake.lines().into_iter().filter(|line| !line.starts_with("GET")).collect();
        let patch = format!("PATCH /proxy/{APPLICATION}/jobs/{job}?mode=cancel");
        assert_eq!(changes, [patch.clone(), patch.clone(), patch]);
    }
}

#[test]
fn job_that_ends_while_it_is_cancelled_is_said_to_have_ended() {
    let folder = Folder::new();
    let job = JobId::of_text("count").to_string();
    let text = "Job cancellation failed because the job has already reached another terminal state \
                (FINISHED).";
    let fake = launched("RUNNING", vec![(409, text)]);
    let ended = fake.weir(&folder, &["cancel", &job]);
    ended.fails(1, &[&format!("Could not cancel job {job}: {text}"), "WEIR-CLI-0210"]);
}

#[test]
fn jobs_and_applications_that_are_not_there_are_named() {
    let folder = Folder::new();
    let empty = FakeCluster::new(|asked| match asked.path.starts_with("/ws/v1/cluster/apps?") {
        true => ok(json!({"apps": {}})),
        false => Some(refusal(404, "WEIR-RM-0002", "no such application")),
    });
    let job = JobId::of_text("none").to_string();
    empty
        .weir(&folder, &["cancel", &job])
        .fails(1, &[&job, "has no job or application with the id", "WEIR-CLI-0207"]);
    empty.weir(&folder, &["cancel"]).fails(2, &["Missing JobID. Specify a JobID to cancel a job."]);
    empty.weir(&folder, &["cancel", "xyz"]).fails(2, &["\"xyz\" is not a job id (32 hex digits)"]);
    for action in [&["application", "status"][..], &["application", "kill"], &["logs"]] {
        let ended = empty.weir(&folder, &[action, &[APPLICATION]].concat());
        ended.fails(1, &["has no application", APPLICATION, "WEIR-CLI-0206"]);
        let ended = empty.weir(&folder, &[action, &["job_1"]].concat());
        ended.fails(2, &["\"job_1\" is not a job id"]);
    }
}

#[test]
fn applications_are_shown_and_killed_with_yarns_messages() {
    let folder = Folder::new();
    let running = cluster("RUNNING");
    let ended = running.weir(&folder, &["application", "list", "--states", "running"]);
    ended.succeeds();
    assert!(ended.stdout.starts_with("Total number of applications ("), "{ended:#?}");
    assert!(ended.stdout.contains(&format!("\n{APPLICATION}\t")), "{ended:#?}");
    running.first("GET /ws/v1/cluster/apps?states=RUNNING");
    let ended = running.weir(&folder, &["application", "kill", APPLICATION]);
    ended.succeeds();
    assert!(ended.stdout.contains("has already finished"));
    let accepted = cluster("ACCEPTED").weir(&folder, &["application", "status", APPLICATION]);
    accepted.succeeds();
    for part in [
        "Application Report : ",
        "\tProgress : 50%\n",
        "\tDiagnostics : out of luck\n",
        "\tWaits for : 2 containers of <memory:1024 MiB, vCores:1>: no node has room\n",
    ] {
        assert!(accepted.stdout.contains(part), "{part:?} is missing in {accepted:#?}");
    }
    running.weir(&folder, &["application", "list", "--states", "ALIVE"]).fails(2, &["ALIVE"]);
}

#[test]
fn nodes_are_listed() {
    let folder = Folder::new();
    let fake = cluster("RUNNING");
    let ended = fake.weir(&folder, &["node", "list"]);
    ended.succeeds();
    assert!(ended.stdout.starts_with("Total Nodes:1\n"), "{ended:#?}");
    let ended = fake.weir(&folder, &["node", "list", "--all", "--output", "json"]);
    assert_eq!(ended.json()["nodes"]["node"].as_array().map(Vec::len), Some(2));
}

/// An application without containers that stands so whenever it is asked for, the last from then on.
fn followed(states: &'static [&'static str]) -> FakeCluster {
    let asked_apps = AtomicUsize::new(0);
    FakeCluster::new(move |asked: &Asked| {
        let path = asked.path.split('?').next().unwrap_or_default();
        match path {
            "/ws/v1/cluster/nodes" => ok(json!({"nodes": {}})),
            path if path.ends_with("/appattempts") => ok(json!({"appAttempts": {}})),
            path if path.ends_with(&format!("/apps/{APPLICATION}")) => {
                let place = asked_apps.fetch_add(1, Ordering::SeqCst).min(states.len() - 1);
                match states[place] {
                    "LOST" => Some((LOST, String::new())),
                    "503" => Some(refusal(503, "WEIR-HTTP-0004", "the store is busy")),
                    state => ok(json!({"app": app(state)})),
                }
            }
            _ => None,
        }
    })
}

#[test]
fn following_logs_continues_after_a_daemon_did_not_answer_for_a_while() {
    let folder = Folder::new();
    let fake = followed(&["RUNNING", "RUNNING", "LOST", "503", "RUNNING", "FINISHED"]);
    let ended = fake.weir(&folder, &["logs", "-f", APPLICATION]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.stderr.matches("waiting").count(), 1, "{ended:#?}");
}

#[test]
fn following_logs_ends_when_standard_output_is_closed() {
    let folder = Folder::new();
    let fake = followed(&["RUNNING"]);
    let mut child = folder.start(&mut fake.command(&folder, &["logs", "-f", APPLICATION]));
    drop(child.stdout.take());
    Ended::of(child).succeeds();
}
