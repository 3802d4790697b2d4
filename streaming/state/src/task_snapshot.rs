//! The body of a snapshot file: all state of one subtask at one checkpoint.
//!
//! Postcard of [`TaskSnapshot`]; checkpoint storage frames it with a version and a checksum. Key
//! groups are kept apart so that a restore with another parallelism takes just the ones it owns.

use serde::{Deserialize, Serialize};
use weir_base::OperatorId;
use weir_dataflow::{Error, Result};

/// All state of one subtask.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TaskSnapshot {
    /// Operators that keep state, in chain order.
    pub operators: Vec<OperatorSnapshot>,
}

/// State of one operator.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OperatorSnapshot {
    /// Whose.
    pub operator: OperatorId,
    /// Keyed tables.
    pub tables: Vec<TableSnapshot>,
    /// Operator lists: name and encoded entries.
    pub lists: Vec<(String, Vec<Vec<u8>>)>,
}

/// One keyed table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TableSnapshot {
    /// Name of the state.
    pub name: String,
    /// Key groups that are not empty: group and encoded entries.
    pub groups: Vec<(u32, Vec<u8>)>,
}

impl TaskSnapshot {
    /// Whether there is no state at all.
    pub fn is_empty(&self) -> bool {
        self.operators.iter().all(OperatorSnapshot::is_empty)
    }

    /// The bytes of the file's body.
    pub fn encode(&self) -> Result<Vec<u8>> {
        postcard::to_stdvec(self)
            .map_err(|error| Error::internal(format!("cannot encode a snapshot: {error}")))
    }

    /// Reads a file's body; `path` is for the error.
    pub fn decode(bytes: &[u8], path: &str) -> Result<Self> {
        postcard::from_bytes(bytes).map_err(|error| {
            Error::permanent(
                "WEIR-STATE-0001",
                format!("snapshot {path} is whole but cannot be understood: {error}"),
            )
        })
    }
}

impl OperatorSnapshot {
    fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.groups.is_empty())
            && self.lists.iter().all(|(_, entries)| entries.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_bodies_are_errors_that_name_the_file() {
        let error = TaskSnapshot::decode(&[0xff; 3], "chk-1/a").unwrap_err();
        assert_eq!(error.code(), "WEIR-STATE-0001");
        assert!(error.to_string().contains("chk-1/a"));
    }
}
