//! Plain data that describes a job at each stage of its life, and nothing that runs it.
//!
//! ```text
//! StreamGraph ──chain──▶ JobGraph ──expand──▶ TaskDeployment (one per subtask)
//! as written             chained               parallel, deployment of a subtask
//! ```
//!
//! Every type here serialises. The crate knows no operator, no thread, no storage.

#![warn(missing_docs)]

pub mod deployment;
pub mod fingerprint;
pub mod job_graph;
pub mod key_groups;
pub mod schema;
pub mod state;
pub mod stream_graph;

pub use deployment::{
    InputChannels, OperatorDeployment, OutputChannels, SnapshotHandle, TaskDeployment, TaskId,
    TaskSnapshotMeta,
};
pub use fingerprint::{Fingerprint, FingerprintMismatch};
pub use job_graph::{ChainEdge, ChainedOperator, JobEdge, JobGraph, JobVertex};
pub use key_groups::{KeyGroupRange, key_group_of, subtask_of_key_group};
pub use schema::{Schema, Shape};
pub use state::{StateDeclaration, StateKind};
pub use stream_graph::{
    ChainingStrategy, EdgeSpec, ExchangeKind, NodeId, Partitioning, RuntimeMode, StreamGraph,
    StreamNode,
};
