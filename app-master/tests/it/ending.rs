//! Ends of a job by failures, and by a cancel.

use crate::{
    cluster::Cluster,
    peer::two,
    submission::{submission, with, write},
};
use weir_protocol::cluster::{FinalStatus, JobSubmission};

#[test]
fn cancelled_job_clears_output_away_and_is_killed() {
    let mut cluster = Cluster::run(&submission());
    let [(_a, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    let path = format!("/v1/jobs/{}?mode=cancel", submission().job);
    assert_eq!(cluster.rest("PATCH", &path, None).0, 401);
    assert_eq!(cluster.rest("PATCH", &path, Some("appattempt_5_0001_000002.token")).0, 401);
    assert_eq!(cluster.rest("PATCH", &path, Some("appattempt_5_0001_000001.token")).0, 202);
    first.cancel();
    second.cancel();
    first.abandon_output();
    let end = cluster.finished();
    assert_eq!((end.final_status, end.diagnostics.as_str()), (FinalStatus::Killed, ""));
    cluster.returned().expect("told");
}

#[test]
fn ask_that_is_refused_fails_the_job_with_the_resource_managers_message() {
    let mut cluster = Cluster::idle(1);
    cluster.state().refusal =
        Some((400, "WEIR-RM-0042", "the ask for 9999 MiB is larger than the largest node"));
    write(&submission(), cluster.folder.path());
    cluster.start(None);
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    assert!(end.diagnostics.contains("larger than the largest node"), "{}", end.diagnostics);
    assert!(end.diagnostics.contains("[WEIR-RM-0042]"), "{}", end.diagnostics);
    cluster.returned().expect("told");
}

#[test]
fn job_that_gets_no_slots_in_time_fails() {
    let mut cluster = Cluster::idle(1);
    cluster.state().capacity = 1;
    write(&with(&[("slot.request.timeout", "50 ms")]), cluster.folder.path());
    cluster.start(None);
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Failed);
    assert!(end.diagnostics.contains("[WEIR-JOB-0011]"), "{}", end.diagnostics);
    cluster.returned().expect("told");
}

/// With a key that no client would let pass.
fn configured(key: &str, value: &str) -> JobSubmission {
    let configuration = serde_json::json!({key: {"value": value, "source": "dynamic"}});
    JobSubmission { configuration: configuration.to_string(), ..submission() }
}

#[test]
fn what_cannot_begin_is_told_as_the_end_of_the_application() {
    let committing = || {
        let mut submission = submission();
        submission.stream_graph.nodes[1].commits = true;
        submission
    };
    for (number, submission, code) in [
        (1, None, "WEIR-AM-0002"),
        (1, Some(committing()), "WEIR-AM-0003"),
        (1, Some(configured("execution.checkpointing.dir", "s3://bucket")), "WEIR-CFG-0002"),
        (2, Some(submission()), "WEIR-AM-0005"),
        (1, Some(configured("no.such.key", "1")), "WEIR-CFG-0001"),
        (1, Some(configured("execution.savepoint.path", "/tmp/s")), "WEIR-CFG-0010"),
    ] {
        let mut cluster = Cluster::idle(number);
        if let Some(submission) = submission {
            write(&submission, cluster.folder.path());
        }
        cluster.start(None);
        let end = cluster.finished();
        assert_eq!(end.final_status, FinalStatus::Failed);
        assert!(end.diagnostics.contains(&format!("[{code}]")), "{}", end.diagnostics);
        assert_eq!(cluster.returned().expect_err("it says so too").code(), code);
    }
}

#[test]
fn job_cancelled_before_it_ran_ends_without_waiting_for_hosts() {
    let mut cluster = Cluster::idle(1);
    cluster.state().capacity = 0;
    write(&submission(), cluster.folder.path());
    cluster.start(None);
    let path = format!("/jobs/{}?mode=cancel", submission().job);
    let token = Some("appattempt_5_0001_000001.token");
    assert_eq!(cluster.rest("PATCH", &path, token).0, 202);
    assert_eq!(cluster.finished().final_status, FinalStatus::Killed);
    cluster.returned().expect("told");
    assert!(cluster.state().started.is_empty());
}

#[test]
fn app_master_whose_attempt_is_over_leaves_the_job_to_others() {
    let storage = tempfile::tempdir().expect("a folder");
    let mut cluster = Cluster::idle(1);
    cluster.state().refusal = Some((409, "WEIR-RM-0008", "the attempt is over"));
    write(&submission(), cluster.folder.path());
    cluster.start(Some(storage.path()));
    let error = cluster.returned().expect_err("lost its job");
    assert_eq!(error.code(), "WEIR-AM-0007");
    assert!(error.to_string().contains("the attempt is over"), "{error}");
    assert!(cluster.state().finished.is_none());
    let folder = storage.path().join(submission().job.to_string()).join("log");
    // It may have lost its job before it wrote anything.
    for record in std::fs::read_dir(folder).into_iter().flatten() {
        let record = std::fs::read(record.expect("read").path()).expect("read");
        assert!(!String::from_utf8_lossy(&record).contains("finished"));
    }
}
