//! The lowest layer: typed ids, resources, units of time and size, the interface of a pure
//! brain, a seeded random number generator and invariants.
//!
//! It knows nothing about jobs, clusters, clocks, sockets or files. Everything here is plain data
//! or pure arithmetic, so every other crate may use it.

#![warn(missing_docs)]

pub mod cluster_id;
pub mod failure;
pub mod id;
mod invariant;
pub mod machine;
pub mod resources;
pub mod rng;
pub mod share;
pub mod units;

pub use cluster_id::{
    ApplicationId, ArtifactHash, AttemptId, ContainerId, NodeId, ParseClusterIdError,
};
pub use failure::{Failure, FailureOrigin};
pub use id::{
    CheckpointId, ExecutionAttempt, HexId, JobId, LeaderEpoch, LogIndex, OperatorId, VertexId,
};
pub use machine::{Machine, Monotonic, Now, WallTime};
pub use resources::Resources;
pub use rng::SeededRng;
pub use share::{ParseShareError, Share};
