//! A seeded simulator: brains against a faulty world, in virtual time. There are two worlds: a job
//! master with its tasks, which is described here, and a whole [`cluster`].
//!
//! ```text
//!   JobMaster (one leads, others may be zombies)
//!      │ effects                     ▲ inputs
//!      ▼                             │
//!   log store (slow, failing)     tasks (slow, failing, deaf, lost, repeating themselves)
//!                                    │ commits
//!                                    ▼
//!                                 output ──▶ oracle
//! ```
//!
//! One seed gives one run: it draws the job, the faults and every delay from one generator, and
//! all that happens goes through one queue ordered by time. Faults cease after a while, and the
//! job must then end. A run that breaks a rule of the [`oracle`] is replayed with its seed.
//!
//! It uses no clock, thread, socket or file. It does not test the shell, nor real tasks.

pub mod cluster;
pub mod defect;
pub mod faults;
pub mod job;
mod log_store;
mod masters;
pub mod oracle;
mod output;
mod queue;
mod task;
mod tasks;
pub mod trace;
mod world;

pub use defect::Defect;
pub use trace::TraceHash;

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
    /// Masters started.
    pub masters: u64,
    /// Masters that met the record of another and stopped.
    pub superseded: u64,
    /// Deployments of single tasks.
    pub deployments: u64,
    /// Records of completed checkpoints.
    pub checkpoints: u64,
    /// Snapshot records in the log.
    pub log_snapshots: u64,
    pub failed_appends: u64,
    /// Tasks that failed or were lost.
    pub lost_tasks: u64,
    /// Tasks that were abandoned.
    pub abandoned_tasks: u64,
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
