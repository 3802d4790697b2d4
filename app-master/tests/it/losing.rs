//! Task hosts, task managers and containers that are lost.

use crate::{
    cluster::{Cluster, LOG_LINE},
    peer::{Manager, two},
    submission::{submission, with},
};
use weir_base::{Failure, FailureOrigin};
use weir_protocol::{
    cluster::{FinalStatus, FinishAppMaster, exit_status},
    control::{HostOrder, HostReport, ManagerOrder},
    task::{ReportKind, TaskCommand},
};

const RESTARTS: &[(&str, &str)] = &[
    ("restart-strategy.type", "fixed-delay"),
    ("restart-strategy.fixed-delay.attempts", "3"),
    ("restart-strategy.fixed-delay.delay", "1 ms"),
];

fn failure(code: &str, origin: FailureOrigin, message: &str) -> Failure {
    Failure {
        code: code.to_owned(),
        message: message.to_owned(),
        origin,
        task: Some("source (1/2)".to_owned()),
        operator: None,
    }
}

#[test]
fn lost_host_is_replaced_and_the_job_runs_again_on_both() {
    let mut cluster = Cluster::run(&with(RESTARTS));
    let [(mut manager, mut first), (_b, mut second)] = two(&cluster);
    let before = first.run();
    second.run();
    drop(first);
    assert_eq!(manager.order(), Some(ManagerOrder::StopHost { host: 1 }));
    manager.host_ended(1, "WEIR-TM-0002", "was ended by SIGKILL");
    second.cancel();
    let mut first = manager.host();
    assert_eq!(first.number, 2);
    assert!(first.run() > before);
    second.run();
    let addresses = &second.placement.hosts;
    assert!(addresses.contains(&manager.inside.host_introduction(2).data_address));
    assert!(!addresses.contains(&manager.inside.host_introduction(1).data_address));
    let job = submission().job;
    let (_, exceptions) = cluster.rest("GET", &format!("/jobs/{job}/exceptions"), None);
    assert!(exceptions.contains("was ended by SIGKILL"), "{exceptions}");

    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");
    assert_eq!(cluster.state().started.len(), 2);
}

#[test]
fn lost_task_manager_is_replaced_by_another_container() {
    let mut cluster = Cluster::run(&with(RESTARTS));
    let [(manager, mut first), (_b, mut second)] = two(&cluster);
    let before = first.run();
    second.run();
    let gone = manager.inside.container;
    cluster.complete(gone, exit_status::KILLED_EXCEEDING_MEMORY, "used 1.2 gb of 1 gb");
    drop((manager, first));
    second.cancel();
    let mut manager = Manager::of(&cluster, 2);
    let mut first = manager.host();
    assert!(first.run() > before);
    second.run();
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    cluster.returned().expect("a good end");
    let state = cluster.state();
    let last = state.allocates.last().expect("asked");
    assert!(!last.held.contains(&gone), "{last:?}");
    assert!(state.allocates.iter().any(|allocate| allocate.seen.contains(&gone)));
}

#[test]
fn job_without_restarts_fails_with_host_container_and_how_it_ended() {
    let mut cluster = Cluster::run(&submission());
    let [(mut manager, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    let peer = (first.deployed[0].task, first.deployed[0].attempt);
    drop(first);
    // The neighbour reports its lost connection before anything is known of the host.
    let lost = failure("WEIR-NET-0006", FailureOrigin::External, "the channel is lost");
    let task = (second.deployed[0].task, second.deployed[0].attempt);
    second.report(task, ReportKind::LostPeer { peer, failure: lost });
    assert_eq!(manager.order(), Some(ManagerOrder::StopHost { host: 1 }));
    manager.host_ended(1, "WEIR-TM-0003", "used 1.2 gb of 1 gb");
    let other = (second.deployed[1].task, second.deployed[1].attempt);
    loop {
        match second.order() {
            Some(HostOrder::Command { task, attempt, command: TaskCommand::Cancel })
                if (task, attempt) == other =>
            {
                second.report(other, ReportKind::Canceled);
            }
            // It has failed already.
            Some(HostOrder::Command { command: TaskCommand::Cancel, .. }) => {}
            Some(HostOrder::AbandonOutput) => break,
            unexpected => panic!("{unexpected:?}"),
        }
    }
    second.line.send(&HostReport::Abandoned(Ok(())));
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    let container = manager.inside.container;
    for part in [
        format!("task host 1 in {container} on {}", cluster.node()),
        "used 1.2 gb of 1 gb".to_owned(),
        "[WEIR-TM-0003]".to_owned(),
    ] {
        assert!(end.diagnostics.contains(&part), "{}", end.diagnostics);
    }
    let exceptions = archived(&end, &format!("/jobs/{}/exceptions", submission().job));
    let root = exceptions["root-exception"].as_str().expect("a cause");
    assert!(root.starts_with("WEIR-TM-0003: "), "{root}");
    let [entry] = exceptions["exceptionHistory"]["entries"].as_array().expect("a list").as_slice()
    else {
        panic!("{exceptions}")
    };
    assert_eq!(entry["concurrentExceptions"][0]["exceptionName"], "WEIR-NET-0006");
    let result = archived(&end, &format!("/jobs/{}/execution-result", submission().job));
    assert_eq!(result["weir-result"]["failure"]["consequence-count"], 1);
    cluster.returned().expect("told");
}

fn archived(end: &FinishAppMaster, path: &str) -> serde_json::Value {
    let answer = end.archive.iter().find(|answer| answer.path == path).expect("archived");
    serde_json::from_str(&answer.json).expect("JSON")
}

#[test]
fn failure_of_user_code_carries_the_end_of_its_log() {
    let mut cluster = Cluster::run(&submission());
    let [(_a, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    let task = (first.deployed[0].task, first.deployed[0].attempt);
    let boom = Failure {
        task: Some(first.deployed[0].display_name()),
        ..failure("WEIR-TASK-0001", FailureOrigin::User, "boom")
    };
    first.report(task, ReportKind::Failed(boom));
    second.cancel();
    first.deployed.remove(0);
    first.cancel();
    first.abandon_output();
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    assert!(end.diagnostics.contains("boom [WEIR-TASK-0001]"), "{}", end.diagnostics);
    let archived = |part: &str| end.archive.iter().any(|answer| answer.json.contains(part));
    assert!(archived(LOG_LINE));
    cluster.returned().expect("told");
}

#[test]
fn host_that_built_another_graph_fails_the_job_and_names_the_operator() {
    let mut cluster = Cluster::run(&submission());
    let mut manager = Manager::of(&cluster, 0);
    let number = manager.host_launch().host;
    let introduction = weir_protocol::control::HostIntroduction {
        fingerprint: weir_graph::Fingerprint::of(&crate::submission::graph("other")),
        ..manager.inside.host_introduction(number)
    };
    let peer = weir_protocol::control::Peer::TaskHost(number);
    let (mut line, admission) = manager.inside.connect(peer, introduction);
    let Some(weir_protocol::control::Admission::Refused { code, message }) = admission else {
        panic!("{admission:?}")
    };
    assert_eq!(code, "WEIR-AM-0013");
    assert!(message.contains("operator 2") && message.contains("\"other\""), "{message}");
    line.wait_for_end();
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    assert!(end.diagnostics.contains(&message), "{}", end.diagnostics);
    cluster.returned().expect("told");
}

#[test]
fn container_that_cannot_be_started_is_given_back_for_another() {
    let mut cluster = Cluster::idle(1);
    cluster.state().start_refusal = Some((403, "WEIR-NM-0099", "this lease is not signed"));
    crate::submission::write(&submission(), cluster.folder.path());
    cluster.start(None);
    let [(_a, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    let released = |allocate: &weir_protocol::cluster::Allocate| !allocate.release.is_empty();
    cluster.wait("a release", |state| state.allocates.iter().any(released).then_some(()));
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    cluster.returned().expect("a good end");
}

#[test]
fn hosts_that_end_before_they_are_ready_fail_the_job_with_the_reason_and_the_log() {
    let mut cluster = Cluster::run(&submission());
    let mut manager = Manager::of(&cluster, 0);
    for number in 1..=3 {
        assert_eq!(manager.host_launch().host, number);
        manager.host_ended(number, "WEIR-TM-0002", "ended with exit code 101");
    }
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    assert!(end.diagnostics.contains("task host 3"), "{}", end.diagnostics);
    assert!(end.diagnostics.contains("ended with exit code 101"), "{}", end.diagnostics);
    assert!(end.archive.iter().any(|answer| answer.json.contains(LOG_LINE)));
    cluster.returned().expect("told");
}

#[test]
fn host_that_cannot_be_started_fails_the_job_at_once() {
    let mut cluster = Cluster::run(&submission());
    let mut manager = Manager::of(&cluster, 0);
    let number = manager.host_launch().host;
    manager.host_ended(number, "WEIR-TM-0001", "count is not executable");
    let end = cluster.finished();
    let expected = "could not be started: count is not executable [WEIR-TM-0001]";
    assert!(end.diagnostics.ends_with(expected), "{}", end.diagnostics);
    cluster.returned().expect("told");
}

/// The last failure is reported for the tasks of the next deployment, long after the container was released.
#[test]
fn failure_of_the_pool_during_a_restart_delay_is_in_the_log() {
    let mut cluster = Cluster::run(&with(&[
        ("restart-strategy.type", "fixed-delay"),
        ("restart-strategy.fixed-delay.attempts", "3"),
        ("restart-strategy.fixed-delay.delay", "3 s"),
    ]));
    let [(mut manager, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    drop(first);
    assert_eq!(manager.order(), Some(ManagerOrder::StopHost { host: 1 }));
    manager.host_ended(1, "WEIR-TM-0002", "was ended by SIGKILL");
    second.cancel();
    let number = manager.host_launch().host;
    manager.host_ended(number, "WEIR-TM-0001", "count is not executable");
    second.abandon_output();
    let end = cluster.finished();
    assert!(end.diagnostics.contains("could not be started"), "{}", end.diagnostics);
    let path = format!("/jobs/{}/execution-result", submission().job);
    let answer = end.archive.iter().find(|answer| answer.path == path).expect("archived");
    let result: serde_json::Value = serde_json::from_str(&answer.json).expect("JSON");
    let failure = &result["weir-result"]["failure"];
    assert_eq!(failure["container"], manager.inside.container.to_string());
    assert_eq!(failure["log-excerpt"], LOG_LINE);
    cluster.returned().expect("told");
}
