//! A node: its life cycle, its resources, the orders that it got.
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

/// Every legal edge. No node of Weir is in one of YARN's other states.
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

/// Whether a node may go from one state to the other.
fn may_become(from: NodeState, to: NodeState) -> bool {
    EDGES.contains(&(from, to))
}

/// Incarnations remembered, so that none comes back.
const PAST_INCARNATIONS: usize = 32;
/// The number of answers in which the end of an application is repeated to a node: any of them may be lost.
const TIMES_TOLD: u8 = 10;

/// A container that a node has without a lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stray {
    pub(crate) resources: Resources,
    pub(crate) exit_status: i32,
    /// It is being killed.
    pub(crate) is_killing: bool,
}

/// A node as the brain remembers it.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) id: NodeId,
    pub(crate) state: NodeState,
    pub(crate) total: Resources,
    /// Resources of all leases on it.
    pub(crate) leased: Resources,
    pub(crate) containers: BTreeSet<ContainerId>,
    /// Reported without a lease; they are ordered killed.
    pub(crate) strays: BTreeMap<ContainerId, Stray>,
    /// Without a lease any more and never reported: ordered killed so that they are not started.
    pub(crate) barred: BTreeMap<ContainerId, i32>,
    /// Reported as complete.
    pub(crate) complete: BTreeSet<ContainerId>,
    /// Applications that had a lease on it and have not ended.
    pub(crate) applications: BTreeSet<ApplicationId>,
    /// Applications that have ended, with the number of answers that will still repeat it.
    pub(crate) ended: BTreeMap<ApplicationId, u8>,
    /// The end of an application was not reported to it yet.
    pub(crate) has_ended_news: bool,
    pub(crate) incarnation: u64,
    past: VecDeque<u64>,
    /// Another agent has registered as this node. A registration may be late and from an agent that
    /// has ended; so it takes over only with its first heartbeat, unless this one sends one before.
    pub(crate) candidate: Option<RegisterNode>,
    /// Sequence number of the last heartbeat of the incarnation.
    pub(crate) sequence: u64,
    pub(crate) held: Option<Held>,
    pub(crate) unhealthy: Option<String>,
    pub(crate) used_memory_mib: u64,
    pub(crate) weir_version: String,
    pub(crate) heard_wall_ms: u64,
    /// It has sent a heartbeat with its containers since it registered. A registration may be late, so
    /// its list may be outdated; a heartbeat has a sequence number.
    pub(crate) has_reported: bool,
    /// It offers less than it did when its leases were given.
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
            heard_wall_ms: 0,
            has_reported: false,
            has_shrunk: false,
        }
    }

    /// Changes to another state, if it is another.
    pub(crate) fn enter(&mut self, to: NodeState) {
        if self.state != to {
            invariant!(may_become(self.state, to), "{}: {:?} to {to:?}", self.id, self.state);
            self.state = to;
        }
    }

    /// Takes a new registration.
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

    /// Whether an agent of this incarnation was replaced by another.
    pub(crate) fn is_past(&self, incarnation: u64) -> bool {
        self.past.contains(&incarnation)
    }

    /// Resources left for new leases: stray containers hold theirs until they have ended.
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

    /// Notes a lease.
    pub(crate) fn add(&mut self, container: &Container) {
        invariant!(self.containers.insert(container.id), "{} is leased twice", container.id);
        let sum = self.leased.checked_add(container.resources);
        self.leased = sum.unwrap_or_else(|| panic!("leases on {} overflow", self.id));
        self.strays.remove(&container.id);
        self.applications.insert(container.id.attempt.application);
    }

    /// Notes the end of a lease.
    pub(crate) fn remove(&mut self, container: &Container) {
        invariant!(self.containers.remove(&container.id), "{} is not leased", container.id);
        let rest = self.leased.checked_sub(container.resources);
        self.leased = rest.unwrap_or_else(|| panic!("leases on {} do not add up", self.id));
        self.has_shrunk &= !self.leased.fits_in(self.total);
    }

    /// An application has ended: this will be reported to the node if it ran containers of it.
    pub(crate) fn tell_ended(&mut self, application: ApplicationId) {
        self.barred.retain(|container, _| container.attempt.application != application);
        if self.applications.remove(&application) {
            self.ended.insert(application, TIMES_TOLD);
            self.has_ended_news = true;
        }
    }

    /// It has files of an application that has ended: the next answer reports this.
    pub(crate) fn tell_again(&mut self, application: ApplicationId) {
        self.ended.entry(application).or_insert(TIMES_TOLD);
    }

    /// The applications that an answer reports as ended.
    pub(crate) fn take_ended(&mut self) -> Vec<ApplicationId> {
        let told = self.ended.keys().copied().collect();
        for times in self.ended.values_mut() {
            *times -= 1;
        }
        self.ended.retain(|_, times| *times > 0);
        self.has_ended_news = false;
        told
    }

    /// Containers to kill with their status: released, or never leased.
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
        node.tell_ended(application);
        assert!(!node.has_ended_news, "it had no part in it");
        node.applications.insert(application);
        node.tell_ended(application);
        assert!(node.has_ended_news);
        let told = (0..20).filter(|_| !node.take_ended().is_empty()).count();
        assert_eq!((told, node.has_ended_news), (usize::from(TIMES_TOLD), false));
    }
}
