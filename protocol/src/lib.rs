//! Every message between processes, and every REST shape, with versions. Plain data: nothing here
//! opens a socket, spawns or waits.
//!
//! ```text
//! cluster          resource manager ⇄ node agents ⇄ app masters    HTTP, msgpack bodies
//! control          job master ⇄ task managers and task hosts       TCP, msgpack frames
//! task             commands to one task, and its reports
//! data             task host ⇄ task host                           TCP, binary frames
//! job              states of a job, its tasks and its checkpoints
//! job_executable   weir ⇄ job executable                           pipes and variables
//! rest             everybody else                                  HTTP, JSON as YARN and Flink have it
//! ```
//!
//! `progress` and `restart_warnings` are what a local program and `weir` both print about a job.

pub mod challenge;
pub mod cluster;
pub mod control;
pub mod data;
pub mod job;
pub mod job_executable;
mod msgpack;
mod pending_peers;
pub mod progress;
pub mod rest;
pub mod restart_warnings;
pub mod task;

pub use msgpack::MAX_VALUES;
pub use pending_peers::{PendingId, PendingLimits, PendingPeers};
