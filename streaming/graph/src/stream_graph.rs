//! The stream graph: a job as its author wrote it, one node per operator.

use crate::{schema::Schema, state::StateDeclaration};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use weir_base::OperatorId;

/// Place of a node in [`StreamGraph::nodes`].
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct NodeId(pub u32);

impl NodeId {
    /// As an index of [`StreamGraph::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// How records find the subtask of the next operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Partitioning {
    /// Subtask `i` to subtask `i`; both sides have the same parallelism.
    Forward,
    /// Batches in turn to every subtask.
    Rebalance,
    /// Each record to all subtasks.
    Broadcast,
    /// Everything to subtask 0.
    Global,
    /// By the key group of the record's key hash.
    Hash,
}

impl Partitioning {
    /// Flink's name of the ship strategy.
    pub fn ship_strategy(self) -> &'static str {
        match self {
            Self::Forward => "FORWARD",
            Self::Rebalance => "REBALANCE",
            Self::Broadcast => "BROADCAST",
            Self::Global => "GLOBAL",
            Self::Hash => "HASH",
        }
    }
}

/// When a consumer may read what a producer wrote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ExchangeKind {
    /// At once, through bounded queues.
    #[default]
    Pipelined,
    /// When the producer is done; spilled until then.
    Blocking,
}

/// Whether an operator may run in one task with its neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum ChainingStrategy {
    /// With both neighbours.
    #[default]
    Always,
    /// Starts a chain: not with what comes before it.
    Head,
    /// With none.
    Never,
}

/// `execution.runtime-mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RuntimeMode {
    /// Every update is emitted as it happens.
    #[default]
    Streaming,
    /// Bounded input: keyed aggregates combine early and emit once.
    Batch,
    /// Batch if every source is bounded, otherwise streaming.
    Automatic,
}

/// One operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StreamNode {
    /// Its id: from `uid` where given, else from its place in the graph.
    pub operator_id: OperatorId,
    /// The author's stable name for its state.
    pub uid: Option<String>,
    /// Display name, such as `Map -> Filter`.
    pub name: String,
    /// What it is, such as `source`, `run`, `keyed-reduce`, `sink`.
    pub kind: String,
    /// Parallelism set on the operator itself.
    pub parallelism: Option<u32>,
    /// Maximum parallelism set on the operator itself.
    pub max_parallelism: Option<u32>,
    /// Cannot run with another parallelism than this (serial sources, coordinators).
    pub fixed_parallelism: Option<u32>,
    /// Takes the parallelism of this node (a source that follows its coordinator's readers, a
    /// combiner that stays with its producer), unless it has one of its own.
    pub parallelism_of: Option<NodeId>,
    /// Chaining.
    pub chaining: ChainingStrategy,
    /// States it keeps.
    pub states: Vec<StateDeclaration>,
    /// Type of its records, `None` for a sink.
    pub output: Option<Schema>,
    /// Settings that travel with the graph: those of sources and sinks.
    pub specification: Vec<u8>,
    /// For sources: whether their input ends.
    pub bounded: bool,
    /// The hidden one-subtask vertex that runs an operator's job-wide code.
    pub coordinator: bool,
    /// Commits output when a checkpoint completes.
    pub commits: bool,
}

/// A stream between two operators.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EdgeSpec {
    /// Producer.
    pub from: NodeId,
    /// Consumer.
    pub to: NodeId,
    /// Which numbered input of the consumer; a union shares one input among edges.
    pub input: u32,
    /// Routing. `None` means forward where parallelisms agree, otherwise rebalance.
    pub partitioning: Option<Partitioning>,
    /// Pipelined or blocking.
    pub exchange: ExchangeKind,
}

/// A job as written. Nodes stand in topological order: edges lead from lower to higher ids.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StreamGraph {
    /// The name given to `execute`.
    pub name: String,
    /// Streaming or batch; automatic is resolved before the graph is built.
    pub mode: RuntimeMode,
    /// Operators.
    pub nodes: Vec<StreamNode>,
    /// Streams.
    pub edges: Vec<EdgeSpec>,
    /// Parallelism of operators that name none.
    pub default_parallelism: u32,
    /// Maximum parallelism of operators that name none; `None` derives it.
    pub default_max_parallelism: Option<u32>,
    /// Whether operators are chained at all.
    pub chaining: bool,
    /// Values computed once, in the client: name → msgpack.
    pub once: BTreeMap<String, Vec<u8>>,
}

impl StreamGraph {
    /// The node with this id.
    pub fn node(&self, id: NodeId) -> &StreamNode {
        &self.nodes[id.index()]
    }

    /// Edges into a node, in the order they were added.
    pub fn inputs_of(&self, id: NodeId) -> impl Iterator<Item = &EdgeSpec> {
        self.edges.iter().filter(move |edge| edge.to == id)
    }

    /// Edges out of a node, in the order they were added.
    pub fn outputs_of(&self, id: NodeId) -> impl Iterator<Item = &EdgeSpec> {
        self.edges.iter().filter(move |edge| edge.from == id)
    }
}

impl fmt::Display for RuntimeMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Streaming => "STREAMING",
            Self::Batch => "BATCH",
            Self::Automatic => "AUTOMATIC",
        })
    }
}
