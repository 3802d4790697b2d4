//! The resource manager: accepts applications, leases containers on nodes, stores the facts that must survive a
//! restart, and is the only address that clients of a cluster need.
//!
//! ```text
//!  clients, agents, app masters ──HTTP──▶ rest ──ask──▶ Handle ──▶ ResourceManagerShell ⟷ brain
//!                                          │  ◀─View──┘                  │
//!                                          ├─▶ Artifacts (files by hash) ├─▶ StoreThread (SQLite)
//!                                          └─▶ app masters, agents (proxies)
//! ```
//!
//! All decisions are made in `brain/`. This crate stores facts, answers HTTP requests, converts messages and
//! forwards requests. It knows nothing about the streaming engine.
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
