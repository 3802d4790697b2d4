//! Applications: submission, kill, end, and being forgotten.

use super::ResourceManager;
use crate::{
    Error,
    application::{Application, ApplicationLife, End},
    attempt::AttemptLife,
    journal::After,
    messages::{ApplicationOutcome, ApplicationSpec, Effect, Fact, Reply, Ticket},
    timers::Purpose,
};
use std::collections::BTreeSet;
use weir_base::{ApplicationId, ArtifactHash, Now};
use weir_protocol::cluster::FinalStatus;

/// The queue of every application.
const QUEUE: &str = "default";

impl ResourceManager {
    pub(super) fn submit(&mut self, now: Now, ticket: Ticket, submission: ApplicationSpec) {
        let application = submission.application;
        match self.judge_submission(&submission) {
            Err(error) => return self.answer(ticket, Err(error)),
            Ok(Repeated::Yes) => {}
            Ok(Repeated::No) => self.take_submission(now, submission),
        }
        self.journal.then(After::Reply(ticket, Reply::Submitted(application)));
    }

    fn judge_submission(&self, submission: &ApplicationSpec) -> Result<Repeated, Error> {
        let application = submission.application;
        if let Some(known) = self.applications.get(&application) {
            return match known.submission == *submission {
                true => Ok(Repeated::Yes),
                false => Err(Error::AlreadySubmitted { application }),
            };
        }
        let is_ours = application.cluster_timestamp == self.settings.cluster_timestamp;
        if !is_ours || !self.ids.is_usable(application.sequence) {
            return Err(Error::IdNotHandedOut { application });
        }
        let problem = if !["", QUEUE].contains(&submission.queue.as_str()) {
            Some(format!("there is no queue {:?}; use {QUEUE:?}", submission.queue))
        } else if submission.launch.command.is_empty() {
            Some("it has no command; say what the app master's container runs".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::InvalidSubmission { application, problem });
        }
        self.judge_app_master_size(submission.resources)?;
        Ok(Repeated::No)
    }

    fn take_submission(&mut self, now: Now, submission: ApplicationSpec) {
        let application = submission.application;
        let submitted_wall_ms = now.wall.0;
        self.journal.write(Fact::ApplicationSubmitted {
            submission: submission.clone(),
            submitted_wall_ms,
        });
        self.journal.then(After::ApplicationSaved(application));
        self.submitted_count += 1;
        self.add_application(Application::new(submission, submitted_wall_ms));
    }

    /// Takes an application in that has not ended.
    pub(super) fn add_application(&mut self, application: Application) {
        for hash in artifacts(&application.submission) {
            *self.artifact_users.entry(hash).or_default() += 1;
        }
        self.applications.insert(application.id(), application);
    }

    pub(super) fn application_saved(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.applications.get_mut(&id) else { return };
        if application.state == ApplicationLife::NewSaving {
            application.enter(ApplicationLife::Submitted);
            application.enter(ApplicationLife::Accepted);
            self.begin_attempt(now, id);
        }
    }

    /// A kill takes effect when it is on record. What comes behind it, to the record too, is behind it:
    /// an attempt that ends meanwhile is the last, and the last words of its app master are too late.
    pub(super) fn kill_application(
        &mut self,
        ticket: Ticket,
        id: ApplicationId,
        diagnostics: String,
    ) {
        let Some(application) = self.applications.get_mut(&id) else {
            return self.answer(ticket, Err(Error::UnknownApplication { application: id }));
        };
        if application.state.is_terminal() {
            return self.answer(ticket, Ok(Reply::Kill { had_ended: true }));
        }
        if application.kill.is_none() {
            application.kill = Some(diagnostics.clone());
            self.journal.write(Fact::KillRequested { application: id, diagnostics });
            self.journal.then(After::KillSaved(id));
        }
        self.journal.then(After::Reply(ticket, Reply::Kill { had_ended: false }));
    }

    /// Begins to end an application that is to be killed.
    pub(super) fn carry_out_kill(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.applications.get_mut(&id) else { return };
        match application.state {
            ApplicationLife::NewSaving
            | ApplicationLife::Submitted
            | ApplicationLife::Accepted
            | ApplicationLife::Running => {
                application.enter(ApplicationLife::Killing);
                self.must_plan = true;
                self.stop_attempt(now, id);
            }
            // It ends by its own words; only faster.
            ApplicationLife::Finishing => self.stop_attempt(now, id),
            _ => {}
        }
    }

    /// Nothing of a killed application's app master runs any more.
    pub(super) fn killed(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.applications.get(&id) else { return };
        let diagnostics = application.kill.clone().unwrap_or_default();
        let (outcome, final_status) = (ApplicationOutcome::Killed, FinalStatus::Killed);
        self.end_application(now, id, (outcome, final_status, diagnostics));
    }

    /// Puts the end of an application on record.
    pub(super) fn end_application(
        &mut self,
        now: Now,
        id: ApplicationId,
        (outcome, final_status, diagnostics): (ApplicationOutcome, FinalStatus, String),
    ) {
        let usage = self.usage_of(now.monotonic, id);
        let Some(application) = self.applications.get_mut(&id) else { return };
        // One that finished is over for everybody since then, whatever its app master took to exit.
        let finished = application.finish.as_ref().map(|finish| finish.wall_ms);
        let wall_ms = finished.filter(|at| *at > 0).unwrap_or(now.wall.0);
        application.enter(ApplicationLife::FinalSaving);
        let fact = Fact::ApplicationEnded {
            application: id,
            outcome,
            final_status,
            diagnostics: diagnostics.clone(),
            ended_wall_ms: wall_ms,
            memory_mib_seconds: usage.memory_mib_seconds(),
            vcore_seconds: usage.vcore_seconds(),
        };
        application.end = Some(End { outcome, final_status, diagnostics, wall_ms, usage });
        self.timers.clear(&Purpose::NextAttempt(id));
        self.journal.write(fact);
        self.journal.then(After::EndSaved(id));
    }

    pub(super) fn end_saved(&mut self, id: ApplicationId) {
        let Some(application) = self.applications.get_mut(&id) else { return };
        let Some(end) = &application.end else { return };
        application.enter(match end.outcome {
            ApplicationOutcome::Finished => ApplicationLife::Finished,
            ApplicationOutcome::Failed => ApplicationLife::Failed,
            ApplicationOutcome::Killed => ApplicationLife::Killed,
        });
        for attempt in &mut application.attempts {
            attempt.end_saved = true;
        }
        let used = artifacts(&application.submission);
        for node in self.nodes.values_mut() {
            node.tell_ended(id);
            if node.has_ended_news {
                self.touched_nodes.insert(node.id.clone());
            }
        }
        self.release_artifacts(used);
        self.ended.push_back(id);
        self.forget_applications();
    }

    fn release_artifacts(&mut self, used: BTreeSet<ArtifactHash>) {
        let mut unused = Vec::new();
        for hash in used {
            if let Some(users) = self.artifact_users.get_mut(&hash) {
                *users -= 1;
                if *users == 0 {
                    self.artifact_users.remove(&hash);
                    unused.push(hash);
                }
            }
        }
        if !unused.is_empty() {
            self.effects.push(Effect::ArtifactsUnused(unused));
        }
    }

    /// Forgets the applications that ended first, when there are too many. One that still has
    /// containers stays until they have ended.
    pub(super) fn forget_applications(&mut self) {
        let mut excess = self.ended.len().saturating_sub(self.settings.max_completed_applications);
        let mut index = 0;
        while excess > 0 && index < self.ended.len() {
            let id = self.ended[index];
            if self.containers_of(id).next().is_some() {
                index += 1;
                continue;
            }
            self.ended.remove(index);
            self.applications.remove(&id);
            let highest = self.ids.forget(id.sequence);
            self.journal.write(Fact::ApplicationForgotten { application: id, highest });
            excess -= 1;
        }
    }

    /// The state of an attempt that ends without having finished.
    pub(super) fn attempt_end_of(&self, id: ApplicationId) -> AttemptLife {
        let is_killed = self.applications.get(&id).is_some_and(|one| one.kill.is_some());
        if is_killed { AttemptLife::Killed } else { AttemptLife::Failed }
    }
}

/// Whether a submission was made before.
enum Repeated {
    Yes,
    No,
}

/// Everything that an application uses.
pub(super) fn artifacts(submission: &ApplicationSpec) -> BTreeSet<ArtifactHash> {
    let launched = submission.launch.artifacts.iter().map(|artifact| artifact.hash);
    launched.chain(submission.artifacts.iter().copied()).collect()
}
