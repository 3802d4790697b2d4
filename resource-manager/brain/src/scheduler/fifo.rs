//! First come, first served: one queue `default`.
//!
//! Applications in the order of their ids, their asks by priority, then by key. Memory and virtual
//! cores both count. A priority that got nothing blocks the less important ones of the same
//! application; the next application is still looked at. Of the nodes that fit, the one with most free
//! memory is taken, then the one with most free cores, then the first by name: so work spreads.

use super::{
    Demand, NodeRoom, Placement, Plan, Scheduler, Shortage, Snapshot, WaitReason, Waiting,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};
use weir_base::{NodeId, Resources};

/// The only queue.
pub const QUEUE: &str = "default";

/// First come, first served.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Fifo;

impl Scheduler for Fifo {
    fn plan(&self, snapshot: &Snapshot) -> Plan {
        let mut rooms = Rooms::new(&snapshot.nodes);
        let mut planned = Vec::new();
        let mut waiting = Vec::new();
        let mut position = 0;
        let same_application =
            |a: &Demand, b: &Demand| a.attempt.application == b.attempt.application;
        for application in snapshot.demands.chunk_by(same_application) {
            let before = waiting.len();
            place_application(application, &mut rooms, &mut planned, &mut waiting);
            position += usize::from(waiting.len() > before);
            for (place, _, _) in &mut waiting[before..] {
                *place = position;
            }
        }
        let mut shortages = Shortages { snapshot, rooms: &rooms, known: BTreeMap::new() };
        let waiting = waiting.into_iter().map(|(position, demand, behind)| Waiting {
            attempt: demand.attempt,
            key: demand.key,
            reason: WaitReason {
                needs: demand.resources,
                shortage: behind
                    .map_or_else(|| shortages.of(demand.resources), Shortage::BehindPriority),
                position,
                queue: QUEUE.to_owned(),
            },
        });
        Plan { waiting: waiting.collect(), placements: planned }
    }
}

/// A demand that waits: position, demand, the priority it waits behind.
type Unplaced<'a> = (usize, &'a Demand, Option<u32>);

fn place_application<'a>(
    demands: &'a [Demand],
    rooms: &mut Rooms,
    planned: &mut Vec<Placement>,
    waiting: &mut Vec<Unplaced<'a>>,
) {
    let mut blocked_by = None;
    for priority in demands.chunk_by(|a, b| a.priority == b.priority) {
        let before = planned.len();
        for demand in priority {
            let mut missing = demand.missing;
            while blocked_by.is_none() && missing > 0 {
                let Some(node) = rooms.take(demand.resources) else { break };
                let Demand { attempt, key, resources, .. } = *demand;
                planned.push(Placement { attempt, key, node, resources });
                missing -= 1;
            }
            if missing > 0 {
                waiting.push((0, demand, blocked_by));
            }
        }
        let wanted = priority.iter().any(|demand| demand.missing > 0);
        if wanted && planned.len() == before && blocked_by.is_none() {
            blocked_by = priority.first().map(|demand| demand.priority);
        }
    }
}

/// Free memory and cores, most of them first, then the node's name.
type Order = (Reverse<u64>, Reverse<u32>, NodeId);

/// Nodes by what they have left.
struct Rooms {
    order: BTreeSet<Order>,
}

impl Rooms {
    fn new(nodes: &[NodeRoom]) -> Self {
        Self { order: nodes.iter().map(|node| order(node.free, node.node.clone())).collect() }
    }

    /// Takes resources from the best node that has them.
    fn take(&mut self, needs: Resources) -> Option<NodeId> {
        let with_memory = self.order.iter().take_while(|(memory, ..)| memory.0 >= needs.memory_mib);
        let best = with_memory.into_iter().find(|(_, vcores, _)| vcores.0 >= needs.vcores)?.clone();
        self.order.remove(&best);
        let (memory, vcores, node) = best;
        let rest =
            Resources { memory_mib: memory.0 - needs.memory_mib, vcores: vcores.0 - needs.vcores };
        self.order.insert(order(rest, node.clone()));
        Some(node)
    }
}

fn order(free: Resources, node: NodeId) -> Order {
    (Reverse(free.memory_mib), Reverse(free.vcores), node)
}

/// Shortages of what is left when all is placed; demands of one size share theirs.
struct Shortages<'a> {
    snapshot: &'a Snapshot,
    rooms: &'a Rooms,
    known: BTreeMap<(u64, u32), Shortage>,
}

impl Shortages<'_> {
    fn of(&mut self, needs: Resources) -> Shortage {
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
    let left = || rooms.order.iter().map(|(memory, vcores, _)| (memory.0, vcores.0));
    let lack_memory = left().filter(|(memory, _)| *memory < needs.memory_mib).count();
    let lack_vcores =
        left().filter(|(memory, vcores)| *memory >= needs.memory_mib && *vcores < needs.vcores);
    Shortage::Room {
        up: snapshot.nodes.len(),
        lack_memory,
        lack_vcores: lack_vcores.count(),
        too_small: snapshot.nodes.iter().filter(|node| !needs.fits_in(node.total)).count(),
        largest_free_mib: left().map(|(memory, _)| memory).max().unwrap_or(0),
        largest_free_vcores: left().map(|(_, vcores)| vcores).max().unwrap_or(0),
        unhealthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::DemandKey;
    use weir_base::{ApplicationId, AttemptId};

    /// `a 1024 2`: name, free memory and cores; twice as much in total.
    fn nodes(text: &str) -> Vec<NodeRoom> {
        let node = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let free = resources(words[1], words[2]);
            let total = Resources { memory_mib: 2 * free.memory_mib, vcores: 2 * free.vcores };
            NodeRoom { node: NodeId(words[0].to_owned()), total, free }
        };
        text.split(',').filter(|line| !line.trim().is_empty()).map(node).collect()
    }

    /// `1 p0 am 256 1 x1`: application, priority, ask or `am`, memory, cores, count.
    fn demands(text: &str) -> Vec<Demand> {
        let demand = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let application =
                ApplicationId { cluster_timestamp: 1, sequence: words[0].parse().unwrap() };
            Demand {
                attempt: AttemptId { application, number: 1 },
                priority: words[1][1..].parse().unwrap(),
                key: words[2].parse().map_or(DemandKey::AppMaster, DemandKey::Ask),
                resources: resources(words[3], words[4]),
                missing: words[5][1..].parse().unwrap(),
            }
        };
        text.split(',').map(demand).collect()
    }

    fn resources(memory: &str, vcores: &str) -> Resources {
        Resources { memory_mib: memory.parse().unwrap(), vcores: vcores.parse().unwrap() }
    }

    fn name(attempt: AttemptId, key: DemandKey) -> String {
        let key = match key {
            DemandKey::AppMaster => "am".to_owned(),
            DemandKey::Ask(id) => id.to_string(),
        };
        format!("{}/{key}", attempt.application.sequence)
    }

    #[track_caller]
    fn check(there_is: &str, wanted: &str, placed: &str, waiting: &str) {
        let snapshot =
            Snapshot { nodes: nodes(there_is), unhealthy_nodes: 0, demands: demands(wanted) };
        let plan = Fifo.plan(&snapshot);
        let placements = plan.placements.iter();
        let placements: Vec<String> =
            placements.map(|p| format!("{}@{}", name(p.attempt, p.key), p.node)).collect();
        assert_eq!(placements.join(" "), placed);
        let waits: Vec<String> = plan
            .waiting
            .iter()
            .map(|w| format!("{}: {}", name(w.attempt, w.key), w.reason))
            .collect();
        assert_eq!(waits.join(" | "), waiting);
    }

    #[test]
    fn work_spreads_over_the_nodes_with_most_left() {
        check("a 1000 4, b 1000 4", "1 p1 1 300 1 x4", "1/1@a 1/1@b 1/1@a 1/1@b", "");
        check("a 1000 4, b 1000 5, c 900 9", "1 p1 1 100 1 x3", "1/1@b 1/1@a 1/1@c", "");
    }

    #[test]
    fn cores_count_as_memory_does() {
        check("a 9000 1, b 1000 4", "1 p1 1 300 2 x1", "1/1@b", "");
        check(
            "a 9000 1, b 1000 2",
            "1 p1 1 300 2 x2",
            "1/1@b",
            "1/1: needs <memory:300 MiB, vCores:2>: 2 nodes up, 2 lack vcores (largest free 1); \
             1st in queue default",
        );
    }

    #[test]
    fn applications_come_in_order_and_a_later_one_may_fit_where_an_earlier_does_not() {
        check(
            "a 500 4",
            "1 p1 1 600 1 x1, 2 p0 am 300 1 x1, 3 p0 am 300 1 x1",
            "2/am@a",
            "1/1: needs <memory:600 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 200 \
             MiB); 1st in queue default | 3/am: needs <memory:300 MiB, vCores:1>: 1 node up, 1 \
             lack memory (largest free 200 MiB); 2nd in queue default",
        );
    }

    #[test]
    fn a_priority_that_got_nothing_blocks_the_less_important_ones() {
        check(
            "a 500 4",
            "1 p1 1 600 1 x1, 1 p1 2 100 1 x1, 1 p2 3 100 1 x1",
            "1/2@a 1/3@a",
            "1/1: needs <memory:600 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 300 \
             MiB); 1st in queue default",
        );
        check(
            "a 500 4",
            "1 p1 1 600 1 x1, 1 p2 3 100 1 x1, 2 p2 1 100 1 x1",
            "2/1@a",
            "1/1: needs <memory:600 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 400 \
             MiB); 1st in queue default | 1/3: needs <memory:100 MiB, vCores:1>: waits behind the \
             application's own ask of priority 1; 1st in queue default",
        );
    }

    #[test]
    fn without_nodes_everything_waits() {
        check(
            "",
            "1 p0 am 100 1 x1",
            "",
            "1/am: needs <memory:100 MiB, vCores:1>: no node is up; 1st in queue default",
        );
        check(
            "a 100 1",
            "1 p0 am 500 1 x1",
            "",
            "1/am: needs <memory:500 MiB, vCores:1>: 1 node up, 1 lack memory (largest free 100 \
             MiB), 1 too small even when empty; 1st in queue default",
        );
    }
}
