//! Runs tasks: a pure, steppable task core inside; threads, channels, network and buffers around
//! it.
//!
//! ```text
//! TaskHost ─deploy─▶ runner (one thread) ─▶ TaskCore ─▶ Chain ─▶ operators
//!                       ▲ Inbox                            └▶ OutputWriter ─▶ ElementSender
//! ```
//!
//! Operators come by [`OperatorRegistry`]: this crate knows their contract and none of them.

pub mod control;
pub mod exchange;
pub mod host;
pub mod local_network;
pub mod metrics;
pub mod net;
pub mod panics;
pub mod registry;
pub mod task;

pub use host::{HostConfig, ReportSink, TaskHost};
pub use local_network::LocalNetwork;
pub use metrics::{OperatorMetrics, TaskMetrics};
pub use registry::OperatorRegistry;
