//! Recovery by the next master, and two masters at once.

use super::fake::{
    Job, LONG, Order, Script, bounded, checkpoints_every, endless, log_of, settings,
};
use std::time::Duration;
use weir_base::{CheckpointId, LogIndex};
use weir_checkpoint_storage::CheckpointStorage;
use weir_coordination::JobSettings;
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand},
};

/// Panics as soon as the final checkpoint is complete: the master ends as if it had crashed.
fn dies_after_checkpoint(storage: &CheckpointStorage) -> Script {
    let mut script = bounded(storage);
    Box::new(move |task, attempt, order| {
        assert!(
            !matches!(order, Order::Command(TaskCommand::CheckpointCompleted(_))),
            "a crash for this test"
        );
        script(task, attempt, order)
    })
}

#[test]
fn next_master_resumes_from_the_recorded_checkpoint() {
    let storage = CheckpointStorage::in_memory();
    let crashed = Job::start(&storage, settings(), dies_after_checkpoint(&storage));
    assert_eq!(crashed.handle.wait().status, JobStatus::Failed);
    assert_eq!(log_of(&storage), ["epoch-begins", "checkpoint-completed"]);
    let recorded = storage.list_snapshots().unwrap();

    let resumed = Job::start(&storage, settings(), bounded(&storage));
    let outcome = resumed.handle.wait();
    assert_eq!(outcome.status, JobStatus::Finished, "{outcome:?}");
    let Order::Deploy(deployment) = &resumed.orders_of(0)[0] else { panic!("no deployment") };
    let restored = deployment.restore.as_ref().unwrap().checkpoint;
    assert!(recorded.iter().all(|path| path.starts_with(&format!("chk-{restored}/"))));
    assert!(outcome.last_checkpoint.unwrap() > restored);
}

#[test]
fn orphans_of_a_crash_are_swept_and_snapshots_on_record_or_of_newer_masters_stay() {
    let storage = CheckpointStorage::in_memory();
    Job::start(&storage, settings(), dies_after_checkpoint(&storage)).handle.wait();
    let mut expected = storage.list_snapshots().unwrap();
    assert_eq!(expected.len(), 2);
    storage.write("chk-9/0-0-1", b"written, never recorded".to_vec()).unwrap();
    // This master takes the ids from 65 on; the one after it those from 129 on.
    storage.write("chk-129/0-0-1", b"by the next master".to_vec()).unwrap();
    expected.push("chk-129/0-0-1".to_owned());

    let resumed = Job::start(&storage, settings(), endless(&storage));
    resumed.wait_for(JobStatus::Running);
    resumed.handle.cancel();
    resumed.handle.wait();
    assert_eq!(storage.list_snapshots().unwrap(), expected);
}

#[test]
fn log_stays_short_and_the_next_master_resumes_from_its_snapshot_record() {
    let storage = CheckpointStorage::in_memory();
    let checkpoints = Some(checkpoints_every(Duration::from_millis(1)));
    let settings = JobSettings { checkpoints, ..settings() };
    let mut script = endless(&storage);
    let mut completed = 0;
    let crashes_late: Script = Box::new(move |task, attempt, order| {
        completed +=
            usize::from(matches!(order, Order::Command(TaskCommand::CheckpointCompleted(_))));
        assert!(completed < 200, "a crash for this test");
        script(task, attempt, order)
    });
    let crashed = Job::start(&storage, settings.clone(), crashes_late);
    assert_eq!(crashed.handle.wait().status, JobStatus::Failed);
    let (first, records) = storage.log().load().unwrap();
    assert!(first > LogIndex(150), "{first}");
    assert!(records.len() < 40, "{}", records.len());
    assert_eq!(log_of(&storage)[0], "log-snapshot");

    let resumed = Job::start(&storage, settings, bounded(&storage));
    assert_eq!(resumed.handle.wait().status, JobStatus::Finished);
    let Order::Deploy(deployment) = &resumed.orders_of(0)[0] else { panic!("no deployment") };
    let restored = deployment.restore.as_ref().unwrap().checkpoint;
    assert!(restored >= CheckpointId(99), "{restored}");
}

#[test]
fn log_with_a_gap_and_no_snapshot_record_fails_the_job() {
    let storage = CheckpointStorage::in_memory();
    Job::start(&storage, settings(), dies_after_checkpoint(&storage)).handle.wait();
    storage.log().delete_below(LogIndex(1)).unwrap();
    let outcome = Job::start(&storage, settings(), endless(&storage)).handle.wait();
    let failure = outcome.failure.unwrap();
    assert_eq!(failure.code, "WEIR-CKPT-0003");
    assert_eq!(failure.origin, weir_base::FailureOrigin::Permanent);
}

#[test]
fn older_master_stops_when_it_meets_a_newer_one() {
    let storage = CheckpointStorage::in_memory();
    let old = Job::start(&storage, settings(), endless(&storage));
    old.wait_for(JobStatus::Running);
    let new = Job::start(&storage, settings(), endless(&storage));
    new.wait_for(JobStatus::Running);

    // Only its next record tells the old one.
    old.handle.cancel();
    let outcome = old.handle.wait_timeout(LONG).unwrap();
    assert_eq!(outcome.status, JobStatus::Suspended, "{outcome:?}");
    assert_eq!(new.handle.view().status, JobStatus::Running);

    new.handle.cancel();
    assert_eq!(new.handle.wait().status, JobStatus::Canceled);
    assert_eq!(log_of(&storage), ["epoch-begins", "epoch-begins", "finished"]);
}

#[test]
fn job_that_has_ended_is_not_run_again() {
    let storage = CheckpointStorage::in_memory();
    Job::start(&storage, settings(), bounded(&storage)).handle.wait();
    let again = Job::start(&storage, settings(), bounded(&storage));
    assert_eq!(again.handle.wait().status, JobStatus::Failed);
    assert_eq!(again.orders.iter().count(), 0);
}

#[test]
fn failed_task_stops_the_other_tasks() {
    let storage = CheckpointStorage::in_memory();
    let mut script = endless(&storage);
    let job = Job::start(
        &storage,
        settings(),
        Box::new(move |task, attempt, order| match order {
            Order::Deploy(_) if task.subtask == 1 => vec![ReportKind::Failed(failure())],
            order => script(task, attempt, order),
        }),
    );
    let outcome = job.handle.wait();
    assert_eq!(outcome.status, JobStatus::Failed);
    assert_eq!(outcome.failure.unwrap().code, "WEIR-TASK-0001");
    assert!(job.orders_of(0).contains(&Order::Command(TaskCommand::Cancel)));
}

fn failure() -> weir_base::Failure {
    weir_base::Failure::new(
        "WEIR-TASK-0001",
        weir_base::FailureOrigin::User,
        "the map function panicked",
    )
}
