//! Leases: revoked, ended and lost ones; leases that app masters hold, release, and report after a restart.

use super::ResourceManager;
use crate::{
    attempt::{AttemptLife, EndedContainer},
    container::{Container, ContainerLife, Stop},
    timers::Purpose,
};
use std::collections::BTreeSet;
use weir_base::{AttemptId, ContainerId, Now, Resources};
use weir_protocol::cluster::{ContainerReport, ContainerState, Lease, exit_status};

impl ResourceManager {
    /// Revokes a lease. It ends when its node reports that no process of it runs. If neither the app master nor
    /// the node knows the lease, it ends at once.
    pub(super) fn stop_container(&mut self, now: Now, id: ContainerId, stop: Stop) {
        let Some(container) = self.cluster.leases.get_mut(&id) else { return };
        match container.life {
            ContainerLife::Stopping => {}
            ContainerLife::Allocated => {
                let Stop { exit_status, diagnostics, .. } = stop.clone();
                container.stop = Some(stop);
                self.end_container(now, id, exit_status, diagnostics);
            }
            _ => {
                container.enter(ContainerLife::Stopping);
                container.stop = Some(stop);
                let node = container.node.clone();
                self.timers.clear(&Purpose::Container(id));
                if let Some(attempt) = self.cluster.applications.attempt_mut(id.attempt) {
                    attempt.unheld.remove(&id);
                }
                self.cluster.nodes.touch(node);
            }
        }
    }

    /// No process of a container runs any more.
    pub(super) fn end_container(
        &mut self,
        now: Now,
        id: ContainerId,
        exit_status: i32,
        diagnostics: String,
    ) {
        let Some(mut container) = self.cluster.remove_lease(now.monotonic, id) else { return };
        let into = container.stop.as_ref().map_or(ContainerLife::Completed, |stop| stop.into);
        container.enter(into);
        self.timers.clear(&Purpose::Container(id));
        self.planner.request();
        let diagnostics = match (&container.stop, diagnostics.is_empty()) {
            (Some(stop), true) => stop.diagnostics.clone(),
            _ => diagnostics,
        };
        let ended =
            EndedContainer { container, exit_status, diagnostics, ended_wall_ms: now.wall.0 };
        self.report_end(now, ended);
    }

    fn report_end(&mut self, now: Now, ended: EndedContainer) {
        let EndedContainer { container, exit_status, diagnostics, .. } = ended.clone();
        let id = container.id;
        let epoch = self.current_epoch();
        let Some(attempt) = self.cluster.applications.attempt_mut(id.attempt) else { return };
        attempt.remember(ended);
        if attempt.state.is_terminal() {
            return;
        }
        if id.epoch < epoch {
            attempt.ended_of_earlier_epochs.insert(id);
        }
        if attempt.is_master(id) {
            return self.app_master_ended(now, id.attempt, exit_status, diagnostics);
        }
        if !matches!(attempt.state, AttemptLife::FinishSaving | AttemptLife::Finishing) {
            // A lease of an earlier epoch may be held: the app master has not reported that yet.
            if container.is_held || (id.epoch < epoch && !attempt.synchronised) {
                let report = completed(id, container.resources, exit_status, diagnostics);
                attempt.completed.insert(id, report);
            } else if let Some(ask) = container.ask {
                // The app master does not know of this lease: the ask gets another container instead.
                attempt.withdrawn.insert(id, ask);
                if let Some(ask) = attempt.asks.get_mut(&ask) {
                    ask.leased = ask.leased.saturating_sub(1);
                }
            }
        }
        self.cluster.applications.touch(id.attempt);
    }

    pub(super) fn lease_is_late(&mut self, now: Now, id: ContainerId) {
        let Some(container) = self.cluster.leases.get(&id) else { return };
        if !matches!(container.life, ContainerLife::Allocated | ContainerLife::Acquired) {
            return;
        }
        let waited = self.settings.container_allocation_expiry.as_millis();
        let is_master =
            self.cluster.applications.attempt(id.attempt).is_some_and(|one| one.is_master(id));
        let diagnostics = if is_master {
            format!("node {} did not launch it in {waited} ms", container.node)
        } else {
            format!("the lease expired: it was not started in {waited} ms")
        };
        let exit_status = exit_status::ABORTED;
        let stop =
            Stop { into: ContainerLife::Expired, exit_status, diagnostics: diagnostics.clone() };
        self.stop_container(now, id, stop);
        if is_master && self.cluster.leases.contains_key(&id) {
            // The attempt does not wait for the answer of the node.
            self.app_master_ended(now, id.attempt, exit_status, diagnostics);
        }
    }

    /// Handles a lease of an earlier epoch that an app master still holds. If the node is up, the lease is
    /// adopted, because its container was not started there yet. If not, the lease waits for the node.
    pub(super) fn expect_lease(&mut self, now: Now, lease: Lease) {
        let (id, epoch) = (lease.container, self.current_epoch());
        if self.cluster.leases.contains_key(&id) {
            return self.is_held(id);
        }
        let Some(attempt) = self.cluster.applications.attempt(id.attempt) else { return };
        if id.epoch >= epoch || attempt.ended_of_earlier_epochs.contains(&id) {
            return;
        }
        if self.cluster.nodes.get(&lease.node).is_some_and(|node| node.state.is_active()) {
            self.adopt_unreported(now, &lease);
        } else if self.cluster.is_recovering {
            self.cluster.leases.await_lease(lease);
        } else {
            self.lease_is_lost(now, &lease, "its node did not come back");
        }
    }

    /// Adopts a lease of an earlier epoch that its node has not reported. The container may still be started.
    pub(super) fn adopt_unreported(&mut self, now: Now, lease: &Lease) {
        let free = self.cluster.nodes.get(&lease.node).map(|node| node.free());
        if !free.is_some_and(|free| lease.resources.fits_in(free)) {
            if let Some(node) = self.cluster.nodes.get_mut(&lease.node) {
                node.barred.insert(lease.container, exit_status::ABORTED);
                self.cluster.nodes.touch(lease.node.clone());
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
        self.cluster.nodes.touch(lease.node.clone());
        self.cluster.add_lease(container);
        self.stop_if_killed(now, lease.container);
    }

    /// A lease of an earlier epoch has ended without a report of its node.
    pub(super) fn lease_is_lost(&mut self, now: Now, lease: &Lease, why: &str) {
        let id = lease.container;
        self.cluster.leases.await_no_longer(id);
        let diagnostics = format!("lost while the resource manager was restarted: {why}");
        let Some(attempt) = self.cluster.applications.attempt_mut(id.attempt) else { return };
        if attempt.state.is_terminal() {
            return;
        }
        attempt.ended_of_earlier_epochs.insert(id);
        if attempt.is_master(id) {
            return self.app_master_ended(now, id.attempt, exit_status::ABORTED, diagnostics);
        }
        let report = completed(id, lease.resources, exit_status::ABORTED, diagnostics);
        attempt.completed.insert(id, report);
        self.cluster.applications.touch(id.attempt);
    }

    /// Handles the list of leases that an app master holds.
    pub(super) fn take_held(&mut self, now: Now, id: AttemptId, held: &BTreeSet<ContainerId>) {
        for &container in held {
            self.is_held(container);
        }
        let epoch = self.current_epoch();
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id) else { return };
        // The app master ignores answers that are older than this allocate. So it never got these leases.
        attempt.withdrawn.clear();
        if attempt.synchronised {
            return;
        }
        attempt.synchronised = true;
        // Reported by nodes but not held: the app master never got the lease, or has released it.
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
        if let Some(container) = self.cluster.leases.get_mut(&id) {
            container.is_held = true;
            if let Some(attempt) = self.cluster.applications.attempt_mut(id.attempt) {
                attempt.unheld.remove(&id);
            }
            return;
        }
        let is_awaited = self.cluster.leases.is_awaited(id);
        let epoch = self.current_epoch();
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id.attempt) else {
            return;
        };
        let is_known = is_awaited || attempt.completed.contains_key(&id);
        if is_known || !attempt.may_have_been_leased(id, epoch) {
            return;
        }
        // The lease ended before the app master was known to hold it. Now it counts as leased again.
        if let Some(ask) = attempt.withdrawn.remove(&id)
            && let Some(ask) = attempt.asks.get_mut(&ask)
        {
            ask.leased += 1;
        }
        if id.epoch < epoch {
            attempt.ended_of_earlier_epochs.insert(id);
        }
        let diagnostics = "it ended before it was known to be held".to_owned();
        let report = completed(id, Resources::default(), exit_status::ABORTED, diagnostics);
        attempt.completed.insert(id, report);
        // The ask lacks one container less; other demands may have waited for it.
        self.planner.request();
    }

    pub(super) fn release(&mut self, now: Now, id: ContainerId) {
        if let Some(container) = self.cluster.leases.get_mut(&id) {
            container.is_held = true;
            let stop = Stop {
                into: ContainerLife::Released,
                exit_status: exit_status::ABORTED,
                diagnostics: "released by its app master".to_owned(),
            };
            let is_master =
                self.cluster.applications.attempt(id.attempt).is_some_and(|one| one.is_master(id));
            if !is_master {
                self.stop_container(now, id, stop);
            }
        } else if !self.cluster.leases.is_awaited(id) {
            self.is_held(id);
        }
    }
}

/// The report of an ended container for its app master.
pub(super) fn completed(
    container: ContainerId,
    resources: Resources,
    exit_status: i32,
    diagnostics: String,
) -> ContainerReport {
    ContainerReport {
        container,
        resources,
        state: ContainerState::Complete,
        exit_status: Some(exit_status),
        diagnostics,
        used_memory_mib: 0,
    }
}
