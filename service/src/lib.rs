//! Infrastructure common to all daemons: the adapter around a brain, HTTP server and client, the
//! cluster's secret and its tokens, logs, readiness, processes.
//!
//! ```text
//!  HTTP handler ─ask─▶ Handle ─▶ actor { Shell ⟷ brain } ─effects─▶ store, network, processes
//!               ◀reply─┘   └─ snapshot, for readers
//! ```
//!
//! It contains nothing specific to a daemon, a brain or the engine.

pub mod actor;
pub mod auth;
mod error;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod process;
pub mod processes;
pub mod ready;
pub mod signals;

pub use actor::{ActorStopped, Clock, Handle, Outlet, Shell, Ticket, start};
pub use auth::{Secret, require_attempt, require_cluster};
pub use error::Error;
pub use http::client::{CallError, Client};
pub use http::msgpack::{Msgpack, MsgpackLimit};
pub use http::server::{ApiError, ErrorStyle, Listener, Server, ServerConfig, bind, listen};
pub use metrics::PrometheusText;
pub use process::ProcessId;
