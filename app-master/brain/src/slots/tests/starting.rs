//! From the first request to the first placement, and the delays in between.

use super::script::{check, check_waiting};

/// Everything up to the first placement.
const UP: &str = "
    > registered
    ask 2
    > leased c1
    start c1
    > leased c2
    start c2
    > connected c2
    start-host c2/1
    > ready c2/1
    > connected c1
    start-host c1/1
    > ready c1/1
    open c1/1 c1/1 c2/1
";

#[test]
fn slots_are_dealt_out_in_the_order_of_leases_and_open_when_all_hosts_are_ready() {
    check(UP);
}

#[test]
fn containers_are_asked_for_once_and_after_the_registration() {
    check(
        "
        > waits full
        > registered
        ask 2
        > leased c1
        start c1
        > leased c1
        > connected c1
        start-host c1/1
        > connected c1
        > ready c1/7
        > ready c1/1
        > ready c1/1
        ",
    );
}

#[test]
fn lease_that_is_not_needed_is_released() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > leased c2
        start c2
        > leased c3
        release c3
        ask 3
        ",
    );
}

#[test]
fn asks_are_sent_in_full_to_a_restarted_resource_manager() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > registered
        ask 1
        > leased c2
        start c2
        > registered
        ask 0
        > completed c2 killed
        > at 1000
        ask 1
        ",
    );
}

#[test]
fn refused_start_leads_to_another_container_after_a_pause_and_the_third_in_a_row_fails_the_job() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > start-refused c1 disk full
        release c1
        > start-refused c1 disk full
        > at 999
        > at 1000
        ask 3
        > leased c2
        start c2
        > completed c2 exit code 1
        > at 2999
        > at 3000
        ask 4
        > leased c3
        start c3
        > start-refused c3 disk still full
        release c3
        fail c3 X: disk still full
        ask 3
        > leased c4
        release c4
        ask 4
        ",
    );
}

#[test]
fn place_that_pauses_leaves_the_next_container_to_the_others() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > start-refused c1 disk full
        release c1
        > leased c2
        start c2
        > leased c3
        release c3
        ask 3
        > at 1000
        ask 4
        > leased c4
        start c4
        ",
    );
}

#[test]
fn host_that_never_gets_ready_is_tried_again_later_and_then_fails_the_job() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > connected c1
        start-host c1/1
        > ended c1/1 exit code 101
        > at 199
        > at 200
        start-host c1/2
        > ended c1/1 late words
        > ended c1/2 exit code 101
        > at 600
        start-host c1/3
        > ended c1/3 exit code 102
        fail c1 X: exit code 102
        ask 1
        ",
    );
}

#[test]
fn ready_host_resets_the_failure_count() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > connected c1
        start-host c1/1
        > ended c1/1 one
        > at 200
        start-host c1/2
        > ended c1/2 two
        > at 600
        start-host c1/3
        > ready c1/3
        > ended c1/3 three
        > disconnected c1/3
        tasks-lost c1/3: three
        > at 1600
        start-host c1/4
        > ended c1/4 one again
        > at 1800
        start-host c1/5
        ",
    );
}

#[test]
fn host_of_no_use_fails_the_job_at_once() {
    check(
        "
        > registered
        ask 2
        > leased c1
        start c1
        > connected c1
        start-host c1/1
        > unfit c1/1 operator 2 differs
        fail c1 X: operator 2 differs
        ask 1
        > at 60000
        ",
    );
}

#[test]
fn job_that_waits_too_long_fails_and_says_for_what() {
    check(
        "
        > registered
        ask 2
        > waits 1024 MiB are missing
        > leased c1
        start c1
        > at 9999
        > at 10000
        fail WEIR-JOB-0011: the job did not get its slots, 3 of them, within 10s \
         (slot.request.timeout): 1 of 2 containers are not leased (1024 MiB are missing), \
         the task manager of container_0_0000_00_000001 has not connected
        ask 1
        > job-ended
        release c1
        ",
    );
}

#[test]
fn ask_that_no_node_can_meet_fails_the_job() {
    check(
        "
        > registered
        ask 2
        > ask-refused the largest node has 4096 MiB
        fail X: the largest node has 4096 MiB
        ask 0
        ",
    );
}

#[test]
fn end_of_the_job_ends_its_containers_and_ignores_later_input() {
    check(&format!(
        "{UP}
        > job-ended
        stop-manager c1
        stop-manager c2
        close
        > job-ended
        > manager-lost c1
        > disconnected c1/1
        > completed c1 done
        > leased c3
        release c3
        ask 3
        > at 60000
        "
    ));
}

#[test]
fn what_deployments_wait_for_is_said_whenever_it_changes() {
    check_waiting(
        "
        > waits no node has 2 gib free
        > registered
        waits for 2 of 2 containers
        > waits no node has 2 gib free
        waits for 2 of 2 containers: no node has 2 gib free
        > leased c1
        waits for 1 of 2 containers: no node has 2 gib free
        > waits
        waits for 1 of 2 containers
        > leased c2
        waits for 2 of 2 task managers to connect
        > connected c1
        waits for 1 of 2 task managers to connect
        > connected c2
        waits for the task hosts of 2 containers to be ready
        > ready c1/1
        > ready c2/1
        waits for nothing
        > manager-lost c2
        waits for 1 of 2 containers
        > job-ended
        waits for nothing
        ",
    );
}
