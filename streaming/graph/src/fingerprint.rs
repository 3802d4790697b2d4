//! The fingerprint of a graph: what must agree between two processes that run the same `main`,
//! and between a job and the log it resumes.
//!
//! It covers, per operator, id, kind, schemas, states and specification, never parallelism.

use crate::stream_graph::StreamGraph;
use serde::{Deserialize, Serialize};
use weir_base::HexId;

/// One line per operator, in graph order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    operators: Vec<OperatorPrint>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct OperatorPrint {
    name: String,
    id: HexId,
    kind: String,
    inputs: Vec<u32>,
    types: HexId,
    specification: HexId,
}

/// The first operator in which two graphs differ.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("operator {position} differs: {aspect} was {expected}, now is {found}")]
pub struct FingerprintMismatch {
    /// Place in the graph, from 1.
    pub position: usize,
    /// What differs.
    pub aspect: &'static str,
    /// As it was.
    pub expected: String,
    /// As it is.
    pub found: String,
}

impl Fingerprint {
    /// The fingerprint of a graph.
    pub fn of(graph: &StreamGraph) -> Self {
        let operators = (0u32..)
            .zip(&graph.nodes)
            .map(|(index, node)| OperatorPrint {
                name: node.name.clone(),
                id: node.operator_id.0,
                kind: node.kind.clone(),
                inputs: graph
                    .edges
                    .iter()
                    .filter(|edge| edge.to.0 == index)
                    .map(|edge| edge.from.0)
                    .collect(),
                types: HexId::of_text(&format!("{:?} {:?}", node.output, node.states)),
                specification: HexId::of_text(&format!("{:?}", node.specification)),
            })
            .collect();
        Self { operators }
    }

    /// A short form for logs and ids.
    pub fn digest(&self) -> HexId {
        HexId::of_text(&format!("{:?}", self.operators))
    }

    /// Compares with what was expected; the error names the first operator that differs.
    pub fn check(&self, expected: &Self) -> Result<(), FingerprintMismatch> {
        let pairs = self.operators.iter().zip(&expected.operators);
        for (position, (found, expected)) in (1..).zip(pairs) {
            let differs = |aspect, expected: &dyn ToString, found: &dyn ToString| {
                Err(FingerprintMismatch {
                    position,
                    aspect,
                    expected: expected.to_string(),
                    found: found.to_string(),
                })
            };
            let named = |text: &str, print: &OperatorPrint| format!("{text} ({:?})", print.name);
            if found.kind != expected.kind {
                return differs(
                    "its kind",
                    &named(&expected.kind, expected),
                    &named(&found.kind, found),
                );
            }
            if found.id != expected.id {
                return differs(
                    "its uid",
                    &named(&expected.id.to_string(), expected),
                    &named(&found.id.to_string(), found),
                );
            }
            if found.inputs != expected.inputs {
                return differs(
                    "its inputs",
                    &named(&format!("{:?}", expected.inputs), expected),
                    &named(&format!("{:?}", found.inputs), found),
                );
            }
            if found.types != expected.types {
                return differs(
                    "its types or states",
                    &named(&expected.types.to_string(), expected),
                    &named(&found.types.to_string(), found),
                );
            }
            if found.specification != expected.specification {
                return differs(
                    "its settings",
                    &named(&expected.specification.to_string(), expected),
                    &named(&found.specification.to_string(), found),
                );
            }
        }
        if self.operators.len() == expected.operators.len() {
            return Ok(());
        }
        Err(FingerprintMismatch {
            position: self.operators.len().min(expected.operators.len()) + 1,
            aspect: "the number of operators",
            expected: expected.operators.len().to_string(),
            found: self.operators.len().to_string(),
        })
    }
}
