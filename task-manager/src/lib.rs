//! The task manager of a container: starts the task host of the job, watches it, and tells the job master
//! how it goes.
//!
//! ```text
//!                 orders                      spawn, lifeline
//! job master ◀──────────────▶ task manager ──────────────────▶ task host (the job executable)
//!                 reports           └─ memory of its process tree, by /proc, each second
//! ```
//!
//! Plain threads and blocking sockets: it has one connection and a handful of children, and is to cost
//! little memory beside them. It knows no task and reads no record; task hosts communicate with the job
//! master themselves.
//!
//! Invariants: a task host never outlives its task manager (its lifeline ends), and a task manager
//! never its job master (its connection ends); a number that was given away again is never signalled,
//! since a host is reaped only after its end was handled.

mod connection;
mod error;
mod events;
mod host;
mod manager;
mod memory;
mod settings;

pub use error::{Error, Result};
pub use settings::Settings;

/// Runs the task manager that the environment of its container describes, in the current folder, until
/// the job master has no more use for it.
///
/// # Errors
/// The environment is not that of a container, or the job master is lost.
pub fn run() -> Result<()> {
    let folder = std::env::current_dir().map_err(|source| Error::NoFolder { source })?;
    run_with(&Settings::from_variables(folder, |name| std::env::var(name).ok())?)
}

/// Runs a task manager with these settings, until the job master has no more use for it.
///
/// # Errors
/// The job master cannot be reached, or is lost. All task hosts have ended.
pub fn run_with(settings: &Settings) -> Result<()> {
    manager::run(settings)
}
