//! Failures of the job that the app master finds: a container or process was lost.

use weir_base::{ContainerId, Failure, FailureOrigin, NodeId};
use weir_graph::FingerprintMismatch;
use weir_protocol::{cluster::ContainerReport, control::HostEnd};
use weir_service::CallError;

/// Report of a task manager about a task host that it could not start: a retry does not help.
const NOT_STARTED: &str = "WEIR-TM-0001";
const LOST: &str = "WEIR-AM-0010";
const COMPLETED: &str = "WEIR-AM-0011";
const NOT_LAUNCHED: &str = "WEIR-AM-0012";
/// A task host has built another graph.
pub const OTHER_GRAPH: &str = "WEIR-AM-0013";

/// `container_1_0001_01_000002 on 127.0.0.1:8042`
fn place(container: ContainerId, node: Option<&NodeId>) -> String {
    match node {
        Some(node) => format!("{container} on {node}"),
        None => container.to_string(),
    }
}

/// The connection of a task host has ended, and no reason is known.
pub fn host_lost(container: ContainerId, host: u32, node: Option<&NodeId>, why: &str) -> Failure {
    let place = place(container, node);
    let message = format!("task host {host} in {place} is lost: {why}");
    Failure::new(LOST, FailureOrigin::External, message)
}

/// A task manager says how a task host has ended.
pub fn host_ended(container: ContainerId, end: &HostEnd, node: Option<&NodeId>) -> Failure {
    let place = place(container, node);
    let HostEnd { host, reason, code } = end;
    let (origin, message) = match code.as_str() {
        NOT_STARTED => {
            let message = format!("task host {host} in {place} could not be started: {reason}");
            (FailureOrigin::Permanent, message)
        }
        _ => (FailureOrigin::External, format!("task host {host} in {place} {reason}")),
    };
    let code = if code.is_empty() { LOST } else { code };
    Failure::new(code, origin, message)
}

/// The connection of a task manager has ended, and no reason is known.
pub fn manager_lost(container: ContainerId, node: Option<&NodeId>, why: &str) -> Failure {
    let message = format!("the task manager in {} is lost: {why}", place(container, node));
    Failure::new(LOST, FailureOrigin::External, message)
}

/// The resource manager says how a container has ended.
pub fn completed(report: &ContainerReport, node: Option<&NodeId>) -> Failure {
    let place = place(report.container, node);
    let status = match report.exit_status {
        Some(status) => format!("with exit status {status}"),
        None => "without an exit status".to_owned(),
    };
    let message = match report.diagnostics.trim() {
        "" => format!("{place} has ended {status}"),
        words => format!("{place} has ended {status}: {words}"),
    };
    Failure::new(COMPLETED, FailureOrigin::External, message)
}

/// An agent will not start a container.
pub fn not_launched(container: ContainerId, node: Option<&NodeId>, error: &CallError) -> Failure {
    let place = place(container, node);
    let message = format!("{place} was not started: {error} [{}]", error.code());
    Failure::new(NOT_LAUNCHED, FailureOrigin::External, message)
}

/// The resource manager will not place the ask.
pub fn refused_ask(error: &CallError) -> Failure {
    let message = format!("the resource manager refuses the request for containers: {error}");
    Failure::new(error.code(), FailureOrigin::Permanent, message)
}

/// The `main` of a task host has built another graph than the client's.
pub fn other_graph(
    container: ContainerId,
    node: Option<&NodeId>,
    mismatch: &FingerprintMismatch,
) -> Failure {
    let message = format!(
        "the job executable built a different graph in {} than at submission: {mismatch}; take \
         values that differ between runs of main from env.once",
        place(container, node)
    );
    Failure::new(OTHER_GRAPH, FailureOrigin::Permanent, message)
}
