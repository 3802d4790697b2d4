//! The rules for what waits.
//!
//! - Nothing waits for what is free. An ask that is the first of its application fits no node, unless an
//!   older application has an ask that waits. An app master that waits fits no node, or would make app
//!   masters hold more than their share, or an older application waits.
//! - Something always moves. When faults have ceased and a node could hold what the oldest application
//!   with a registered app master waits for, beside its own containers, then a lease is given or ends
//!   within a bounded time.

use super::world::World;
use std::collections::BTreeSet;
use weir_base::{ContainerId, Resources};
use weir_protocol::rest::yarn::NodeState;
use weir_resource_manager_brain::{
    ApplicationLife, ApplicationView, ClusterView, ContainerLife, NodeView, PendingView, Settings,
};

/// How long nothing may move beyond what applications wait before they give way: time for the work of a
/// younger application and for processes to end.
const STILL_MS: u64 = 40_000;

/// Since when nothing has moved.
#[derive(Debug, Default)]
pub(crate) struct Stillness {
    leases: BTreeSet<ContainerId>,
    since_ms: u64,
}

impl World {
    pub(crate) fn judge_waits(&mut self, view: &ClusterView) {
        if let Some(rule) = waits_for_what_is_free(view, &self.plan.settings) {
            self.oracle.broken(rule);
        }
        let leases = view.nodes.iter().flat_map(|node| node.containers.iter().copied()).collect();
        let has_moved = leases != self.stillness.leases;
        let waits = oldest_that_could_go_on(view).filter(|_| self.is_quiet && !has_moved);
        let Some(application) = waits else {
            self.stillness = Stillness { leases, since_ms: self.now_ms };
            return;
        };
        let give_way_ms = self.plan.settings.give_way_wait.as_millis() as u64;
        if self.now_ms > self.stillness.since_ms + STILL_MS + 2 * give_way_ms {
            self.oracle.broken(format!("nothing moves, and {application} waits"));
        }
    }
}

fn waits_for_what_is_free(view: &ClusterView, settings: &Settings) -> Option<String> {
    let is_held = |pending: &PendingView| pending.reason.contains("was restarted");
    let (mut older_waits, mut older_ask_waits) = (false, false);
    for application in &view.applications {
        let Some(first) = application.pending.first().filter(|first| !is_held(first)) else {
            continue;
        };
        let is_ask = first.ask.is_some();
        let may_wait = match is_ask {
            true => older_ask_waits,
            false => older_waits || !is_within_share(view, settings, first.resources),
        };
        let node = running(view).find(|node| first.resources.fits_in(node.available));
        if let Some(node) = node.filter(|_| !may_wait) {
            let id = application.application;
            return Some(format!("{id} waits for what is free on {}", node.node));
        }
        older_waits = true;
        older_ask_waits |= is_ask;
    }
    None
}

/// Whether another app master may start. Nodes without anything left may not have reported yet, so
/// they do not count.
fn is_within_share(view: &ClusterView, settings: &Settings, needs: Resources) -> bool {
    let masters: Vec<Resources> = view.applications.iter().filter_map(app_master).collect();
    let held = masters.iter().fold(needs, |sum, one| sum.saturating_add(*one));
    let open = running(view).filter(|node| node.available != Resources::default());
    let total = open.map(|node| node.total).fold(Resources::default(), Resources::saturating_add);
    let share = settings.app_master_share;
    let is_within = held.memory_mib <= share.of(total.memory_mib)
        && u64::from(held.vcores) <= share.of(u64::from(total.vcores));
    masters.is_empty() || is_within
}

/// Containers held by the app master of a working application.
fn app_master(application: &ApplicationView) -> Option<Resources> {
    let works = matches!(application.state, ApplicationLife::Accepted | ApplicationLife::Running);
    let attempt = application.last_attempt().filter(|one| works && !one.state.is_terminal())?;
    let master = attempt.containers.iter().find(|one| Some(one.container) == attempt.container)?;
    (!master.state.is_terminal()).then_some(master.resources)
}

/// The oldest application that waits for containers, if a node could hold the first of them.
fn oldest_that_could_go_on(view: &ClusterView) -> Option<weir_base::ApplicationId> {
    let asks = |application: &&ApplicationView| {
        application.pending.first().is_some_and(|first| first.ask.is_some())
    };
    let oldest = view.applications.iter().find(asks)?;
    let needs = oldest.pending.first()?.resources;
    let could_hold = |node: &NodeView| {
        let own = oldest.attempts.iter().flat_map(|attempt| &attempt.containers);
        let own = own.filter(|one| one.node == node.node && !one.state.is_terminal());
        let own = own.filter(|one| one.state != ContainerLife::Stopping);
        let own = own.fold(Resources::default(), |sum, one| sum.saturating_add(one.resources));
        needs.fits_in(node.total.saturating_sub(own))
    };
    running(view).any(could_hold).then_some(oldest.application)
}

fn running(view: &ClusterView) -> impl Iterator<Item = &NodeView> {
    view.nodes.iter().filter(|node| node.state == NodeState::Running)
}
