//! The view for readers: the state of the brain at one moment, in YARN's terms.

use std::collections::BTreeSet;
use weir_base::{ApplicationId, ArtifactHash, AttemptId, NodeId, Now};
use weir_resource_manager_brain::{
    ApplicationView, ClusterView, ContainerLife, NodeView, ResourceManager,
};

/// The cluster at one moment.
#[derive(Clone, Debug)]
pub struct View {
    /// When, in milliseconds since 1970.
    pub taken_ms: u64,
    /// The state.
    pub cluster: ClusterView,
    /// Files that applications use which have not ended.
    pub used_artifacts: BTreeSet<ArtifactHash>,
}

impl View {
    /// Time of the brain.
    pub fn of(brain: &ResourceManager, now: Now) -> Self {
        Self {
            taken_ms: now.wall.0,
            cluster: brain.view(now),
            used_artifacts: brain.used_artifacts().collect(),
        }
    }

    pub fn application(&self, id: ApplicationId) -> Option<&ApplicationView> {
        let all = &self.cluster.applications;
        let place = all.binary_search_by_key(&id, |application| application.application);
        place.ok().map(|place| &all[place])
    }

    /// Whether an attempt is current and has not ended.
    pub fn is_live(&self, id: AttemptId) -> bool {
        let attempt = self.application(id.application).and_then(ApplicationView::last_attempt);
        attempt.is_some_and(|last| last.attempt == id && !last.state.is_terminal())
    }

    pub fn node(&self, id: &NodeId) -> Option<&NodeView> {
        self.cluster.nodes.iter().find(|node| node.node == *id)
    }
}

/// Returns true if an application has ended, as REST shows it.
pub fn has_ended(application: &ApplicationView) -> bool {
    application.yarn_state.has_ended()
}

/// The app master that is registered, and where its REST interface is.
pub fn app_master_of(application: &ApplicationView) -> Option<(AttemptId, &str)> {
    let attempt = application.last_attempt()?;
    Some((attempt.attempt, attempt.rest_address.as_deref()?))
}

/// A container's state, as YARN tells the world.
pub fn container_state(life: ContainerLife) -> &'static str {
    match life {
        ContainerLife::New | ContainerLife::Allocated | ContainerLife::Acquired => "NEW",
        ContainerLife::Running | ContainerLife::Stopping => "RUNNING",
        ContainerLife::Completed
        | ContainerLife::Expired
        | ContainerLife::Released
        | ContainerLife::Killed => "COMPLETE",
    }
}

/// The host of an agent's address, with the brackets of an IPv6 address.
pub fn host_of(node: &NodeId) -> &str {
    node.0.rsplit_once(':').map_or(node.0.as_str(), |(host, _)| host)
}
