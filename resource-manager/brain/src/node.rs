//! A node: its life cycle, its resources, its leases, and the messages to its agent.
//!
//! ```text
//!  RUNNING ◀──────▶ UNHEALTHY
//!     │ silent, leaves  │
//!     ▼                 ▼
//!  LOST, SHUTDOWN ──registers again──▶ RUNNING
//! ```

use crate::{
    attempt::Held,
    container::{Container, ContainerLife},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use weir_base::{ApplicationId, ContainerId, NodeId, Resources, invariant};
use weir_protocol::{
    cluster::{ContainerState as Reported, KillContainer, RegisterNode},
    rest::yarn::NodeState,
};

use NodeState::{Lost, Running, Shutdown, Unhealthy};

/// Every legal transition. Weir does not use YARN's other states.
const EDGES: &[(NodeState, NodeState)] = &[
    (Running, Unhealthy),
    (Running, Lost),
    (Running, Shutdown),
    (Unhealthy, Running),
    (Unhealthy, Lost),
    (Unhealthy, Shutdown),
    (Lost, Running),
    (Shutdown, Running),
];

fn may_become(from: NodeState, to: NodeState) -> bool {
    EDGES.contains(&(from, to))
}

/// Number of earlier incarnations that a node remembers. An agent of an earlier incarnation is refused.
const PAST_INCARNATIONS: usize = 32;
/// Number of answers that tell a node about the end of an application. Each of them may be lost.
const ENDED_REPETITIONS: u8 = 10;

/// A container that a node has reported although it has no lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stray {
    pub(crate) resources: Resources,
    pub(crate) exit_status: i32,
    pub(crate) is_killing: bool,
}

/// The state of a node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) state: NodeState,
    pub(crate) total: Resources,
    /// Sum of all leases on it.
    pub(crate) leased: Resources,
    pub(crate) containers: BTreeSet<ContainerId>,
    /// Reported containers without a lease. The node is ordered to kill them.
    pub(crate) strays: BTreeMap<ContainerId, Stray>,
    /// Containers whose lease has ended and that the node has never reported, with an exit status. The node is
    /// ordered to kill them, so that it does not start them later.
    pub(crate) barred: BTreeMap<ContainerId, i32>,
    /// Containers that the node reports as complete.
    pub(crate) complete: BTreeSet<ContainerId>,
    /// Applications that have had a lease on it and have not ended.
    pub(crate) applications: BTreeSet<ApplicationId>,
    /// Ended applications, with the number of answers that still have to name them.
    pub(crate) ended: BTreeMap<ApplicationId, u8>,
    /// An application has ended and no answer has named it yet.
    pub(crate) has_ended_news: bool,
    pub(crate) incarnation: u64,
    past: VecDeque<u64>,
    /// The registration of another agent for this node. It may have been delayed, and its agent may not run any
    /// more. So the other agent replaces the current one only with its first heartbeat, and not if a heartbeat
    /// of the current one comes before.
    pub(crate) candidate: Option<RegisterNode>,
    /// The sequence number of the last heartbeat of this incarnation.
    pub(crate) sequence: u64,
    pub(crate) held: Option<Held>,
    pub(crate) unhealthy: Option<String>,
    pub(crate) used_memory_mib: u64,
    pub(crate) weir_version: String,
    pub(crate) last_contact_wall_ms: u64,
    /// A heartbeat since the registration has listed its containers. The list in the registration may be
    /// outdated, because a registration may be delayed; a heartbeat has a sequence number.
    pub(crate) has_reported: bool,
    /// Its resources are smaller than the sum of its leases, because they have shrunk.
    pub(crate) has_shrunk: bool,
}

impl Node {
    pub(crate) fn new(register: &RegisterNode) -> Self {
        Self {
            id: register.node.clone(),
            state: Running,
            total: register.total,
            leased: Resources::default(),
            containers: BTreeSet::new(),
            strays: BTreeMap::new(),
            barred: BTreeMap::new(),
            complete: BTreeSet::new(),
            applications: BTreeSet::new(),
            ended: BTreeMap::new(),
            has_ended_news: false,
            incarnation: register.incarnation,
            past: VecDeque::new(),
            candidate: None,
            sequence: 0,
            held: None,
            unhealthy: None,
            used_memory_mib: 0,
            weir_version: register.weir_version.clone(),
            last_contact_wall_ms: 0,
            has_reported: false,
            has_shrunk: false,
        }
    }

    /// Changes the state, if it differs. Panics if the transition is not legal.
    pub(crate) fn enter(&mut self, to: NodeState) {
        if self.state != to {
            invariant!(may_become(self.state, to), "{}: {:?} to {to:?}", self.id, self.state);
            self.state = to;
        }
    }

    /// Applies a new registration.
    pub(crate) fn register(&mut self, register: &RegisterNode) {
        if self.incarnation != register.incarnation {
            self.sequence = 0;
            self.past.push_back(self.incarnation);
            if self.past.len() > PAST_INCARNATIONS {
                self.past.pop_front();
            }
        }
        self.candidate = None;
        self.incarnation = register.incarnation;
        self.has_reported = false;
        self.total = register.total;
        self.weir_version.clone_from(&register.weir_version);
        self.has_shrunk |= !self.leased.fits_in(self.total);
        self.unhealthy = None;
        self.enter(Running);
    }

    /// Whether it takes new containers.
    pub(crate) fn is_open(&self) -> bool {
        self.state == Running && self.has_reported
    }

    /// Whether another agent has replaced the agent of this incarnation.
    pub(crate) fn is_past(&self, incarnation: u64) -> bool {
        self.past.contains(&incarnation)
    }

    /// Resources that are free for new leases. Strays occupy theirs until they have ended.
    pub(crate) fn free(&self) -> Resources {
        let strays = self.strays.values().map(|stray| stray.resources);
        let taken = strays.fold(self.leased, |sum, one| Resources {
            memory_mib: sum.memory_mib.saturating_add(one.memory_mib),
            vcores: sum.vcores.saturating_add(one.vcores),
        });
        Resources {
            memory_mib: self.total.memory_mib.saturating_sub(taken.memory_mib),
            vcores: self.total.vcores.saturating_sub(taken.vcores),
        }
    }

    /// Adds a lease.
    pub(crate) fn add(&mut self, container: &Container) {
        invariant!(self.containers.insert(container.id), "{} is leased twice", container.id);
        let sum = self.leased.checked_add(container.resources);
        self.leased = sum.unwrap_or_else(|| panic!("leases on {} overflow", self.id));
        self.strays.remove(&container.id);
        self.applications.insert(container.id.attempt.application);
    }

    /// Removes a lease that has ended.
    pub(crate) fn remove(&mut self, container: &Container) {
        invariant!(self.containers.remove(&container.id), "{} is not leased", container.id);
        let remaining = self.leased.checked_sub(container.resources);
        self.leased = remaining.unwrap_or_else(|| panic!("leases on {} do not add up", self.id));
        self.has_shrunk &= !self.leased.fits_in(self.total);
    }

    /// An application has ended. The next answer tells the node, if the application had a lease on it.
    pub(crate) fn announce_ended(&mut self, application: ApplicationId) {
        self.barred.retain(|container, _| container.attempt.application != application);
        if self.applications.remove(&application) {
            self.ended.insert(application, ENDED_REPETITIONS);
            self.has_ended_news = true;
        }
    }

    /// The node still has containers of an application that has ended. The next regular answer tells it.
    pub(crate) fn announce_ended_again(&mut self, application: ApplicationId) {
        self.ended.entry(application).or_insert(ENDED_REPETITIONS);
    }

    /// The ended applications that an answer names.
    pub(crate) fn take_ended(&mut self) -> Vec<ApplicationId> {
        let named = self.ended.keys().copied().collect();
        for times in self.ended.values_mut() {
            *times -= 1;
        }
        self.ended.retain(|_, times| *times > 0);
        self.has_ended_news = false;
        named
    }

    /// The containers that the node has to kill: revoked leases, strays and barred containers.
    pub(crate) fn kills<'a>(
        &'a self,
        leases: impl Iterator<Item = &'a Container>,
    ) -> Vec<KillContainer> {
        let taken_back = leases
            .filter(|one| one.life == ContainerLife::Stopping)
            .filter(|one| one.reported != Some(Reported::Killing))
            .filter_map(|one| Some((one.id, one.stop.as_ref()?.exit_status)));
        let strays = self.strays.iter().filter(|(_, stray)| !stray.is_killing);
        let strays = strays.map(|(&id, stray)| (id, stray.exit_status));
        let barred = self.barred.iter().map(|(&id, &status)| (id, status));
        let kills = taken_back.chain(strays).chain(barred);
        kills.map(|(container, exit_status)| KillContainer { container, exit_status }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_node_comes_back_only_by_registering() {
        assert!(may_become(Lost, Running) && may_become(Shutdown, Running));
        assert!(!may_become(Lost, Unhealthy) && !may_become(Lost, Shutdown));
    }

    #[test]
    fn an_ended_application_is_named_in_several_answers_but_is_news_once() {
        let mut node = Node::new(&RegisterNode {
            node: NodeId("a:1".to_owned()),
            total: Resources::default(),
            weir_version: String::new(),
            incarnation: 1,
            containers: Vec::new(),
        });
        let application = ApplicationId::default();
        node.announce_ended(application);
        assert!(!node.has_ended_news, "the application had no lease on the node");
        node.applications.insert(application);
        node.announce_ended(application);
        assert!(node.has_ended_news);
        let named = (0..20).filter(|_| !node.take_ended().is_empty()).count();
        assert_eq!((named, node.has_ended_news), (usize::from(ENDED_REPETITIONS), false));
    }
}
