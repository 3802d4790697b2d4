//! The interface of a pure brain, and the time passed to it.
//!
//! A brain only decides: it has no async code, no clock, no channel, and only injected random
//! numbers. Its shell passes inputs in, performs the returned effects, and calls the brain
//! again when its next deadline has passed.

use serde::{Deserialize, Serialize};
use std::{fmt::Debug, time::Duration};

/// Time for deadlines: milliseconds since an arbitrary start of this process.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The time `duration` later; saturates, and a deadline at the maximum never passes.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds since `earlier`, 0 if it is later than this.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Time for display and token expiry: milliseconds since 1970-01-01 UTC. Never compared with
/// the clock of another machine.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct WallTime(pub u64);

/// Both times, read once by the shell for one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Monotonic,
    /// For display.
    pub wall: WallTime,
}

/// A pure brain.
pub trait Machine {
    /// Event to handle: a message, a finished effect, a loss. Late and repeated ones are legal.
    type Input: Debug;
    /// Action for the shell, performed in order.
    type Effect: Debug;

    /// Handles one input and appends the effects that follow from it.
    fn step(&mut self, now: Now, input: Self::Input, out: &mut Vec<Self::Effect>);

    /// Handles every deadline that has passed at `now`.
    fn tick(&mut self, now: Now, out: &mut Vec<Self::Effect>);

    /// Time of the next [`Machine::tick`]; `None` if there is no deadline.
    fn next_deadline(&self) -> Option<Monotonic>;

    /// Panics if an invariant is violated. Invariants hold between any two steps.
    fn check_invariants(&self);
}
