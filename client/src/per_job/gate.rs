//! Whether jobs may still be submitted. An interrupt closes the gate, unless a submission is on its way.
//!
//! ```text
//!  worker: enter ──▶ submits ──News──▶ main thread: leave
//!  main thread: close ──▶ nothing is submitted any more, or too late
//! ```
//!
//! Invariant: once it is closed nothing is submitted, so that this can be reported at once, however
//! long an upload still takes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A gate between the thread that submits and the one that handles interrupts.
#[derive(Debug, Default)]
pub struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    /// Submissions that have begun and whose result the main thread does not know yet.
    inside: u32,
}

impl Gate {
    /// A job is about to be submitted; whether it may be.
    pub fn enter(&self) -> bool {
        let mut state = self.state();
        if !state.is_closed {
            state.inside += 1;
        }
        !state.is_closed
    }

    /// The main thread knows the result of a submission, or that there was none.
    pub fn leave(&self) {
        let mut state = self.state();
        state.inside = state.inside.saturating_sub(1);
    }

    /// Keeps everything out from now on; whether nothing is on its way.
    pub fn close(&self) -> bool {
        let mut state = self.state();
        state.is_closed = state.inside == 0;
        state.is_closed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_gate_refuses_new_calls_and_waits_for_running_ones() {
        let gate = Gate::default();
        assert!(gate.enter());
        assert!(!gate.close(), "a submission is on its way");
        gate.leave();
        assert!(gate.enter(), "so it stayed open");
        gate.leave();
        assert!(gate.close());
        assert!(!gate.enter());
        gate.leave();
        assert!(gate.close());
    }
}
