//! Recovery of a restarted resource manager.

use super::script::check_running;

/// A second container on node `b`, then a restart.
#[track_caller]
fn check_restarted(script: &str) {
    check_running(&format!(
        "> allocate 1.1 ask=1:p1:200:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:200:x1 held=1.1.2
         1.1#2: Normal
         > beat b 1.1.2=running
         b#2: Normal
         > crash
         > start
         {script}"
    ));
}

#[test]
fn all_containers_are_adopted_and_none_is_killed() {
    check_restarted(
        "> beat a
         a#4: Resync
         > node a 1.1.1=running
         a: registered
         a#5: Normal
         > allocate 1.1 epoch=0
         1.1#3: Resync
         > register 1.1 held=1.1.2@b:200
         1.1: registered epoch 1
         > allocate 1.1 held=1.1.2 ask=1:p1:200:x1
         1.1#1: Normal pending 1 x1 (the resource manager was restarted and waits for nodes and \
         app masters to come back before it leases anything)
         > node b 1.1.2=running
         b: registered
         b#3: Normal
         > allocate 1.1 held=1.1.2 ask=1:p1:200:x1 hold=1000
         > at 1000
         1.1#2: Normal lease e1/1.1.1@a:1
         > beat a 1.1.1=running e1/1.1.1=running
         a#6: Normal
         > beat b 1.1.2=running
         b#4: Normal",
    );
}

#[test]
fn a_lease_that_does_not_come_back_in_time_is_lost() {
    check_restarted(
        "> node a 1.1.1=running
         a: registered
         a#4: Normal
         > register 1.1 held=1.1.2@b:200
         1.1: registered epoch 1
         > at 2500
         > beat a 1.1.1=running
         a#5: Normal
         > allocate 1.1 held=1.1.2 hold=1000
         > at 3000
         1.1#1: Normal completed 1.1.2:-100
         > node b 1.1.2=running
         b: registered
         b#3: Normal kill 1.1.2:-106
         > beat b 1.1.2=running
         b#4: Normal kill 1.1.2:-106",
    );
}

#[test]
fn an_app_master_whose_node_does_not_come_back_is_replaced() {
    check_restarted(
        "> node b 1.1.2=running
         b: registered
         b#3: Normal
         > at 2900
         > beat b 1.1.2=running
         b#4: Normal
         > at 3000
         store attempt-ended 1.1 -100 does-not-count, attempt e1/1.2.1 on b
         > beat b 1.1.2=running
         b#5: Normal launch e1/1.2.1 kill 1.1.2:-107",
    );
}

#[test]
fn containers_that_ended_during_the_restart_are_reported() {
    check_restarted(
        "> node b 1.1.2=complete:5
         b: registered
         b#3: Normal
         > register 1.1 held=1.1.2@b:200
         1.1: registered epoch 1
         > allocate 1.1 held=1.1.2
         1.1#1: Normal completed 1.1.2:5
         > beat b 1.1.2=complete:5
         b#4: Normal
         > allocate 1.1 seen=1.1.2
         1.1#2: Normal
         > beat b 1.1.2=complete:5
         b#5: Normal forget 1.1.2
         > node a 1.1.1=complete:9
         a: registered
         store attempt-ended 1.1 9 counts
         a#4: Normal forget 1.1.1",
    );
}

#[test]
fn containers_that_end_before_their_app_master_is_back_are_reported() {
    check_restarted(
        "> node b 1.1.2=running
         b: registered
         b#3: Normal
         > beat b 1.1.2=complete:5
         b#4: Normal
         > beat b 1.1.2=complete:5
         b#5: Normal
         > register 1.1 held=1.1.2@b:200
         1.1: registered epoch 1
         > allocate 1.1 held=1.1.2
         1.1#1: Normal completed 1.1.2:5",
    );
}

#[test]
fn a_container_that_its_app_master_does_not_hold_is_revoked() {
    check_restarted(
        "> node b 1.1.2=running
         b: registered
         b#3: Normal
         > register 1.1
         1.1: registered epoch 1
         > allocate 1.1
         1.1#1: Normal
         > beat b 1.1.2=running
         b#4: Normal kill 1.1.2:-100",
    );
}

#[test]
fn a_lease_without_a_started_container_is_adopted() {
    check_restarted(
        "> node b
         b: registered
         b#3: Normal
         > register 1.1 held=1.1.2@b:200
         1.1: registered epoch 1
         > allocate 1.1 held=1.1.2
         1.1#1: Normal
         > beat b 1.1.2=running
         b#4: Normal
         > at 2500
         > beat b 1.1.2=running
         b#5: Normal",
    );
}

#[test]
fn a_stored_kill_is_carried_out() {
    check_running(
        "> kill 1
         store kill 1
         client: kill had-ended=false
         > crash
         > start
         > register 1.1
         1.1: WEIR-RM-0008 attempt appattempt_1_0001_000001 is not the current one of its \
         application, or has ended: end this app master
         > node a 1.1.1=running
         a: registered
         a#4: Normal kill 1.1.1:-106
         > beat a 1.1.1=running
         a#5: Normal kill 1.1.1:-106
         > beat a 1.1.1=complete:-106
         a#6: Normal
         store attempt-ended 1.1 -106 does-not-count, ended 1 Killed Killed",
    );
}

#[test]
fn a_stored_finish_is_final() {
    check_running(
        "> finish 1.1
         store finished 1.1 Succeeded, archive 1 x1
         1.1: may-exit
         > crash
         > start
         > finish 1.1
         1.1: may-exit
         > node a 1.1.1=complete:0
         a: registered
         store ended 1 Finished Succeeded
         a#4: Normal forget 1.1.1 ended 1
         > crash
         > start
         > node a 1.1.1=complete:0
         a: registered
         a#5: Normal forget 1.1.1 ended 1
         > beat a 1.1.1=complete:0
         a#6: Normal forget 1.1.1 ended 1",
    );
}

#[test]
fn sizes_are_checked_after_nodes_have_had_time_to_come_back() {
    check_restarted(
        "> new
         store ids-below 19
         client: id 10 largest 0
         > node a 1.1.1=running
         a: registered
         a#4: Normal
         > submit 10 memory=1001
         store submitted 10
         client: submitted 10
         > at 2999
         > beat a 1.1.1=running
         a#5: Normal
         > register 1.1
         1.1: registered epoch 1
         > at 3999
         > at 4000
         store attempt-ended 10.1 -1000 counts, ended 10 Failed Failed",
    );
}

#[test]
fn a_submission_that_was_not_stored_is_unknown() {
    check_running(
        "> new
         client: id 2 largest 1000
         > slow-store
         > submit 2
         store submitted 2
         > crash
         > start
         > submit 2
         store submitted 2
         > stored
         client: submitted 2",
    );
}

#[test]
fn attempt_that_asked_for_containers_is_remembered_after_a_restart() {
    check_running(
        "> allocate 1.1 ask=1:p1:200:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > crash
         > start
         > node a 1.1.1=complete:9
         a: registered
         store attempt-ended 1.1 9 counts
         a#4: Normal forget 1.1.1
         > at 1000
         store attempt e1/1.2.1 on a
         > register 1.2
         1.2: registered epoch 1, an earlier attempt asked",
    );
    check_running(
        "> crash
         > start
         > node a 1.1.1=complete:9
         a: registered
         store attempt-ended 1.1 9 counts
         a#4: Normal forget 1.1.1
         > at 1000
         store attempt e1/1.2.1 on a
         > register 1.2
         1.2: registered epoch 1",
    );
}

#[test]
fn no_lease_is_granted_before_the_first_ask_is_durable() {
    check_running(
        "> slow-store
         > allocate 1.1 ask=1:p1:200:x1
         store asked 1.1
         > allocate 1.1 ask=1:p1:200:x1 hold=500
         1.1#1: Normal
         > at 500
         1.1#2: Normal
         > allocate 1.1 ask=1:p1:200:x1 hold=500
         > stored
         1.1#3: Normal lease 1.1.2@b:1",
    );
}
