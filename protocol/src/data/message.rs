//! The msgpack bodies of frames, with field names, so that releases may add fields.

use super::{Error, MAX_MESSAGE_BYTES, Result};
use crate::challenge::{Nonce, Proof};
use crate::msgpack;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use weir_base::{ExecutionAttempt, JobId};
use weir_graph::TaskId;

/// Introduces the host that connects.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hello {
    /// The job whose tasks it runs; a host of another job refuses it.
    pub job: JobId,
    /// Its name, for messages.
    pub from_host: String,
    /// Its random number.
    pub nonce: Nonce,
}

/// Introduces the host that accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Challenge {
    /// Its name, for messages.
    pub host: String,
    /// Its random number.
    pub nonce: Nonce,
    /// That it holds the key of the job.
    pub proof: Proof,
}

/// A channel by its two ends. Their execution attempts are the fence: a receiver refuses a
/// channel to or from a deployment that is not the expected one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ChannelEnds {
    /// Index of the job edge.
    pub edge: u32,
    /// The producing subtask and its deployment.
    pub producer: (TaskId, ExecutionAttempt),
    /// The consuming subtask and its deployment.
    pub consumer: (TaskId, ExecutionAttempt),
}

impl fmt::Display for ChannelEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (producer, consumer) = (self.producer, self.consumer);
        write!(
            f,
            "edge {} from task {} attempt {} to task {} attempt {}",
            self.edge, producer.0, producer.1, consumer.0, consumer.1
        )
    }
}

/// How much a producer may have under way on a channel: sent, and not yet taken by the task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Window {
    /// Batches, at least 1.
    pub batches: u32,
    /// Encoded bytes; one batch may exceed it when nothing else is under way.
    pub bytes: u64,
}

/// Why a channel ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CloseReason {
    /// The producer has sent the end of input.
    Finished,
    /// The producer stopped before the end of input.
    Abandoned,
    /// The consumer takes nothing any more.
    ConsumerGone,
    /// The consumer's host does not let the channel in, for this reason.
    Refused(String),
}

/// The last frame of a connection that fails.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorReport {
    /// Code of an [`Error`].
    pub code: String,
    pub message: String,
}

/// Text of an error that is put on the wire, at most.
const MAX_TEXT_CHARS: usize = 2048;

impl ErrorReport {
    /// The report of an error.
    pub fn of(error: &Error) -> Self {
        Self { code: error.code().to_owned(), message: short(&error.to_string()) }
    }
}

impl CloseReason {
    /// Refuses for this reason.
    pub fn refused(problem: &str) -> Self {
        Self::Refused(short(problem))
    }
}

fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT_CHARS).collect()
}

/// The msgpack of a message.
pub(super) fn encode<T: Serialize>(what: &'static str, message: &T) -> Result<Vec<u8>> {
    let bytes = rmp_serde::to_vec_named(message)
        .map_err(|error| Error::malformed(what, error.to_string()))?;
    if bytes.len() <= MAX_MESSAGE_BYTES {
        return Ok(bytes);
    }
    Err(Error::Oversized {
        what,
        length_bytes: bytes.len() as u64,
        limit_bytes: MAX_MESSAGE_BYTES as u64,
    })
}

/// A message that fills the bytes.
pub(super) fn decode<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T> {
    msgpack::decode(bytes).map_err(|problem| Error::malformed(what, problem))
}
