//! The end of the data, and the end on request.

use super::script::{Script, check, graph, settings};
use crate::messages::RestartStrategy;
use std::time::Duration;
use weir_protocol::job::ExecutionState;

const RUNNING: &str = "> start
    status Initializing
    append 0: epoch 1 from c1
    > appended
    status Created
    deploy 1/0#1.1
    deploy 0/0#1.1
    > running all
    status Running\n";

#[test]
fn a_bounded_job_commits_its_final_checkpoint_before_it_finishes() {
    check(&format!(
        "{RUNNING}
         > ends 0/0
         > ends 1/0
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > committed c1 1/0
         finish 0/0#1.1
         > finished 0/0
         > finished 1/0
         append 2: ended Finished restarts 0 completed 1 last c1
         > cancel
         > appended
         sweep below c2 but nothing
         status Finished
         terminated Finished restarts 0 completed 1 last c1"
    ));
}

#[test]
fn a_checkpoint_from_before_the_end_of_data_is_not_the_final_one() {
    check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ends all
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         trigger c2 0/0#1.1
         > committed c1 1/0
         > ack c2 all
         append 2: completed c2
         > appended
         complete c2 0/0#1.1
         complete c2 1/0#1.1
         dispose c1 c1-0-0 c1-1-0
         append 3: disposed c1
         > committed c2 1/0
         finish 0/0#1.1
         > finished all
         > appended
         append 4: ended Finished restarts 0 completed 2 last c2"
    ));
}

#[test]
fn a_committing_job_without_checkpoints_takes_its_final_one() {
    let mut settings = settings();
    settings.checkpoints = None;
    Script::of(graph(1), settings).check(&format!(
        "{RUNNING}
         > at 5000
         > ends all
         trigger c1 0/0#1.1
         > at 5299
         > ack c1 all
         append 1: completed c1"
    ));
}

#[test]
fn a_final_checkpoint_that_fails_is_tried_again_after_a_pause() {
    let mut settings = settings();
    settings.checkpoints.as_mut().unwrap().tolerable_failures = 1;
    Script::of(graph(1), settings).check(&format!(
        "{RUNNING}
         > ends all
         trigger c1 0/0#1.1
         > at 300
         aborted c1 0/0#1.1
         aborted c1 1/0#1.1
         > at 1299
         > at 1300
         trigger c2 0/0#1.1
         > decline c2 0/0
         aborted c2 0/0#1.1
         aborted c2 1/0#1.1
         status Restarting (WEIR-JOB-0006 in source (1/1))
         cancel 0/0#1.1
         cancel 1/0#1.1
         append 1: reserved below c67"
    ));
}

#[test]
fn a_job_without_commits_and_checkpoints_finishes_straight_away() {
    let mut settings = settings();
    settings.checkpoints = None;
    let mut graph = graph(1);
    graph.nodes[1].commits = false;
    Script::of(graph, settings).check(&format!(
        "{RUNNING}
         > ends all
         finish 0/0#1.1
         > finished all
         append 1: ended Finished restarts 0 completed 0 last none"
    ));
}

/// A next master would run the job again if this one ended as failed.
#[test]
fn job_is_canceled_off_the_record_when_its_log_cannot_be_written() {
    let check = |script: &str| {
        let mut settings = settings();
        settings.storage_timeout = Duration::ZERO;
        Script::of(graph(1), settings).check(script);
    };
    const CANCELED: &str = "status Canceled (WEIR-JOB-0005)
         terminated off-record Canceled restarts 0 completed 0 last none (WEIR-JOB-0005)";
    // The record of the epoch.
    check(&format!(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > cancel
         > append-fails
         {CANCELED}"
    ));
    // The record of the end.
    check(&format!(
        "{RUNNING}
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled all
         append 1: ended Canceled restarts 0 completed 0 last none
         > append-fails
         status Cancelling (WEIR-JOB-0005)
         {CANCELED}"
    ));
    // The record of a checkpoint, while tasks stop.
    check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 1/0#1.1
         > append-fails
         status Cancelling (WEIR-JOB-0005)
         > canceled all
         {CANCELED}"
    ));
    // The cancel comes after the loss.
    check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > append-fails
         status Failing (WEIR-JOB-0005)
         cancel 0/0#1.1
         cancel 1/0#1.1
         > cancel
         status Cancelling (WEIR-JOB-0005)
         > canceled all
         {CANCELED}"
    ));
}

#[test]
fn cancelling_abandons_tasks_that_do_not_stop() {
    check(&format!(
        "{RUNNING}
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 1/0#1.1
         > cancel
         > canceled 0/0
         > at 200
         abandon 1/0#1.1
         append 1: ended Canceled restarts 0 completed 0 last none
         > canceled 1/0
         > appended
         status Canceled
         terminated Canceled restarts 0 completed 0 last none"
    ));
}

#[test]
fn cancelling_works_at_any_time() {
    let canceled = "status Cancelling
         append 1: ended Canceled restarts 0 completed 0 last none
         > appended
         status Canceled
         terminated Canceled restarts 0 completed 0 last none";
    check(&format!(
        "> cancel
         > start
         status Initializing
         append 0: epoch 1 from c1
         > appended
         {canceled}"
    ));
    check(&format!(
        "{RUNNING}
         > fails 0/0
         status Restarting (boom in source (1/1))
         cancel 1/0#1.1
         append 1: reserved below c65
         > canceled 1/0
         > cancel
         status Cancelling
         > appended
         append 2: ended Canceled restarts 1 completed 0 last none"
    ));
    check(&format!(
        "{RUNNING}
         > ends all
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > committed c1 1/0
         finish 0/0#1.1
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 1/0#1.1
         > finished 0/0
         > canceled 1/0
         append 2: ended Canceled restarts 0 completed 1 last c1"
    ));
}

#[test]
fn the_end_waits_for_a_checkpoint_whose_record_is_under_way() {
    check(&format!(
        "{RUNNING}
         > at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled all
         > appended
         append 2: ended Canceled restarts 0 completed 1 last c1"
    ));
}

#[test]
fn a_job_that_has_ended_is_not_started_again() {
    check(&format!(
        "{RUNNING}
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled all
         append 1: ended Canceled restarts 0 completed 0 last none
         > appended
         status Canceled
         terminated Canceled restarts 0 completed 0 last none
         > crash
         > start
         status Initializing
         status Failed (WEIR-JOB-0003)
         terminated off-record Failed restarts 0 completed 0 last none (WEIR-JOB-0003)"
    ));
}

#[test]
fn a_submitted_job_that_has_ended_ends_the_same_way_under_the_next_master() {
    let master = Script::submitted().check(&format!(
        "{RUNNING}
         > ends all
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1
         > committed c1 1/0
         finish 0/0#1.1
         > finished all
         append 2: ended Finished restarts 0 completed 1 last c1
         > appended
         sweep below c2 but nothing
         status Finished
         terminated Finished restarts 0 completed 1 last c1
         > crash
         > start
         status Initializing
         sweep below c65 but nothing
         status Finished
         terminated Finished restarts 0 completed 1 last c1"
    ));
    let view = master.view();
    assert_eq!(
        (view.checkpoints.counts.completed, view.checkpoints.last_completed.is_some()),
        (1, true)
    );
    let subtasks: Vec<_> = view.vertices.iter().flat_map(|vertex| &vertex.subtasks).collect();
    assert!(
        subtasks.len() == 2 && subtasks.iter().all(|task| task.state == ExecutionState::Finished)
    );
}

#[test]
fn a_submitted_job_whose_older_master_still_recorded_its_end_has_that_end() {
    let master = Script::submitted().check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > taken-by-end
         status Finished
         terminated Finished restarts 2 completed 3 last c5",
    );
    assert_eq!((master.view().restarts, master.view().checkpoints.counts.completed), (2, 3));
}

const COMMITTING: &str = "> at 1000
         trigger c1 0/0#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 1/0#1.1\n";

#[test]
fn cancelling_waits_for_commits_under_way() {
    check(&format!(
        "{RUNNING}{COMMITTING}
         > cancel
         status Cancelling
         > at 1199
         > committed c1 1/0
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled all
         append 2: ended Canceled restarts 0 completed 1 last c1"
    ));
}

#[test]
fn the_last_failure_waits_for_commits_under_way() {
    let mut settings = settings();
    settings.restart = RestartStrategy::None;
    Script::of(graph(1), settings).check(&format!(
        "{RUNNING}{COMMITTING}
         > fails 0/0
         status Failing (boom in source (1/1))
         > cancel
         status Cancelling
         > committed c1 1/0
         cancel 1/0#1.1
         > canceled 1/0
         append 2: ended Canceled restarts 0 completed 1 last c1"
    ));
}

#[test]
fn sinks_that_do_not_commit_in_time_leave_the_commit_open() {
    check(&format!(
        "{RUNNING}{COMMITTING}
         > cancel
         status Cancelling
         > at 1200
         cancel 0/0#1.1
         cancel 1/0#1.1
         > canceled all
         append 2: ended Canceled restarts 0 completed 1 last c1 commit open"
    ));
}

#[test]
fn a_lost_sink_is_not_waited_for_and_leaves_the_commit_open() {
    let mut settings = settings();
    settings.restart = RestartStrategy::None;
    Script::of(graph(2), settings).check(
        "> start
         status Initializing
         append 0: epoch 1 from c1
         > appended
         status Created
         deploy 1/0#1.1
         deploy 1/1#1.1
         deploy 0/0#1.1
         deploy 0/1#1.1
         > running all
         status Running
         > at 1000
         trigger c1 0/0#1.1
         trigger c1 0/1#1.1
         > ack c1 all
         append 1: completed c1
         > appended
         complete c1 0/0#1.1
         complete c1 0/1#1.1
         complete c1 1/0#1.1
         complete c1 1/1#1.1
         > committed c1 1/0
         > lost 1/1
         status Failing (host-lost in sink (2/2))
         cancel 0/0#1.1
         cancel 0/1#1.1
         cancel 1/0#1.1
         > canceled 0/0 0/1 1/0
         append 2: ended Failed restarts 0 completed 1 last c1 commit open \
         (host-lost in sink (2/2))",
    );
}

#[test]
fn restarted_sinks_have_committed_their_restored_output() {
    check(&format!(
        "{RUNNING}{COMMITTING}
         > crash
         > start
         status Initializing
         append 2: epoch 2 from c65
         > appended
         sweep below c65 but c1-0-0 c1-1-0
         status Created
         deploy 1/0#2.1 from c1-1-0
         deploy 0/0#2.1 from c1-0-0
         > running all
         status Running
         > cancel
         status Cancelling
         cancel 0/0#2.1
         cancel 1/0#2.1
         > canceled all
         append 3: ended Canceled restarts 0 completed 0 last c1"
    ));
}
