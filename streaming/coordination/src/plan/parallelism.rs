//! How many subtasks and key groups each operator gets, and how its edges route.
//!
//! Subtasks: what a serial operator is fixed to, else the operator's own setting, else that of
//! the operator it follows, else the job's default. Key groups: the operator's own setting, else
//! the job's default, else derived from the parallelism as Flink does.

use super::PlanError;
use weir_base::invariant;
use weir_graph::{
    NodeId, Partitioning, StreamGraph, StreamNode,
    key_groups::{UPPER_BOUND, derived_max_parallelism},
};

/// The resolved size of one operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Size {
    /// Number of subtasks.
    pub(super) parallelism: u32,
    /// Number of key groups.
    pub(super) max_parallelism: u32,
}

/// Sizes in the order of the graph's nodes.
pub(super) fn resolve(graph: &StreamGraph) -> Result<Vec<Size>, PlanError> {
    graph.nodes.iter().map(|node| size_of(graph, node)).collect()
}

/// The routing of each edge, in the order of the graph's edges.
pub(super) fn partitionings(
    graph: &StreamGraph,
    sizes: &[Size],
) -> Result<Vec<Partitioning>, PlanError> {
    let route = |edge: &weir_graph::EdgeSpec| {
        let from = sizes[edge.from.index()].parallelism;
        let to = sizes[edge.to.index()].parallelism;
        match edge.partitioning {
            Some(Partitioning::Forward) if from != to => Err(PlanError::ForwardMismatch {
                from: graph.node(edge.from).name.clone(),
                from_parallelism: from,
                to: graph.node(edge.to).name.clone(),
                to_parallelism: to,
            }),
            Some(partitioning) => Ok(partitioning),
            None if from == to => Ok(Partitioning::Forward),
            None => Ok(Partitioning::Rebalance),
        }
    };
    graph.edges.iter().map(route).collect()
}

fn size_of(graph: &StreamGraph, node: &StreamNode) -> Result<Size, PlanError> {
    let parallelism = parallelism_of(graph, node)?;
    let max_parallelism = max_parallelism_of(graph, node, parallelism)?;
    if parallelism > max_parallelism {
        return Err(PlanError::AboveMaxParallelism {
            operator: node.name.clone(),
            parallelism,
            max_parallelism,
        });
    }
    Ok(Size { parallelism, max_parallelism })
}

fn parallelism_of(graph: &StreamGraph, node: &StreamNode) -> Result<u32, PlanError> {
    let mut decider = node;
    // A chain of followers is shorter than the graph; a longer walk goes in a circle.
    for _ in 0..graph.nodes.len() {
        if let Some(parallelism) = own_parallelism(decider)? {
            return Ok(parallelism);
        }
        match decider.parallelism_of {
            Some(NodeId(followed)) => decider = &graph.nodes[followed as usize],
            None => return default_parallelism(graph),
        }
    }
    invariant!(false, "operator {:?} takes its parallelism from itself", node.name);
    default_parallelism(graph)
}

/// The parallelism of the operator itself, by its kind or by a setting.
fn own_parallelism(node: &StreamNode) -> Result<Option<u32>, PlanError> {
    match (node.fixed_parallelism, node.parallelism) {
        (Some(0), _) | (_, Some(0)) => {
            Err(PlanError::ZeroParallelism { owner: format!("operator {:?}", node.name) })
        }
        (Some(fixed), Some(requested)) if fixed != requested => {
            Err(PlanError::FixedParallelism { operator: node.name.clone(), fixed, requested })
        }
        (fixed, own) => Ok(fixed.or(own)),
    }
}

fn default_parallelism(graph: &StreamGraph) -> Result<u32, PlanError> {
    match graph.default_parallelism {
        0 => Err(PlanError::ZeroParallelism { owner: format!("job {:?}", graph.name) }),
        parallelism => Ok(parallelism),
    }
}

fn max_parallelism_of(
    graph: &StreamGraph,
    node: &StreamNode,
    parallelism: u32,
) -> Result<u32, PlanError> {
    let (owner, max_parallelism) = match (node.max_parallelism, graph.default_max_parallelism) {
        (Some(own), _) => (format!("operator {:?}", node.name), own),
        (None, Some(default)) => (format!("job {:?}", graph.name), default),
        (None, None) => return Ok(derived_max_parallelism(parallelism)),
    };
    if (1..=UPPER_BOUND).contains(&max_parallelism) {
        Ok(max_parallelism)
    } else {
        Err(PlanError::MaxParallelismOutOfRange { owner, max_parallelism })
    }
}
