//! What a record and a key must be.

use serde::{Serialize, de::DeserializeOwned};

/// Anything that flows: every owned serde type that can move between threads.
///
/// There is nothing to implement. Local mode asks for the same traits as a cluster, so a job
/// that runs here runs there. A type whose values do not come back equal from their encoding is
/// refused when the job is planned; see [`SelfDescribing`](crate::SelfDescribing) for such types.
pub trait Record: Serialize + DeserializeOwned + Clone + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Record for T {}

/// A record that can be compared: what streams are keyed by.
///
/// Keys that compare equal must be encoded alike, as those with a derived `PartialEq` are: the
/// encoding decides which subtask owns a key.
///
/// Floats, maps, hash sets and [`SelfDescribing`](crate::SelfDescribing) are refused when the graph
/// is built: values of them that compare equal can have different encodings.
pub trait Key: Record + PartialEq {}

impl<T: Record + PartialEq> Key for T {}
