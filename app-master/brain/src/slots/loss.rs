//! Losses that are not settled: a connection has ended and the reason is on its way, or the reason
//! is here and the connection still holds last words.
//!
//! A lost connection says little; the task manager, or the resource manager in the agent's name,
//! says how the process ended. Both come within moments, so a loss waits for them, but not longer
//! than [`GRACE`].

use std::time::Duration;
use weir_base::{ContainerId, Failure, Monotonic};

/// How long a better reason, or the end of a connection, is waited for. Both nearly always come within
/// milliseconds; on a node that is short of memory, what tells of it may be slow. Once a container has
/// ended, its connections end sooner than this.
pub const GRACE: Duration = Duration::from_secs(2);

/// Why, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// The cause that the end of its connection shows.
    Vague(Failure),
    /// The reason from a process that saw it end.
    Known(Failure),
}

impl Cause {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Vague(failure) | Self::Known(failure) => failure,
        }
    }
}

/// A task host that was lost, or a task manager that never had one.
#[derive(Clone, Debug)]
pub(super) struct Loss {
    pub(super) container: ContainerId,
    pub(super) host: Option<u32>,
    /// Index of the place it served.
    pub(super) place: usize,
    /// Since when its host was ready; `None` when it never was.
    pub(super) ready_since: Option<Monotonic>,
    pub(super) cause: Cause,
    /// Its connection still stands.
    pub(super) is_connected: bool,
    /// When it is settled with what is known.
    pub(super) deadline: Monotonic,
}

impl Loss {
    /// Returns true if no better report will come.
    pub(super) fn is_settled(&self, now: Monotonic) -> bool {
        let is_known = matches!(self.cause, Cause::Known(_));
        self.deadline <= now || (is_known && !self.is_connected)
    }

    /// A better reason has come. The first one is kept.
    pub(super) fn explain(&mut self, why: &Failure) {
        if matches!(self.cause, Cause::Vague(_)) {
            self.cause = Cause::Known(why.clone());
        }
    }

    pub(super) fn is_of(&self, container: ContainerId, host: u32) -> bool {
        self.container == container && self.host == Some(host)
    }
}
