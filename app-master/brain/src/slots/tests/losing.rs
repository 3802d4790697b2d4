//! Hosts, task managers and containers that are lost, and who says why.

use super::script::check;

const UP: &str = "
    > registered
    ask 2
    > leased c1
    start c1
    > leased c2
    start c2
    > connected c1
    start-host c1/1
    > connected c2
    start-host c2/1
    > ready c2/1
    > ready c1/1
    open c1/1 c1/1 c2/1
    > at 7000
";

#[test]
fn host_is_replaced_under_its_task_manager_and_tasks_are_lost_for_the_reason_it_tells() {
    check(&format!(
        "{UP}
        > disconnected c1/1
        stop-host c1/1
        close
        > at 7400
        > ended c1/1 was ended by SIGKILL
        tasks-lost c1/1: was ended by SIGKILL
        start-host c1/2
        > ready c1/2
        open c1/2 c1/2 c2/1
        "
    ));
}

#[test]
fn reason_that_comes_first_waits_for_the_last_report_of_the_host() {
    check(&format!(
        "{UP}
        > ended c1/1 exit code 3
        close
        > disconnected c1/1
        tasks-lost c1/1: exit code 3
        start-host c1/2
        "
    ));
}

#[test]
fn loss_does_not_wait_longer_than_its_grace() {
    check(&format!(
        "{UP}
        > disconnected c1/1
        stop-host c1/1
        close
        > at 8999
        > at 9000
        tasks-lost c1/1: connection lost
        start-host c1/2
        > ended c1/1 too late
        > ended c2/1 hung
        > at 11000
        tasks-lost c2/1: hung
        start-host c2/2
        "
    ));
}

#[test]
fn host_that_dies_soon_after_it_was_ready_is_followed_after_a_pause() {
    check(&format!(
        "{UP}
        > ended c1/1 one
        close
        > disconnected c1/1
        tasks-lost c1/1: one
        start-host c1/2
        > ready c1/2
        open c1/2 c1/2 c2/1
        > ended c1/2 two
        close
        > disconnected c1/2
        tasks-lost c1/2: two
        > at 7999
        > at 8000
        start-host c1/3
        "
    ));
}

#[test]
fn lost_task_manager_is_replaced_and_the_agents_reason_is_the_cause() {
    check(&format!(
        "{UP}
        > manager-lost c2
        release c2
        close
        ask 3
        > disconnected c2/1
        > completed c2 used 1.2 gb of 1 gb
        tasks-lost c2/1: used 1.2 gb of 1 gb
        > leased c3
        start c3
        > connected c3
        start-host c3/1
        > ready c3/1
        open c1/1 c1/1 c3/1
        > completed c2 again
        > manager-lost c2
        "
    ));
}

#[test]
fn completed_container_explains_the_host_that_was_lost_just_before() {
    check(&format!(
        "{UP}
        > disconnected c1/1
        stop-host c1/1
        close
        > manager-lost c1
        release c1
        ask 3
        > completed c1 node lost
        tasks-lost c1/1: node lost
        > at 60000
        fail WEIR-JOB-0011: the job did not get its slots, 3 of them, within 10s \
         (slot.request.timeout): 1 of 2 containers are not leased
        ask 2
        "
    ));
}

#[test]
fn simultaneous_losses_count_as_one() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > leased c2
        start c2
        > completed c1 node lost
        > completed c2 node lost
        > at 1000
        ask 4
        > leased c3
        start c3
        > leased c4
        start c4
        > completed c3 node lost
        > completed c4 node lost
        > at 3000
        ask 6
        > leased c5
        start c5
        > completed c5 node lost
        fail c5 X: node lost
        ask 5
        ",
    );
}

#[test]
fn task_manager_that_is_lost_before_it_had_a_ready_host_counts_once() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > connected c1
        start-host c1/1
        > manager-lost c1
        release c1
        > completed c1 exit code 1
        > at 1000
        ask 3
        > leased c2
        start c2
        > manager-lost c2
        release c2
        > at 3000
        ask 4
        > leased c3
        start c3
        > completed c3 exit code 2
        fail c3 X: exit code 2
        ask 3
        ",
    );
}

#[test]
fn gate_opens_only_after_the_loss_was_reported() {
    check(&format!(
        "{UP}
        > manager-lost c2
        release c2
        close
        ask 3
        > leased c3
        start c3
        > connected c3
        start-host c3/1
        > ready c3/1
        > at 8999
        > at 9000
        tasks-lost c2/1: connection lost
        open c1/1 c1/1 c3/1
        "
    ));
}
