//! The snapshot for readers: the brain's view at one time, with YARN's names for states.

use std::collections::BTreeSet;
use weir_base::{ApplicationId, ArtifactHash, AttemptId, NodeId, Now};
use weir_resource_manager_brain::{
    ApplicationView, ClusterView, ContainerLife, NodeView, ResourceManager,
};

/// A snapshot of the cluster.
#[derive(Clone, Debug)]
pub struct View {
    /// Time of the snapshot, in milliseconds since 1970.
    pub taken_ms: u64,
    pub cluster: ClusterView,
    /// Files of the applications that have not ended.
    pub used_artifacts: BTreeSet<ArtifactHash>,
}

impl View {
    pub fn of(brain: &ResourceManager, now: Now) -> Self {
        Self {
            taken_ms: now.wall.0,
            cluster: brain.view(now),
            used_artifacts: brain.used_artifacts().collect(),
        }
    }

    pub fn application(&self, id: ApplicationId) -> Option<&ApplicationView> {
        let all = &self.cluster.applications;
        let index = all.binary_search_by_key(&id, |application| application.application);
        index.ok().map(|index| &all[index])
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

/// Whether an application has ended, according to the state that YARN shows.
pub fn has_ended(application: &ApplicationView) -> bool {
    application.yarn_state.has_ended()
}

/// The registered app master and the address of its REST interface.
pub fn app_master_of(application: &ApplicationView) -> Option<(AttemptId, &str)> {
    let attempt = application.last_attempt()?;
    Some((attempt.attempt, attempt.rest_address.as_deref()?))
}

/// The state of a container in YARN's REST interface.
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

/// The host part of an agent's address, including the brackets of an IPv6 address.
pub fn host_of(node: &NodeId) -> &str {
    node.0.rsplit_once(':').map_or(node.0.as_str(), |(host, _)| host)
}
