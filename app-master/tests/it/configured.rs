//! What the code of a program sets holds on a cluster: in the app master, its task managers and its task
//! hosts.

use crate::{
    cluster::Cluster,
    peer::{Host, Manager, two},
    submission::{submission, with},
};
use serde_json::Value;
use weir_config::{Config, keys};
use weir_protocol::{
    cluster::JobSubmission,
    control::{HostOrder, ManagerOrder},
    task::{ReportKind, TaskCommand},
};

/// Waits until the job master triggers a checkpoint at a source.
fn checkpoint_begins(host: &mut Host) {
    let order = host.order();
    let Some(HostOrder::Command { command: TaskCommand::TriggerCheckpoint(_), .. }) = order else {
        panic!("{order:?}");
    };
}

/// Stops both tasks of a task host, whatever report of their checkpoint comes.
fn cancel(host: &mut Host) {
    let mut left = host.deployed.len();
    while left > 0 {
        match host.order() {
            Some(HostOrder::Command { task, attempt, command: TaskCommand::Cancel }) => {
                host.report((task, attempt), ReportKind::Canceled);
                left -= 1;
            }
            Some(HostOrder::Command {
                command: TaskCommand::TriggerCheckpoint(_) | TaskCommand::CheckpointAborted(_),
                ..
            }) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn checkpoints_enabled_in_code_are_taken_and_the_job_restarts() {
    let storage = tempfile::tempdir().expect("a folder");
    let cluster = Cluster::run(&with(&[
        ("execution.checkpointing.interval", "10 ms"),
        ("execution.checkpointing.dir", &storage.path().display().to_string()),
        ("restart-strategy.exponential-delay.initial-backoff", "1 ms"),
    ]));
    let [(mut manager, mut first), (_b, mut second)] = two(&cluster);
    let before = first.run();
    second.run();
    checkpoint_begins(&mut first);
    drop(first);
    assert_eq!(manager.order(), Some(ManagerOrder::StopHost { host: 1 }));
    manager.host_ended(1, "WEIR-TM-0002", "was ended by SIGKILL");
    cancel(&mut second);
    let mut first = manager.host();
    assert!(first.run() > before);

    let path = format!("/jobs/{}/checkpoints/config", submission().job);
    let (status, answer) = cluster.rest("GET", &path, None);
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    assert_eq!(answer["interval"], 10);
}

/// A value of every key, which differs from its default where the key has more than one value.
fn every_key() -> Vec<(&'static str, String)> {
    let storage = std::env::temp_dir().join("weir-app-master-configured");
    let value = |key: &str, example: &str| match key {
        "execution.checkpointing.dir" => storage.display().to_string(),
        "taskmanager.numberOfTaskSlots" => "2".to_owned(),
        "taskmanager.memory.process.size" => "512 mb".to_owned(),
        "heartbeat.timeout" => "67 s".to_owned(),
        "web.refresh-interval" => "7 s".to_owned(),
        _ => example.to_owned(),
    };
    keys::of_jobs().map(|key| (key.name(), value(key.name(), key.example()))).collect()
}

#[test]
fn every_key_set_in_code_reaches_rest_and_task_hosts_with_its_source() {
    let every_key = every_key();
    let settings: Vec<_> = every_key.iter().map(|(key, text)| (*key, text.as_str())).collect();
    let launch_configuration = Config::new().to_json();
    let cluster = Cluster::run(&JobSubmission { launch_configuration, ..with(&settings) });

    let (_, launch) = cluster.started(0);
    let variable = |name: &str| launch.environment.iter().find(|(of, _)| of == name).cloned();
    assert_eq!(variable("WEIR_HEARTBEAT_TIMEOUT_MS").expect("given").1, "67000");
    assert_eq!(variable("WEIR_TASK_SLOTS").expect("given").1, "2");
    let ask = cluster.wait("an ask", |state| {
        state.allocates.iter().find_map(|allocate| allocate.asks.first().cloned())
    });
    assert_eq!((ask.total, ask.resources.memory_mib, ask.resources.vcores), (1, 512, 2));

    let mut manager = Manager::of(&cluster, 0);
    let launch = manager.host_launch();
    assert_eq!(launch.launch_configuration, "{}", "main is given what it was given in the client");
    let of_host = Config::from_json(&launch.configuration).expect("our own JSON");
    let given: Vec<_> = of_host.entries().collect();
    let mut expected = settings.clone();
    expected.sort_unstable();
    assert_eq!(given, expected);

    let (_, answer) = cluster.rest("GET", &format!("/jobs/{}/config", submission().job), None);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let entries = answer["weir-configuration"].as_array().expect("a list");
    for (key, value) in settings {
        let entry = entries.iter().find(|entry| entry["key"] == key).expect(key);
        assert_eq!((&entry["value"], &entry["source"]), (&value.into(), &"the program".into()));
    }
    let (_, answer) = cluster.rest("GET", "/config", None);
    assert!(answer.contains("\"refresh-interval\":7000"), "{answer}");
}
