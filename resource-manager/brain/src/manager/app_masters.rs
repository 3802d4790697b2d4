//! Calls of app masters: register, allocate, finish.

use super::ResourceManager;
use crate::{
    Error,
    application::{ApplicationLife, Finish},
    attempt::{Attempt, AttemptLife, ContainersAsked, Held},
    container::{Container, ContainerLife},
    journal::After,
    messages::{Fact, GrantedLease, Reply, Ticket},
    timers::Purpose,
};
use std::{collections::BTreeSet, time::Duration};
use weir_base::{AttemptId, ContainerId, Now};
use weir_protocol::cluster::{
    Allocate, Allocated, AppMasterCommand, AppMasterRegistered, ArchivedAnswer, Ask,
    FinishAppMaster, Lease, PendingAsk, RegisterAppMaster,
};

/// The highest number of asks of an app master.
const MAX_ASKS: usize = 1000;
/// The highest number of containers that one allocate names.
const MAX_NAMED: usize = 100_000;

impl ResourceManager {
    /// An attempt has no asks at the start of an epoch. A repeated registration in one epoch keeps its asks.
    pub(super) fn register_app_master(
        &mut self,
        now: Now,
        ticket: Ticket,
        register: RegisterAppMaster,
    ) {
        let RegisterAppMaster { attempt: id, rest_port, held } = register;
        let Some(application) = self.cluster.applications.get_mut(&id.application) else {
            return self.callers.answer(ticket, Err(Error::AttemptOver { attempt: id }));
        };
        let is_working = application.is_working();
        let earlier = application.attempts.iter().filter(|one| one.id < id);
        let earlier_attempt_asked = earlier.into_iter().any(|one| one.asked != ContainersAsked::No);
        let may = |state| {
            matches!(state, AttemptLife::Allocated | AttemptLife::Launched | AttemptLife::Running)
        };
        let current = application.current_mut();
        let Some(attempt) = current.filter(|one| one.id == id && is_working && may(one.state))
        else {
            return self.callers.answer(ticket, Err(Error::AttemptOver { attempt: id }));
        };
        if attempt.state != AttemptLife::Running {
            attempt.enter(AttemptLife::Running);
        }
        attempt.registered = true;
        attempt.rest_port = Some(rest_port);
        let is_synchronised = attempt.synchronised;
        if application.state == ApplicationLife::Accepted {
            application.enter(ApplicationLife::Running);
        }
        self.restart_app_master_expiry(now, id);
        if !is_synchronised {
            for lease in held.into_iter().filter(|lease| lease.container.attempt == id) {
                self.expect_lease(now, lease);
            }
        }
        let reply = AppMasterRegistered {
            epoch: self.current_epoch(),
            heartbeat_interval_ms: millis(self.settings.heartbeat_interval),
            earlier_attempt_asked,
        };
        self.callers.answer(ticket, Ok(Reply::AppMasterRegistered(reply)));
    }

    fn restart_app_master_expiry(&mut self, now: Now, id: AttemptId) {
        let expiry = now.monotonic.after(self.settings.app_master_expiry);
        self.timers.set(Purpose::AppMaster(id), expiry);
    }

    pub(super) fn allocate(&mut self, now: Now, ticket: Ticket, allocate: Allocate) {
        let (id, sequence) = (allocate.attempt, allocate.sequence);
        match self.judge_allocate(&allocate) {
            Verdict::Stale(command) => {
                let answer = bare(sequence, command);
                return self.callers.answer(ticket, Ok(Reply::Allocated(answer)));
            }
            Verdict::Refused(error) => return self.callers.answer(ticket, Err(error)),
            Verdict::Repeated | Verdict::Fresh => {}
        }
        self.answer_allocate(now, id);
        self.restart_app_master_expiry(now, id);
        let hold_ms = allocate.hold_ms.min(millis(self.settings.app_master_expiry) / 3);
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id) else { return };
        attempt.held = Some(Held { ticket, sequence });
        let is_fresh = sequence > attempt.sequence;
        attempt.sequence = sequence;
        let hold = now.monotonic.after(Duration::from_millis(hold_ms));
        self.timers.set(Purpose::AppMasterHold(id), hold);
        let refused = is_fresh.then(|| self.take_allocate(now, &allocate).err()).flatten();
        self.cluster.applications.touch(id);
        // The allocate may have ended the attempt, which answers the held call.
        let is_held =
            self.cluster.applications.attempt(id).is_some_and(|attempt| attempt.held.is_some());
        match refused {
            Some(error) if is_held => {
                self.take_held_allocate(id);
                self.callers.answer(ticket, Err(error));
            }
            _ if hold_ms == 0 => self.touch_now(now, id),
            _ => {}
        }
    }

    fn judge_allocate(&self, allocate: &Allocate) -> Verdict {
        let id = allocate.attempt;
        let application = self.cluster.applications.get(&id.application);
        let current = application.and_then(|one| one.current()).filter(|one| one.id == id);
        let (Some(application), Some(attempt)) = (application, current) else {
            return Verdict::Stale(AppMasterCommand::Shutdown);
        };
        match application.state {
            ApplicationLife::Accepted | ApplicationLife::Running => {}
            ApplicationLife::FinishSaving | ApplicationLife::Finishing => {
                return Verdict::Stale(AppMasterCommand::Normal);
            }
            _ => return Verdict::Stale(AppMasterCommand::Shutdown),
        }
        if !attempt.registered || allocate.epoch != self.current_epoch() {
            return Verdict::Stale(AppMasterCommand::Resync);
        }
        if let Some(problem) = excess(allocate) {
            return Verdict::Refused(Error::InvalidRequest { attempt: id, problem });
        }
        match allocate.sequence.cmp(&attempt.sequence) {
            std::cmp::Ordering::Less => Verdict::Stale(AppMasterCommand::Normal),
            std::cmp::Ordering::Equal => Verdict::Repeated,
            std::cmp::Ordering::Greater => Verdict::Fresh,
        }
    }

    fn take_allocate(&mut self, now: Now, allocate: &Allocate) -> Result<(), Error> {
        let id = allocate.attempt;
        if let Some(attempt) = self.cluster.applications.working_attempt_mut(id) {
            attempt.progress = progress(allocate.progress);
            for container in &allocate.seen {
                attempt.completed.remove(container);
            }
        }
        let own = |containers: &[ContainerId]| -> BTreeSet<ContainerId> {
            containers.iter().copied().filter(|one| one.attempt == id).collect()
        };
        self.take_held(now, id, &own(&allocate.held));
        for container in own(&allocate.release) {
            self.release(now, container);
        }
        self.take_asks(id, &allocate.asks)
    }

    fn take_asks(&mut self, id: AttemptId, asks: &[Ask]) -> Result<(), Error> {
        let mut refused = None;
        let mut good = Vec::new();
        for ask in asks {
            let known = self.cluster.applications.attempt(id).and_then(|one| one.asks.get(&ask.id));
            let leased = known.map_or(0, |known| known.leased);
            // An ask that already waits is not refused: it may wait for a larger node.
            let resources = self.cluster.rounded(ask.resources);
            let waits =
                known.is_some_and(|known| known.missing() > 0 && known.resources == resources);
            match self.cluster.judge_size(&format!("a container of ask {}", ask.id), ask.resources)
            {
                Err(error) if ask.total > leased && !waits => refused = Some(error),
                _ => good.push(Ask { resources, ..ask.clone() }),
            }
        }
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id) else {
            return Ok(());
        };
        let has_changed = attempt.take_asks(&good);
        let is_first = attempt.asked == ContainersAsked::No && !attempt.asks.is_empty();
        if is_first {
            attempt.asked = ContainersAsked::BeingSaved;
            self.journal.write(Fact::ContainersAsked { attempt: id });
            self.journal.then(After::FirstAskSaved(id));
        }
        self.planner.request_if(has_changed);
        refused.map_or(Ok(()), Err)
    }

    /// Answers an allocate with `hold_ms` 0 after this step has placed all containers that it can place. An
    /// allocate with the first ask is answered when that fact is durable.
    fn touch_now(&mut self, now: Now, id: AttemptId) {
        self.plan_and_place(now);
        let asked = self.cluster.applications.attempt(id).map(|attempt| attempt.asked);
        if asked != Some(ContainersAsked::BeingSaved) {
            self.answer_allocate(now, id);
        }
    }

    /// The fact that an app master has asked for containers is durable: leases may be granted to it.
    pub(super) fn first_ask_saved(&mut self, now: Now, id: AttemptId) {
        let Some(attempt) = self.cluster.applications.attempt_mut(id) else { return };
        attempt.asked = ContainersAsked::Saved;
        self.cluster.applications.touch(id);
        if self.timers.is_due(&Purpose::AppMasterHold(id), now.monotonic) {
            self.touch_now(now, id);
        }
    }

    fn take_held_allocate(&mut self, id: AttemptId) -> Option<Held> {
        self.timers.clear(&Purpose::AppMasterHold(id));
        self.cluster.applications.attempt_mut(id)?.held.take()
    }

    /// Answers the held allocate, if there is one.
    pub(super) fn answer_allocate(&mut self, now: Now, id: AttemptId) {
        let Some(Held { ticket, sequence }) = self.take_held_allocate(id) else { return };
        let answer = match self.cluster.applications.working_attempt(id) {
            Some(attempt) if attempt.too_large.is_some() => {
                let error = attempt.too_large.clone();
                return error.into_iter().for_each(|error| self.callers.answer(ticket, Err(error)));
            }
            Some(_) => self.allocated(now, id, sequence),
            None => {
                let finishes = self.cluster.applications.get(&id.application).is_some_and(|one| {
                    let state = one.state;
                    let finishes =
                        matches!(state, ApplicationLife::FinishSaving | ApplicationLife::Finishing);
                    finishes && one.current().is_some_and(|current| current.id == id)
                });
                let command =
                    if finishes { AppMasterCommand::Normal } else { AppMasterCommand::Shutdown };
                bare(sequence, command)
            }
        };
        self.callers.answer(ticket, Ok(Reply::Allocated(answer)));
    }

    fn allocated(&mut self, now: Now, id: AttemptId, sequence: u64) -> Allocated<GrantedLease> {
        let mut answer = bare(sequence, AppMasterCommand::Normal);
        let Some(attempt) = self.cluster.applications.attempt(id) else { return answer };
        answer.completed = attempt.completed.values().cloned().collect();
        answer.pending = self.pending_asks(attempt);
        for container in attempt.leases_to_announce().collect::<Vec<_>>() {
            answer.leases.extend(self.announce_lease(now, container));
        }
        answer
    }

    /// Adds a lease to the answer for an app master.
    fn announce_lease(&mut self, now: Now, id: ContainerId) -> Option<GrantedLease> {
        let container = self.cluster.leases.get_mut(&id)?;
        if container.life == ContainerLife::Allocated {
            container.enter(ContainerLife::Acquired);
            let expiry = now.monotonic.after(self.settings.container_allocation_expiry);
            self.timers.set(Purpose::Container(id), expiry);
        }
        let Container { node, resources, ask, .. } = container.clone();
        Some(GrantedLease { ask: ask?, lease: Lease { container: id, node, resources } })
    }

    pub(super) fn pending_asks(&self, attempt: &Attempt) -> Vec<PendingAsk> {
        let waiting = attempt.asks.iter().filter(|(_, ask)| ask.missing() > 0);
        let pending = waiting.map(|(&id, ask)| PendingAsk {
            ask: id,
            missing: ask.missing(),
            reason: self.planner.describe(ask.reason.as_ref()),
        });
        pending.collect()
    }

    pub(super) fn finish_app_master(&mut self, now: Now, ticket: Ticket, finish: FinishAppMaster) {
        let FinishAppMaster { attempt: id, final_status, diagnostics, archive } = finish;
        let Some(application) = self.cluster.applications.get_mut(&id.application) else {
            return self.callers.answer(ticket, Err(Error::AttemptOver { attempt: id }));
        };
        let state = application.state;
        let is_killed = application.kill.is_some();
        let is_last = application.attempts.last().is_some_and(|last| last.id == id);
        let was_said = is_last && application.finish.is_some();
        let current = application.current_mut().filter(|one| one.id == id);
        match (state, current) {
            (ApplicationLife::Accepted | ApplicationLife::Running, Some(attempt))
                if !is_killed && attempt.state.may_become(AttemptLife::FinishSaving) =>
            {
                attempt.enter(AttemptLife::FinishSaving);
                application.enter(ApplicationLife::FinishSaving);
                let wall_ms = now.wall.0;
                application.finish =
                    Some(Finish { final_status, diagnostics: diagnostics.clone(), wall_ms });
                self.journal.write(Fact::AttemptFinished {
                    attempt: id,
                    final_status,
                    diagnostics,
                    finished_wall_ms: wall_ms,
                });
                self.archive(id, archive);
                self.journal.then(After::FinishSaved(id));
                // The app master no longer counts against the share of app masters.
                self.planner.request();
                self.timers.clear(&Purpose::AppMaster(id));
                self.cluster.applications.touch(id);
            }
            // A repetition.
            _ if was_said => {}
            // The application is killed, but its archive is kept.
            (_, Some(_)) if is_killed => self.archive(id, archive),
            _ => return self.callers.answer(ticket, Err(Error::AttemptOver { attempt: id })),
        }
        self.journal.then(After::Reply(ticket, Reply::AppMasterFinished));
    }

    fn archive(&mut self, id: AttemptId, answers: Vec<ArchivedAnswer>) {
        self.journal.write(Fact::Archived { application: id.application, answers });
    }
}

/// How an allocate is handled.
enum Verdict {
    Fresh,
    /// A repetition of the last allocate.
    Repeated,
    /// It changes nothing and is answered with this command.
    Stale(AppMasterCommand),
    Refused(Error),
}

/// The progress that an app master reports, limited to 0 to 1. NaN and infinity become 0, because JSON cannot
/// represent them.
fn progress(reported: f32) -> f32 {
    if reported.is_finite() { reported.clamp(0.0, 1.0) } else { 0.0 }
}

/// Why an allocate is too large, if it is. Its asks stay in memory for the life of the attempt.
fn excess(allocate: &Allocate) -> Option<String> {
    let named = allocate.held.len().max(allocate.release.len());
    if allocate.asks.len() > MAX_ASKS {
        Some(format!("it has {} asks, at most {MAX_ASKS} are allowed", allocate.asks.len()))
    } else if named > MAX_NAMED {
        Some(format!("it names {named} containers, at most {MAX_NAMED} are allowed"))
    } else {
        None
    }
}

fn bare(sequence: u64, command: AppMasterCommand) -> Allocated<GrantedLease> {
    Allocated { sequence, command, leases: Vec::new(), completed: Vec::new(), pending: Vec::new() }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
