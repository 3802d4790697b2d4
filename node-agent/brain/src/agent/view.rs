//! What a shell shows of the brain.

use super::NodeAgent;
use crate::container::LifeCycle;
use weir_base::{ApplicationId, NodeId, Resources};
use weir_protocol::cluster::ContainerReport;

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeView {
    /// Where its agent listens.
    pub node: NodeId,
    /// What it offers.
    pub total: Resources,
    /// What its live containers were leased.
    pub leased: Resources,
    /// Whether the resource manager knows it.
    pub is_registered: bool,
    /// Why it can run no containers; `None` when it can.
    pub unhealthy: Option<String>,
    /// Memory used on it in MiB.
    pub used_memory_mib: u64,
    /// Files of the cache.
    pub cached_count: usize,
    /// Size of those that are complete.
    pub cached_bytes: u64,
    /// Applications that have ended and whose logs are still there.
    pub ended: Vec<ApplicationId>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerView {
    /// As it is told to others.
    pub report: ContainerReport,
    /// Where it is in its life.
    pub state: LifeCycle,
}

impl NodeAgent {
    /// The node as it stands.
    pub fn node(&self) -> NodeView {
        let live = self.containers.values().filter(|one| one.state.is_live());
        let leased = live
            .fold(Resources::default(), |sum, one| sum.checked_add(one.resources).unwrap_or(sum));
        NodeView {
            node: self.settings.node.clone(),
            total: self.settings.total,
            leased,
            is_registered: self.heart.is_joined(),
            unhealthy: self.unhealthy.clone(),
            used_memory_mib: self.node_used_mib,
            cached_count: self.cache.len(),
            cached_bytes: self.cache.size_bytes(),
            ended: self.ended.keys().copied().collect(),
        }
    }

    /// Every container, also those that are only remembered.
    pub fn containers(&self) -> impl Iterator<Item = ContainerView> {
        let view = |one: &crate::container::Container| ContainerView {
            report: one.report(),
            state: one.state,
        };
        self.containers.values().map(view)
    }
}
