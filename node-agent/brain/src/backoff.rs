//! Waits between attempts.

use std::time::Duration;

/// Waits that double from one length up to another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Backoff {
    pub min: Duration,
    pub max: Duration,
}

impl Backoff {
    /// The wait after this number of earlier failures.
    pub fn wait(self, failures: u32) -> Duration {
        self.min.saturating_mul(1 << failures.min(20)).min(self.max)
    }
}
