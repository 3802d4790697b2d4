//! The app master of a job: leases containers, starts task managers in them, runs the job master and
//! carries its orders to the task hosts, and shows the job by REST.
//!
//! ```text
//!  resource manager ◀─asks, leases─▶ ResourceManager ─┐
//!  agents           ◀─starts───────                   ├─▶ Director { SlotPool } ─opens, closes─┐
//!  task managers    ◀─orders, reports─▶ Control ──────┘                                        ▼
//!  task hosts       ◀─orders, reports─▶    │ └──reports──▶ Reports ─▶ job master ─orders─▶ Switchboard
//!  browsers, weir   ◀─REST─▶ Observed ◀────┘                                                   │
//!        ▲                                                                                     │
//!        └─────────────────────────────── connections ◀──────────────────────────────────────┘
//! ```
//!
//! It runs no user code and sees no record. What always holds:
//! - A peer that connects proves that it has the job's key. Only task managers of this app master get the key.
//! - Every order carries the attempt's number as leader epoch.
//! - When it ends, however it ends, its connections end, and with them task managers and hosts.
//! - The end of the job is in the job's log before it is reported to the resource manager; an attempt
//!   that finds it there tells it and runs nothing.
//! - While the log is open and nothing permanent stands in the way, the job has not ended: the app master
//!   exits with an error, removes nothing, and the next attempt continues.

mod assignment;
mod attempt;
mod conclusion;
mod control;
mod director;
mod error;
mod excerpts;
mod failures;
mod gateway;
mod job;
mod job_events;
mod leases;
pub mod observed;
mod reports;
mod resource_manager;
pub mod rest;
mod switchboard;
mod web;

pub use assignment::Options;
pub use error::{Error, Result};
pub use weir_job_master::StoredJob;
pub use weir_protocol::job::JobStatus;

/// Runs the app master until its job has ended and the resource manager knows.
///
/// # Errors
/// It cannot start, was ordered to end before the job had ended, or leaves the job to the next attempt;
/// [`Error::in_full`] says why. A job that fails is no error here.
pub fn run(options: &Options) -> Result<()> {
    weir_service::logs::init_logging("app master");
    actix_web::rt::System::new().block_on(attempt::run(options))
}
