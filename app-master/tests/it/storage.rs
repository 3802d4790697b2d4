//! Storage that fails, or is not mounted: the job waits for it, and never starts over.

use crate::{
    cluster::Cluster,
    peer::two,
    submission::{submission, with, write},
};
use std::{fs, path::PathBuf};
use weir_protocol::{cluster::FinalStatus, task::ReportKind};

/// An attempt with a folder of the cluster's, and the job's folder in it.
fn attempt(number: u32, timeout: &str) -> (Cluster, tempfile::TempDir, PathBuf) {
    let storage = tempfile::tempdir().expect("a folder");
    let folder = storage.path().join(submission().job.to_string());
    let cluster = Cluster::idle(number);
    write(&with(&[("weir.checkpointing.storage-timeout", timeout)]), cluster.folder.path());
    (cluster, storage, folder)
}

fn runs_to_its_end(cluster: &mut Cluster) {
    let [(_a, mut first), (_b, mut second)] = two(cluster);
    first.run();
    second.run();
    first.report_all(&ReportKind::EndOfData);
    second.report_all(&ReportKind::EndOfData);
    first.obey_finish();
    second.obey_finish();
    assert_eq!(cluster.finished().final_status, FinalStatus::Succeeded);
    cluster.returned().expect("a good end");
}

#[test]
fn app_master_registers_first_and_asks_for_nothing_while_its_log_cannot_be_read() {
    let (mut cluster, storage, folder) = attempt(1, "1 h");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("log"), "a file where the folder should be").expect("written");
    cluster.start(Some(storage.path()));
    cluster.wait("heartbeats", |state| state.allocates.get(3).map(drop));
    assert!(cluster.state().allocates.iter().all(|allocate| allocate.asks.is_empty()));
    fs::remove_file(folder.join("log")).expect("removed");
    runs_to_its_end(&mut cluster);
}

#[test]
fn log_that_stays_unreadable_fails_the_attempt_and_not_the_application() {
    let (mut cluster, storage, folder) = attempt(1, "10 ms");
    fs::create_dir(&folder).expect("made");
    fs::write(folder.join("log"), "a file where the folder should be").expect("written");
    cluster.start(Some(storage.path()));
    let error = cluster.returned().expect_err("left to the next attempt");
    assert_eq!(error.code(), "WEIR-AM-0016");
    assert!(error.to_string().contains("[WEIR-CKPT-0005]"), "{error}");
    assert!(cluster.state().finished.is_none(), "the application goes on");
}

/// Storage that is not mounted looks like an empty folder.
#[test]
fn later_attempt_that_finds_no_folder_of_the_job_does_not_start_it_over() {
    let (mut cluster, storage, folder) = attempt(2, "10 ms");
    cluster.start(Some(storage.path()));
    let error = cluster.returned().expect_err("left to the next attempt");
    assert_eq!(error.code(), "WEIR-AM-0016");
    assert!(error.to_string().contains("[WEIR-CKPT-0009]"), "{error}");
    assert!(cluster.state().finished.is_none(), "the application goes on");
    assert!(cluster.state().started.is_empty());
    assert!(!folder.exists(), "a folder of the job would mislead the next attempt");
}

#[test]
fn later_attempt_continues_when_its_storage_is_mounted() {
    let (mut cluster, storage, folder) = attempt(2, "1 h");
    cluster.start(Some(storage.path()));
    cluster.wait("heartbeats", |state| state.allocates.get(3).map(drop));
    assert!(cluster.state().allocates.iter().all(|allocate| allocate.asks.is_empty()));
    fs::create_dir(&folder).expect("made");
    runs_to_its_end(&mut cluster);
}

#[test]
fn later_attempt_begins_the_job_when_none_before_it_has_asked_for_containers() {
    let (mut cluster, storage, _) = attempt(2, "10 ms");
    cluster.state().earlier_attempt_asked = false;
    cluster.start(Some(storage.path()));
    runs_to_its_end(&mut cluster);
}

/// The attempt before it died between creating the folder and writing the first record.
#[test]
fn later_attempt_begins_the_job_when_its_folder_is_there_and_its_log_is_empty() {
    let (mut cluster, storage, folder) = attempt(2, "10 ms");
    fs::create_dir(&folder).expect("made");
    cluster.start(Some(storage.path()));
    runs_to_its_end(&mut cluster);
}

/// A failure would make the next attempt run the job again.
#[test]
fn cancel_that_cannot_be_recorded_ends_the_application_as_killed() {
    let (mut cluster, storage, folder) = attempt(1, "10 ms");
    cluster.start(Some(storage.path()));
    let [(_a, mut first), (_b, mut second)] = two(&cluster);
    first.run();
    second.run();
    fs::rename(folder.join("log"), folder.join("moved")).expect("moved");
    fs::write(folder.join("log"), "a file where the folder should be").expect("written");
    let path = format!("/v1/jobs/{}?mode=cancel", submission().job);
    let token = Some("appattempt_5_0001_000001.token");
    assert_eq!(cluster.rest("PATCH", &path, token).0, 202);
    first.cancel();
    second.cancel();
    first.abandon_output();
    let end = cluster.finished();
    assert_eq!(end.final_status, FinalStatus::Killed);
    assert!(end.diagnostics.ends_with("[WEIR-JOB-0005]"), "{}", end.diagnostics);
    cluster.returned().expect("the end is reported");
}
