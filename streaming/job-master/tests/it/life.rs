//! A job without failures: from its first record to its last, and how it is shown.

use super::fake::{
    Job, LONG, Order, Script, bounded, checkpoints_every, endless, log_of, settings,
};
use std::{thread, time::Duration};
use weir_base::{CheckpointId, ExecutionAttempt};
use weir_checkpoint_storage::CheckpointStorage;
use weir_coordination::{CheckpointRetention, JobSettings};
use weir_protocol::{
    job::JobStatus,
    task::{ReportKind, TaskCommand},
};

#[test]
fn bounded_job_takes_its_final_checkpoint_and_finishes() {
    let storage = CheckpointStorage::in_memory();
    let job = Job::start(&storage, settings(), bounded(&storage));

    let outcome = job.handle.wait();
    assert_eq!(outcome.status, JobStatus::Finished);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.completed_checkpoints, 1);

    assert_eq!(log_of(&storage), ["epoch-begins", "checkpoint-completed", "finished"]);
    let final_checkpoint = outcome.last_checkpoint.unwrap();
    let orders = job.orders_of(0);
    assert!(matches!(&orders[0], Order::Deploy(deployment) if deployment.restore.is_none()));
    assert_eq!(
        orders[1..],
        [
            Order::Command(TaskCommand::TriggerCheckpoint(final_checkpoint)),
            Order::Command(TaskCommand::CheckpointCompleted(final_checkpoint)),
            Order::Command(TaskCommand::Finish)
        ]
    );
}

#[test]
fn status_is_told_from_the_subscription_on_and_the_channel_closes_at_the_end() {
    let storage = CheckpointStorage::in_memory();
    let job = Job::start(&storage, settings(), endless(&storage));
    job.wait_for(JobStatus::Running);

    let changes = job.handle.subscribe_status();
    job.handle.cancel();
    let statuses: Vec<JobStatus> = changes.iter().map(|change| change.status).collect();
    assert_eq!(statuses, [JobStatus::Running, JobStatus::Cancelling, JobStatus::Canceled]);

    let late: Vec<JobStatus> =
        job.handle.subscribe_status().iter().map(|change| change.status).collect();
    assert_eq!(late, [JobStatus::Canceled]);
}

#[test]
fn cancel_ends_every_task_and_is_recorded() {
    let storage = CheckpointStorage::in_memory();
    let job = Job::start(&storage, settings(), endless(&storage));
    job.wait_for(JobStatus::Running);
    assert_eq!(job.handle.wait_timeout(Duration::ZERO), None);

    job.handle.cancel();
    job.handle.cancel();
    let outcome = job.handle.wait_timeout(LONG).unwrap();
    assert_eq!(outcome.status, JobStatus::Canceled);
    assert_eq!(log_of(&storage), ["epoch-begins", "finished"]);
    assert_eq!(job.orders_of(1).last(), Some(&Order::Command(TaskCommand::Cancel)));
    job.handle.cancel();
}

/// Regression: every task was deployed before a cancel was handled, so the cancellation timeout began
/// only when a long deployment was over.
#[test]
fn cancel_that_comes_while_tasks_are_deployed_leaves_out_the_rest() {
    let storage = CheckpointStorage::in_memory();
    let (begun, is_begun) = crossbeam_channel::bounded(1);
    let (cancel, is_cancelled) = crossbeam_channel::bounded::<()>(1);
    let mut endless = endless(&storage);
    let script: Script = Box::new(move |task, attempt, order| {
        if task.subtask == 0 && matches!(order, Order::Deploy(_)) {
            begun.send(()).unwrap();
            is_cancelled.recv_timeout(LONG).unwrap();
        }
        endless(task, attempt, order)
    });
    let job = Job::start(&storage, settings(), script);
    is_begun.recv_timeout(LONG).expect("the first task is deployed");
    job.handle.cancel();
    cancel.send(()).unwrap();
    assert_eq!(job.handle.wait().status, JobStatus::Canceled);
    let orders: Vec<_> = job.orders.try_iter().collect();
    assert_eq!(orders.iter().filter(|(task, _)| task.subtask == 1).count(), 0, "{orders:?}");
    let cancels = orders.iter().filter(|(_, order)| *order == Order::Command(TaskCommand::Cancel));
    assert_eq!(cancels.count(), 1, "{orders:?}");
}

#[test]
fn view_shows_a_change_of_status_at_once_and_the_end_for_good() {
    let storage = CheckpointStorage::in_memory();
    let job = Job::start(&storage, settings(), endless(&storage));
    job.wait_for(JobStatus::Running);
    let view = job.handle.view();
    assert_eq!(view.status, JobStatus::Running);
    assert_eq!(view.vertices[0].subtasks.len(), 2);

    job.handle.cancel();
    job.handle.wait();
    assert_eq!(job.handle.view().status, JobStatus::Canceled);
    assert_eq!(view.status, JobStatus::Running);
}

#[test]
fn many_callers_wait_for_the_same_outcome() {
    let storage = CheckpointStorage::in_memory();
    let job = Job::start(&storage, settings(), endless(&storage));
    job.wait_for(JobStatus::Running);
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let handle = job.handle.clone();
            thread::spawn(move || handle.wait())
        })
        .collect();
    job.handle.cancel();
    for waiter in waiting {
        assert_eq!(waiter.join().unwrap().status, JobStatus::Canceled);
    }
}

/// Runs until a number of checkpoints is complete, then ends.
fn ends_after(storage: &CheckpointStorage, checkpoints: usize) -> super::fake::Script {
    let mut script = endless(storage);
    let mut seen = std::collections::BTreeMap::new();
    Box::new(move |task, attempt: ExecutionAttempt, order| {
        let mut reports = script(task, attempt, order);
        if matches!(order, Order::Command(TaskCommand::CheckpointCompleted(_))) {
            let count = seen.entry(task).or_insert(0);
            *count += 1;
            if *count == checkpoints {
                reports.push(ReportKind::EndOfData);
            }
        }
        reports
    })
}

#[test]
fn periodic_checkpoints_are_paced_by_deadlines_and_all_are_gone_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let storage = CheckpointStorage::local(folder.path()).unwrap();
    let checkpoints = Some(checkpoints_every(Duration::from_millis(1)));
    let settings = JobSettings { checkpoints, retention: CheckpointRetention::Never, ..settings() };
    let job = Job::start(&storage, settings.clone(), ends_after(&storage, 3));

    let outcome = job.handle.wait();
    assert_eq!(outcome.status, JobStatus::Finished);
    assert!(outcome.completed_checkpoints >= 4, "{outcome:?}");
    assert_eq!(storage.list_snapshots().unwrap(), Vec::<String>::new());
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["log", "staging"]);

    // The log still says that the job has ended.
    let again = Job::start(&storage, settings, bounded(&storage)).handle.wait();
    assert_eq!(again.failure.unwrap().code, "WEIR-JOB-0003");
}

#[test]
fn retained_checkpoint_is_the_last_one_and_remains_after_cancellation() {
    let storage = CheckpointStorage::in_memory();
    let checkpoints = Some(checkpoints_every(Duration::from_millis(1)));
    let job = Job::start(&storage, JobSettings { checkpoints, ..settings() }, endless(&storage));
    for _ in 0..3 {
        let mut orders = job.orders.iter();
        assert!(orders.any(|(task, order)| task.subtask == 0
            && matches!(order, Order::Command(TaskCommand::CheckpointCompleted(_)))));
    }
    job.handle.cancel();
    let outcome = job.handle.wait();
    assert_eq!(outcome.status, JobStatus::Canceled);
    let CheckpointId(last) = outcome.last_checkpoint.unwrap();
    let left = storage.list_snapshots().unwrap();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(left.iter().all(|path| path.starts_with(&format!("chk-{last}/"))), "{left:?}");
}
