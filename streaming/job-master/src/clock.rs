//! The time of a brain: milliseconds since its shell was started, and the time of day.

use std::time::{Duration, Instant, SystemTime};
use weir_base::{Monotonic, Now, WallTime};

/// Reads both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Both times; once per step, so that a step sees one moment.
    pub(crate) fn now(self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { monotonic: Monotonic(millis(self.start.elapsed())), wall: WallTime(millis(wall)) }
    }

    /// The first moment at which a deadline has passed, `None` for one that never comes.
    pub(crate) fn instant(self, deadline: Monotonic) -> Option<Instant> {
        self.start.checked_add(Duration::from_millis(deadline.0))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
