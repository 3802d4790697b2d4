//! Applications: ids, submission, kill, removal, failures of the store.

use super::script::{Script, application, check, check_running, settings};

#[test]
fn ids_are_reserved_in_the_store_before_they_are_handed_out() {
    check(
        "> slow-store
         > start
         > new
         store ids-below 10
         > new
         > stored
         client: id 1 largest 0
         client: id 2 largest 0
         > crash
         > start
         > new
         store ids-below 19
         > stored
         client: id 10 largest 0",
    );
}

#[test]
fn requests_are_refused_before_the_store_was_read() {
    check(
        "> new
         client: WEIR-RM-0001 the resource manager is starting: it has not read its store yet; try \
         again",
    );
}

#[test]
fn a_submission_is_answered_when_it_is_stored_and_may_be_repeated() {
    check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > slow-store
         > submit 1
         store submitted 1
         > submit 1
         > submit 1 name=other
         client: WEIR-RM-0004 application id application_1_0001 was submitted before with other \
         content; ask for a new id
         > stored
         client: submitted 1
         client: submitted 1
         > submit 1
         client: submitted 1",
    );
}

#[test]
fn unusable_submissions_are_refused() {
    check(
        "> start
         > submit 1
         client: WEIR-RM-0003 application id application_1_0001 was not handed out by this \
         cluster, or too long ago; ask for one with POST /ws/v1/cluster/apps/new-application
         > new
         store ids-below 10
         client: id 1 largest 0
         > submit 1 queue=fast
         client: WEIR-RM-0005 the submission of application_1_0001 is not valid: there is no \
         queue \"fast\"; use \"default\"
         > node a
         a: registered
         a#1: Normal
         > submit 1 memory=1001
         client: WEIR-RM-0006 the app master's container of <memory:1001 MiB, vCores:1> is larger \
         than any node: the largest is a:1 with <memory:1000 MiB, vCores:4>; ask for less or add \
         a larger node",
    );
}

#[test]
fn an_application_without_nodes_waits_and_says_why() {
    let script = Script::new().check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > submit 1 memory=9000
         store submitted 1
         client: submitted 1",
    );
    let view = script.brain.view(script.now());
    assert_eq!(
        view.applications[0].diagnostics,
        "its app master needs <memory:9000 MiB, vCores:1>: no node is up; 1st in queue default"
    );
    assert_eq!(view.metrics.apps_pending, 1);
}

#[test]
fn an_application_larger_than_every_node_fails_after_the_wait_for_nodes() {
    let script = Script::new().check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > submit 1 vcores=9
         store submitted 1
         client: submitted 1
         > new
         client: id 2 largest 0
         > submit 2 memory=3000
         store submitted 2
         client: submitted 2
         > node a memory=1000 vcores=8
         a: registered
         a#1: Normal
         > at 500
         > node b memory=4000 vcores=2
         b: registered
         b#1: Normal
         store attempt 2.1.1 on b
         > at 999
         > at 1000
         store attempt-ended 1.1 -1000 counts, ended 1 Failed Failed",
    );
    let view = script.brain.view(script.now());
    assert_eq!(
        view.applications[0].diagnostics,
        "the app master's container of <memory:200 MiB, vCores:9> is larger than any node: the \
         largest is a:1 with <memory:1000 MiB, vCores:8>; ask for less or add a larger node"
    );
}

/// The submission is accepted during the recovery after a restart, and is durable after the recovery.
#[test]
fn an_application_larger_than_every_node_fails_also_when_it_is_stored_after_the_recovery() {
    check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > new
         client: id 2 largest 0
         > submit 1
         store submitted 1
         client: submitted 1
         > crash
         > start
         > at 2000
         > node a
         a: registered
         a#1: Normal
         store attempt e1/1.1.1 on a
         > beat a e1/1.1.1=running
         a#2: Normal
         > slow-store
         > submit 2 memory=3000
         store submitted 2
         > at 3100
         > stored
         client: submitted 2
         > at 4000
         > beat a e1/1.1.1=running
         a#3: Normal
         > at 4099
         > at 4100
         store attempt-ended 2.1 -1000 counts, ended 2 Failed Failed",
    );
}

/// A cluster with a large node that takes no containers, and an application for which only it is large enough.
const NEEDS_LARGE_NODE: &str = "> start
    > node a
    a: registered
    a#1: Normal
    > node b memory=3000 unhealthy=full
    b: registered
    b#1: Normal
    > new
    store ids-below 10
    client: id 1 largest 3000
    > submit 1 memory=2000
    store submitted 1
    client: submitted 1
    > at 2000
    > beat a
    a#2: Normal
    > leave b
    b: left\n";

#[test]
fn an_application_that_has_become_too_large_fails_when_no_larger_node_joins_in_time() {
    let script = Script::new().check(&format!(
        "{NEEDS_LARGE_NODE}
         > at 2999
         > at 3000
         store attempt-ended 1.1 -1000 counts, ended 1 Failed Failed"
    ));
    let view = script.brain.view(script.now());
    assert_eq!(
        view.applications[0].diagnostics,
        "the app master's container of <memory:2000 MiB, vCores:1> is larger than any node: the \
         largest is a:1 with <memory:1000 MiB, vCores:4>; ask for less or add a larger node"
    );
}

#[test]
fn a_large_node_that_comes_back_in_time_gets_the_waiting_container() {
    Script::new().check(&format!(
        "{NEEDS_LARGE_NODE}
         > at 2999
         > node b memory=3000 seq=2
         b: registered
         b#2: Normal
         store attempt 1.1.1 on b
         > at 4000"
    ));
}

#[test]
fn when_the_store_fails_callers_get_an_error_and_the_write_is_retried() {
    check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > slow-store
         > submit 1
         store submitted 1
         > store-fails
         client: WEIR-RM-0007 the resource manager could not write its store and goes on trying: \
         disk full; repeat the request, which is safe
         > submit 1
         > at 999
         > at 1000
         store submitted 1
         > stored
         client: submitted 1",
    );
}

#[test]
fn a_kill_is_stored_first_and_complete_when_the_app_master_has_ended() {
    check_running(
        "> slow-store
         > kill 1
         store kill 1
         > kill 1
         > allocate 1.1
         1.1#1: Normal
         > beat a 1.1.1=running
         a#4: Normal
         > stored
         client: kill had-ended=false
         client: kill had-ended=false
         > allocate 1.1
         1.1#2: Shutdown
         > beat a 1.1.1=running
         a#5: Normal kill 1.1.1:-106
         > beat a 1.1.1=killing
         a#6: Normal
         > beat a 1.1.1=complete:-106
         a#7: Normal
         store attempt-ended 1.1 -106 does-not-count, ended 1 Killed Killed
         > beat a 1.1.1=complete:-106
         a#8: Normal
         > stored
         > beat a 1.1.1=complete:-106
         a#9: Normal forget 1.1.1 ended 1
         > kill 1
         client: kill had-ended=true",
    );
}

#[test]
fn an_application_that_ends_while_its_kill_is_stored_is_killed() {
    check_running(
        "> slow-store
         > kill 1
         store kill 1
         > finish 1.1
         > beat a 1.1.1=complete:0
         a#4: Normal
         > stored
         client: kill had-ended=false
         store archive 1 x1, attempt-ended 1.1 0 counts, ended 1 Killed Killed
         > stored
         1.1: may-exit",
    );
}

#[test]
fn a_kill_after_the_finish_only_ends_the_app_master_sooner() {
    check_running(
        "> slow-store
         > finish 1.1
         store finished 1.1 Succeeded, archive 1 x1
         > kill 1
         > stored
         1.1: may-exit
         store kill 1
         > beat a 1.1.1=running
         a#4: Normal
         > stored
         client: kill had-ended=false
         > beat a 1.1.1=running
         a#5: Normal kill 1.1.1:-106
         > beat a 1.1.1=complete:-106
         a#6: Normal
         store ended 1 Finished Succeeded",
    );
}

#[test]
fn a_kill_before_anything_is_leased_ends_at_once() {
    let script = Script::new().check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > submit 1
         store submitted 1
         client: submitted 1
         > kill 1
         store kill 1
         client: kill had-ended=false
         store attempt-ended 1.1 -106 does-not-count, ended 1 Killed Killed
         > kill 2
         client: WEIR-RM-0002 application_1_0002 is not known here; `weir application list \
         --states ALL` shows all applications",
    );
    let attempt = script.brain.view(script.now()).applications.remove(0).attempts.remove(0);
    assert_eq!(attempt.diagnostics, "no container was started for its app master");
}

#[test]
fn long_diagnostics_are_shortened() {
    let mut script = check_running("");
    script.kill_diagnostics = "x".repeat(1 << 20);
    let script = script.check(
        "> kill 1
         store kill 1
         client: kill had-ended=false
         > beat a 1.1.1=complete:-106
         a#4: Normal
         store attempt-ended 1.1 -106 does-not-count, ended 1 Killed Killed",
    );
    let view = script.brain.view(script.now());
    assert!(view.applications[0].diagnostics.len() <= 64 * 1024);
}

#[test]
fn the_oldest_ended_application_is_forgotten_and_its_id_is_refused() {
    let mut settings = settings();
    settings.max_completed_applications = 1;
    let script = Script::with(settings).check(
        "> start
         > new
         store ids-below 10
         client: id 1 largest 0
         > new
         client: id 2 largest 0
         > submit 1
         store submitted 1
         client: submitted 1
         > kill 1
         store kill 1
         client: kill had-ended=false
         store attempt-ended 1.1 -106 does-not-count, ended 1 Killed Killed
         > submit 2
         store submitted 2
         client: submitted 2
         > kill 2
         store kill 2
         client: kill had-ended=false
         store attempt-ended 2.1 -106 does-not-count, ended 2 Killed Killed
         store forgotten 1 highest 1",
    );
    assert_eq!(
        script.brain.view(script.now()).metrics.apps_submitted,
        2,
        "includes forgotten applications"
    );
    let script = script.check(
        "> crash
         > start
         > submit 1
         client: WEIR-RM-0003 application id application_1_0001 was not handed out by this \
         cluster, or too long ago; ask for one with POST /ws/v1/cluster/apps/new-application",
    );
    assert!(script.brain.cluster.applications.get(&application("1")).is_none());
    assert_eq!(
        script.brain.view(script.now()).metrics.apps_submitted,
        1,
        "restored from the store"
    );
}
