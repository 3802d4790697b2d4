//! The fingerprint of a graph: what must agree between two processes that run the same `main`,
//! and between a job and the log it resumes.
//!
//! It covers, per operator, uid, kind, inputs, schemas, states and specification, never parallelism. It
//! holds the values themselves, so that a difference can be shown; what is compared is [`OperatorPrint`].

use crate::{schema::Schema, state::StateDeclaration, stream_graph::StreamGraph};
use serde::{Deserialize, Serialize};
use std::fmt;
use weir_base::HexId;

/// The longest beginning of a specification that an error shows, in bytes.
const SHOWN_BYTES: usize = 200;

/// One entry per operator, in graph order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Fingerprint {
    operators: Vec<OperatorPrint>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct OperatorPrint {
    name: String,
    id: HexId,
    uid: Option<String>,
    kind: String,
    inputs: Vec<u32>,
    output: Option<Schema>,
    states: Vec<StateDeclaration>,
    specification: Vec<u8>,
}

/// The first operator in which two graphs differ.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub struct FingerprintMismatch {
    /// Place in the graph, from 1.
    pub position: usize,
    /// Name of the operator as it is; `None` where one graph has more operators than the other.
    pub name: Option<String>,
    /// What differs.
    pub aspect: &'static str,
    /// As it was.
    pub expected: String,
    /// As it is.
    pub found: String,
}

impl fmt::Display for FingerprintMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, name, aspect, expected, found } = self;
        match name {
            Some(name) => write!(f, "operator {position} ({name:?}) differs: {aspect}")?,
            None => write!(f, "the graph differs from operator {position} on: {aspect}")?,
        }
        write!(f, " was {expected}, now is {found}")
    }
}

impl Fingerprint {
    /// The fingerprint of a graph.
    pub fn of(graph: &StreamGraph) -> Self {
        let operators = (0u32..)
            .zip(&graph.nodes)
            .map(|(index, node)| OperatorPrint {
                name: node.name.clone(),
                id: node.operator_id.0,
                uid: node.uid.clone(),
                kind: node.kind.clone(),
                inputs: graph
                    .edges
                    .iter()
                    .filter(|edge| edge.to.0 == index)
                    .map(|edge| edge.from.0)
                    .collect(),
                output: node.output.clone(),
                states: node.states.clone(),
                specification: node.specification.clone(),
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
            if let Some((aspect, was, is)) = found.difference(expected) {
                return Err(FingerprintMismatch {
                    position,
                    name: Some(found.name.clone()),
                    aspect,
                    expected: was,
                    found: is,
                });
            }
        }
        if self.operators.len() == expected.operators.len() {
            return Ok(());
        }
        Err(FingerprintMismatch {
            position: self.operators.len().min(expected.operators.len()) + 1,
            name: None,
            aspect: "the number of operators",
            expected: expected.operators.len().to_string(),
            found: self.operators.len().to_string(),
        })
    }
}

impl OperatorPrint {
    /// The first difference: what differs, as it was, as it is.
    fn difference(&self, expected: &Self) -> Option<(&'static str, String, String)> {
        let pair = |of: &dyn Fn(&Self) -> String| (of(expected), of(self));
        let (aspect, (was, is)) = if self.kind != expected.kind {
            let kind = |print: &Self| format!("{} (named {:?})", print.kind, print.name);
            ("its kind", pair(&kind))
        } else if self.uid != expected.uid {
            ("its uid", pair(&|print| or_none(print.uid.as_ref(), |uid| format!("{uid:?}"))))
        } else if self.inputs != expected.inputs {
            ("the list of operators it reads from", pair(&Self::input_text))
        } else if self.id != expected.id {
            ("the id that its place in the graph gives it", pair(&|print| print.id.to_string()))
        } else if self.output != expected.output {
            (
                "the type of its records",
                pair(&|print| or_none(print.output.as_ref(), Schema::spelled)),
            )
        } else if self.states != expected.states {
            ("its state", pair(&Self::state_text))
        } else if self.specification != expected.specification {
            ("its specification", pair(&Self::specification_text))
        } else {
            return None;
        };
        Some((aspect, was, is))
    }

    fn input_text(&self) -> String {
        let positions: Vec<_> = self.inputs.iter().map(|from| (from + 1).to_string()).collect();
        if positions.is_empty() { "none".to_owned() } else { positions.join(" and ") }
    }

    fn state_text(&self) -> String {
        let states: Vec<_> = self.states.iter().map(StateDeclaration::to_string).collect();
        if states.is_empty() { "none".to_owned() } else { states.join(" and ") }
    }

    /// Specifications are encoded; their texts, such as paths, stand in them as they are.
    fn specification_text(&self) -> String {
        let shown = &self.specification[..self.specification.len().min(SHOWN_BYTES)];
        let rest = if shown.len() < self.specification.len() { "…" } else { "" };
        format!("\"{}{rest}\"", shown.escape_ascii())
    }
}

fn or_none<T>(value: Option<&T>, text: impl Fn(&T) -> String) -> String {
    value.map_or("none".to_owned(), text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{schema::Shape, state::StateKind};

    fn print() -> OperatorPrint {
        OperatorPrint {
            name: "Count".to_owned(),
            id: HexId(1),
            uid: None,
            kind: "keyed-reduce".to_owned(),
            inputs: vec![0],
            output: Some(schema(Shape::Tuple(vec![Shape::String, Shape::Uint(64)]))),
            states: Vec::new(),
            specification: b"\x91\xa3/in".to_vec(),
        }
    }

    fn schema(shape: Shape) -> Schema {
        Schema { name: "Order".to_owned(), shape }
    }

    fn state(value: Shape) -> StateDeclaration {
        StateDeclaration {
            name: "total".to_owned(),
            kind: StateKind::Value,
            key: Some(Schema { name: "u64".to_owned(), shape: Shape::Uint(64) }),
            value: schema(value),
            ttl_ms: None,
        }
    }

    fn mismatch(was: Vec<OperatorPrint>, is: Vec<OperatorPrint>) -> String {
        let found = Fingerprint { operators: is }.check(&Fingerprint { operators: was });
        found.expect_err("they differ").to_string()
    }

    #[test]
    fn difference_is_shown_by_value() {
        let fields = |more: bool| {
            let mut fields = vec![("id".to_owned(), Shape::Uint(64))];
            fields.extend(
                more.then(|| ("price".to_owned(), Shape::Option(Box::new(Shape::Int(32))))),
            );
            Shape::Struct(fields)
        };
        for (was, is, expect) in [
            (
                print(),
                OperatorPrint { kind: "map".to_owned(), name: "Map".to_owned(), ..print() },
                "(\"Map\") differs: its kind was keyed-reduce (named \"Count\"), now is map (named \
                 \"Map\")",
            ),
            (
                OperatorPrint { uid: Some("a".to_owned()), ..print() },
                OperatorPrint { uid: None, id: HexId(2), ..print() },
                "(\"Count\") differs: its uid was \"a\", now is none",
            ),
            (
                print(),
                OperatorPrint { inputs: vec![0, 2], ..print() },
                "(\"Count\") differs: the list of operators it reads from was 1, now is 1 and 3",
            ),
            (
                OperatorPrint { output: Some(schema(fields(false))), ..print() },
                OperatorPrint { output: Some(schema(fields(true))), ..print() },
                "(\"Count\") differs: the type of its records was Order {id: u64}, now is Order \
                 {id: u64, price: Option<i32>}",
            ),
            (
                print(),
                OperatorPrint { output: None, ..print() },
                "(\"Count\") differs: the type of its records was Order (String, u64), now is none",
            ),
            (
                OperatorPrint { states: vec![state(Shape::Uint(32))], ..print() },
                OperatorPrint { states: vec![state(Shape::Uint(64))], ..print() },
                "(\"Count\") differs: its state was \"total\" (value by u64: Order u32), now is \
                 \"total\" (value by u64: Order u64)",
            ),
            (
                print(),
                OperatorPrint { specification: b"\x91\xa3/io".to_vec(), ..print() },
                "(\"Count\") differs: its specification was \"\\x91\\xa3/in\", now is \"\\x91\\xa3/io\"",
            ),
        ] {
            assert_eq!(mismatch(vec![was], vec![is]), format!("operator 1 {expect}"));
        }
    }

    #[test]
    fn graph_with_more_operators_differs() {
        assert_eq!(
            mismatch(vec![print()], vec![print(), print()]),
            "the graph differs from operator 2 on: the number of operators was 1, now is 2"
        );
        let same = Fingerprint { operators: vec![print()] };
        assert_eq!(same.check(&same.clone()), Ok(()));
    }
}
