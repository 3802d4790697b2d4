//! Role task: hosts that exchange records, are killed, refused, and left alone.

use super::{
    HOLD, SUBMITTED,
    job_master::{Cluster, Job},
    lines,
};
use crate::support::{assert_each_update_once, count_words, wait_until, within_patience};
use std::{collections::BTreeMap, fs};
use weir::JobStatus;
use weir_base::LeaderEpoch;
use weir_protocol::{
    challenge::JobKey,
    cluster::RecordedResult,
    control::{Admission, HostOrder, HostReport},
};

/// Output of the job: the salt is that of the client.
fn expected(cluster: &Cluster) -> BTreeMap<String, u64> {
    let salt: u32 = rmp_serde::from_slice(&cluster.graph.once["salt"]).expect("a number");
    let counts = count_words(lines()).into_iter();
    counts.map(|(word, count)| (format!("{word}-{salt}"), count)).collect()
}

/// Waits for the job, then for the hosts to obey.
fn finish(cluster: &Cluster, mut job: Job) {
    let outcome = job.handle.wait();
    assert_eq!(outcome.status, JobStatus::Finished, "{:?}", outcome.failure);
    assert_each_update_once(&cluster.folder.path("counts"), &expected(cluster));
    job.order_all(&HostOrder::Shutdown);
    for process in job.processes.iter_mut().flatten() {
        let (status, _, complaint) = process.end();
        assert!(status.success(), "{complaint}");
        assert!(complaint.contains(&format!("joined job {}", cluster.job)), "{complaint}");
    }
}

#[test]
fn two_hosts_exchange_records_and_count_them_to_the_end() {
    within_patience(|| {
        let cluster = Cluster::new("count");
        let job = cluster.run();
        assert_eq!(job.handle.wait().restarts, 0);
        let counters = job.final_counters();
        let sum = |value: fn(&weir_protocol::control::TaskCounters) -> u64| -> u64 {
            counters.iter().map(value).sum()
        };
        assert!(sum(|task| task.bytes_out) > 0, "{counters:?}");
        assert_eq!(sum(|task| task.bytes_out), sum(|task| task.bytes_in), "{counters:?}");
        let written = sum(|task| task.operators.last().map_or(0, |sink| sink.records_in));
        let words: u64 = expected(&cluster).values().sum();
        assert!(written >= words, "the last counters are final: {written} of {words}");
        finish(&cluster, job);
    });
}

#[test]
fn a_killed_host_is_replaced_and_the_output_stays_exact() {
    within_patience(|| {
        let cluster = Cluster::new("count");
        let hold = cluster.folder.file(HOLD, "");
        let mut job = cluster.run();
        for number in [2, 3] {
            let completed = || job.handle.view().checkpoints.counts.completed;
            let before = completed();
            wait_until("checkpoints complete", || completed() > before + 1);
            job.processes[number - 2] = None;
            wait_until("its slot is free", || job.free_slots() == 1);
            job.processes.push(Some(cluster.start_host(number as u32)));
            job.join(cluster.welcome());
            wait_until("the job runs again", || {
                let view = job.handle.view();
                view.restarts >= number as u32 - 1 && view.status == JobStatus::Running
            });
            // The host that lives on has lost its connections, perhaps before the job master lost its own.
            let view = job.handle.view();
            let roots = view.failures.iter().map(|episode| episode.root.failure.code.as_str());
            assert_eq!(roots.collect::<Vec<_>>(), vec!["WEIR-TEST-0001"; number - 1]);
            let consequences = view.failures.iter().flat_map(|episode| &episode.consequences);
            assert!(consequences.clone().any(|record| record.lost_peer.is_some()), "{view:?}");
        }
        fs::remove_file(hold).expect("it was held");
        finish(&cluster, job);
        // The client only showed its graph, and no task host submits anything.
        assert!(!cluster.folder.path(SUBMITTED).exists());
    });
}

#[test]
fn earlier_jobs_are_handed_their_recorded_results() {
    within_patience(|| {
        let mut cluster = Cluster::new("two jobs");
        // As a client does when the first job has ended: the values of `once` are the same.
        let once = cluster.graph.once.clone();
        let second = Cluster::new("count");
        cluster.graph = second.graph;
        cluster.graph.once = once;
        cluster.fingerprint = second.fingerprint;
        cluster.ordinal = 1;
        let name = "as recorded".to_owned();
        cluster.earlier =
            vec![RecordedResult { name, runtime_ms: 77, ..RecordedResult::default() }];
        let mut job = cluster.run();
        assert_eq!(job.handle.wait().status, JobStatus::Finished);
        job.order_all(&HostOrder::Shutdown);
        for process in job.processes.iter_mut().flatten() {
            let (status, printed, complaint) = process.end();
            assert!(status.success(), "{complaint}");
            assert!(printed.contains("first: as recorded in 77 ms"), "{printed}");
        }
        assert_each_update_once(&cluster.folder.path("counts"), &expected(&cluster));

        cluster.earlier.clear();
        let (status, _, complaint) = cluster.start_host(7).end();
        assert!(!status.success());
        assert!(complaint.contains("WEIR-HOST-0005") && complaint.contains("job number 0"));
    });
}

/// A host with one thing wrong about it ends with this complaint.
#[track_caller]
fn assert_ends(process: &mut super::Process, parts: &[&str]) {
    let (status, _, complaint) = process.end();
    assert_eq!(status.code(), Some(1), "{complaint}");
    for part in parts {
        assert!(complaint.contains(part), "{part:?} is missing in: {complaint}");
    }
}

#[test]
fn a_host_with_another_graph_is_refused_and_ends() {
    within_patience(|| {
        let cluster = Cluster::new("another graph");
        let mut host = cluster.start_host(0);
        let mut link = cluster.accept(&cluster.key).expect("it introduces itself");
        let fingerprint = link.introduction.take().expect("it has one").fingerprint;
        let mismatch = fingerprint.check(&cluster.fingerprint).expect_err("main has changed");
        let (code, message) = ("WEIR-AM-0099".to_owned(), mismatch.to_string());
        link.send(&Admission::Refused { code, message: message.clone() });
        assert_ends(&mut host, &["WEIR-CTRL-0006", &message]);
    });
}

#[test]
fn a_host_and_a_master_with_different_keys_part() {
    within_patience(|| {
        let cluster = Cluster::new("count");
        let mut host = cluster.start_host(0);
        assert!(cluster.accept(&JobKey::new([1; 32])).is_none(), "it says no more");
        assert_ends(&mut host, &["WEIR-CTRL-0005"]);
    });
}

#[test]
fn a_host_ends_with_its_job_master_its_task_manager_and_never_lives_in_the_past() {
    within_patience(|| {
        let mut cluster = Cluster::new("count");
        let mut left_by_master = cluster.start_host(0);
        drop(cluster.welcome());
        assert_ends(
            &mut left_by_master,
            &["WEIR-HOST-0002", "the connection to the job master has ended"],
        );

        let mut left_by_manager = cluster.start_host(1);
        let link = cluster.welcome();
        left_by_manager.lifeline = None;
        assert_ends(&mut left_by_manager, &["the task manager has asked", "or has exited"]);
        drop(link);

        let mut ahead = cluster.start_host(2);
        cluster.epoch = LeaderEpoch(2);
        let link = cluster.welcome();
        assert_ends(&mut ahead, &["WEIR-HOST-0003", "epoch 2"]);
        drop(link);

        let mut garbled = cluster.start_host(3);
        let mut link = cluster.welcome();
        link.send(&"nonsense");
        assert_ends(&mut garbled, &["WEIR-CTRL-0004"]);

        let mut misplaced = cluster.start_host(4);
        let mut link = cluster.welcome();
        link.order(HostOrder::Place(weir_protocol::control::Placement::default()));
        assert_ends(&mut misplaced, &["WEIR-CTRL-0004", "placement"]);
    });
}

#[test]
fn a_host_ends_with_its_task_manager_also_when_its_output_is_not_read() {
    within_patience(|| {
        let cluster = Cluster::new("count");
        let mut host = cluster.start_host(0);
        drop(host.child.stderr.take());
        let _link = cluster.welcome();
        host.lifeline = None;
        assert_eq!(host.child.wait().expect("it was started").code(), Some(1));
    });
}

#[test]
fn orders_of_an_older_leader_are_ignored() {
    within_patience(|| {
        let cluster = Cluster::new("count");
        let mut host = cluster.start_host(0);
        let mut link = cluster.welcome();
        link.epoch = LeaderEpoch(cluster.epoch.0 - 1);
        link.order(HostOrder::Shutdown);
        link.epoch = LeaderEpoch(cluster.epoch.0 + 1);
        link.order(HostOrder::KeepAlive);
        link.epoch = cluster.epoch;
        link.order(HostOrder::Shutdown);
        link.epoch = LeaderEpoch(cluster.epoch.0 + 1);
        link.order(HostOrder::AbandonOutput);
        let answer = loop {
            match link.receive().expect("it still lives") {
                HostReport::Abandoned(result) => break result,
                HostReport::Counters(counters) => assert_eq!(counters, []),
                other => panic!("unexpected {other:?}"),
            }
        };
        assert_eq!(answer, Ok(()));
        link.order(HostOrder::Shutdown);
        assert_eq!(host.end().0.code(), Some(0));
    });
}

#[test]
fn a_cancelled_job_leaves_only_what_it_has_committed() {
    within_patience(|| {
        let cluster = Cluster::new("count");
        cluster.folder.file(HOLD, "");
        let mut job = cluster.run();
        wait_until("output is committed", || cluster.folder.path("counts").exists());
        job.handle.cancel();
        assert_eq!(job.handle.wait().status, JobStatus::Canceled);
        job.order_all(&HostOrder::AbandonOutput);
        wait_until("both hosts have answered", || job.abandoned().len() == 2);
        assert_eq!(job.abandoned(), [Ok(()), Ok(())]);
        assert!(!cluster.folder.path(".counts.inprogress").exists(), "nothing is in progress");
        job.order_all(&HostOrder::Shutdown);
        assert!(job.processes.iter_mut().flatten().all(|process| process.end().0.success()));
    });
}

#[test]
fn a_panic_in_a_host_reaches_the_job_master_and_the_log() {
    within_patience(|| {
        let cluster = Cluster::new("panics");
        let mut job = cluster.run();
        let outcome = job.handle.wait();
        assert_eq!(outcome.status, JobStatus::Failed);
        let failure = outcome.failure.expect("a reason");
        assert_eq!(failure.code, "WEIR-TASK-0001");
        assert!(failure.message.contains("no luck"), "{}", failure.message);
        job.order_all(&HostOrder::Shutdown);
        let logs: Vec<String> =
            job.processes.iter_mut().flatten().map(|process| process.end().2).collect();
        let line = |log: &String| log.contains("failed: panicked") && log.contains("no luck");
        assert!(logs.iter().any(line), "{logs:?}");
    });
}
