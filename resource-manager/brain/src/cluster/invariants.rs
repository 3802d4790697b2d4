//! The invariants that hold between two steps.

use super::Cluster;
use crate::{container::ContainerLife, messages::Ticket, node::Node};
use weir_base::{Resources, invariant};

impl Cluster {
    /// Panics if an invariant is broken.
    pub(crate) fn check_invariants(&self) {
        for node in self.nodes.values() {
            self.check_node(node);
        }
        self.check_containers();
        self.check_applications();
    }

    /// Callers whose answer is held back by a node or an attempt.
    pub(crate) fn held_tickets(&self) -> impl Iterator<Item = Ticket> {
        let nodes = self.nodes.values().filter_map(|node| node.held);
        let attempts = self.applications.values().flat_map(|one| &one.attempts);
        nodes.chain(attempts.filter_map(|attempt| attempt.held)).map(|held| held.ticket)
    }

    fn check_node(&self, node: &Node) {
        let id = &node.id;
        let mut sum = Resources::default();
        for container in &node.containers {
            let lease = self.leases.get(container);
            let Some(lease) = lease.filter(|lease| lease.node == *id) else {
                panic!("invariant broken: {container} on {id} has no lease there");
            };
            sum = sum.saturating_add(lease.resources);
        }
        invariant!(sum == node.leased, "{id}: leases of {sum}, counted {}", node.leased);
        let fits = node.leased.fits_in(node.total) || node.has_shrunk;
        invariant!(fits, "{id}: leases of {} exceed {}", node.leased, node.total);
        invariant!(
            node.state.is_active() || node.containers.is_empty(),
            "{id} is inactive but has leases"
        );
        invariant!(
            node.state.is_active() || node.held.is_none(),
            "{id} is inactive but holds a caller"
        );
        for stray in node.strays.keys() {
            invariant!(!node.containers.contains(stray), "{stray} is leased and a stray");
        }
    }

    fn check_containers(&self) {
        for (id, container) in self.leases.iter() {
            invariant!(*id == container.id, "{id} is filed under another id");
            invariant!(!container.life.is_terminal(), "{id} has ended but is still listed");
            let node = self.nodes.get(&container.node);
            let is_there = node.is_some_and(|node| node.containers.contains(id));
            invariant!(is_there, "{id} is on no live node");
            let attempt = self.applications.attempt(id.attempt);
            let is_listed = attempt.is_some_and(|attempt| attempt.containers.contains(id));
            invariant!(is_listed, "{id} is not in its attempt");
            let is_stopping = container.life == ContainerLife::Stopping;
            invariant!(is_stopping <= container.stop.is_some(), "{id} stops without a reason");
            invariant!(!self.leases.is_awaited(*id), "{id} is both live and awaited");
        }
    }

    fn check_applications(&self) {
        for (id, application) in self.applications.iter() {
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
                invariant!(
                    is_last || attempt.state.is_terminal(),
                    "{} is not the last attempt but is active",
                    attempt.id
                );
                for container in &attempt.containers {
                    let is_known = self.leases.contains_key(container);
                    invariant!(is_known, "{container} of {} has no lease", attempt.id);
                }
                for container in &attempt.unheld {
                    let lease = self.leases.get(container);
                    let waits = lease.is_some_and(|lease| !lease.is_held && lease.ask.is_some());
                    invariant!(
                        waits,
                        "{container} is listed as unheld, but its lease is held or has no ask"
                    );
                }
                if attempt.state.is_terminal() {
                    invariant!(
                        attempt.held.is_none(),
                        "{} has ended but holds a caller",
                        attempt.id
                    );
                }
            }
        }
    }
}
