//! Where the runtime gets operators and types from: a table that the job's `main` built.

use std::sync::Arc;
use weir_dataflow::{KeyHasher, Operator, PayloadType, Result};
use weir_graph::{NodeId, TaskDeployment};

/// Operators, record types and key functions by their place in the stream graph.
pub trait OperatorRegistry: Send + Sync {
    /// A new instance of an operator for a subtask.
    fn operator(&self, node: NodeId, deployment: &TaskDeployment) -> Result<Box<dyn Operator>>;

    /// The type of the records that an operator emits.
    fn payload_type(&self, node: NodeId) -> Result<Arc<dyn PayloadType>>;

    /// The key function of a keyed edge.
    fn key_hasher(&self, stream_edge: u32) -> Result<Box<dyn KeyHasher>>;
}
