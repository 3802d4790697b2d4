//! The resource manager: registration, orders, ends of applications, restarts of either side.

use super::*;

fn found(sequence: u64, state: RecoveredState) -> RecoveredContainer {
    RecoveredContainer { container: container(sequence), resources: LEASE, state }
}

fn exit(exit_status: i32) -> RecoveredState {
    RecoveredState::Exited(Exit { exit_status, diagnostics: String::new() })
}

fn ended() -> NodeOrders {
    NodeOrders { ended: vec![application(1)], ..no_orders() }
}

#[test]
fn restarted_agent_registers_with_the_containers_it_finds() {
    let containers = vec![found(1, RecoveredState::Running), found(2, exit(3))];
    let recovered = Recovered { containers, ..Recovered::default() };
    let (mut script, effects) = Script::new(recovered);
    let [Effect::SendRegister { registration: 1, register }] = &effects[..] else {
        panic!("{effects:?}")
    };
    let expected =
        [report(1, ContainerState::Running, None), report(2, ContainerState::Complete, Some(3))];
    assert_eq!(register.containers, expected);
    assert_eq!(register.incarnation, 7);
    assert_eq!(script.step(start(1, &[])).len(), 1, "a running container is not started again");
    assert_eq!(heartbeats(&script.join()).len(), 1);
    script.step(exited(1, 0));
    assert_eq!(script.reports()[0], report(1, ContainerState::Complete, Some(0)));
}

#[test]
fn lost_node_registers_again_with_all_it_has() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    let resync = NodeOrders { action: NodeAction::Resync, ..no_orders() };
    let effects = script.answer_all(resync);
    let [Effect::SendRegister { registration: 2, register }] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(register.containers, [report(1, ContainerState::Running, None)]);
    let effects = script.join();
    assert_eq!(heartbeats(&effects)[0].sequence, 3, "sequences go on within the incarnation");
}

#[test]
fn unknown_action_changes_nothing_and_the_orders_beside_it_are_carried_out() {
    let mut script = Script::joined();
    let launch = launch(9, &[]);
    let orders =
        NodeOrders { action: NodeAction::Unknown, launch: vec![launch.clone()], ..no_orders() };
    assert_eq!(script.answer(orders), [Effect::Launch(launch)]);
    script.step(launched(9));
    let unknown = NodeOrders { action: NodeAction::Unknown, ..no_orders() };
    assert_eq!(script.answer(unknown), []);
    assert_eq!(script.reports(), [report(9, ContainerState::Running, None)]);
}

#[test]
fn stale_answer_is_ignored() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    assert_eq!(script.sequence, 2);
    let late = NodeOrders { sequence: 1, launch: vec![launch(9, &[])], ..no_orders() };
    assert_eq!(script.step_all(Input::Answered { sequence: 1, result: Ok(late) }), []);
    let launched = script.answer(NodeOrders { launch: vec![launch(9, &[])], ..no_orders() });
    assert_eq!(launched, [Effect::Launch(launch(9, &[]))]);
    let again = script.answer(NodeOrders { launch: vec![launch(9, &[])], ..no_orders() });
    assert_eq!(again, []);
}

#[test]
fn order_to_kill_is_carried_out_once_and_keeps_its_status() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    let kill = NodeOrders { kill: vec![kill(container(1), exit_status::ABORTED)], ..no_orders() };
    let term = Effect::Signal { container: container(1), signal: Signal::Term };
    assert_eq!(script.answer(kill.clone()), [term]);
    assert_eq!(script.answer(kill.clone()), []);
    script.step(exited(1, 143));
    assert_eq!(script.reports()[0].exit_status, Some(exit_status::ABORTED));
    assert_eq!(script.answer(kill), [], "nothing is left to kill");
}

#[test]
fn container_that_ended_by_itself_keeps_its_own_status() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    script.step(exited(1, 3));
    script.answer(NodeOrders {
        kill: vec![kill(container(1), exit_status::KILLED_BY_RESOURCE_MANAGER)],
        ..no_orders()
    });
    assert_eq!(script.reports()[0].exit_status, Some(3));
}

#[test]
fn kill_of_an_unknown_container_bars_it_and_is_reported() {
    let mut script = Script::joined();
    script
        .answer(NodeOrders { kill: vec![kill(container(1), exit_status::ABORTED)], ..no_orders() });
    let report = script.reports().remove(0);
    assert_eq!(
        (report.state, report.exit_status),
        (ContainerState::Complete, Some(exit_status::ABORTED))
    );
    assert_eq!(script.step(start(1, &[])).len(), 1, "a reply and no launch");
}

#[test]
fn forgotten_containers_are_not_reported() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    let forget = NodeOrders { forget: vec![container(1)], ..no_orders() };
    script.answer(forget.clone());
    assert_eq!(script.reports().len(), 1, "what runs is not forgotten");
    script.step(exited(1, 0));
    script.answer(forget);
    assert_eq!(script.reports(), []);
}

/// Regression: a restarted resource manager does not know that it has already sent this order.
#[test]
fn forgotten_container_that_is_to_be_killed_is_reported_again() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    script.step(exited(1, 3));
    let forget = NodeOrders { forget: vec![container(1)], ..no_orders() };
    script.answer(forget.clone());
    let kill = NodeOrders { kill: vec![kill(container(1), exit_status::ABORTED)], ..no_orders() };
    assert_eq!(script.answer(kill), []);
    assert_eq!(script.reports(), [report(1, ContainerState::Complete, Some(3))]);
    script.answer(forget);
    assert_eq!(script.reports(), []);
}

#[test]
fn end_of_an_application_kills_cleans_and_later_drops_its_logs() {
    let mut script = Script::joined();
    for sequence in 1..=3 {
        script.step(start(sequence, &[]));
        script.step(launched(sequence));
    }
    script.step(exited(1, 0));
    script.step(exited(2, 0));
    script.answer(no_orders());
    script.answer(NodeOrders { forget: vec![container(1)], ..no_orders() });
    let expected = [
        Effect::RemoveFolder(container(1)),
        Effect::RemoveFolder(container(2)),
        Effect::Signal { container: container(3), signal: Signal::Term },
    ];
    assert_eq!(script.answer(ended()), expected);
    assert_eq!(script.answer(ended()), []);
    assert_eq!(script.step(exited(3, 143)), [Effect::RemoveFolder(container(3))]);
    assert_eq!(script.reports()[1].exit_status, Some(exit_status::KILLED_AFTER_APPLICATION));
    let refused = Reply::Refused(Refusal::ApplicationEnded);
    let expected = [Effect::Reply { ticket: Ticket(4), reply: refused }];
    assert_eq!(script.step(start(4, &[])), expected);
    script.answer(NodeOrders { forget: vec![container(2), container(3)], ..no_orders() });
    assert_eq!(script.wait(98_000), []);
    assert_eq!(script.wait(5_000), [Effect::RemoveLogs(application(1))]);
}

#[test]
fn logs_found_without_containers_are_dropped_in_time() {
    let recovered = Recovered { logs: vec![application(1)], ..Recovered::default() };
    let (mut script, _) = Script::new(recovered);
    assert_eq!(script.step(start(1, &[])).len(), 1);
    assert_eq!(script.wait(99_999), []);
    assert_eq!(script.wait(1), [Effect::RemoveLogs(application(1))]);
}

#[test]
fn agent_kills_all_containers_before_it_ends() {
    let mut script = Script::joined();
    script.step(start(1, &[]));
    script.step(launched(1));
    let shutdown = NodeOrders { action: NodeAction::Shutdown, ..no_orders() };
    let term = Effect::Signal { container: container(1), signal: Signal::Term };
    assert_eq!(script.answer(shutdown), [term]);
    let effects = script.step_all(exited(1, 143));
    assert!(matches!(&effects[..], [Effect::End { .. }]), "{effects:?}");
    assert_eq!(script.wait(100_000), []);
}

#[test]
fn full_disk_is_reported_at_once() {
    let mut script = Script::joined();
    let unhealthy = Some("12 mb are free".to_owned());
    let effects = script.step_all(Input::Checked { unhealthy: unhealthy.clone() });
    assert_eq!(heartbeats(&effects)[0].unhealthy, unhealthy);
    assert_eq!(script.step_all(Input::Checked { unhealthy }), []);
}
