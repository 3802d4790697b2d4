//! The life cycle of an application: node, submission, app master, leases, end.

use crate::daemon::{Agent, AppMaster, Daemon, HOLD_MS, eventually, report, test};
use serde_json::json;
use std::collections::BTreeMap;
use weir_base::{ContainerId, Resources};
use weir_protocol::cluster::{
    Allocate, Allocated, AppMasterCommand, AppMasterFinished, ArchivedAnswer, Ask, FinalStatus,
    FinishAppMaster, SignedLease, variables,
};

fn ask(total: u64, memory_mib: u64) -> Ask {
    Ask { id: 1, priority: 1, resources: Resources { memory_mib, vcores: 1 }, total }
}

fn allocate(master: &AppMaster, sequence: u64, asks: Vec<Ask>, held: &[ContainerId]) -> Allocate {
    Allocate {
        attempt: master.attempt,
        epoch: 0,
        sequence,
        hold_ms: HOLD_MS,
        asks,
        held: held.to_vec(),
        release: Vec::new(),
        seen: Vec::new(),
        progress: 0.5,
    }
}

#[test]
fn application_lives_from_submission_to_archive() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let id = client.submit().await;

        // The app master is launched with its variables.
        let launch = agent.launched().await;
        let master = AppMaster::new(&daemon, launch.container.attempt);
        assert_eq!(launch.launch.command, ["./weir", "app-master"]);
        assert_eq!(launch.launch.artifacts[0].size_bytes, 4);
        let environment: BTreeMap<_, _> = launch.launch.environment.iter().cloned().collect();
        assert_eq!(environment["A"], "a");
        assert_eq!(environment[variables::RESOURCE_MANAGER], daemon.address.to_string());
        assert_eq!(environment[variables::APPLICATION_ATTEMPT], master.attempt.to_string());
        let token = daemon.data_dir.secret.application_token(master.attempt);
        assert_eq!(environment[variables::APPLICATION_TOKEN], token);
        agent.beat(&[report(&launch, None)], 0).await;
        master.register(4711).await;
        let app = client.app(id).await;
        assert_eq!(
            (&app["state"], &app["trackingUI"]),
            (&json!("RUNNING"), &json!("ApplicationMaster"))
        );
        assert_eq!(app["amRPCAddress"], "127.0.0.1:4711");
        let nodes = client.get("/ws/v1/cluster/nodes").await;
        let used = &nodes["nodes"]["node"][0]["resourceUtilization"];
        assert_eq!(used["aggregatedContainersPhysicalMemoryMB"], 20);
        assert_eq!(used["nodePhysicalMemoryMB"], 512);
        // Fields without a value are left out: zeros would look like measurements.
        assert_eq!(used.as_object().map(|fields| fields.len()), Some(2), "{used}");

        // It gets leases, and an agent can verify their tokens.
        let asked = allocate(&master, 1, vec![ask(2, 512)], &[]);
        let allocated: Allocated = master.call("allocate", &asked).await.expect("allocated");
        assert_eq!(allocated.command, AppMasterCommand::Normal);
        let leases = allocated.leases;
        assert_eq!(leases.len(), 2);
        for SignedLease { lease, token, .. } in &leases {
            assert_eq!(daemon.data_dir.secret.verify_lease(token).as_ref(), Some(lease));
        }
        let app = client.app_in(id, "RUNNING").await;
        assert_eq!(app["name"], "word count");
        let with_leases = || async {
            let app = client.app(id).await;
            (app["runningContainers"] == 3).then_some(app)
        };
        let app = eventually("three containers", with_leases).await;
        assert_eq!((&app["allocatedMB"], &app["progress"]), (&json!(256 + 2 * 512), &json!(50.0)));
        show_attempt(&daemon, &launch.container).await;

        // It ends, and its archive is served.
        let answer =
            |path: &str, json: &str| ArchivedAnswer { path: path.into(), json: json.into() };
        let finish = FinishAppMaster {
            attempt: master.attempt,
            final_status: FinalStatus::Succeeded,
            diagnostics: "done".to_owned(),
            archive: vec![answer("/jobs", "{\"jobs\":[]}"), answer("/jobs/a/metrics?get=x", "[1]")],
        };
        let _: AppMasterFinished = master.call("finish", &finish).await.expect("finished");
        let _: AppMasterFinished = master.call("finish", &finish).await.expect("repeated");
        let orders = agent.beat(&[report(&launch, Some(0))], 0).await;
        assert!(orders.launch.is_empty());
        let app = client.app_in(id, "FINISHED").await;
        assert_eq!(
            (&app["finalStatus"], &app["diagnostics"]),
            (&json!("SUCCEEDED"), &json!("done"))
        );
        assert_eq!((&app["trackingUI"], &app["progress"]), (&json!("History"), &json!(100.0)));
        for figure in
            ["allocatedMB", "allocatedVCores", "reservedMB", "reservedVCores", "runningContainers"]
        {
            assert_eq!(app[figure], -1, "{figure}");
        }
        archive_is_served(&daemon, &format!("/proxy/{id}")).await;
    });
}

async fn show_attempt(daemon: &Daemon, container: &ContainerId) {
    let client = daemon.client();
    let attempt = container.attempt;
    let base = format!("/ws/v1/cluster/apps/{}/appattempts", attempt.application);
    let listed = client.get(&base).await;
    let shown = client.get(&format!("{base}/{attempt}")).await;
    assert_eq!(listed["appAttempts"]["appAttempt"][0], shown["appAttempt"]);
    let shown = &shown["appAttempt"];
    assert_eq!((&shown["id"], &shown["nodeId"]), (&json!(1), &json!("127.0.0.1:1")));
    assert_eq!(shown["containerId"], container.to_string());
    assert_eq!((&shown["state"], &shown["finalStatus"]), (&json!("RUNNING"), &json!("UNDEFINED")));
    let listed = client.get(&format!("{base}/{attempt}/containers")).await;
    let listed = listed["containers"]["container"].as_array().expect("a list");
    assert_eq!(listed.len(), 3);
    let shown = client.get(&format!("{base}/{attempt}/containers/{container}")).await;
    let shown = &shown["container"];
    assert_eq!((&shown["containerState"], &shown["allocatedMB"]), (&json!("RUNNING"), &json!(256)));
    let logs = format!(
        "http://{}/proxy-node/127.0.0.1:1/ws/v1/node/containers/{container}/logs",
        daemon.address
    );
    assert_eq!(shown["logUrl"], logs);
    let nodes = client.get("/ws/v1/cluster/nodes?states=RUNNING").await;
    let node = &nodes["nodes"]["node"][0];
    assert_eq!((&node["id"], &node["numContainers"]), (&json!("127.0.0.1:1"), &json!(3)));
    assert_eq!(node["usedMemoryMB"], 256 + 2 * 512);
    assert_eq!(client.get("/ws/v1/cluster/nodes/127.0.0.1:1").await["node"]["id"], node["id"]);
}

async fn archive_is_served(daemon: &Daemon, proxy: &str) {
    let client = daemon.client().without_token();
    for (path, expected) in [
        ("/jobs", json!({"jobs": []})),
        ("/v1/jobs", json!({"jobs": []})),
        ("/jobs?anything=1", json!({"jobs": []})),
        ("/jobs/a/metrics?get=x", json!([1])),
        ("/v1/jobs/a/metrics?get=x", json!([1])),
    ] {
        assert_eq!(client.get(&format!("{proxy}{path}")).await, expected, "{path}");
    }
    let path = format!("{proxy}/jobs/a/metrics");
    let (status, body) = crate::daemon::read(client.send(reqwest::Method::GET, &path).await).await;
    assert_eq!(status, 404);
    assert!(
        body["errors"][0].as_str().is_some_and(|text| text.contains("[WEIR-RM-0052]")),
        "{body}"
    );
    let cancel = format!("{proxy}/jobs/a?mode=cancel");
    let cancelled = daemon.client().send(reqwest::Method::PATCH, &cancel).await;
    assert_eq!(cancelled.status(), 409);
}

#[test]
fn containers_of_a_node_that_leaves_are_lost_at_once() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let id = client.submit().await;
        let launch = agent.launched().await;
        agent.beat(&[report(&launch, None)], 0).await;
        for _ in 0..2 {
            agent.leave().await.expect("it may leave, and say so again");
            let node = client.get("/ws/v1/cluster/nodes/127.0.0.1:1").await;
            assert_eq!(node["node"]["state"], "SHUTDOWN");
        }
        assert_eq!(client.app(id).await["currentAttempt"], 2);
    });
}

#[test]
fn ask_larger_than_any_node_is_refused_with_the_largest() {
    let daemon = Daemon::start();
    test(async {
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        daemon.client().submit().await;
        let launch = agent.launched().await;
        agent.beat(&[report(&launch, None)], 0).await;
        let master = AppMaster::new(&daemon, launch.container.attempt);
        master.register(4711).await;
        let asked = allocate(&master, 1, vec![ask(1, 8192)], &[]);
        let error = master.call::<_, Allocated>("allocate", &asked).await.expect_err("too large");
        assert_eq!(error.code(), "WEIR-RM-0006");
        assert!(error.to_string().contains("4096"), "{error}");
    });
}

#[test]
fn killed_application_ends_its_app_master_and_stays_killed() {
    let daemon = Daemon::start();
    test(async {
        let client = daemon.client();
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let id = client.submit().await;
        let launch = agent.launched().await;
        agent.beat(&[report(&launch, None)], 0).await;
        let master = AppMaster::new(&daemon, launch.container.attempt);
        master.register(4711).await;
        let state = format!("/ws/v1/cluster/apps/{id}/state");
        let kill = json!({"state": "KILLED", "diagnostics": "enough"});
        let (status, _) = client.json(reqwest::Method::PUT, &state, &kill).await;
        assert_eq!(status, 202);
        let orders = agent.beat(&[report(&launch, None)], HOLD_MS).await;
        assert!(orders.kill.iter().any(|kill| kill.container == launch.container));
        agent.beat(&[report(&launch, Some(137))], 0).await;
        let app = client.app_in(id, "KILLED").await;
        assert!(app["diagnostics"].as_str().is_some_and(|text| text.contains("enough")), "{app}");
        let asked = allocate(&master, 1, Vec::new(), &[]);
        let answer: Allocated = master.call("allocate", &asked).await.expect("answered");
        assert_eq!(answer.command, AppMasterCommand::Shutdown);
    });
}
