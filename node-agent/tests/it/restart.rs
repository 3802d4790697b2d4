//! Agents that are killed: containers run on, and the next agent adopts them.

use crate::support::{Node, container, shell, wait_for};
use std::{fs, time::Duration};
use weir_node_agent::kill_all;
use weir_protocol::cluster::{ContainerReport, ContainerState};
use weir_service::ProcessId;

const UNTIL_GO: &str = "echo up; while ! [ -e go ]; do sleep 0.01; done; echo gone; exit 7";

fn go(node: &Node, sequence: u64) {
    fs::write(node.container_folder(container(sequence)).join("go"), b"").expect("written");
}

fn last_registration(node: &Node, count: usize) -> Vec<ContainerReport> {
    wait_for("it registers", || {
        let state = node.resource_manager.state();
        (state.registrations.len() == count)
            .then(|| state.registrations[count - 1].containers.clone())
    })
}

#[test]
fn restarted_agent_adopts_running_containers_and_reports_ended_ones() {
    let mut node = Node::start();
    for sequence in 1..=3 {
        node.run(container(sequence), shell(UNTIL_GO));
        node.running(container(sequence));
    }
    go(&node, 1);
    node.ended(container(1));
    let address = node.kill_agent();
    let shim = u32::try_from(node.pid(container(2), "/shim/pid")).expect("positive");
    let shim = ProcessId::of(shim).expect("it runs");
    go(&node, 2);
    wait_for("it ends without an agent", || (!shim.is_alive()).then_some(()));
    node.restart_agent(&address);

    let found = last_registration(&node, 2);
    let states: Vec<_> = found.iter().map(|report| (report.state, report.exit_status)).collect();
    let ended = (ContainerState::Complete, Some(7));
    assert_eq!(states, [ended, ended, (ContainerState::Running, None)]);
    // A repeated start; the log is checked below to see that it ran once.
    node.run(container(3), shell(UNTIL_GO));
    go(&node, 3);
    assert_eq!(node.ended(container(3)).exit_status, Some(7));
    for sequence in 1..=3 {
        assert_eq!(node.log(container(sequence), "stdout"), "up\ngone\n");
    }
    node.nothing_is_left();
}

#[test]
fn agent_that_ends_unregisters_its_node_only_without_containers() {
    let mut node = Node::start();
    let id = container(1);
    node.run(id, shell(UNTIL_GO));
    node.running(id);
    let address = node.address().to_owned();
    node.end_agent();
    assert_eq!(node.resource_manager.state().left.len(), 0);
    node.restart_agent(&address);
    last_registration(&node, 2);
    go(&node, 1);
    node.ended(id);
    node.end_agent();
    wait_for("it is heard", || (node.resource_manager.state().left.len() == 1).then_some(()));
    let state = node.resource_manager.state();
    assert_eq!(state.left[0].incarnation, state.registrations[1].incarnation);
    assert_eq!(state.registrations.len(), 2, "who leaves does not come back");
}

#[test]
fn taken_back_container_is_killed_as_any_other() {
    let mut node = Node::start();
    let id = container(1);
    node.run(id, shell("trap '' TERM; while :; do sleep 1; done"));
    node.running(id);
    let address = node.kill_agent();
    node.restart_agent(&address);
    last_registration(&node, 2);
    node.stop(id);
    node.ended(id);
    node.nothing_is_left();
}

#[test]
fn shim_killed_while_no_agent_lived_is_found_and_its_rest_cleared() {
    let mut node = Node::start();
    let id = container(1);
    node.run(id, shell("setsid sleep 600 & touch begun; sleep 600"));
    wait_for("it begins", || node.container_folder(id).join("begun").exists().then_some(()));
    let shim = node.pid(id, "/shim/pid");
    let address = node.kill_agent();
    // SAFETY: plain system call.
    unsafe { libc::kill(shim, libc::SIGKILL) };
    wait_for("the shim ends", || {
        (!weir_service::process::all_pids().contains(&shim.unsigned_abs())).then_some(())
    });
    node.restart_agent(&address);
    assert_eq!(last_registration(&node, 2)[0].exit_status, Some(137));
    node.nothing_is_left();
}

#[test]
fn all_is_killed_also_without_an_agent() {
    let mut node = Node::start();
    for sequence in 1..=2 {
        let id = container(sequence);
        node.run(
            id,
            shell("setsid sleep 600 & trap '' TERM; touch deaf; while :; do sleep 1; done"),
        );
        node.running(id);
        let deaf = node.container_folder(id).join("deaf");
        wait_for("it is deaf", || deaf.exists().then_some(()));
    }
    node.run(container(3), shell("exec sleep 600"));
    node.running(container(3));
    node.kill_agent();
    let summary = kill_all(&node.data_dir(), Duration::from_secs(10));
    assert_eq!((summary.containers, summary.left), (3, vec![]));
    assert_eq!(summary.forced, 2, "two do not listen to SIGTERM, one does");
    assert_eq!(node.processes(), Vec::<u32>::new());
    assert_eq!(kill_all(&node.data_dir(), Duration::ZERO).containers, 0);
}

#[test]
fn unmarked_rest_of_a_shim_that_was_killed_is_killed_with_all() {
    let mut node = Node::start();
    let id = container(1);
    // In the shim's session, and without the mark.
    node.run(id, shell("env -i sleep 600 & echo $! > rest.draft; mv rest.draft rest; sleep 600"));
    let file = node.container_folder(id).join("rest");
    let rest = wait_for("it begins", || fs::read_to_string(&file).ok());
    let rest = ProcessId::of(rest.trim().parse().expect("a number")).expect("it runs");
    node.kill_agent();
    let shim = ProcessId::of(node.pid(id, "/shim/pid").unsigned_abs()).expect("it runs");
    shim.signal(libc::SIGKILL).expect("ours");
    wait_for("the shim ends", || (!shim.is_alive()).then_some(()));
    assert!(rest.is_alive());
    let summary = kill_all(&node.data_dir(), Duration::ZERO);
    assert_eq!((summary.containers, summary.left), (0, vec![]));
    // A killed process takes a moment to end.
    wait_for("the rest ends", || (!rest.is_alive()).then_some(()));
}
