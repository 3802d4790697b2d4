//! The free resources of nodes while a plan is made.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use weir_base::{NodeId, Resources};

use super::{NodeRoom, Shortage, Snapshot};

/// Free memory, free cores (both descending), and the node's name.
type Order = (Reverse<u64>, Reverse<u32>, NodeId);

/// Nodes, sorted by their free resources.
#[derive(Clone)]
pub(super) struct Rooms {
    order: BTreeSet<Order>,
}

impl Rooms {
    pub(super) fn new(nodes: impl IntoIterator<Item = (NodeId, Resources)>) -> Self {
        Self { order: nodes.into_iter().map(|(node, free)| order(free, node)).collect() }
    }

    pub(super) fn free(nodes: &[NodeRoom]) -> Self {
        Self::new(nodes.iter().map(|node| (node.node.clone(), node.free)))
    }

    /// Takes resources from the best node that has them and is not in `closed`.
    pub(super) fn take(&mut self, needs: Resources, closed: &BTreeSet<NodeId>) -> Option<NodeId> {
        if closed.len() >= self.order.len() {
            return None;
        }
        let mut with_memory = self.with_memory(needs);
        let best = with_memory
            .find(|(_, vcores, node)| vcores.0 >= needs.vcores && !closed.contains(node));
        let best = best?.clone();
        drop(with_memory);
        self.order.remove(&best);
        let (memory, vcores, node) = best;
        let rest =
            Resources { memory_mib: memory.0 - needs.memory_mib, vcores: vcores.0 - needs.vcores };
        self.order.insert(order(rest, node.clone()));
        Some(node)
    }

    /// Whether a node has these resources free.
    pub(super) fn has(&self, needs: Resources) -> bool {
        self.with_memory(needs).any(|(_, vcores, _)| vcores.0 >= needs.vcores)
    }

    fn with_memory(&self, needs: Resources) -> impl Iterator<Item = &Order> {
        self.order.iter().take_while(move |(memory, ..)| memory.0 >= needs.memory_mib)
    }

    fn left(&self) -> impl Iterator<Item = Resources> {
        self.order
            .iter()
            .map(|(memory, vcores, _)| Resources { memory_mib: memory.0, vcores: vcores.0 })
    }
}

fn order(free: Resources, node: NodeId) -> Order {
    (Reverse(free.memory_mib), Reverse(free.vcores), node)
}

/// Computes the shortage for a size after all placements, once for each size.
pub(super) struct Shortages<'a> {
    snapshot: &'a Snapshot,
    rooms: &'a Rooms,
    known: BTreeMap<(u64, u32), Shortage>,
}

impl<'a> Shortages<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, rooms: &'a Rooms) -> Self {
        Self { snapshot, rooms, known: BTreeMap::new() }
    }

    pub(super) fn of(&mut self, needs: Resources) -> Shortage {
        let key = (needs.memory_mib, needs.vcores);
        let (snapshot, rooms) = (self.snapshot, self.rooms);
        self.known.entry(key).or_insert_with(|| shortage(snapshot, rooms, needs)).clone()
    }
}

fn shortage(snapshot: &Snapshot, rooms: &Rooms, needs: Resources) -> Shortage {
    let unhealthy = snapshot.unhealthy_nodes;
    if snapshot.nodes.is_empty() {
        return Shortage::NoNodes { unhealthy };
    }
    let left = || rooms.left();
    let lack_memory = left().filter(|left| left.memory_mib < needs.memory_mib).count();
    let lack_vcores =
        left().filter(|left| left.memory_mib >= needs.memory_mib && left.vcores < needs.vcores);
    Shortage::Room {
        up: snapshot.nodes.len(),
        lack_memory,
        lack_vcores: lack_vcores.count(),
        too_small: snapshot.nodes.iter().filter(|node| !needs.fits_in(node.total)).count(),
        largest_free_mib: left().map(|left| left.memory_mib).max().unwrap_or(0),
        largest_free_vcores: left().map(|left| left.vcores).max().unwrap_or(0),
        unhealthy,
    }
}
