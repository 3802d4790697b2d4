//! The start: restores the applications from the stored facts.
//!
//! Nodes and leases are not stored. Nodes register again and report their containers, app masters register
//! again and report the leases that they hold. For `recovery_wait` nothing is leased. A lease that has not come
//! back when the recovery ends is lost.

use super::ResourceManager;
use crate::{
    application::{Application, ApplicationLife, End, Finish, Usage},
    attempt::{Attempt, AttemptLife, ContainersAsked},
    messages::{ApplicationOutcome, Fact},
    timers::Purpose,
};
use std::collections::BTreeMap;
use weir_base::{ApplicationId, AttemptId, Now, invariant};
use weir_protocol::cluster::{FinalStatus, Lease, exit_status};

impl ResourceManager {
    pub(super) fn start(&mut self, now: Now, epoch: u32, facts: Vec<Fact>) {
        invariant!(self.epoch.is_none(), "started twice");
        self.epoch = Some(epoch);
        self.started_wall_ms = now.wall.0;
        let mut recovered = Recovered::default();
        for fact in facts {
            recovered.fold(fact);
        }
        self.ids.recover(recovered.ids_below, recovered.highest_forgotten);
        for id in recovered.ended {
            if let Some(application) = recovered.applications.remove(&id) {
                self.cluster.applications.add_ended(application);
            }
        }
        let live: Vec<_> = recovered.applications.keys().copied().collect();
        for application in recovered.applications.into_values() {
            self.cluster.applications.add(application);
        }
        if !live.is_empty() && epoch > 0 {
            self.wait_for_return(now);
        }
        for id in live {
            self.resume(now, id);
        }
        self.forget_applications();
    }

    fn wait_for_return(&mut self, now: Now) {
        self.cluster.is_recovering = true;
        self.planner.hold();
        let wait = self.settings.recovery_wait;
        self.timers.set(Purpose::LeasingBegins, now.monotonic.after(wait));
        let expiry = self.settings.node_expiry.max(wait);
        self.timers.set(Purpose::RecoveryEnds, now.monotonic.after(expiry));
    }

    /// Continues an application from its last stored fact.
    fn resume(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        let current = application.current().and_then(|attempt| attempt.master.clone());
        if let Some(lease) = current {
            self.cluster.leases.await_lease(lease);
        } else if application.kill.is_none() {
            return self.resume_without_attempt(now, id);
        }
        if application.state == ApplicationLife::Finishing
            && let Some(attempt) = application.current()
        {
            // The node needs time to come back, and the app master needs time to exit.
            let expiry = self.settings.app_master_expiry + self.settings.node_expiry;
            self.timers.set(Purpose::AppMaster(attempt.id), now.monotonic.after(expiry));
        }
        if application.kill.is_some() && application.state == ApplicationLife::Accepted {
            application.enter(ApplicationLife::Killing);
            if application.current().is_none() {
                self.killed(now, id);
            }
        }
    }

    fn resume_without_attempt(&mut self, now: Now, id: ApplicationId) {
        let allowed = self.settings.max_app_attempts.max(1);
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        let allowed = application.submission.max_attempts.unwrap_or(allowed).clamp(1, allowed);
        let failures = application.counted_failures;
        let was_preempted = |last: &&Attempt| last.exit_status == Some(exit_status::PREEMPTED);
        let last = application.attempts.last().filter(|last| !was_preempted(last));
        match last.map(|last| last.diagnostics.clone()) {
            Some(diagnostics) if failures >= allowed || allowed == 1 => {
                let diagnostics = format!(
                    "no attempt is left ({failures} of at most {allowed} failures): {diagnostics}"
                );
                let end = (ApplicationOutcome::Failed, FinalStatus::Failed, diagnostics);
                self.end_application(now, id, end);
            }
            _ => self.begin_attempt(now, id),
        }
    }

    /// The recovery ends: leases whose node has not come back are lost.
    pub(super) fn recovery_ends(&mut self, now: Now) {
        self.cluster.is_recovering = false;
        for lease in self.cluster.leases.awaited().cloned().collect::<Vec<_>>() {
            self.lease_is_lost(now, &lease, "its node did not come back");
        }
        self.planner.request();
    }
}

/// The state that results from the stored facts.
#[derive(Default)]
struct Recovered {
    ids_below: u32,
    highest_forgotten: u32,
    applications: BTreeMap<ApplicationId, Application>,
    ended: Vec<ApplicationId>,
}

impl Recovered {
    fn fold(&mut self, fact: Fact) {
        match fact {
            Fact::ApplicationIdsReserved { below } => self.ids_below = self.ids_below.max(below),
            Fact::ApplicationForgotten { application, highest } => {
                self.highest_forgotten = self.highest_forgotten.max(highest);
                self.applications.remove(&application);
                self.ended.retain(|one| *one != application);
            }
            Fact::ApplicationSubmitted { submission, submitted_wall_ms } => {
                let mut application = Application::new(submission, submitted_wall_ms);
                application.recover_as(ApplicationLife::Accepted);
                self.ids_below = self.ids_below.max(application.id().sequence.saturating_add(1));
                self.applications.entry(application.id()).or_insert(application);
            }
            Fact::KillRequested { application, diagnostics } => {
                self.change(application, |one| one.kill = Some(diagnostics));
            }
            Fact::AttemptStarted { attempt, container, node, resources, started_wall_ms } => {
                self.change_attempt(attempt, |one| {
                    one.state = AttemptLife::Allocated;
                    one.started_wall_ms = started_wall_ms;
                    one.master = Some(Lease { container, node, resources });
                });
            }
            Fact::ContainersAsked { attempt } => {
                self.change_attempt(attempt, |one| one.asked = ContainersAsked::Saved);
            }
            Fact::AttemptFinished { attempt, final_status, diagnostics, finished_wall_ms } => {
                self.change(attempt.application, |application| {
                    application.recover_as(ApplicationLife::Finishing);
                    let wall_ms = finished_wall_ms;
                    application.finish = Some(Finish { final_status, diagnostics, wall_ms });
                });
                self.change_attempt(attempt, |one| one.state = AttemptLife::Finishing);
            }
            Fact::AttemptEnded { attempt, exit_status, counted, diagnostics, ended_wall_ms } => {
                self.change_attempt(attempt, |one| {
                    one.state = AttemptLife::Failed;
                    one.exit_status = Some(exit_status);
                    one.diagnostics = diagnostics;
                    one.ended_wall_ms = Some(ended_wall_ms);
                    one.end_saved = true;
                });
                self.change(attempt.application, |one| one.count_failure(exit_status, counted));
            }
            Fact::ApplicationEnded {
                application,
                outcome,
                final_status,
                diagnostics,
                ended_wall_ms,
                memory_mib_seconds,
                vcore_seconds,
            } => {
                let usage = Usage::of_seconds(memory_mib_seconds, vcore_seconds);
                let wall_ms = ended_wall_ms;
                let end = End { outcome, final_status, diagnostics, wall_ms, usage };
                self.change(application, |one| recover_end(one, end));
                self.ended.push(application);
            }
            Fact::Archived { .. } => {}
        }
    }

    fn change(&mut self, id: ApplicationId, change: impl FnOnce(&mut Application)) {
        if let Some(application) = self.applications.get_mut(&id) {
            change(application);
        }
    }

    fn change_attempt(&mut self, id: AttemptId, change: impl FnOnce(&mut Attempt)) {
        self.change(id.application, |application| {
            let known = application.attempts.iter().position(|one| one.id == id);
            let index = known.unwrap_or_else(|| {
                application.attempts.push(Attempt::new(id));
                application.attempts.len() - 1
            });
            change(&mut application.attempts[index]);
        });
    }
}

fn recover_end(application: &mut Application, end: End) {
    let (state, of_attempt) = match end.outcome {
        ApplicationOutcome::Finished => (ApplicationLife::Finished, AttemptLife::Finished),
        ApplicationOutcome::Failed => (ApplicationLife::Failed, AttemptLife::Failed),
        ApplicationOutcome::Killed => (ApplicationLife::Killed, AttemptLife::Killed),
    };
    application.recover_as(state);
    if let Some(last) = application.attempts.last_mut() {
        last.state = of_attempt;
        last.ended_wall_ms.get_or_insert(end.wall_ms);
    }
    for attempt in &mut application.attempts {
        attempt.end_saved = true;
    }
    application.end = Some(end);
}
