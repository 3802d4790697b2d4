//! The node agent: runs containers on one node and serves their state and logs.
//!
//! ```text
//!  resource manager ◀──heartbeats── ┌─────────────────────┐ ──launch file──▶ shim ──▶ command
//!  app masters ──start, stop──────▶ │ AgentShell ⟷ brain  │ ◀─pidfd, exit file─┘
//!  any client ─/ws/v1/node────────▶ └─────────────────────┘
//! ```
//! Invariants: a container is a process tree under its own shim, which outlives the agent;
//! a restarted agent adopts the containers that run and reports those that have ended. Containers inherit only
//! `PATH`, `HOME`, `USER` and `LANG` of the agent's environment, and never see the cluster's secret.
//! the agent's environment but `PATH`, `HOME`, `USER` and `LANG`, and never the cluster's secret.

mod adopt;
mod checked;
mod error;
mod fetch;
mod launch;
mod layout;
mod monitor;
mod record;
mod registry;
mod remove;
mod rest;
mod run;
mod shell;
pub mod shim;
mod stop;
mod tree;
mod watch;

pub use error::Error;
pub use run::{Options, run};
pub use stop::{KilledSummary, kill_all};
