//! Containers that no node could hold even when empty.
//!
//! A request for such a container is refused at once when no known node is large enough. A container
//! may become too large later, when nodes leave or offer less, or it was asked for before any node was
//! known. Then it waits [`crate::Settings::larger_node_wait`] for a larger node to join or come back.
//! After that an application that waits for its app master fails, and an app master is told
//! [`Error::TooLarge`] until a node is large enough.

use super::ResourceManager;
use crate::{
    Error,
    attempt::AttemptLife,
    node::Node,
    scheduler::{Demand, DemandKey},
    timers::Purpose,
};
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{AttemptId, NodeId, Now, Resources};
use weir_protocol::rest::yarn::NodeState;

/// The name of an app master's container in texts for people.
const APP_MASTER: &str = "the app master's container";

impl ResourceManager {
    /// Refuses an app master's container that no known node could hold.
    pub(super) fn judge_app_master_size(&self, asked: Resources) -> Result<(), Error> {
        self.judge_size(APP_MASTER, asked)
    }

    /// Refuses a container that no known node could hold. Without nodes, and while nodes come back
    /// after a restart, nothing is refused.
    pub(super) fn judge_size(&self, what: &str, asked: Resources) -> Result<(), Error> {
        let needs = self.rounded(asked);
        if self.is_recovering || self.nodes.values().any(|node| needs.fits_in(node.total)) {
            return Ok(());
        }
        let Some(nearest) = self.nearest_node(needs) else { return Ok(()) };
        let (node, largest) = (nearest.id.clone(), nearest.total);
        Err(Error::TooLarge { what: what.to_owned(), asked, node, largest })
    }

    /// Starts the wait for a larger node for attempts that need one, and ends it for the others.
    pub(super) fn watch_sizes(&mut self, now: Now, demands: &[Demand]) {
        let too_large = match self.is_recovering {
            true => BTreeSet::new(),
            false => self.too_large(demands),
        };
        let before = std::mem::replace(&mut self.too_large, too_large.clone());
        for id in before.difference(&too_large) {
            self.timers.clear(&Purpose::LargerNode(*id));
            if let Some(attempt) = self.attempt_mut(*id) {
                attempt.too_large = None;
            }
        }
        let until = now.monotonic.after(self.settings.larger_node_wait);
        for id in too_large.difference(&before) {
            self.timers.set(Purpose::LargerNode(*id), until);
        }
    }

    /// Attempts with a demand that no node which is up could hold, not even when empty. Of its own
    /// app master's node a container can only have what the app master leaves.
    fn too_large(&self, demands: &[Demand]) -> BTreeSet<AttemptId> {
        let mut holders: BTreeMap<(u64, u32), Vec<&Node>> = BTreeMap::new();
        let up = || self.nodes.values().filter(|node| node.state.is_active());
        if up().next().is_none() {
            return BTreeSet::new();
        }
        let mut is_too_large = |demand: &Demand| {
            let needs = demand.resources;
            // Of two nodes at least one is without the app master.
            let holders = holders
                .entry((needs.memory_mib, needs.vcores))
                .or_insert_with(|| up().filter(|node| needs.fits_in(node.total)).take(2).collect());
            !holders.iter().any(|node| needs.fits_in(self.room_on(node, demand)))
        };
        let found = demands.iter().filter(|demand| is_too_large(demand));
        found.map(|demand| demand.attempt).collect()
    }

    /// What a node could have for a demand when nothing but the attempt's app master ran there.
    fn room_on(&self, node: &Node, demand: &Demand) -> Resources {
        let master = self.attempt_ref(demand.attempt).and_then(|one| one.master.as_ref());
        match master.filter(|master| demand.key != DemandKey::AppMaster && master.node == node.id) {
            Some(master) => Resources {
                memory_mib: node.total.memory_mib.saturating_sub(master.resources.memory_mib),
                vcores: node.total.vcores.saturating_sub(master.resources.vcores),
            },
            None => node.total,
        }
    }

    /// No larger node has come in time.
    pub(super) fn larger_node_is_late(&mut self, now: Now, id: AttemptId) {
        let application = self.applications.get(&id.application);
        let Some(application) = application.filter(|one| one.kill.is_none()) else { return };
        let demands = self.demands(application);
        let Some(error) = demands.iter().find_map(|demand| self.too_large_for(demand)) else {
            return;
        };
        let Some(attempt) = self.working_attempt_mut(id) else { return };
        if attempt.state == AttemptLife::Scheduled {
            return self.attempt_is_hopeless(now, id, error.to_string());
        }
        attempt.too_large = Some(error);
        self.touched_attempts.insert(id);
    }

    fn too_large_for(&self, demand: &Demand) -> Option<Error> {
        let needs = demand.resources;
        let up = || self.nodes.values().filter(|node| node.state.is_active());
        if up().any(|node| needs.fits_in(self.room_on(node, demand))) {
            return None;
        }
        let largest =
            by_what_is_lacking(needs, || up().map(|node| (node, self.room_on(node, demand))));
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

    /// The largest node, by what all of them have too little of.
    fn nearest_node(&self, needs: Resources) -> Option<&Node> {
        let nodes = || self.lasting_nodes().map(|node| (node, node.total));
        by_what_is_lacking(needs, nodes).map(|(node, _)| node)
    }

    /// The node with most memory; one that is lost may come back.
    pub(super) fn largest_node(&self) -> Option<(&NodeId, Resources)> {
        let node =
            self.lasting_nodes().max_by_key(|node| (node.total.memory_mib, node.total.vcores))?;
        Some((&node.id, node.total))
    }

    /// Nodes but those that have left.
    fn lasting_nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.state != NodeState::Shutdown)
    }
}

/// Of nodes with their room the one with most of what all of them have too little of.
fn by_what_is_lacking<'a, I: Iterator<Item = (&'a Node, Resources)>>(
    needs: Resources,
    nodes: impl Fn() -> I,
) -> Option<(&'a Node, Resources)> {
    let by_memory = nodes().all(|(_, room)| room.memory_mib < needs.memory_mib);
    nodes().max_by_key(|(_, room)| {
        let (memory_mib, vcores) = (room.memory_mib, u64::from(room.vcores));
        if by_memory { (memory_mib, vcores) } else { (vcores, memory_mib) }
    })
}
