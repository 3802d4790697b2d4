//! The node agent's brain: decides what happens to the containers of one node, without a clock, a
//! socket, a process or a file.
//!
//! ```text
//!  resource manager ──orders──▶ ┌───────────┐ ──SendHeartbeat──▶ resource manager
//!  app masters ──Start, Stop──▶ │ NodeAgent │ ──Reply──────────▶ app masters
//!  shell ──Exited, Measured───▶ └───────────┘ ──Launch, Signal─▶ shell (crate node-agent)
//! ```
//!
//! Invariants: a container is launched at most once, however often its start is requested; it is reported
//! until the resource manager orders to forget it; none of its files is deleted while it runs; a cached
//! file that a container uses is not evicted.

mod agent;
mod backoff;
mod cache;
mod container;
mod heartbeat;
mod messages;
#[cfg(test)]
mod tests;
mod text;

pub use agent::{ContainerView, NodeAgent, NodeView, Settings};
pub use container::{LifeCycle, is_legal};
pub use messages::{
    CachedFile, ContainerMemory, DownloadFailure, DownloadProblem, Effect, Exit, Input,
    LargestProcess, LaunchFailure, Recovered, RecoveredContainer, RecoveredState, Refusal, Reply,
    Signal, Ticket,
};
