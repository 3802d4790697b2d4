//! Where the snapshots and the log of one job live.
//!
//! ```text
//! <folder of the job>/
//!   log/00000000000000000000        one record each, gapless, written by create-if-absent
//!   log/00000000000000000001
//!   chk-7/<vertex>-<subtask>-<attempt>   one snapshot each, written whole
//!   staging/                        unfinished writes of a local folder; each names its object
//! ```
//!
//! The API is synchronous and needs no async runtime: callers are plain threads, and a call may
//! block for as long as the store takes. It knows nothing of what a record or a snapshot means.
//!
//! Invariants:
//! - An object is there whole or not at all, and is never changed once it is there.
//! - Every object is framed with magic, version, kind, length and checksum (`frame`). What does
//!   not read back as it was written is an [`Error`] that names the file, never a wrong byte.
//! - Of two writers of one log index exactly one wins; the other is handed the winner's record.
//!
//! What survives: in a local folder a write that returned `Ok` survives the end of the process
//! (`kill -9` included) and, as far as the disk honours `fsync`, a power loss: the content is
//! synced before it gets its name, and the folders are synced after. An in-memory storage lives
//! as long as its last clone.

mod error;
mod frame;
mod log;
mod snapshots;
mod store;
#[cfg(test)]
mod torn_listing;

pub use error::{Error, Result};
pub use log::{Append, JobLog};
pub use snapshots::CheckpointStorage;
