//! Periodic checkpoints: pace, completion, retention, failure.

use super::script::{Script, graph, settings};
use crate::job_master::{CHECKPOINT_IDS_PER_RESERVATION, Spread};
use std::fmt::Write;
use weir_protocol::job::CheckpointStatus;

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
    super::script::check(&format!("{RUNNING}{script}"));
}

#[test]
fn tasks_hear_of_completion_only_when_it_is_on_record() {
    check(
        "> at 999
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 0/0
         > ack c1 0/0
         > ack c2 1/0
         > ack c1 1/0#1.9
         > ack c1 1/0
         append 1: completed c1
         > at 1900
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > at 2599
         > at 2600
         trigger c2 0/0#1.1",
    );
}

#[test]
fn an_expired_checkpoint_is_disposed_of_before_that_is_recorded() {
    check(
        "> at 1000
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
         dispose c1 c1-0-0 c1-1-0
         append 3: disposed c1
         > ack c1 0/0
         > appended",
    );
}

#[test]
fn a_late_snapshot_of_an_aborted_checkpoint_is_disposed_of() {
    let mut settings = settings();
    settings.checkpoints.as_mut().unwrap().tolerable_failures = 1;
    Script::of(graph(1), settings).check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 0/0
         > at 1500
         aborted c1 0/0#1.1
         aborted c1 1/0#1.1
         dispose c1 c1-0-0
         > ack c1 1/0
         dispose c1 c1-1-0
         > decline c1 1/0
         > at 2200
         trigger c2 0/0#1.1
         > ack c2 all
         append 1: completed c2"
    ));
}

#[test]
fn one_failed_checkpoint_too_many_fails_the_job() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > decline c1 1/0
         aborted c1 0/0#1.1
         aborted c1 1/0#1.1
         status Restarting (WEIR-JOB-0006 in sink (1/1))
         cancel 0/0#1.1
         cancel 1/0#1.1
         append 1: reserved below c66",
    );
}

#[test]
fn a_checkpoint_fails_the_job_for_good_when_its_cause_is_permanent() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > decline c1 1/0 permanent
         aborted c1 0/0#1.1
         aborted c1 1/0#1.1
         status Failing (WEIR-JOB-0006 in sink (1/1))
         cancel 0/0#1.1
         cancel 1/0#1.1",
    );
}

#[test]
fn a_record_of_unknown_outcome_is_written_again_until_it_is_known() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > append-fails-but-lands
         > at 1999
         > at 2000
         append 1: completed c1
         > taken-by-itself
         complete c1 0/0#1.1
         complete c1 1/0#1.1",
    );
}

#[test]
fn a_log_that_cannot_be_written_ends_the_job_without_a_record() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > append-fails
         > at 2000
         append 1: completed c1
         > append-fails
         > at 4000
         append 1: completed c1
         > append-fails
         > at 8000
         append 1: completed c1
         > append-fails
         > at 16000
         append 1: completed c1
         > append-fails
         > at 21000
         append 1: completed c1
         > append-fails
         status Failing (WEIR-JOB-0005)
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled all
         status Failed (WEIR-JOB-0005)
         terminated off-record Failed restarts 0 completed 0 last none (WEIR-JOB-0005)",
    );
}

#[test]
fn a_job_runs_without_commits_while_its_log_cannot_be_written() {
    check(
        "> at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > append-fails
         > at 2000
         append 1: completed c1
         > append-fails
         > at 4000
         append 1: completed c1
         > append-fails
         > at 8000
         append 1: completed c1
         > append-fails
         > at 15999
         > at 16000
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > at 16700
         trigger c2 0/0#1.1",
    );
}

#[test]
fn ids_beyond_the_reserved_ones_are_used_only_behind_a_reservation() {
    let mut settings = settings();
    settings.checkpoints.as_mut().unwrap().tolerable_failures = 100;
    let mut script = RUNNING.to_owned();
    let mut at = 1000;
    for id in 1..=CHECKPOINT_IDS_PER_RESERVATION {
        writeln!(script, "> at {at}\ntrigger c{id} 0/0#1.1").unwrap();
        writeln!(script, "> decline c{id} 0/0\naborted c{id} 0/0#1.1\naborted c{id} 1/0#1.1")
            .unwrap();
        at += 1000;
    }
    writeln!(script, "> at {at}\nappend 1: reserved below c129\n> at {}", at + 5000).unwrap();
    writeln!(script, "> appended\ntrigger c65 0/0#1.1").unwrap();
    Script::of(graph(1), settings).check(&script);
}

#[test]
fn the_view_shows_sizes_and_durations() {
    let master = Script::new().check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 0/0
         > ack c1 0/0
         > ack c1 1/0
         append 1: completed c1
         > at 1040
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1"
    ));
    let view = master.view();
    let checkpoint = &view.checkpoints.history[0];
    assert_eq!(checkpoint.status, CheckpointStatus::Completed);
    assert_eq!((checkpoint.size_bytes, checkpoint.duration_ms), (20, Some(40)));
    assert_eq!((checkpoint.acknowledged_tasks, checkpoint.tasks), (2, 2));
    assert_eq!(view.checkpoints.counts.completed, 1);
    assert_eq!(view.status_times.last().map(|time| time.wall_ms), Some(1_000_000));
}

#[test]
fn all_completed_checkpoints_are_summed_up_and_acknowledgements_have_their_time() {
    let mut script = RUNNING.to_owned();
    for number in 1..=12 {
        let at_ms = number * 1000;
        let _ = writeln!(
            script,
            "> at {at_ms}
             trigger c{number} 0/0#1.1
             > at {}
             > ack c{number} 0/0",
            at_ms + number,
        );
        if number == 12 {
            break;
        }
        let _ = writeln!(
            script,
            "> ack c{number} 1/0
             append {}: completed c{number}
             > appended
             complete c{number} 0/0#1.1
             complete c{number} 1/0#1.1",
            if number == 1 { 1 } else { 2 * number - 2 + u64::from(number > 8) },
        );
        if number > 1 {
            let (old, index) = (number - 1, 2 * number - 1 + u64::from(number > 8));
            let _ = writeln!(
                script,
                "dispose c{old} c{old}-0-0 c{old}-1-0
                 append {index}: disposed c{old}
                 > appended"
            );
        }
        if number == 8 {
            let _ = writeln!(
                script,
                "append 16: snapshot of epoch 1, ids from c65, completed c8
                 > appended"
            );
        }
    }
    let view = Script::new().check(&script).view();
    let Spread { count, min, max, .. } = view.checkpoints.duration_ms;
    assert_eq!((count, min, max), (11, 1, 11));
    assert_eq!(view.checkpoints.size_bytes.mean(), 20);
    assert_eq!(view.checkpoints.history.len(), 10);
    assert_eq!(view.checkpoints.history[0].last_ack_wall_ms, Some(1_012_012));
}
