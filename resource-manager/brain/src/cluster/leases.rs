//! Leases that have not ended, and leases of earlier epochs that a restarted resource manager awaits.

use crate::container::Container;
use std::collections::BTreeMap;
use weir_base::{AttemptId, ContainerId, NodeId};
use weir_protocol::cluster::Lease;

/// Leases by the id of their container.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    live: BTreeMap<ContainerId, Container>,
    /// Leases of earlier epochs whose node has not come back. Disjoint from `live`.
    awaited: BTreeMap<ContainerId, Lease>,
}

impl Leases {
    /// Adds a lease. It is not awaited any more.
    pub(super) fn add(&mut self, container: Container) {
        self.awaited.remove(&container.id);
        self.live.insert(container.id, container);
    }

    pub(super) fn remove(&mut self, id: ContainerId) -> Option<Container> {
        self.live.remove(&id)
    }

    pub(crate) fn get(&self, id: &ContainerId) -> Option<&Container> {
        self.live.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &ContainerId) -> Option<&mut Container> {
        self.live.get_mut(id)
    }

    pub(crate) fn contains_key(&self, id: &ContainerId) -> bool {
        self.live.contains_key(id)
    }

    pub(crate) fn count(&self) -> usize {
        self.live.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&ContainerId, &Container)> {
        self.live.iter()
    }

    /// Expects a lease of an earlier epoch to be reported by its node.
    pub(crate) fn await_lease(&mut self, lease: Lease) {
        self.awaited.insert(lease.container, lease);
    }

    pub(crate) fn is_awaited(&self, id: ContainerId) -> bool {
        self.awaited.contains_key(&id)
    }

    /// Stops waiting for a lease that is lost or has ended.
    pub(crate) fn await_no_longer(&mut self, id: ContainerId) {
        self.awaited.remove(&id);
    }

    /// Stops waiting for the leases of an attempt that is over.
    pub(crate) fn await_none_of(&mut self, attempt: AttemptId) {
        self.awaited.retain(|container, _| container.attempt != attempt);
    }

    pub(crate) fn awaited(&self) -> impl Iterator<Item = &Lease> {
        self.awaited.values()
    }

    pub(crate) fn awaited_on(&self, node: &NodeId) -> Vec<Lease> {
        self.awaited.values().filter(|lease| lease.node == *node).cloned().collect()
    }

    /// Awaited containers of an attempt.
    pub(crate) fn awaited_of(&self, attempt: AttemptId) -> impl Iterator<Item = &ContainerId> {
        self.awaited.keys().filter(move |container| container.attempt == attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{ApplicationId, Resources};

    #[test]
    fn lease_that_is_reported_is_not_awaited_any_more() {
        let attempt = AttemptId { application: ApplicationId::default(), number: 1 };
        let lease = |sequence, node: &str| Lease {
            container: ContainerId { attempt, epoch: 0, sequence },
            node: NodeId(node.to_owned()),
            resources: Resources::default(),
        };
        let (first, second) = (lease(1, "a:1"), lease(2, "b:1"));
        let mut leases = Leases::default();
        leases.await_lease(first.clone());
        leases.await_lease(second.clone());
        assert_eq!(leases.awaited_on(&first.node), std::slice::from_ref(&first));
        leases.add(Container::new(first.container, first.node, first.resources));
        assert!(!leases.is_awaited(first.container) && leases.contains_key(&first.container));
        assert_eq!(leases.awaited_of(attempt).collect::<Vec<_>>(), [&second.container]);
        leases.await_none_of(attempt);
        assert_eq!(leases.awaited().count(), 0);
    }
}
