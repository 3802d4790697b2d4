//! Faults of a run, drawn from its seed.
//!
//! Each kind of fault is on in about half of the runs: a run in which everything goes wrong gets
//! nowhere, and hides what needs some things to go right.

use weir_base::SeededRng;

/// How likely what is, in percent, and how often, in milliseconds (0 for never).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// From crash to crash of the leading master.
    pub crash_every_ms: u64,
    /// A crashed master continues as a zombie.
    pub zombie_percent: u64,
    /// Two new masters start where one would.
    pub double_start_percent: u64,
    /// An append fails and leaves no record.
    pub append_fails_percent: u64,
    /// An append fails although its record is there.
    pub append_lands_percent: u64,
    /// An append fails, and its record appears later.
    pub append_late_percent: u64,
    /// An append hangs for long, as when its master is suspended.
    pub append_hangs_percent: u64,
    /// The longest an append takes.
    pub append_ms: u64,
    /// A master stalls before it sweeps, while a newer one may take over.
    pub sweep_late_percent: u64,
    /// From loss to loss of a task host.
    pub host_lost_every_ms: u64,
    /// From failure to failure of a single task.
    pub task_fails_every_ms: u64,
    /// A deployment fails.
    pub deploy_fails_percent: u64,
    /// A commit fails, before or behind its effect.
    pub commit_fails_percent: u64,
    /// A snapshot is declined.
    pub decline_percent: u64,
    /// A snapshot never ends.
    pub snapshot_hangs_percent: u64,
    /// A task ignores that it is cancelled, and runs on.
    pub deaf_percent: u64,
    /// A report is repeated later.
    pub repeat_percent: u64,
    /// A report also reaches the newest master, even if an older one deployed the task.
    pub stray_percent: u64,
    /// The longest a message takes.
    pub message_ms: u64,
}

impl Faults {
    /// The faults of a run.
    pub fn draw(rng: &mut SeededRng) -> Self {
        Self {
            crash_every_ms: sometimes(rng, 500, 6000),
            zombie_percent: sometimes(rng, 10, 100),
            double_start_percent: sometimes(rng, 10, 80),
            append_fails_percent: sometimes(rng, 1, 30),
            append_lands_percent: sometimes(rng, 1, 30),
            append_late_percent: sometimes(rng, 1, 30),
            append_hangs_percent: sometimes(rng, 1, 10),
            append_ms: between(rng, 1, 400),
            sweep_late_percent: sometimes(rng, 10, 100),
            host_lost_every_ms: sometimes(rng, 500, 6000),
            task_fails_every_ms: sometimes(rng, 500, 6000),
            deploy_fails_percent: sometimes(rng, 1, 10),
            commit_fails_percent: sometimes(rng, 1, 30),
            decline_percent: sometimes(rng, 1, 10),
            snapshot_hangs_percent: sometimes(rng, 1, 10),
            deaf_percent: sometimes(rng, 1, 30),
            repeat_percent: sometimes(rng, 1, 20),
            stray_percent: sometimes(rng, 1, 50),
            message_ms: between(rng, 1, 60),
        }
    }

    /// Faults that remain when the others cease: delays.
    #[must_use]
    pub fn quiet(self) -> Self {
        Self { append_ms: self.append_ms, message_ms: self.message_ms, ..Self::default() }
    }
}

/// A number in `low..=high`.
pub(crate) fn between(rng: &mut SeededRng, low: u64, high: u64) -> u64 {
    low + rng.below(high - low + 1)
}

/// A number in `low..=high` in half of the runs, 0 in the others.
pub(crate) fn sometimes(rng: &mut SeededRng, low: u64, high: u64) -> u64 {
    let on = rng.percent(50);
    let amount = between(rng, low, high);
    if on { amount } else { 0 }
}
