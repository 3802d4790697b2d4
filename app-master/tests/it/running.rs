//! A job that runs: requests, starts, placements, deployments and the final report.

use crate::{
    cluster::Cluster,
    peer::{Manager, two},
    submission::{submission, with},
};
use weir_base::{CheckpointId, LeaderEpoch};
use weir_coordination::{JobLogRecord, JobOutcome};
use weir_protocol::{
    cluster::{AppMasterCommand, FinalStatus, JobSubmission},
    control::{HostOrder, ManagerOrder},
    job::JobStatus,
    task::{ReportKind, TaskCommand},
};

#[test]
fn job_gets_containers_managers_hosts_and_deployments_and_reports_its_end() {
    let mut cluster = Cluster::run(&with(&[
        ("taskmanager.memory.process.size", "512 mb"),
        ("heartbeat.timeout", "67 s"),
    ]));
    let (_, launch) = cluster.started(0);
    assert_eq!(launch.command, ["./weir", "task-manager"]);
    let artifacts: Vec<_> = launch.artifacts.iter().map(|used| used.name.as_str()).collect();
    assert_eq!(artifacts, ["weir", "count"]);
    let variable = |name: &str| launch.environment.iter().find(|(of, _)| of == name).cloned();
    assert_eq!(variable("WEIR_HEARTBEAT_TIMEOUT_MS").expect("given").1, "67000");
    assert_eq!(variable("WEIR_TASK_SLOTS").expect("given").1, "1");

    let mut managers = [Manager::of(&cluster, 0), Manager::of(&cluster, 1)];
    let launch = managers[1].host_launch();
    assert_eq!((launch.host, launch.executable.as_str()), (1, "count"));
    assert_eq!(launch.arguments, submission().arguments);
    assert_eq!(launch.memory_limit_mib, 480);
    let (line, _) = managers[1].inside.connect(
        weir_protocol::control::Peer::TaskHost(1),
        managers[1].inside.host_introduction(1),
    );
    let mut second =
        crate::peer::Host { number: 1, line, placement: Default::default(), deployed: Vec::new() };
    let mut first = managers[0].host();

    assert_eq!(first.run(), second.run());
    assert_eq!(first.placement.hosts, second.placement.hosts);
    assert_eq!(first.placement.hosts.len(), 2);
    for (own, (host, manager)) in [&first, &second].into_iter().zip(&managers).enumerate() {
        let subtasks: Vec<_> = host.deployed.iter().map(|d| d.task.subtask as usize).collect();
        assert_eq!(subtasks, [own, own]);
        assert_eq!(host.placement.host_of_slot[own], host.placement.own);
        let address = manager.inside.host_introduction(1).data_address;
        assert_eq!(host.placement.hosts[host.placement.own as usize], address);
    }
    let (status, overview) = cluster.rest("GET", "/jobs/overview", None);
    assert_eq!(status, 200, "{overview}");
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();

    let end = cluster.finished();
    assert_eq!((end.final_status, end.diagnostics.as_str()), (FinalStatus::Succeeded, ""));
    let paths: Vec<_> = end.archive.iter().map(|answer| answer.path.as_str()).collect();
    assert!(paths.contains(&"/jobs/overview"), "{paths:?}");
    cluster.returned().expect("a good end");
    for manager in &mut managers {
        assert_eq!(manager.order(), Some(ManagerOrder::Shutdown));
        manager.line.wait_for_end();
    }
    let state = cluster.state();
    assert_eq!(state.tokens.iter().collect::<Vec<_>>(), ["appattempt_5_0001_000001.token"]);
    assert_eq!(state.started.len(), 2);
    let asks = state.allocates.iter().filter_map(|allocate| allocate.asks.first());
    assert!(asks.clone().all(|ask| ask.total == 2 && ask.resources.memory_mib == 512));
}

#[test]
fn one_manager_with_two_slots_runs_all_of_it() {
    let mut cluster = Cluster::run(&with(&[("taskmanager.numberOfTaskSlots", "2")]));
    let mut manager = Manager::of(&cluster, 0);
    let mut host = manager.host();
    while host.deployed.len() < 4 {
        match host.order() {
            Some(HostOrder::Place(placement)) => {
                assert_eq!(placement.host_of_slot, [0, 0]);
            }
            Some(HostOrder::Deploy(deployment)) => host.deployed.push(*deployment),
            other => panic!("{other:?}"),
        }
    }
    host.report_all(&ReportKind::Running);
    host.report_all(&ReportKind::EndOfData);
    for _ in 0..2 {
        assert!(matches!(
            host.order(),
            Some(HostOrder::Command { command: TaskCommand::Finish, .. })
        ));
    }
    host.report_all(&ReportKind::Finished);
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");
    assert_eq!(cluster.state().started.len(), 1);
}

#[test]
fn command_of_a_later_release_changes_nothing() {
    let mut cluster = Cluster::run(&submission());
    let [(_manager, mut first), (_other, mut second)] = two(&cluster);
    assert_eq!(first.run(), second.run());
    cluster.command(AppMasterCommand::Unknown);
    let before = cluster.state().allocates.len();
    cluster.wait("more requests", |state| (state.allocates.len() > before + 3).then_some(()));
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");
    assert_eq!(cluster.state().registered.len(), 1);
}

#[test]
fn job_continues_and_reports_everything_to_a_restarted_resource_manager() {
    let mut cluster = Cluster::run(&submission());
    let [(_manager, mut first), (lost, mut second)] = two(&cluster);
    assert_eq!(first.run(), second.run());

    cluster.command(AppMasterCommand::Resync);
    let again = cluster.wait("a second registration", |state| state.registered.get(1).cloned());
    let mut held: Vec<_> = again.held.iter().map(|held| held.container).collect();
    held.sort_unstable();
    assert_eq!(held, [cluster.started(0).0, cluster.started(1).0]);
    let anew = cluster.wait("an ask under the new epoch", |state| {
        let of_epoch = |allocate: &&weir_protocol::cluster::Allocate| allocate.epoch == 1;
        state.allocates.iter().filter(of_epoch).find_map(|allocate| allocate.asks.first().cloned())
    });
    assert_eq!(anew.total, 0);
    drop((lost, second));
    first.cancel();
    first.abandon_output();

    // One container is requested for the one that was lost since, not three.
    let ask = cluster.wait("another ask", |state| {
        let later = state.allocates.iter().filter(|allocate| allocate.epoch == 1);
        later.filter_map(|allocate| allocate.asks.first().cloned()).find(|ask| ask.total > 0)
    });
    assert_eq!(ask.total, 1);
    assert_eq!(cluster.finished().final_status, FinalStatus::Failed);
    cluster.returned().expect("told");
}

#[test]
fn job_runs_while_the_resource_manager_does_not_answer() {
    let mut cluster = Cluster::run(&submission());
    let [(_a, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    cluster.state().refusal = Some((503, "WEIR-RM-0001", "not now"));
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");
}

#[test]
fn next_attempt_continues_from_the_log_with_a_higher_epoch() {
    let storage = tempfile::tempdir().expect("a folder");
    let mut before = Cluster::idle(1);
    crate::submission::write(&submission(), before.folder.path());
    before.start(Some(storage.path()));
    let [(manager, mut first), (_b, mut second)] = two(&before);
    assert_eq!(manager.epoch, LeaderEpoch(1));
    let attempt = first.run();
    second.run();
    before.command(AppMasterCommand::Shutdown);
    let error = before.returned().expect_err("lost its job");
    assert_eq!(error.code(), "WEIR-AM-0007");
    first.line.wait_for_end();
    assert!(before.state().finished.is_none(), "the application goes on");

    let mut cluster = Cluster::idle(2);
    crate::submission::write(&submission(), cluster.folder.path());
    cluster.start(Some(storage.path()));
    let [(manager, mut first), (_b, mut second)] = two(&cluster);
    assert_eq!(manager.epoch, LeaderEpoch(2));
    assert!(first.run() > attempt);
    second.run();
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");

    // And one after the end only tells it.
    let mut late = Cluster::idle(3);
    crate::submission::write(&submission(), late.folder.path());
    late.start(Some(storage.path()));
    assert_eq!(late.finished().final_status, FinalStatus::Succeeded);
    late.returned().expect("told");
    assert!(late.state().started.is_empty());
    assert!(late.state().allocates.iter().all(|allocate| allocate.asks.is_empty()));
}

#[test]
fn answers_about_a_job_that_ended_under_an_earlier_attempt_are_kept() {
    let storage = tempfile::tempdir().expect("a folder");
    let submission = with(&[("execution.checkpointing.interval", "1 h")]);
    let folder = storage.path().join(submission.job.to_string());
    let log = weir_checkpoint_storage::CheckpointStorage::local(&folder).expect("a folder").log();
    for (index, record) in (0..).zip(recorded_end(&submission)) {
        let record = serde_json::to_vec(&record).expect("a record");
        log.append(weir_base::LogIndex(index), &record).expect("written");
    }

    let mut late = Cluster::idle(2);
    crate::submission::write(&submission, late.folder.path());
    late.start(Some(storage.path()));
    let end = late.finished();
    late.returned().expect("told");
    assert_eq!(end.final_status, FinalStatus::Succeeded);
    let answer = |path: &str| {
        let path = path.replace("ID", &submission.job.to_string());
        let found = end.archive.iter().find(|answer| answer.path == path);
        let json = &found.unwrap_or_else(|| panic!("nothing under {path}")).json;
        serde_json::from_str::<serde_json::Value>(json).expect("JSON")
    };
    for path in ["/jobs", "/overview", "/jobs/ID/plan", "/jobs/ID/config", "/jobs/ID/exceptions"] {
        answer(path);
    }
    assert_eq!(answer("/jobs/overview")["jobs"][0]["state"], "FINISHED");
    let job = answer("/jobs/ID");
    assert_eq!(job["state"], "FINISHED");
    assert_eq!(job["vertices"][0]["status"], "FINISHED");
    assert_eq!(answer("/jobs/ID/checkpoints")["counts"]["completed"], 3);
    let result = answer("/jobs/ID/execution-result");
    assert_eq!(result["status"]["id"], "COMPLETED");
    assert_eq!(result["job-execution-result"]["application-status"], "SUCCEEDED");
    assert_eq!(result["weir-result"]["restarts"], 2);
}

/// The log of a job that has finished.
fn recorded_end(submission: &JobSubmission) -> [JobLogRecord; 2] {
    let begins = JobLogRecord::EpochBegins {
        epoch: LeaderEpoch(1),
        job: submission.job,
        name: "count".to_owned(),
        fingerprint: submission.fingerprint.clone(),
        first_checkpoint: CheckpointId(1),
    };
    let outcome = JobOutcome {
        status: JobStatus::Finished,
        failure: None,
        restarts: 2,
        completed_checkpoints: 3,
        last_checkpoint: Some(CheckpointId(3)),
        off_record: false,
        commit_is_open: false,
    };
    [begins, JobLogRecord::Finished { epoch: LeaderEpoch(1), outcome }]
}
