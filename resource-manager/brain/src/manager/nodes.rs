//! Nodes: registration, heartbeats, expiry.

use super::{ResourceManager, app_masters::millis};
use crate::{
    Error,
    attempt::Held,
    messages::{Reply, Ticket},
    node::Node,
    timers::Purpose,
};
use std::time::Duration;
use weir_base::{NodeId, Now};
use weir_protocol::cluster::{
    LeaveNode, NodeAction, NodeHeartbeat, NodeOrders, NodeRegistered, RegisterNode, exit_status,
};
use weir_protocol::rest::yarn::NodeState;

impl ResourceManager {
    pub(super) fn register_node(&mut self, now: Now, ticket: Ticket, register: RegisterNode) {
        if let Err(error) = self.judge_registration(&register) {
            return self.callers.answer(ticket, Err(error));
        }
        let id = register.node.clone();
        match self.cluster.nodes.get_mut(&id) {
            Some(node) if node.incarnation != register.incarnation => {
                node.candidate = Some(register);
            }
            // The list in a repeated registration may be older than the last heartbeat.
            Some(node) if node.state.is_active() && node.total == register.total => {}
            _ => self.take_registration(now, &register),
        }
        let reply = NodeRegistered {
            heartbeat_interval_ms: millis(self.settings.heartbeat_interval),
            expiry_ms: millis(self.settings.node_expiry),
        };
        self.callers.answer(ticket, Ok(Reply::NodeRegistered(reply)));
    }

    fn judge_registration(&self, register: &RegisterNode) -> Result<(), Error> {
        let node = register.node.clone();
        let problem = if register.total.memory_mib == 0 || register.total.vcores == 0 {
            Some(format!("it offers {}; set its memory and vcores above 0", register.total))
        } else if !node.0.rsplit_once(':').is_some_and(|(host, port)| {
            !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)
        }) {
            Some("its address is not host:port".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::InvalidNode { node, problem });
        }
        let known = self.cluster.nodes.get(&node);
        if known.is_some_and(|known| known.is_past(register.incarnation)) {
            return Err(Error::NodeSuperseded { node });
        }
        Ok(())
    }

    fn take_registration(&mut self, now: Now, register: &RegisterNode) {
        let id = register.node.clone();
        let is_new = !self.cluster.nodes.contains_key(&id);
        if is_new {
            let mut node = Node::new(register);
            // The node may still have files of applications that ended before it registered.
            node.applications = self.cluster.applications.ended().collect();
            let ended: Vec<_> = node.applications.iter().copied().collect();
            ended.into_iter().for_each(|application| node.announce_ended(application));
            node.has_ended_news = false;
            self.cluster.nodes.add(node);
        } else {
            self.answer_outdated(&id, NodeAction::Shutdown);
            if let Some(node) = self.cluster.nodes.get_mut(&id) {
                node.register(register);
            }
        }
        self.restart_node_expiry(now, &id);
        self.take_reports(now, &id, &register.containers);
        self.adopt_awaited(now, &id);
        self.planner.request();
        self.cluster.nodes.touch(id);
    }

    /// Adopts the leases of earlier epochs on a node that the node has not reported.
    fn adopt_awaited(&mut self, now: Now, node: &NodeId) {
        for lease in self.cluster.leases.awaited_on(node) {
            self.adopt_unreported(now, &lease);
        }
    }

    pub(super) fn restart_node_expiry(&mut self, now: Now, id: &NodeId) {
        let expiry = now.monotonic.after(self.settings.node_expiry);
        self.timers.set(Purpose::Node(id.clone()), expiry);
        if let Some(node) = self.cluster.nodes.get_mut(id) {
            node.last_contact_wall_ms = now.wall.0;
        }
    }

    pub(super) fn heartbeat(&mut self, now: Now, ticket: Ticket, heartbeat: NodeHeartbeat) {
        let NodeHeartbeat { node: id, incarnation, sequence, .. } = &heartbeat;
        let (id, sequence) = (id.clone(), *sequence);
        self.settle_candidate(now, &id, *incarnation);
        let action = match self.cluster.nodes.get(&id) {
            Some(node) if node.is_past(*incarnation) => NodeAction::Shutdown,
            Some(node) if node.state.is_active() && node.incarnation == *incarnation => {
                NodeAction::Normal
            }
            _ => NodeAction::Resync,
        };
        let last = self.cluster.nodes.get(&id).map_or(0, |node| node.sequence);
        if action != NodeAction::Normal || sequence < last {
            self.note_sequence(&id, *incarnation, sequence);
            let orders = bare(sequence, action);
            return self.callers.answer(ticket, Ok(Reply::NodeOrders(orders)));
        }
        self.answer_heartbeat(&id);
        self.restart_node_expiry(now, &id);
        let hold_ms = heartbeat.hold_ms.min(millis(self.settings.node_expiry) / 3);
        let Some(node) = self.cluster.nodes.get_mut(&id) else { return };
        node.held = Some(Held { ticket, sequence });
        node.sequence = sequence;
        if sequence > last {
            self.planner.request_if(!node.has_reported);
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
            self.cluster.nodes.touch(id);
        }
    }

    /// Records the sequence number of a heartbeat that changes nothing else: after the agent has registered
    /// again, older heartbeats that arrive late must be ignored, because their lists are outdated.
    fn note_sequence(&mut self, id: &NodeId, incarnation: u64, sequence: u64) {
        if let Some(node) =
            self.cluster.nodes.get_mut(id).filter(|one| one.incarnation == incarnation)
        {
            node.sequence = node.sequence.max(sequence);
        }
    }

    /// Decides between two agents of one node. The first heartbeat of the new agent makes it the current one. A
    /// heartbeat of the current agent drops the registration of the other.
    fn settle_candidate(&mut self, now: Now, id: &NodeId, incarnation: u64) {
        let Some(node) = self.cluster.nodes.get_mut(id) else { return };
        match node.candidate.take() {
            Some(register) if register.incarnation == incarnation => {
                self.take_registration(now, &register);
            }
            Some(register) if node.incarnation != incarnation => node.candidate = Some(register),
            _ => {}
        }
    }

    fn take_health(&mut self, heartbeat: &NodeHeartbeat) {
        let Some(node) = self.cluster.nodes.get_mut(&heartbeat.node) else { return };
        node.used_memory_mib = heartbeat.used_memory_mib;
        if node.unhealthy.is_some() != heartbeat.unhealthy.is_some() {
            self.planner.request();
        }
        node.unhealthy.clone_from(&heartbeat.unhealthy);
        let is_healthy = heartbeat.unhealthy.is_none();
        node.enter(if is_healthy { NodeState::Running } else { NodeState::Unhealthy });
    }

    pub(super) fn node_leaves(&mut self, now: Now, ticket: Ticket, leave: &LeaveNode) {
        let is_current =
            |node: &Node| node.incarnation == leave.incarnation && node.state.is_active();
        if self.cluster.nodes.get(&leave.node).is_some_and(is_current) {
            self.deactivate_node(
                now,
                &leave.node,
                NodeState::Shutdown,
                "its node has left the cluster",
            );
        }
        self.callers.answer(ticket, Ok(Reply::NodeLeft));
    }

    /// A node sent no heartbeat for too long, or the retention time of a lost node is over.
    pub(super) fn node_is_late(&mut self, now: Now, id: &NodeId) {
        let Some(node) = self.cluster.nodes.get(id) else { return };
        if !node.state.is_active() {
            self.cluster.nodes.remove(id);
            return;
        }
        let silent = self.settings.node_expiry.as_millis();
        let why = format!("node {id} was lost: it was silent for more than {silent} ms");
        self.deactivate_node(now, id, NodeState::Lost, &why);
    }

    fn deactivate_node(&mut self, now: Now, id: &NodeId, state: NodeState, why: &str) {
        self.answer_outdated(id, NodeAction::Resync);
        let Some(node) = self.cluster.nodes.get_mut(id) else { return };
        node.enter(state);
        node.strays.clear();
        node.complete.clear();
        for container in node.containers.clone() {
            // If the node comes back, the app master may still try to start the container there.
            if self.cluster.leases.get(&container).is_some_and(|lease| lease.reported.is_none())
                && let Some(node) = self.cluster.nodes.get_mut(id)
            {
                node.barred.insert(container, exit_status::ABORTED);
            }
            self.end_container(now, container, exit_status::ABORTED, why.to_owned());
        }
        let until = now.monotonic.after(self.settings.lost_node_retention);
        self.timers.set(Purpose::Node(id.clone()), until);
        self.planner.request();
    }

    /// Answers a held heartbeat of an agent that is no longer the current one.
    fn answer_outdated(&mut self, id: &NodeId, action: NodeAction) {
        if let Some(Held { ticket, sequence }) = self.take_held_heartbeat(id) {
            let orders = bare(sequence, action);
            self.callers.answer(ticket, Ok(Reply::NodeOrders(orders)));
        }
    }

    fn take_held_heartbeat(&mut self, id: &NodeId) -> Option<Held> {
        self.timers.clear(&Purpose::NodeHold(id.clone()));
        self.cluster.nodes.get_mut(id)?.held.take()
    }

    /// Answers the held heartbeat, if there is one.
    pub(super) fn answer_heartbeat(&mut self, id: &NodeId) {
        let Some(Held { ticket, sequence }) = self.take_held_heartbeat(id) else { return };
        let orders = self.orders(id, sequence);
        self.callers.answer(ticket, Ok(Reply::NodeOrders(orders)));
    }

    fn orders(&mut self, id: &NodeId, sequence: u64) -> NodeOrders {
        let mut orders = bare(sequence, NodeAction::Normal);
        let Some(node) = self.cluster.nodes.get(id) else { return orders };
        orders.launch = self.cluster.launches_on(node).collect();
        orders.kill = node.kills(self.cluster.leases_on(node));
        let complete = node.complete.iter().copied();
        orders.forget = complete.filter(|&one| self.cluster.may_be_forgotten(one)).collect();
        if let Some(node) = self.cluster.nodes.get_mut(id) {
            orders.ended = node.take_ended();
        }
        orders
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
