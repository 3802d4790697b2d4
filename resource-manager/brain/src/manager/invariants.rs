//! What must hold between any two steps.

use super::ResourceManager;
use crate::{container::ContainerLife, node::Node};
use std::collections::BTreeSet;
use weir_base::{Resources, invariant};

impl ResourceManager {
    pub(super) fn check_all(&self) {
        invariant!(self.effects.is_empty(), "effects are left over");
        self.check_tickets();
        for node in self.nodes.values() {
            self.check_node(node);
        }
        self.check_containers();
        self.check_applications();
    }

    fn check_tickets(&self) {
        let nodes = self.nodes.values().filter_map(|node| node.held);
        let attempts = self.applications.values().flat_map(|one| &one.attempts);
        let attempts = attempts.filter_map(|attempt| attempt.held);
        let held = nodes.chain(attempts).map(|held| held.ticket);
        let waiting: BTreeSet<_> =
            held.chain(self.journal.tickets()).chain(self.ids.waiting().iter().copied()).collect();
        invariant!(waiting == self.tickets, "waiting {waiting:?}, not answered {:?}", self.tickets);
    }

    fn check_node(&self, node: &Node) {
        let id = &node.id;
        let mut sum = Resources::default();
        for container in &node.containers {
            let lease = self.containers.get(container);
            let Some(lease) = lease.filter(|lease| lease.node == *id) else {
                panic!("invariant broken: {container} on {id} has no lease there");
            };
            sum = super::placing::add(sum, lease.resources);
        }
        invariant!(sum == node.leased, "{id}: leases of {sum}, counted {}", node.leased);
        let fits = node.leased.fits_in(node.total) || node.has_shrunk;
        invariant!(fits, "{id}: leases of {} exceed {}", node.leased, node.total);
        invariant!(
            node.state.is_active() || node.containers.is_empty(),
            "{id} is gone with leases"
        );
        invariant!(node.state.is_active() || node.held.is_none(), "{id} is gone with a caller");
        for stray in node.strays.keys() {
            invariant!(!node.containers.contains(stray), "{stray} is leased and a stray");
        }
    }

    fn check_containers(&self) {
        for (id, container) in &self.containers {
            invariant!(*id == container.id, "{id} is filed under another id");
            invariant!(!container.life.is_terminal(), "{id} has ended and is kept");
            let node = self.nodes.get(&container.node);
            let is_there = node.is_some_and(|node| node.containers.contains(id));
            invariant!(is_there, "{id} is on no live node");
            let attempt = self.attempt_ref(id.attempt);
            let is_listed = attempt.is_some_and(|attempt| attempt.containers.contains(id));
            invariant!(is_listed, "{id} is not in its attempt");
            let is_stopping = container.life == ContainerLife::Stopping;
            invariant!(is_stopping <= container.stop.is_some(), "{id} stops without a reason");
            invariant!(!self.awaited.contains_key(id), "{id} is here and awaited");
        }
    }

    fn check_applications(&self) {
        for (id, application) in &self.applications {
            invariant!(*id == application.id(), "{id} is filed under another id");
            let is_over = application.state.is_terminal();
            let current = application.current();
            invariant!(!is_over || current.is_none(), "{id} has ended, its attempt has not");
            invariant!(
                current.is_some() || !application.is_working(),
                "{id} is {:?} without an attempt",
                application.state
            );
            for (index, attempt) in application.attempts.iter().enumerate() {
                let is_last = index + 1 == application.attempts.len();
                invariant!(is_last || attempt.state.is_terminal(), "{} goes on", attempt.id);
                for container in &attempt.containers {
                    let is_known = self.containers.contains_key(container);
                    invariant!(is_known, "{container} of {} has no lease", attempt.id);
                }
                for container in &attempt.unheld {
                    let lease = self.containers.get(container);
                    let waits = lease.is_some_and(|lease| !lease.is_held && lease.ask.is_some());
                    invariant!(waits, "{container} is told of without need");
                }
                if attempt.state.is_terminal() {
                    invariant!(attempt.held.is_none(), "{} is over with a caller", attempt.id);
                }
            }
        }
    }
}
