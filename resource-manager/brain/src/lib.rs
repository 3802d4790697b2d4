//! The resource manager's brain: nodes, applications, attempts, containers and who gets what,
//! decided without a clock, a socket or a file.
//!
//! ```text
//!  clients ─────Submit, Kill──▶ ┌─────────────────┐ ──Reply───────────▶ whoever waits
//!  node agents ───heartbeats──▶ │ ResourceManager │ ──Persist─────────▶ store
//!  app masters ────allocates──▶ └─────────────────┘ ──ArtifactsUnused─▶ artefact folder
//! ```
//!
//! Nodes and leases are not on record: after a restart they are learnt from those who have them.

#![allow(missing_docs, reason = "a field whose name says it all needs no comment")]

mod application;
mod attempt;
mod container;
mod error;
mod journal;
mod manager;
mod messages;
mod node;
pub mod scheduler;
mod settings;
mod timers;

pub use application::ApplicationLife;
pub use attempt::AttemptLife;
pub use container::ContainerLife;
pub use error::Error;
pub use manager::{
    ApplicationView, AttemptView, ClusterMetrics, ClusterView, ContainerView, NodeView,
    PendingView, ResourceManager,
};
pub use messages::{
    ApplicationOutcome, ApplicationSpec, Effect, Fact, GrantedLease, Input, Reply, Ticket, Token,
};
pub use settings::Settings;
