//! All nodes: active ones, and those that were lost or have left a short time ago.

use crate::node::Node;
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{ApplicationId, NodeId, Resources};
use weir_protocol::rest::yarn::NodeState;

/// Nodes by id.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    by_id: BTreeMap<NodeId, Node>,
    /// Nodes whose held heartbeat may have news.
    touched: BTreeSet<NodeId>,
}

impl Nodes {
    pub(crate) fn add(&mut self, node: Node) {
        self.by_id.insert(node.id.clone(), node);
    }

    pub(crate) fn remove(&mut self, id: &NodeId) {
        self.by_id.remove(id);
    }

    pub(crate) fn get(&self, id: &NodeId) -> Option<&Node> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        self.by_id.get_mut(id)
    }

    pub(crate) fn contains_key(&self, id: &NodeId) -> bool {
        self.by_id.contains_key(id)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Node> {
        self.by_id.values()
    }

    /// Nodes that are up, healthy or not.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Node> {
        self.by_id.values().filter(|node| node.state.is_active())
    }

    /// Nodes that take containers.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Node> {
        self.by_id.values().filter(|node| node.is_open())
    }

    /// The held heartbeat of a node may have news.
    pub(crate) fn touch(&mut self, id: NodeId) {
        self.touched.insert(id);
    }

    /// Nodes that were touched since the last call.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<NodeId> {
        std::mem::take(&mut self.touched)
    }

    /// Tells each node that had a lease of an application that the application has ended.
    pub(crate) fn announce_ended(&mut self, application: ApplicationId) {
        for node in self.by_id.values_mut() {
            node.announce_ended(application);
            if node.has_ended_news {
                self.touched.insert(node.id.clone());
            }
        }
    }

    /// Sum of the free resources on nodes that take containers.
    pub(crate) fn headroom(&self) -> Resources {
        self.open().fold(Resources::default(), |sum, node| sum.saturating_add(node.free()))
    }

    /// Whether a known node is large enough for a container of this size.
    pub(crate) fn could_hold(&self, needs: Resources) -> bool {
        self.by_id.values().any(|node| needs.fits_in(node.total))
    }

    /// The node with most memory, including lost nodes, which may come back.
    pub(crate) fn largest(&self) -> Option<&Node> {
        self.lasting().max_by_key(|node| (node.total.memory_mib, node.total.vcores))
    }

    /// The node that is nearest to the size of a container that is larger than every node.
    pub(crate) fn nearest(&self, needs: Resources) -> Option<&Node> {
        let nodes = || self.lasting().map(|node| (node, node.total));
        nearest_of(needs, nodes).map(|(node, _)| node)
    }

    /// All nodes except those that have left.
    fn lasting(&self) -> impl Iterator<Item = &Node> {
        self.by_id.values().filter(|node| node.state != NodeState::Shutdown)
    }
}

/// The node with the largest amount of the resource that all nodes lack: memory if all lack it, else cores.
pub(crate) fn nearest_of<'a, I: Iterator<Item = (&'a Node, Resources)>>(
    needs: Resources,
    nodes: impl Fn() -> I,
) -> Option<(&'a Node, Resources)> {
    let by_memory = nodes().all(|(_, room)| room.memory_mib < needs.memory_mib);
    nodes().max_by_key(|(_, room)| {
        let (memory_mib, vcores) = (room.memory_mib, u64::from(room.vcores));
        if by_memory { (memory_mib, vcores) } else { (vcores, memory_mib) }
    })
}

/// The host part of a node's address.
pub(crate) fn host_of(node: &NodeId) -> &str {
    node.0.rsplit_once(':').map_or(node.0.as_str(), |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_protocol::cluster::RegisterNode;

    fn nodes(sizes: &[(&str, u64, u32)]) -> Nodes {
        let mut nodes = Nodes::default();
        for &(name, memory_mib, vcores) in sizes {
            nodes.add(Node::new(&RegisterNode {
                node: NodeId(name.to_owned()),
                total: Resources { memory_mib, vcores },
                weir_version: String::new(),
                incarnation: 1,
                containers: Vec::new(),
            }));
        }
        nodes
    }

    #[test]
    fn nearest_node_has_most_of_what_all_nodes_lack() {
        let nodes = nodes(&[("a:1", 4000, 2), ("b:1", 1000, 8)]);
        for (memory_mib, vcores, nearest) in [(9000, 1, "a:1"), (500, 16, "b:1"), (9000, 16, "a:1")]
        {
            let needs = Resources { memory_mib, vcores };
            assert!(!nodes.could_hold(needs));
            assert_eq!(nodes.nearest(needs).unwrap().id.0, nearest, "{needs}");
        }
        assert!(nodes.could_hold(Resources { memory_mib: 4000, vcores: 2 }));
    }

    #[test]
    fn node_that_has_left_is_not_the_largest() {
        let mut nodes = nodes(&[("a:1", 4000, 2), ("b:1", 1000, 8)]);
        assert_eq!(nodes.largest().unwrap().id.0, "a:1");
        let left = NodeId("a:1".to_owned());
        nodes.get_mut(&left).unwrap().enter(NodeState::Shutdown);
        assert_eq!(nodes.largest().unwrap().id.0, "b:1");
    }

    #[test]
    fn touched_nodes_are_taken_once() {
        let mut nodes = nodes(&[("a:1", 4000, 2)]);
        nodes.announce_ended(ApplicationId { cluster_timestamp: 1, sequence: 1 });
        let touched = nodes.take_touched();
        assert!(touched.iter().all(|id| nodes.contains_key(id)));
        assert!(nodes.take_touched().is_empty());
    }
}
