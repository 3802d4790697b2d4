//! An application: its life cycle and its state.
//!
//! ```text
//!  NEW_SAVING ─▶ SUBMITTED ─▶ ACCEPTED ◀─attempt failed─▶ RUNNING ─finish─▶ FINISH_SAVING ─▶ FINISHING
//!      │            │            │  │                        │                                  │
//!      │            │            │  └───last attempt failed──┤                     app master ends
//!      └────────────┴─kill───────┴────▶ KILLING ◀────────────┘                                  │
//!                                          └──app master ends──▶ FINAL_SAVING ◀─────────────────┘
//!                                                                   │
//!                                                      FINISHED, FAILED, KILLED
//! ```
//!
//! The states are YARN's, except that YARN has only one FINAL_SAVING. FINISH_SAVING stores the final report of the
//! app master, FINAL_SAVING the end of the application. Neither is visible outside before it is durable.

use crate::{
    attempt::Attempt,
    messages::{ApplicationOutcome, ApplicationSpec},
};
use weir_base::{ApplicationId, Resources, invariant};
use weir_protocol::{
    cluster::{FinalStatus, exit_status},
    rest::yarn::ApplicationState,
};

/// The life cycle of an application, finer than the states that YARN shows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ApplicationLife {
    /// The submission is being stored.
    NewSaving,
    /// The submission is durable.
    Submitted,
    /// It has an attempt whose app master has not registered yet.
    Accepted,
    /// Its app master has registered.
    Running,
    /// The final report of its app master is being stored.
    FinishSaving,
    /// Its app master may exit.
    Finishing,
    /// Its app master is being killed.
    Killing,
    /// Its end is being stored.
    FinalSaving,
    /// Ended by its app master, with success or without.
    Finished,
    /// Ended because its last attempt failed.
    Failed,
    /// Ended by a client.
    Killed,
}

use ApplicationLife::{
    Accepted, Failed, FinalSaving, FinishSaving, Finished, Finishing, Killed, Killing, NewSaving,
    Running, Submitted,
};

/// Every legal transition.
const EDGES: &[(ApplicationLife, ApplicationLife)] = &[
    (NewSaving, Submitted),
    (NewSaving, Killing),
    (Submitted, Accepted),
    (Submitted, Killing),
    (Accepted, Running),
    // A recovered app master finishes without registering again.
    (Accepted, FinishSaving),
    (Accepted, FinalSaving),
    (Accepted, Killing),
    (Running, Accepted),
    (Running, FinishSaving),
    (Running, FinalSaving),
    (Running, Killing),
    (FinishSaving, Finishing),
    (Finishing, FinalSaving),
    (Killing, FinalSaving),
    (FinalSaving, Finished),
    (FinalSaving, Failed),
    (FinalSaving, Killed),
];

impl ApplicationLife {
    /// Whether the transition from this state to `to` is legal.
    pub fn may_become(self, to: Self) -> bool {
        EDGES.contains(&(self, to))
    }

    /// Whether the state is final.
    pub fn is_terminal(self) -> bool {
        matches!(self, Finished | Failed | Killed)
    }

    /// The state as YARN shows it. `None` if YARN shows the previous state instead.
    fn shown(self) -> Option<ApplicationState> {
        Some(match self {
            NewSaving => ApplicationState::NewSaving,
            Submitted => ApplicationState::Submitted,
            Accepted => ApplicationState::Accepted,
            Running => ApplicationState::Running,
            Finishing | Finished => ApplicationState::Finished,
            Failed => ApplicationState::Failed,
            Killed => ApplicationState::Killed,
            FinishSaving | Killing | FinalSaving => return None,
        })
    }
}

/// How an application ends or has ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct End {
    pub(crate) outcome: ApplicationOutcome,
    pub(crate) final_status: FinalStatus,
    pub(crate) diagnostics: String,
    pub(crate) wall_ms: u64,
    pub(crate) usage: Usage,
}

/// The final report of an app master.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finish {
    pub(crate) final_status: FinalStatus,
    pub(crate) diagnostics: String,
    pub(crate) wall_ms: u64,
}

/// Resource usage: resources multiplied by time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Usage {
    memory_mib_ms: u64,
    vcore_ms: u64,
}

impl Usage {
    /// The usage in a stored fact.
    pub(crate) fn of_seconds(memory_mib_seconds: u64, vcore_seconds: u64) -> Self {
        Self {
            memory_mib_ms: memory_mib_seconds.saturating_mul(1000),
            vcore_ms: vcore_seconds.saturating_mul(1000),
        }
    }

    /// Adds resources that were held for this many milliseconds.
    pub(crate) fn add(&mut self, resources: Resources, millis: u64) {
        let memory = resources.memory_mib.saturating_mul(millis);
        let vcores = u64::from(resources.vcores).saturating_mul(millis);
        self.memory_mib_ms = self.memory_mib_ms.saturating_add(memory);
        self.vcore_ms = self.vcore_ms.saturating_add(vcores);
    }

    /// YARN's `memorySeconds`.
    pub(crate) fn memory_mib_seconds(self) -> u64 {
        self.memory_mib_ms / 1000
    }

    /// YARN's `vcoreSeconds`.
    pub(crate) fn vcore_seconds(self) -> u64 {
        self.vcore_ms / 1000
    }
}

/// The state of an application.
#[derive(Clone, Debug)]
pub(crate) struct Application {
    pub(crate) submission: ApplicationSpec,
    pub(crate) state: ApplicationLife,
    pub(crate) shown: ApplicationState,
    pub(crate) submitted_wall_ms: u64,
    /// Oldest first; the last one is current until it has ended.
    pub(crate) attempts: Vec<Attempt>,
    /// Set when a kill was requested: reason and user.
    pub(crate) kill: Option<String>,
    pub(crate) finish: Option<Finish>,
    /// Set from FINAL_SAVING on.
    pub(crate) end: Option<End>,
    /// Usage of the containers that have ended.
    pub(crate) usage: Usage,
    /// Failed attempts that count against the limit.
    pub(crate) counted_failures: u32,
    /// Failed attempts that do not count against the limit.
    pub(crate) uncounted_failures: u32,
}

impl Application {
    pub(crate) fn new(submission: ApplicationSpec, submitted_wall_ms: u64) -> Self {
        Self {
            submission,
            state: NewSaving,
            shown: ApplicationState::NewSaving,
            submitted_wall_ms,
            attempts: Vec::new(),
            kill: None,
            finish: None,
            end: None,
            usage: Usage::default(),
            counted_failures: 0,
            uncounted_failures: 0,
        }
    }

    pub(crate) fn id(&self) -> ApplicationId {
        self.submission.application
    }

    /// Changes the state. Panics if the transition is not legal.
    pub(crate) fn enter(&mut self, to: ApplicationLife) {
        let id = self.id();
        invariant!(self.state.may_become(to), "{id}: {:?} to {to:?}", self.state);
        self.state = to;
        self.shown = to.shown().unwrap_or(self.shown);
    }

    /// Sets the state that follows from the stored facts, at a start.
    pub(crate) fn recover_as(&mut self, state: ApplicationLife) {
        self.state = state;
        self.shown = state.shown().unwrap_or(self.shown);
    }

    /// The attempt that has not ended.
    pub(crate) fn current(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| !attempt.state.is_terminal())
    }

    pub(crate) fn current_mut(&mut self) -> Option<&mut Attempt> {
        self.attempts.last_mut().filter(|attempt| !attempt.state.is_terminal())
    }

    /// The end time that clients see. It is set as soon as the state is shown as FINISHED.
    pub(crate) fn ended_wall_ms(&self) -> Option<u64> {
        let end = self.end.as_ref().map(|end| end.wall_ms);
        let is_shown = self.shown == ApplicationState::Finished;
        end.or_else(|| self.finish.as_ref().filter(|_| is_shown).map(|finish| finish.wall_ms))
    }

    /// Counts the end of an attempt that has not finished. A preempted attempt is not a failure.
    pub(crate) fn count_failure(&mut self, exit_status: i32, counted: bool) {
        match counted {
            _ if exit_status == exit_status::PREEMPTED => {}
            true => self.counted_failures += 1,
            false => self.uncounted_failures += 1,
        }
    }

    /// Whether its containers may run: it neither finishes nor is being killed.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.state, Accepted | Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_states_are_final() {
        for &(from, to) in EDGES {
            assert!(!from.is_terminal(), "{from:?} to {to:?}");
            assert!(
                from < to || (from, to) == (Running, Accepted),
                "{from:?} to {to:?} leads back"
            );
        }
    }

    #[test]
    fn a_state_without_a_yarn_state_shows_the_previous_one() {
        let mut application = Application::new(ApplicationSpec::default(), 0);
        for (state, shown) in [
            (Submitted, "SUBMITTED"),
            (Accepted, "ACCEPTED"),
            (Running, "RUNNING"),
            (Killing, "RUNNING"),
            (FinalSaving, "RUNNING"),
            (Killed, "KILLED"),
        ] {
            application.enter(state);
            assert_eq!(application.shown.name(), shown);
        }
    }

    #[test]
    #[should_panic(expected = "Killed to Running")]
    fn a_killed_application_does_not_run() {
        let mut application = Application::new(ApplicationSpec::default(), 0);
        application.recover_as(Killed);
        application.enter(Running);
    }

    #[test]
    fn usage_is_counted_in_milliseconds_and_shown_in_seconds() {
        let mut usage = Usage::default();
        usage.add(Resources { memory_mib: 100, vcores: 2 }, 1_500);
        usage.add(Resources { memory_mib: 100, vcores: 2 }, 600);
        assert_eq!((usage.memory_mib_seconds(), usage.vcore_seconds()), (210, 4));
    }
}
