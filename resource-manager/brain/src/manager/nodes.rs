//! Nodes: registration, heartbeats, silence.

use super::{ResourceManager, app_masters::millis};
use crate::{
    Error,
    attempt::{AttemptLife, Held},
    messages::{Reply, Ticket},
    node::Node,
    timers::Purpose,
};
use std::time::Duration;
use weir_base::{NodeId, Now, Resources};
use weir_protocol::cluster::{
    LaunchContainer, LeaveNode, NodeAction, NodeHeartbeat, NodeOrders, NodeRegistered,
    RegisterNode, exit_status, variables,
};
use weir_protocol::rest::yarn::NodeState;

impl ResourceManager {
    pub(super) fn register_node(&mut self, now: Now, ticket: Ticket, register: RegisterNode) {
        if let Err(error) = self.judge_registration(&register) {
            return self.answer(ticket, Err(error));
        }
        let id = register.node.clone();
        match self.nodes.get_mut(&id) {
            Some(node) if node.incarnation != register.incarnation => {
                node.candidate = Some(register);
            }
            // What a repeated one lists may be older than the heartbeats since.
            Some(node) if node.state.is_active() && node.total == register.total => {}
            _ => self.take_registration(now, &register),
        }
        let reply = NodeRegistered {
            heartbeat_interval_ms: millis(self.settings.heartbeat_interval),
            expiry_ms: millis(self.settings.node_expiry),
        };
        self.answer(ticket, Ok(Reply::NodeRegistered(reply)));
    }

    fn judge_registration(&self, register: &RegisterNode) -> Result<(), Error> {
        let node = register.node.clone();
        let problem = if register.total.memory_mib == 0 || register.total.vcores == 0 {
            Some(format!("it offers {}; set its memory and vcores above 0", register.total))
        } else if !node.0.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        }) {
            Some("its address is no host:port".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::InvalidNode { node, problem });
        }
        let known = self.nodes.get(&node);
        if known.is_some_and(|known| known.is_past(register.incarnation)) {
            return Err(Error::NodeSuperseded { node });
        }
        Ok(())
    }

    fn take_registration(&mut self, now: Now, register: &RegisterNode) {
        let id = register.node.clone();
        let is_new = !self.nodes.contains_key(&id);
        if is_new {
            let mut node = Node::new(register);
            // It may have files of applications that ended before it came back.
            node.applications = self.ended.iter().copied().collect();
            let ended: Vec<_> = node.applications.iter().copied().collect();
            ended.into_iter().for_each(|application| node.tell_ended(application));
            node.has_ended_news = false;
            self.nodes.insert(id.clone(), node);
        } else {
            self.answer_outdated(&id, NodeAction::Shutdown);
            if let Some(node) = self.nodes.get_mut(&id) {
                node.register(register);
            }
        }
        self.hear_node(now, &id);
        self.take_reports(now, &id, &register.containers);
        self.adopt_awaited(now, &id);
        self.must_plan = true;
        self.touched_nodes.insert(id);
    }

    /// What was leased on a node before the restart, and what it has not reported.
    fn adopt_awaited(&mut self, now: Now, node: &NodeId) {
        let here = self.awaited.values().filter(|lease| lease.node == *node);
        for lease in here.cloned().collect::<Vec<_>>() {
            self.adopt_unreported(now, &lease);
        }
    }

    pub(super) fn hear_node(&mut self, now: Now, id: &NodeId) {
        let expiry = now.monotonic.after(self.settings.node_expiry);
        self.timers.set(Purpose::Node(id.clone()), expiry);
        if let Some(node) = self.nodes.get_mut(id) {
            node.heard_wall_ms = now.wall.0;
        }
    }

    pub(super) fn heartbeat(&mut self, now: Now, ticket: Ticket, heartbeat: NodeHeartbeat) {
        let NodeHeartbeat { node: id, incarnation, sequence, .. } = &heartbeat;
        let (id, sequence) = (id.clone(), *sequence);
        self.settle_candidate(now, &id, *incarnation);
        let action = match self.nodes.get(&id) {
            Some(node) if node.is_past(*incarnation) => NodeAction::Shutdown,
            Some(node) if node.state.is_active() && node.incarnation == *incarnation => {
                NodeAction::Normal
            }
            _ => NodeAction::Resync,
        };
        let last = self.nodes.get(&id).map_or(0, |node| node.sequence);
        if action != NodeAction::Normal || sequence < last {
            self.note_sequence(&id, *incarnation, sequence);
            let orders = bare(sequence, action);
            return self.answer(ticket, Ok(Reply::NodeOrders(orders)));
        }
        self.answer_heartbeat(&id);
        self.hear_node(now, &id);
        let hold_ms = heartbeat.hold_ms.min(millis(self.settings.node_expiry) / 3);
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.held = Some(Held { ticket, sequence });
        node.sequence = sequence;
        if sequence > last {
            self.must_plan |= !node.has_reported;
            node.has_reported = true;
            self.take_health(&heartbeat);
            self.take_reports(now, &id, &heartbeat.containers);
        }
        if hold_ms == 0 {
            self.plan_and_place(now);
            self.answer_heartbeat(&id);
        } else {
            let hold = now.monotonic.after(Duration::from_millis(hold_ms));
            self.timers.set(Purpose::NodeHold(id.clone()), hold);
            self.touched_nodes.insert(id);
        }
    }

    /// A heartbeat that is only answered is the newest one all the same: when the agent has registered
    /// again, older ones that arrive late list too little.
    fn note_sequence(&mut self, id: &NodeId, incarnation: u64, sequence: u64) {
        if let Some(node) = self.nodes.get_mut(id).filter(|one| one.incarnation == incarnation) {
            node.sequence = node.sequence.max(sequence);
        }
    }

    /// The first heartbeat of another agent makes it the node's; one of the node's own shows that it
    /// still is.
    fn settle_candidate(&mut self, now: Now, id: &NodeId, incarnation: u64) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        match node.candidate.take() {
            Some(register) if register.incarnation == incarnation => {
                self.take_registration(now, &register);
            }
            Some(register) if node.incarnation != incarnation => node.candidate = Some(register),
            _ => {}
        }
    }

    fn take_health(&mut self, heartbeat: &NodeHeartbeat) {
        let Some(node) = self.nodes.get_mut(&heartbeat.node) else { return };
        node.used_memory_mib = heartbeat.used_memory_mib;
        if node.unhealthy.is_some() != heartbeat.unhealthy.is_some() {
            self.must_plan = true;
        }
        node.unhealthy.clone_from(&heartbeat.unhealthy);
        let is_healthy = heartbeat.unhealthy.is_none();
        node.enter(if is_healthy { NodeState::Running } else { NodeState::Unhealthy });
    }

    pub(super) fn node_leaves(&mut self, now: Now, ticket: Ticket, leave: &LeaveNode) {
        let is_current =
            |node: &Node| node.incarnation == leave.incarnation && node.state.is_active();
        if self.nodes.get(&leave.node).is_some_and(is_current) {
            self.node_is_gone(
                now,
                &leave.node,
                NodeState::Shutdown,
                "its node has left the cluster",
            );
        }
        self.answer(ticket, Ok(Reply::NodeLeft));
    }

    /// A node was silent for too long, or a lost one was shown for long enough.
    pub(super) fn node_is_late(&mut self, now: Now, id: &NodeId) {
        let Some(node) = self.nodes.get(id) else { return };
        if !node.state.is_active() {
            self.nodes.remove(id);
            return;
        }
        let silent = self.settings.node_expiry.as_millis();
        let why = format!("node {id} was lost: it was silent for more than {silent} ms");
        self.node_is_gone(now, id, NodeState::Lost, &why);
    }

    fn node_is_gone(&mut self, now: Now, id: &NodeId, state: NodeState, why: &str) {
        self.answer_outdated(id, NodeAction::Resync);
        let Some(node) = self.nodes.get_mut(id) else { return };
        node.enter(state);
        node.strays.clear();
        node.complete.clear();
        for container in node.containers.clone() {
            // Should the node come back, its app master may still start it there.
            if self.containers.get(&container).is_some_and(|lease| lease.reported.is_none())
                && let Some(node) = self.nodes.get_mut(id)
            {
                node.barred.insert(container, exit_status::ABORTED);
            }
            self.end_container(now, container, exit_status::ABORTED, why.to_owned());
        }
        let until = now.monotonic.after(self.settings.lost_node_retention);
        self.timers.set(Purpose::Node(id.clone()), until);
        self.must_plan = true;
    }

    /// Answers a held heartbeat of an agent that is not the node's any more.
    fn answer_outdated(&mut self, id: &NodeId, action: NodeAction) {
        if let Some(Held { ticket, sequence }) = self.take_held_heartbeat(id) {
            let orders = bare(sequence, action);
            self.answer(ticket, Ok(Reply::NodeOrders(orders)));
        }
    }

    fn take_held_heartbeat(&mut self, id: &NodeId) -> Option<Held> {
        self.timers.clear(&Purpose::NodeHold(id.clone()));
        self.nodes.get_mut(id)?.held.take()
    }

    /// Answers the heartbeat that is held back, if there is one.
    pub(super) fn answer_heartbeat(&mut self, id: &NodeId) {
        let Some(Held { ticket, sequence }) = self.take_held_heartbeat(id) else { return };
        let orders = self.orders(id, sequence);
        self.answer(ticket, Ok(Reply::NodeOrders(orders)));
    }

    /// Whether the answer to a heartbeat has something that cannot wait.
    pub(super) fn node_has_news(&self, id: &NodeId) -> bool {
        let Some(node) = self.nodes.get(id).filter(|node| node.held.is_some()) else {
            return false;
        };
        node.has_ended_news
            || !node.kills(self.leases_on(node)).is_empty()
            || self.leases_on(node).any(|one| self.launch(one).is_some())
    }

    fn leases_on<'a>(
        &'a self,
        node: &'a Node,
    ) -> impl Iterator<Item = &'a crate::container::Container> {
        node.containers.iter().filter_map(|id| self.containers.get(id))
    }

    fn orders(&mut self, id: &NodeId, sequence: u64) -> NodeOrders {
        let mut orders = bare(sequence, NodeAction::Normal);
        let Some(node) = self.nodes.get(id) else { return orders };
        orders.launch = self.leases_on(node).filter_map(|one| self.launch(one)).collect();
        orders.kill = node.kills(self.leases_on(node));
        let complete = node.complete.iter().copied();
        orders.forget = complete.filter(|&one| self.may_be_forgotten(one)).collect();
        if let Some(node) = self.nodes.get_mut(id) {
            orders.ended = node.take_ended();
        }
        orders
    }

    /// The order to launch an app master, until its node has reported it.
    fn launch(&self, container: &crate::container::Container) -> Option<LaunchContainer> {
        if container.reported.is_some() {
            return None;
        }
        let attempt = self.working_attempt(container.id.attempt)?;
        let is_due = matches!(attempt.state, AttemptLife::Allocated | AttemptLife::Running);
        if !is_due || !attempt.is_master(container.id) {
            return None;
        }
        let application = self.applications.get(&container.id.attempt.application)?;
        let mut launch = application.submission.launch.clone();
        let name = variables::APPLICATION_SUBMIT_TIME;
        launch.environment.retain(|(other, _)| other != name);
        launch.environment.push((name.to_owned(), application.submitted_wall_ms.to_string()));
        Some(LaunchContainer { container: container.id, resources: container.resources, launch })
    }
}

fn bare(sequence: u64, action: NodeAction) -> NodeOrders {
    NodeOrders {
        sequence,
        action,
        launch: Vec::new(),
        kill: Vec::new(),
        forget: Vec::new(),
        ended: Vec::new(),
    }
}

/// The host of a node's address.
pub(super) fn host_of(node: &NodeId) -> &str {
    node.0.rsplit_once(':').map_or(node.0.as_str(), |(host, _)| host)
}

/// Nothing.
pub(super) const NOTHING: Resources = Resources { memory_mib: 0, vcores: 0 };
