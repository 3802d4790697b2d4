//! The exchange between task hosts over TCP.
//!
//! ```text
//! task ─▶ RemoteSender ─▶ Outbox ═══ TCP ═══▶ incoming ─▶ Inbox ─▶ task
//!   encodes, waits for credit,                  reassembles         decodes, gives credit back
//!   takes buffers from the pool
//! ```
//!
//! A host has one connection to every host it sends to, and all channels share it. What always
//! holds:
//!
//! - A batch enters a connection only with credit for its channel. The receiver therefore never
//!   stops reading, and a slow channel never blocks another one.
//! - Only task threads encode and decode; one thread per host, `weir-net`, moves bytes.
//! - Sent bytes that wait for the socket lie in buffers of a bounded pool.
//! - Both ends of a connection have proved that they hold the key of the job before either looks at
//!   anything else.
//! - A channel opens only between the two deployments that its consumer was told of.
//! - Bytes that break the protocol end their own connection, with a line in the log and an answer,
//!   and touch nothing else.

mod admission;
mod channel;
mod credit;
mod handshake;
mod host;
mod incoming;
mod link;
mod outbox;
mod outgoing;
mod peers;
mod pool;
mod registry;
mod sender;
#[cfg(test)]
mod tests;

pub use host::{LogHook, NetConfig, NetHost};
pub use peers::Peers;
pub use registry::LostHook;
pub use weir_protocol::data::ChannelEnds;

use weir_protocol::data;

/// An error of the wire as one of the task that meets it.
fn task_error(error: &data::Error) -> weir_dataflow::Error {
    weir_dataflow::Error::external(error.code(), error.to_string())
}
