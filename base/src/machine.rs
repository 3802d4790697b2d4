//! The shape of a pure brain and the time it is told.
//!
//! A brain decides and does nothing else: no async, no clock, no random numbers but injected
//! ones, no channel. Its shell feeds inputs in, performs the effects that come out, and steps it
//! again when its next deadline has passed.

use serde::{Deserialize, Serialize};
use std::{fmt::Debug, time::Duration};

/// Time for deadlines: milliseconds since an arbitrary start of this process.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The moment `duration` from here; a deadline that far off that it overflows never comes.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to here, 0 when it is later.
    pub fn millis_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Time for display and token expiry: milliseconds since 1970-01-01 UTC. Never compared with
/// another machine's.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
pub struct WallTime(pub u64);

/// Both times, as a shell read them once for a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// For deadlines.
    pub monotonic: Monotonic,
    /// For display.
    pub wall: WallTime,
}

/// A pure brain.
pub trait Machine {
    /// What happened: a message, a finished effect, a loss. Late and repeated ones are legal.
    type Input: Debug;
    /// What the shell has to do, in order.
    type Effect: Debug;

    /// Takes one input and appends the effects it calls for.
    fn step(&mut self, now: Now, input: Self::Input, out: &mut Vec<Self::Effect>);

    /// Handles every deadline that has passed at `now`.
    fn tick(&mut self, now: Now, out: &mut Vec<Self::Effect>);

    /// When to call [`Machine::tick`] next; `None` while nothing is timed.
    fn next_deadline(&self) -> Option<Monotonic>;

    /// Panics when an invariant that must hold between any two steps does not.
    fn check_invariants(&self);
}
