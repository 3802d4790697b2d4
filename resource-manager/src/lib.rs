//! The resource manager: accepts applications, leases containers on nodes, stores what must
//! outlive it, and is the one address at which a cluster is reached.
//!
//! ```text
//!  clients, agents, app masters ──HTTP──▶ rest ──ask──▶ Handle ──▶ ResourceManagerShell ⟷ brain
//!                                          │  ◀─View──┘                  │
//!                                          ├─▶ Artifacts (files by hash) ├─▶ StoreThread (SQLite)
//!                                          └─▶ app masters, agents (proxies)
//! ```
//!
//! The decisions are made in `brain/`. This crate stores, answers, converts and forwards; it knows nothing of
//! the engine.
//!
//! ```text
//! <data dir>/state.db             the store
//! <data dir>/artifacts/ab/abcd…   files by the hash of their content
//! ```

mod app_master_variables;
mod artifacts;
mod daemon;
mod error;
mod lease_tokens;
mod rest;
mod shell;
mod store;
mod view;

pub use daemon::{Daemon, Options, run, start};
pub use error::Error;
