//! The plan: asked of the scheduler, carried out, its reasons kept.

use super::ResourceManager;
use crate::{
    application::Application,
    attempt::{Attempt, AttemptLife},
    container::{Container, ContainerLife},
    scheduler::{
        AppMasters, Demand, DemandKey, Holding, NodeRoom, Placement, Plan, Snapshot, WaitReason,
    },
    timers::Purpose,
};
use std::collections::BTreeSet;
use weir_base::{ContainerId, Now, Resources};
use weir_protocol::cluster::Lease;
use weir_protocol::rest::yarn::NodeState;

/// The priority of an app master's container.
const MASTER_PRIORITY: u32 = 0;

impl ResourceManager {
    /// Leases what can be leased, when something has changed.
    pub(super) fn plan_and_place(&mut self, now: Now) {
        if !self.must_plan || self.is_leasing_held {
            self.must_plan = false;
            return;
        }
        self.must_plan = false;
        let snapshot = self.snapshot();
        self.watch_sizes(now, &snapshot.demands);
        if snapshot.demands.is_empty() {
            return self.watch_head(now, None);
        }
        let Plan { placements, waiting, head } = self.scheduler.plan(&snapshot);
        for demand in &snapshot.demands {
            self.set_reason((demand.attempt, demand.key), None);
        }
        for placement in placements {
            self.place(now, placement);
        }
        for wait in waiting {
            self.set_reason((wait.attempt, wait.key), Some(wait.reason));
        }
        self.watch_head(now, head);
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let demands: Vec<Demand> =
            self.applications.values().flat_map(|one| self.demands(one)).collect();
        if demands.is_empty() {
            return Snapshot::default();
        }
        let running = self.nodes.values().filter(|node| node.is_open());
        let nodes = running.map(|node| NodeRoom {
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

    fn app_masters_at_work(&self) -> AppMasters {
        let working = self.applications.values().filter(|one| one.is_working());
        let masters = working.filter_map(|one| one.current()?.master.as_ref());
        let at_work = masters.filter(|master| {
            let lease = self.containers.get(&master.container);
            lease.is_some_and(|lease| lease.life != ContainerLife::Stopping)
        });
        at_work.fold(AppMasters::default(), |sum, master| AppMasters {
            count: sum.count + 1,
            resources: add(sum.resources, master.resources),
        })
    }

    /// What attempts have leased that wait for containers.
    fn holdings(&self, demands: &[Demand]) -> Vec<Holding> {
        let waiting: BTreeSet<_> = demands.iter().map(|demand| demand.attempt).collect();
        let leases = waiting.into_iter().filter_map(|attempt| self.attempt_ref(attempt));
        let leases = leases.flat_map(|attempt| &attempt.containers);
        let leases = leases.filter_map(|id| self.containers.get(id));
        let standing = leases.filter(|lease| lease.life != ContainerLife::Stopping);
        let holding = |lease: &Container| Holding {
            attempt: lease.id.attempt,
            node: lease.node.clone(),
            resources: lease.resources,
        };
        standing.map(holding).collect()
    }

    /// What an application waits for, by priority.
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

    fn set_reason(
        &mut self,
        (id, key): (weir_base::AttemptId, DemandKey),
        why: Option<WaitReason>,
    ) {
        let Some(attempt) = self.attempt_mut(id) else { return };
        match key {
            DemandKey::AppMaster => attempt.master_reason = why,
            DemandKey::Ask(ask) => {
                if let Some(ask) = attempt.asks.get_mut(&ask) {
                    ask.reason = why;
                }
            }
        }
    }

    /// Gives a lease, unless the plan is stale.
    fn place(&mut self, now: Now, placement: Placement) {
        let Placement { attempt: id, key, node, resources } = placement;
        let fits =
            self.nodes.get(&node).is_some_and(|one| one.is_open() && resources.fits_in(one.free()));
        let epoch = self.current_epoch();
        let expiry = now.monotonic.after(self.settings.container_allocation_expiry);
        let Some(attempt) = self.working_attempt_mut(id).filter(|_| fits) else { return };
        let Some(priority) = accept(attempt, key, resources) else { return };
        let container = ContainerId { attempt: id, epoch, sequence: attempt.next_container };
        attempt.next_container += 1;
        let mut lease = Container::new(container, node.clone(), resources);
        lease.enter(ContainerLife::Allocated);
        lease.priority = priority;
        lease.since = now.monotonic;
        lease.allocated_wall_ms = now.wall.0;
        if let DemandKey::Ask(ask) = key {
            lease.ask = Some(ask);
            attempt.unheld.insert(container);
            self.timers.set(Purpose::Container(container), expiry);
            self.touched_attempts.insert(id);
        }
        self.add_container(lease);
        if key == DemandKey::AppMaster {
            self.master_is_leased(now, Lease { container, node, resources });
        }
    }

    /// What is free on nodes that take containers.
    pub(super) fn headroom(&self) -> Resources {
        let open = self.nodes.values().filter(|node| node.is_open());
        open.fold(Resources::default(), |sum, node| add(sum, node.free()))
    }

    /// Why something waits, for people.
    pub(super) fn words_for(&self, reason: Option<&WaitReason>) -> String {
        if self.is_leasing_held {
            return "the resource manager was restarted and waits for nodes and app masters to come \
                    back before it leases anything"
                .to_owned();
        }
        reason.map_or_else(String::new, ToString::to_string)
    }
}

/// Counts a lease for a demand that is still there; its priority.
fn accept(attempt: &mut Attempt, key: DemandKey, resources: Resources) -> Option<u32> {
    match key {
        DemandKey::AppMaster => (attempt.state == AttemptLife::Scheduled
            && attempt.master.is_none())
        .then_some(MASTER_PRIORITY),
        DemandKey::Ask(id) => {
            let ask = attempt.asks.get_mut(&id)?;
            if ask.missing() == 0 || ask.resources != resources {
                return None;
            }
            ask.leased += 1;
            Some(ask.priority)
        }
    }
}

/// The sum, as far as it can be counted.
pub(super) fn add(a: Resources, b: Resources) -> Resources {
    a.saturating_add(b)
}
