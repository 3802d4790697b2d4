//! Failures, restarts and what is restored.

use super::script::{Script, graph, settings};
use crate::messages::{JobLogRecord, RestartStrategy};
use weir_base::{CheckpointId, LeaderEpoch, OperatorId, VertexId};
use weir_graph::{Fingerprint, KeyGroupRange, SnapshotHandle, TaskId};

const RUNNING: &str = "> start
    status Initializing
    append 0: epoch 1 from c1
    > appended
    status Created
    deploy 1/0#1.1
    deploy 0/0#1.1
    > running all
    status Running\n";

#[track_caller]
fn check(script: &str) {
    Script::new().check(&format!("{RUNNING}{script}"));
}

#[test]
fn a_failed_job_starts_again_after_its_delay_under_new_attempts() {
    check(
        "> fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65
         > appended
         > fails 1/0
         > at 49
         > at 50
         status Created
         deploy 1/0#1.2
         deploy 0/0#1.2
         > running 0/0#1.1
         > fails 0/0#1.1
         > running all
         status Running
         > fails 1/0
         status Failing (boom in sink (1/1))
         cancel 0/0#1.2
         > canceled 0/0
         append 2: ended Failed restarts 1 completed 0 last none (boom in sink (1/1))
         > appended
         status Failed (boom in sink (1/1))
         terminated Failed restarts 1 completed 0 last none (boom in sink (1/1))",
    );
}

#[test]
fn tasks_lost_together_have_stopped_and_are_one_failure() {
    check(
        "> lost 0/0 1/0 7/7#1.1
         status Restarting (host-lost in source (1/1))
         append 1: reserved below c65
         > appended
         > at 50
         status Created
         deploy 1/0#1.2
         deploy 0/0#1.2
         > lost 0/0#1.1",
    );
}

/// A failure that names a subtask sends its reader to the logs of that subtask.
#[test]
fn tasks_that_cannot_be_placed_are_one_failure_that_blames_no_task() {
    check(
        "> unplaceable 0/0 1/0 7/7#1.1
         status Restarting (no-slots)
         append 1: reserved below c65",
    );
}

#[test]
fn a_task_that_does_not_stop_is_abandoned_once() {
    check(
        "> fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65
         > appended
         > at 200
         abandon 1/0#1.1
         status Created
         deploy 1/0#1.2
         deploy 0/0#1.2
         > canceled 1/0#1.1
         > running all
         status Running",
    );
}

#[test]
fn a_permanent_failure_ends_the_job_even_while_it_restarts() {
    check(
        "> fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65
         > appended
         > fails 1/0 permanent
         status Failing (boom in sink (1/1))
         append 2: ended Failed restarts 1 completed 0 last none (boom in sink (1/1))",
    );
}

/// Recorded as failed, the job could not be resumed when the damage has been mended.
#[test]
fn a_checkpoint_that_cannot_be_restored_ends_the_job_off_the_record() {
    let completed = "> at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > crash
         > start
         status Initializing
         append 2: epoch 2 from c65
         > appended
         sweep below c65 but c1-0-0 c1-1-0
         status Created
         deploy 1/0#2.1 from c1-1-0
         deploy 0/0#2.1 from c1-0-0";
    check(&format!(
        "{completed}
         > running 0/0
         > fails 1/0 permanent
         status Failing (boom in sink (1/1))
         cancel 0/0#2.1
         > canceled 0/0
         status Failed (boom in sink (1/1))
         terminated off-record Failed restarts 0 completed 0 last c1 commit open \
         (boom in sink (1/1))"
    ));
    check(&format!(
        "{completed}
         > fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#2.1
         append 3: reserved below c129
         > fails 1/0 permanent
         status Failing (boom in sink (1/1))
         status Failed (boom in sink (1/1))
         terminated off-record Failed restarts 1 completed 0 last c1 commit open \
         (boom in sink (1/1))"
    ));
    check(&format!(
        "{completed}
         > running all
         status Running
         > fails 1/0 permanent
         status Failing (boom in sink (1/1))
         cancel 0/0#2.1
         > canceled 0/0
         append 3: ended Failed restarts 0 completed 0 last c1 (boom in sink (1/1))"
    ));
}

/// A reader of the last failure learns why no restart followed it.
#[test]
fn the_failure_that_no_restart_follows_says_that_the_strategy_allows_no_more() {
    let brain = Script::new().check(&format!(
        "{RUNNING}
         > fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65
         > appended
         > canceled 1/0
         > at 50
         status Created
         deploy 1/0#1.2
         deploy 0/0#1.2
         > running all
         status Running
         > fails 1/0
         status Failing (boom in sink (1/1))
         cancel 0/0#1.2
         > canceled 0/0
         append 2: ended Failed restarts 1 completed 0 last none (boom in sink (1/1))
         > appended
         status Failed (boom in sink (1/1))
         terminated Failed restarts 1 completed 0 last none (boom in sink (1/1))"
    ));
    let messages: Vec<String> =
        brain.view().failures.iter().map(|episode| episode.root.failure.message.clone()).collect();
    let limit = "the restart strategy allows no further restart: 1 of 1 restarts were used";
    assert!(messages[0].ends_with(limit), "{messages:?}");
    assert!(!messages[1].contains("restart strategy"), "{messages:?}");
}

#[test]
fn without_a_restart_strategy_the_first_failure_ends_the_job() {
    let mut settings = settings();
    settings.restart = RestartStrategy::None;
    Script::of(graph(1), settings).check(&format!(
        "{RUNNING}
         > fails 0/0
         status Failing (boom in source (1/1))
         cancel 1/0#1.1
         > finished 1/0
         append 1: ended Failed restarts 0 completed 0 last none (boom in source (1/1))"
    ));
}

#[test]
fn a_task_that_stops_unasked_is_a_failure() {
    check(
        "> finished 0/0
         status Restarting (WEIR-JOB-0008 in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65",
    );
    check(
        "> canceled 1/0
         status Restarting (WEIR-JOB-0008 in sink (1/1))
         cancel 0/0#1.1
         append 1: reserved below c65",
    );
}

#[test]
fn a_checkpoint_in_flight_is_dropped_with_its_tasks() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > ack c1 0/0
         > fails 0/0
         status Restarting (boom in source (1/1))
         dispose c1 c1-0-0
         cancel 1/0#1.1
         append 1: reserved below c66
         > appended
         > ack c1 1/0
         dispose c1 c1-1-0
         > canceled 1/0
         > at 1050
         status Created
         deploy 1/0#1.2
         deploy 0/0#1.2
         > running all
         status Running
         > at 2050
         trigger c2 0/0#1.2",
    );
}

#[test]
fn a_restart_waits_for_a_checkpoint_whose_record_is_under_way() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         > canceled 1/0
         > append-fails-but-lands
         > at 1999
         > at 2000
         append 1: completed c1
         > taken-by-itself
         append 2: reserved below c66
         > appended
         status Created
         deploy 1/0#1.2 from c1-1-0
         deploy 0/0#1.2 from c1-0-0",
    );
}

#[test]
fn the_newest_of_the_kept_checkpoints_is_restored() {
    let mut settings = settings();
    settings.checkpoints.as_mut().unwrap().retained = 2;
    Script::of(graph(1), settings).check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > at 2000
         trigger c2 0/0#1.1
         > ack c2 all
         append 2: completed c2
         > appended
         complete c2 0/0#1.1
         complete c2 1/0#1.1
         > lost all
         status Restarting (host-lost in source (1/1))
         append 3: reserved below c67
         > appended
         > at 2050
         status Created
         deploy 1/0#1.2 from c2-1-0
         deploy 0/0#1.2 from c2-0-0"
    ));
}

#[test]
fn a_failure_during_the_commit_restores_the_final_checkpoint() {
    check(
        "> ends all
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > fails 1/0
         status Restarting (boom in sink (1/1))
         cancel 0/0#1.1
         append 2: reserved below c66
         > appended
         > canceled 0/0
         > at 50
         status Created
         deploy 1/0#1.2 from c1-1-0
         deploy 0/0#1.2 from c1-0-0
         > running all
         status Running
         > ends all
         trigger c2 0/0#1.2",
    );
}

/// Otherwise it would restart for ever, when its tasks fail for what the newer master disposed of.
#[test]
fn a_superseded_master_finds_out_before_it_deploys_again() {
    check(
        "> fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65
         > canceled 1/0
         > at 60000
         > taken-by-epoch 2
         status Cancelling (WEIR-JOB-0004)
         status Suspended (WEIR-JOB-0004)
         terminated off-record Suspended restarts 1 completed 0 last none (WEIR-JOB-0004)",
    );
}

#[test]
fn a_new_parallelism_restores_the_snapshots_of_all_old_subtasks() {
    let mut script = Script::of(graph(2), settings());
    script.log = log_of_another_parallelism();
    script.check(
        "> start
         status Initializing
         append 2: epoch 2 from c65
         > appended
         sweep below c65 but old-sink-0 old-sink-1 old-sink-2 old-source-0
         status Created
         deploy 1/0#2.1 from old-sink-0 old-sink-1 old-sink-2
         deploy 1/1#2.1 from old-sink-0 old-sink-1 old-sink-2
         deploy 0/0#2.1 from old-source-0
         deploy 0/1#2.1 from old-source-0",
    );
}

/// A log with one checkpoint of a source with one subtask and a sink with three.
fn log_of_another_parallelism() -> Vec<JobLogRecord> {
    let handle = |name: &str, vertex: u32, subtask: u32, parallelism: u32| SnapshotHandle {
        task: TaskId { vertex, subtask },
        vertex: VertexId::of_text(name),
        key_groups: KeyGroupRange::of_subtask(128, parallelism, subtask),
        max_parallelism: Some(128),
        operators: vec![OperatorId::of_text(name)],
        path: format!("old-{name}-{subtask}"),
        size_bytes: 1,
    };
    let sinks = (0..3).map(|subtask| handle("sink", 1, subtask, 3));
    vec![
        JobLogRecord::EpochBegins {
            epoch: LeaderEpoch(1),
            job: settings().job,
            name: "job".into(),
            fingerprint: Fingerprint::of(&graph(2)),
            first_checkpoint: CheckpointId(1),
        },
        JobLogRecord::CheckpointCompleted {
            epoch: LeaderEpoch(1),
            checkpoint: CheckpointId(1),
            snapshots: std::iter::once(handle("source", 0, 0, 1)).chain(sinks).collect(),
            wall_ms: 0,
        },
    ]
}
