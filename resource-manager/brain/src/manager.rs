//! The brain itself: what it remembers, and which part takes which input.
//!
//! What always holds:
//!
//! - A container id is given out once: it carries the epoch, and numbers grow within one.
//! - A lease holds its resources until its node says that nothing of it runs, or the node is lost; so
//!   the leases on a node never exceed what it offers.
//! - A submission, a kill, a finish or an end is on record before a caller is told of it. The container
//!   of an app master is on record before it is launched.
//! - An app master is told of leases only when it is on record that it has asked for containers.
//! - The container of an app master is forgotten by its node only when the end of its attempt is on
//!   record.
//! - Every ticket is answered once.
//!
//! A step takes one input; then whatever became possible is leased, held answers that have something
//! to say go out, and facts go to the store.

mod app_masters;
mod applications;
mod attempts;
mod containers;
mod giving_way;
mod held;
mod ids;
mod invariants;
mod node_reports;
mod nodes;
mod placing;
mod recovering;
mod sizes;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub use view::{
    ApplicationView, AttemptView, ClusterMetrics, ClusterView, ContainerView, NodeView, PendingView,
};

use crate::{
    Error, Settings,
    application::Application,
    attempt::Attempt,
    container::Container,
    journal::{After, Journal},
    messages::{Effect, Input, Reply, Ticket, Token},
    node::Node,
    scheduler::{Fifo, Scheduler},
    timers::{Purpose, Timers},
};
use ids::Ids;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use weir_base::{
    ApplicationId, ArtifactHash, AttemptId, ContainerId, Machine, Monotonic, NodeId, Now,
    Resources, invariant,
};
use weir_protocol::cluster::Lease;

/// A timer fires this late only if the process was suspended.
const PAUSE_MS: u64 = 1000;

/// What the cluster does next. See the module for what always holds.
#[derive(Debug)]
pub struct ResourceManager {
    settings: Settings,
    scheduler: Box<dyn Scheduler>,
    /// Starts before this one; `None` before the store was read.
    epoch: Option<u32>,
    started_wall_ms: u64,
    journal: Journal,
    timers: Timers,
    /// When it was heard of or woken last.
    last_step: Monotonic,
    ids: Ids,
    nodes: BTreeMap<NodeId, Node>,
    applications: BTreeMap<ApplicationId, Application>,
    /// Applications ever taken in by this process, with those found on record.
    submitted_count: u64,
    /// Those that have ended, in the order of their ends.
    ended: VecDeque<ApplicationId>,
    /// Leases that have not ended.
    containers: BTreeMap<ContainerId, Container>,
    /// Leases of earlier epochs whose node has not come back.
    awaited: BTreeMap<ContainerId, Lease>,
    /// What is not back by now may still come.
    is_recovering: bool,
    /// Nothing is leased yet, since nodes and app masters come back.
    is_leasing_held: bool,
    /// How many applications that have not ended use an artefact.
    artifact_users: BTreeMap<ArtifactHash, u32>,
    /// Something may be placed that could not be before.
    must_plan: bool,
    /// The oldest attempt that waits for containers, and how many, as of the last plan.
    head: Option<(AttemptId, u64)>,
    /// Attempts that need a larger node than any that is up, as of the last plan.
    too_large: BTreeSet<AttemptId>,
    /// Their held answer may have something to say now.
    touched_nodes: BTreeSet<NodeId>,
    touched_attempts: BTreeSet<AttemptId>,
    /// Callers that have not been answered.
    tickets: BTreeSet<Ticket>,
    /// Effects of the step under way.
    effects: Vec<Effect>,
}

impl ResourceManager {
    /// A resource manager with the FIFO scheduler; it waits for [`Input::Start`].
    pub fn new(settings: Settings) -> Self {
        let scheduler = Fifo::new(settings.app_master_share);
        Self::with_scheduler(settings, Box::new(scheduler))
    }

    /// A resource manager with this scheduler.
    pub fn with_scheduler(settings: Settings, scheduler: Box<dyn Scheduler>) -> Self {
        Self {
            settings,
            scheduler,
            epoch: None,
            started_wall_ms: 0,
            journal: Journal::default(),
            timers: Timers::default(),
            last_step: Monotonic::default(),
            ids: Ids::default(),
            nodes: BTreeMap::new(),
            applications: BTreeMap::new(),
            submitted_count: 0,
            ended: VecDeque::new(),
            containers: BTreeMap::new(),
            awaited: BTreeMap::new(),
            is_recovering: false,
            is_leasing_held: false,
            artifact_users: BTreeMap::new(),
            must_plan: false,
            head: None,
            too_large: BTreeSet::new(),
            touched_nodes: BTreeSet::new(),
            touched_attempts: BTreeSet::new(),
            tickets: BTreeSet::new(),
            effects: Vec::new(),
        }
    }

    /// Whether an application that has not ended uses an artefact.
    pub fn uses_artifact(&self, hash: ArtifactHash) -> bool {
        self.artifact_users.contains_key(&hash)
    }

    /// What applications use that have not ended.
    pub fn used_artifacts(&self) -> impl Iterator<Item = ArtifactHash> {
        self.artifact_users.keys().copied()
    }

    /// Starts before this one; `None` before the store was read.
    pub fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    fn take(&mut self, now: Now, mut input: Input) {
        words::shorten(&mut input);
        if let Some(ticket) = ticket_of(&input) {
            invariant!(self.tickets.insert(ticket), "{ticket:?} waits already");
            if self.epoch.is_none() {
                return self.answer(ticket, Err(Error::NotReady));
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

    /// A process that was stopped for a while, or whose machine was, comes back late to its own
    /// deadlines. The other processes were not silent in this time; they were not heard. So their deadlines move.
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
                self.is_leasing_held = false;
                self.must_plan = true;
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
            self.answer(ticket, Err(Error::StoreFailed { problem: problem.to_owned() }));
        }
    }

    fn follow(&mut self, now: Now, after: After) {
        match after {
            After::Reply(ticket, reply) => self.answer(ticket, Ok(reply)),
            After::IdsReserved { below } => self.ids_reserved(below),
            After::ApplicationSaved(application) => self.application_saved(now, application),
            After::KillSaved(application) => self.carry_out_kill(now, application),
            After::AttemptSaved(attempt) => self.attempt_saved(now, attempt),
            After::FirstAskSaved(attempt) => self.first_ask_saved(now, attempt),
            After::FinishSaved(attempt) => self.finish_saved(now, attempt),
            After::AttemptEndSaved(attempt) => {
                if let Some(attempt) = self.attempt_mut(attempt) {
                    attempt.end_saved = true;
                }
            }
            After::EndSaved(application) => self.end_saved(application),
        }
    }

    /// Does what has become possible, answers those who have waited for it, and sends facts.
    fn settle(&mut self, now: Now) {
        if self.epoch.is_none() {
            return;
        }
        loop {
            self.plan_and_place(now);
            let ready = self.journal.flush(&mut self.effects);
            if ready.is_empty() && !self.must_plan {
                break;
            }
            for after in ready {
                self.follow(now, after);
            }
        }
        for node in std::mem::take(&mut self.touched_nodes) {
            if self.node_has_news(&node) {
                self.answer_heartbeat(&node);
            }
        }
        for attempt in std::mem::take(&mut self.touched_attempts) {
            if self.attempt_ref(attempt).is_some_and(Attempt::has_news) {
                self.answer_allocate(now, attempt);
            }
        }
    }

    fn answer(&mut self, ticket: Ticket, reply: Result<Reply, Error>) {
        invariant!(self.tickets.remove(&ticket), "{ticket:?} is answered twice");
        self.effects.push(Effect::Reply { ticket, reply });
    }

    /// An attempt, over or not.
    fn attempt_ref(&self, id: AttemptId) -> Option<&Attempt> {
        self.applications.get(&id.application)?.attempts.iter().rev().find(|one| one.id == id)
    }

    /// An attempt, over or not.
    fn attempt_mut(&mut self, id: AttemptId) -> Option<&mut Attempt> {
        let application = self.applications.get_mut(&id.application)?;
        application.attempts.iter_mut().rev().find(|one| one.id == id)
    }

    /// The attempt, if it is current and its containers may go on.
    fn working_attempt(&self, id: AttemptId) -> Option<&Attempt> {
        let application = self.applications.get(&id.application)?;
        application.current().filter(|one| one.id == id && application.is_working())
    }

    /// The attempt, if it is current and its containers may go on.
    fn working_attempt_mut(&mut self, id: AttemptId) -> Option<&mut Attempt> {
        let application = self.applications.get_mut(&id.application)?;
        let is_working = application.is_working();
        application.current_mut().filter(|one| one.id == id && is_working)
    }

    /// What a lease of so much really takes.
    fn rounded(&self, asked: Resources) -> Resources {
        rounded(asked, self.settings.minimum_allocation_mib)
    }

    fn current_epoch(&self) -> u32 {
        self.epoch.unwrap_or(0)
    }
}

/// What a lease of so much really takes: memory in whole steps, at least one core.
fn rounded(asked: Resources, minimum_allocation_mib: u64) -> Resources {
    let step = minimum_allocation_mib.max(1);
    let steps = asked.memory_mib.div_ceil(step).max(1);
    Resources { memory_mib: steps.saturating_mul(step), vcores: asked.vcores.max(1) }
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
        out.append(&mut self.effects);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.notice_pause(now);
        // Answers that were held for long enough go out last, with what the others have led to.
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
        out.append(&mut self.effects);
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        self.timers.next()
    }

    fn check_invariants(&self) {
        self.check_all();
    }
}
