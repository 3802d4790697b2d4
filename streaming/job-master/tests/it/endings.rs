//! Ends by failures: storage that fails, records that cannot be read, panics.

use super::fake::{Job, Order, bounded, endless, log_of, settings};
use std::fs;
use weir_base::{FailureOrigin, LogIndex};
use weir_checkpoint_storage::CheckpointStorage;
use weir_coordination::JobOutcome;
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand},
};

fn failure_code(outcome: &JobOutcome) -> &str {
    assert_eq!(outcome.status, JobStatus::Failed, "{outcome:?}");
    outcome.failure.as_ref().map_or("none", |failure| &failure.code)
}

#[test]
fn damaged_log_fails_the_job_before_any_task_is_deployed() {
    let dir = tempfile::tempdir().unwrap();
    let storage = CheckpointStorage::local(dir.path()).unwrap();
    storage.log().append(LogIndex(0), b"record").unwrap();
    fs::write(dir.path().join("log/00000000000000000000"), "torn").unwrap();

    let job = Job::start(&storage, settings(), bounded(&storage));
    let outcome = job.handle.wait();
    assert_eq!(failure_code(&outcome), "WEIR-CKPT-0002");
    assert!(outcome.off_record);
    assert_eq!(outcome.failure.unwrap().origin, FailureOrigin::Permanent);
    let ended = job.handle.ended_at().expect("it has ended");
    assert!(ended <= std::time::Instant::now());
    assert_eq!(job.handle.view().status, JobStatus::Failed);
    assert_eq!(job.handle.ended_at(), Some(ended), "it does not depend on who asks when");
    assert_eq!(job.orders.iter().count(), 0);
}

#[test]
fn failing_storage_is_reported_with_its_cause_and_retried() {
    let dir = tempfile::tempdir().unwrap();
    let storage = CheckpointStorage::local(dir.path()).unwrap();
    let log = dir.path().join("log");
    fs::write(&log, "a file where the folder should be").unwrap();

    let job = Job::start(&storage, settings(), bounded(&storage));
    let failure = job.wait_for_failure();
    assert_eq!(failure.code, "WEIR-CKPT-0005");
    assert!(failure.message.contains("Not a directory"), "{}", failure.message);
    assert_eq!(failure.origin, FailureOrigin::External);
    fs::remove_file(&log).unwrap();
    assert_eq!(job.handle.wait().status, JobStatus::Finished);
}

#[test]
fn record_that_does_not_parse_fails_the_job_and_is_named() {
    let storage = CheckpointStorage::in_memory();
    storage.log().append(LogIndex(0), b"{\"record\":\"of-the-future\"}\n").unwrap();
    let outcome = Job::start(&storage, settings(), bounded(&storage)).handle.wait();
    assert_eq!(failure_code(&outcome), "WEIR-JOB-0101");
    let message = outcome.failure.unwrap().message;
    assert!(message.contains("record memory:log/00000000000000000000"), "{message}");
}

#[test]
fn panic_ends_the_job_cancels_its_tasks_and_leaves_the_log_open() {
    let storage = CheckpointStorage::in_memory();
    let mut script = endless(&storage);
    let job = Job::start(
        &storage,
        settings(),
        Box::new(move |task, attempt, order| {
            assert!(
                !matches!(order, Order::Command(TaskCommand::TriggerCheckpoint(_))),
                "a defect for this test"
            );
            let mut reports = script(task, attempt, order);
            if matches!(order, Order::Deploy(_)) {
                reports.push(ReportKind::EndOfData);
            }
            reports
        }),
    );

    let outcome = job.handle.wait();
    assert_eq!(failure_code(&outcome), "WEIR-JOB-0100");
    assert!(outcome.off_record);
    assert!(outcome.failure.unwrap().message.contains("a defect for this test"));
    let view = job.handle.view();
    assert_eq!(view.status, JobStatus::Failed);
    assert_eq!(view.failures[0].root.failure.code, "WEIR-JOB-0100");

    let last: Vec<Order> = job.orders.iter().map(|(_, order)| order).collect();
    assert_eq!(
        last[last.len() - 2..],
        [Order::Command(TaskCommand::Cancel), Order::Command(TaskCommand::Cancel)]
    );
    assert_eq!(log_of(&storage), ["epoch-begins"]);
}
