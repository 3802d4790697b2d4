//! Gets a plan from the scheduler, grants its leases, and stores its reasons.

use super::ResourceManager;
use crate::{
    attempt::{Attempt, AttemptLife},
    cluster::MASTER_PRIORITY,
    container::{Container, ContainerLife},
    scheduler::{DemandKey, Placement, SchedulingPlan, WaitReason},
    timers::Purpose,
};
use weir_base::{ContainerId, Now, Resources};
use weir_protocol::cluster::Lease;

impl ResourceManager {
    /// Makes a plan and grants its leases, if something has changed since the last plan.
    pub(super) fn plan_and_place(&mut self, now: Now) {
        if !self.planner.take_request() {
            return;
        }
        let snapshot = self.cluster.snapshot();
        self.watch_sizes(now, &snapshot.demands);
        if snapshot.demands.is_empty() {
            return self.watch_head(now, None);
        }
        let SchedulingPlan { placements, waiting, head } = self.planner.plan(&snapshot);
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

    fn set_reason(
        &mut self,
        (id, key): (weir_base::AttemptId, DemandKey),
        why: Option<WaitReason>,
    ) {
        let Some(attempt) = self.cluster.applications.attempt_mut(id) else { return };
        match key {
            DemandKey::AppMaster => attempt.master_reason = why,
            DemandKey::Ask(ask) => {
                if let Some(ask) = attempt.asks.get_mut(&ask) {
                    ask.reason = why;
                }
            }
        }
    }

    /// Grants one lease, unless the placement is stale.
    fn place(&mut self, now: Now, placement: Placement) {
        let Placement { attempt: id, key, node, resources } = placement;
        let fits = self
            .cluster
            .nodes
            .get(&node)
            .is_some_and(|one| one.is_open() && resources.fits_in(one.free()));
        let epoch = self.current_epoch();
        let expiry = now.monotonic.after(self.settings.container_allocation_expiry);
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id).filter(|_| fits)
        else {
            return;
        };
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
            self.cluster.applications.touch(id);
        }
        self.cluster.add_lease(lease);
        if key == DemandKey::AppMaster {
            self.app_master_leased(now, Lease { container, node, resources });
        }
    }
}

/// Counts a lease for a demand, if the demand still exists. Returns the priority of the demand.
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
