//! Applications: submission, kill, end, and removal of old ones.

use super::ResourceManager;
use crate::{
    Error,
    application::{Application, ApplicationLife, End},
    attempt::AttemptLife,
    cluster::{APP_MASTER, Cluster},
    journal::After,
    messages::{ApplicationOutcome, ApplicationSpec, Effect, Fact, Reply, Ticket},
    timers::Purpose,
};
use weir_base::{ApplicationId, Now, Resources};
use weir_protocol::cluster::FinalStatus;

/// The queue of every application.
const QUEUE: &str = "default";

impl ResourceManager {
    pub(super) fn new_application(&mut self, ticket: Ticket) {
        self.ids.ask(ticket);
        self.hand_out_ids();
    }

    pub(super) fn ids_reserved(&mut self, below: u32) {
        self.ids.reserved(below);
        self.hand_out_ids();
    }

    fn hand_out_ids(&mut self) {
        let largest_node =
            self.cluster.nodes.largest().map_or_else(Resources::default, |node| node.total);
        let cluster_timestamp = self.settings.cluster_timestamp;
        for (ticket, sequence) in self.ids.hand_out() {
            let application = ApplicationId { cluster_timestamp, sequence };
            self.callers.answer(ticket, Ok(Reply::NewApplication { application, largest_node }));
        }
        if let Some(below) = self.ids.reserve() {
            self.journal.write(Fact::ApplicationIdsReserved { below });
            self.journal.then(After::IdsReserved { below });
        }
    }

    pub(super) fn submit(&mut self, now: Now, ticket: Ticket, submission: ApplicationSpec) {
        let application = submission.application;
        match self.judge_submission(&submission) {
            Err(error) => return self.callers.answer(ticket, Err(error)),
            Ok(Repeated::Yes) => {}
            Ok(Repeated::No) => self.take_submission(now, submission),
        }
        self.journal.then(After::Reply(ticket, Reply::Submitted(application)));
    }

    fn judge_submission(&self, submission: &ApplicationSpec) -> Result<Repeated, Error> {
        let application = submission.application;
        if let Some(known) = self.cluster.applications.get(&application) {
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
            Some("it has no command for the app master's container".to_owned())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Err(Error::InvalidSubmission { application, problem });
        }
        self.cluster.judge_size(APP_MASTER, submission.resources)?;
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
        let application = Application::new(submission, submitted_wall_ms);
        self.cluster.applications.add(application);
    }

    pub(super) fn application_saved(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        if application.state == ApplicationLife::NewSaving {
            application.enter(ApplicationLife::Submitted);
            application.enter(ApplicationLife::Accepted);
            self.begin_attempt(now, id);
        }
    }

    /// A kill takes effect when it is durable, and before all facts that are written after it: an attempt that
    /// ends in the meantime is the last one, and a final report of its app master is ignored.
    pub(super) fn kill_application(
        &mut self,
        ticket: Ticket,
        id: ApplicationId,
        diagnostics: String,
    ) {
        let Some(application) = self.cluster.applications.get_mut(&id) else {
            return self.callers.answer(ticket, Err(Error::UnknownApplication { application: id }));
        };
        if application.state.is_terminal() {
            return self.callers.answer(ticket, Ok(Reply::Kill { had_ended: true }));
        }
        if application.kill.is_none() {
            application.kill = Some(diagnostics.clone());
            self.journal.write(Fact::KillRequested { application: id, diagnostics });
            self.journal.then(After::KillSaved(id));
        }
        self.journal.then(After::Reply(ticket, Reply::Kill { had_ended: false }));
    }

    /// Stops an application whose kill is durable.
    pub(super) fn carry_out_kill(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        match application.state {
            ApplicationLife::NewSaving
            | ApplicationLife::Submitted
            | ApplicationLife::Accepted
            | ApplicationLife::Running => {
                application.enter(ApplicationLife::Killing);
                self.planner.request();
                self.stop_attempt(now, id);
            }
            // It keeps the result that its app master has reported, but its app master is stopped at once.
            ApplicationLife::Finishing => self.stop_attempt(now, id),
            _ => {}
        }
    }

    /// The app master of a killed application does not run any more.
    pub(super) fn killed(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.cluster.applications.get(&id) else { return };
        let diagnostics = application.kill.clone().unwrap_or_default();
        let (outcome, final_status) = (ApplicationOutcome::Killed, FinalStatus::Killed);
        self.end_application(now, id, (outcome, final_status, diagnostics));
    }

    /// Stores the end of an application.
    pub(super) fn end_application(
        &mut self,
        now: Now,
        id: ApplicationId,
        (outcome, final_status, diagnostics): (ApplicationOutcome, FinalStatus, String),
    ) {
        let Some(application) = self.cluster.applications.get(&id) else { return };
        let usage = self.cluster.usage_of(now.monotonic, application);
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        // The end time is that of the final report, not of the exit of the app master.
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
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        let Some(end) = &application.end else { return };
        application.enter(match end.outcome {
            ApplicationOutcome::Finished => ApplicationLife::Finished,
            ApplicationOutcome::Failed => ApplicationLife::Failed,
            ApplicationOutcome::Killed => ApplicationLife::Killed,
        });
        for attempt in &mut application.attempts {
            attempt.end_saved = true;
        }
        self.cluster.nodes.announce_ended(id);
        let unused = self.cluster.applications.note_end(id);
        if !unused.is_empty() {
            self.callers.effects().push(Effect::ArtifactsUnused(unused));
        }
        self.forget_applications();
    }

    /// Removes the applications that ended first, when there are too many. An application that still has leases
    /// is kept until they have ended.
    pub(super) fn forget_applications(&mut self) {
        let kept_count = self.settings.max_completed_applications;
        let Cluster { applications, leases, .. } = &mut self.cluster;
        let has_leases = |application: &Application| {
            let mut ids = application.attempts.iter().flat_map(|attempt| &attempt.containers);
            ids.any(|id| leases.contains_key(id))
        };
        for application in applications.remove_oldest_ended(kept_count, has_leases) {
            let highest = self.ids.forget(application.sequence);
            self.journal.write(Fact::ApplicationForgotten { application, highest });
        }
    }

    /// The terminal state of an attempt that ends without a final report.
    pub(super) fn attempt_end_of(&self, id: ApplicationId) -> AttemptLife {
        let is_killed = self.cluster.applications.get(&id).is_some_and(|one| one.kill.is_some());
        if is_killed { AttemptLife::Killed } else { AttemptLife::Failed }
    }
}

/// Whether a submission was made before.
enum Repeated {
    Yes,
    No,
}
