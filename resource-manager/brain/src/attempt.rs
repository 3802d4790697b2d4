//! An attempt at an application: its life cycle, its app master, its asks and leases.
//!
//! ```text
//!  NEW ─▶ SCHEDULED ─▶ ALLOCATED_SAVING ─▶ ALLOCATED ─▶ LAUNCHED ─▶ RUNNING ─finish─▶ FINISH_SAVING
//!                                              └──registered first────▲                     │
//!                                                              FINISHED ◀─ends─ FINISHING ◀─┘
//!  any of them ─▶ FAILED, KILLED
//! ```
//!
//! ALLOCATED_SAVING: the app master's container is leased and the lease is being stored; the container is
//! launched only when that is done. ALLOCATED: the node has not reported the container yet.

use crate::{Error, messages::Ticket, scheduler::WaitReason};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, VecDeque},
};
use weir_base::{AttemptId, ContainerId, Resources, invariant};
use weir_protocol::cluster::{Ask, ContainerReport, Lease};

/// The life cycle of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AttemptLife {
    /// It waits for a short time because the previous attempt failed.
    New,
    /// It waits for the container of its app master.
    Scheduled,
    /// That container is leased; the lease is being stored.
    AllocatedSaving,
    /// The node has been ordered to launch that container.
    Allocated,
    /// The node has reported that container.
    Launched,
    /// Its app master has registered.
    Running,
    /// The final report of its app master is being stored.
    FinishSaving,
    /// Its app master may exit.
    Finishing,
    /// Ended by its app master.
    Finished,
    /// Ended without a final report of its app master, and not by a client.
    Failed,
    /// Ended by a client.
    Killed,
}

use AttemptLife::{
    Allocated, AllocatedSaving, Failed, FinishSaving, Finished, Finishing, Killed, Launched, New,
    Running, Scheduled,
};

/// Every legal transition.
const EDGES: &[(AttemptLife, AttemptLife)] = &[
    (New, Scheduled),
    (New, Failed),
    (New, Killed),
    (Scheduled, AllocatedSaving),
    // No node is large enough for its app master.
    (Scheduled, Failed),
    (Scheduled, Killed),
    (AllocatedSaving, Allocated),
    (AllocatedSaving, Failed),
    (AllocatedSaving, Killed),
    (Allocated, Launched),
    // The app master registered before its node reported the container.
    (Allocated, Running),
    // A recovered app master finishes without registering again.
    (Allocated, FinishSaving),
    (Allocated, Failed),
    (Allocated, Killed),
    (Launched, Running),
    (Launched, FinishSaving),
    (Launched, Failed),
    (Launched, Killed),
    (Running, FinishSaving),
    (Running, Failed),
    (Running, Killed),
    (FinishSaving, Finishing),
    (Finishing, Finished),
];

impl AttemptLife {
    /// Whether the transition from this state to `to` is legal.
    pub fn may_become(self, to: Self) -> bool {
        EDGES.contains(&(self, to))
    }

    /// Whether the state is final.
    pub fn is_terminal(self) -> bool {
        matches!(self, Finished | Failed | Killed)
    }

    /// The name that YARN uses.
    pub fn name(self) -> &'static str {
        match self {
            New => "NEW",
            Scheduled => "SCHEDULED",
            AllocatedSaving => "ALLOCATED_SAVING",
            Allocated => "ALLOCATED",
            Launched => "LAUNCHED",
            Running => "RUNNING",
            FinishSaving => "FINAL_SAVING",
            Finishing => "FINISHING",
            Finished => "FINISHED",
            Failed => "FAILED",
            Killed => "KILLED",
        }
    }
}

/// A long-polling caller: its answer is held back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Held {
    pub(crate) ticket: Ticket,
    pub(crate) sequence: u64,
}

/// An ask and the number of containers leased for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct AskState {
    pub(crate) priority: u32,
    /// Size of each container, rounded up.
    pub(crate) resources: Resources,
    /// Containers asked for since the attempt began.
    pub(crate) total: u64,
    /// Containers leased since the attempt began, without leases that ended before the app master knew of them.
    pub(crate) leased: u64,
    /// Why it waits, according to the last plan.
    pub(crate) reason: Option<WaitReason>,
}

impl AskState {
    /// Containers that are still to be leased.
    pub(crate) fn missing(&self) -> u64 {
        self.total.saturating_sub(self.leased)
    }
}

/// Whether the app master of an attempt has asked for a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContainersAsked {
    No,
    /// It has; this fact is being stored. No lease is granted to the app master before that.
    BeingSaved,
    /// It has, and this fact is durable.
    Saved,
}

/// How a container ended, for display.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct EndedContainer {
    pub(crate) container: crate::container::Container,
    pub(crate) exit_status: i32,
    pub(crate) diagnostics: String,
    pub(crate) ended_wall_ms: u64,
}

/// Ended containers kept for display.
const ENDED_SHOWN: usize = 100;

/// The largest number of ended containers of earlier epochs that an attempt remembers.
const MAX_ENDED_OF_EARLIER_EPOCHS: usize = 100_000;

/// The state of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) id: AttemptId,
    pub(crate) state: AttemptLife,
    pub(crate) master: Option<Lease>,
    /// Why the app master's container is not placed yet.
    pub(crate) master_reason: Option<WaitReason>,
    pub(crate) started_wall_ms: u64,
    pub(crate) ended_wall_ms: Option<u64>,
    pub(crate) exit_status: Option<i32>,
    pub(crate) diagnostics: String,
    /// Its end is durable: the node may forget the app master's container.
    pub(crate) end_saved: bool,
    /// The sequence number of its next container in this epoch.
    pub(crate) next_container: u64,
    /// Its containers that have not ended.
    pub(crate) containers: BTreeSet<ContainerId>,
    /// The containers that ended last.
    pub(crate) ended: VecDeque<EndedContainer>,
    pub(crate) rest_port: Option<u16>,
    /// Its app master has registered in this epoch.
    pub(crate) registered: bool,
    /// Whether its app master has asked for containers, in this epoch or an earlier one.
    pub(crate) asked: ContainersAsked,
    /// Its app master has reported in this epoch which containers it holds.
    pub(crate) synchronised: bool,
    /// The sequence number of the last allocate in this epoch.
    pub(crate) sequence: u64,
    pub(crate) held: Option<Held>,
    pub(crate) asks: BTreeMap<u32, AskState>,
    /// Leases of this epoch that the app master has not reported as held.
    pub(crate) unheld: BTreeSet<ContainerId>,
    /// Ended containers that the app master has not confirmed.
    pub(crate) completed: BTreeMap<ContainerId, ContainerReport>,
    /// Leases that ended before the app master knew of them, with the id of their ask.
    pub(crate) withdrawn: BTreeMap<ContainerId, u32>,
    /// Containers of earlier epochs that have ended. They are never taken over.
    pub(crate) ended_of_earlier_epochs: BTreeSet<ContainerId>,
    pub(crate) progress: f32,
    /// Set when its wait for a larger node is over: its allocates are answered with this error.
    pub(crate) too_large: Option<Error>,
}

impl Attempt {
    pub(crate) fn new(id: AttemptId) -> Self {
        Self {
            id,
            state: New,
            master: None,
            master_reason: None,
            started_wall_ms: 0,
            ended_wall_ms: None,
            exit_status: None,
            diagnostics: String::new(),
            end_saved: false,
            next_container: 1,
            containers: BTreeSet::new(),
            ended: VecDeque::new(),
            rest_port: None,
            registered: false,
            asked: ContainersAsked::No,
            synchronised: false,
            sequence: 0,
            held: None,
            asks: BTreeMap::new(),
            unheld: BTreeSet::new(),
            completed: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            ended_of_earlier_epochs: BTreeSet::new(),
            progress: 0.0,
            too_large: None,
        }
    }

    /// Changes the state. Panics if the transition is not legal.
    pub(crate) fn enter(&mut self, to: AttemptLife) {
        invariant!(self.state.may_become(to), "{}: {:?} to {to:?}", self.id, self.state);
        self.state = to;
    }

    /// Whether a container is the app master's.
    pub(crate) fn is_master(&self, container: ContainerId) -> bool {
        self.master.as_ref().is_some_and(|master| master.container == container)
    }

    /// Whether a container that is not known here may have been leased. An id that was never leased need not be
    /// remembered. Of ids that earlier epochs may have leased, at most `MAX_ENDED_OF_EARLIER_EPOCHS` are remembered.
    pub(crate) fn may_have_been_leased(&self, container: ContainerId, epoch: u32) -> bool {
        match container.epoch.cmp(&epoch) {
            Ordering::Less => {
                self.ended_of_earlier_epochs.contains(&container)
                    || self.ended_of_earlier_epochs.len() < MAX_ENDED_OF_EARLIER_EPOCHS
            }
            Ordering::Equal => (1..self.next_container).contains(&container.sequence),
            Ordering::Greater => false,
        }
    }

    /// Leases that the answer to the next allocate names.
    pub(crate) fn leases_to_announce(&self) -> impl Iterator<Item = ContainerId> {
        let may_announce = self.asked == ContainersAsked::Saved;
        self.unheld.iter().copied().filter(move |_| may_announce)
    }

    /// Whether a held allocate must be answered now.
    pub(crate) fn has_news(&self) -> bool {
        self.leases_to_announce().next().is_some()
            || !self.completed.is_empty()
            || self.too_large.is_some()
    }

    /// Replaces the asks by those of an allocate, whose sizes are already rounded. Returns whether anything changed.
    pub(crate) fn take_asks(&mut self, asks: &[Ask]) -> bool {
        let before = self.wants();
        for ask in self.asks.values_mut() {
            ask.total = ask.leased;
        }
        for ask in asks {
            let state = self.asks.entry(ask.id).or_insert_with(|| AskState {
                priority: ask.priority,
                resources: ask.resources,
                total: 0,
                leased: 0,
                reason: None,
            });
            state.priority = ask.priority;
            state.resources = ask.resources;
            state.total = ask.total;
        }
        // An ask with leases must be remembered. One without leases that is not named any more is dropped.
        self.asks.retain(|_, ask| ask.total > 0 || ask.leased > 0);
        before != self.wants()
    }

    /// The part of the asks on which a plan depends.
    fn wants(&self) -> Vec<(u32, u64, u32, Resources)> {
        let waiting = self.asks.iter().filter(|(_, ask)| ask.missing() > 0);
        waiting.map(|(&id, ask)| (id, ask.missing(), ask.priority, ask.resources)).collect()
    }

    /// Keeps an ended container for display.
    pub(crate) fn remember(&mut self, ended: EndedContainer) {
        self.ended.push_back(ended);
        if self.ended.len() > ENDED_SHOWN {
            self.ended.pop_front();
        }
    }

    /// Drops the fields that an attempt needs only until it ends.
    pub(crate) fn shrink(&mut self) {
        self.asks.clear();
        self.unheld.clear();
        self.completed.clear();
        self.withdrawn.clear();
        self.ended_of_earlier_epochs.clear();
        self.master_reason = None;
        self.too_large = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_only_advance_and_terminal_states_are_final() {
        for &(from, to) in EDGES {
            assert!(!from.is_terminal() && from < to, "{from:?} to {to:?}");
        }
    }

    #[test]
    fn ids_that_were_never_leased_are_recognised() {
        let mut attempt = Attempt::new(AttemptId::default());
        attempt.next_container = 3;
        let id = |epoch, sequence| ContainerId { attempt: AttemptId::default(), epoch, sequence };
        for (container, expected) in [
            (id(1, 2), true),
            (id(1, 3), false),
            (id(1, 0), false),
            (id(2, 1), false),
            (id(0, 99), true),
        ] {
            assert_eq!(attempt.may_have_been_leased(container, 1), expected, "{container}");
        }
        attempt.ended_of_earlier_epochs =
            (0..MAX_ENDED_OF_EARLIER_EPOCHS as u64).map(|sequence| id(0, sequence)).collect();
        assert!(attempt.may_have_been_leased(id(0, 5), 1));
        assert!(!attempt.may_have_been_leased(id(0, MAX_ENDED_OF_EARLIER_EPOCHS as u64), 1));
    }

    fn ask(id: u32, total: u64) -> Ask {
        Ask { id, priority: 1, resources: Resources { memory_mib: 100, vcores: 1 }, total }
    }

    #[test]
    fn asks_are_totals_and_one_that_is_not_named_is_withdrawn() {
        let mut attempt = Attempt::new(AttemptId::default());
        assert!(attempt.take_asks(&[ask(1, 3), ask(2, 1)]));
        attempt.asks.get_mut(&1).unwrap().leased = 2;
        assert_eq!(attempt.asks[&1].missing(), 1);
        assert!(!attempt.take_asks(&[ask(1, 3), ask(2, 1)]), "the same again");
        let larger = Ask { resources: Resources { memory_mib: 200, vcores: 1 }, ..ask(1, 3) };
        assert!(attempt.take_asks(&[larger, ask(2, 1)]), "of another size");
        assert!(attempt.take_asks(&[ask(1, 3)]));
        assert!(!attempt.asks.contains_key(&2), "nothing was leased for it");
        attempt.take_asks(&[ask(1, 1)]);
        assert_eq!(
            attempt.asks[&1].missing(),
            0,
            "a total below the leased number means that no container is missing"
        );
    }
}
