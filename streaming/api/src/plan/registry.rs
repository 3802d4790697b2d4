//! The table *node → factory* that a task host makes operators from.

use super::{Abandon, HasherFactory, OperatorFactory, OutputType};
use std::sync::Arc;
use weir_dataflow::{Error, KeyHasher, Operator, PayloadType, Result};
use weir_graph::{NodeId, TaskDeployment};
use weir_runtime::OperatorRegistry;

/// Factories by node, key functions by edge, of one stream graph.
#[derive(Default)]
pub(crate) struct PlanRegistry {
    pub operators: Vec<(OperatorFactory, Option<OutputType>)>,
    pub hashers: Vec<Option<HasherFactory>>,
    pub abandons: Vec<Abandon>,
}

impl OperatorRegistry for PlanRegistry {
    fn operator(&self, node: NodeId, deployment: &TaskDeployment) -> Result<Box<dyn Operator>> {
        let (factory, _) = self.operators.get(node.index()).ok_or_else(|| unknown("operator"))?;
        factory(deployment)
    }

    fn payload_type(&self, node: NodeId) -> Result<Arc<dyn PayloadType>> {
        let found = self.operators.get(node.index()).and_then(|(_, output)| output.as_ref());
        found.map(|output| Arc::clone(&output.payload)).ok_or_else(|| unknown("record type"))
    }

    fn key_hasher(&self, stream_edge: u32) -> Result<Box<dyn KeyHasher>> {
        let found = self.hashers.get(stream_edge as usize).and_then(Option::as_ref);
        found.map(|make| make()).ok_or_else(|| unknown("key function"))
    }
}

fn unknown(what: &str) -> Error {
    Error::internal(format!("a deployment names an {what} that this program has not built"))
}
