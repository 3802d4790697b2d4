//! The shell of coordination: runs the brain of one job on its own thread.
//!
//! ```text
//!   Handle ──cancel──▶ ┌───────────────────┐ ──effects──▶ TaskGateway ──▶ tasks
//!   Handle ◀──view──── │ thread job-master │ ◀──reports── ReportSender ◀──┘
//!                      │   the brain       │ ──append, dispose──▶ ┌────────────────────┐
//!                      └───────────────────┘ ◀──log appended───── │ thread job-storage │
//!                                                                 └────────────────────┘
//! ```
//!
//! It decides nothing: what happens next is the business of `weir-coordination`. It knows no task
//! thread, no socket and no async runtime; the part that runs tasks implements [`TaskGateway`].
//!
//! Invariants:
//! - The brain is stepped by one thread, which never waits for storage, tasks or callers.
//! - Effects are performed in the order the brain gave them. Deployments of tasks that the brain has
//!   cancelled in the meantime are left out.
//! - Every caller of [`Handle::wait`] gets an outcome, also after a panic of the brain.

mod clock;
mod effect_queue;
mod error;
mod gateway;
mod handle;
mod mailbox;
mod records;
mod settings;
mod shell;
mod storage_thread;
mod stored_job;

pub use error::{Error, Result};
pub use gateway::{ReportSender, TaskGateway};
pub use handle::{Handle, StatusChange};
pub use settings::{job_settings, restart_strategy, set_restart_strategy};
pub use shell::JobMasterShell;
pub use stored_job::StoredJob;
