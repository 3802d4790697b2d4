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

pub use application::{ApplicationState, YarnApplicationState};
pub use attempt::AttemptState;
pub use container::ContainerLife;
pub use error::Error;
pub use manager::{
    ApplicationView, AttemptView, ClusterMetrics, ClusterView, ContainerView, NodeView,
    PendingView, ResourceManager,
};
pub use messages::{
    Allocate, Allocated, AppMasterCommand, AppMasterRegistered, ApplicationOutcome, ArchivedAnswer,
    ArtifactUse, Ask, ContainerReport, ContainerState, Effect, Fact, FinalStatus, FinishAppMaster,
    HeldLease, Input, LaunchContainer, LaunchContext, Lease, NodeAction, NodeHeartbeat, NodeOrders,
    NodeRegistered, PendingAsk, RegisterAppMaster, RegisterNode, Reply, Submission, Ticket, Token,
    exit_status,
};
pub use node::NodeState;
pub use settings::Settings;
