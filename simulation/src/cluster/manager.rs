//! The process of the resource manager: its brain, its callers, its crashes.

use super::{
    Defect,
    defect::{EagerScheduler, StubbornScheduler},
    network::{Call, Caller, Message, Request},
    world::{Event, World},
};
use std::collections::BTreeMap;
use weir_base::{Machine, Monotonic};
use weir_resource_manager_brain::{
    Effect, Error, Fact, Input, Reply, ResourceManager, Ticket, Token, scheduler::Fifo,
};

/// Something that happens to the resource manager.
#[derive(Debug)]
pub(crate) enum ManagerEvent {
    Start,
    Crash,
    /// A deadline may have passed.
    Wake {
        start: u64,
    },
    /// A write has ended.
    Stored {
        start: u64,
        token: Token,
        is_known: bool,
    },
}

#[derive(Default)]
pub(crate) struct ManagerProcess {
    pub(crate) brain: Option<ResourceManager>,
    /// Its starts so far.
    pub(crate) start: u64,
    callers: BTreeMap<Ticket, Call>,
    tickets: u64,
    /// Facts on their way to the store.
    writing: Option<Vec<Fact>>,
    /// Reported as durable although it is not.
    unwritten: Vec<Fact>,
    wake_at: Option<Monotonic>,
}

impl ManagerProcess {
    /// Whether nothing is on its way to the store.
    pub(crate) fn is_settled(&self) -> bool {
        self.writing.is_none() && self.unwritten.is_empty()
    }
}

impl World {
    pub(crate) fn handle_manager(&mut self, event: ManagerEvent) {
        match event {
            ManagerEvent::Start => self.start_manager(),
            ManagerEvent::Crash => self.crash_manager(),
            ManagerEvent::Wake { start } if start == self.manager.start => self.wake_manager(),
            ManagerEvent::Stored { start, token, is_known } if start == self.manager.start => {
                self.stored(token, is_known);
            }
            ManagerEvent::Wake { .. } | ManagerEvent::Stored { .. } => {}
        }
    }

    fn start_manager(&mut self) {
        if self.manager.brain.is_some() {
            return;
        }
        let counts = self.defect != Some(Defect::EpochRepeats);
        let (epoch, facts) = self.store.open(counts);
        self.counts.manager_starts += 1;
        self.note(format_args!("manager starts, epoch {epoch}, {} facts", facts.len()));
        self.oracle.manager_starts();
        self.manager.start += 1;
        let settings = self.plan.settings.clone();
        self.manager.brain = Some(match self.defect {
            Some(Defect::EagerAppMasters) => {
                ResourceManager::with_scheduler(settings, Box::new(EagerScheduler))
            }
            Some(Defect::NoneGivesWay) => {
                let scheduler = StubbornScheduler(Fifo::new(settings.app_master_share));
                ResourceManager::with_scheduler(settings, Box::new(scheduler))
            }
            _ => ResourceManager::new(settings),
        });
        self.tell_manager(Input::Start { epoch, facts });
    }

    /// Writes on their way to the store may have arrived there.
    fn crash_manager(&mut self) {
        if self.is_quiet {
            return;
        }
        self.plan_fault(self.faults.manager_crash_every_ms, Event::Manager(ManagerEvent::Crash));
        if self.manager.brain.take().is_none() {
            return;
        }
        self.note(format_args!("manager crashes"));
        self.manager.callers.clear();
        self.manager.wake_at = None;
        self.manager.unwritten.clear();
        if let Some(facts) = self.manager.writing.take()
            && self.rng.percent(50)
        {
            self.write(facts);
        }
        let in_ms = 1 + self.delay(self.faults.manager_away_ms);
        self.queue.push(self.now_ms + in_ms, Event::Manager(ManagerEvent::Start));
    }

    fn write(&mut self, mut facts: Vec<Fact>) {
        if self.defect == Some(Defect::SubmissionsDropped) {
            facts.retain(|fact| !matches!(fact, Fact::ApplicationSubmitted { .. }));
        }
        if self.defect == Some(Defect::ArchivesDropped) {
            facts.retain(|fact| !matches!(fact, Fact::Archived { .. }));
        }
        for fact in &facts {
            self.oracle.is_on_record(fact);
            self.judge_hopeless(fact);
        }
        self.store.write(facts);
    }

    fn stored(&mut self, token: Token, is_known: bool) {
        let Some(facts) = self.manager.writing.take() else { return };
        if self.defect == Some(Defect::EarlyPersisted) {
            let earlier = std::mem::replace(&mut self.manager.unwritten, facts);
            self.write(earlier);
            return self.tell_manager(Input::Persisted(token));
        }
        if is_known {
            self.write(facts);
            return self.tell_manager(Input::Persisted(token));
        }
        if self.rng.percent(50) {
            self.write(facts);
        }
        self.note(format_args!("store fails"));
        self.tell_manager(Input::PersistFailed { token, problem: "simulated".to_owned() });
    }

    fn wake_manager(&mut self) {
        self.manager.wake_at = None;
        let now = self.now();
        let Some(brain) = &mut self.manager.brain else { return };
        if brain.next_deadline().is_none_or(|at| at > now.monotonic) {
            return self.plan_manager_wake();
        }
        let mut out = Vec::new();
        brain.tick(now, &mut out);
        self.manager_has_acted(out);
    }

    pub(crate) fn manager_is_asked(&mut self, call: Call, request: Request) {
        if self.manager.brain.is_none() {
            return;
        }
        self.manager.tickets += 1;
        let ticket = Ticket(self.manager.tickets);
        self.manager.callers.insert(ticket, call);
        self.note(format_args!("manager <- {call:?} {request:?}"));
        self.tell_manager(match request {
            Request::RegisterNode(register) => Input::RegisterNode { ticket, register },
            Request::Heartbeat(heartbeat) => Input::NodeHeartbeat { ticket, heartbeat },
            Request::NewApplication => Input::NewApplication { ticket },
            Request::Submit(submission) => Input::Submit { ticket, submission },
            Request::Kill(application) => {
                Input::Kill { ticket, application, diagnostics: "by its client".to_owned() }
            }
            Request::RegisterMaster(register) => Input::RegisterAppMaster { ticket, register },
            Request::Allocate(allocate) => Input::Allocate { ticket, allocate },
            Request::Finish(finish) => Input::FinishAppMaster { ticket, finish },
        });
    }

    fn tell_manager(&mut self, input: Input) {
        let now = self.now();
        let Some(brain) = &mut self.manager.brain else { return };
        let mut out = Vec::new();
        brain.step(now, input, &mut out);
        self.manager_has_acted(out);
    }

    fn manager_has_acted(&mut self, effects: Vec<Effect>) {
        if let Some(brain) = &self.manager.brain {
            brain.check_invariants();
            let view = brain.view(self.now());
            self.oracle.judge_view(&view);
            self.judge_waits(&view);
        }
        self.judge_held();
        for effect in effects {
            self.note(format_args!("manager -> {effect:?}"));
            match effect {
                Effect::Persist { token, facts } => self.persist(token, facts),
                Effect::Reply { ticket, reply } => self.manager_answers(ticket, reply),
                Effect::ArtifactsUnused(hashes) => self.oracle.are_unused(&hashes),
            }
        }
        self.plan_manager_wake();
    }

    fn persist(&mut self, token: Token, facts: Vec<Fact>) {
        if self.manager.writing.replace(facts).is_some() {
            self.oracle.broken("two writes are under way at once".into());
        }
        let in_ms = 1 + self.delay(self.faults.store_ms);
        let is_known = !self.strikes(self.faults.store_fails_percent);
        let event = ManagerEvent::Stored { start: self.manager.start, token, is_known };
        self.queue.push(self.now_ms + in_ms, Event::Manager(event));
    }

    fn manager_answers(&mut self, ticket: Ticket, mut reply: Result<Reply, Error>) {
        let Some(call) = self.manager.callers.remove(&ticket) else {
            return self.oracle.broken(format!("{ticket:?} is answered twice"));
        };
        if let Ok(reply) = &mut reply {
            self.spoil(reply);
        }
        if let Err(Error::TooLarge { asked, .. }) = reply {
            self.judge_too_large(asked);
        }
        if let (Caller::Master(container), Ok(Reply::Allocated(answer))) = (call.caller, &reply) {
            self.oracle.leases(container.attempt, answer);
        }
        self.send(Message::FromManager(call, Box::new(reply)));
    }

    /// Puts a defect into an answer.
    fn spoil(&self, reply: &mut Reply) {
        match (self.defect, reply) {
            (Some(Defect::KillsDropped), Reply::NodeOrders(orders)) => orders.kill.clear(),
            (Some(Defect::CompletedDropped), Reply::Allocated(answer)) => answer.completed.clear(),
            (Some(Defect::LeasesDropped), Reply::Allocated(answer)) => {
                answer.leases.retain(|lease| lease.ask != 1);
            }
            _ => {}
        }
    }

    fn plan_manager_wake(&mut self) {
        let Some(brain) = &self.manager.brain else { return };
        let Some(at) = brain.next_deadline() else { return };
        if at.0 < self.now_ms {
            let late_ms = self.now_ms - at.0;
            return self.oracle.broken(format!("the manager is {late_ms} ms behind a deadline"));
        }
        if self.manager.wake_at.is_none_or(|planned| at < planned) {
            self.manager.wake_at = Some(at);
            let event = ManagerEvent::Wake { start: self.manager.start };
            self.queue.push(at.0, Event::Manager(event));
        }
    }
}
