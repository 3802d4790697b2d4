//! What a record and a key must be.

use serde::{Serialize, de::DeserializeOwned};

/// Anything that flows: every owned serde type that can move between threads.
///
/// There is nothing to implement. Local mode asks for the same traits as a cluster, so a job
/// that runs here runs there.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Record for T {}

/// A record that can be compared: what streams are keyed by.
///
/// Keys that compare equal must be encoded alike, as those with a derived `PartialEq` are: the
/// encoding decides which subtask owns a key.
///
/// Floats and maps are refused when the graph is built: a float has values that differ and
/// compare equal, a map has no order.
pub trait Key: Record + PartialEq {}

impl<T: Record + PartialEq> Key for T {}
