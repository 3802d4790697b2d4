//! Attempts: launch, finish, failure, retry.

use super::script::{Script, check_running, settings};
use weir_protocol::cluster::{FinalStatus, variables};

#[test]
fn the_app_master_is_launched_when_its_lease_is_durable() {
    Script::new().check(
        "> start
         > node a
         a: registered
         a#1: Normal
         > beat a hold=1000
         > new
         store ids-below 10
         client: id 1 largest 1000
         > slow-store
         > submit 1
         store submitted 1
         > stored
         client: submitted 1
         store attempt 1.1.1 on a
         > beat a
         a#2: Normal
         a#3: Normal
         > beat a hold=1000
         > stored
         a#4: Normal launch 1.1.1",
    );
}

#[test]
fn a_finish_is_durable_before_the_app_master_may_exit() {
    check_running(
        "> slow-store
         > finish 1.1
         store finished 1.1 Succeeded, archive 1 x1
         > finish 1.1
         > beat a 1.1.1=running
         a#4: Normal
         > stored
         1.1: may-exit
         1.1: may-exit
         > finish 1.1
         1.1: may-exit
         > beat a 1.1.1=complete:0
         a#5: Normal
         store ended 1 Finished Succeeded
         > stored
         > beat a 1.1.1=complete:0
         a#6: Normal forget 1.1.1 ended 1
         > finish 1.1
         1.1: may-exit
         > allocate 1.1
         1.1#1: Shutdown",
    );
}

#[test]
fn an_application_ends_when_its_app_master_reports_the_end() {
    let ended = |script: &Script| {
        let view = script.brain.view(script.now());
        let application = &view.applications[0];
        (application.yarn_state.name(), application.ended_wall_ms)
    };
    let script = check_running(
        "> at 100
         > slow-store
         > finish 1.1
         store finished 1.1 Succeeded, archive 1 x1",
    );
    assert_eq!(ended(&script), ("RUNNING", None));
    let script = script.check(
        "> stored
         1.1: may-exit",
    );
    assert_eq!(ended(&script), ("FINISHED", Some(1_000_100)));
    let script = script.check(
        "> at 200
         > beat a 1.1.1=complete:0
         a#4: Normal
         store ended 1 Finished Succeeded
         > stored",
    );
    assert_eq!(ended(&script), ("FINISHED", Some(1_000_100)));
}

/// `FINISHED` without the final status would look like success.
#[test]
fn attempt_of_a_failed_job_is_shown_with_its_final_status() {
    let script = check_running(
        "> finish 1.1 failed
         store finished 1.1 Failed, archive 1 x1
         1.1: may-exit
         > beat a 1.1.1=complete:0
         a#4: Normal
         store ended 1 Finished Failed",
    );
    let shown = |script: &Script| {
        let attempt = script.brain.view(script.now()).applications.remove(0).attempts.remove(0);
        (attempt.state.name(), attempt.final_status, attempt.diagnostics)
    };
    let expected = ("FINISHED", FinalStatus::Failed, "as it said".to_owned());
    assert_eq!(shown(&script), expected);
    let script = script.check(
        "> crash
         > start",
    );
    assert_eq!(shown(&script), expected, "after a restart");
}

#[test]
fn an_app_master_that_does_not_exit_is_killed() {
    check_running(
        "> finish 1.1 failed
         store finished 1.1 Failed, archive 1 x1
         1.1: may-exit
         > at 2900
         > beat a 1.1.1=running
         a#4: Normal
         > at 3000
         > beat a 1.1.1=running
         a#5: Normal kill 1.1.1:-106
         > beat a 1.1.1=complete:-106
         a#6: Normal
         store ended 1 Finished Failed",
    );
}

/// Each app master measures the time of its job from the submission, also the app master of a later attempt.
#[test]
fn each_attempt_is_launched_with_the_time_of_the_submission() {
    let script = check_running(
        "> at 700
         > beat a 1.1.1=complete:1
         a#4: Normal
         store attempt-ended 1.1 1 counts, attempt 1.2.1 on a
         > beat a
         a#5: Normal launch 1.2.1",
    );
    let submission = [(variables::APPLICATION_SUBMIT_TIME.to_owned(), "1000000".to_owned())];
    assert_eq!(script.launched.len(), 2);
    for order in &script.launched {
        assert_eq!(order.launch.environment, submission, "{}", order.container);
    }
}

#[test]
fn a_second_attempt_follows_and_then_none() {
    let script = check_running(
        "> beat a 1.1.1=complete:1
         a#4: Normal
         store attempt-ended 1.1 1 counts, attempt 1.2.1 on a
         > allocate 1.1
         1.1#1: Shutdown
         > finish 1.1
         1.1: WEIR-RM-0008 attempt appattempt_1_0001_000001 is not the current one of its \
         application, or has ended: end this app master
         > beat a 1.1.1=complete:1
         a#5: Normal launch 1.2.1 forget 1.1.1
         > beat a 1.2.1=complete:137
         a#6: Normal
         store attempt-ended 1.2 137 counts, ended 1 Failed Failed",
    );
    let view = script.brain.view(script.now());
    assert_eq!(
        view.applications[0].diagnostics,
        "attempt 2 failed and no other follows (2 of at most 2 failures): the app master's \
         container was ended by signal 9"
    );
}

#[test]
fn failures_of_nodes_do_not_count_and_later_attempts_are_delayed() {
    check_running(
        "> beat a 1.1.1=complete:-101
         a#4: Normal
         store attempt-ended 1.1 -101 does-not-count, attempt 1.2.1 on a
         > beat a 1.2.1=complete:-101
         a#5: Normal
         store attempt-ended 1.2 -101 does-not-count
         > at 999
         > at 1000
         store attempt 1.3.1 on a",
    );
}

#[test]
fn a_silent_app_master_is_replaced() {
    check_running(
        "> at 2000
         > beat a 1.1.1=running
         a#4: Normal
         > beat b
         b#2: Normal
         > at 3000
         store attempt-ended 1.1 -106 counts, attempt 1.2.1 on b
         > beat a 1.1.1=running
         a#5: Normal kill 1.1.1:-106",
    );
}

#[test]
fn an_attempt_whose_launch_is_not_reported_fails() {
    Script::new().check(
        "> start
         > node a
         a: registered
         a#1: Normal
         > new
         store ids-below 10
         client: id 1 largest 1000
         > submit 1
         store submitted 1
         client: submitted 1
         store attempt 1.1.1 on a
         > at 1999
         > at 2000
         store attempt-ended 1.1 -100 does-not-count, attempt 1.2.1 on a
         > beat a
         a#2: Normal launch 1.2.1 kill 1.1.1:-100",
    );
}

#[test]
fn with_one_allowed_attempt_an_uncounted_failure_ends_the_application() {
    let mut settings = settings();
    settings.max_app_attempts = 1;
    Script::with(settings).check(
        "> start
         > node a
         a: registered
         a#1: Normal
         > new
         store ids-below 10
         client: id 1 largest 1000
         > submit 1 max=9
         store submitted 1
         client: submitted 1
         store attempt 1.1.1 on a
         > at 2999
         store attempt-ended 1.1 -100 does-not-count, ended 1 Failed Failed",
    );
}

#[test]
fn earlier_attempt_that_only_registered_is_not_reported_to_the_next() {
    check_running(
        "> beat a 1.1.1=complete:1
         a#4: Normal
         store attempt-ended 1.1 1 counts, attempt 1.2.1 on a
         > beat a
         a#5: Normal launch 1.2.1
         > register 1.2
         1.2: registered epoch 0",
    );
}

#[test]
fn earlier_attempt_that_asked_for_containers_is_reported_to_the_next() {
    check_running(
        "> allocate 1.1
         1.1#1: Normal
         > allocate 1.1 ask=1:p1:200:x1
         store asked 1.1
         1.1#2: Normal lease 1.1.2@b:1
         > beat a 1.1.1=complete:1
         a#4: Normal
         store attempt-ended 1.1 1 counts, attempt 1.2.1 on a
         > beat a
         a#5: Normal launch 1.2.1
         > register 1.2
         1.2: registered epoch 0, an earlier attempt asked",
    );
}
