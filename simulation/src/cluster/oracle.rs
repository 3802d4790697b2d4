//! The rules that no run may break.
//!
//! - No container's process is started twice, whatever was repeated or restarted.
//! - The processes on a host never exceed what it offers.
//! - Ids of applications are handed out once; a lease is given to one attempt, and never again once
//!   it has completed.
//! - Acknowledged facts are true: a submission survives, a finished application is finished, with the
//!   status that its app master reported, a killed one does not continue. An application ends once.
//! - No demand waits for free resources, and some application always makes progress: see
//!   [`super::waits`]. Every lease and every end is reported to its app master.
//! - No valid request of a client is refused. A request that is too large for all nodes is refused, or
//!   its application ends, and no other one is or does for this reason.
//! - Every lease is reported to its app master, now or later. No file is called unused that an
//!   application uses.
//! - The resource manager does not request a wake-up in the past, answers every ticket once, and
//!   keeps its own invariants.
//! - When faults have ceased, every application ends, and no process, container or lease is left.

use super::{clients::Client, master::Phase, world::World};
use std::collections::{BTreeMap, BTreeSet};
use weir_base::{ApplicationId, ArtifactHash, AttemptId, ContainerId, NodeId, Resources};
use weir_node_agent_brain::LifeCycle;
use weir_protocol::cluster::{Allocated, FinalStatus};
use weir_protocol::rest::yarn::NodeState;
use weir_resource_manager_brain::{ApplicationOutcome, ClusterView, Fact, GrantedLease, NodeView};

/// Watches everything.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    started: BTreeSet<ContainerId>,
    /// Leases that stand.
    leases: BTreeSet<ContainerId>,
    /// Leases whose node and resource manager have not been away since they were first seen.
    steady: BTreeMap<ContainerId, NodeId>,
    /// Processes that were started without a lease: they are killed, but not counted.
    zombies: BTreeSet<ContainerId>,
    ids: BTreeSet<ApplicationId>,
    submitted: BTreeSet<ApplicationId>,
    asked_to_kill: BTreeSet<ApplicationId>,
    /// Applications whose kill is stored, and whether it came in time.
    kills: BTreeMap<ApplicationId, bool>,
    /// Applications whose app master's final report is stored.
    said: BTreeSet<ApplicationId>,
    finished: BTreeMap<ApplicationId, FinalStatus>,
    ended: BTreeMap<ApplicationId, (ApplicationOutcome, FinalStatus)>,
    /// Applications whose app master's answers are stored.
    archived: BTreeSet<ApplicationId>,
    /// Files used by stored applications that have not ended.
    files: BTreeMap<ApplicationId, BTreeSet<ArtifactHash>>,
    /// Containers whose completion was reported to their app master.
    completed: BTreeSet<ContainerId>,
    violation: Option<String>,
}

impl Oracle {
    /// Notes that a rule was broken; the first one counts.
    pub(crate) fn broken(&mut self, rule: String) {
        self.violation.get_or_insert(rule);
    }

    /// The first rule that was broken.
    pub(crate) fn violation(&self) -> Option<&String> {
        self.violation.as_ref()
    }

    /// Judges a start, and whether it was with a lease.
    pub(crate) fn process_starts(&mut self, container: ContainerId) {
        if !self.started.insert(container) {
            self.broken(format!("{container} is started twice"));
        }
        if !self.leases.contains(&container) {
            self.zombies.insert(container);
            if self.steady.contains_key(&container) {
                self.broken(format!("{container} is started after it was taken back"));
            }
        }
    }

    /// Whether a process counts for what its host offers.
    pub(crate) fn counts(&self, container: ContainerId) -> bool {
        !self.zombies.contains(&container)
    }

    /// A restarted resource manager may report again what was reported, and does not know yet which
    /// leases there are.
    pub(crate) fn manager_starts(&mut self) {
        self.completed.clear();
        self.steady.clear();
    }

    /// A node may start a container that was released while the node was away.
    pub(crate) fn node_was_away(&mut self, node: &NodeId) {
        self.steady.retain(|_, place| place != node);
    }

    pub(crate) fn id_is_handed_out(&mut self, id: ApplicationId) {
        if !self.ids.insert(id) {
            self.broken(format!("{id} is handed out twice"));
        }
    }

    pub(crate) fn submission_is_acknowledged(&mut self, id: ApplicationId) {
        self.submitted.insert(id);
    }

    /// A client asks for the end of its application.
    pub(crate) fn kill_is_asked(&mut self, id: ApplicationId) {
        self.asked_to_kill.insert(id);
    }

    pub(crate) fn kill_is_acknowledged(&mut self, id: ApplicationId) {
        if !self.kills.contains_key(&id) {
            self.broken(format!("the kill of {id} is acknowledged and not on record"));
        }
    }

    pub(crate) fn finish_is_acknowledged(&mut self, id: AttemptId, status: FinalStatus) {
        self.finished.insert(id.application, status);
        if !self.archived.contains(&id.application) {
            self.broken(format!("the finish of {id} is acknowledged and its answers are lost"));
        }
    }

    /// Checks files that are said to be used by no application.
    pub(crate) fn are_unused(&mut self, hashes: &[ArtifactHash]) {
        let uses = |(_, files): &(_, &BTreeSet<_>)| hashes.iter().any(|hash| files.contains(hash));
        let user = self.files.iter().find(uses).map(|(application, _)| *application);
        if let Some(application) = user {
            self.broken(format!("a file of {application} is said to be unused"));
        }
    }

    pub(crate) fn is_on_record(&mut self, fact: &Fact) {
        match fact {
            Fact::ApplicationSubmitted { submission, .. } => {
                let launched = submission.launch.artifacts.iter().map(|artifact| artifact.hash);
                let files = launched.chain(submission.artifacts.iter().copied());
                self.files.insert(submission.application, files.collect());
            }
            Fact::Archived { application, .. } => {
                self.archived.insert(*application);
            }
            Fact::ApplicationEnded { application, outcome, final_status, .. } => {
                self.files.remove(application);
                let end = (*outcome, *final_status);
                let first = *self.ended.entry(*application).or_insert(end);
                if first != end {
                    self.broken(format!("{application} ends as {first:?}, then as {end:?}"));
                }
            }
            Fact::AttemptFinished { attempt, .. } => {
                self.said.insert(attempt.application);
            }
            Fact::KillRequested { application, .. } => {
                let is_late =
                    self.said.contains(application) || self.ended.contains_key(application);
                self.kills.entry(*application).or_insert(!is_late);
            }
            _ => {}
        }
    }

    /// Checks the reports to an app master.
    pub(crate) fn leases(&mut self, attempt: AttemptId, answer: &Allocated<GrantedLease>) {
        for GrantedLease { lease, .. } in &answer.leases {
            if lease.container.attempt != attempt || self.completed.contains(&lease.container) {
                self.broken(format!("{} is leased to {attempt} after its end", lease.container));
            }
        }
        self.completed.extend(answer.completed.iter().map(|report| report.container));
    }

    /// Judges how the cluster stands after a step.
    pub(crate) fn judge_view(&mut self, view: &ClusterView) {
        let leases: BTreeSet<ContainerId> =
            view.nodes.iter().flat_map(|node| node.containers.iter().copied()).collect();
        let fresh = view.nodes.iter().flat_map(|node| {
            let here = node.containers.iter().filter(|one| !self.leases.contains(one));
            here.map(|one| (*one, node.node.clone()))
        });
        self.steady.extend(fresh);
        for node in view.nodes.iter().filter(|node| !node.state.is_active()) {
            self.node_was_away(&node.node);
        }
        self.leases = leases;
        for application in &view.applications {
            let id = application.application;
            let is_over = application.state.is_terminal();
            if is_over != self.ended.contains_key(&id) && is_over {
                self.broken(format!("{id} is over before that is on record"));
            }
        }
    }
}

impl World {
    /// Checks that all their containers are reported to app masters which have the last answer of the resource manager.
    pub(crate) fn judge_held(&mut self) {
        let Some(manager) = &self.manager.brain else { return };
        let unknown = self.masters.values().find_map(|master| {
            let is_in_step =
                master.phase == Phase::Working && manager.epoch() == Some(master.epoch);
            let known = manager.known_to(master.attempt).filter(|_| is_in_step)?;
            master.held.keys().find(|container| !known.contains(container)).copied()
        });
        if let Some(container) = unknown {
            self.oracle.broken(format!("{container} is held, and nothing will be heard of it"));
        }
    }

    /// Judges a refusal for size.
    pub(crate) fn judge_too_large(&mut self, asked: Resources) {
        let Some(manager) = &self.manager.brain else { return };
        let view = manager.view(self.now());
        if let Some(node) = view.nodes.iter().find(|node| asked.fits_in(node.total)) {
            let rule = format!("{asked} is refused as too large, and {} has it", node.node);
            self.oracle.broken(rule);
        }
    }

    /// Judges an end for size: no node that takes containers has it.
    pub(crate) fn judge_hopeless(&mut self, fact: &Fact) {
        let Fact::ApplicationEnded { application, diagnostics, .. } = fact else { return };
        let is_its = |client: &Client| client.application == Some(*application);
        let Some(index) = self.clients.iter().position(is_its) else { return };
        let asked = self.plan.applications[index].master;
        let Some(manager) = &self.manager.brain else { return };
        let view = manager.view(self.now());
        let holds = |node: &&NodeView| node.state.is_active() && asked.fits_in(node.total);
        let ends_for_size = diagnostics.starts_with("the app master")
            && diagnostics.contains("larger than any node");
        if let Some(node) = view.nodes.iter().find(holds).filter(|_| ends_for_size) {
            let rule = format!("{application} ends as too large, and {} has it", node.node);
            self.oracle.broken(rule);
        }
    }

    /// The work that is left when all should be done; `None` if there is none.
    pub(crate) fn what_is_left(&self) -> Option<String> {
        let Some(manager) = &self.manager.brain else {
            return Some("the manager is away".to_owned());
        };
        let unsettled = |index: &usize| {
            let client = &self.clients[*index];
            !client.is_submitted && !client.is_refused
        };
        if let Some(client) = (0..self.clients.len()).find(unsettled) {
            return Some(format!("client {client} has no answer"));
        }
        let view = manager.view(self.now());
        let live = view.applications.iter().find(|one| !one.state.is_terminal());
        if let Some(live) = live {
            let words = &live.diagnostics;
            return Some(format!("{} is {:?}: {words}", live.application, live.state));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let Some(agent) = &host.agent else { return Some(format!("agent {index} is away")) };
            if let Some(container) = host.processes.keys().next() {
                return Some(format!("a process of {container} on host {index}"));
            }
            let known = agent.brain.containers().find(|one| one.state != LifeCycle::Done);
            if let Some(container) = known {
                let (id, state) = (container.report.container, container.state);
                return Some(format!("agent {index} has {id} as {state:?}"));
            }
        }
        if let Some(node) = view.nodes.iter().find(|node| !node.containers.is_empty()) {
            return Some(format!("the lease {} on {}", node.containers[0], node.node));
        }
        let up = view.nodes.iter().filter(|node| node.state == NodeState::Running).count();
        if up < self.hosts.len() {
            return Some(format!("{up} of {} nodes are up", self.hosts.len()));
        }
        if let Some(hash) = manager.used_artifacts().next() {
            return Some(format!("the unused file {hash}"));
        }
        (!self.manager.is_settled()).then(|| "a write is under way".to_owned())
    }

    /// Checks that acknowledged facts are true.
    pub(crate) fn judge_end(&mut self) {
        let succeeded = (ApplicationOutcome::Finished, FinalStatus::Succeeded);
        let ended = self.oracle.ended.values();
        self.counts.succeeded = ended.filter(|end| **end == succeeded).count() as u64;
        let mut rules = Vec::new();
        for &id in &self.oracle.submitted {
            let Some(&(outcome, status)) = self.oracle.ended.get(&id) else {
                rules.push(format!("{id} was acknowledged and never ended"));
                continue;
            };
            let was_killed = outcome == ApplicationOutcome::Killed;
            let end = (outcome, status);
            match self.oracle.finished.get(&id) {
                // Its app master may have been too late: it was being killed already.
                Some(said) if end != (ApplicationOutcome::Finished, *said) && !was_killed => {
                    rules.push(format!("{id} finished as {said:?}, not as {status:?}"));
                }
                _ if was_killed && !self.oracle.asked_to_kill.contains(&id) => {
                    rules.push(format!("{id} was killed without an order"));
                }
                _ if self.oracle.kills.get(&id) == Some(&true) && !was_killed => {
                    rules.push(format!("{id} was killed, and ended as {outcome:?}"));
                }
                _ => {}
            }
        }
        rules.into_iter().for_each(|rule| self.oracle.broken(rule));
    }
}
