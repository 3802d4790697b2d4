//! Leases as app masters hold them: what they name, give back, and bring along after a restart.

use super::{ResourceManager, containers::completed};
use crate::{
    container::{Container, ContainerLife, Stop},
    timers::Purpose,
};
use std::collections::BTreeSet;
use weir_base::{AttemptId, ContainerId, Now, Resources};
use weir_protocol::cluster::{Lease, exit_status};

impl ResourceManager {
    /// A lease of an earlier epoch that an app master still holds: it waits for its node to come
    /// back, or is adopted where its node is, if it was not started there yet.
    pub(super) fn expect_lease(&mut self, now: Now, lease: Lease) {
        let (id, epoch) = (lease.container, self.current_epoch());
        if self.containers.contains_key(&id) {
            return self.is_held(id);
        }
        let Some(attempt) = self.attempt_ref(id.attempt) else { return };
        if id.epoch >= epoch || attempt.gone.contains(&id) {
            return;
        }
        if self.nodes.get(&lease.node).is_some_and(|node| node.state.is_active()) {
            self.adopt_unreported(now, &lease);
        } else if self.is_recovering {
            self.awaited.insert(id, lease);
        } else {
            self.lease_is_lost(now, &lease, "its node did not come back");
        }
    }

    /// A lease of an earlier epoch that its node has not reported, and may still be told to start.
    pub(super) fn adopt_unreported(&mut self, now: Now, lease: &Lease) {
        let free = self.nodes.get(&lease.node).map(|node| node.free());
        if !free.is_some_and(|free| lease.resources.fits_in(free)) {
            if let Some(node) = self.nodes.get_mut(&lease.node) {
                node.barred.insert(lease.container, exit_status::ABORTED);
                self.touched_nodes.insert(lease.node.clone());
            }
            return self.lease_is_lost(now, lease, "its node has no room for it any more");
        }
        let mut container = Container::new(lease.container, lease.node.clone(), lease.resources);
        container.enter(ContainerLife::Acquired);
        container.is_held = true;
        container.since = now.monotonic;
        container.allocated_wall_ms = now.wall.0;
        let expiry = now.monotonic.after(self.settings.container_allocation_expiry);
        self.timers.set(Purpose::Container(lease.container), expiry);
        self.touched_nodes.insert(lease.node.clone());
        self.add_container(container);
        self.stop_if_killed(now, lease.container);
    }

    /// A lease of an earlier epoch has ended without a word of its node.
    pub(super) fn lease_is_lost(&mut self, now: Now, lease: &Lease, why: &str) {
        let id = lease.container;
        self.awaited.remove(&id);
        let diagnostics = format!("lost while the resource manager was restarted: {why}");
        let Some(attempt) = self.attempt_mut(id.attempt) else { return };
        if attempt.state.is_terminal() {
            return;
        }
        attempt.gone.insert(id);
        if attempt.is_master(id) {
            return self.master_has_ended(now, id.attempt, exit_status::ABORTED, diagnostics);
        }
        let report = completed(id, lease.resources, exit_status::ABORTED, diagnostics);
        attempt.completed.insert(id, report);
        self.touched_attempts.insert(id.attempt);
    }

    /// The app master says which leases it holds.
    pub(super) fn take_held(&mut self, now: Now, id: AttemptId, held: &BTreeSet<ContainerId>) {
        for &container in held {
            self.is_held(container);
        }
        let epoch = self.current_epoch();
        let Some(attempt) = self.working_attempt_mut(id) else { return };
        // Of answers older than this allocate it takes nothing any more: these it never had.
        attempt.withdrawn.clear();
        if attempt.synchronised {
            return;
        }
        attempt.synchronised = true;
        // Found on nodes, but not held: its app master never had it, or gave it back.
        let unknown: Vec<ContainerId> = attempt
            .containers
            .iter()
            .copied()
            .filter(|one| one.epoch < epoch && !held.contains(one) && !attempt.is_master(*one))
            .collect();
        for container in unknown {
            let stop = Stop {
                into: ContainerLife::Released,
                exit_status: exit_status::ABORTED,
                diagnostics: "its app master does not hold it".to_owned(),
            };
            self.stop_container(now, container, stop);
        }
    }

    fn is_held(&mut self, id: ContainerId) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.is_held = true;
            if let Some(attempt) = self.attempt_mut(id.attempt) {
                attempt.unheld.remove(&id);
            }
            return;
        }
        let is_awaited = self.awaited.contains_key(&id);
        let epoch = self.current_epoch();
        let Some(attempt) = self.working_attempt_mut(id.attempt) else { return };
        let is_known = is_awaited || attempt.completed.contains_key(&id);
        if is_known || !attempt.may_have_been_leased(id, epoch) {
            return;
        }
        // It ended before its app master was known to have it; so it counts as leased after all.
        if let Some(ask) = attempt.withdrawn.remove(&id)
            && let Some(ask) = attempt.asks.get_mut(&ask)
        {
            ask.leased += 1;
        }
        if id.epoch < epoch {
            attempt.gone.insert(id);
        }
        let diagnostics = "it ended before it was known to be held".to_owned();
        let report = completed(id, Resources::default(), exit_status::ABORTED, diagnostics);
        attempt.completed.insert(id, report);
        // What its ask no longer lacks may have been in the way of others.
        self.must_plan = true;
    }

    pub(super) fn release(&mut self, now: Now, id: ContainerId) {
        if let Some(container) = self.containers.get_mut(&id) {
            container.is_held = true;
            let stop = Stop {
                into: ContainerLife::Released,
                exit_status: exit_status::ABORTED,
                diagnostics: "released by its app master".to_owned(),
            };
            let is_master = self.attempt_ref(id.attempt).is_some_and(|one| one.is_master(id));
            if !is_master {
                self.stop_container(now, id, stop);
            }
        } else if !self.awaited.contains_key(&id) {
            self.is_held(id);
        }
    }
}
