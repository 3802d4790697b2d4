//! `weir cluster`: a resource manager and node agents on this machine, started, looked at and stopped.
//!
//! ```text
//!  folder (paths, lock) ─┐
//!  record (cluster.json) ┼─▶ start ──▶ daemon (spawn, ready) …
//!                        ├─▶ status
//!                        └─▶ stop ──▶ applications, daemons, containers
//! ```
//!
//! Invariants: a process that was started is in the record before it is waited for, and
//! is identified by its pid and its start time, so that no process is left running and no foreign process
//! is ever signalled.

mod daemon;
pub mod folder;
pub mod record;
mod settings;
mod start;
mod status;
mod stop;

use crate::flags::{ClusterAction, DataDirFlag};
use crate::problem::{Exit, Problem};
use crate::remote::default_data_dir;
use folder::Folder;

/// Does it.
pub fn run(action: ClusterAction) -> Result<Exit, Problem> {
    match action {
        ClusterAction::Start(flags) => start::start(flags).map(|()| Exit::Success),
        ClusterAction::Status(flags) => status::status(&flags),
        ClusterAction::Stop(flags) => stop::stop(&flags).map(|()| Exit::Success),
    }
}

/// The data folder that a flag names, or the default one.
pub fn folder_of(flag: &DataDirFlag) -> Result<Folder, Problem> {
    let named = flag.data_dir.clone();
    Folder::new(&named.map_or_else(default_data_dir, Ok)?)
}
