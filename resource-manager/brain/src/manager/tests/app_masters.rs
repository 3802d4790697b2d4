//! Asks and leases.

use super::script::check_running;

#[test]
fn leases_are_repeated_until_they_are_held_and_ends_until_they_are_seen() {
    check_running(
        "> allocate 1.1 ask=1:p1:250:x2
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1 lease 1.1.3@a:1
         > allocate 1.1 ask=1:p1:250:x2 held=1.1.2
         1.1#2: Normal lease 1.1.3@a:1
         > allocate 1.1 ask=1:p1:250:x2 held=1.1.2,1.1.3
         1.1#3: Normal
         > beat b 1.1.2=running
         b#2: Normal
         > beat b 1.1.2=complete:3
         b#3: Normal
         > allocate 1.1 ask=1:p1:250:x2 held=1.1.2,1.1.3
         1.1#4: Normal completed 1.1.2:3
         > allocate 1.1 ask=1:p1:250:x3 held=1.1.3 hold=1000
         1.1#5: Normal lease 1.1.4@b:1 completed 1.1.2:3
         > allocate 1.1 ask=1:p1:250:x3 held=1.1.3,1.1.4 seen=1.1.2
         1.1#6: Normal
         > beat b 1.1.2=complete:3
         b#4: Normal forget 1.1.2",
    );
}

#[test]
fn an_allocate_is_held_until_there_is_news() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x2 hold=1000
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1 pending 1 x1 (needs <memory:900 MiB, vCores:1>: 2 nodes \
         up, 2 lack memory (largest free 800 MiB); 1st in queue default)
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.2 hold=500
         > at 500
         1.1#2: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 2 nodes up, 2 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.2 hold=500
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.2 seq=3 hold=500
         1.1#3: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 2 nodes up, 2 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > allocate 1.1 seq=2
         1.1#2: Normal
         > node c
         c: registered
         c#1: Normal
         1.1#3: Normal lease 1.1.3@c:1",
    );
}

#[test]
fn a_released_container_holds_its_resources_until_its_node_reports_its_end() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > beat b 1.1.2=running
         b#2: Normal
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.2 release=1.1.2 hold=1000
         > beat b 1.1.2=running
         b#3: Normal kill 1.1.2:-100
         > beat b 1.1.2=killing
         b#4: Normal
         > beat b 1.1.2=complete:-100
         b#5: Normal
         1.1#2: Normal lease 1.1.3@b:1 completed 1.1.2:-100
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.3 seen=1.1.2
         1.1#3: Normal",
    );
}

#[test]
fn a_lease_that_its_app_master_never_got_is_replaced_when_it_ends() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > node c
         c: registered
         c#1: Normal
         > leave b
         b: left
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2
         1.1#2: Normal lease 1.1.3@c:1 completed 1.1.2:-100
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.3 seen=1.1.2
         1.1#3: Normal",
    );
}

#[test]
fn an_ended_unannounced_lease_is_forgotten_only_if_its_app_master_does_not_hold_it() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > beat b 1.1.2=complete:7
         b#2: Normal
         > beat b 1.1.2=complete:7
         b#3: Normal
         > allocate 1.1 ask=1:p1:900:x1
         1.1#2: Normal lease 1.1.3@b:1
         > beat b 1.1.2=complete:7
         b#4: Normal forget 1.1.2",
    );
}

#[test]
fn a_lease_that_is_not_started_expires() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2
         1.1#2: Normal
         > at 2000
         > beat b
         b#2: Normal kill 1.1.2:-100
         > beat b 1.1.2=complete:-100
         b#3: Normal
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2
         1.1#3: Normal completed 1.1.2:-100",
    );
}

#[test]
fn an_ask_larger_than_any_node_is_refused_and_the_others_are_not() {
    check_running(
        "> allocate 1.1 ask=1:p1:100:x1,2:p1:1001:x1
         1.1#1: WEIR-RM-0006 a container of ask 2 of <memory:1001 MiB, vCores:1> is larger than any \
         node: the largest is b:1 with <memory:1000 MiB, vCores:4>; ask for less or add a larger node
         store asked 1.1
         > allocate 1.1 ask=1:p1:100:x1
         1.1#2: Normal lease 1.1.2@b:1",
    );
}

/// Only node `b` is large enough for the ask, and it has left.
#[test]
fn an_ask_that_has_become_too_large_waits_for_a_node_and_is_refused_then() {
    check_running(
        "> node c memory=3000 unhealthy=full
         c: registered
         c#1: Normal
         > allocate 1.1 ask=1:p1:2000:x1
         store asked 1.1
         1.1#1: Normal pending 1 x1 (needs <memory:2000 MiB, vCores:1>: 2 nodes up, 2 lack memory \
         (largest free 1000 MiB), 2 too small even when empty, 1 more unhealthy; 1st in queue \
         default)
         > leave c
         c: left
         > at 900
         > beat a 1.1.1=running
         a#4: Normal
         > allocate 1.1 ask=1:p1:2000:x1 hold=1000
         > at 1000
         1.1#2: WEIR-RM-0006 a container of ask 1 of <memory:2000 MiB, vCores:1> is larger than any \
         node: the largest is b:1 with <memory:1000 MiB, vCores:4>; ask for less or add a larger node
         > allocate 1.1 ask=1:p1:2000:x1
         1.1#3: WEIR-RM-0006 a container of ask 1 of <memory:2000 MiB, vCores:1> is larger than any \
         node: the largest is b:1 with <memory:1000 MiB, vCores:4>; ask for less or add a larger node
         > allocate 1.1 ask=1:p1:100:x1
         1.1#4: Normal lease 1.1.2@b:1",
    );
}

#[test]
fn an_ask_too_large_for_the_node_of_its_own_app_master_is_refused() {
    check_running(
        "> leave b
         b: left
         > allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 1 node up, 1 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > at 1000
         > allocate 1.1 ask=1:p1:900:x1
         1.1#2: WEIR-RM-0006 a container of ask 1, beside its own app master, of <memory:900 MiB, \
         vCores:1> is larger than any node: the largest is a:1 with <memory:800 MiB, vCores:3>; ask \
         for less or add a larger node
         > node b
         b: registered
         b#2: Normal
         > allocate 1.1 ask=1:p1:900:x1
         1.1#3: Normal lease 1.1.2@b:1",
    );
}

#[test]
fn an_ask_that_changes_its_size_is_planned_again() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x2
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1 pending 1 x1 (needs <memory:900 MiB, vCores:1>: 2 nodes \
         up, 2 lack memory (largest free 800 MiB); 1st in queue default)
         > allocate 1.1 ask=1:p1:800:x2 held=1.1.2
         1.1#2: Normal lease 1.1.3@a:1",
    );
}

#[test]
fn containers_that_were_never_leased_are_not_accepted_as_held() {
    check_running(
        "> allocate 1.1 held=1.1.7,e9/1.1.1 release=1.1.8
         1.1#1: Normal",
    );
}

#[test]
fn progress_is_limited_to_a_share() {
    for (reported, expected) in
        [("0.25", 0.25), ("7", 1.0), ("-1", 0.0), ("NaN", 0.0), ("inf", 0.0)]
    {
        let script = check_running(&format!(
            "> allocate 1.1 progress={reported}
             1.1#1: Normal"
        ));
        let view = script.brain.view(script.now());
        assert_eq!(view.applications[0].progress, expected, "{reported}");
    }
}

#[test]
fn an_app_master_must_register_in_each_epoch() {
    check_running(
        "> allocate 1.1 epoch=7
         1.1#1: Resync
         > allocate 1.2
         1.2#1: Shutdown
         > register 1.2
         1.2: WEIR-RM-0008 attempt appattempt_1_0001_000002 is not the current one of its \
         application, or has ended: end this app master",
    );
}

#[test]
fn a_repeated_registration_keeps_the_asks() {
    check_running(
        "> allocate 1.1 ask=1:p1:100:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > register 1.1
         1.1: registered epoch 0
         > allocate 1.1 ask=1:p1:100:x1 held=1.1.2 seq=2
         1.1#2: Normal",
    );
}

#[test]
fn the_containers_of_a_finished_application_are_stopped() {
    check_running(
        "> allocate 1.1 ask=1:p1:100:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > beat b 1.1.2=running hold=1000
         > finish 1.1
         store finished 1.1 Succeeded, archive 1 x1
         1.1: may-exit
         b#2: Normal kill 1.1.2:-107
         > beat a 1.1.1=complete:0
         a#4: Normal
         store ended 1 Finished Succeeded
         > beat b 1.1.2=killing hold=1000
         b#3: Normal ended 1
         > beat b 1.1.2=complete:-107
         b#4: Normal forget 1.1.2 ended 1",
    );
}
