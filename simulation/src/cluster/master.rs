//! An app master as simple as one can be: what it wants, what it has, what it says next.
//!
//! It asks for `leased in this epoch + needed - held`: so what it gives back or loses is asked for
//! again, whatever order the news comes in.

use super::plan::ApplicationPlan;
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{AttemptId, ContainerId};
use weir_protocol::cluster::{Allocate, Allocated, Ask, FinalStatus, Lease, RegisterAppMaster};
use weir_resource_manager_brain::GrantedLease;

/// State of an app master.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// It registers, for the first time or again.
    Joining,
    /// It asks and works.
    Working,
    /// It says that it ends.
    Finishing(FinalStatus),
    /// It may exit, and does not.
    Hanging,
}

/// A lease it has.
#[derive(Clone, Debug)]
pub(crate) struct HeldContainer {
    pub(crate) ask: u32,
    pub(crate) lease: Lease,
    /// Its agent has it.
    pub(crate) is_started: bool,
    /// When to ask its agent (again).
    pub(crate) start_at_ms: u64,
}

/// An app master.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    pub(crate) attempt: AttemptId,
    pub(crate) host: usize,
    /// Index of its plan.
    pub(crate) application: usize,
    pub(crate) phase: Phase,
    pub(crate) epoch: u32,
    /// The call that waits for its answer, and when it is given up.
    pub(crate) waits: Option<(u64, u64)>,
    pub(crate) calls: u64,
    pub(crate) next_call_ms: u64,
    pub(crate) hold_ms: u64,
    sequence: u64,
    pub(crate) held: BTreeMap<ContainerId, HeldContainer>,
    release: BTreeSet<ContainerId>,
    seen: BTreeSet<ContainerId>,
    /// Every container that has completed.
    completed: BTreeSet<ContainerId>,
    /// Distinct leases by ask since it registered last.
    leased: BTreeMap<u32, BTreeSet<ContainerId>>,
    /// Containers that have done their part, by ask.
    done: BTreeMap<u32, u64>,
    /// Since when all containers of a gang run.
    pub(crate) whole_since_ms: Option<u64>,
    pub(crate) progress_ms: u64,
    /// The last answer named asks that wait.
    pub(crate) has_pending: bool,
}

impl Master {
    pub(crate) fn new(
        container: ContainerId,
        (host, application): (usize, usize),
        now_ms: u64,
    ) -> Self {
        Self {
            attempt: container.attempt,
            host,
            application,
            phase: Phase::Joining,
            epoch: 0,
            waits: None,
            calls: 0,
            next_call_ms: now_ms,
            hold_ms: 0,
            sequence: 0,
            held: BTreeMap::new(),
            release: BTreeSet::new(),
            seen: BTreeSet::new(),
            completed: BTreeSet::new(),
            leased: BTreeMap::new(),
            done: BTreeMap::new(),
            whole_since_ms: None,
            progress_ms: now_ms,
            has_pending: true,
        }
    }

    pub(crate) fn registration(&self) -> RegisterAppMaster {
        let held = self.held.values().map(|one| one.lease.clone());
        RegisterAppMaster { attempt: self.attempt, rest_port: 1, held: held.collect() }
    }

    /// It is registered with a resource manager of this epoch: requests are reset.
    pub(crate) fn registered(&mut self, epoch: u32, interval_ms: u64) {
        self.phase = Phase::Working;
        self.epoch = epoch;
        self.hold_ms = interval_ms;
        self.sequence = 0;
        self.leased.clear();
    }

    pub(crate) fn next_allocate(&mut self, plan: &ApplicationPlan) -> Allocate {
        self.sequence += 1;
        Allocate {
            attempt: self.attempt,
            epoch: self.epoch,
            sequence: self.sequence,
            hold_ms: self.hold_ms,
            asks: self.asks(plan),
            held: self.held.keys().copied().collect(),
            release: self.release.iter().copied().collect(),
            seen: self.seen.iter().copied().collect(),
            progress: 0.5,
        }
    }

    fn asks(&self, plan: &ApplicationPlan) -> Vec<Ask> {
        let asks = plan.kinds.iter().zip(0u32..).map(|(kind, id)| {
            let leased = self.leased.get(&id).map_or(0, |leased| leased.len() as u64);
            let done = self.done.get(&id).copied().unwrap_or(0);
            let needed = kind.count.saturating_sub(done);
            let total = (leased + needed).saturating_sub(self.live(id));
            Ask { id, priority: kind.priority, resources: kind.resources, total }
        });
        asks.collect()
    }

    fn live(&self, ask: u32) -> u64 {
        let of_it = self.held.iter().filter(|(_, held)| held.ask == ask);
        of_it.filter(|(id, _)| !self.release.contains(id)).count() as u64
    }

    /// Takes an answer in. Returns leases that are new.
    pub(crate) fn allocated(
        &mut self,
        now_ms: u64,
        answer: &Allocated<GrantedLease>,
    ) -> Vec<GrantedLease> {
        if answer.sequence != self.sequence {
            return Vec::new();
        }
        self.seen.clear();
        self.has_pending = !answer.pending.is_empty();
        for report in &answer.completed {
            let id = report.container;
            self.seen.insert(id);
            self.release.remove(&id);
            if self.completed.insert(id)
                && let Some(held) = self.held.remove(&id)
            {
                if report.exit_status == Some(0) {
                    *self.done.entry(held.ask).or_default() += 1;
                }
                self.progress_ms = now_ms;
            }
        }
        let mut fresh = Vec::new();
        for lease in &answer.leases {
            let container = lease.lease.container;
            let is_new =
                !self.completed.contains(&container) && !self.held.contains_key(&container);
            if is_new {
                self.leased.entry(lease.ask).or_default().insert(container);
                self.progress_ms = now_ms;
                fresh.push(lease.clone());
            }
        }
        fresh
    }

    /// Gives back what it has too much of.
    pub(crate) fn release_excess(&mut self, plan: &ApplicationPlan) {
        for (kind, id) in plan.kinds.iter().zip(0u32..) {
            let needed = kind.count.saturating_sub(self.done.get(&id).copied().unwrap_or(0));
            let excess = self.live(id).saturating_sub(needed);
            let of_it = self.held.iter().filter(|(one, held)| {
                held.ask == id && !held.is_started && !self.release.contains(one)
            });
            let given: Vec<_> = of_it.map(|(&one, _)| one).rev().take(excess as usize).collect();
            self.release.extend(given);
        }
    }

    pub(crate) fn is_released(&self, container: ContainerId) -> bool {
        self.release.contains(&container)
    }

    /// Whether everything was done, for work that needs no gang.
    pub(crate) fn is_done(&self, plan: &ApplicationPlan) -> bool {
        let counts = plan.kinds.iter().zip(0u32..);
        counts.into_iter().all(|(kind, id)| self.done.get(&id).is_some_and(|n| *n >= kind.count))
    }

    /// Whether every kind has all its containers, as far as it knows.
    pub(crate) fn is_whole(&self, plan: &ApplicationPlan) -> bool {
        plan.kinds.iter().zip(0u32..).all(|(kind, id)| self.live(id) >= kind.count)
    }
}
