//! The demands of applications for the scheduler, and demands for which no node is large enough.

use super::{Cluster, nodes::nearest_of};
use crate::{
    Error,
    application::Application,
    attempt::AttemptLife,
    container::{Container, ContainerLife},
    node::Node,
    scheduler::{AppMasters, Demand, DemandKey, Holding, NodeRoom, Snapshot},
};
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{AttemptId, Resources};
use weir_protocol::rest::yarn::NodeState;

/// The priority of an app master's container.
pub(crate) const MASTER_PRIORITY: u32 = 0;
/// The name of an app master's container in error texts.
pub(crate) const APP_MASTER: &str = "the app master's container";

impl Cluster {
    /// The input of the scheduler. Empty if there are no demands.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let demands: Vec<Demand> =
            self.applications.values().flat_map(|one| self.demands(one)).collect();
        if demands.is_empty() {
            return Snapshot::default();
        }
        let nodes = self.nodes.open().map(|node| NodeRoom {
            node: node.id.clone(),
            total: node.total,
            free: node.free(),
            ending: Resources::default(),
        });
        let unhealthy = self.nodes.values().filter(|node| node.state == NodeState::Unhealthy);
        Snapshot {
            nodes: nodes.collect(),
            unhealthy_nodes: unhealthy.count(),
            app_masters: self.app_masters_at_work(),
            holdings: self.holdings(&demands),
            demands,
        }
    }

    /// The same, with [`NodeRoom::ending`] set.
    pub(crate) fn snapshot_with_ending(&self) -> Snapshot {
        let mut snapshot = self.snapshot();
        for room in &mut snapshot.nodes {
            room.ending = self.ending_on(&room.node);
        }
        snapshot
    }

    /// The demands of an application, by priority.
    pub(super) fn demands(&self, application: &Application) -> Vec<Demand> {
        let current = application.current().filter(|_| application.is_working());
        let Some(attempt) = current else { return Vec::new() };
        if attempt.state == AttemptLife::Scheduled {
            return vec![Demand {
                attempt: attempt.id,
                priority: MASTER_PRIORITY,
                key: DemandKey::AppMaster,
                resources: self.rounded(application.submission.resources),
                missing: 1,
            }];
        }
        let waiting = attempt.asks.iter().filter(|(_, ask)| ask.missing() > 0);
        let mut demands: Vec<Demand> = waiting
            .map(|(&id, ask)| Demand {
                attempt: attempt.id,
                priority: ask.priority,
                key: DemandKey::Ask(id),
                resources: ask.resources,
                missing: ask.missing(),
            })
            .collect();
        demands.sort_by_key(|demand| (demand.priority, demand.key));
        demands
    }

    fn app_masters_at_work(&self) -> AppMasters {
        let working = self.applications.values().filter(|one| one.is_working());
        let masters = working.filter_map(|one| one.current()?.master.as_ref());
        let at_work = masters.filter(|master| {
            let lease = self.leases.get(&master.container);
            lease.is_some_and(|lease| lease.life != ContainerLife::Stopping)
        });
        at_work.fold(AppMasters::default(), |sum, master| AppMasters {
            count: sum.count + 1,
            resources: sum.resources.saturating_add(master.resources),
        })
    }

    /// The leases of all attempts with a demand, without those that are being stopped.
    fn holdings(&self, demands: &[Demand]) -> Vec<Holding> {
        let waiting: BTreeSet<_> = demands.iter().map(|demand| demand.attempt).collect();
        let attempts = waiting.into_iter().filter_map(|id| self.applications.attempt(id));
        let leases = attempts.flat_map(|attempt| &attempt.containers);
        let leases = leases.filter_map(|id| self.leases.get(id));
        let active = leases.filter(|lease| lease.life != ContainerLife::Stopping);
        let holding = |lease: &Container| Holding {
            attempt: lease.id.attempt,
            node: lease.node.clone(),
            resources: lease.resources,
        };
        active.map(holding).collect()
    }

    /// Refuses a container that is larger than every known node. While there are no nodes, and during the
    /// recovery after a restart, nothing is refused.
    ///
    /// # Errors
    /// [`Error::TooLarge`] with the nearest node.
    pub(crate) fn judge_size(&self, what: &str, asked: Resources) -> Result<(), Error> {
        let needs = self.rounded(asked);
        if self.is_recovering || self.nodes.could_hold(needs) {
            return Ok(());
        }
        let Some(nearest) = self.nodes.nearest(needs) else { return Ok(()) };
        let (node, largest) = (nearest.id.clone(), nearest.total);
        Err(Error::TooLarge { what: what.to_owned(), asked, node, largest })
    }

    /// Attempts with a demand that is too large for every active node, even an empty one. On the node of its app
    /// master a container can use only what the app master leaves free. Empty during the recovery after a restart.
    pub(crate) fn too_large(&self, demands: &[Demand]) -> BTreeSet<AttemptId> {
        let mut holders: BTreeMap<(u64, u32), Vec<&Node>> = BTreeMap::new();
        if self.is_recovering || self.nodes.active().next().is_none() {
            return BTreeSet::new();
        }
        let mut is_too_large = |demand: &Demand| {
            let needs = demand.resources;
            let large_enough = || self.nodes.active().filter(|node| needs.fits_in(node.total));
            // Two nodes are enough: at most one of them runs the app master.
            let holders = holders
                .entry((needs.memory_mib, needs.vcores))
                .or_insert_with(|| large_enough().take(2).collect());
            !holders.iter().any(|node| needs.fits_in(self.room_on(node, demand)))
        };
        let found = demands.iter().filter(|demand| is_too_large(demand));
        found.map(|demand| demand.attempt).collect()
    }

    /// The error for the first demand of an application that is too large for every active node.
    pub(crate) fn why_too_large(&self, application: &Application) -> Option<Error> {
        self.demands(application).iter().find_map(|demand| self.too_large_for(demand))
    }

    fn too_large_for(&self, demand: &Demand) -> Option<Error> {
        let needs = demand.resources;
        let up = || self.nodes.active();
        if up().any(|node| needs.fits_in(self.room_on(node, demand))) {
            return None;
        }
        let largest = nearest_of(needs, || up().map(|node| (node, self.room_on(node, demand))));
        let (node, largest) = largest.map(|(node, room)| (node.id.clone(), room))?;
        let what = match demand.key {
            DemandKey::AppMaster => APP_MASTER.to_owned(),
            DemandKey::Ask(ask) if up().any(|node| needs.fits_in(node.total)) => {
                format!("a container of ask {ask}, beside its own app master,")
            }
            DemandKey::Ask(ask) => format!("a container of ask {ask}"),
        };
        Some(Error::TooLarge { what, asked: needs, node, largest })
    }

    /// The room on a node for a demand if only the attempt's app master ran there.
    fn room_on(&self, node: &Node, demand: &Demand) -> Resources {
        let master = self.applications.attempt(demand.attempt).and_then(|one| one.master.as_ref());
        match master.filter(|master| demand.key != DemandKey::AppMaster && master.node == node.id) {
            Some(master) => Resources {
                memory_mib: node.total.memory_mib.saturating_sub(master.resources.memory_mib),
                vcores: node.total.vcores.saturating_sub(master.resources.vcores),
            },
            None => node.total,
        }
    }
}
