//! The deployment of one subtask: its chain, its channels, and the snapshots to restore.

use crate::{
    job_graph::{ChainEdge, ChainedOperator},
    key_groups::KeyGroupRange,
    stream_graph::{ExchangeKind, NodeId, Partitioning},
};
use serde::{Deserialize, Serialize};
use std::fmt;
use weir_base::{CheckpointId, ExecutionAttempt, OperatorId, VertexId};

/// A subtask by its place in the job graph.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct TaskId {
    /// Index of the vertex in the job graph.
    pub vertex: u32,
    /// Index of the subtask, from 0.
    pub subtask: u32,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vertex, self.subtask)
    }
}

/// One operator of a deployed chain.
pub type OperatorDeployment = ChainedOperator;

/// Where an input's records come from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InputChannels {
    /// Index of the job edge.
    pub edge: u32,
    /// The producing operator; names the type of the records.
    pub producer_node: NodeId,
    /// Numbered input of the head operator.
    pub input: u32,
    /// Producers, one channel each, in this order.
    pub producers: Vec<(TaskId, ExecutionAttempt)>,
    /// Routing of the edge.
    pub partitioning: Partitioning,
}

/// Where an output's records go.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutputChannels {
    /// Index of the job edge.
    pub edge: u32,
    /// Index of the edge in the stream graph it came from; names its key function.
    pub stream_edge: u32,
    /// Position of the producing operator in the chain.
    pub operator: u32,
    /// Consumers, one channel each, in this order; for a hash edge the place in this list is the
    /// subtask that owns the key group.
    pub consumers: Vec<(TaskId, ExecutionAttempt)>,
    /// Routing of the edge.
    pub partitioning: Partitioning,
    /// Pipelined or blocking.
    pub exchange: ExchangeKind,
    /// Number of key groups of the consuming vertex.
    pub max_parallelism: u32,
}

/// Where one subtask's part of a checkpoint lies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SnapshotHandle {
    /// The subtask that wrote it.
    pub task: TaskId,
    /// Id of its vertex.
    pub vertex: VertexId,
    /// Key groups it covers.
    pub key_groups: KeyGroupRange,
    /// Number of key groups of the vertex. Handles of earlier builds do not have it.
    #[serde(default)]
    pub max_parallelism: Option<u32>,
    /// Operators with state in it.
    pub operators: Vec<OperatorId>,
    /// Path in the job's checkpoint folder; empty when the subtask has no state.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// What the master remembers of an acknowledged snapshot besides its handle.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TaskSnapshotMeta {
    /// Time the task thread spent on it, in milliseconds.
    pub sync_ms: u64,
    /// Time until it was durable, in milliseconds.
    pub async_ms: u64,
    /// Time spent aligning barriers, in milliseconds.
    pub alignment_ms: u64,
}

/// Everything a task host needs to start one subtask.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaskDeployment {
    /// Which subtask.
    pub task: TaskId,
    /// Which deployment of it.
    pub attempt: ExecutionAttempt,
    /// Id of its vertex.
    pub vertex: VertexId,
    /// Name of its vertex.
    pub name: String,
    /// Number of subtasks of the vertex.
    pub parallelism: u32,
    /// Number of key groups of the vertex.
    pub max_parallelism: u32,
    /// The chain, head first.
    pub operators: Vec<OperatorDeployment>,
    /// Edges inside the chain.
    pub chain: Vec<ChainEdge>,
    /// Inputs of the head operator.
    pub inputs: Vec<InputChannels>,
    /// Outputs of any operator of the chain to other tasks.
    pub outputs: Vec<OutputChannels>,
    /// The checkpoint to restore, `None` for a fresh start.
    pub restore: Option<RestoreFrom>,
}

/// A completed checkpoint, as far as one subtask needs it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RestoreFrom {
    /// Which checkpoint.
    pub checkpoint: CheckpointId,
    /// Snapshots of the vertices whose operators this subtask hosts, of all their old subtasks.
    pub snapshots: Vec<SnapshotHandle>,
}

impl TaskDeployment {
    /// Key groups of this subtask.
    pub fn key_groups(&self) -> KeyGroupRange {
        KeyGroupRange::of_subtask(self.max_parallelism, self.parallelism, self.task.subtask)
    }

    /// `Counter (2/4)`: the name with the subtask counted from 1, as Flink shows it.
    pub fn display_name(&self) -> String {
        format!("{} ({}/{})", self.name, self.task.subtask + 1, self.parallelism)
    }
}
