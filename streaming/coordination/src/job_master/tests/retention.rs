//! Retention of the snapshots of a job that has ended.

use super::script::{Script, graph, settings};
use crate::messages::{CheckpointRetention, RestartStrategy};

/// Runs until checkpoint 1 is recorded; its sink has not committed yet.
const CHECKPOINTED: &str = "> start
    status Initializing
    append 0: epoch 1 from c1
    > appended
    status Created
    deploy 1/0#1.1
    deploy 0/0#1.1
    > running all
    status Running
    > at 1000
    trigger c1 0/0#1.1
    > ack c1 all
    append 1: completed c1
    > appended
    complete c1 0/0#1.1
    complete c1 1/0#1.1
";

const FINISHES: &str = "> ends all
    trigger c2 0/0#1.1
    > ack c2 all
    append 2: completed c2
    > appended
    complete c2 0/0#1.1
    complete c2 1/0#1.1
    dispose c1 c1-0-0 c1-1-0
    append 3: disposed c1
    > appended
    > committed c2 1/0
    finish 0/0#1.1
    > finished all
    append 4: ended Finished restarts 0 completed 2 last c2
    > appended
    SWEEP c3
    status Finished
    terminated Finished restarts 0 completed 2 last c2
";

const IS_CANCELED: &str = "> committed c1 1/0
    > cancel
    status Cancelling
    cancel 0/0#1.1
    cancel 1/0#1.1
    > canceled all
    append 2: ended Canceled restarts 0 completed 1 last c1
    > appended
    SWEEP c2
    status Canceled
    terminated Canceled restarts 0 completed 1 last c1
";

const FAILS: &str = "> committed c1 1/0
    > fails 0/0
    status Failing (boom in source (1/1))
    cancel 1/0#1.1
    > canceled 1/0
    append 2: ended Failed restarts 0 completed 1 last c1 (boom in source (1/1))
    > appended
    SWEEP c2
    status Failed (boom in source (1/1))
    terminated Failed restarts 0 completed 1 last c1 (boom in source (1/1))
";

/// Checks a script in which `SWEEP c2` is the deletion of all snapshots, where they are deleted.
fn check(retention: CheckpointRetention, script: &str, deleted: bool) {
    let mut settings = settings();
    settings.restart = RestartStrategy::None;
    settings.retention = retention;
    let lines = script.lines().filter_map(|line| match line.trim().strip_prefix("SWEEP ") {
        Some(below) => deleted.then(|| format!("sweep below {below} but nothing\n")),
        None => Some(format!("{line}\n")),
    });
    let script: String =
        CHECKPOINTED.lines().map(|line| format!("{line}\n")).chain(lines).collect();
    Script::of(graph(1), settings).check(&script);
}

#[test]
fn snapshots_are_deleted_after_the_record_of_an_end_that_does_not_retain_them() {
    use CheckpointRetention::{Never, OnFailure, OnFailureOrCancellation};
    for (retention, finished, canceled, failed) in [
        (Never, true, true, true),
        (OnFailure, true, true, false),
        (OnFailureOrCancellation, true, false, false),
    ] {
        check(retention, FINISHES, finished);
        check(retention, IS_CANCELED, canceled);
        check(retention, FAILS, failed);
    }
}

#[test]
fn snapshots_of_a_job_that_ended_within_a_commit_are_kept() {
    let script = "> cancel
        status Cancelling
        > at 1200
        cancel 0/0#1.1
        cancel 1/0#1.1
        > canceled all
        append 2: ended Canceled restarts 0 completed 1 last c1 commit open
        > appended
        status Canceled
        terminated Canceled restarts 0 completed 1 last c1 commit open";
    check(CheckpointRetention::Never, script, false);
}

#[test]
fn snapshots_of_a_job_without_an_end_on_record_are_kept() {
    let superseded = "> committed c1 1/0
        > at 2000
        trigger c2 0/0#1.1
        > ack c2 all
        append 2: completed c2
        > taken-by-epoch 2
        status Cancelling (WEIR-JOB-0004)
        cancel 0/0#1.1
        cancel 1/0#1.1
        > canceled all
        status Suspended (WEIR-JOB-0004)
        terminated off-record Suspended restarts 0 completed 1 last c1 (WEIR-JOB-0004)";
    check(CheckpointRetention::Never, superseded, false);
}
