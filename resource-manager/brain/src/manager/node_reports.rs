//! Compares the containers that a node reports with the leases on that node.

use super::{ResourceManager, leases::completed};
use crate::{
    container::{Container, ContainerLife, Stop},
    node::Stray,
    timers::Purpose,
};
use std::collections::BTreeSet;
use weir_base::{ContainerId, NodeId, Now, Resources};
use weir_protocol::cluster::{ContainerReport, ContainerState, Lease, exit_status};

impl ResourceManager {
    /// Handles the complete list of a node: started and ended containers, containers without a lease, and
    /// containers that are missing in the list.
    pub(super) fn take_reports(&mut self, now: Now, id: &NodeId, reports: &[ContainerReport]) {
        let Some(node) = self.cluster.nodes.get_mut(id) else { return };
        let had_strays = !node.strays.is_empty();
        // A container state that only a later release knows changes nothing.
        let is_unknown = |report: &&ContainerReport| report.state == ContainerState::Unknown;
        let unknown: BTreeSet<_> =
            reports.iter().filter(is_unknown).map(|report| report.container).collect();
        node.strays.retain(|container, _| unknown.contains(container));
        node.complete.retain(|container| unknown.contains(container));
        for report in reports.iter().filter(|report| !is_unknown(report)) {
            let container = report.container;
            // No node was ordered to start it, so it cannot run.
            if self.cluster.is_being_saved(container) {
                continue;
            }
            if report.state == ContainerState::Complete
                && let Some(node) = self.cluster.nodes.get_mut(id)
            {
                node.complete.insert(container);
                node.barred.remove(&container);
            }
            let lease = self.cluster.leases.get(&container);
            match lease.filter(|lease| lease.node == *id) {
                Some(_) => self.leased_is_reported(now, report),
                None => self.unleased_is_reported(now, id, report),
            }
        }
        self.notice_vanished(now, id, reports);
        self.announce_ended_applications(id, reports);
        let has_strays = self.cluster.nodes.get(id).is_some_and(|node| !node.strays.is_empty());
        self.planner.request_if(had_strays || has_strays);
    }

    /// Tells a node again about ended or forgotten applications whose containers it still lists. Otherwise it
    /// would never delete their folders and logs.
    fn announce_ended_applications(&mut self, id: &NodeId, reports: &[ContainerReport]) {
        let over = reports.iter().map(|report| report.container.attempt.application);
        let over: BTreeSet<_> =
            over.filter(|application| self.cluster.applications.is_over(*application)).collect();
        let Some(node) = self.cluster.nodes.get_mut(id) else { return };
        over.into_iter().for_each(|application| node.announce_ended_again(application));
    }

    fn leased_is_reported(&mut self, now: Now, report: &ContainerReport) {
        let id = report.container;
        if report.state == ContainerState::Complete {
            let exit_status = report.exit_status.unwrap_or(exit_status::INVALID);
            return self.end_container(now, id, exit_status, report.diagnostics.clone());
        }
        let Some(container) = self.cluster.leases.get_mut(&id) else { return };
        container.reported = Some(report.state);
        container.used_memory_mib = report.used_memory_mib;
        if report.state == ContainerState::Running && container.started_wall_ms.is_none() {
            container.started_wall_ms = Some(now.wall.0);
        }
        if container.life == ContainerLife::Allocated {
            container.enter(ContainerLife::Acquired);
        }
        if container.life == ContainerLife::Acquired {
            container.enter(ContainerLife::Running);
            self.timers.clear(&Purpose::Container(id));
        }
        if self
            .cluster
            .applications
            .attempt(id.attempt)
            .is_some_and(|attempt| attempt.is_master(id))
        {
            self.app_master_reported(now, id.attempt);
        }
    }

    fn unleased_is_reported(&mut self, now: Now, node: &NodeId, report: &ContainerReport) {
        let id = report.container;
        let is_awaited = self.cluster.leases.is_awaited(id);
        if report.state == ContainerState::Complete {
            if self.may_be_taken_over(id) {
                self.ended_during_restart(now, report);
            }
            return;
        }
        if self.may_be_taken_over(id) && (is_awaited || self.is_unsynchronised(id)) {
            let free =
                self.cluster.nodes.get(node).map_or(Resources::default(), |node| node.free());
            if report.resources.fits_in(free) {
                return self.take_over(now, node, report);
            }
            let resources = report.resources;
            let lease = Lease { container: id, node: node.clone(), resources };
            self.lease_is_lost(now, &lease, "its node has no room for it any more");
        }
        let exit_status = match self.cluster.applications.working_attempt(id.attempt) {
            Some(_) => exit_status::KILLED_BY_RESOURCE_MANAGER,
            None => exit_status::KILLED_AFTER_APPLICATION,
        };
        let is_killing = report.state == ContainerState::Killing;
        if let Some(node) = self.cluster.nodes.get_mut(node) {
            let stray = Stray { resources: report.resources, exit_status, is_killing };
            node.strays.insert(id, stray);
        }
    }

    /// Whether a container without a lease is from an earlier epoch and may still run.
    fn may_be_taken_over(&self, id: ContainerId) -> bool {
        id.epoch < self.current_epoch() && self.cluster.may_be_taken_over(id)
    }

    /// Whether the app master has not reported yet which containers it holds.
    fn is_unsynchronised(&self, id: ContainerId) -> bool {
        self.cluster.applications.attempt(id.attempt).is_some_and(|attempt| !attempt.synchronised)
    }

    fn take_over(&mut self, now: Now, node: &NodeId, report: &ContainerReport) {
        let id = report.container;
        let mut container = Container::new(id, node.clone(), report.resources);
        container.enter(ContainerLife::Running);
        container.since = now.monotonic;
        container.allocated_wall_ms = now.wall.0;
        container.is_held = self.cluster.leases.is_awaited(id);
        self.cluster.add_lease(container);
        self.leased_is_reported(now, report);
        self.stop_if_killed(now, id);
    }

    /// Revokes a container that was found again after a restart, if its application is being killed.
    pub(super) fn stop_if_killed(&mut self, now: Now, id: ContainerId) {
        if self.cluster.is_being_killed(id.attempt.application) {
            let stop = Stop {
                into: ContainerLife::Killed,
                exit_status: exit_status::KILLED_BY_RESOURCE_MANAGER,
                diagnostics: "its application is killed".to_owned(),
            };
            self.stop_container(now, id, stop);
        }
    }

    /// A container of an earlier epoch has ended while the resource manager was down.
    fn ended_during_restart(&mut self, now: Now, report: &ContainerReport) {
        let id = report.container;
        self.cluster.leases.await_no_longer(id);
        let exit_status = report.exit_status.unwrap_or(exit_status::INVALID);
        let diagnostics = report.diagnostics.clone();
        let Some(attempt) = self.cluster.applications.attempt_mut(id.attempt) else { return };
        attempt.ended_of_earlier_epochs.insert(id);
        if attempt.is_master(id) {
            return self.app_master_ended(now, id.attempt, exit_status, diagnostics);
        }
        let ended = completed(id, report.resources, exit_status, diagnostics);
        attempt.completed.insert(id, ended);
        self.cluster.applications.touch(id.attempt);
    }

    /// Ends containers that the node reported before and does not list any more.
    fn notice_vanished(&mut self, now: Now, id: &NodeId, reports: &[ContainerReport]) {
        let listed: BTreeSet<ContainerId> = reports.iter().map(|one| one.container).collect();
        let Some(node) = self.cluster.nodes.get(id) else { return };
        let was_reported = |one: &&ContainerId| {
            self.cluster.leases.get(one).is_some_and(|lease| lease.reported.is_some())
        };
        let missing = node.containers.difference(&listed).filter(was_reported);
        for container in missing.copied().collect::<Vec<_>>() {
            let diagnostics = "its node does not know it any more".to_owned();
            self.end_container(now, container, exit_status::ABORTED, diagnostics);
        }
    }
}
