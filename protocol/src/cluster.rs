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
//! Every request and answer carries [`PROTOCOL_HEADER`] with [`PROTOCOL_VERSION`]. A receiver refuses a
//! version that is neither its own nor the one before. An answer other than 200 has the body of
//! `rest::yarn::RemoteException`.
//!
//! Every request carries a token in `Authorization: Bearer `, which is checked before the body is read: agents
//! send the cluster's token, app masters that of their attempt, and to an agent that of the lease.
//!
//! **States, not events.** A request lists everything that its sender has and wants, the answer everything that
//! the sender should do, until a later request shows that it was done. So a message that is lost, repeated or
//! late changes nothing: a heartbeat lists every container, an ask carries the total number ever asked for, and
//! a lease is part of each answer until the app master names it as its own.
//!
//! **Prompt.** The answer to a heartbeat or an allocate is delayed until it has news, at most by `hold_ms`. A
//! sender that has news sends the next request without waiting for the answer. The delayed request is then
//! answered at once, and its sender ignores that answer by its `sequence`.
//!
//! **Releases that differ.** Messages are encoded with field names, so that releases next to each other
//! understand one another without another version:
//! - A receiver ignores fields that it does not know.
//! - A field that is added has a default, which the receiver takes if the sender does not know the field. A field
//!   without a default is one whose absence would be a statement of its own: an id, a sequence number, or a list
//!   of everything that the sender has. The test `required_fields` lists them all.
//! - Every enum has a last variant, `Unknown`, for values that only a later release knows. It changes nothing
//!   where it is received. ([`FinalStatus`] has YARN's `UNDEFINED` for this.)
//! - A field is removed one release after the last one that uses it.
//!
//! `tests/it/fixtures/` holds every message as each release encodes it; all of them must stay readable.

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
    /// When the application was submitted, in milliseconds since 1970, as in YARN; for app masters.
    pub const APPLICATION_SUBMIT_TIME: &str = "APP_SUBMIT_TIME_ENV";
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
    pub what: &'static str,
    pub problem: String,
}

/// A type with an encoding: a message, or a value within a token or file.
pub trait Message: Serialize + DeserializeOwned {
    /// The name of the type, which is also that of its fixture.
    const NAME: &'static str;
}

/// Makes messages of types that cross between releases.
macro_rules! messages {
    ($($message:ident)*) => {
        $(impl Message for $message {
            const NAME: &'static str = stringify!($message);
        })*

        /// The name of every message that crosses between releases.
        pub const MESSAGE_NAMES: &[&str] = &[$(stringify!($message)),*];
    };
}

messages! {
    RegisterNode NodeRegistered NodeHeartbeat NodeOrders LeaveNode NodeLeft
    RegisterAppMaster AppMasterRegistered Allocate Allocated FinishAppMaster AppMasterFinished
    StartContainer ContainerStarted StopContainer ContainerStopped
    Lease
}

/// The msgpack of a message.
pub fn encode<T: Message>(message: &T) -> Vec<u8> {
    rmp_serde::to_vec_named(message).expect("messages are plain data, which msgpack can hold")
}

/// Reads the message that fills the bytes.
///
/// # Errors
/// The bytes are anything else, or have more than [`MAX_VALUES`](crate::MAX_VALUES) values.
pub fn decode<T: Message>(bytes: &[u8]) -> Result<T, DecodeError> {
    msgpack::decode(bytes).map_err(|problem| DecodeError { what: T::NAME, problem })
}
