//! The control plane of one job: what its job master says to task managers and task hosts, and
//! what they report.
//!
//! One TCP connection for each task manager and each task host; they open it, the app master accepts.
//! Both sides first send the preamble, then frames. Integers are little-endian.
//!
//! ```text
//! preamble   magic "WEIRCTRL"  8 bytes
//!            version           u16
//!
//! frame      length            u32     at most MAX_MESSAGE_BYTES
//!            body                      msgpack with field names
//!
//! connector ── Hello ──────▶ acceptor      who it is, nonce
//! connector ◀─ Challenge ─── acceptor      nonce, proof (see `challenge`)
//! connector ── Proof ──────▶ acceptor      until it is right, nothing longer than MAX_PROOF_BYTES is read
//! connector ── introduction ▶ acceptor     what it offers
//! connector ◀─ Welcome ───── acceptor      or Refused, and the connection ends
//!           then Order ◀──, ──▶ Report, as long as the connection lives
//! ```
//!
//! **Two fences.** Every order carries the leader epoch; a receiver that has seen a higher one refuses it.
//! Deployments, and every report about one, carry the execution attempt.
//!
//! The end of a connection is news by itself: without its task manager or job master a task host
//! ends, without its task host or task manager the tasks are lost. Each side also sends something at
//! least every [`KEEP_ALIVE_MS`], so that a peer that ends without closing the connection is noticed.
//!
//! Here is no socket and no clock: functions over byte slices.

mod connector;
mod frame;
mod host;
mod manager;

pub use connector::Connector;
pub use frame::{FrameReader, decode_body, encode_frame, encode_preamble};
pub use host::{
    HostIntroduction, HostOrder, HostReport, OperatorCounters, Placement, TaskCounters,
};
pub use manager::{HostEnd, HostLaunch, ManagerIntroduction, ManagerOrder, ManagerReport};

use crate::challenge::{Nonce, Proof};
use serde::{Deserialize, Serialize};
use weir_base::{ContainerId, JobId, LeaderEpoch};

/// First bytes of a connection.
pub const MAGIC: [u8; 8] = *b"WEIRCTRL";
/// The version spoken here. All processes of a job come from one submission, so it must match.
pub const VERSION: u16 = 3;
/// Bytes of a body at most.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of a body from a connector that has not proved yet that it holds the key, at most.
pub const MAX_PROOF_BYTES: usize = 1024;
/// Bytes of an introduction at most: the fingerprint of a graph with thousands of operators.
pub const MAX_HANDSHAKE_BYTES: usize = 1024 * 1024;
/// Each side sends a message at least this often, in milliseconds.
pub const KEEP_ALIVE_MS: u64 = 5_000;

/// The process that connects.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Peer {
    /// The task manager of a container.
    TaskManager,
    /// A task host, numbered by the order that started it.
    TaskHost(u32),
}

/// First frame of the connector.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub job: JobId,
    pub container: ContainerId,
    pub peer: Peer,
    /// Its random number.
    pub nonce: Nonce,
}

/// First frame of the acceptor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// Its random number.
    pub nonce: Nonce,
    /// That it holds the key.
    pub proof: Proof,
}

/// Second frame of the acceptor, in answer to the proof and the introduction: a [`ManagerIntroduction`] or a
/// [`HostIntroduction`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Admission {
    Welcome {
        /// The leader.
        epoch: LeaderEpoch,
    },
    /// It is not; the connection ends.
    Refused {
        /// Stable code.
        code: String,
        /// Why.
        message: String,
    },
}

/// A frame from the acceptor once the handshake is through.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Order<T> {
    /// Leader epoch of the job master that gives the order.
    pub epoch: LeaderEpoch,
    /// The order: [`ManagerOrder`] or [`HostOrder`].
    pub order: T,
}

/// Why bytes are no frame, or no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The peer uses another protocol.
    #[error("the peer does not speak the control protocol of Weir: its first bytes are {found:?}")]
    Foreign {
        /// The bytes that came instead.
        found: Vec<u8>,
    },
    /// The peer uses another version of the protocol.
    #[error(
        "the peer uses version {found} of the control protocol, this process uses version {VERSION}"
    )]
    Version {
        /// Its version.
        found: u16,
    },
    /// A length above its bound.
    #[error("a control message of {length_bytes} bytes: at most {limit_bytes} are allowed here")]
    Oversized {
        /// As announced.
        length_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// The body is no message of the expected kind.
    #[error("damaged {what} on a control connection: {problem}")]
    Malformed { what: &'static str, problem: String },
    /// The proof is wrong.
    #[error("the peer does not hold the key of job {job}")]
    WrongKey { job: JobId },
    /// The acceptor refuses.
    #[error("the job master refuses the connection: {message}")]
    Refused {
        code: String,
        /// Its reason.
        message: String,
    },
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &str {
        match self {
            Self::Foreign { .. } => "WEIR-CTRL-0001",
            Self::Version { .. } => "WEIR-CTRL-0002",
            Self::Oversized { .. } => "WEIR-CTRL-0003",
            Self::Malformed { .. } => "WEIR-CTRL-0004",
            Self::WrongKey { .. } => "WEIR-CTRL-0005",
            Self::Refused { .. } => "WEIR-CTRL-0006",
        }
    }
}
