//! The resource manager's brain: nodes, applications, attempts, containers and the scheduler.
//! It uses no clock, no socket and no file.
//!
//! ```text
//!  clients ─────Submit, Kill──▶ ┌─────────────────┐ ──Reply───────────▶ waiting caller
//!  node agents ───heartbeats──▶ │ ResourceManager │ ──Persist─────────▶ store
//!  app masters ────allocates──▶ └─────────────────┘ ──ArtifactsUnused─▶ artefact folder
//! ```
//!
//! Nodes and leases are not stored. After a restart the node agents and app masters report them.

mod application;
mod attempt;
mod callers;
mod cluster;
mod container;
mod error;
mod ids;
mod journal;
mod manager;
mod messages;
mod node;
mod planner;
pub mod scheduler;
mod settings;
mod timers;

pub use application::ApplicationLife;
pub use attempt::AttemptLife;
pub use cluster::{
    ApplicationView, AttemptView, ClusterMetrics, ClusterView, ContainerView, NodeView, PendingView,
};
pub use container::ContainerLife;
pub use error::Error;
pub use manager::ResourceManager;
pub use messages::{
    ApplicationOutcome, ApplicationSpec, Effect, Fact, GrantedLease, Input, Reply, Ticket, Token,
};
pub use settings::Settings;
