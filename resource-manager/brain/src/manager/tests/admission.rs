//! Admission of app masters, and applications that give way when they wait for each other.

use super::script::Script;
use crate::ApplicationLife;

/// Two nodes of two cores; app masters may hold two of the four. Application 1 needs three containers,
/// application 2 one, and application 3 has no app master.
const CROWDED: &str = "> start
    > node a vcores=2
    a: registered
    a#1: Normal
    > node b vcores=2
    b: registered
    b#1: Normal
    > new
    store ids-below 10
    client: id 1 largest 1000
    > new
    client: id 2 largest 1000
    > new
    client: id 3 largest 1000
    > submit 1
    store submitted 1
    client: submitted 1
    store attempt 1.1.1 on a
    > submit 2 max=1
    store submitted 2
    client: submitted 2
    store attempt 2.1.1 on b
    > submit 3
    store submitted 3
    client: submitted 3
    > beat a 1.1.1=running
    a#2: Normal
    > beat b 2.1.1=running
    b#2: Normal
    > register 1.1
    1.1: registered epoch 0
    > register 2.1
    2.1: registered epoch 0
    > allocate 1.1 ask=1:p1:100:x3
         store asked 1.1
    1.1#1: Normal lease 1.1.2@a:1 lease 1.1.3@b:1 pending 1 x1 (needs <memory:100 MiB, vCores:1>: 2 nodes up, 2 lack vcores (largest free 0); 1st in queue default)
    > allocate 2.1 ask=1:p1:100:x1
         store asked 2.1
    2.1#1: Normal pending 1 x1 (needs <memory:100 MiB, vCores:1>: 2 nodes up, 2 lack vcores (largest free 0); 2nd in queue default)
    > allocate 1.1 ask=1:p1:100:x3 held=1.1.2,1.1.3
    1.1#2: Normal pending 1 x1 (needs <memory:100 MiB, vCores:1>: 2 nodes up, 2 lack vcores (largest free 0); 1st in queue default)
    > beat a 1.1.1=running 1.1.2=running
    a#3: Normal
    > beat b 2.1.1=running 1.1.3=running
    b#3: Normal
    > at 1499\n";

#[test]
fn an_application_beyond_the_share_of_app_masters_waits_and_says_why() {
    let script = Script::new().check(CROWDED);
    let view = script.brain.view(script.now());
    assert_eq!(
        view.applications[2].diagnostics,
        "its app master needs <memory:200 MiB, vCores:1>: app masters hold 2 of 2 vcores allowed \
         (yarn.scheduler.capacity.maximum-am-resource-percent 0.5); 3rd in queue default"
    );
}

/// A preemption is not a failure: an application with only one allowed attempt begins again, too.
#[test]
fn the_youngest_application_is_preempted_when_all_wait() {
    let script = Script::new().check(&format!(
        "{CROWDED}
         > allocate 2.1 ask=1:p1:100:x1 hold=1000
         > at 1500
         2.1#2: Shutdown
         store attempt-ended 2.1 -102 does-not-count
         > beat b 2.1.1=running 1.1.3=running
         b#4: Normal kill 2.1.1:-106"
    ));
    let view = script.brain.view(script.now());
    assert_eq!(
        view.applications[1].diagnostics,
        "its app master needs <memory:200 MiB, vCores:1>: 2 nodes up, 2 lack vcores (largest free \
         0); 2nd in queue default; before that: gave way to application_1_0001, which is older: \
         both waited for containers, and this one held what the older one needs; it begins again \
         when there is room"
    );
    let script = script.check(
        "> beat b 2.1.1=complete:-106 1.1.3=running
         b#5: Normal forget 2.1.1
         > allocate 1.1 ask=1:p1:100:x3 held=1.1.2,1.1.3
         1.1#3: Normal lease 1.1.4@b:1
         > allocate 1.1 ask=1:p1:100:x3 held=1.1.2,1.1.3,1.1.4
         1.1#4: Normal
         > beat b 1.1.4=running 1.1.3=running
         b#6: Normal
         > finish 1.1
         store finished 1.1 Succeeded, archive 1 x1
         1.1: may-exit
         > beat b 1.1.4=complete:-107 1.1.3=complete:-107
         b#7: Normal forget 1.1.3 forget 1.1.4
         store attempt 2.2.1 on b, attempt 3.1.1 on b",
    );
    let view = script.brain.view(script.now());
    assert_eq!(view.applications[1].state, ApplicationLife::Accepted);
}

/// The attempt is stored as preempted. So a restarted resource manager begins the next attempt, also for an
/// application with only one allowed attempt.
#[test]
fn a_preempted_application_begins_again_after_a_restart() {
    Script::new().check(&format!(
        "{CROWDED}
         > at 1500
         store attempt-ended 2.1 -102 does-not-count
         > crash
         > start
         > node a vcores=2 1.1.1=running 1.1.2=running seq=9
         a: registered
         a#9: Normal
         > node b vcores=2 1.1.3=running seq=9
         b: registered
         b#9: Normal
         > at 2500
         store attempt e1/2.2.1 on b"
    ));
}

/// Node b does not come back. So app masters may hold one vcore, and the two app masters hold two.
#[test]
fn app_masters_above_the_share_after_a_restart_keep_running_and_no_other_starts() {
    let script = Script::new().check(&format!(
        "{CROWDED}
         > crash
         > start
         > node a vcores=2 1.1.1=running 2.1.1=running seq=9
         a: registered
         a#9: Normal
         > at 2499"
    ));
    let view = script.brain.view(script.now());
    let states: Vec<_> = view.applications.iter().map(|one| one.state).collect();
    assert_eq!(states, [ApplicationLife::Accepted; 3]);
    assert_eq!(
        view.applications[2].diagnostics,
        "its app master needs <memory:200 MiB, vCores:1>: app masters hold 2 of 1 vcores allowed \
         (yarn.scheduler.capacity.maximum-am-resource-percent 0.5); 1st in queue default"
    );
}
