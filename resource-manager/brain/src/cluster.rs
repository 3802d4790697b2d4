//! The state of the cluster: applications, nodes and leases, and the relations between them.
//!
//! ```text
//!  Applications ─ Application ─ Attempt ─ containers ─┐
//!                                                     ├─▶ Leases ─ Container
//!  Nodes ──────── Node ────────────────── containers ─┘
//! ```
//!
//! Invariants: exactly one node and one attempt list each lease. The leases on a node never exceed its
//! resources, unless its resources have shrunk.

mod applications;
mod demands;
mod invariants;
mod leases;
mod nodes;
mod view;

pub(crate) use demands::{APP_MASTER, MASTER_PRIORITY};
use nodes::host_of;
pub use view::{
    ApplicationView, AttemptView, ClusterMetrics, ClusterView, ContainerView, NodeView, PendingView,
};

use crate::{
    application::{Application, ApplicationLife, Usage},
    attempt::AttemptLife,
    container::{Container, ContainerLife},
    node::Node,
};
use applications::Applications;
use leases::Leases;
use nodes::Nodes;
use weir_base::{ApplicationId, ContainerId, Monotonic, NodeId, Resources};
use weir_protocol::cluster::{LaunchContainer, variables};

/// Applications, nodes and leases. See the module for the invariants.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) applications: Applications,
    pub(crate) nodes: Nodes,
    pub(crate) leases: Leases,
    /// The resource manager was restarted and still waits for nodes and leases of the previous epoch.
    pub(crate) is_recovering: bool,
    minimum_allocation_mib: u64,
}

impl Cluster {
    /// Creates an empty cluster that leases memory in multiples of `minimum_allocation_mib`.
    pub(crate) fn new(minimum_allocation_mib: u64) -> Self {
        Self {
            applications: Applications::default(),
            nodes: Nodes::default(),
            leases: Leases::default(),
            is_recovering: false,
            minimum_allocation_mib: minimum_allocation_mib.max(1),
        }
    }

    /// Rounds a request up to the size of a lease: a multiple of the minimum allocation, at least one core.
    pub(crate) fn rounded(&self, asked: Resources) -> Resources {
        let step = self.minimum_allocation_mib;
        let steps = asked.memory_mib.div_ceil(step).max(1);
        Resources { memory_mib: steps.saturating_mul(step), vcores: asked.vcores.max(1) }
    }

    /// Adds a lease to its node and its attempt.
    pub(crate) fn add_lease(&mut self, container: Container) {
        if let Some(node) = self.nodes.get_mut(&container.node) {
            node.add(&container);
        }
        if let Some(attempt) = self.applications.attempt_mut(container.id.attempt) {
            attempt.containers.insert(container.id);
        }
        self.leases.add(container);
    }

    /// Removes a lease that has ended from its node and its attempt, and adds its usage to the application.
    pub(crate) fn remove_lease(&mut self, now: Monotonic, id: ContainerId) -> Option<Container> {
        let container = self.leases.remove(id)?;
        if let Some(node) = self.nodes.get_mut(&container.node) {
            node.remove(&container);
        }
        if let Some(application) = self.applications.get_mut(&id.attempt.application) {
            application.usage.add(container.resources, now.millis_since(container.since));
        }
        if let Some(attempt) = self.applications.attempt_mut(id.attempt) {
            attempt.containers.remove(&id);
            attempt.unheld.remove(&id);
        }
        Some(container)
    }

    /// The leases of an application.
    pub(crate) fn leases_of(&self, application: &Application) -> impl Iterator<Item = &Container> {
        let ids = application.attempts.iter().flat_map(|attempt| &attempt.containers);
        ids.filter_map(|id| self.leases.get(id))
    }

    /// The leases on a node.
    pub(crate) fn leases_on<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Container> {
        node.containers.iter().filter_map(|id| self.leases.get(id))
    }

    /// The resource usage of an application so far.
    pub(crate) fn usage_of(&self, now: Monotonic, application: &Application) -> Usage {
        if let Some(end) = &application.end {
            return end.usage;
        }
        let mut usage = application.usage;
        for container in self.leases_of(application) {
            usage.add(container.resources, now.millis_since(container.since));
        }
        usage
    }

    /// Resources on a node that will become free soon: those of containers that are being stopped or whose
    /// attempt is over.
    fn ending_on(&self, node: &NodeId) -> Resources {
        let Some(node) = self.nodes.get(node) else { return Resources::default() };
        let strays = node.strays.values().map(|stray| stray.resources);
        let ending = self.leases_on(node).filter(|lease| {
            let is_stopping = lease.life == ContainerLife::Stopping;
            is_stopping || self.applications.working_attempt(lease.id.attempt).is_none()
        });
        let ending = ending.map(|lease| lease.resources);
        strays.chain(ending).fold(Resources::default(), Resources::saturating_add)
    }

    /// Whether a container is that of an app master whose lease is not stored yet.
    pub(crate) fn is_being_saved(&self, id: ContainerId) -> bool {
        let attempt = self.applications.attempt(id.attempt);
        let attempt = attempt.filter(|attempt| attempt.is_master(id));
        attempt.is_some_and(|attempt| attempt.state == AttemptLife::AllocatedSaving)
    }

    /// Whether a container of an earlier epoch that has no lease may still run.
    pub(crate) fn may_be_taken_over(&self, id: ContainerId) -> bool {
        let Some(application) = self.applications.get(&id.attempt.application) else {
            return false;
        };
        let Some(attempt) = application.current().filter(|one| one.id == id.attempt) else {
            return false;
        };
        // When an application finishes, only its app master still runs.
        let may_run = application.is_working() || attempt.is_master(id);
        !attempt.ended_of_earlier_epochs.contains(&id) && may_run && !self.leases.contains_key(&id)
    }

    /// Whether a node may stop reporting an ended container.
    pub(crate) fn may_be_forgotten(&self, id: ContainerId) -> bool {
        let Some(attempt) = self.applications.attempt(id.attempt) else { return true };
        if attempt.is_master(id) {
            return attempt.end_saved;
        }
        // The app master may still report that it holds the container.
        let is_settled = !attempt.withdrawn.contains_key(&id) || attempt.state.is_terminal();
        is_settled && !attempt.completed.contains_key(&id) && !self.leases.contains_key(&id)
    }

    /// Whether an application is being killed.
    pub(crate) fn is_being_killed(&self, id: ApplicationId) -> bool {
        let application = self.applications.get(&id);
        application.is_some_and(|one| one.state == ApplicationLife::Killing)
    }

    /// Whether the held heartbeat of a node must be answered now.
    pub(crate) fn node_has_news(&self, id: &NodeId) -> bool {
        let Some(node) = self.nodes.get(id).filter(|node| node.held.is_some()) else {
            return false;
        };
        node.has_ended_news
            || !node.kills(self.leases_on(node)).is_empty()
            || self.launches_on(node).next().is_some()
    }

    /// Orders to launch app masters on a node. Each is repeated until the node has reported the container.
    pub(crate) fn launches_on<'a>(
        &'a self,
        node: &'a Node,
    ) -> impl Iterator<Item = LaunchContainer> + 'a {
        self.leases_on(node).filter_map(|container| self.launch(container))
    }

    fn launch(&self, container: &Container) -> Option<LaunchContainer> {
        if container.reported.is_some() {
            return None;
        }
        let attempt = self.applications.working_attempt(container.id.attempt)?;
        let is_due = matches!(attempt.state, AttemptLife::Allocated | AttemptLife::Running);
        if !is_due || !attempt.is_master(container.id) {
            return None;
        }
        let application = self.applications.get(&container.id.attempt.application)?;
        let mut launch = application.submission.launch.clone();
        let name = variables::APPLICATION_SUBMIT_TIME;
        launch.environment.retain(|(other, _)| other != name);
        launch.environment.push((name.to_owned(), application.submitted_wall_ms.to_string()));
        Some(LaunchContainer { container: container.id, resources: container.resources, launch })
    }
}
