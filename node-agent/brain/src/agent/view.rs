//! State of the brain as the shell shows it.

use super::NodeAgent;
use crate::container::LifeCycle;
use weir_base::{ApplicationId, NodeId, Resources};
use weir_protocol::cluster::ContainerReport;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    /// Address at which its agent listens.
    pub node: NodeId,
    /// Resources that it offers.
    pub total: Resources,
    /// Sum of the leases of its live containers.
    pub leased: Resources,
    /// Whether it is registered at the resource manager.
    pub is_registered: bool,
    /// Reason why it can run no containers; `None` when it can.
    pub unhealthy: Option<String>,
    /// Memory used on it in MiB.
    pub used_memory_mib: u64,
    /// Files of the cache.
    pub cached_count: usize,
    /// Size of the complete files of the cache.
    pub cached_bytes: u64,
    /// Ended applications whose logs are still kept.
    pub ended: Vec<ApplicationId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerView {
    /// The report as sent in heartbeats.
    pub report: ContainerReport,
    /// State in its life cycle.
    pub state: LifeCycle,
}

impl NodeAgent {
    /// The current state of the node.
    pub fn node(&self) -> NodeView {
        let live = self.containers.values().filter(|one| one.state.is_live());
        let leased = live
            .fold(Resources::default(), |sum, one| sum.checked_add(one.resources).unwrap_or(sum));
        NodeView {
            node: self.settings.node.clone(),
            total: self.settings.total,
            leased,
            is_registered: self.session.is_joined(),
            unhealthy: self.unhealthy.clone(),
            used_memory_mib: self.node_used_mib,
            cached_count: self.cache.len(),
            cached_bytes: self.cache.size_bytes(),
            ended: self.ended.keys().copied().collect(),
        }
    }

    /// Every container, including those that are only remembered.
    pub fn containers(&self) -> impl Iterator<Item = ContainerView> {
        let view = |one: &crate::container::Container| ContainerView {
            report: one.report(),
            state: one.state,
        };
        self.containers.values().map(view)
    }
}
