//! What resource manager, node agents and app masters say to each other: HTTP, bodies in msgpack
//! with field names.
//!
//! ```text
//! agent ──▶ resource manager   POST /internal/v1/nodes/register          RegisterNode → NodeRegistered
//!                              POST /internal/v1/nodes/heartbeat         NodeHeartbeat → NodeOrders
//!                              POST /internal/v1/nodes/leave             LeaveNode → NodeLeft
//! app master ──▶ the same      POST /internal/v1/app-masters/register    RegisterAppMaster → AppMasterRegistered
//!                              POST /internal/v1/app-masters/allocate    Allocate → Allocated
//!                              POST /internal/v1/app-masters/finish      FinishAppMaster → AppMasterFinished
//! app master ──▶ agent         POST /internal/v1/containers/start        StartContainer → ContainerStarted
//!                              POST /internal/v1/containers/stop         StopContainer → ContainerStopped
//! anybody ──▶ resource manager PUT, HEAD, GET /ws/v1/cluster/artifacts/{sha256}   the file itself
//! ```
//!
//! Every request and answer carries [`PROTOCOL_HEADER`] with [`PROTOCOL_VERSION`]; a side that meets
//! another number than its own or the one before refuses. An answer other than 200 has the body of
//! `rest::yarn::RemoteException`.
//!
//! Every request carries a token behind `Authorization: Bearer `, which is checked before a byte of the body is
//! read: of agents the cluster's, of app masters their attempt's, to an agent that of the lease.
//!
//! **States, not events.** A request says all that its sender has and wants, the answer all that it
//! should do, until the next request shows that it was done. So a lost, repeated or late message
//! changes nothing: a heartbeat lists every container, an ask carries the number ever asked, a
//! lease comes with each answer until the app master names it as its own.
//!
//! **Prompt.** An answer to a heartbeat or an allocate is held back until there is something to say,
//! but not longer than `hold_ms`. Whoever has news sends the next one without waiting for the
//! answer; the one held is then answered at once, and its receiver ignores it by its `sequence`.

mod app_master;
mod container;
mod lease;
mod node;
mod submission;

pub use app_master::{
    Allocate, Allocated, AppMasterCommand, AppMasterFinished, AppMasterRegistered, ArchivedAnswer,
    Ask, FinalStatus, FinishAppMaster, PendingAsk, RegisterAppMaster,
};
pub use container::{
    ArtifactUse, ContainerReport, ContainerStarted, ContainerState, ContainerStopped,
    LaunchContainer, LaunchContext, StartContainer, StopContainer, exit_status,
};
pub use lease::{Lease, LeaseToken, ParseLeaseTokenError, SignedLease};
pub use node::{
    KillContainer, LeaveNode, NodeAction, NodeHeartbeat, NodeLeft, NodeOrders, NodeRegistered,
    RegisterNode,
};
pub use submission::{JOB_FILE, JobSubmission, RecordedResult, ShippedFile};

use crate::msgpack;
use serde::{Serialize, de::DeserializeOwned};

/// The version spoken here; the one before it is understood too.
pub const PROTOCOL_VERSION: u32 = 1;
/// The HTTP header that carries the version of the sender.
pub const PROTOCOL_HEADER: &str = "x-weir-protocol";
/// The media type of the bodies.
pub const MEDIA_TYPE: &str = "application/msgpack";
/// Bytes of a body that is not an artefact, at most.
pub const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a [`StartContainer`] or [`StopContainer`], at most: files go another way.
pub const MAX_CONTAINER_BODY_BYTES: usize = 1024 * 1024;

/// Variables that the environment of a container holds.
pub mod variables {
    /// `host:port` of the resource manager; for app masters.
    pub const RESOURCE_MANAGER: &str = "WEIR_RESOURCE_MANAGER";
    /// The attempt; for app masters.
    pub const APPLICATION_ATTEMPT: &str = "WEIR_APPLICATION_ATTEMPT";
    /// The bearer token of the attempt; for app masters.
    pub const APPLICATION_TOKEN: &str = "WEIR_APPLICATION_TOKEN";
    /// Folder or URI that all nodes reach, for checkpoints; for app masters, where configured.
    pub const STORAGE_DIR: &str = "WEIR_STORAGE_DIR";
    /// `host:port` where the job master listens; for task managers.
    pub const JOB_MASTER: &str = "WEIR_JOB_MASTER";
    /// The job; for task managers.
    pub const JOB: &str = "WEIR_JOB";
    /// The key of the job as hex; for task managers.
    pub const JOB_KEY: &str = "WEIR_JOB_KEY";
    /// The container's id, as in YARN.
    pub const CONTAINER_ID: &str = "CONTAINER_ID";
    /// Host of the node's agent, as in YARN.
    pub const NODE_HOST: &str = "NM_HOST";
    /// Port of the node's agent, as in YARN.
    pub const NODE_PORT: &str = "NM_HTTP_PORT";
    /// Folder of the container's logs, as in YARN.
    pub const LOG_DIRS: &str = "LOG_DIRS";
    /// Memory of the container in MiB.
    pub const CONTAINER_MEMORY_MIB: &str = "WEIR_CONTAINER_MEMORY_MIB";
    /// Number of slots; for task managers, 1 where it is not given.
    pub const TASK_SLOTS: &str = "WEIR_TASK_SLOTS";
    /// How long the job master may be silent, in milliseconds; for task managers, 50000 where it is not
    /// given.
    pub const HEARTBEAT_TIMEOUT_MS: &str = "WEIR_HEARTBEAT_TIMEOUT_MS";
}

/// Bytes that are no message of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("damaged {what}: {problem}")]
pub struct DecodeError {
    /// What was expected.
    pub what: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// The msgpack of a message.
pub fn encode<T: Serialize>(message: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("messages are plain data, which msgpack can hold")
}

/// A message that fills the bytes.
///
/// # Errors
/// The bytes are anything else, or have more than [`MAX_VALUES`](crate::MAX_VALUES) values.
pub fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, DecodeError> {
    msgpack::decode(bytes).map_err(|problem| DecodeError { what, problem })
}
