//! Nodes: loss, return, health, strays.

use super::script::{Script, check, check_running};
use weir_protocol::rest::yarn::NodeState;

#[test]
fn unknown_agents_register_again_and_replaced_ones_end() {
    check(
        "> start
         > beat a
         a#1: Resync
         > node a
         a: registered
         a#2: Normal
         > beat a hold=1000
         > node a incarnation=2
         a: registered
         a#3: Shutdown
         a#4: Normal
         > beat a incarnation=1
         a#5: Shutdown
         > node a incarnation=1
         a: WEIR-RM-0010 another agent has registered as node a:1 since: end this one, or give it \
         an address of its own
         a#6: Shutdown
         > beat a incarnation=3
         a#7: Resync
         > beat a incarnation=2
         a#8: Normal
         > beat a incarnation=2 seq=4
         a#4: Normal",
    );
}

#[test]
fn a_late_registration_of_an_earlier_agent_does_not_replace_the_current_one() {
    check_running(
        "> register-node a incarnation=7
         a: registered
         > beat a 1.1.1=running
         a#4: Normal
         > beat a incarnation=7
         a#5: Resync
         > beat a 1.1.1=running
         a#6: Normal",
    );
}

#[test]
fn a_node_without_resources_or_address_is_refused() {
    check(
        "> start
         > node a memory=0
         a: WEIR-RM-0009 node \"a:1\" cannot be taken in: it offers <memory:0 MiB, \
         vCores:4>; set its memory and vcores above 0
         a#1: Resync",
    );
}

/// A heartbeat that was sent before the node was ordered to register again has an outdated list.
#[test]
fn a_heartbeat_sent_before_a_registration_frees_no_resources() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2
         1.1#2: Normal
         > at 2000
         > beat a 1.1.1=running
         a#4: Normal
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2 hold=3000
         > at 3000
         1.1#3: Normal completed 1.1.2:-100
         > beat b 1.1.2=running seq=4
         b#4: Resync
         > register-node b 1.1.2=running
         b: registered
         > beat b seq=3
         b#3: Normal
         > allocate 1.1 ask=1:p1:900:x2 seen=1.1.2
         1.1#4: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 1 node up, 1 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > beat b 1.1.2=running seq=5
         b#5: Normal kill 1.1.2:-106 kill 1.1.2:-100",
    );
}

#[test]
fn the_containers_of_a_lost_node_complete() {
    let script = check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2
         1.1#2: Normal
         > beat b 1.1.2=running
         b#2: Normal
         > at 2000
         > beat a 1.1.1=running
         a#4: Normal
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2 hold=3000
         > at 3000
         1.1#3: Normal completed 1.1.2:-100
         > beat b 1.1.2=running
         b#3: Resync
         > allocate 1.1 ask=1:p1:900:x2 seen=1.1.2
         1.1#4: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 1 node up, 1 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > node b 1.1.2=running
         b: registered
         b#4: Normal kill 1.1.2:-106
         > beat b 1.1.2=running
         b#5: Normal kill 1.1.2:-106
         > allocate 1.1 ask=1:p1:900:x2
         1.1#5: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 2 nodes up, 2 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > beat b 1.1.2=complete:-106
         b#6: Normal forget 1.1.2
         > allocate 1.1 ask=1:p1:900:x2
         1.1#6: Normal lease 1.1.3@b:1",
    );
    assert_eq!(script.brain.view(script.now()).metrics.lost_nodes, 0);
}

#[test]
fn a_late_registration_does_not_open_a_lost_node() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2
         1.1#2: Normal
         > beat b 1.1.2=running
         b#2: Normal
         > at 2000
         > beat a 1.1.1=running
         a#4: Normal
         > allocate 1.1 ask=1:p1:900:x2 held=1.1.2
         1.1#3: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 2 nodes up, 2 lack memory \
         (largest free 800 MiB); 1st in queue default)
         > at 3000
         > register-node b
         b: registered
         > allocate 1.1 ask=1:p1:900:x2
         1.1#4: Normal completed 1.1.2:-100 pending 1 x1 (needs <memory:900 MiB, vCores:1>: 1 node \
         up, 1 lack memory (largest free 800 MiB); 1st in queue default)
         > beat b seq=1
         b#1: Normal
         > beat b 1.1.2=running
         b#3: Normal kill 1.1.2:-106",
    );
}

#[test]
fn no_node_is_lost_after_the_resource_manager_was_suspended() {
    check_running(
        "> at 1000
         > beat a 1.1.1=running hold=500
         > allocate 1.1
         1.1#1: Normal
         > paused-until 60000
         a#4: Normal
         > at 60900
         > beat a 1.1.1=running
         a#5: Normal
         > beat b
         b#2: Normal
         > allocate 1.1
         1.1#2: Normal
         > at 63899
         > beat a 1.1.1=running
         a#6: Normal
         > beat b
         b#3: Normal
         > at 63900
         store attempt-ended 1.1 -106 counts, attempt 1.2.1 on b",
    );
}

#[test]
fn a_lost_node_is_shown_for_a_while() {
    let mut script = Script::new().check(
        "> start
         > node a
         a: registered
         a#1: Normal
         > at 3000",
    );
    assert_eq!(script.brain.view(script.now()).nodes[0].state, NodeState::Lost);
    script = script.check("> at 13000");
    assert!(script.brain.view(script.now()).nodes.is_empty());
}

#[test]
fn an_unhealthy_node_keeps_its_containers_and_gets_no_new_ones() {
    check_running(
        "> beat b unhealthy=full
         b#2: Normal
         > allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal pending 1 x1 (needs <memory:900 MiB, vCores:1>: 1 node up, 1 lack memory \
         (largest free 800 MiB), 1 more unhealthy; 1st in queue default)
         > allocate 1.1 ask=1:p1:900:x1 hold=1000
         > beat b
         b#3: Normal
         1.1#2: Normal lease 1.1.2@b:1",
    );
}

#[test]
fn a_container_without_a_lease_is_killed_and_forgotten() {
    check_running(
        "> beat b 1.1.9=running 7.1.1=running 7.1.2=complete:0
         b#2: Normal kill 1.1.9:-106 kill 7.1.1:-107 forget 7.1.2 ended 7
         > beat b 1.1.9=killing 7.1.1=complete:-107
         b#3: Normal forget 7.1.1 ended 7",
    );
}

/// An agent of a later release may report a state that this release does not know.
#[test]
fn an_unknown_state_of_a_container_changes_nothing() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2 hold=1000
         > beat b 1.1.2=running 1.1.9=running 7.1.2=complete:0
         b#2: Normal kill 1.1.9:-106 forget 7.1.2 ended 7
         > beat b 1.1.2=unknown 1.1.9=unknown 7.1.2=unknown 7.1.3=unknown
         b#3: Normal kill 1.1.9:-106 forget 7.1.2 ended 7
         > beat b 1.1.2=running 1.1.9=killing
         b#4: Normal ended 7
         > beat b 1.1.2=complete:3
         b#5: Normal ended 7
         1.1#2: Normal completed 1.1.2:3",
    );
}

#[test]
fn an_app_master_that_was_never_launched_is_on_no_node() {
    Script::new().check(
        "> start
         > node a
         a: registered
         a#1: Normal
         > new
         store ids-below 10
         client: id 1 largest 1000
         > slow-store
         > submit 1
         store submitted 1
         > stored
         client: submitted 1
         store attempt 1.1.1 on a
         > beat a 1.1.1=running
         a#2: Normal
         > beat a 1.1.1=complete:0
         a#3: Normal
         > stored
         > beat a
         a#4: Normal launch 1.1.1
         > beat a 1.1.1=running
         a#5: Normal",
    );
}

#[test]
fn a_container_that_its_node_does_not_list_any_more_has_ended() {
    check_running(
        "> allocate 1.1 ask=1:p1:900:x1
         store asked 1.1
         1.1#1: Normal lease 1.1.2@b:1
         > allocate 1.1 ask=1:p1:900:x1 held=1.1.2 hold=1000
         > beat b
         b#2: Normal
         > beat b 1.1.2=running
         b#3: Normal
         > beat b
         b#4: Normal
         1.1#2: Normal completed 1.1.2:-100",
    );
}

#[test]
fn a_heartbeat_is_held_until_there_are_orders() {
    check_running(
        "> beat b hold=500
         > at 500
         b#2: Normal
         > beat b hold=500
         > beat b seq=3 hold=500
         b#3: Normal
         > kill 1
         store kill 1
         client: kill had-ended=false
         > at 1000
         b#3: Normal",
    );
}
