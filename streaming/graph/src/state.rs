//! Declarations of state: what an operator keeps, known before it runs.

use crate::schema::Schema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The kind of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StateKind {
    /// One value per key.
    Value,
    /// A list per key.
    List,
    /// A map per key.
    Map,
    /// A value per key, folded by an associative function.
    Reducing,
    /// An accumulator per key.
    Aggregating,
    /// A list per subtask, redistributed when the parallelism changes.
    OperatorList,
}

/// A state that an operator declares in its plan-time description.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StateDeclaration {
    /// Name, unique within the operator.
    pub name: String,
    /// Kind.
    pub kind: StateKind,
    /// Type of the key; `None` for operator state.
    pub key: Option<Schema>,
    /// Type of the value.
    pub value: Schema,
    /// Time to live since the last write in milliseconds; `None` keeps entries for ever.
    pub ttl_ms: Option<u64>,
}

impl fmt::Display for StateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::List => "list",
            Self::Map => "map",
            Self::Reducing => "reducing",
            Self::Aggregating => "aggregating",
            Self::OperatorList => "operator list",
        })
    }
}

/// `"total" (value by u64: Order {id: u64})`
impl fmt::Display for StateDeclaration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({}", self.name, self.kind)?;
        if let Some(key) = &self.key {
            write!(f, " by {}", key.spelled())?;
        }
        write!(f, ": {}", self.value.spelled())?;
        if let Some(ttl_ms) = self.ttl_ms {
            write!(f, ", kept for {ttl_ms} ms")?;
        }
        f.write_str(")")
    }
}
