//! A cluster in virtual time: the brains of the resource manager and of the node agents, with hosts,
//! app masters and clients around them, over a network that loses, repeats and delays.
//!
//! ```text
//!  clients ─┐                        ┌─▶ store (slow, failing)
//!           ├─▶ ResourceManager ─────┘        (crashes, starts again from what is stored)
//!  masters ─┤        ▲
//!     │     └────────┴── NodeAgent × hosts ──▶ processes (crash, ignore signals, outlive the agent)
//!     └── start, stop ──────▲                  (crashes; hosts die, are cut off, fall ill)
//! ```
//!
//! After a while faults cease. Then every application must come to its end, and nothing of it may be
//! left. The rules are in [`oracle`].

mod agents;
mod clients;
pub mod defect;
pub mod faults;
mod hosts;
mod manager;
mod master;
mod masters;
mod network;
pub mod oracle;
mod plan;
mod store;
mod waits;
mod world;

pub use defect::Defect;

use crate::TraceHash;
use std::fmt;

/// Result of one run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Report {
    /// The seed that gives this run again.
    pub seed: u64,
    /// A fingerprint of everything that happened.
    pub trace: TraceHash,
    /// Trace of the run, one line per event; empty unless asked for.
    pub lines: Vec<String>,
    /// How much happened.
    pub counts: Counts,
    /// The first rule that was broken.
    pub violation: Option<String>,
}

/// How much of what happened in one run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Events handled.
    pub events: u64,
    /// Starts of the resource manager.
    pub manager_starts: u64,
    /// Starts of node agents.
    pub agent_starts: u64,
    /// Messages sent.
    pub messages: u64,
    /// Messages that were lost.
    pub lost_messages: u64,
    /// Applications submitted.
    pub applications: u64,
    /// Applications among these whose app master reported success.
    pub succeeded: u64,
    /// Processes started in containers.
    pub processes: u64,
}

impl Counts {
    /// The sum of two runs.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            events: self.events + other.events,
            manager_starts: self.manager_starts + other.manager_starts,
            agent_starts: self.agent_starts + other.agent_starts,
            messages: self.messages + other.messages,
            lost_messages: self.lost_messages + other.lost_messages,
            applications: self.applications + other.applications,
            succeeded: self.succeeded + other.succeeded,
            processes: self.processes + other.processes,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events, {} starts of the resource manager, {} of agents, {} messages ({} lost), {} \
             processes, {} applications ({} succeeded)",
            self.events,
            self.manager_starts,
            self.agent_starts,
            self.messages,
            self.lost_messages,
            self.processes,
            self.applications,
            self.succeeded
        )
    }
}

/// How to run a seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Options {
    /// Keep the lines of the trace.
    pub keep_lines: bool,
    /// A defect to put in, to see that it is found.
    pub defect: Option<Defect>,
}

/// Runs one seed to its end.
pub fn run(seed: u64, options: Options) -> Report {
    world::World::new(seed, options).run()
}
