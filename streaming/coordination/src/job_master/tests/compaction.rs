//! The log is kept short by snapshot records, and a master that was suspended in the meantime notices it.

use super::script::Script;
use crate::messages::{CompletedCheckpoint, JobLogRecord};
use weir_base::{CheckpointId, LeaderEpoch};
use weir_graph::SnapshotHandle;

/// A log of 14 records of an earlier master, and a job that has just begun behind it.
fn long_log() -> Script {
    let mut script = Script::new();
    script.log.push(epoch_begins(&script));
    let below = |id| JobLogRecord::CheckpointIdsReserved { below: CheckpointId(id) };
    script.log.extend((101..114).map(below));
    script
}

fn epoch_begins(script: &Script) -> JobLogRecord {
    JobLogRecord::EpochBegins {
        epoch: LeaderEpoch(1),
        job: script.settings.job,
        name: "job".into(),
        fingerprint: script.settings.fingerprint.clone(),
        first_checkpoint: CheckpointId(1),
    }
}

fn snapshot_of_epoch_7(script: &Script) -> JobLogRecord {
    let handle = |vertex: u32, name: &str| SnapshotHandle {
        max_parallelism: Some(128),
        task: weir_graph::TaskId { vertex, subtask: 0 },
        vertex: weir_base::VertexId::of_text(name),
        key_groups: weir_graph::KeyGroupRange { start: 0, end: 128 },
        operators: vec![script.graph.nodes[vertex as usize].operator_id],
        path: format!("c300-{name}"),
        size_bytes: 1,
    };
    JobLogRecord::LogSnapshot {
        epoch: LeaderEpoch(7),
        job: script.settings.job,
        name: "job".into(),
        fingerprint: script.settings.fingerprint.clone(),
        unused_ids: CheckpointId(400),
        completed: vec![CompletedCheckpoint {
            id: CheckpointId(300),
            snapshots: vec![handle(0, "source"), handle(1, "sink")],
        }],
    }
}

const BEGINNING: &str = "> start
         status Initializing
         append 14: epoch 2 from c113
         > appended
         sweep below c113 but nothing
         status Created
         deploy 1/0#2.1
         deploy 0/0#2.1
         > running all
         status Running
         > at 1000
         trigger c113 0/0#2.1
         > ack c113 all
         append 15: completed c113
         > appended
         complete c113 0/0#2.1
         complete c113 1/0#2.1
         append 16: snapshot of epoch 2, ids from c177, completed c113";

#[test]
fn a_long_log_is_summed_up_in_one_record() {
    long_log().check(&format!(
        "{BEGINNING}
         > append-fails-but-lands
         > at 2000
         append 16: snapshot of epoch 2, ids from c177, completed c113
         > taken-by-itself
         trigger c114 0/0#2.1
         > ack c114 all
         append 17: completed c114
         > appended
         complete c114 0/0#2.1
         complete c114 1/0#2.1
         dispose c113 c113-0-0 c113-1-0
         append 18: disposed c113
         > appended"
    ));
}

#[test]
fn records_before_a_snapshot_record_are_deleted_when_the_next_one_is_durable() {
    let mut script = long_log();
    let log = std::mem::take(&mut script.log);
    script.log.push(snapshot_of_epoch_7(&script));
    script.log.extend(log.into_iter().skip(1));
    script.first = 40;
    script.check(
        "> start
         status Initializing
         append 54: epoch 8 from c400
         > appended
         sweep below c400 but c300-sink c300-source
         status Created
         deploy 1/0#8.1 from c300-sink
         deploy 0/0#8.1 from c300-source
         > running all
         status Running
         > fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#8.1
         append 55: reserved below c464
         > appended
         append 56: snapshot of epoch 8, ids from c464, completed c300
         > append-fails
         > at 1000
         abandon 1/0#8.1
         status Created
         deploy 1/0#8.2 from c300-sink
         deploy 0/0#8.2 from c300-source
         append 56: snapshot of epoch 8, ids from c464, completed c300
         > appended
         delete log below 40",
    );
}

#[test]
fn a_new_master_continues_from_the_snapshot_record() {
    let mut script = long_log();
    script.log = vec![snapshot_of_epoch_7(&script)];
    script.first = 40;
    script.check(
        "> start
         status Initializing
         append 41: epoch 8 from c400
         > appended
         sweep below c400 but c300-sink c300-source
         status Created
         deploy 1/0#8.1 from c300-sink
         deploy 0/0#8.1 from c300-source",
    );
}

#[test]
fn what_stands_before_a_snapshot_record_is_forgotten() {
    let mut script = long_log();
    let below = CheckpointId(900);
    script.log.push(JobLogRecord::CheckpointIdsReserved { below });
    script.log.push(snapshot_of_epoch_7(&script));
    script.check(
        "> start
         status Initializing
         append 16: epoch 8 from c400",
    );
}

#[test]
fn a_snapshot_record_waits_for_records_under_way() {
    let mut script = long_log();
    script.settings.restart = crate::messages::RestartStrategy::None;
    script.check(&BEGINNING.replace(
        "> appended
         complete c113 0/0#2.1
         complete c113 1/0#2.1
         append 16: snapshot of epoch 2, ids from c177, completed c113",
        "> fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#2.1
         > appended
         append 16: reserved below c178
         > canceled 1/0
         > appended
         append 17: snapshot of epoch 2, ids from c178, completed c113",
    ));
}

#[test]
fn a_record_in_the_hole_of_a_compacted_log_is_void_and_stops_its_master() {
    long_log().check(&BEGINNING.replace(
        "> appended
         complete c113 0/0#2.1
         complete c113 1/0#2.1
         append 16: snapshot of epoch 2, ids from c177, completed c113",
        "> appended-in-hole
         status Cancelling (WEIR-JOB-0004)
         cancel 0/0#2.1
         cancel 1/0#2.1
         > canceled 0/0
         > canceled 1/0
         status Suspended (WEIR-JOB-0004)
         terminated off-record Suspended restarts 0 completed 0 last none (WEIR-JOB-0004)",
    ));
}

#[test]
fn a_void_snapshot_record_deletes_nothing() {
    long_log().check(&format!(
        "{BEGINNING}
         > appended-in-hole
         status Cancelling (WEIR-JOB-0004)
         cancel 0/0#2.1
         cancel 1/0#2.1"
    ));
}

#[test]
fn a_master_stops_when_another_one_has_written_after_its_record() {
    long_log().check(&BEGINNING.replace(
        "> appended
         complete c113 0/0#2.1
         complete c113 1/0#2.1
         append 16: snapshot of epoch 2, ids from c177, completed c113",
        "> appended-but-overtaken
         status Cancelling (WEIR-JOB-0004)
         cancel 0/0#2.1
         cancel 1/0#2.1",
    ));
}

/// The older master still lives and compacts: what this one has read does not reach up to its record.
#[test]
fn a_new_master_reads_the_log_again_when_it_was_compacted_meanwhile() {
    for answer in ["appended-in-hole", "taken-in-hole"] {
        long_log().check(&format!(
            "> start
             status Initializing
             append 14: epoch 2 from c113
             > {answer}
             read
             > start
             status Initializing
             append 14: epoch 2 from c113
             > appended
             sweep below c113 but nothing
             status Created
             deploy 1/0#2.1
             deploy 0/0#2.1"
        ));
    }
}
