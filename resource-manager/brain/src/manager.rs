//! The brain itself. It dispatches each input to its parts. Each part owns its own state.
//!
//! | part | owns |
//! |---|---|
//! | `Cluster` | applications, nodes and leases, and the relations between them |
//! | `Planner` | the scheduler, and the results of the last plan |
//! | `Ids` | ids of applications that are reserved or handed out |
//! | `Journal` | facts that are to be stored, and the actions that wait for them |
//! | `Timers` | deadlines |
//! | `Callers` | calls without an answer, and the effects of the current step |
//!
//! The submodules contain the operations that change several parts.
//!
//! Invariants:
//!
//! - A container id is used once: it contains the epoch, and sequence numbers grow within an epoch.
//! - A lease occupies its resources until the node reports that no process of the container runs, or until
//!   the node is lost. So the leases on a node never exceed its resources.
//! - A submission, a kill, a finish or an end is durable before a caller is told about it. The lease of an
//!   app master's container is durable before the container is launched.
//! - An app master gets its first lease only after the fact that it has asked for containers is durable.
//! - A node forgets the container of an app master only after the end of the attempt is durable.
//! - Every ticket is answered exactly once.
//!
//! A step handles one input. Then it leases containers where that has become possible, sends held answers
//! that have news, and sends facts to the store.

mod app_masters;
mod applications;
mod attempts;
mod free_texts;
mod leases;
mod node_reports;
mod nodes;
mod placing;
mod recovering;
#[cfg(test)]
mod tests;
mod waiting;

use crate::{
    Error, Settings,
    attempt::Attempt,
    callers::Callers,
    cluster::{Cluster, ClusterView},
    ids::Ids,
    journal::{After, Journal},
    messages::{Effect, Input, Ticket, Token},
    planner::Planner,
    scheduler::{Fifo, Scheduler},
    timers::{Purpose, Timers},
};
use std::{collections::BTreeSet, time::Duration};
use weir_base::{ArtifactHash, AttemptId, ContainerId, Machine, Monotonic, Now, invariant};

/// A timer fires this late only if the process was suspended.
const PAUSE_MS: u64 = 1000;

/// The resource manager's brain. See the module for the invariants.
#[derive(Debug)]
pub struct ResourceManager {
    settings: Settings,
    /// Number of earlier starts of the resource manager; `None` until the stored facts have been read.
    epoch: Option<u32>,
    started_wall_ms: u64,
    /// Time of the last step.
    last_step: Monotonic,
    cluster: Cluster,
    planner: Planner,
    ids: Ids,
    journal: Journal,
    timers: Timers,
    callers: Callers,
}

impl ResourceManager {
    /// Creates a resource manager with the FIFO scheduler. It waits for [`Input::Start`].
    pub fn new(settings: Settings) -> Self {
        let scheduler = Fifo::new(settings.app_master_share);
        Self::with_scheduler(settings, Box::new(scheduler))
    }

    /// Creates a resource manager with the given scheduler.
    pub fn with_scheduler(settings: Settings, scheduler: Box<dyn Scheduler>) -> Self {
        Self {
            epoch: None,
            started_wall_ms: 0,
            last_step: Monotonic::default(),
            cluster: Cluster::new(settings.minimum_allocation_mib),
            planner: Planner::new(scheduler),
            ids: Ids::default(),
            journal: Journal::default(),
            timers: Timers::default(),
            callers: Callers::default(),
            settings,
        }
    }

    /// Whether an application that has not ended uses an artefact.
    pub fn uses_artifact(&self, hash: ArtifactHash) -> bool {
        self.cluster.applications.uses_artifact(hash)
    }

    /// Artefacts of the applications that have not ended.
    pub fn used_artifacts(&self) -> impl Iterator<Item = ArtifactHash> {
        self.cluster.applications.used_artifacts()
    }

    /// Number of earlier starts of the resource manager; `None` until the stored facts have been read.
    pub fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    /// A snapshot of the cluster.
    pub fn view(&self, now: Now) -> ClusterView {
        ClusterView {
            epoch: self.current_epoch(),
            cluster_timestamp: self.settings.cluster_timestamp,
            started_wall_ms: self.started_wall_ms,
            metrics: self.cluster.metrics(),
            nodes: self.cluster.node_views(),
            applications: self.cluster.application_views(now, &self.planner),
        }
    }

    /// All containers that the app master knows or will be told about: its leases, the awaited leases, and the
    /// ended containers that it has not confirmed. `None` if the attempt is not active, or its app master has not
    /// reported in this epoch which containers it holds.
    pub fn known_to(&self, id: AttemptId) -> Option<BTreeSet<ContainerId>> {
        self.cluster.known_to(id)
    }

    fn take(&mut self, now: Now, mut input: Input) {
        free_texts::shorten(&mut input);
        if let Some(ticket) = ticket_of(&input) {
            self.callers.add(ticket);
            if self.epoch.is_none() {
                return self.callers.answer(ticket, Err(Error::NotReady));
            }
        }
        match input {
            Input::Start { epoch, facts } => self.start(now, epoch, facts),
            Input::Persisted(token) => self.persisted(now, token),
            Input::PersistFailed { token, problem } => self.persist_failed(now, token, &problem),
            Input::RegisterNode { ticket, register } => self.register_node(now, ticket, register),
            Input::NodeHeartbeat { ticket, heartbeat } => self.heartbeat(now, ticket, heartbeat),
            Input::NodeLeaves { ticket, leave } => self.node_leaves(now, ticket, &leave),
            Input::NewApplication { ticket } => self.new_application(ticket),
            Input::Submit { ticket, submission } => self.submit(now, ticket, submission),
            Input::Kill { ticket, application, diagnostics } => {
                self.kill_application(ticket, application, diagnostics);
            }
            Input::RegisterAppMaster { ticket, register } => {
                self.register_app_master(now, ticket, register);
            }
            Input::Allocate { ticket, allocate } => self.allocate(now, ticket, allocate),
            Input::FinishAppMaster { ticket, finish } => {
                self.finish_app_master(now, ticket, finish);
            }
        }
    }

    /// Detects that this process or its machine was suspended: then its own deadlines fire late. Other processes
    /// may have sent messages in that time that were not read. So their liveness deadlines are extended.
    fn notice_pause(&mut self, now: Now) {
        let last_step = std::mem::replace(&mut self.last_step, now.monotonic);
        let due = self.timers.next().unwrap_or(now.monotonic).max(last_step);
        let late_ms = now.monotonic.millis_since(due);
        if late_ms > PAUSE_MS {
            let gap_ms = now.monotonic.millis_since(last_step);
            self.timers.extend_liveness(Duration::from_millis(gap_ms));
        }
    }

    fn deadline_passed(&mut self, now: Now, purpose: Purpose) {
        match purpose {
            Purpose::Store => self.journal.retry(),
            Purpose::LeasingBegins => {
                self.planner.release();
            }
            Purpose::RecoveryEnds => self.recovery_ends(now),
            Purpose::GiveWay => self.younger_give_way(now),
            Purpose::LargerNode(attempt) => self.larger_node_is_late(now, attempt),
            Purpose::Node(node) => self.node_is_late(now, &node),
            Purpose::NodeHold(node) => self.answer_heartbeat(&node),
            Purpose::Container(container) => self.lease_is_late(now, container),
            Purpose::AppMaster(attempt) => self.app_master_is_late(now, attempt),
            Purpose::AppMasterHold(attempt) => self.answer_allocate(now, attempt),
            Purpose::NextAttempt(application) => self.schedule_attempt(application),
        }
    }

    fn persisted(&mut self, now: Now, token: Token) {
        for after in self.journal.persisted(token) {
            self.follow(now, after);
        }
    }

    fn persist_failed(&mut self, now: Now, token: Token, problem: &str) {
        let failed = self.journal.failed(now, token);
        if let Some(at) = failed.retry_at {
            self.timers.set(Purpose::Store, at);
        }
        for ticket in failed.tickets.into_iter().chain(self.ids.take_waiting()) {
            self.callers.answer(ticket, Err(Error::StoreFailed { problem: problem.to_owned() }));
        }
    }

    fn follow(&mut self, now: Now, after: After) {
        match after {
            After::Reply(ticket, reply) => self.callers.answer(ticket, Ok(reply)),
            After::IdsReserved { below } => self.ids_reserved(below),
            After::ApplicationSaved(application) => self.application_saved(now, application),
            After::KillSaved(application) => self.carry_out_kill(now, application),
            After::AttemptSaved(attempt) => self.attempt_saved(now, attempt),
            After::FirstAskSaved(attempt) => self.first_ask_saved(now, attempt),
            After::FinishSaved(attempt) => self.finish_saved(now, attempt),
            After::AttemptEndSaved(attempt) => {
                if let Some(attempt) = self.cluster.applications.attempt_mut(attempt) {
                    attempt.end_saved = true;
                }
            }
            After::EndSaved(application) => self.end_saved(application),
        }
    }

    /// Places containers where that has become possible, answers held calls that have news, and sends facts.
    fn settle(&mut self, now: Now) {
        if self.epoch.is_none() {
            return;
        }
        loop {
            self.plan_and_place(now);
            let ready = self.journal.flush(self.callers.effects());
            if ready.is_empty() && !self.planner.is_due() {
                break;
            }
            for after in ready {
                self.follow(now, after);
            }
        }
        for node in self.cluster.nodes.take_touched() {
            if self.cluster.node_has_news(&node) {
                self.answer_heartbeat(&node);
            }
        }
        for attempt in self.cluster.applications.take_touched() {
            if self.cluster.applications.attempt(attempt).is_some_and(Attempt::has_news) {
                self.answer_allocate(now, attempt);
            }
        }
    }

    fn current_epoch(&self) -> u32 {
        self.epoch.unwrap_or(0)
    }
}

fn ticket_of(input: &Input) -> Option<Ticket> {
    match input {
        Input::Start { .. } | Input::Persisted(_) | Input::PersistFailed { .. } => None,
        Input::RegisterNode { ticket, .. }
        | Input::NodeHeartbeat { ticket, .. }
        | Input::NodeLeaves { ticket, .. }
        | Input::NewApplication { ticket }
        | Input::Submit { ticket, .. }
        | Input::Kill { ticket, .. }
        | Input::RegisterAppMaster { ticket, .. }
        | Input::Allocate { ticket, .. }
        | Input::FinishAppMaster { ticket, .. } => Some(*ticket),
    }
}

impl Machine for ResourceManager {
    type Input = Input;
    type Effect = Effect;

    fn step(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        self.notice_pause(now);
        self.take(now, input);
        self.settle(now);
        out.append(self.callers.effects());
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.notice_pause(now);
        // Held answers whose time is over are sent last, so that they contain the results of the other deadlines.
        let mut answers = Vec::new();
        while let Some(purpose) = self.timers.pop_due(now.monotonic) {
            match purpose {
                Purpose::NodeHold(_) | Purpose::AppMasterHold(_) => answers.push(purpose),
                other => self.deadline_passed(now, other),
            }
        }
        self.plan_and_place(now);
        answers.into_iter().for_each(|purpose| self.deadline_passed(now, purpose));
        self.settle(now);
        out.append(self.callers.effects());
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        self.timers.next()
    }

    fn check_invariants(&self) {
        invariant!(self.callers.is_idle(), "effects are left over");
        self.cluster.check_invariants();
        let ids = self.ids.waiting().iter().copied();
        let waiting: BTreeSet<_> =
            self.cluster.held_tickets().chain(self.journal.tickets()).chain(ids).collect();
        let callers = self.callers.waiting();
        invariant!(waiting == *callers, "waiting {waiting:?}, not answered {callers:?}");
    }
}
