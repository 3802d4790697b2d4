//! From the graph as written to the graph as run: parallelism resolved, operators chained.
//!
//! ```text
//!  StreamGraph ──parallelism──▶ one size per operator ──chaining──▶ JobGraph
//! ```
//!
//! A pure function: the same stream graph gives the same job graph in every process. It places
//! nothing and deploys nothing, and it never changes what an operator computes.

mod chaining;
mod error;
mod parallelism;
#[cfg(test)]
mod tests;

pub use error::PlanError;

use std::collections::BTreeMap;
use weir_base::{OperatorId, invariant};
use weir_graph::{JobGraph, StreamGraph};

/// Chains the operators of a stream graph and resolves what its author left open.
///
/// Operators without a partitioning on the edge between them are joined forward where their
/// parallelism agrees, otherwise by rebalance. A vertex takes its id from its head operator, and
/// vertices are in topological order.
///
/// # Errors
///
/// A [`PlanError`] names the operator whose settings cannot be met.
pub fn plan(graph: &StreamGraph) -> Result<JobGraph, PlanError> {
    check_shape(graph)?;
    check_ids(graph)?;
    let sizes = parallelism::resolve(graph)?;
    let partitioning = parallelism::partitionings(graph, &sizes)?;
    let (vertices, edges) = chaining::chain(graph, &sizes, &partitioning);
    Ok(JobGraph {
        name: graph.name.clone(),
        mode: graph.mode,
        vertices,
        edges,
        once: graph.once.clone(),
    })
}

/// There are a source and a sink, and edges lead from lower to higher ids.
fn check_shape(graph: &StreamGraph) -> Result<(), PlanError> {
    for edge in &graph.edges {
        invariant!(
            edge.from < edge.to && edge.to.index() < graph.nodes.len(),
            "edges of a stream graph lead from lower to higher ids, got {:?} to {:?}",
            edge.from,
            edge.to
        );
    }
    let fed_by_operators = |index: usize| {
        graph.edges.iter().any(|e| e.to.index() == index && !graph.node(e.from).coordinator)
    };
    let has_source = graph
        .nodes
        .iter()
        .enumerate()
        .any(|(index, node)| !node.coordinator && !fed_by_operators(index));
    let job = || graph.name.clone();
    if !has_source {
        return Err(PlanError::NoSource { job: job() });
    }
    match graph.nodes.last() {
        Some(last) if graph.nodes.iter().all(|node| node.output.is_some()) => {
            Err(PlanError::NoSink { job: job(), last: last.name.clone() })
        }
        _ => Ok(()),
    }
}

/// No uid is empty, and no two operators share an id, for state belongs to operators by it.
fn check_ids(graph: &StreamGraph) -> Result<(), PlanError> {
    let is_empty = |uid: &String| uid.trim().is_empty();
    if let Some(node) = graph.nodes.iter().find(|node| node.uid.as_ref().is_some_and(is_empty)) {
        return Err(PlanError::EmptyUid { operator: node.name.clone() });
    }
    let mut seen: BTreeMap<OperatorId, &str> = BTreeMap::new();
    for node in &graph.nodes {
        if let Some(first) = seen.insert(node.operator_id, &node.name) {
            return Err(PlanError::DuplicateUid {
                uid: node.uid.clone().unwrap_or_else(|| node.operator_id.to_string()),
                first: first.to_owned(),
                second: node.name.clone(),
            });
        }
    }
    Ok(())
}
