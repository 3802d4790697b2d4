//! Recovery of a restarted resource manager, and states with which it refuses to start.

use crate::daemon::{Agent, AppMaster, Daemon, DataDir, HOLD_MS, report, test};
use serde_json::json;
use std::fs;
use weir_protocol::cluster::{
    AppMasterFinished, ArchivedAnswer, FinalStatus, FinishAppMaster, NodeAction,
};
use weir_resource_manager::start;

#[test]
fn restarted_resource_manager_recovers_its_applications() {
    let daemon = Daemon::start();
    let (waiting, running, attempt) = test(async {
        let client = daemon.client();
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let running = client.submit().await;
        let launch = agent.launched().await;
        agent.beat(&[report(&launch, None)], 0).await;
        AppMaster::new(&daemon, launch.container.attempt).register(4711).await;
        let id = client.new_application().await;
        let weir = client.upload(b"weir").await;
        let mut body = crate::daemon::submission(id, &[("weir", &weir)]);
        body["resource"] = json!({"memory": 4096, "vCores": 1});
        let (status, answer) =
            client.json(reqwest::Method::POST, "/ws/v1/cluster/apps", &body).await;
        assert_eq!(status, 202, "{answer}");
        (id, running, launch)
    });

    let daemon = daemon.restart(&[]);
    test(async {
        let client = daemon.client();
        assert_eq!(client.app(waiting).await["state"], "ACCEPTED");
        let info = client.get("/ws/v1/cluster/info").await;
        assert_eq!(info["clusterInfo"]["weirEpoch"], 1);
        assert_eq!(info["clusterInfo"]["id"], json!(running.cluster_timestamp));

        // The node is ordered to register again, and so is the app master.
        let mut agent = Agent::new(&daemon, "127.0.0.1:1");
        assert_eq!(agent.beat(&[], 0).await.action, NodeAction::Resync);
        agent.register(vec![report(&attempt, None)]).await.expect("registered");
        let orders = agent.beat(&[report(&attempt, None)], 0).await;
        assert!(orders.kill.is_empty() && orders.launch.is_empty(), "{orders:?}");
        let master = AppMaster::new(&daemon, attempt.container.attempt);
        assert_eq!(master.register(4712).await.epoch, 1);
        let app = client.app_in(running, "RUNNING").await;
        assert_eq!(app["amRPCAddress"], "127.0.0.1:4712");
        assert_eq!(app["currentAttempt"], 1);
        assert!(client.new_application().await.sequence > waiting.sequence);
    });
}

#[test]
fn archive_and_files_survive_a_restart() {
    let daemon = Daemon::start();
    let id = test(async {
        let client = daemon.client();
        let mut agent = Agent::start(&daemon, "127.0.0.1:1").await;
        let id = client.submit().await;
        let launch = agent.launched().await;
        let master = AppMaster::new(&daemon, launch.container.attempt);
        agent.beat(&[report(&launch, None)], 0).await;
        master.register(4711).await;
        let answer = ArchivedAnswer { path: "/jobs".to_owned(), json: "[7]".to_owned() };
        let finish = FinishAppMaster {
            attempt: master.attempt,
            final_status: FinalStatus::Failed,
            diagnostics: "it broke".to_owned(),
            archive: vec![answer],
        };
        let _: AppMasterFinished = master.call("finish", &finish).await.expect("finished");
        agent.beat(&[report(&launch, Some(1))], HOLD_MS).await;
        client.app_in(id, "FINISHED").await;
        id
    });
    let daemon = daemon.restart(&[]);
    test(async {
        let client = daemon.client();
        let app = client.app(id).await;
        assert_eq!((&app["state"], &app["finalStatus"]), (&json!("FINISHED"), &json!("FAILED")));
        assert_eq!(client.get(&format!("/proxy/{id}/jobs")).await, json!([7]));
        let path = format!("/ws/v1/cluster/artifacts/{}", crate::daemon::hash_of(b"weir"));
        assert_eq!(client.send(reqwest::Method::HEAD, &path).await.status(), 200);
    });
}

/// The error code with which a resource manager refuses to start.
fn refusal(data_dir: &DataDir) -> String {
    test(async {
        match start(&data_dir.options(&[])).await {
            Ok(_) => "it began".to_owned(),
            Err(error) => error.code().to_owned(),
        }
    })
}

#[test]
fn damaged_store_missing_secret_and_used_port_have_different_errors() {
    let damaged = DataDir::new();
    fs::create_dir_all(damaged.own()).expect("made");
    fs::write(damaged.own().join("state.db"), [7; 8192]).expect("written");
    assert_eq!(refusal(&damaged), "WEIR-RM-0021");

    let blocked = DataDir::new();
    fs::write(blocked.own(), "a file where the folder should be").expect("written");
    assert_eq!(refusal(&blocked), "WEIR-RM-0024");

    let without_secret = DataDir::new();
    fs::remove_file(without_secret.options(&[]).secret_file).expect("removed");
    assert_eq!(refusal(&without_secret), "WEIR-HTTP-0003");

    let daemon = Daemon::start();
    let other = DataDir::new();
    let mut options = other.options(&[]);
    options.bind = daemon.address;
    let error = test(async { start(&options).await.err().expect("the port is taken") });
    assert_eq!(error.code(), "WEIR-HTTP-0001");
    let mut second = daemon.data_dir.options(&[]);
    second.bind = options.bind;
    let error = test(async { start(&second).await.err().expect("the store is in use") });
    assert_eq!(error.code(), "WEIR-RM-0023");
}
