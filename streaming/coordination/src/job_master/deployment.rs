//! From the job graph to the deployments of each task host: channels expanded, snapshots selected.
//!
//! A forward edge joins subtask `i` with subtask `i`; every other edge joins each with each. State
//! follows operators, not vertices: a subtask is handed every old snapshot that holds one of its
//! operators, and picks its key groups itself, so parallelism and chains may have changed.

use crate::messages::CompletedCheckpoint;
use std::collections::BTreeSet;
use weir_base::{ExecutionAttempt, OperatorId};
use weir_graph::{
    InputChannels, JobEdge, JobGraph, JobVertex, OutputChannels, Partitioning, SnapshotHandle,
    TaskDeployment, TaskId, deployment::RestoreFrom,
};

/// All deployments, consumers before producers, so that a producer finds its consumers.
pub(super) fn deployments(
    graph: &JobGraph,
    attempt: ExecutionAttempt,
    restore: Option<&CompletedCheckpoint>,
) -> Vec<TaskDeployment> {
    let mut deployments = Vec::with_capacity(graph.task_count());
    for (index, vertex) in graph.vertices.iter().enumerate().rev() {
        let index = index as u32;
        let restore = restore.map(|checkpoint| restore_of(vertex, checkpoint));
        for subtask in 0..vertex.parallelism {
            let task = TaskId { vertex: index, subtask };
            deployments.push(deployment(graph, vertex, task, attempt, restore.clone()));
        }
    }
    deployments
}

fn deployment(
    graph: &JobGraph,
    vertex: &JobVertex,
    task: TaskId,
    attempt: ExecutionAttempt,
    restore: Option<RestoreFrom>,
) -> TaskDeployment {
    TaskDeployment {
        task,
        attempt,
        vertex: vertex.id,
        name: vertex.name.clone(),
        parallelism: vertex.parallelism,
        max_parallelism: vertex.max_parallelism,
        operators: vertex.operators.clone(),
        chain: vertex.chain.clone(),
        inputs: graph
            .inputs_of(task.vertex)
            .map(|(index, edge)| input(graph, index, edge, task, attempt))
            .collect(),
        outputs: graph
            .outputs_of(task.vertex)
            .map(|(index, edge)| output(graph, index, edge, task, attempt))
            .collect(),
        restore,
    }
}

fn input(
    graph: &JobGraph,
    index: u32,
    edge: &JobEdge,
    task: TaskId,
    attempt: ExecutionAttempt,
) -> InputChannels {
    let producer = &graph.vertices[edge.from as usize].operators[edge.from_operator as usize];
    InputChannels {
        edge: index,
        producer_node: producer.node_id,
        input: edge.input,
        producers: peers(graph, edge.from, edge.partitioning, task, attempt),
        partitioning: edge.partitioning,
    }
}

fn output(
    graph: &JobGraph,
    index: u32,
    edge: &JobEdge,
    task: TaskId,
    attempt: ExecutionAttempt,
) -> OutputChannels {
    OutputChannels {
        edge: index,
        stream_edge: edge.stream_edge,
        operator: edge.from_operator,
        consumers: peers(graph, edge.to, edge.partitioning, task, attempt),
        partitioning: edge.partitioning,
        exchange: edge.exchange,
        max_parallelism: graph.vertices[edge.to as usize].max_parallelism,
    }
}

/// The subtasks of the vertex at the other end of an edge, in their order.
fn peers(
    graph: &JobGraph,
    vertex: u32,
    partitioning: Partitioning,
    task: TaskId,
    attempt: ExecutionAttempt,
) -> Vec<(TaskId, ExecutionAttempt)> {
    let peer = |subtask| (TaskId { vertex, subtask }, attempt);
    match partitioning {
        Partitioning::Forward => vec![peer(task.subtask)],
        _ => (0..graph.vertices[vertex as usize].parallelism).map(peer).collect(),
    }
}

fn restore_of(vertex: &JobVertex, checkpoint: &CompletedCheckpoint) -> RestoreFrom {
    RestoreFrom {
        checkpoint: checkpoint.id,
        snapshots: checkpoint
            .snapshots
            .iter()
            .filter(|handle| hosts_any(vertex, handle))
            .cloned()
            .collect(),
    }
}

fn hosts_any(vertex: &JobVertex, handle: &SnapshotHandle) -> bool {
    vertex.operators.iter().any(|hosted| handle.operators.contains(&hosted.node.operator_id))
}

/// The first vertex whose keyed state was written under another number of key groups, with the
/// number it was written under. Such state cannot be dealt out again.
pub(super) fn changed_key_groups<'a>(
    graph: &'a JobGraph,
    checkpoint: &CompletedCheckpoint,
) -> Option<(&'a JobVertex, u32)> {
    graph.vertices.iter().find_map(|vertex| {
        let keyed: BTreeSet<OperatorId> = vertex
            .operators
            .iter()
            .filter(|hosted| hosted.node.states.iter().any(|state| state.key.is_some()))
            .map(|hosted| hosted.node.operator_id)
            .collect();
        let handle = checkpoint
            .snapshots
            .iter()
            .find(|handle| handle.operators.iter().any(|id| keyed.contains(id)))?;
        let siblings = checkpoint.snapshots.iter().filter(|s| s.vertex == handle.vertex);
        // Handles of earlier builds have their ranges only; the last range ends with the last group.
        let last_group = || siblings.map(|sibling| sibling.key_groups.end).max();
        let written = handle.max_parallelism.or_else(last_group)?;
        (written != vertex.max_parallelism).then_some((vertex, written))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{job_master::tests::script, plan};
    use weir_graph::{EdgeSpec, ExchangeKind, NodeId};

    /// `0/1: in 0/0 0/1; out 2/0`, one line for each task.
    fn render(deployment: &TaskDeployment) -> String {
        let list = |peers: &[(TaskId, ExecutionAttempt)]| {
            peers.iter().map(|(task, _)| format!(" {task}")).collect::<String>()
        };
        let inputs = deployment.inputs.iter().map(|i| format!("; in{}", list(&i.producers)));
        let outputs = deployment.outputs.iter().map(|o| format!("; out{}", list(&o.consumers)));
        format!("{}{}", deployment.task, inputs.chain(outputs).collect::<String>())
    }

    #[test]
    fn forward_edges_join_equals_and_other_edges_join_all() {
        let mut graph = script::graph(2);
        graph.chaining = false;
        graph.nodes.push(script::node("second sink", false));
        graph.edges.push(EdgeSpec {
            from: NodeId(0),
            to: NodeId(2),
            input: 0,
            partitioning: None,
            exchange: ExchangeKind::Pipelined,
        });
        let job = plan(&graph).unwrap();
        let lines: Vec<String> =
            deployments(&job, ExecutionAttempt(1), None).iter().map(render).collect();
        assert_eq!(
            lines,
            [
                "2/0; in 0/0",
                "2/1; in 0/1",
                "1/0; in 0/0 0/1",
                "1/1; in 0/0 0/1",
                "0/0; out 1/0 1/1; out 2/0",
                "0/1; out 1/0 1/1; out 2/1",
            ]
        );
    }
}
