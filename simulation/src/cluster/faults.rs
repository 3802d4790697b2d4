//! Faults of a run, drawn from its seed. Each kind is on in about half of the runs.

use crate::faults::{between, sometimes};
use weir_base::SeededRng;

/// How likely what is, in percent, and how often, in milliseconds (0 for never).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// The longest a message takes.
    pub message_ms: u64,
    /// A message is lost.
    pub lose_percent: u64,
    /// A message arrives twice.
    pub repeat_percent: u64,
    /// A message arrives much later, behind others.
    pub late_percent: u64,
    /// From crash to crash of the resource manager.
    pub manager_crash_every_ms: u64,
    /// The longest it is away then.
    pub manager_away_ms: u64,
    /// The longest a write to its store takes.
    pub store_ms: u64,
    /// A write fails, and is there or not.
    pub store_fails_percent: u64,
    /// From crash to crash of an agent; its containers run on.
    pub agent_crash_every_ms: u64,
    /// The longest it is away then.
    pub agent_away_ms: u64,
    /// From death to death of a host with all its processes; it comes back with its disk.
    pub host_dies_every_ms: u64,
    /// From cut to cut between an agent and the resource manager.
    pub cut_every_ms: u64,
    /// The longest a host is dead or cut off.
    pub host_away_ms: u64,
    /// From crash to crash of a process in a container.
    pub process_crash_every_ms: u64,
    /// A process ignores SIGTERM.
    pub deaf_percent: u64,
    /// A process cannot be started.
    pub launch_fails_percent: u64,
    /// A file cannot be fetched now.
    pub download_fails_percent: u64,
    /// From change to change of a host's health.
    pub health_changes_every_ms: u64,
    /// An app master does not exit when it has finished.
    pub hang_percent: u64,
    /// An app master lets a lease lie for long before it starts it.
    pub slow_start_percent: u64,
}

impl Faults {
    /// The faults of a run.
    pub fn draw(rng: &mut SeededRng) -> Self {
        Self {
            message_ms: between(rng, 1, 80),
            lose_percent: sometimes(rng, 1, 25),
            repeat_percent: sometimes(rng, 1, 25),
            late_percent: sometimes(rng, 1, 15),
            manager_crash_every_ms: sometimes(rng, 1500, 20_000),
            manager_away_ms: between(rng, 10, 6000),
            store_ms: between(rng, 1, 300),
            store_fails_percent: sometimes(rng, 1, 30),
            agent_crash_every_ms: sometimes(rng, 1500, 20_000),
            agent_away_ms: between(rng, 10, 8000),
            host_dies_every_ms: sometimes(rng, 4000, 30_000),
            cut_every_ms: sometimes(rng, 2000, 20_000),
            host_away_ms: between(rng, 100, 12_000),
            process_crash_every_ms: sometimes(rng, 1000, 10_000),
            deaf_percent: sometimes(rng, 1, 50),
            launch_fails_percent: sometimes(rng, 1, 20),
            download_fails_percent: sometimes(rng, 1, 30),
            health_changes_every_ms: sometimes(rng, 2000, 20_000),
            hang_percent: sometimes(rng, 1, 50),
            slow_start_percent: sometimes(rng, 1, 30),
        }
    }

    /// Faults that remain when the others cease: delays, and properties of processes that run already.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { message_ms: self.message_ms, store_ms: self.store_ms, ..Self::default() }
    }
}
