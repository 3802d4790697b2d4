//! From the log to running tasks; two masters of one job.

use super::script::{Script, check, graph, settings};
use crate::messages::JobLogRecord;
use std::time::Duration;
use weir_base::{CheckpointId, JobId, LeaderEpoch};
use weir_graph::{
    Fingerprint, KeyGroupRange, Schema, SnapshotHandle, StateDeclaration, StateKind, TaskId,
};

#[test]
fn consumers_are_deployed_first_and_only_after_the_epoch_record() {
    check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > at 60000
         > appended
         status Created
         deploy 1/0#1.1
         deploy 0/0#1.1
         > running 1/0
         > running 0/0
         status Running",
    );
}

#[test]
fn a_second_master_takes_fresh_attempts_and_ids_and_restores_the_last_checkpoint() {
    check(
        "> start
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
         > crash
         > start
         status Initializing
         append 2: epoch 2 from c65
         > appended
         sweep below c65 but c1-0-0 c1-1-0
         status Created
         deploy 1/0#2.1 from c1-1-0
         deploy 0/0#2.1 from c1-0-0
         > running 0/0#1.1
         > running all
         status Running",
    );
}

#[test]
fn a_master_whose_index_is_taken_stops_its_tasks_and_is_suspended() {
    check(
        "> start
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
         > taken-by-epoch 2
         status Cancelling (WEIR-JOB-0004)
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled 0/0
         > at 1200
         abandon 1/0#1.1
         status Suspended (WEIR-JOB-0004)
         terminated off-record Suspended restarts 0 completed 0 last none (WEIR-JOB-0004)
         > cancel",
    );
}

#[test]
fn a_new_master_continues_after_the_last_record_of_an_older_one() {
    check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > appended
         status Created
         deploy 1/0#1.1
         deploy 0/0#1.1
         > crash
         > start
         status Initializing
         append 1: epoch 2 from c65
         > taken-by-reservation
         append 2: epoch 2 from c500
         > appended
         sweep below c500 but nothing
         status Created
         deploy 1/0#2.1
         deploy 0/0#2.1",
    );
}

#[test]
fn an_equal_epoch_met_at_the_first_try_is_another_masters() {
    check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > taken-by-itself
         status Suspended (WEIR-JOB-0004)
         terminated off-record Suspended restarts 0 completed 0 last none (WEIR-JOB-0004)",
    );
}

#[test]
fn an_equal_epoch_after_an_unknown_outcome_leads_to_a_higher_one() {
    check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > append-fails
         > at 1000
         append 0: epoch 1 from c1
         > taken-by-itself
         append 1: epoch 2 from c65
         > appended
         sweep below c65 but nothing
         status Created
         deploy 1/0#2.1
         deploy 0/0#2.1",
    );
}

/// An app master asks for containers when a status says that the job has begun.
#[test]
fn no_status_says_that_the_job_has_begun_when_the_epoch_record_cannot_be_written() {
    let mut settings = settings();
    settings.storage_timeout = Duration::ZERO;
    Script::of(graph(1), settings).check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > append-fails
         status Failed (WEIR-JOB-0005)
         terminated off-record Failed restarts 0 completed 0 last none (WEIR-JOB-0005)",
    );
}

#[test]
fn a_log_that_cannot_be_read_is_read_again() {
    check(
        "> unreadable
         status Initializing (io)
         > at 999
         > at 1000
         read
         > start
         status Initializing
         append 0: epoch 1 from c1",
    );
}

#[test]
fn a_master_whose_log_stays_unreadable_ends_without_a_record() {
    check(
        "> cancel
         > unreadable
         status Initializing (io)
         > at 1000
         read
         > unreadable
         status Initializing (io)
         > at 3000
         read
         > unreadable
         status Initializing (io)
         > at 7000
         read
         > unreadable
         status Initializing (io)
         > at 15000
         read
         > unreadable
         status Initializing (io)
         > at 20000
         read
         > unreadable
         status Canceled (io)
         terminated off-record Canceled restarts 0 completed 0 last none (io)",
    );
    check(
        "> unreadable-for-good
         status Failed (damaged)
         terminated off-record Failed restarts 0 completed 0 last none (damaged)",
    );
}

#[test]
fn a_log_of_another_job_is_left_alone() {
    let refused = "> start
         status Initializing
         status Failed (WEIR-JOB-0001)
         terminated off-record Failed restarts 0 completed 0 last none (WEIR-JOB-0001)";
    let mut script = Script::new();
    script.log.push(epoch(JobId::of_text("another"), script.settings.fingerprint.clone()));
    script.check(refused);
}

#[test]
fn a_log_of_another_graph_is_left_alone() {
    let mut script = Script::new();
    let mut other = graph(1);
    other.nodes[1].kind = "another".into();
    script.log.push(epoch(script.settings.job, Fingerprint::of(&other)));
    let master = script.check(
        "> start
         status Initializing
         status Failed (WEIR-JOB-0002)
         terminated off-record Failed restarts 0 completed 0 last none (WEIR-JOB-0002)",
    );
    assert!(master.status().is_terminal());
}

#[test]
fn keyed_state_of_another_max_parallelism_is_refused() {
    // Whether the number was recorded, and also where the first subtask's range is the same.
    for recorded in [true, false] {
        check_max_parallelism(256, recorded, false);
        check_max_parallelism(129, recorded, false);
        check_max_parallelism(127, recorded, false);
        check_max_parallelism(128, recorded, true);
    }
}

/// A job with max parallelism 128 and parallelism 2 starts from state that was `written` with another.
#[track_caller]
fn check_max_parallelism(written: u32, recorded: bool, fits: bool) {
    let mut graph = graph(2);
    graph.nodes[1].states.push(StateDeclaration {
        name: "count".into(),
        kind: StateKind::Value,
        key: Some(Schema::opaque("u64")),
        value: Schema::opaque("u64"),
        ttl_ms: None,
    });
    let mut script = Script::of(graph, settings());
    script.log.push(epoch(script.settings.job, script.settings.fingerprint.clone()));
    let operator = script.graph.nodes[1].operator_id;
    let handle = |subtask| SnapshotHandle {
        task: TaskId { vertex: 1, subtask },
        vertex: weir_base::VertexId::of_text("sink"),
        key_groups: KeyGroupRange::of_subtask(written, 2, subtask),
        max_parallelism: recorded.then_some(written),
        operators: vec![operator],
        path: "old".into(),
        size_bytes: 1,
    };
    script.log.push(JobLogRecord::CheckpointCompleted {
        epoch: LeaderEpoch(1),
        checkpoint: CheckpointId(1),
        snapshots: [0, 1].map(handle).to_vec(),
        wall_ms: 0,
    });
    if fits {
        script.check(
            "> start
             status Initializing
             append 2: epoch 2 from c65",
        );
        return;
    }
    script.check(
        "> start
         status Initializing
         status Failed (WEIR-JOB-0009)
         terminated off-record Failed restarts 0 completed 0 last none (WEIR-JOB-0009)",
    );
}

fn epoch(job: JobId, fingerprint: Fingerprint) -> JobLogRecord {
    JobLogRecord::EpochBegins {
        epoch: LeaderEpoch(1),
        job,
        name: "job".into(),
        fingerprint,
        first_checkpoint: CheckpointId(1),
    }
}
