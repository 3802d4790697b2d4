//! Leases: given, taken back, ended.

use super::ResourceManager;
use crate::{
    application::Usage,
    attempt::{AttemptLife, EndedContainer},
    container::{Container, ContainerLife, Stop},
    timers::Purpose,
};
use weir_base::{ApplicationId, ContainerId, Monotonic, Now, Resources};
use weir_protocol::cluster::{ContainerReport, ContainerState, exit_status};

impl ResourceManager {
    /// Takes a lease in, on its node and in its attempt.
    pub(super) fn add_container(&mut self, container: Container) {
        let id = container.id;
        if let Some(node) = self.nodes.get_mut(&container.node) {
            node.add(&container);
        }
        if let Some(attempt) = self.attempt_mut(id.attempt) {
            attempt.containers.insert(id);
        }
        self.awaited.remove(&id);
        self.containers.insert(id, container);
    }

    /// Takes a lease back. It ends when its node says that nothing of it runs, or at once when
    /// nobody was told of it.
    pub(super) fn stop_container(&mut self, now: Now, id: ContainerId, stop: Stop) {
        let Some(container) = self.containers.get_mut(&id) else { return };
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
                if let Some(attempt) = self.attempt_mut(id.attempt) {
                    attempt.unheld.remove(&id);
                }
                self.touched_nodes.insert(node);
            }
        }
    }

    /// Nothing of a container runs any more.
    pub(super) fn end_container(
        &mut self,
        now: Now,
        id: ContainerId,
        exit_status: i32,
        diagnostics: String,
    ) {
        let Some(mut container) = self.containers.remove(&id) else { return };
        let into = container.stop.as_ref().map_or(ContainerLife::Completed, |stop| stop.into);
        container.enter(into);
        self.timers.clear(&Purpose::Container(id));
        if let Some(node) = self.nodes.get_mut(&container.node) {
            node.remove(&container);
        }
        self.must_plan = true;
        self.count_usage(now.monotonic, &container);
        let diagnostics = match (&container.stop, diagnostics.is_empty()) {
            (Some(stop), true) => stop.diagnostics.clone(),
            _ => diagnostics,
        };
        let ended =
            EndedContainer { container, exit_status, diagnostics, ended_wall_ms: now.wall.0 };
        self.tell_of_end(now, ended);
    }

    fn tell_of_end(&mut self, now: Now, ended: EndedContainer) {
        let EndedContainer { container, exit_status, diagnostics, .. } = ended.clone();
        let id = container.id;
        let epoch = self.current_epoch();
        let Some(attempt) = self.attempt_mut(id.attempt) else { return };
        attempt.containers.remove(&id);
        attempt.unheld.remove(&id);
        attempt.remember(ended);
        if attempt.state.is_terminal() {
            return;
        }
        if id.epoch < epoch {
            attempt.gone.insert(id);
        }
        if attempt.is_master(id) {
            return self.master_has_ended(now, id.attempt, exit_status, diagnostics);
        }
        if !matches!(attempt.state, AttemptLife::FinishSaving | AttemptLife::Finishing) {
            // One that was taken over may be held: its app master has not said yet.
            if container.is_held || (id.epoch < epoch && !attempt.synchronised) {
                let report = completed(id, container.resources, exit_status, diagnostics);
                attempt.completed.insert(id, report);
            } else if let Some(ask) = container.ask {
                // Its app master has not heard of it: another takes its place.
                attempt.withdrawn.insert(id, ask);
                if let Some(ask) = attempt.asks.get_mut(&ask) {
                    ask.leased = ask.leased.saturating_sub(1);
                }
            }
        }
        self.touched_attempts.insert(id.attempt);
    }

    pub(super) fn lease_is_late(&mut self, now: Now, id: ContainerId) {
        let Some(container) = self.containers.get(&id) else { return };
        if !matches!(container.life, ContainerLife::Allocated | ContainerLife::Acquired) {
            return;
        }
        let waited = self.settings.container_allocation_expiry.as_millis();
        let is_master = self.attempt_ref(id.attempt).is_some_and(|one| one.is_master(id));
        let diagnostics = if is_master {
            format!("node {} did not launch it in {waited} ms", container.node)
        } else {
            format!("the lease expired: it was not started in {waited} ms")
        };
        let exit_status = exit_status::ABORTED;
        let stop =
            Stop { into: ContainerLife::Expired, exit_status, diagnostics: diagnostics.clone() };
        self.stop_container(now, id, stop);
        if is_master && self.containers.contains_key(&id) {
            // Its attempt does not wait for the node to answer.
            self.master_has_ended(now, id.attempt, exit_status, diagnostics);
        }
    }

    fn count_usage(&mut self, now: Monotonic, container: &Container) {
        if let Some(application) = self.applications.get_mut(&container.id.attempt.application) {
            application.usage.add(container.resources, now.millis_since(container.since));
        }
    }

    /// What an application has used so far.
    pub(super) fn usage_of(&self, now: Monotonic, id: ApplicationId) -> Usage {
        let Some(application) = self.applications.get(&id) else { return Usage::default() };
        if let Some(end) = &application.end {
            return end.usage;
        }
        let mut usage = application.usage;
        for container in self.containers_of(id) {
            usage.add(container.resources, now.millis_since(container.since));
        }
        usage
    }

    /// The leases of an application that have not ended.
    pub(super) fn containers_of(&self, id: ApplicationId) -> impl Iterator<Item = &Container> {
        let attempts = self.applications.get(&id).into_iter().flat_map(|one| &one.attempts);
        let ids = attempts.flat_map(|attempt| &attempt.containers);
        ids.filter_map(|id| self.containers.get(id))
    }
}

/// A container that has ended, as its app master is told.
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
