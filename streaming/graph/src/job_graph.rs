//! The job graph: operators chained into vertices, parallelism resolved.

use crate::{
    key_groups::KeyGroupRange,
    stream_graph::{ExchangeKind, NodeId, Partitioning, RuntimeMode, StreamNode},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_base::VertexId;

/// A chained operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainedOperator {
    /// Its node in the stream graph it came from; also the key of its factory.
    pub node_id: NodeId,
    /// The node itself.
    pub node: StreamNode,
}

/// An edge inside a chain: output of one operator straight into the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChainEdge {
    /// Position of the producer in the chain.
    pub from: u32,
    /// Position of the consumer in the chain; always larger.
    pub to: u32,
    /// Numbered input of the consumer.
    pub input: u32,
}

/// A chain of operators that runs as one task per subtask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobVertex {
    /// Id, derived from its head operator's.
    pub id: VertexId,
    /// Operator names joined by ` -> `.
    pub name: String,
    /// Number of subtasks, at least 1.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Operators in topological order; the first is the head, which reads the vertex's inputs.
    pub operators: Vec<ChainedOperator>,
    /// Edges between them.
    pub chain: Vec<ChainEdge>,
    /// Runs job-wide code of a source or sink; left out of what users are shown.
    pub coordinator: bool,
}

impl JobVertex {
    /// Key groups of a subtask.
    pub fn key_groups(&self, subtask: u32) -> KeyGroupRange {
        KeyGroupRange::of_subtask(self.max_parallelism, self.parallelism, subtask)
    }
}

/// A stream between two vertices.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobEdge {
    /// Index of the edge in the stream graph it came from; names its key function.
    pub stream_edge: u32,
    /// Index of the producing vertex.
    pub from: u32,
    /// Position of the producing operator in its chain.
    pub from_operator: u32,
    /// Index of the consuming vertex.
    pub to: u32,
    /// Numbered input of the consuming head operator.
    pub input: u32,
    /// Routing.
    pub partitioning: Partitioning,
    /// Pipelined or blocking.
    pub exchange: ExchangeKind,
}

/// A job, chained. Vertices stand in topological order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct JobGraph {
    /// Name of the job.
    pub name: String,
    /// Streaming or batch.
    pub mode: RuntimeMode,
    /// Chains.
    pub vertices: Vec<JobVertex>,
    /// Streams between chains; the place in this list is the edge's index.
    pub edges: Vec<JobEdge>,
    /// Values computed once, in the client.
    pub once: BTreeMap<String, Vec<u8>>,
}

impl JobGraph {
    /// Indices and edges that lead into a vertex.
    pub fn inputs_of(&self, vertex: u32) -> impl Iterator<Item = (u32, &JobEdge)> {
        (0u32..).zip(&self.edges).filter(move |(_, edge)| edge.to == vertex)
    }

    /// Indices and edges that lead out of a vertex.
    pub fn outputs_of(&self, vertex: u32) -> impl Iterator<Item = (u32, &JobEdge)> {
        (0u32..).zip(&self.edges).filter(move |(_, edge)| edge.from == vertex)
    }

    /// Number of tasks of the whole job.
    pub fn task_count(&self) -> usize {
        self.vertices.iter().map(|v| v.parallelism as usize).sum()
    }
}
