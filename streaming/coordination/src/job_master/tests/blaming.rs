//! Which failure is the cause, and which ones are consequences.
//!
//! Subtasks 0 run in one task host, subtasks 1 in another.

use super::script::{Script, graph, settings};
use crate::messages::RestartStrategy;

const UP: &str = "> start
    status Initializing
    append 0: epoch 1 from c1
    > appended
    status Created
    deploy 1/0#1.1
    deploy 1/1#1.1
    deploy 0/0#1.1
    deploy 0/1#1.1
    > running all
    status Running\n";

/// Reports when the first task host is killed, in some order.
const HOST_KILLED: [&str; 3] = ["lost 0/0 1/0", "loses-peer 1/1 0/0", "loses-peer 0/1 1/0"];

fn orders() -> Vec<[&'static str; 3]> {
    let [a, b, c] = HOST_KILLED;
    vec![[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]]
}

fn script(restart: Option<RestartStrategy>) -> Script {
    let mut settings = settings();
    settings.restart = restart.unwrap_or(settings.restart);
    Script::of(graph(2), settings)
}

/// The newest episode: the cause, a colon, its consequences.
fn newest_episode(script: &mut Script) -> String {
    let view = script.follow(&[]).view();
    let [episode] = view.failures.as_slice() else { panic!("{:?}", view.failures) };
    let consequences = episode.consequences.iter().map(|record| {
        let peer = record.lost_peer.as_deref().map_or(String::new(), |peer| format!(" of {peer}"));
        format!(" {}{peer}", record.failure.code)
    });
    format!("{}:{}", episode.root.failure.code, consequences.collect::<String>())
}

#[test]
fn loss_of_a_task_host_is_the_cause_in_whichever_order_reports_arrive() {
    for order in orders() {
        let mut script = script(None);
        script.follow(&["start", "appended", "running all"]);
        script.follow(&order);
        let episode = newest_episode(&mut script);
        assert!(episode.starts_with("host-lost: connection-lost of "), "{order:?}: {episode}");
        assert!(episode.contains("of source (1/2)") && episode.contains("of sink (1/2)"));
    }
}

#[test]
fn failed_job_names_the_loss_of_the_task_host_in_whichever_order_reports_arrive() {
    for order in orders() {
        let mut script = script(Some(RestartStrategy::None));
        script.follow(&["start", "appended", "running all"]);
        script.follow(&order);
        script.follow(&["appended"]);
        let view = script.follow(&[]).view();
        assert_eq!(view.status, weir_protocol::job::JobStatus::Failed, "{order:?}");
        assert_eq!(view.failures[0].root.failure.code, "host-lost", "{order:?}");
    }
}

#[test]
fn job_waits_for_the_cause_of_a_lost_connection_and_acts_on_it() {
    script(None).check(&format!(
        "{UP}
         > loses-peer 1/1 0/0
         > at 1500
         > lost 0/0 1/0
         status Restarting (host-lost in source (1/2))
         cancel 0/1#1.1
         append 1: reserved below c65"
    ));
}

#[test]
fn cause_that_does_not_come_is_waited_for_a_bounded_time() {
    script(None).check(&format!(
        "{UP}
         > loses-peer 1/1 0/0
         > at 2099
         > loses-peer 0/1 1/0
         > at 2100
         status Restarting (connection-lost in sink (2/2))
         cancel 0/0#1.1
         cancel 1/0#1.1
         append 1: reserved below c65"
    ));
}

#[test]
fn no_cause_is_waited_for_when_every_lost_peer_has_stopped() {
    script(None).check(&format!(
        "{UP}
         > loses-peer 1/1 0/0
         > loses-peer 0/0 1/1
         status Restarting (connection-lost in sink (2/2))
         cancel 0/1#1.1
         cancel 1/0#1.1
         append 1: reserved below c65"
    ));
}

/// The host of a task that has lost its peer stops what was about to send to that task.
#[test]
fn task_that_its_host_stops_while_the_cause_is_awaited_is_no_cause() {
    script(None).check(&format!(
        "{UP}
         > loses-peer 1/1 0/0
         > canceled 0/1
         > lost 0/0 1/0
         status Restarting (host-lost in source (1/2))
         append 1: reserved below c65"
    ));
}

#[test]
fn job_is_cancelled_while_it_waits_for_a_cause() {
    script(None).check(&format!(
        "{UP}
         > loses-peer 1/1 0/0
         > cancel
         status Cancelling
         cancel 0/0#1.1
         cancel 0/1#1.1
         cancel 1/0#1.1"
    ));
}

/// An error of user code after the order to stop is a consequence of that order.
#[test]
fn failure_of_a_task_that_was_cancelled_is_not_the_cause() {
    let mut script = script(None);
    script.follow(&["start", "appended", "running all", "loses-peer 1/1 0/0", "at 2100"]);
    script.follow(&["fails 0/1", "lost 0/0 1/0"]);
    assert_eq!(newest_episode(&mut script), "host-lost: boom connection-lost of source (1/2)");
}

#[test]
fn next_deployment_begins_another_episode() {
    let mut script = script(None);
    script.follow(&["start", "appended", "running all", "lost 0/0 1/0", "loses-peer 1/1 0/0"]);
    script.follow(&["canceled 0/1", "appended", "at 50", "running all", "fails 0/1"]);
    let view = script.follow(&[]).view();
    let roots: Vec<_> = view.failures.iter().map(|one| &*one.root.failure.code).collect();
    assert_eq!(roots, ["boom", "host-lost"]);
}
